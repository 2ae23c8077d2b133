//! The answer: the findings, aggregated, ordered and limited. Pure functions over [`Findings`].

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

use super::alert::{Alert, Device};
use super::context::SubjectContext;
use super::entities::{self, Entities};
use super::findings::Findings;
use super::incident::Incident;
use super::notified::Notified;
use super::raw::Raw;
use super::resolution::{Step, StepName};
pub use super::rollup::Counts;
use super::rollup::{self, Span};
use super::shared_str::SharedStr;
use super::subject::Kind;
use super::summary;
use super::timestamp::Timestamp;
use super::vocabulary::{ListStatus, Severity, SeverityId, Status, Verdict};
use super::warning::{Warning, WarningCode, Warnings};

/// The version of the answer's shape: inside 1.x only additions.
pub const SCHEMA_VERSION: &str = "1.1";

/// The complete answer to one question, before the render options limit it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The kind of subject.
    pub kind: Kind,
    /// The text that the caller sent.
    pub input: String,
    /// The id or name that Defender was asked about.
    pub id: String,
    /// The subject's page in the portal.
    pub url: Option<String>,
    /// The conversions from the text to the id.
    pub resolution: Vec<Step>,
    /// The warnings from before the findings, such as those about the name.
    pub warnings: Vec<Warning>,
    /// The alerts, and the incident.
    pub findings: Arc<Findings>,
    /// What Defender knows about the subject itself.
    pub context: Option<SubjectContext>,
    /// The origin of the findings.
    pub source: Source,
}

/// The parts of an answer that the caller asked for.
#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// The most alerts in the list.
    pub limit: usize,
    /// Whether the upstream body is added.
    pub raw: bool,
    /// Warnings about the request itself.
    pub warnings: Vec<Warning>,
    /// The result of sending it to a destination, if the request names one.
    pub notified: Option<Notified>,
}

/// Where an answer came from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Source {
    /// The product that was asked.
    pub product: &'static str,
    /// The API family: `defender` or `graph`.
    pub backend: BackendName,
    /// Method and path template of the call.
    pub api: &'static str,
    /// When Defender answered.
    pub retrieved_at: Timestamp,
    /// Whether the answer was fetched for this request.
    pub cache: CacheState,
    /// Seconds since it was fetched.
    pub age_s: u64,
}

/// The API family that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum BackendName {
    /// Defender for Endpoint and Defender XDR: the two older APIs.
    Defender,
    /// Microsoft Graph security.
    Graph,
}

impl BackendName {
    /// Returns the word in the answer.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Where an answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CacheState {
    /// Fetched for this request, or for a concurrent one.
    Miss,
    /// From the cache, and fresh.
    Hit,
    /// From the cache, past its time: Microsoft throttles or is down.
    Stale,
}

impl CacheState {
    /// Returns the word in the answer.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The answer, in the order of its keys.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Enrichment<'a> {
    /// The version of this shape.
    #[schemars(with = "String", regex(pattern = r"^1\.[0-9]+$"))]
    pub schema_version: &'static str,
    /// What was asked about.
    pub kind: Kind,
    /// What the caller sent.
    pub input: &'a str,
    /// What was asked of Defender.
    pub id: &'a str,
    /// What was converted between the two.
    pub resolution: &'a [Step],
    /// At least one alert, or the incident, came back.
    pub found: bool,
    /// One line, at most 160 characters, fit for a ticket's title.
    #[schemars(length(min = 1, max = 160))]
    pub summary: String,
    /// The highest severity over all alerts; an incident's own.
    pub severity: Severity,
    /// The same as OCSF numbers it.
    pub severity_id: SeverityId,
    /// The highest severity over alerts that are not resolved: what should drive priority.
    pub severity_open: Option<Severity>,
    /// The same as OCSF numbers it.
    pub severity_open_id: Option<SeverityId>,
    /// Where the work stands.
    pub status: Status,
    /// What the analysts decided.
    pub verdict: Verdict,
    /// The subject's page in the portal.
    #[schemars(extend("format" = "uri"))]
    pub url: Option<&'a str>,
    /// When the activity of the alerts began.
    pub first_seen: Option<Timestamp>,
    /// When it was last seen.
    pub last_seen: Option<Timestamp>,
    /// When the last of the alerts changed; an incident's own.
    pub updated_at: Option<Timestamp>,
    /// How many alerts there are, listed or not.
    pub counts: Counts,
    /// MITRE ATT&CK techniques, distinct.
    pub techniques: Vec<&'a str>,
    /// Categories, distinct.
    pub categories: Vec<&'a str>,
    /// Threat names, or families where there is no name, distinct.
    pub threats: Vec<&'a str>,
    /// Who and what the alerts touch.
    pub entities: Entities<'a>,
    /// What Defender knows about the subject itself, in addition to its alerts; null where nothing is known.
    pub context: Option<&'a SubjectContext>,
    /// The incident, for kind `incident`.
    pub incident: Option<Cow<'a, Incident>>,
    /// The alerts: open first, then severity, then newest, then id; at most `limit`.
    pub alerts: Vec<&'a Alert>,
    /// Alerts or entities were left out of the lists; never out of `counts`.
    pub truncated: bool,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
    /// Where this came from, and when.
    pub source: &'a Source,
    /// What became of this answer at the destination that the request names. Only with `notify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notified: Option<Notified>,
    /// The upstream body, verbatim; a list of them where Defender sent pages. Only with `include=raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<Raw<'a>>,
}

