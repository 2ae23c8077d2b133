//! What the schemas of requests say of a body is what the service does with it.

use std::sync::LazyLock;

use defender_enrich::api::document;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::client::Request;
use crate::harness::{ALERT, FILE_SHA1, INCIDENT, MACHINE, NO_QUOTA, USER, World, changed};

static REQUEST: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../../schemas/request.schema.json")));
static BATCH: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../schemas/batch_request.schema.json")));

fn validator(schema: &str) -> Validator {
    jsonschema::validator_for(&serde_json::from_str(schema).expect("JSON")).expect("a schema")
}

#[track_caller]
fn assert_valid(schema: &Validator, form: &Value) {
    let errors: Vec<_> = schema.iter_errors(form).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{form}: {errors:?}");
}

/// A body of the document, which is narrower than the schema of the same name.
fn of_the_document(name: &str) -> Validator {
    let document = document();
    let root = json!({"$ref": format!("#/components/schemas/{name}"), "components": document["components"]});
    jsonschema::validator_for(&root).expect("a schema")
}

/// Forms of one subject that are documented.
fn subjects() -> Vec<Value> {
    let mut forms = vec![
        json!({"alert_id": ALERT}),
        json!({"alertId": ALERT}),
        json!({"AlertID": ALERT}),
        json!({"alert-id": ALERT}),
        json!({"machine": MACHINE}),
        json!({"machine": format!(" {MACHINE}.\n")}),
        json!({"machine": "desk-042[.]contoso[.]com"}),
        json!({"user": USER}),
        json!({"user": "CONTOSO\\dana.reyes"}),
        json!({"file_hash": FILE_SHA1}),
        json!({"fileHash": FILE_SHA1}),
        json!({"incident_id": INCIDENT}),
        json!({"incident_id": 3107}),
        json!({"incidentId": 3107}),
        json!({"case": "3107"}),
        json!({"incident": 3107}),
        json!({"ip": "198.51.100.140"}),
        json!({"src_ip": "198.51.100[.]140"}),
        json!({"domain": "relay.harbour-lights.example"}),
        json!({"url": "hxxps://relay.harbour-lights[.]example/gate"}),
        json!({"value": "desk-042"}),
        json!({"value": 3107}),
        json!({"fqdn": MACHINE}),
        json!({"dest": "198.51.100.140"}),
        json!({"host": MACHINE}),
        json!({"dest": "198.51.100.140", "src_ip": "198.51.100.140"}),
        json!({"hostname": MACHINE, "host": MACHINE}),
        json!({"sha256": "be247dc4ef5759515f205988b833a2db53d747c4f3c66f44d57d1aa9378e18b3"}),
        json!({"computerDnsName": MACHINE, "deviceName": MACHINE}),
        // Beside a name of the first version, other words are only named in a warning.
        json!({"machine": MACHINE, "device": 7, "ip": {"not": "looked at"}}),
        json!({"alert_id": ALERT, "domain": "evil.example", "url": null}),
        // A template may send all fields and fill one.
        json!({"alert_id": null, "machine": MACHINE, "user": "", "file_hash": " ", "incident_id": null, "value": ""}),
        json!({"alert_id": null, "alertId": ALERT}),
        json!({"ip": "198.51.100.140", "machine": null, "user": ""}),
        json!({"machine": MACHINE, "colour": {"any": ["thing"]}}),
    ];
    forms.extend(options().into_iter().map(|option| changed(json!({"alert_id": ALERT}), option)));
    forms
}

/// Options in the forms that are documented.
fn options() -> Vec<Value> {
    let mut forms = vec![
        json!({"limit": 7}),
        json!({"limit": "7"}),
        json!({"limit": "007"}),
        json!({"limit": 500}),
        json!({"limit": null}),
        json!({"limit": ""}),
        json!({"include": "raw"}),
        json!({"include": "raw, context"}),
        json!({"include": ["raw"]}),
        json!({"include": ["raw", "context"]}),
        json!({"include": ["raw,context"]}),
        json!({"include": []}),
        json!({"include": null}),
        json!({"Include": "context"}),
        json!({"not_found": 200}),
        json!({"not_found": "404"}),
        json!({"notFound": "200"}),
        json!({"not_found": ""}),
        json!({"max_chars": 500}),
        json!({"maxChars": "30000"}),
        json!({"max_chars": null}),
        json!({"notify": null}),
        json!({"notify": ""}),
        json!({"format": null}),
        json!({"format": ""}),
        json!({"FORMAT": "ecs"}),
    ];
    let formats = ["json", "ocsf", "ocsf_ndjson", "ecs", "slack", "teams", "markdown", "text"];
    forms.extend(formats.map(|format| json!({"format": format})));
    forms
}

