//! Whatever an alert holds, its event keeps the rules of OCSF.

use std::sync::Arc;

use defender_enrich::domain::alert::{Alert, AlertAccount, Comment, Device, LoggedOnUser};
use defender_enrich::domain::enrichment::{Answer, BackendName, CacheState, RenderOptions, Source};
use defender_enrich::domain::evidence::{
    Address, Detail, Evidence, File, Ip, Mail, Mailbox, NestedEntities, Parent, Process, Registry, User,
};
use defender_enrich::domain::extra::Extra;
use defender_enrich::domain::findings::Findings;
use defender_enrich::domain::incident::Incident;
use defender_enrich::domain::shared_str::SharedStr;
use defender_enrich::domain::subject::{IncidentId, Kind};
use defender_enrich::domain::timestamp::Timestamp;
use defender_enrich::domain::vocabulary::{
    AlertStatus, AlertVerdict, ClosedVocabulary, IncidentStatus, Severity, UnknownWords,
};
use defender_enrich::domain::warning::Warnings;
use defender_enrich::formats::{Format, OutputOptions, render};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::ocsf_rules::broken;

/// What people, products and attackers write. Boxed, as everything is made of it.
fn text() -> BoxedStrategy<Option<SharedStr>> {
    let hostile = prop_oneof![
        Just(String::new()),
        Just("null".to_owned()),
        Just("Other".to_owned()),
        Just("Automation".to_owned()),
        "\\PC{1,24}",
        "[\\x00-\\x7f]{1,16}",
        "[a-z.]{1,8}@[a-z.<> ]{1,12}",
        "[a-z+]{1,6}@[a-z.]{1,4}\\.example",
        Just("192.0.2.7".to_owned()),
        "[A-C]:(\\\\[a-z]{0,4}){0,3}",
        "[0-9a-f:.]{2,20}",
        "T[0-9]{4}(\\.[0-9]{3})?",
    ];
    option::of(hostile.prop_map(SharedStr::from)).boxed()
}

fn moment() -> BoxedStrategy<Option<Timestamp>> {
    let seconds = prop_oneof![-20_000_000_000_i64..300_000_000_000, 1_700_000_000_i64..1_800_000_000];
    option::of(seconds.prop_map(Timestamp::from_unix_seconds)).boxed()
}

fn word<W: ClosedVocabulary + std::fmt::Debug>() -> impl Strategy<Value = W> {
    prop::sample::select(W::ALL)
}

fn extra() -> impl Strategy<Value = Extra> {
    let json = prop::sample::select(
        &[
            "null",
            "[]",
            "{}",
            "[null,{}]",
            r#"{"a":null,"b":[1.50,null]}"#,
            r#""x""#,
            "7",
            "false",
            r#"{"":{"a":[[]]}}"#,
        ][..],
    );
    vec(("[a-zA-Z.]{0,6}", json), 0..4).prop_map(|members| {
        let mut extra = Extra::default();
        for (at, (name, value)) in members.into_iter().enumerate() {
            extra.keep(format!("{name}{at}"), RawValue::from_string(value.to_owned()).expect("JSON"));
        }
        extra
    })
}

fn process() -> impl Strategy<Value = Detail> {
    let number = || option::of(prop_oneof![any::<i64>(), 0_i64..9999]);
    let image = || (text(), text());
    (number(), text(), moment(), image(), (text(), text()), number(), image(), moment(), option::of(user())).prop_map(
        |(pid, command_line, created_at, (name, path), (sha1, sha256), parent_pid, parent_image, began, user)| {
            let (parent_name, parent_path) = parent_image;
            let parent = Parent { pid: parent_pid, name: parent_name, path: parent_path, created_at: began };
            let user = user.map(Box::new);
            Detail::Process(Box::new(Process { pid, command_line, created_at, name, path, sha1, sha256, parent, user }))
        },
    )
}

prop_compose! {
    fn user()((name, domain, upn, sid, aad_id) in (text(), text(), text(), text(), text())) -> User {
        User { name, domain, upn, sid, aad_id }
    }
}

prop_compose! {
    fn file()((name, path, sha1, sha256, md5) in (text(), text(), text(), text(), text())) -> File {
        File { name, path, sha1, sha256, md5 }
    }
}

