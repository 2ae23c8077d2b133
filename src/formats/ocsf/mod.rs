//! `format=ocsf`, `ocsf_ndjson`: OCSF 1.8.0 findings.
//!
//! An alert becomes a Detection Finding (2004), an incident an Incident Finding (2005), and a list of alerts a bundle of
//! Detection Findings. A subject that was not found becomes an empty bundle or an empty body. Equal states upstream give
//! equal bytes: the time of the query is only in events of alerts that have no time.
//!
//! Sources: <https://schema.ocsf.io/1.8.0>,
//! <https://github.com/ocsf/examples/blob/main/encodings/json/README.md> (bundles).

mod account;
mod attacks;
mod context;
mod detection;
mod device;
mod evidence;
mod file;
mod finding;
mod head;
mod incident;
mod metadata;
mod observables;
mod outline;
mod process;
mod timestamps;
mod unmapped;
mod words;

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;
use crate::domain::raw::Raw;
use crate::domain::subject::Kind;
use crate::formats::format::{BodyKind, BodySchemas, FormatSpec, Renderer};
use crate::formats::sparse::{self, Keep};
use detection::Detection;
use incident::IncidentEvent;

pub(super) const SPEC: FormatSpec = FormatSpec {
    name: "ocsf",
    media_type: "application/json",
    accept_rank: None,
    body: BodyKind::Json,
    has_raw: true,
    event_type: Some("ocsf"),
    renderer: Renderer::Fitted(document),
    batch_renderer: None,
    schemas: BodySchemas { roots: &["OcsfFinding", "OcsfBundle"], definitions: schemas },
    notice: |text| json!({"message": text}).to_string().into_bytes(),
};

pub(super) const NDJSON_SPEC: FormatSpec = FormatSpec {
    name: "ocsf_ndjson",
    media_type: "application/x-ndjson",
    accept_rank: Some(3),
    body: BodyKind::JsonLines,
    renderer: Renderer::Fitted(lines),
    schemas: BodySchemas::NONE,
    ..SPEC
};

/// Of Microsoft's unknown members, those with a value are kept.
const KEEP: Keep = Keep::FilledAndEmptyStrings;

/// The bundle without events, which keeps its empty list.
const EMPTY_BUNDLE: &str = r#"{"events":[],"count":0}"#;

/// Renders one finding, or the bundle of a list.
fn document(enrichment: &Enrichment<'_>, max_bytes: usize) -> Vec<u8> {
    let outline = outline::of(enrichment);
    let events = events(enrichment, outline.as_ref());
    match (enrichment.kind, events.first()) {
        (_, None) => EMPTY_BUNDLE.into(),
        (Kind::Alert | Kind::Incident, Some(event)) => sparse::to_vec(event, KEEP, max_bytes),
        (Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain, Some(_)) => {
            sparse::to_vec(&Bundle::of(&events), KEEP, max_bytes)
        }
    }
}

/// Renders the same findings, one per line.
fn lines(enrichment: &Enrichment<'_>, max_bytes: usize) -> Vec<u8> {
    let outline = outline::of(enrichment);
    let events = events(enrichment, outline.as_ref());
    let mut lines = Vec::new();
    for event in &events {
        if lines.len() <= max_bytes {
            lines.extend(sparse::to_vec(event, KEEP, max_bytes));
            lines.push(b'\n');
        }
    }
    lines
}

/// An event of either class.
enum Event<'a> {
    Detection(Detection<'a>),
    Incident(IncidentEvent<'a>),
}

impl Event<'_> {
    fn time(&self) -> i64 {
        match self {
            Self::Detection(detection) => detection.time(),
            Self::Incident(incident) => incident.time(),
        }
    }
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Detection(detection) => detection.serialize(serializer),
            Self::Incident(incident) => incident.serialize(serializer),
        }
    }
}

/// OCSF's container for several events.
#[derive(Serialize)]
struct Bundle<'a> {
    events: &'a [Event<'a>],
    count: usize,
    /// The earliest `time` of an event.
    start_time: Option<i64>,
    /// The latest `time` of an event.
    end_time: Option<i64>,
}

impl<'a> Bundle<'a> {
    fn of(events: &'a [Event<'a>]) -> Self {
        let times = || events.iter().map(Event::time);
        Self { events, count: events.len(), start_time: times().min(), end_time: times().max() }
    }
}

/// The events of an answer. `outline` replaces an alert that is too large to be listed.
fn events<'a>(enrichment: &'a Enrichment<'a>, outline: Option<&'a Alert>) -> Vec<Event<'a>> {
    let (product, retrieved_at) = (enrichment.source.product, enrichment.source.retrieved_at);
    let detection = |alert| Detection {
        alert,
        product,
        retrieved_at,
        is_truncated: false,
        warnings: Vec::new(),
        raw: None,
        context: enrichment.context,
    };
    match enrichment.kind {
        Kind::Alert => {
            let alone = |alert| Detection {
                is_truncated: outline.is_some(),
                warnings: enrichment.warnings.iter().map(|warning| warning.detail.as_str()).collect(),
                raw: enrichment.raw.and_then(Raw::text),
                ..detection(alert)
            };
            let listed = enrichment.alerts.first().copied();
            listed.or(outline).map(alone).map(Event::Detection).into_iter().collect()
        }
        Kind::Incident => {
            let incident = enrichment.incident.as_deref();
            incident.map(|incident| Event::Incident(IncidentEvent { incident, enrichment })).into_iter().collect()
        }
        Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain => {
            let raw = enrichment.raw.map(Raw::alerts).unwrap_or_default();
            let one = |alert: &&'a Alert| Detection {
                raw: alert.id.as_deref().and_then(|id| raw.get(id)).map(|text| Cow::Borrowed(*text)),
                ..detection(alert)
            };
            enrichment.alerts.iter().map(one).map(Event::Detection).collect()
        }
    }
}

fn schemas() -> Vec<(&'static str, Value)> {
    let milliseconds = json!({"type": "integer", "format": "int64", "description": "Milliseconds since 1970."});
    let finding = json!({
        "type": "object",
        "description": "format=ocsf: a Detection Finding or an Incident Finding. In full: https://schema.ocsf.io/1.8.0/.",
        "required": ["class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "time", "metadata"],
        "properties": {
            "class_uid": {"type": "integer", "enum": [2004, 2005], "description": "2004: a Detection Finding, of an alert. 2005: an Incident Finding."},
            "category_uid": {"type": "integer", "enum": [2]},
            "activity_id": {"type": "integer"},
            "type_uid": {"type": "integer", "description": "class_uid * 100 + activity_id."},
            "severity_id": {"type": "integer"},
            "time": milliseconds,
            "metadata": {"$ref": "#/components/schemas/OcsfMetadata"}
        },
        "additionalProperties": true
    });
    let bundle = json!({
        "type": "object",
        "description": "format=ocsf: the findings of a list.",
        "required": ["events", "count"],
        "properties": {
            "events": {"type": "array", "items": {"$ref": "#/components/schemas/OcsfFinding"}},
            "count": {"type": "integer", "minimum": 0},
            "start_time": milliseconds,
            "end_time": milliseconds
        },
        "additionalProperties": true
    });
    let metadata = json!({
        "type": "object",
        "description": "Of which version the event is, and whose.",
        "required": ["version", "product"],
        "properties": {
            "version": {"type": "string", "enum": [metadata::VERSION]},
            "product": {"type": "object", "description": "The product.", "additionalProperties": true}
        },
        "additionalProperties": true
    });
    vec![("OcsfFinding", finding), ("OcsfBundle", bundle), ("OcsfMetadata", metadata)]
}
