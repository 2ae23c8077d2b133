//! The output formats, with the names and media types that callers use.

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The answer's own JSON.
    Json,
    /// OCSF 1.8.0: one finding, or a bundle of findings.
    Ocsf,
    /// The same findings, one per line.
    OcsfNdjson,
    /// Documents of the Elastic Common Schema, one per alert.
    Ecs,
    /// A Slack message in Block Kit.
    Slack,
    /// A Teams message with one Adaptive Card.
    Teams,
    /// A ticket comment.
    Markdown,
    /// A few lines for a terminal.
    Text,
}

impl Format {
    /// All formats, in the order of the documentation.
    pub const ALL: [Self; 8] =
        [Self::Json, Self::Ocsf, Self::OcsfNdjson, Self::Ecs, Self::Slack, Self::Teams, Self::Markdown, Self::Text];

    /// The name that callers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ocsf => "ocsf",
            Self::OcsfNdjson => "ocsf_ndjson",
            Self::Ecs => "ecs",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Markdown => "markdown",
            Self::Text => "text",
        }
    }

    /// Parses a format's name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// Whether the format has a member for the upstream body.
    pub fn has_raw(self) -> bool {
        match self {
            Self::Json | Self::Ocsf | Self::OcsfNdjson => true,
            Self::Ecs | Self::Slack | Self::Teams | Self::Markdown | Self::Text => false,
        }
    }

    /// Whether a body of the format is one JSON value.
    pub fn is_json(self) -> bool {
        match self {
            Self::Json | Self::Ocsf | Self::Ecs | Self::Slack | Self::Teams => true,
            Self::OcsfNdjson | Self::Markdown | Self::Text => false,
        }
    }

    /// The value for `Content-Type`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::Ocsf | Self::Ecs | Self::Slack | Self::Teams => "application/json",
            Self::OcsfNdjson => "application/x-ndjson",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}
