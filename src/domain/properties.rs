//! Properties of every answer: aggregation, order, limits and summary.

use std::cmp::Reverse;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::alert::{Alert, Device};
use super::enrichment::{Answer, BackendName, CacheState, Enrichment, RenderOptions, Source};
use super::entities;
use super::evidence::{Detail, Evidence, Ip};
use super::findings::Findings;
use super::shared_str::SharedStr;
use super::subject::Kind;
use super::timestamp::Timestamp;
use super::vocabulary::{self, AlertStatus, AlertVerdict, ClosedVocabulary, ListStatus, Severity, Status, Verdict};
use super::warning::{WarningCode, Warnings};

fn word<W: ClosedVocabulary + std::fmt::Debug>() -> impl Strategy<Value = W> {
    prop::sample::select(W::ALL)
}

fn timestamp() -> impl Strategy<Value = Option<Timestamp>> {
    option::of((1_700_000_000_i64..1_700_000_050).prop_map(Timestamp::from_unix_seconds))
}

fn text(pattern: &'static str) -> impl Strategy<Value = SharedStr> {
    pattern.prop_map(SharedStr::from)
}

fn evidence() -> impl Strategy<Value = Evidence> {
    (0_u8..250).prop_map(|n| Evidence {
        kind: "ip".into(),
        detail: Detail::Ip(Ip { address: Some(format!("192.0.2.{n}").into()) }),
        ..Evidence::default()
    })
}

prop_compose! {
    fn alert()(
        id in option::weighted(0.9, text("da[0-9]{1,2}_1")),
        title in option::of(text("\\PC{0,200}|[ -~\\x00-\\x1f\u{202e}\u{2028}]{0,40}")),
        severity in word::<Severity>(),
        status in word::<AlertStatus>(),
        verdict in word::<AlertVerdict>(),
        (category, techniques) in (option::of(text("[A-C]|null")), vec(text("T[1-3]"), 0..3)),
        (first_seen, last_seen, updated_at) in (timestamp(), timestamp(), timestamp()),
        evidence in vec(evidence(), 0..40),
    ) -> Alert {
        Alert {
            id, title, severity, severity_id: severity.id(), status, verdict, techniques,
            categories: vocabulary::categories(category.iter().cloned()),
            category,
            device: Some(Device { id: None, name: Some("desk-042".into()), group: None }),
            updated_at, first_seen, last_seen, evidence_loaded: !evidence.is_empty(), evidence,
            ..Alert::default()
        }
    }
}

fn answer(kind: Kind, alerts: Vec<Alert>) -> Answer {
    Answer {
        kind,
        input: "desk-042".to_owned(),
        id: "0".repeat(40),
        url: None,
        resolution: Vec::new(),
        warnings: Vec::new(),
        findings: Arc::new(Findings::new(alerts, None, Vec::new(), Warnings::default())),
        source: Source {
            product: "a product",
            backend: BackendName::Defender,
            api: "GET /api",
            retrieved_at: Timestamp::from_unix_seconds(0),
            cache: CacheState::Miss,
            age_s: 0,
        },
    }
}

fn enrichment(answer: &Answer, limit: usize) -> Enrichment<'_> {
    answer.enrichment(&RenderOptions { limit, raw: false, warnings: Vec::new(), notified: None })
}

