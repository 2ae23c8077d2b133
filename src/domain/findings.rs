//! The result of one lookup, before it is rendered.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash as _, Hasher, RandomState};
use std::io;

use super::alert::Alert;
use super::incident::Incident;
use super::raw::Raw;
use super::shared_str::SharedStr;
use super::subject::{Kind, comparable_id};
use super::warning::{Warning, WarningCode, Warnings, quoted};

/// What a backend found for one subject.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The alerts, in the order in which they came.
    pub alerts: Vec<Alert>,
    /// The incident, where one was asked for and is known.
    pub incident: Option<Incident>,
    /// Whether Defender knows the subject, as far as the API shows it.
    pub known: bool,
    /// The upstream bodies, verbatim; several if a list came in pages. They share memory with the texts of the alerts, so
    /// keeping them costs nothing.
    pub bodies: Vec<SharedStr>,
    bodies_of: BodiesOf,
    /// The warnings from reading them.
    pub warnings: Vec<Warning>,
    /// Whether they are about the requested subject. Only then they may be returned to another request.
    pub matches_subject: bool,
    /// Whether nothing is missing that a later call could return. Only then they may be cached.
    pub is_complete: bool,
    /// The bytes of the bodies that the texts are parts of, and of texts that were copied.
    held: usize,
}

/// What each upstream body contains.
#[derive(Clone, Copy, Debug)]
enum BodiesOf {
    /// A response, or a page of it.
    Answers,
    /// One alert of a list.
    Alerts,
}

impl Findings {
    /// Creates findings. Alerts that occur twice are merged.
    pub fn new(alerts: Vec<Alert>, incident: Option<Incident>, bodies: Vec<SharedStr>, mut warnings: Warnings) -> Self {
        let held = bodies.iter().map(|body| body.len() + body.in_escaped_strings()).sum();
        let alerts = distinct(alerts, &mut warnings);
        Self {
            alerts,
            incident,
            known: true,
            bodies,
            bodies_of: BodiesOf::Answers,
            warnings: warnings.into_vec(),
            matches_subject: true,
            is_complete: true,
            held,
        }
    }

    /// Creates findings with one body for each alert. `other_bytes`: the size of other bodies that they keep in memory.
    pub fn of_alerts(alerts: Vec<Alert>, bodies: Vec<SharedStr>, other_bytes: usize, warnings: Warnings) -> Self {
        let findings = Self::new(alerts, None, bodies, warnings);
        Self { bodies_of: BodiesOf::Alerts, held: findings.held + other_bytes, ..findings }
    }

    /// Returns the upstream bodies for the answer.
    pub fn raw(&self) -> Raw<'_> {
        match self.bodies_of {
            BodiesOf::Answers => Raw::new(&self.bodies),
            BodiesOf::Alerts => Raw::of_alerts(&self.bodies),
        }
    }

    /// Creates the findings for a subject that Defender does not know.
    pub fn unknown() -> Self {
        Self {
            alerts: Vec::new(),
            incident: None,
            known: false,
            bodies: Vec::new(),
            bodies_of: BodiesOf::Answers,
            warnings: Vec::new(),
            matches_subject: true,
            is_complete: true,
            held: 0,
        }
    }

    /// Returns the findings, marked with a warning if Defender returned another subject than the requested one.
    #[must_use]
    pub fn checked_against(mut self, kind: Kind, requested: &str, returned: &str) -> Self {
        if comparable_id(requested) != comparable_id(returned) {
            self.matches_subject = false;
            let detail = format!(
                "{} {requested} was asked for, and Defender answered with {:?}.",
                kind.as_str(),
                quoted(returned)
            );
            self.warnings.insert(0, Warning { code: WarningCode::AnotherSubject, detail });
        }
        self
    }

    /// Returns the findings, marked as incomplete unless `is_complete`.
    #[must_use]
    pub fn complete_if(mut self, is_complete: bool) -> Self {
        self.is_complete &= is_complete;
        self
    }

    /// Whether at least one alert, or the incident, was found.
    pub fn found(&self) -> bool {
        !self.alerts.is_empty() || self.incident.is_some()
    }

    /// Returns their approximate size in bytes.
    pub fn weight(&self) -> usize {
        let alerts: usize = self.alerts.iter().map(Alert::weight).sum();
        let incident = self.incident.as_ref().map_or(0, Incident::weight);
        let warnings: usize = self.warnings.iter().map(|warning| size_of::<Warning>() + warning.detail.len()).sum();
        size_of::<Self>() + alerts + incident + self.held + warnings
    }
}

/// Removes duplicate alerts. Different alerts with one id are all kept, with a warning.
fn distinct(alerts: Vec<Alert>, warnings: &mut Warnings) -> Vec<Alert> {
    let mut ids = HashSet::with_capacity(alerts.len());
    if alerts.iter().filter_map(|alert| alert.id.as_deref()).all(|id| ids.insert(id)) {
        return alerts;
    }
    let hasher = RandomState::new();
    let mut seen: HashMap<SharedStr, SameIdAlerts> = HashMap::with_capacity(alerts.len());
    let mut kept: Vec<Alert> = Vec::with_capacity(alerts.len());
    for alert in alerts {
        if let Some(id) = &alert.id {
            let same_id = seen.entry(id.clone()).or_default();
            if same_id.contains_or_insert(&alert, &kept, &hasher) {
                continue;
            }
            if same_id.count > 1 {
                let detail = format!("Defender sent different alerts under the id {id:?}; both are listed.");
                warnings.add(WarningCode::DuplicateAlertId, detail);
            }
        }
        kept.push(alert);
    }
    kept
}

