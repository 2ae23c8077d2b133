//! `format=ocsf`, `ocsf_ndjson`: OCSF 1.8.0 findings.
//!
//! An alert is one Detection Finding (2004), an incident one Incident Finding (2005), a list a bundle of the former. What
//! was not found is no event: an empty bundle, or an empty body. The same state upstream is the same bytes: there is no
//! clock in an event, but for an alert that tells no time at all.
//!
//! Sources: <https://schema.ocsf.io/1.8.0>,
//! <https://github.com/ocsf/examples/blob/main/encodings/json/README.md> (bundles).

mod account;
mod attacks;
mod detection;
mod device;
mod evidence;
mod file;
mod finding;
mod head;
mod incident;
mod metadata;
mod moments;
mod observables;
mod outline;
mod process;
mod unmapped;
mod verbatim;
mod words;

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;
use crate::domain::raw::Raw;
use crate::domain::subject::Kind;
use crate::formats::sparse;
use detection::Detection;
use incident::IncidentEvent;

/// The bundle of no events: in others nothing is empty.
const EMPTY_BUNDLE: &str = r#"{"events":[],"count":0}"#;

/// One finding, or the bundle of a list's.
pub(in crate::formats) fn document(enrichment: &Enrichment<'_>, max_bytes: usize) -> Vec<u8> {
    let outline = outline::of(enrichment);
    let events = events(enrichment, outline.as_ref());
    match (enrichment.kind, events.first()) {
        (_, None) => EMPTY_BUNDLE.into(),
        (Kind::Alert | Kind::Incident, Some(event)) => sparse::to_vec(event, max_bytes),
        (Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain, Some(_)) => {
            sparse::to_vec(&Bundle::of(&events), max_bytes)
        }
    }
}

/// The same findings, a line each.
pub(in crate::formats) fn lines(enrichment: &Enrichment<'_>, max_bytes: usize) -> Vec<u8> {
    let outline = outline::of(enrichment);
    let events = events(enrichment, outline.as_ref());
    let mut lines = Vec::new();
    for event in &events {
        if lines.len() <= max_bytes {
            lines.extend(sparse::to_vec(event, max_bytes));
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

/// The frame that OCSF puts around several events.
#[derive(Serialize)]
struct Bundle<'a> {
    events: &'a [Event<'a>],
    count: usize,
    /// The earliest `time` of an event.
    start_time: Option<i64>,
    /// The latest.
    end_time: Option<i64>,
}

impl<'a> Bundle<'a> {
    fn of(events: &'a [Event<'a>]) -> Self {
        let times = || events.iter().map(Event::time);
        Self { events, count: events.len(), start_time: times().min(), end_time: times().max() }
    }
}

/// The events that an answer is; `outline`: an alert that is too large to be listed.
fn events<'a>(enrichment: &'a Enrichment<'a>, outline: Option<&'a Alert>) -> Vec<Event<'a>> {
    let (product, retrieved_at) = (enrichment.source.product, enrichment.source.retrieved_at);
    let detection =
        |alert| Detection { alert, product, retrieved_at, is_truncated: false, warnings: Vec::new(), raw: None };
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