/// Returns the sort key of an alert; a smaller key comes earlier.
fn sort_key(alert: &Alert) -> (bool, Reverse<u8>, Reverse<Option<Timestamp>>, &str) {
    let severity = match alert.severity {
        Severity::Critical => 6,
        Severity::High => 5,
        Severity::Medium => 4,
        Severity::Low => 3,
        Severity::Informational => 2,
        Severity::Unknown => 1,
        Severity::Other => 0,
    };
    let id = alert.id.as_deref().unwrap_or_default();
    (alert.status == AlertStatus::Resolved, Reverse(severity), Reverse(alert.last_seen), id)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_cover_all_alerts_independent_of_the_limit(alerts in vec(alert(), 0..30), limit in 0_usize..40) {
        let answer = answer(Kind::Machine, alerts);
        let alerts = &answer.findings.alerts;
        let enrichment = enrichment(&answer, limit);
        let open = alerts.iter().filter(|alert| alert.status != AlertStatus::Resolved).count();
        prop_assert_eq!((enrichment.counts.alerts, enrichment.counts.open), (alerts.len(), open));
        prop_assert_eq!(enrichment.counts.resolved, alerts.len() - open);
        for severity in Severity::ALL {
            let times = alerts.iter().filter(|alert| alert.severity == *severity).count();
            prop_assert_eq!(enrichment.counts.by_severity.count(*severity), times);
        }
        for verdict in AlertVerdict::ALL {
            let times = alerts.iter().filter(|alert| alert.verdict == *verdict).count();
            prop_assert_eq!(enrichment.counts.by_verdict.count(*verdict), times);
        }
        prop_assert_eq!(enrichment.alerts.len(), limit.min(alerts.len()));
        prop_assert_eq!(enrichment.found, !alerts.is_empty());
        let status = if alerts.is_empty() { ListStatus::None } else if open > 0 { ListStatus::Open } else { ListStatus::Resolved };
        prop_assert_eq!(enrichment.status, Status::List(status));
    }

    #[test]
    fn alerts_are_sorted_and_a_limit_keeps_the_first(alerts in vec(alert(), 0..30), limit in 0_usize..40) {
        let answer = answer(Kind::Machine, alerts);
        let all = enrichment(&answer, usize::MAX);
        prop_assert!(all.alerts.windows(2).all(|pair| sort_key(pair[0]) <= sort_key(pair[1])));
        let fewer = enrichment(&answer, limit);
        prop_assert!(fewer.alerts.iter().zip(&all.alerts).all(|(one, other)| std::ptr::eq(*one, *other)));
    }

    #[test]
    fn the_severity_is_the_highest_of_all_alerts(alerts in vec(alert(), 0..30)) {
        let answer = answer(Kind::Machine, alerts);
        let alerts = &answer.findings.alerts;
        let enrichment = enrichment(&answer, 50);
        prop_assert_eq!(enrichment.severity.id(), enrichment.severity_id);
        prop_assert_eq!(enrichment.severity_open.map(Severity::id), enrichment.severity_open_id);
        if alerts.is_empty() {
            prop_assert_eq!((enrichment.severity, enrichment.severity_open), (Severity::Unknown, None));
        } else {
            prop_assert!(alerts.iter().any(|alert| alert.severity == enrichment.severity));
        }
        prop_assert!(alerts.iter().all(|alert| alert.severity.rank() <= enrichment.severity.rank() || alerts.is_empty()));
        let open = alerts.iter().filter(|alert| alert.status.is_open()).map(|alert| alert.severity.rank()).max();
        prop_assert_eq!(enrichment.severity_open.map(Severity::rank), open);
    }

    #[test]
    fn the_verdict_is_an_attack_if_one_was_and_common_if_all_agree(alerts in vec(alert(), 0..6)) {
        let answer = answer(Kind::Machine, alerts);
        let verdicts: Vec<_> = answer.findings.alerts.iter().map(|alert| alert.verdict).collect();
        let has = |verdict| verdicts.contains(&verdict);
        let all_agree = verdicts.iter().all(|verdict| Some(verdict) == verdicts.first());
        let right = match verdicts.first() {
            None => Verdict::None,
            Some(_) if has(AlertVerdict::TruePositive) => Verdict::TruePositive,
            Some(first) if all_agree => Verdict::from(*first),
            Some(_) if has(AlertVerdict::Undetermined) => Verdict::Undetermined,
            Some(_) => Verdict::Mixed,
        };
        prop_assert_eq!(enrichment(&answer, 50).verdict, right);
    }

    #[test]
    fn times_span_all_alerts(alerts in vec(alert(), 0..30)) {
        let answer = answer(Kind::Machine, alerts);
        let enrichment = enrichment(&answer, 1);
        for alert in &answer.findings.alerts {
            prop_assert!(alert.first_seen.is_none_or(|at| enrichment.first_seen.is_some_and(|first| first <= at)));
            prop_assert!(alert.last_seen.is_none_or(|at| enrichment.last_seen.is_some_and(|last| last >= at)));
            prop_assert!(alert.updated_at.is_none_or(|at| enrichment.updated_at.is_some_and(|last| last >= at)));
        }
    }

    #[test]
    fn entities_are_distinct_and_a_capped_list_has_a_warning(alerts in vec(alert(), 0..12)) {
        let answer = answer(Kind::Machine, alerts);
        let enrichment = enrichment(&answer, usize::MAX);
        let mut all: Vec<_> = answer.findings.alerts.iter().flat_map(|alert| &alert.evidence).map(|item| format!("{:?}", item.detail)).collect();
        all.sort();
        all.dedup();
        let mut listed: Vec<_> = enrichment.entities.ips.iter().map(|ip| ip.address).collect();
        prop_assert_eq!(listed.len(), all.len().min(entities::MAX_ENTITIES));
        listed.sort_unstable();
        listed.dedup();
        prop_assert_eq!(listed.len(), enrichment.entities.ips.len());
        let is_warned = enrichment.warnings.iter().any(|warning| warning.code == WarningCode::EntitiesCapped);
        prop_assert_eq!(is_warned, all.len() > entities::MAX_ENTITIES);
        prop_assert_eq!(enrichment.truncated, is_warned);
    }

    #[test]
    fn the_summary_fits_a_title(alerts in vec(alert(), 0..4), kind in prop::sample::select(&Kind::ALL[..]), input in "\\PC{0,300}|[\\x00-\\x7f]{0,40}") {
        let mut answer = answer(kind, alerts);
        answer.input.clone_from(&input);
        answer.id = input;
        let summary = enrichment(&answer, 50).summary;
        prop_assert!(!summary.trim().is_empty());
        prop_assert!(summary.chars().count() <= 160, "{} characters", summary.chars().count());
        prop_assert!(!summary.chars().any(|c| c.is_control() || c == '\u{2028}' || c == '\u{202e}'), "{summary:?}");
    }

    #[test]
    fn equal_alerts_are_merged_and_different_ones_of_one_id_have_a_warning(alerts in vec(alert(), 0..12)) {
        let twice: Vec<_> = alerts.iter().flat_map(|alert| [alert.clone(), alert.clone()]).collect();
        let deduplicated = Findings::new(alerts, None, Vec::new(), Warnings::default());
        let doubled = Findings::new(twice, None, Vec::new(), Warnings::default());
        let without_id = deduplicated.alerts.iter().filter(|alert| alert.id.is_none()).count();
        prop_assert_eq!(doubled.alerts.len(), deduplicated.alerts.len() + without_id);
        let mut ids: Vec<_> = deduplicated.alerts.iter().filter_map(|alert| alert.id.as_deref()).collect();
        let named = ids.len();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(deduplicated.warnings.is_empty(), ids.len() == named);
    }
}