/// The different alerts of one id, by a hash of their content. Only alerts with equal hashes are compared.
#[derive(Default)]
struct SameIdAlerts {
    /// The index of the first. It is hashed only if there is a second.
    first: Option<usize>,
    by_hash: HashMap<u64, Vec<usize>>,
    count: usize,
    #[cfg(test)]
    compared: usize,
}

impl SameIdAlerts {
    /// Whether an equal alert is known. If not, this alert is added, at the next index of `kept`.
    fn contains_or_insert(&mut self, alert: &Alert, kept: &[Alert], hasher: &RandomState) -> bool {
        let Some(first) = self.first else {
            self.first = Some(kept.len());
            self.count = 1;
            return false;
        };
        if self.by_hash.is_empty()
            && let Some(first_alert) = kept.get(first)
        {
            self.by_hash.insert(hash(first_alert, hasher), vec![first]);
        }
        let indexes = self.by_hash.entry(hash(alert, hasher)).or_default();
        #[cfg(test)]
        {
            self.compared += indexes.len();
        }
        let is_known = indexes.iter().any(|index| kept.get(*index) == Some(alert));
        if !is_known {
            indexes.push(kept.len());
            self.count += 1;
        }
        is_known
    }
}

/// Returns a hash of an alert: of its JSON, and of the members that are not in the JSON.
fn hash(alert: &Alert, hasher: &RandomState) -> u64 {
    struct HashWriter<H>(H);

    impl<H: Hasher> io::Write for HashWriter<H> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut writer = HashWriter(hasher.build_hasher());
    // Equal alerts have equal JSON, and serializing an alert cannot fail.
    let _ = serde_json::to_writer(&mut writer, alert);
    (&alert.further_devices, &alert.unknown_words).hash(&mut writer.0);
    writer.0.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::{Comment, LoggedOnUser};
    use crate::domain::evidence::{Evidence, NestedEntities};
    use crate::domain::vocabulary::{Severity, UnknownWords};

    #[test]
    fn different_alerts_of_one_id_are_not_compared_pairwise() {
        let alert = |n: usize| {
            let severity = Some(format!("word {n}").into());
            let unknown_words = UnknownWords { severity, status: None };
            Alert { id: Some("da1_1".into()), severity: Severity::Other, unknown_words, ..Alert::default() }
        };
        let hasher = RandomState::new();
        let (mut same_id, mut kept) = (SameIdAlerts::default(), Vec::new());
        for alert in (0..1000).chain(0..1000).map(alert) {
            if !same_id.contains_or_insert(&alert, &kept, &hasher) {
                kept.push(alert);
            }
        }
        assert_eq!((kept.len(), same_id.count), (1000, 1000));
        assert!(same_id.compared <= 1010, "{} comparisons", same_id.compared);
    }

    fn weight(alert: Alert, bodies: Vec<SharedStr>) -> usize {
        Findings::new(vec![alert], None, bodies, Warnings::default()).weight()
    }

    #[test]
    fn the_weight_counts_everything_in_memory() {
        let empty = weight(Alert::default(), Vec::new());
        let comments = Alert { comments: vec![Comment::default(); 1000], ..Alert::default() };
        let users = Alert { logged_on_users: vec![LoggedOnUser::default(); 1000], ..Alert::default() };
        let tags = Alert { tags: vec![SharedStr::default(); 1000], ..Alert::default() };
        for (alert, item_bytes) in
            [(comments, size_of::<Comment>()), (users, size_of::<LoggedOnUser>()), (tags, size_of::<SharedStr>())]
        {
            assert_eq!(weight(alert, Vec::new()), empty + 1000 * item_bytes);
        }
        assert_eq!(weight(Alert::default(), vec![SharedStr::from("x".repeat(1000))]), empty + 1000);
        let copied = SharedStr::from(format!(r#"{{"a":"{}","b":"C:\\Windows"}}"#, "x".repeat(1000)));
        assert_eq!(weight(Alert::default(), vec![copied.clone()]), empty + copied.len() + r"C:\\Windows".len());
        let named = NestedEntities { urls: vec![SharedStr::default(); 1000], ..NestedEntities::default() };
        let evidence = Evidence { named: Some(Box::new(named)), ..Evidence::default() };
        let evidence = Alert { evidence: vec![evidence], ..Alert::default() };
        assert!(weight(evidence, Vec::new()) >= empty + 1000 * size_of::<SharedStr>());
        let incident = Incident { comments: vec![Comment::default(); 1000], ..Incident::default() };
        let incident = Findings::new(Vec::new(), Some(incident), Vec::new(), Warnings::default());
        assert!(incident.weight() >= 1000 * size_of::<Comment>());
        let by_alert = Findings::of_alerts(vec![Alert::default()], Vec::new(), 1000, Warnings::default());
        assert_eq!(by_alert.weight(), empty + 1000);
    }
}
