//! The table of the output formats, and what the service has to know about each.

use serde_json::Value;

use super::overview::Overview;
use super::{OutputOptions, ecs, json, markdown, ocsf, slack, teams, text};
use crate::domain::enrichment::Enrichment;

/// Declares the formats: each line names a format and the specification in its file.
macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident => $spec:path,)+) => {
        /// An output format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Format {
            $($(#[$doc])* $format,)+
        }

        impl Format {
            /// All formats, in the order of the documentation.
            pub const ALL: [Self; [$(Self::$format),+].len()] = [$(Self::$format),+];

            pub(super) fn spec(self) -> &'static FormatSpec {
                match self {
                    $(Self::$format => &$spec,)+
                }
            }
        }
    };
}

formats! {
    /// The answer's own JSON.
    Json => json::SPEC,
    /// OCSF 1.8.0: one finding, or a bundle of findings.
    Ocsf => ocsf::SPEC,
    /// The same findings, one per line.
    OcsfNdjson => ocsf::NDJSON_SPEC,
    /// Documents of the Elastic Common Schema, one per alert.
    Ecs => ecs::SPEC,
    /// A Slack message in Block Kit.
    Slack => slack::SPEC,
    /// A Teams message with one Adaptive Card.
    Teams => teams::SPEC,
    /// A ticket comment.
    Markdown => markdown::SPEC,
    /// A few lines for a terminal.
    Text => text::SPEC,
}

/// What the service has to know about a format.
pub(super) struct FormatSpec {
    /// The name that callers use.
    pub(super) name: &'static str,
    /// The value for `Content-Type`.
    pub(super) media_type: &'static str,
    /// The rank among media types that a caller accepts equally, best first. `None` if `Accept` cannot select the format,
    /// because another one has the same media type.
    pub(super) accept_rank: Option<u8>,
    /// The structure of a body.
    pub(super) body: BodyKind,
    /// Whether the format has a member for the upstream body.
    pub(super) has_raw: bool,
    /// The name of the event type in event collectors. `None` for messages to people, which are not events.
    pub(super) event_type: Option<&'static str>,
    /// Renders an answer.
    pub(super) renderer: Renderer,
    /// Renders a message about several subjects, if the format is a chat's.
    pub(super) batch_renderer: Option<fn(&Overview<'_>) -> Vec<u8>>,
    /// The schemas of a JSON body.
    pub(super) schemas: BodySchemas,
    /// Renders a body that holds only this text. It tests whether a destination accepts the format.
    pub(super) notice: fn(&str) -> Vec<u8>,
}

/// The structure of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// One JSON value.
    Json,
    /// A JSON array of independent documents.
    JsonArray,
    /// Independent JSON documents, one per line.
    JsonLines,
    /// Text for people.
    Text,
}

/// How a format is rendered.
pub(super) enum Renderer {
    /// Up to a size in bytes. A body that is too large is rendered again with less content.
    Fitted(fn(&Enrichment<'_>, usize) -> Vec<u8>),
    /// Within the small limits of a chat, a ticket or a terminal.
    Limited(fn(&Enrichment<'_>, OutputOptions) -> Vec<u8>),
}

/// JSON Schemas for the OpenAPI document: outlines of what is specified elsewhere, with the members that identify it.
pub(super) struct BodySchemas {
    /// The schemas of a whole body.
    pub(super) roots: &'static [&'static str],
    /// All schemas, by name.
    pub(super) definitions: fn() -> Vec<(&'static str, Value)>,
}

impl BodySchemas {
    /// For a format that is not one JSON value.
    pub(super) const NONE: Self = Self { roots: &[], definitions: Vec::new };
}

impl Format {
    /// The name that callers use.
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// Parses a format's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// The value for `Content-Type`.
    pub fn media_type(self) -> &'static str {
        self.spec().media_type
    }

    /// The rank among media types that a caller accepts equally; `None` if `Accept` cannot select the format.
    pub fn accept_rank(self) -> Option<u8> {
        self.spec().accept_rank
    }

    /// The structure of a body.
    pub fn body_kind(self) -> BodyKind {
        self.spec().body
    }

    /// Whether a body is one JSON value.
    pub fn is_json(self) -> bool {
        matches!(self.body_kind(), BodyKind::Json | BodyKind::JsonArray)
    }

    /// Whether the format has a member for the upstream body.
    pub fn has_raw(self) -> bool {
        self.spec().has_raw
    }

    /// The name of the event type in event collectors; `None` for messages to people.
    pub fn event_type(self) -> Option<&'static str> {
        self.spec().event_type
    }

    /// The names of the schemas of a whole body; none if a body is not one JSON value.
    pub fn root_schemas(self) -> &'static [&'static str] {
        self.spec().schemas.roots
    }

    /// The schemas of a body that only this format defines, by name.
    pub fn schema_definitions(self) -> Vec<(&'static str, Value)> {
        (self.spec().schemas.definitions)()
    }

    /// Renders a body that holds only this text, to test whether a destination accepts the format.
    pub fn notice(self, text: &str) -> Vec<u8> {
        (self.spec().notice)(text)
    }
}