/// Forms that are refused.
fn refused() -> Vec<Value> {
    let mut forms = vec![
        json!({}),
        json!([]),
        json!("machine"),
        json!({"machine": null}),
        json!({"machine": " ", "user": ""}),
        json!({"colour": "red"}),
        json!({"requests": [{"machine": MACHINE}]}),
        json!({"machine": MACHINE, "user": USER}),
        json!({"machine": MACHINE, "USER": USER}),
        json!({"machine": MACHINE, "value": "x"}),
        json!({"hostname": MACHINE, "upn": USER}),
        json!({"ip": "198.51.100.140", "domain": "evil.example"}),
        json!({"fqdn": MACHINE, "src": "198.51.100.140"}),
        json!({"fqdn": MACHINE, "hostname": MACHINE}),
        json!({"host": MACHINE, "upn": USER}),
        json!({"machine": 7}),
        json!({"alert_id": [ALERT]}),
        json!({"user": {"name": "dana"}}),
        json!({"incident_id": 0}),
        json!({"incident_id": -1}),
        json!({"incident_id": true}),
        json!({"incident_id": 1.5}),
        json!({"ip": 7}),
        json!({"value": {}}),
        json!({"hostname": [MACHINE]}),
    ];
    for option in [
        json!({"limit": 0}),
        json!({"limit": 501}),
        json!({"limit": "501"}),
        json!({"limit": "x"}),
        json!({"limit": 1.5}),
        json!({"limit": [7]}),
        json!({"Limit": -1}),
        json!({"include": "all"}),
        json!({"include": "raw context"}),
        json!({"include": ["raw", 7]}),
        json!({"include": true}),
        json!({"not_found": 500}),
        json!({"notFound": "20"}),
        json!({"max_chars": 499}),
        json!({"max-chars": "30001"}),
        json!({"notify": ["soc"]}),
        json!({"format": "yaml"}),
        json!({"format": "JSON"}),
        json!({"format": ["json"]}),
    ] {
        forms.push(changed(json!({"alert_id": ALERT}), option));
    }
    forms
}

#[tokio::test]
async fn a_request_is_accepted_if_its_schema_accepts_it() {
    let world = World::with(NO_QUOTA).await;
    let narrow = of_the_document("Request");
    for form in subjects() {
        assert_eq!(world.post(form.clone()).await.status, 200, "{form}");
        assert_valid(&REQUEST, &form);
    }
    for form in refused() {
        assert_eq!(world.post(form.clone()).await.status, 422, "{form}");
        assert!(!REQUEST.is_valid(&form), "{form}");
    }
    let narrower = subjects().into_iter().filter(|form| narrow.is_valid(form)).count();
    assert!(narrower > 30, "{narrower}");
}

#[tokio::test]
async fn a_batch_is_accepted_if_its_schema_accepts_it() {
    let world = World::with(NO_QUOTA).await;
    let narrow = of_the_document("BatchRequest");
    let item = json!({"alert_id": ALERT});
    for option in options() {
        let form = changed(json!({"requests": [item]}), option);
        assert_eq!(world.batch(form.clone()).await.status, 200, "{form}");
        assert_valid(&BATCH, &form);
    }
    for form in [
        json!({"requests": subjects().into_iter().take(25).collect::<Vec<_>>()}),
        json!({"Requests": [item]}),
        json!({"requests": [item], "machine": null, "user": ""}),
        json!({"requests": [item], "colour": 7}),
        json!({"machine": MACHINE, "user": USER, "file_hash": FILE_SHA1, "limit": 3}),
        json!({"requests": null, "machine": MACHINE}),
        json!({"hostname": MACHINE, "upn": USER}),
    ] {
        assert_eq!(world.batch(form.clone()).await.status, 200, "{form}");
        assert_valid(&BATCH, &form);
    }
    for form in [
        json!({}),
        json!([]),
        json!({"x": 1}),
        json!({"requests": []}),
        json!({"requests": null}),
        json!({"requests": "x"}),
        json!({"requests": {"machine": MACHINE}}),
        json!({"requests": [item], "machine": MACHINE}),
        json!({"requests": vec![item.clone(); 26]}),
        json!({"requests": [item], "limit": 0}),
        json!({"user": "", "machine": null}),
        json!({"limit": 3}),
    ] {
        assert_eq!(world.batch(form.clone()).await.status, 422, "{form}");
        assert!(!BATCH.is_valid(&form), "{form}");
    }
    for form in [json!({"requests": [item], "limit": 3}), json!({"machine": MACHINE, "user": null})] {
        assert!(narrow.is_valid(&form), "{form}");
    }
}

#[tokio::test]
async fn a_query_is_read_as_the_document_says() {
    let world = World::start().await;
    let document = document();
    let parameters = document["paths"]["/v1/enrich"]["get"]["parameters"].as_array().unwrap();
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap();
        let is_text = parameter["schema"]["type"] == "string";
        assert!(is_text || ["limit", "max_chars", "not_found", "include"].contains(&name), "{parameter}");
    }
    let answer = world
        .send(Request::get(
            "/v1/enrich?incident_id=3107&include=raw,context&limit=3&not_found=200&max_chars=900&format=json",
        ))
        .await
        .answer();
    assert!(answer["raw"].is_object() && answer["alerts"].as_array().is_some_and(|alerts| alerts.len() == 3));
}
