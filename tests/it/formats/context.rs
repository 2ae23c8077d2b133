//! What Defender says of the subject itself, in every format.

use std::sync::Arc;

use defender_enrich::domain::alert::{Alert, Device};
use defender_enrich::domain::context::{DeviceContext, DomainContext, FileContext, IpContext, SubjectContext};
use defender_enrich::domain::enrichment::{Answer, BackendName, CacheState, RenderOptions, Source};
use defender_enrich::domain::evidence::{Detail, Evidence, File};
use defender_enrich::domain::findings::Findings;
use defender_enrich::domain::shared_str::SharedStr;
use defender_enrich::domain::subject::Kind;
use defender_enrich::domain::timestamp::Timestamp;
use defender_enrich::domain::warning::Warnings;
use defender_enrich::formats::{Format, OutputOptions, render};
use serde_json::{Value, json};

use super::schemas::{assert_is_ecs, assert_is_ocsf};
use crate::harness::{DESK_042, MACHINE};

const SHA1: &str = "eb5c60a22f6c1b7ad57a8dbc621f302650c91e88";
const SHA256: &str = "be247dc4ef5759515f205988b833a2db53d747c4f3c66f44d57d1aa9378e18b3";
const MAX_BYTES: usize = 6_000_000;

fn device() -> SubjectContext {
    let device = DeviceContext {
        id: Some(DESK_042.into()),
        name: Some(MACHINE.into()),
        os_platform: Some("Windows11".into()),
        os_version: Some("24H2".into()),
        health_status: Some("Active".into()),
        onboarding_status: Some("Onboarded".into()),
        risk_score: Some("High".into()),
        exposure_level: Some("Medium".into()),
        device_value: Some("Normal".into()),
        group: Some("Workstations".into()),
        tags: vec!["Finance".into()],
        ip_addresses: ["127.0.0.1", "fe80::1", "192.0.2.42"].map(SharedStr::from).to_vec(),
        public_ip: Some("203.0.113.10".into()),
        aad_device_id: Some("c995191e-ab0d-41ff-95fd-921e07823508".into()),
        first_seen: Timestamp::parse("2026-01-12T07:55:03Z"),
        last_seen: Timestamp::parse("2026-11-18T06:12:44Z"),
    };
    SubjectContext { device: Some(device), ..SubjectContext::default() }
}

fn file() -> SubjectContext {
    let file = FileContext {
        sha1: Some(SHA1.into()),
        sha256: Some(SHA256.into()),
        size: Some(1_204_224),
        publisher: Some("Contoso Ltd.".into()),
        product: Some("Helpdesk".into()),
        signer: Some("Contoso Ltd.".into()),
        issuer: Some("Contoso Issuing CA 2".into()),
        signature_valid: Some(true),
        determination: Some("Unknown".into()),
        determination_value: Some("Trojan:Win32/Grelmoor.A".into()),
        global_prevalence: Some(12_000),
        org_prevalence: Some(3),
        ..FileContext::default()
    };
    SubjectContext { file: Some(file), ..SubjectContext::default() }
}

fn ip() -> SubjectContext {
    let org_last_seen = Timestamp::parse("2026-11-17T12:20:31Z");
    let ip = IpContext {
        address: Some("198.51.100.140".into()),
        org_prevalence: Some(3),
        org_last_seen,
        org_first_seen: None,
    };
    SubjectContext { ip: Some(ip), ..SubjectContext::default() }
}

fn domain() -> SubjectContext {
    let domain =
        DomainContext { name: Some("relay.example".into()), org_prevalence: Some(1), ..DomainContext::default() };
    SubjectContext { domain: Some(domain), ..SubjectContext::default() }
}

/// An alert on the device, with the file among its evidence.
fn alert() -> Alert {
    let file = File { name: Some("svchelper.exe".into()), sha1: Some(SHA1.into()), ..File::default() };
    let evidence = Evidence { kind: "file".into(), detail: Detail::File(file), ..Evidence::default() };
    Alert {
        id: Some("da1_1".into()),
        title: Some("A tool was seen".into()),
        device: Some(Device { id: Some(DESK_042.into()), name: Some(MACHINE.into()), group: None }),
        evidence: vec![evidence],
        ..Alert::default()
    }
}

