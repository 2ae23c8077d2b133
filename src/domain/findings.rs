//! What one lookup brought back, before anybody asks how it is to be shown.

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
    /// The alerts, as they came.
    pub alerts: Vec<Alert>,
    /// The incident, where one was asked for and is known.
    pub incident: Option<Incident>,
    /// Whether Defender knows the subject, as far as it tells.
    pub known: bool,
    /// The upstream bodies, verbatim; several where a list came in pages. They are parts of what the alerts' texts are
    /// parts of: to keep them costs nothing.
    pub bodies: Vec<SharedStr>,
    bodies_of: BodiesOf,
    /// What came up while reading them.
    pub warnings: Vec<Warning>,
    /// They are about what was asked for: only then they may be shown to the next who asks.
    pub matches_subject: bool,
    /// Nothing is missing that could come another time: only then they may be remembered.
    pub is_complete: bool,
    /// How many bytes of bodies their texts are parts of, and those of texts that had to be copied.
    held: usize,
}

/// What each upstream body is of.
#[derive(Clone, Copy, Debug)]
enum BodiesOf {
    /// An answer, or a page of it.
    Answers,
    /// An alert of a list.
    Alerts,
}

impl Findings {
    /// The findings of a body, with alerts that came twice told apart.
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

    /// The findings of a list that was put together from a body for each alert, and from others of so many bytes.
    pub fn of_alerts(alerts: Vec<Alert>, bodies: Vec<SharedStr>, others: usize, warnings: Warnings) -> Self {
        let findings = Self::new(alerts, None, bodies, warnings);
        Self { bodies_of: BodiesOf::Alerts, held: findings.held + others, ..findings }
    }

    /// The upstream bodies, to be shown.
    pub fn raw(&self) -> Raw<'_> {
        match self.bodies_of {
            BodiesOf::Answers => Raw::new(&self.bodies),
            BodiesOf::Alerts => Raw::of_alerts(&self.bodies),
        }
    }

    /// What Defender answers about something that it does not know.
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

    /// The same findings, marked if Defender speaks of another subject than was asked for.
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

    /// The same findings, marked if a part of them did not come.
    #[must_use]
    pub fn complete_if(mut self, is_complete: bool) -> Self {
        self.is_complete &= is_complete;
        self
    }

    /// At least one alert, or the incident, came back.
    pub fn found(&self) -> bool {
        !self.alerts.is_empty() || self.incident.is_some()
    }

    /// Roughly what they occupy, in bytes.
    pub fn weight(&self) -> usize {
        let alerts: usize = self.alerts.iter().map(Alert::weight).sum();
        let incident = self.incident.as_ref().map_or(0, Incident::weight);
        let warnings: usize = self.warnings.iter().map(|warning| size_of::<Warning>() + warning.detail.len()).sum();
        size_of::<Self>() + alerts + incident + self.held + warnings
    }
}

/// The same alert twice is one alert; two different ones under one id are both kept, and told.
fn distinct(alerts: Vec<Alert>, warnings: &mut Warnings) -> Vec<Alert> {
    let mut ids = HashSet::with_capacity(alerts.len());
    if alerts.iter().filter_map(|alert| alert.id.as_deref()).all(|id| ids.insert(id)) {
        return alerts;
    }
    let hasher = RandomState::new();
    let mut seen: HashMap<SharedStr, Twins> = HashMap::with_capacity(alerts.len());
    let mut kept: Vec<Alert> = Vec::with_capacity(alerts.len());
    for alert in alerts {
        if let Some(id) = &alert.id {
            let twins = seen.entry(id.clone()).or_default();
            if twins.hold(&alert, &kept, &hasher) {
                continue;
            }
            if twins.count > 1 {
                let detail = format!("Defender sent different alerts under the id {id:?}; both are listed.");
                warnings.add(WarningCode::DuplicateAlertId, detail);
            }
        }
        kept.push(alert);
    }
    kept
}

/// The different alerts of one id, by a hash of all that they hold: only those of one hash are compared.
#[derive(Default)]
struct Twins {
    /// The place of the first, which is hashed when there is a second.
    first: Option<usize>,
    by_hash: HashMap<u64, Vec<usize>>,
    count: usize,
    #[cfg(test)]
    compared: usize,
}

