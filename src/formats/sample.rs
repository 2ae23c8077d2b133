//! Sample answers of a fictional company, for tests of the human formats.

use std::sync::Arc;

use crate::domain::alert::{Alert, AlertAccount, Device};
use crate::domain::enrichment::{Answer, BackendName, CacheState, RenderOptions, Source};
use crate::domain::evidence::{Address, Detail, Evidence, File};
use crate::domain::findings::Findings;
use crate::domain::incident::Incident;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::Kind;
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::{AlertStatus, IncidentStatus, Severity};
use crate::domain::warning::{Warning, WarningCode, Warnings};

/// The device id and its page.
const DEVICE: &str = "362ded5edf49a09eff1a4645db892f3af1c2e2cd";
pub(super) const PAGE: &str = "https://security.microsoft.com/machines/362ded5edf49a09eff1a4645db892f3af1c2e2cd";

fn noon() -> Timestamp {
    Timestamp::from_unix_seconds(1_793_693_640)
}

fn alert(title: &str, severity: Severity, status: AlertStatus) -> Alert {
    Alert {
        title: Some(title.into()),
        severity,
        severity_id: severity.id(),
        status,
        techniques: vec!["T1003.001".into()],
        device: Some(Device { id: Some(DEVICE.into()), name: Some("desk-042.contoso.com".into()), group: None }),
        user: Some(AlertAccount { domain: Some("CONTOSO".into()), name: "dana".into() }),
        first_seen: Some(noon()),
        last_seen: Some(noon()),
        ..Alert::default()
    }
}

fn two_alerts() -> Vec<Alert> {
    let mut first = alert("<b>Credentials</b> read", Severity::High, AlertStatus::New);
    first.url = Some("https://security.microsoft.com/alerts/da1_1".into());
    vec![first, alert("Tool seen at evil.example", Severity::Low, AlertStatus::Resolved)]
}

fn answer(kind: Kind, alerts: Vec<Alert>, incident: Option<Incident>) -> Answer {
    Answer {
        kind,
        input: "desk-042.contoso.com".to_owned(),
        id: DEVICE.to_owned(),
        url: Some(PAGE.to_owned()),
        resolution: Vec::new(),
        warnings: Vec::new(),
        findings: Arc::new(Findings::new(alerts, incident, Vec::new(), Warnings::default())),
        context: None,
        source: Source {
            product: "Microsoft Defender for Endpoint",
            backend: BackendName::Defender,
            api: "GET /api/machines/{id}/alerts",
            retrieved_at: noon(),
            cache: CacheState::Miss,
            age_s: 0,
        },
    }
}

/// Default render options.
pub(super) fn render_options() -> RenderOptions {
    RenderOptions { limit: 50, raw: false, warnings: Vec::new(), notified: None }
}

/// A device with an open and a resolved alert.
pub(super) fn machine() -> Answer {
    answer(Kind::Machine, two_alerts(), None)
}

/// The same answer, but stale and partial.
pub(super) fn stale_and_partial() -> Answer {
    let mut answer = machine();
    answer.source.cache = CacheState::Stale;
    answer.source.age_s = 840;
    let detail = "Only the first page could be read.".to_owned();
    answer.warnings.push(Warning { code: WarningCode::Partial, detail });
    answer
}

/// A device with one alert of this title.
pub(super) fn titled(title: &str) -> Answer {
    answer(Kind::Machine, vec![alert(title, Severity::High, AlertStatus::New)], None)
}

/// A device without alerts.
pub(super) fn nothing() -> Answer {
    answer(Kind::Machine, Vec::new(), None)
}

/// An alert in which every text is the same.
fn filled(text: &str) -> Alert {
    let mut alert = alert(text, Severity::High, AlertStatus::New);
    alert.techniques = vec![text.into()];
    alert.threat_name = Some(text.into());
    alert.device = Some(Device { id: None, name: Some(text.into()), group: None });
    alert.user = Some(AlertAccount { domain: Some(text.into()), name: text.into() });
    alert.url = Some("https://security.microsoft.com/alerts/da1_1".into());
    alert
}

/// A device with thirty such alerts.
pub(super) fn filled_with(text: &str) -> Answer {
    let mut answer = answer(Kind::Machine, (0..30).map(|_| filled(text)).collect(), None);
    answer.warnings = vec![Warning { code: WarningCode::Partial, detail: text.to_owned() }];
    answer
}

/// An incident with thirty such alerts, each with its own entities, and with every optional member.
pub(super) fn filled_incident(text: &str) -> Answer {
    let alert = |n: usize| {
        let text = format!("{n}{text}");
        let mut alert = filled(&text);
        let details = [
            Detail::File(File { name: Some(text.as_str().into()), ..File::default() }),
            Detail::Url(Address { url: Some(text.into()) }),
        ];
        alert.evidence = details.into_iter().map(evidence).collect();
        alert
    };
    let mut incident = incident(text);
    incident.determination = Some(text.into());
    incident.assigned_to = Some(text.into());
    incident.tags = vec![text.into(); 9];
    let mut answer = answer(Kind::Incident, (0..30).map(alert).collect(), Some(incident));
    let note = |n: usize| Warning { code: WarningCode::Partial, detail: format!("{n}{text}") };
    answer.warnings = (0..9).map(note).collect();
    answer.input = text.to_owned();
    answer.resolution =
        [StepName::IncidentRedirect, StepName::Sha256ToSha1].map(|name| Step::new(name, text, text)).into();
    answer
}

fn evidence(detail: Detail) -> Evidence {
    Evidence { kind: "file".into(), detail, ..Evidence::default() }
}

fn incident(name: &str) -> Incident {
    Incident {
        id: "3107".into(),
        name: Some(name.into()),
        severity: Severity::High,
        severity_id: Severity::High.id(),
        status: IncidentStatus::InProgress,
        tags: vec!["Finance".into()],
        ..Incident::default()
    }
}

/// An incident that was found by the number of an incident that was merged twice.
pub(super) fn merged_incident() -> Answer {
    let mut answer = answer(Kind::Incident, two_alerts(), Some(incident("Break-in")));
    answer.id = "3107".to_owned();
    let merge = |from: &str, to: &str| Step::new(StepName::IncidentRedirect, from, to);
    answer.resolution = vec![merge("3098", "3102"), merge("3102", "3107")];
    answer
}
