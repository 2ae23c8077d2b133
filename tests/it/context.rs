//! What Defender says of the subject itself: what it costs, when it is remembered, and that it never fails an answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::warnings;
use crate::harness::{
    ADDRESS, DEFENDER_AUDIENCE, DESK_042, DOMAIN, FILE, FILE_SHA1, Fault, INCIDENT, MACHINE, NO_CACHE, QUIET_MACHINE,
    Route, Times, USER, World, advance_wall_clock, fast_forward, new_sandbox,
};

/// A subject with a context in the older API.
struct Subject {
    field: &'static str,
    value: &'static str,
    routes: &'static [Route],
    permission: &'static str,
}

const SUBJECTS: [Subject; 4] = [
    Subject { field: "machine", value: DESK_042, routes: &[Route::Machine], permission: "Machine.Read.All" },
    Subject {
        field: "file_hash",
        value: FILE_SHA1,
        routes: &[Route::File, Route::FileStats],
        permission: "File.Read.All",
    },
    Subject { field: "ip", value: ADDRESS, routes: &[Route::IpStats], permission: "Ip.Read.All" },
    Subject { field: "domain", value: DOMAIN, routes: &[Route::DomainStats], permission: "URL.Read.All" },
];

impl Subject {
    fn request(&self) -> Value {
        json!({self.field: self.value, "include": "context"})
    }
}

/// The routes of Microsoft's APIs that answered a request, in order of their names.
fn routes(world: &World) -> Vec<String> {
    let is_api = |route: &Route| !matches!(route, Route::Secret | Route::Token);
    let seen = world.sandbox.seen();
    let mut routes: Vec<_> =
        seen.iter().filter_map(|seen| seen.route).filter(is_api).map(|route| format!("{route:?}")).collect();
    routes.sort();
    routes
}

fn is_unavailable(answer: &Value) -> bool {
    warnings(answer).contains(&"context_unavailable")
}

