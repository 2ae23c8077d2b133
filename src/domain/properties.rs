//! Properties of every answer: aggregation, order, limits and summary.

use std::cmp::Reverse;
use std::collections::HashSet;
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
use super::vocabulary::{self, AlertStatus, AlertVerdict, ClosedVocabulary, Severity, Verdict};
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
        context: None,
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
    answer.enrichment(&RenderOptions { limit, ..RenderOptions::default() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_cover_all_alerts_independent_of_the_limit(alerts in vec(alert(), 0..30), limit in 0_usize..40) {
        let answer = answer(Kind::Machine, alerts);
        let (alerts, enrichment) = (&answer.findings.alerts, enrichment(&answer, limit));
        let counts = &enrichment.counts;
        prop_assert_eq!((counts.alerts, counts.open + counts.resolved), (alerts.len(), alerts.len()));
        prop_assert_eq!(counts.resolved, counts.by_status.count(AlertStatus::Resolved));
        let sum = |counts: Vec<usize>| counts.into_iter().sum::<usize>();
        prop_assert_eq!(sum(Severity::ALL.iter().map(|word| counts.by_severity.count(*word)).collect()), alerts.len());
        prop_assert_eq!(sum(AlertVerdict::ALL.iter().map(|word| counts.by_verdict.count(*word)).collect()), alerts.len());
        prop_assert_eq!((enrichment.alerts.len(), enrichment.found), (limit.min(alerts.len()), !alerts.is_empty()));
        let status = if alerts.is_empty() { "none" } else if counts.open > 0 { "open" } else { "resolved" };
        prop_assert_eq!(enrichment.status.as_str(), status);
    }

    #[test]
    fn alerts_are_sorted_and_a_limit_keeps_the_first(alerts in vec(alert(), 0..30), limit in 0_usize..40) {
        let answer = answer(Kind::Machine, alerts);
        let all = enrichment(&answer, usize::MAX).alerts;
        let key = |alert: &Alert| (!alert.status.is_open(), Reverse(alert.severity.rank()), Reverse(alert.last_seen));
        prop_assert!(all.is_sorted_by_key(|alert| (key(alert), alert.id.as_deref().unwrap_or_default())));
        let limited = enrichment(&answer, limit).alerts;
        prop_assert_eq!(&limited[..], &all[..limit.min(all.len())]);
    }

    #[test]
    fn a_further_alert_never_lowers_the_severity_nor_narrows_the_times(mut alerts in vec(alert(), 0..8), further in alert()) {
        let before = answer(Kind::Machine, alerts.clone());
        alerts.push(further);
        let after = answer(Kind::Machine, alerts);
        let (before, after) = (enrichment(&before, 50), enrichment(&after, 1));
        prop_assert!(before.severity.rank() <= after.severity.rank() || before.counts.alerts == 0);
        prop_assert!(before.severity_open.map(Severity::rank) <= after.severity_open.map(Severity::rank));
        prop_assert_eq!(after.severity_open.map(Severity::id), after.severity_open_id);
        prop_assert!(before.first_seen.is_none_or(|at| after.first_seen.is_some_and(|first| first <= at)));
        prop_assert!(before.last_seen <= after.last_seen && before.updated_at <= after.updated_at);
    }

    #[test]
    fn the_verdict_is_an_attack_if_one_was_and_common_if_all_agree(mut alerts in vec(alert(), 0..6), verdict in word::<AlertVerdict>()) {
        let attack = Alert { verdict: AlertVerdict::TruePositive, ..Alert::default() };
        let with_attack = answer(Kind::Machine, [&alerts[..], &[attack]].concat());
        prop_assert_eq!(enrichment(&with_attack, 50).verdict, Verdict::TruePositive);
        for alert in &mut alerts {
            alert.verdict = verdict;
        }
        let common = if alerts.is_empty() { Verdict::None } else { verdict.into() };
        prop_assert_eq!(enrichment(&answer(Kind::Machine, alerts), 50).verdict, common);
    }

    #[test]
    fn entities_are_distinct_and_a_capped_list_has_a_warning(alerts in vec(alert(), 0..12)) {
        let answer = answer(Kind::Machine, alerts);
        let enrichment = enrichment(&answer, usize::MAX);
        let evidence = answer.findings.alerts.iter().flat_map(|alert| &alert.evidence);
        let all: HashSet<_> = evidence.map(|item| format!("{:?}", item.detail)).collect();
        let listed: HashSet<_> = enrichment.entities.ips.iter().collect();
        prop_assert_eq!(listed.len(), enrichment.entities.ips.len());
        prop_assert_eq!(listed.len(), all.len().min(entities::MAX_ENTITIES));
        let is_warned = enrichment.warnings.iter().any(|warning| warning.code == WarningCode::EntitiesCapped);
        prop_assert_eq!((is_warned, enrichment.truncated), (all.len() > entities::MAX_ENTITIES, is_warned));
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
        let findings = |alerts| Findings::new(alerts, None, Vec::new(), Warnings::default());
        let (once, twice) = (findings(alerts.clone()), findings([alerts.clone(), alerts].concat()));
        let ids: Vec<_> = once.alerts.iter().filter_map(|alert| alert.id.as_deref()).collect();
        prop_assert_eq!(twice.alerts.len(), once.alerts.len() + (once.alerts.len() - ids.len()));
        let distinct: HashSet<_> = ids.iter().collect();
        prop_assert_eq!(once.warnings.is_empty(), distinct.len() == ids.len());
    }
}