impl Twins {
    /// Whether an equal alert is among them; if not, this one is, as the next that is kept.
    fn hold(&mut self, alert: &Alert, kept: &[Alert], hasher: &RandomState) -> bool {
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
        let places = self.by_hash.entry(hash(alert, hasher)).or_default();
        #[cfg(test)]
        {
            self.compared += places.len();
        }
        let is_known = places.iter().any(|place| kept.get(*place) == Some(alert));
        if !is_known {
            places.push(kept.len());
            self.count += 1;
        }
        is_known
    }
}

/// A hash of what an alert is written as, and of what is not written.
fn hash(alert: &Alert, hasher: &RandomState) -> u64 {
    struct Hashing<H>(H);

    impl<H: Hasher> io::Write for Hashing<H> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut hashing = Hashing(hasher.build_hasher());
    // Equal alerts are written the same, and all of an alert can be written.
    let _ = serde_json::to_writer(&mut hashing, alert);
    (&alert.further_devices, &alert.unfamiliar).hash(&mut hashing.0);
    hashing.0.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::{Comment, LoggedOnUser};
    use crate::domain::evidence::{Evidence, Named};
    use crate::domain::vocabulary::{Severity, UnknownWords};

    #[test]
    fn different_alerts_of_one_id_are_not_compared_in_pairs() {
        let alert = |n: usize| {
            let severity = Some(format!("word {n}").into());
            let unfamiliar = UnknownWords { severity, status: None };
            Alert { id: Some("da1_1".into()), severity: Severity::Other, unfamiliar, ..Alert::default() }
        };
        let hasher = RandomState::new();
        let (mut twins, mut kept) = (Twins::default(), Vec::new());
        for alert in (0..1000).chain(0..1000).map(alert) {
            if !twins.hold(&alert, &kept, &hasher) {
                kept.push(alert);
            }
        }
        assert_eq!((kept.len(), twins.count), (1000, 1000));
        assert!(twins.compared <= 1010, "{} comparisons", twins.compared);
    }

    fn weight(alert: Alert, bodies: Vec<SharedStr>) -> usize {
        Findings::new(vec![alert], None, bodies, Warnings::default()).weight()
    }

    #[test]
    fn all_that_is_held_has_its_weight() {
        let empty = weight(Alert::default(), Vec::new());
        let comments = Alert { comments: vec![Comment::default(); 1000], ..Alert::default() };
        let users = Alert { logged_on_users: vec![LoggedOnUser::default(); 1000], ..Alert::default() };
        let tags = Alert { tags: vec![SharedStr::default(); 1000], ..Alert::default() };
        for (alert, least) in
            [(comments, size_of::<Comment>()), (users, size_of::<LoggedOnUser>()), (tags, size_of::<SharedStr>())]
        {
            assert_eq!(weight(alert, Vec::new()), empty + 1000 * least);
        }
        assert_eq!(weight(Alert::default(), vec![SharedStr::from("x".repeat(1000))]), empty + 1000);
        let copied = SharedStr::from(format!(r#"{{"a":"{}","b":"C:\\Windows"}}"#, "x".repeat(1000)));
        assert_eq!(weight(Alert::default(), vec![copied.clone()]), empty + copied.len() + r"C:\\Windows".len());
        let named = Named { urls: vec![SharedStr::default(); 1000], ..Named::default() };
        let evidence = Evidence { named: Some(Box::new(named)), ..Evidence::default() };
        let evidence = Alert { evidence: vec![evidence], ..Alert::default() };
        assert!(weight(evidence, Vec::new()) >= empty + 1000 * size_of::<SharedStr>());
        let incident = Incident { comments: vec![Comment::default(); 1000], ..Incident::default() };
        let incident = Findings::new(Vec::new(), Some(incident), Vec::new(), Warnings::default());
        assert!(incident.weight() >= 1000 * size_of::<Comment>());
        let hunted = Findings::of_alerts(vec![Alert::default()], Vec::new(), 1000, Warnings::default());
        assert_eq!(hunted.weight(), empty + 1000);
    }
}