fn answer(kind: Kind, context: SubjectContext, alerts: Vec<Alert>) -> Answer {
    Answer {
        kind,
        input: "asked".to_owned(),
        id: "asked".to_owned(),
        url: None,
        resolution: Vec::new(),
        warnings: Vec::new(),
        findings: Arc::new(Findings::new(alerts, None, Vec::new(), Warnings::default())),
        context: Some(context),
        source: Source {
            product: "Microsoft Defender for Endpoint",
            backend: BackendName::Defender,
            api: "GET /api/machines/{id}/alerts",
            retrieved_at: Timestamp::from_unix_seconds(1_793_693_640),
            cache: CacheState::Miss,
            age_s: 0,
        },
    }
}

fn rendered(answer: &Answer, format: Format) -> String {
    let options = RenderOptions { limit: 50, ..RenderOptions::default() };
    String::from_utf8(render(answer, &options, OutputOptions::of(format), MAX_BYTES)).expect("UTF-8")
}

/// The event and the document of the one alert.
fn records(kind: Kind, context: SubjectContext) -> [Value; 2] {
    let answer = answer(kind, context, vec![alert()]);
    let event: Value = serde_json::from_str(&rendered(&answer, Format::OcsfNdjson)).expect("one event");
    let documents: Value = serde_json::from_str(&rendered(&answer, Format::Ecs)).expect("documents");
    assert_is_ocsf(&event);
    assert_is_ecs(&documents[0]);
    [event, documents[0].clone()]
}

#[test]
fn people_read_one_fact_about_the_subject_with_or_without_alerts() {
    for (kind, context, right) in [
        (
            Kind::Machine,
            device(),
            "Device: Windows 11 24H2, risk High, exposure Medium, active, last seen 2026-11-18 06:12 UTC, tags: Finance",
        ),
        (
            Kind::File,
            file(),
            "File: Trojan:Win32/Grelmoor.A, signed by Contoso Ltd., seen on 3 devices here in 30 days, 12,000 worldwide",
        ),
        (Kind::Ip, ip(), "Address: seen on 3 devices here in 30 days, last 2026-11-17 12:20 UTC"),
        (Kind::Domain, domain(), "Domain: seen on 1 device here in 30 days"),
    ] {
        for alerts in [vec![alert()], Vec::new()] {
            let answer = answer(kind, context.clone(), alerts);
            let shown = rendered(&answer, Format::Text);
            assert!(shown.lines().any(|line| line.contains(right)), "{shown}");
            assert!(!shown.contains("check "), "Defender knows the subject: {shown}");
            let presence = right.split(", ").nth(1).unwrap_or("seen on 1 device here in 30 days");
            for format in [Format::Markdown, Format::Slack, Format::Teams] {
                let shown = rendered(&answer, format);
                assert!(shown.contains(presence), "{format:?}: {shown}");
            }
        }
    }
}

#[test]
fn a_device_has_its_attributes_in_events_and_documents() {
    let [event, document] = records(Kind::Machine, device());
    let right = json!({
        "uid": DESK_042, "name": MACHINE, "hostname": MACHINE, "type": "Unknown", "type_id": 0,
        "groups": [{"name": "Workstations"}], "uid_alt": "c995191e-ab0d-41ff-95fd-921e07823508", "ip": "192.0.2.42",
        "network_interfaces": [{"ip": "127.0.0.1"}, {"ip": "fe80::1"}, {"ip": "192.0.2.42"}],
        "os": {"name": "Windows11", "version": "24H2", "type": "Windows", "type_id": 100}, "risk_level_id": 3,
        "risk_level": "High", "first_seen_time": 1_768_204_503_000_u64, "last_seen_time": 1_794_982_364_000_u64
    });
    assert_eq!(event["device"], right);
    let resource = &event["resources"][0];
    assert_eq!((&resource["criticality"], &resource["labels"]), (&json!("Normal"), &json!(["Finance"])));
    let rest = json!({"device": {
        "exposure_level": "Medium", "health_status": "Active", "onboarding_status": "Onboarded", "public_ip": "203.0.113.10"
    }});
    assert_eq!(event["unmapped"]["context"], rest);

    let right = json!({
        "id": DESK_042, "name": MACHINE, "hostname": MACHINE, "ip": ["127.0.0.1", "fe80::1", "192.0.2.42"],
        "os": {"name": "Windows11", "version": "24H2", "type": "windows"}, "risk": {"static_level": "High"}
    });
    assert_eq!(document["host"], right);
    assert_eq!(document["related"]["ip"], right["ip"]);
    let rest = &document["microsoft"]["defender"]["context"]["device"];
    assert_eq!(
        (&rest["exposure_level"], &rest["tags"], rest.get("os_platform")),
        (&json!("Medium"), &json!(["Finance"]), None)
    );
}

