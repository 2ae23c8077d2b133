//! The result of one lookup, before it is rendered.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash as _, Hasher, RandomState};
use std::io;

use super::alert::Alert;
use super::incident::Incident;
use super::raw::{BodyContent, Raw};
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
    body_content: BodyContent,
    /// The warnings from reading them.
    pub warnings: Vec<Warning>,
    /// Whether they are about the requested subject. Only then they may be returned to another request.
    pub matches_subject: bool,
    /// Whether nothing is missing that a later call could return. Only then they may be cached.
    pub is_complete: bool,
    /// The bytes of the bodies that the texts are parts of, and of texts that were copied.
    body_bytes: usize,
}

impl Findings {
    /// Creates findings. Alerts that occur twice are merged.
    pub fn new(alerts: Vec<Alert>, incident: Option<Incident>, bodies: Vec<SharedStr>, mut warnings: Warnings) -> Self {
        let body_bytes = bodies.iter().map(|body| body.len() + body.in_escaped_strings()).sum();
        let alerts = distinct(alerts, &mut warnings);
        Self {
            alerts,
            incident,
            known: true,
            bodies,
            body_content: BodyContent::Response,
            warnings: warnings.into_vec(),
            matches_subject: true,
            is_complete: true,
            body_bytes,
        }
    }

    /// Creates findings with one body for each alert. `other_bytes`: the size of other bodies that they keep in memory.
    pub fn of_alerts(alerts: Vec<Alert>, bodies: Vec<SharedStr>, other_bytes: usize, warnings: Warnings) -> Self {
        let findings = Self::new(alerts, None, bodies, warnings);
        Self { body_content: BodyContent::Alert, body_bytes: findings.body_bytes + other_bytes, ..findings }
    }

    /// Returns the upstream bodies for the answer.
    pub fn raw(&self) -> Raw<'_> {
        Raw { bodies: &self.bodies, content: self.body_content }
    }

    /// Creates the findings for a subject that Defender does not know.
    pub fn unknown() -> Self {
        Self { known: false, ..Self::new(Vec::new(), None, Vec::new(), Warnings::default()) }
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
        size_of::<Self>() + alerts + incident + self.body_bytes + warnings
    }
}

/// Removes duplicate alerts. Different alerts with one id are all kept, with a warning.
fn distinct(alerts: Vec<Alert>, warnings: &mut Warnings) -> Vec<Alert> {
    let mut ids = HashSet::with_capacity(alerts.len());
    if alerts.iter().filter_map(|alert| alert.id.as_deref()).all(|id| ids.insert(id)) {
        return alerts;
    }
    // A hostile list has thousands of different alerts with one id: only those with equal hashes are compared.
    let hasher = RandomState::new();
    let mut indexes: HashMap<SharedStr, HashMap<u64, Vec<usize>>> = HashMap::new();
    let mut kept: Vec<Alert> = Vec::with_capacity(alerts.len());
    for alert in alerts {
        if let Some(id) = &alert.id {
            let same_id = indexes.entry(id.clone()).or_default();
            let is_first = same_id.is_empty();
            let same_hash = same_id.entry(hash(&alert, &hasher)).or_default();
            if same_hash.iter().any(|index| kept.get(*index) == Some(&alert)) {
                continue;
            }
            same_hash.push(kept.len());
            if !is_first {
                let detail = format!("Defender sent different alerts under the id {id:?}; both are listed.");
                warnings.add(WarningCode::DuplicateAlertId, detail);
            }
        }
        kept.push(alert);
    }
    kept
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
    use crate::domain::alert::{Comment, Device, LoggedOnUser};
    use crate::domain::evidence::{Evidence, NestedEntities};
    use crate::domain::vocabulary::UnknownWords;

    #[test]
    fn alerts_with_different_members_have_different_hashes() {
        let different = [
            Alert::default(),
            Alert { title: Some("a".into()), ..Alert::default() },
            Alert { further_devices: vec![Device::default()], ..Alert::default() },
            Alert { unknown_words: UnknownWords { severity: Some("a".into()), status: None }, ..Alert::default() },
        ];
        let hasher = RandomState::new();
        let distinct: HashSet<_> = different.iter().map(|alert| hash(alert, &hasher)).collect();
        assert_eq!(distinct.len(), different.len());
    }

    #[test]
    fn the_weight_counts_everything_in_memory() {
        let weight = |alert, bodies| Findings::new(vec![alert], None, bodies, Warnings::default()).weight();
        let empty = weight(Alert::default(), Vec::new());
        let url = SharedStr::default();
        let nested = NestedEntities { urls: vec![url.clone(); 1000], ..NestedEntities::default() };
        let evidence = Evidence { nested: Some(Box::new(nested)), ..Evidence::default() };
        for (alert, bytes) in [
            (Alert { comments: vec![Comment::default(); 1000], ..Alert::default() }, 1000 * size_of::<Comment>()),
            (
                Alert { logged_on_users: vec![LoggedOnUser::default(); 1000], ..Alert::default() },
                1000 * size_of::<LoggedOnUser>(),
            ),
            (Alert { tags: vec![url; 1000], ..Alert::default() }, 1000 * size_of::<SharedStr>()),
            (Alert { evidence: vec![evidence], ..Alert::default() }, 1000 * size_of::<SharedStr>()),
        ] {
            assert!(weight(alert, Vec::new()) >= empty + bytes);
        }
        let incident = Incident { comments: vec![Comment::default(); 1000], ..Incident::default() };
        let incident = Findings::new(Vec::new(), Some(incident), Vec::new(), Warnings::default());
        assert!(incident.weight() >= 1000 * size_of::<Comment>());
        // Strings with escapes are copied out of the body.
        let body = SharedStr::from(format!(r#"{{"a":"{}","b":"C:\\Windows"}}"#, "x".repeat(1000)));
        assert_eq!(weight(Alert::default(), vec![body.clone()]), empty + body.len() + r"C:\\Windows".len());
        let by_alert = Findings::of_alerts(vec![Alert::default()], Vec::new(), 1000, Warnings::default());
        assert_eq!(by_alert.weight(), empty + 1000);
    }
}