prop_compose! {
    fn mail()(
        (sender, recipient, subject, delivery_action) in (text(), text(), text(), text()),
        (envelope_sender, sender_ip, message_id, network_message_id) in (text(), text(), text(), text()),
        received_at in moment(),
    ) -> Mail {
        Mail {
            sender, recipient, subject, delivery_action, envelope_sender, sender_ip, message_id, network_message_id,
            received_at,
        }
    }
}

prop_compose! {
    fn nested()(
        devices in vec(device(), 0..2),
        (users, files, mails) in (vec(user(), 0..2), vec(file(), 0..2), vec(mail(), 0..2)),
        (source, destination, domain) in (text(), text(), text()),
        (ips, urls) in (vec(text().prop_map(Option::unwrap_or_default), 0..2), vec(text().prop_map(Option::unwrap_or_default), 0..2)),
    ) -> NestedEntities {
        NestedEntities {
            devices, users, files, mails, source, destination, ips, urls, domains: domain.into_iter().collect(),
            ..NestedEntities::default()
        }
    }
}

fn detail() -> impl Strategy<Value = Detail> {
    let five = || (text(), text(), text(), text(), text());
    prop_oneof![
        process(),
        file().prop_map(Detail::File),
        user().prop_map(Detail::User),
        text().prop_map(|address| Detail::Ip(Ip { address })),
        text().prop_map(|url| Detail::Url(Address { url })),
        five().prop_map(|(hive, key, value_name, value, value_type)| {
            Detail::Registry(Registry { hive, key, value_name, value, value_type })
        }),
        (text(), text(), option::of(user())).prop_map(|(address, display_name, user)| {
            Detail::Mailbox(Mailbox { address, display_name, user: user.map(Box::new) })
        }),
        mail().prop_map(|mail| Detail::Mail(Box::new(mail))),
        Just(Detail::Other {}),
    ]
}

prop_compose! {
    fn evidence()(
        kind in "[a-z_]{1,8}".prop_map(SharedStr::from),
        role in option::of(prop::sample::select(&["destination", "source", ""][..])),
        (verdict, remediation_status) in (text(), text()),
        detection_status in option::of(prop::sample::select(&["detected", "blocked", "prevented", "odd", ""][..])),
        observed_at in moment(),
        detail in detail(),
        (extra, nested) in (extra(), option::of(nested().prop_map(Box::new))),
    ) -> Evidence {
        // Entities within an item stand in its other members.
        let mut extra = extra;
        if let Some(nested) = &nested {
            extra.keep("within", to_raw_value(nested).expect("JSON"));
        }
        let owned = |word: Option<&str>| word.map(SharedStr::from);
        Evidence {
            kind, role: owned(role), verdict, remediation_status, detection_status: owned(detection_status),
            observed_at, detail, extra, nested,
        }
    }
}

prop_compose! {
    fn device()(id in text(), name in text(), group in text()) -> Device {
        Device { id, name, group }
    }
}

prop_compose! {
    fn comment()(text in text(), author in text(), created_at in moment()) -> Comment {
        Comment { text, author, created_at }
    }
}

prop_compose! {
    fn alert()(
        (id, title, description, category) in (text(), text(), text(), text()),
        (severity, status, verdict) in (word::<Severity>(), word::<AlertStatus>(), word::<AlertVerdict>()),
        (classification, determination, assigned_to, url) in (text(), text(), text(), text()),
        techniques in vec(text().prop_map(Option::unwrap_or_default), 0..4),
        (threat_name, threat_family, detection_source, service_source, detector_id) in (text(), text(), text(), text(), text()),
        (incident_id, tenant_id, investigation_id, investigation_state) in (text(), text(), text(), text()),
        (device, further_devices) in (option::of(device()), vec(device(), 0..3)),
        (user, logged_on) in (option::of((text(), text())), vec((text(), text()), 0..3)),
        (created_at, updated_at, first_seen, last_seen, resolved_at) in (moment(), moment(), moment(), moment(), moment()),
        comments in vec(comment(), 0..3),
        (product_name, actor, recommended_actions) in (text(), text(), text()),
        (categories, tags) in (vec(text().prop_map(Option::unwrap_or_default), 0..3), vec(text().prop_map(Option::unwrap_or_default), 0..3)),
        custom_details in option::of(extra()),
        (evidence, extra) in (vec(evidence().boxed(), 0..6), extra()),
        (severity_word, status_word) in (text(), text()),
    ) -> Alert {
        Alert {
            id, title, description, severity, severity_id: severity.id(), status, verdict, classification, determination,
            category, categories, product_name, actor, recommended_actions, custom_details, tags,
            techniques, threat_name, threat_family, detection_source, service_source, detector_id,
            investigation_id, investigation_state, assigned_to, incident_id, tenant_id, device, further_devices,
            user: user.map(|(domain, name)| AlertAccount { domain, name: name.unwrap_or_default() }),
            logged_on_users: logged_on.into_iter().map(|(name, domain)| LoggedOnUser { name, domain }).collect(),
            created_at, updated_at, first_seen, last_seen, resolved_at, comments,
            evidence_loaded: !evidence.is_empty(), evidence, url, extra,
            unknown_words: UnknownWords { severity: severity_word, status: status_word },
        }
    }
}