#[test]
fn a_file_has_its_attributes_in_events_and_documents() {
    let [event, document] = records(Kind::File, file());
    let file = &event["evidences"][0]["file"];
    assert_eq!(file["size"], 1_204_224);
    assert_eq!(file["product"], json!({"name": "Helpdesk", "vendor_name": "Contoso Ltd."}));
    assert_eq!(
        file["signatures"],
        json!([{"algorithm": "Unknown", "algorithm_id": 0, "state": "Valid", "state_id": 1}])
    );
    assert_eq!((&file["hashes"][0]["value"], &file["hashes"][1]["value"]), (&json!(SHA1), &json!(SHA256)));
    let rest = &event["unmapped"]["context"]["file"];
    assert_eq!((&rest["signer"], &rest["org_prevalence"], rest.get("size")), (&json!("Contoso Ltd."), &json!(3), None));

    let file = &document["file"];
    assert_eq!(file["code_signature"], json!({"exists": true, "valid": true, "subject_name": "Contoso Ltd."}));
    assert_eq!((&file["size"], &file["hash"]["sha256"]), (&json!(1_204_224), &json!(SHA256)));
    assert_eq!(file["pe"], json!({"company": "Contoso Ltd.", "product": "Helpdesk"}));
    assert_eq!(document["related"]["hash"], json!([SHA1, SHA256]));
    let rest = &document["microsoft"]["defender"]["context"]["file"];
    assert_eq!((&rest["issuer"], rest.get("signer")), (&json!("Contoso Issuing CA 2"), None));
}

#[test]
fn what_is_not_in_the_event_is_kept_whole() {
    let mut other = file();
    if let Some(file) = &mut other.file {
        (file.sha1, file.sha256) = (Some(SHA1.replace('e', "f").into()), None);
    }
    let [event, document] = records(Kind::File, other);
    assert_eq!(event["evidences"][0]["file"].get("signatures"), None);
    assert_eq!(document["file"].get("code_signature"), None);
    for rest in [&event["unmapped"]["context"]["file"], &document["microsoft"]["defender"]["context"]["file"]] {
        assert_eq!((&rest["signature_valid"], &rest["size"]), (&json!(true), &json!(1_204_224)), "{rest}");
    }
    for (kind, context, name) in [(Kind::Ip, ip(), "ip"), (Kind::Domain, domain(), "domain")] {
        let [event, document] = records(kind, context.clone());
        let whole = serde_json::to_value(&context).expect("JSON")[name]["org_prevalence"].clone();
        assert_eq!(event["unmapped"]["context"][name]["org_prevalence"], whole);
        assert_eq!(document["microsoft"]["defender"]["context"][name]["org_prevalence"], whole);
    }
}

#[test]
fn a_context_of_any_size_leaves_room_for_the_alerts() {
    let mut context = device();
    if let Some(device) = &mut context.device {
        device.tags = vec!["a \"tag\" \n".repeat(100).into(); 10_000];
    }
    let answer = answer(Kind::Machine, context, vec![alert()]);
    for format in Format::ALL {
        let body = rendered(&answer, format);
        assert!(body.len() < MAX_BYTES && body.contains("A tool was seen"), "{format:?}: {} bytes", body.len());
    }
    let json: Value = serde_json::from_str(&rendered(&answer, Format::Json)).expect("JSON");
    assert_eq!((&json["context"], &json["warnings"][0]["code"]), (&Value::Null, &json!("context_unavailable")));
}