impl Answer {
    /// Returns the warnings that something may be missing.
    pub fn partial(&self) -> impl Iterator<Item = &Warning> {
        let all = self.warnings.iter().chain(&self.findings.warnings);
        all.filter(|warning| warning.code == WarningCode::Partial)
    }

    /// Returns the answer as the caller gets it.
    pub fn enrichment(&self, options: &RenderOptions) -> Enrichment<'_> {
        let findings = &*self.findings;
        let alerts = &findings.alerts;
        let incident = findings.incident.as_ref();
        let ordered = rollup::ordered(alerts);
        let (entities, capped) = entities::collect(ordered.iter().copied());
        let listed: Vec<_> = ordered.iter().copied().take(options.limit).collect();

        let counts = Counts::of(alerts);
        let own_severity = incident.map(|incident| incident.severity).filter(|severity| *severity != Severity::Unknown);
        let severity = own_severity.or_else(|| rollup::highest(alerts.iter())).unwrap_or(Severity::Unknown);
        let severity_open = rollup::highest(alerts.iter().filter(|alert| alert.status.is_open()));
        let span = Span::of(alerts);

        let mut warnings = Warnings::default();
        warnings.extend(&options.warnings);
        warnings.extend(&self.warnings);
        warnings.extend(&findings.warnings);
        if !capped.is_empty() {
            let detail = format!("Only the first {} are listed of: {}.", entities::MAX_ENTITIES, capped.join(", "));
            warnings.add(WarningCode::EntitiesCapped, detail);
        }

        Enrichment {
            schema_version: SCHEMA_VERSION,
            kind: self.kind,
            input: &self.input,
            id: &self.id,
            resolution: &self.resolution,
            found: findings.found(),
            summary: summary::line(self, severity, &counts, &listed),
            severity,
            severity_id: severity.id(),
            severity_open,
            severity_open_id: severity_open.map(Severity::id),
            status: self.status(),
            verdict: self.verdict(),
            url: self.page(),
            first_seen: span.first_seen,
            last_seen: span.last_seen,
            updated_at: incident.and_then(|incident| incident.updated_at).or(span.updated_at),
            counts,
            techniques: rollup::distinct(
                ordered.iter().flat_map(|alert| alert.techniques.iter().map(SharedStr::as_str)),
            ),
            categories: rollup::distinct(ordered.iter().flat_map(|alert| alert.named_categories())),
            threats: rollup::distinct(ordered.iter().filter_map(|alert| threat(alert))),
            entities,
            context: self.context.as_ref(),
            incident: self.incident(),
            truncated: listed.len() < alerts.len() || !capped.is_empty(),
            alerts: listed,
            warnings: warnings.into_vec(),
            source: &self.source,
            notified: options.notified.clone(),
            raw: options.raw.then_some(findings.raw()),
        }
    }

    /// Returns the name of the subject for a sentence.
    pub(super) fn display_name(&self) -> Cow<'_, str> {
        // An alert may be about several devices; only the name of the requested one is used.
        let is_requested = |device: &&Device| device.id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(&self.id));
        let device_name = || self.findings.alerts.iter().flat_map(Alert::devices).find(is_requested)?.name.as_deref();
        match self.kind {
            Kind::Machine => device_name().unwrap_or(&self.input).into(),
            Kind::Alert | Kind::User | Kind::File | Kind::Incident | Kind::Ip | Kind::Domain => self.id.as_str().into(),
        }
    }

    fn status(&self) -> Status {
        let Findings { alerts, incident, .. } = &*self.findings;
        match self.kind {
            Kind::Alert => Status::Alert(alerts.first().map(|alert| alert.status).unwrap_or_default()),
            Kind::Incident => Status::Incident(incident.as_ref().map(|incident| incident.status).unwrap_or_default()),
            Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain => Status::List(if alerts.is_empty() {
                ListStatus::None
            } else if alerts.iter().any(|alert| alert.status.is_open()) {
                ListStatus::Open
            } else {
                ListStatus::Resolved
            }),
        }
    }

    /// Returns the incident's own verdict, or else the verdict over all alerts.
    fn verdict(&self) -> Verdict {
        let own = self.findings.incident.as_ref().map(Incident::verdict);
        own.filter(|verdict| *verdict != Verdict::Undetermined)
            .unwrap_or_else(|| rollup::verdict(&self.findings.alerts))
    }

    /// Returns the page that Defender names, or else the one that the id gives.
    fn page(&self) -> Option<&str> {
        let own = match self.kind {
            Kind::Alert => self.findings.alerts.first().and_then(|alert| alert.url.as_deref()),
            Kind::Incident => self.findings.incident.as_ref().and_then(|incident| incident.url.as_deref()),
            Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain => None,
        };
        own.or(self.url.as_deref())
    }

    /// Returns the incident, with the chain of merges that led to it.
    fn incident(&self) -> Option<Cow<'_, Incident>> {
        let mut incident = Cow::Borrowed(self.findings.incident.as_ref()?);
        let merges = self.resolution.iter().filter(|step| step.step == StepName::IncidentRedirect);
        let chain: Vec<_> = merges.map(|step| step.from.clone()).collect();
        if !chain.is_empty() {
            incident.to_mut().redirected_from = chain;
        }
        Some(incident)
    }
}

fn threat(alert: &Alert) -> Option<&str> {
    let names = [&alert.threat_name, &alert.threat_family];
    names.into_iter().filter_map(|name| name.as_deref()).find(|name| !name.is_empty())
}