/// The text of the warning that the context is missing.
fn reason(answer: &Value) -> String {
    let warnings = answer["warnings"].as_array().expect("warnings");
    let found = warnings.iter().find(|warning| warning["code"] == "context_unavailable");
    found.unwrap_or_else(|| panic!("no warning: {warnings:?}"))["detail"].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn a_context_costs_nothing_or_one_call_and_that_of_a_file_two() {
    for (backend, field, value, member, further) in [
        ("defender", "machine", DESK_042, Some("device"), &["Machine"][..]),
        ("defender", "machine", MACHINE, Some("device"), &[]),
        ("defender", "file_hash", FILE_SHA1, Some("file"), &["File", "FileStats"]),
        ("defender", "file_hash", FILE, Some("file"), &["FileStats"]),
        ("defender", "ip", ADDRESS, Some("ip"), &["IpStats"]),
        ("defender", "domain", DOMAIN, Some("domain"), &["DomainStats"]),
        ("defender", "user", USER, None, &[]),
        ("defender", "incident_id", INCIDENT, None, &[]),
        ("graph", "machine", DESK_042, Some("device"), &["Hunting"]),
        ("graph", "machine", MACHINE, Some("device"), &["Hunting"]),
        ("graph", "machine", QUIET_MACHINE, Some("device"), &["Hunting"]),
        ("graph", "file_hash", FILE_SHA1, Some("file"), &["Hunting"]),
        ("graph", "file_hash", FILE, Some("file"), &["Hunting"]),
        ("graph", "ip", ADDRESS, None, &[]),
        ("graph", "domain", DOMAIN, None, &[]),
        ("graph", "user", USER, None, &[]),
        ("graph", "incident_id", INCIDENT, None, &[]),
        // An older API that is asked after hunting found nothing is not asked for the context again.
        ("auto", "machine", QUIET_MACHINE, Some("device"), &["Hunting"]),
        ("auto", "file_hash", "0000000000000000000000000000000000000000", None, &["Hunting"]),
        ("auto", "domain", "unknown.example", Some("domain"), &["DomainStats"]),
    ] {
        let world = World::with(&[("DEFENDER_BACKEND", backend), NO_CACHE]).await;
        world.post(json!({field: value})).await.answer();
        let mut expected = routes(&world);
        expected.extend(further.iter().map(|route| (*route).to_owned()));
        expected.sort();
        world.sandbox.forget();
        let answer = world.post(json!({field: value, "include": "context"})).await.answer();
        assert_eq!(routes(&world), expected, "{backend}: {field} {value}");
        for (name, part) in answer["context"].as_object().into_iter().flatten() {
            assert_eq!(part.is_object(), Some(name.as_str()) == member, "{backend}: {field} {value}: {name}");
        }
        assert_eq!(answer["context"].is_object(), member.is_some(), "{backend}: {field} {value}");
        let has_one = !matches!(field, "user" | "incident_id");
        assert_eq!(is_unavailable(&answer), has_one && member.is_none(), "{backend}: {field} {value}");
    }
}

#[tokio::test]
async fn what_resolved_a_name_or_a_hash_is_shown_without_being_asked_for() {
    let world = World::start().await;
    for (body, member) in [
        (json!({"machine": MACHINE}), json!({"id": DESK_042, "os_platform": "Windows11", "risk_score": "High"})),
        (json!({"file_hash": FILE}), json!({"sha1": FILE_SHA1, "determination": "Malware", "org_prevalence": null})),
    ] {
        for _ in 0..2 {
            let answer = world.post(body.clone()).await.answer();
            let context = answer["context"].as_object().expect("a context");
            let part = context.values().find(|part| part.is_object()).expect("a part");
            for (name, value) in member.as_object().expect("an object") {
                assert_eq!(&part[name], value, "{body}: {name}");
            }
        }
    }
    assert_eq!((world.calls(Route::Machines), world.calls(Route::File)), (1, 1));
    assert_eq!(world.post(json!({"machine": DESK_042})).await.answer()["context"], Value::Null);
    let unknown = json!({"file_hash": "0".repeat(64), "include": "context"});
    assert!(is_unavailable(&world.post(unknown).await.answer()));
}

fn failures() -> Vec<Fault> {
    let mut all: Vec<_> = [400, 401, 403, 404, 410, 429, 500, 502, 503].map(Fault::status).into();
    all.extend(["<html>", "[]", "{}", "null"].map(Fault::body));
    all.extend([
        Fault::status(429).with_header("retry-after", "1"),
        Fault::reset(),
        Fault::truncate(0.5),
        Fault::delay(Duration::from_secs(60)),
        Fault::drip(Duration::from_secs(5)),
    ]);
    all
}

#[tokio::test]
async fn a_context_that_fails_is_a_warning_and_costs_at_most_half_of_the_time() {
    for subject in &SUBJECTS {
        let plain = World::start().await.post(json!({subject.field: subject.value})).await.answer();
        for fault in failures() {
            let world = World::with(&[("ENRICH_TIMEOUT_MS", "6000")]).await;
            for route in subject.routes {
                world.sandbox.fail(*route, Times::Always, fault.clone());
            }
            let (response, waited) = fast_forward(world.post(subject.request())).await;
            let answer = response.answer();
            assert_eq!((&answer["context"], &answer["alerts"]), (&Value::Null, &plain["alerts"]), "{fault:?}");
            assert!(is_unavailable(&answer), "{}: {fault:?}", subject.field);
            assert!(waited <= Duration::from_millis(3100), "{}: {fault:?}: {waited:?}", subject.field);
            // Only a broken connection and a refused token are tried again.
            let is_tried_again = fault.reset || fault.truncate.is_some() || fault.status == Some(401);
            for route in subject.routes {
                let calls = world.calls(*route);
                assert!(calls == 1 || is_tried_again, "{}: {fault:?}: {calls} calls", subject.field);
            }
        }
    }
}

#[tokio::test]
async fn a_context_of_graph_that_fails_is_a_warning() {
    let hidden = json!({"error": {"code": "BadRequest", "message": "Failed to resolve table or column expression named 'DeviceInfo'"}});
    let hidden = Fault::status(400).with_body(hidden.to_string());
    for fault in [vec![hidden.clone()], failures()].concat() {
        let world = World::with(&[("DEFENDER_BACKEND", "graph"), ("ENRICH_TIMEOUT_MS", "6000")]).await;
        // Of a name, the alerts are hunted first.
        world.sandbox.fail(Route::Hunting, Times::Once, Fault::default());
        world.sandbox.fail(Route::Hunting, Times::Always, fault.clone());
        let request = json!({"machine": MACHINE, "include": "context"});
        let (response, waited) = fast_forward(world.post(request)).await;
        let answer = response.answer();
        assert_eq!((&answer["context"], &answer["found"]), (&Value::Null, &json!(true)), "{fault:?}");
        assert!(waited <= Duration::from_millis(3100), "{fault:?}: {waited:?}");
        let reason = reason(&answer);
        let names = ["ThreatHunting.Read.All", "licence"].map(|word| reason.contains(word));
        assert!(fault != hidden || names == [true; 2], "{reason}");
    }
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let sandbox = new_sandbox().await;
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Alert.Read.All"]);
    let world = World::around(sandbox, &[]).await;
    for subject in &SUBJECTS {
        let answer = world.post(subject.request()).await.answer();
        assert_eq!(answer["context"], Value::Null, "{}", subject.field);
        assert!(reason(&answer).contains(subject.permission), "{}", reason(&answer));
    }
}

#[tokio::test]
async fn half_of_a_files_context_is_shown() {
    for (route, has, lacks) in
        [(Route::FileStats, "determination", "org_prevalence"), (Route::File, "org_prevalence", "determination")]
    {
        let world = World::start().await;
        world.sandbox.fail(route, Times::Always, Fault::status(500));
        let answer = world.post(json!({"file_hash": FILE_SHA1, "include": "context"})).await.answer();
        let file = &answer["context"]["file"];
        assert!(!file[has].is_null() && file[lacks].is_null() && is_unavailable(&answer), "{route:?}: {answer}");
        assert_eq!((&file["sha1"], file["global_prevalence"].is_u64()), (&json!(FILE_SHA1), true), "{route:?}");
    }
}

#[tokio::test]
async fn a_context_about_another_subject_is_not_shown() {
    for (subject, body) in SUBJECTS.iter().zip([json!({"id": "ab"}), json!({"sha1": "ab"})]) {
        let world = World::start().await;
        for route in subject.routes {
            world.sandbox.fail(*route, Times::Always, Fault::body(body.to_string()));
        }
        let answer = world.post(subject.request()).await.answer();
        assert!(answer["context"].is_null() && is_unavailable(&answer), "{answer}");
    }
}

#[tokio::test]
async fn alerts_have_the_quota_before_contexts() {
    for (quota, contexts) in [("12", 0), ("30", 7), ("100", 11)] {
        let world = World::with(&[("QUOTA_PER_MINUTE", quota)]).await;
        let requests: Vec<_> = (0..11).map(|number| json!({"domain": format!("host{number}.example")})).collect();
        let (response, waited) = fast_forward(world.batch(json!({"requests": requests, "include": "context"}))).await;
        let results = response.json()["results"].clone();
        let answers: Vec<_> = results.as_array().expect("results").iter().map(|result| &result["enrichment"]).collect();
        assert_eq!((world.calls(Route::DomainAlerts), waited), (11, Duration::ZERO), "{quota}: no alerts wait");
        let with_context = answers.iter().filter(|answer| answer["context"].is_object()).count();
        assert!(with_context >= contexts && world.calls(Route::DomainStats) == with_context, "{quota}: {with_context}");
        assert_eq!(answers.iter().filter(|answer| is_unavailable(answer)).count(), 11 - with_context, "{quota}");
    }
}

#[tokio::test]
async fn a_throttled_context_delays_only_contexts() {
    let world = World::with(&[NO_CACHE]).await;
    let throttled = Fault::status(429).with_header("retry-after", "60");
    world.sandbox.fail(Route::DomainStats, Times::Once, throttled);
    for name in ["a.example", "b.example"] {
        let (response, waited) = fast_forward(world.post(json!({"domain": name, "include": "context"}))).await;
        assert_eq!((is_unavailable(&response.answer()), waited), (true, Duration::ZERO), "{name}");
    }
    assert_eq!((world.calls(Route::DomainStats), world.calls(Route::DomainAlerts)), (1, 2));
}

#[tokio::test]
async fn an_old_answer_that_there_is_none_is_no_answer_while_microsoft_throttles() {
    let world = World::start().await;
    let named = json!({"machine": "desk-060.contoso.com"});
    let about = json!({"domain": "new.example", "include": "context"});
    world.sandbox.fail(Route::DomainStats, Times::Once, Fault::status(404));
    world.post(named.clone()).await.problem(404, "not_found");
    assert!(reason(&world.post(about.clone()).await.answer()).contains("does not know it"));
    advance_wall_clock(61);
    for route in [Route::Machines, Route::DomainStats] {
        world.sandbox.fail(route, Times::Always, Fault::status(429).with_header("retry-after", "60"));
    }
    world.post(named).await.problem(429, "throttled");
    let late = world.post(about).await.answer();
    assert!(!reason(&late).contains("does not know it"), "{late}");
}

#[tokio::test]
async fn a_context_of_one_of_several_devices_says_so() {
    for (backend, is_shown) in [("defender", true), ("auto", true), ("graph", false)] {
        let world = World::with(&[("DEFENDER_BACKEND", backend), NO_CACHE]).await;
        for (id, name) in [("a", "twin.contoso.com"), ("b", "twin.fabrikam.com")] {
            let record = json!({"id": id.repeat(40), "computerDnsName": name, "osPlatform": "Windows11"});
            world.sandbox.put_machine(record).unwrap();
        }
        let (response, _) = fast_forward(world.post(json!({"machine": "twin", "include": "context"}))).await;
        let answer = response.answer();
        assert_eq!(answer["context"].is_object(), is_shown, "{backend}: {answer}");
        assert_eq!(warnings(&answer).contains(&"several_devices_match"), is_shown, "{backend}: {answer}");
    }
}

#[tokio::test]
async fn a_context_is_remembered_apart_from_the_alerts() {
    let outage = [Fault::status(503), Fault::status(429), Fault::delay(Duration::from_secs(60))];
    for (subject, fault) in SUBJECTS.iter().flat_map(|subject| outage.iter().map(move |fault| (subject, fault))) {
        let world =
            World::with(&[("CACHE_TTL_S", "60"), ("CACHE_STALE_S", "900"), ("ENRICH_TIMEOUT_MS", "2000")]).await;
        world.post(json!({subject.field: subject.value})).await.answer();
        world.sandbox.forget();
        let first = world.post(subject.request()).await.answer();
        let again = world.post(json!({subject.field: subject.value, "include": "context", "limit": 1})).await.answer();
        let calls = world.defender_calls();
        assert_eq!(calls, subject.routes.len(), "{}: the alerts are remembered", subject.field);
        assert!(first["context"].is_object() && again["context"] == first["context"], "{again}");
        assert_eq!(world.post(json!({subject.field: subject.value})).await.answer()["context"], Value::Null);

        advance_wall_clock(61);
        for route in subject.routes {
            world.sandbox.fail(*route, Times::Always, fault.clone());
        }
        let (stale, _) = fast_forward(world.post(subject.request())).await;
        assert_eq!(stale.answer()["context"], first["context"], "{}: {fault:?}", subject.field);
        advance_wall_clock(900);
        let (gone, _) = fast_forward(world.post(subject.request())).await;
        assert!(gone.json()["context"].is_null(), "{}: {fault:?}", subject.field);
    }
}

#[tokio::test]
async fn equal_subjects_of_a_batch_share_a_context_and_only_those_that_ask_have_it() {
    let world = World::with(&[NO_CACHE]).await;
    let with = json!({"ip": ADDRESS, "include": "context"});
    let response = world.batch(json!({"requests": [with, {"ip": ADDRESS}, with, {"domain": DOMAIN}]})).await.json();
    let results = response["results"].as_array().expect("results");
    let known: Vec<_> = results.iter().map(|result| result["enrichment"]["context"].is_object()).collect();
    assert_eq!(known, [true, false, true, false]);
    assert_eq!((world.calls(Route::IpStats), world.calls(Route::DomainStats)), (1, 0));
}