prop_compose! {
    fn incident()(
        (name, description, summary, resolving_comment, tenant_id) in (text(), text(), text(), text(), text()),
        priority_score in option::of(0_i64..101),
        (severity, status) in (word::<Severity>(), word::<IncidentStatus>()),
        (classification, determination, assigned_to, url) in (text(), text(), text(), text()),
        (created_at, updated_at) in (moment(), moment()),
        tags in vec(text().prop_map(Option::unwrap_or_default), 0..3),
        comments in vec(comment(), 0..3),
        extra in extra(),
        (severity_word, status_word) in (text(), text()),
        target in option::of(1_u64..99),
    ) -> Incident {
        Incident {
            id: "77".into(), name, description, summary, resolving_comment, tenant_id, priority_score, severity, severity_id: severity.id(), status, classification, determination,
            assigned_to, created_at, updated_at, redirected_from: Vec::new(), tags, comments, url, extra,
            unknown_words: UnknownWords { severity: severity_word, status: status_word },
            merged_into: target.and_then(IncidentId::new),
        }
    }
}

/// What a lookup of this kind answers, as lines.
fn events(kind: Kind, alerts: Vec<Alert>, incident: Option<Incident>, limit: usize) -> Vec<Value> {
    let answer = Answer {
        kind,
        input: "desk-042".to_owned(),
        id: "da1_1".to_owned(),
        url: None,
        resolution: Vec::new(),
        warnings: Vec::new(),
        findings: Arc::new(Findings::new(alerts, incident, Vec::new(), Warnings::default())),
        source: Source {
            product: "a product",
            backend: BackendName::Defender,
            api: "GET /api",
            retrieved_at: Timestamp::from_unix_seconds(1_793_693_742),
            cache: CacheState::Miss,
            age_s: 0,
        },
    };
    let showing = RenderOptions { limit, raw: false, warnings: Vec::new(), notified: None };
    let body = render(&answer, &showing, OutputOptions::of(Format::OcsfNdjson), usize::MAX);
    let text = String::from_utf8(body).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_an_alert_holds_its_event_keeps_the_rules(alerts in vec(alert().boxed(), 1..4)) {
        let count = Findings::new(alerts.clone(), None, Vec::new(), Warnings::default()).alerts.len();
        let events = events(Kind::Machine, alerts, None, 50);
        prop_assert_eq!(events.len(), count);
        for event in events {
            prop_assert_eq!(broken(&event), Vec::<String>::new(), "{:#}", event);
        }
    }

    #[test]
    fn whatever_an_incident_holds_its_event_keeps_the_rules(incident in incident().boxed(), alerts in vec(alert().boxed(), 0..4)) {
        let events = events(Kind::Incident, alerts, Some(incident), 50);
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(broken(&events[0]), Vec::<String>::new(), "{:#}", events[0]);
    }

    #[test]
    fn an_alert_that_is_too_large_is_told_in_outline(alert in alert().boxed()) {
        let events = events(Kind::Alert, vec![alert], None, 0);
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(broken(&events[0]), Vec::<String>::new(), "{:#}", events[0]);
        prop_assert_eq!(&events[0]["metadata"]["is_truncated"], &Value::Bool(true));
    }
}
