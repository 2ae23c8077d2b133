//! An answer also goes to a destination that the operator has set up, and the caller is told what became of it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use crate::client::{Request, Response, timeless, timeless_text};
use crate::harness::{
    ALERT, CALLER_SECRET, DEMO_KEY, Fault, MACHINE, Route, Times, USER, World, changed, clock, fast_forward,
};
use crate::log::Log;
use crate::receiver::{Post, Receiver, Reply};

const PRIVATE: (&str, &str) = ("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "true");
const HEC_TOKEN: &str = "CANARY-4f1c-4f0e-9c52-1f8d8f3a7b11";
const KEY: &[u8] = b"CANARY of twenty-four bytes";

fn signing_token() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// A service with these destinations.
async fn world(destinations: &Value, changes: &[(&str, &str)]) -> World {
    let secret = json!({"api_keys": {"soar": [DEMO_KEY]}, "destinations": destinations});
    World::with_secret(CALLER_SECRET, &secret.to_string(), changes).await
}

/// A service with one destination, `soc`, behind the receiver.
async fn with_soc(receiver: &Receiver, members: Value) -> World {
    let soc = changed(json!({"url": receiver.url("/CANARY/in?sig=CANARY")}), members);
    world(&json!({"soc": soc}), &[PRIVATE]).await
}

fn webhook() -> Value {
    json!({"kind": "webhook", "token": signing_token()})
}

/// A receiver with this script, and the answer about an alert that a service has posted there.
async fn posted(script: &[Reply], members: Value) -> (Receiver, Response) {
    let receiver = Receiver::start(script).await;
    let response = notify(&with_soc(&receiver, members).await).await;
    (receiver, response)
}

async fn notify(world: &World) -> Response {
    world.post(json!({"alert_id": ALERT, "notify": "soc"})).await
}

#[track_caller]
fn assert_notified(response: &Response, outcome: &str, status: impl Into<Value>) {
    let notified = json!({"destination": "soc", "outcome": outcome, "status": status.into()});
    assert_eq!(response.answer()["notified"], notified);
    assert_eq!(response.header("x-notified"), format!("soc={outcome}"));
}

/// An answer as it would be if nobody else had been told.
fn unnotified(answer: Value) -> Value {
    let mut answer = timeless(answer);
    answer.as_object_mut().expect("an object").remove("notified");
    answer
}

/// Checks a signature as a receiver does that knows the specification and not this program.
#[track_caller]
fn assert_signed(post: &Post) {
    let (id, timestamp) = (post.header("webhook-id"), post.header("webhook-timestamp"));
    assert_eq!(timestamp, clock().unix_seconds().to_string(), "{post:?}");
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &post.body].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), &signed);
    assert_eq!(post.header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));
}

#[tokio::test]
async fn a_webhook_gets_the_answer_signed() {
    let (receiver, response) = posted(&[], webhook()).await;
    assert_notified(&response, "delivered", 200);
    let post = receiver.only();
    assert_eq!((post.target.as_str(), post.header("content-type")), ("/CANARY/in?sig=CANARY", "application/json"));
    assert!(post.header("authorization").is_empty());
    assert_signed(&post);
    assert_eq!(post.json().get("notified"), None);
    assert_eq!(timeless(post.json()), unnotified(response.answer()));

    let (receiver, response) = posted(&[Reply::status(204)], json!({"kind": "webhook"})).await;
    assert_notified(&response, "delivered", 204);
    let post = receiver.only();
    assert!(post.header("webhook-id").is_empty() && post.header("webhook-signature").is_empty(), "without a token");
}

#[tokio::test]
async fn a_webhook_gets_json_whatever_its_format() {
    for format in ["json", "ocsf", "ocsf_ndjson", "ecs", "slack", "teams", "markdown", "text"] {
        let (receiver, response) = posted(&[], changed(webhook(), json!({"format": format}))).await;
        assert_notified(&response, "delivered", 200);
        let post = receiver.only();
        assert_eq!(post.header("content-type"), "application/json", "{format}");
        assert_signed(&post);
        match format {
            "markdown" | "text" => assert!(post.json()["text"].as_str().is_some_and(|text| text.len() > 50)),
            "ocsf_ndjson" => assert_eq!(post.json()[0]["class_uid"], 2004),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_chat_gets_the_message_that_a_caller_would_get() {
    for (kind, status) in [("slack", 200), ("teams", 202)] {
        let receiver = Receiver::start(&[Reply::status(status)]).await;
        let world = with_soc(&receiver, json!({"kind": kind})).await;
        assert_notified(&notify(&world).await, "delivered", status);
        let post = receiver.only();
        let target = format!("/v1/enrich?alert_id={ALERT}&format={kind}");
        let message = Request::get(&target).send_to(world.address).await.text();
        let posted = String::from_utf8(post.body.clone()).expect("text");
        assert_eq!(post.header("content-type"), "application/json", "{kind}");
        assert_eq!(timeless_text(&posted), timeless_text(&message), "{kind}");
        assert!(post.header("authorization").is_empty());
    }
}

#[tokio::test]
async fn splunk_gets_an_event_and_has_to_confirm_it() {
    let hec = json!({"kind": "splunk_hec", "token": HEC_TOKEN});
    let (receiver, response) = posted(&[Reply::body(200, r#"{"text":"Success","code":0}"#)], hec.clone()).await;
    assert_notified(&response, "delivered", 200);
    let post = receiver.only();
    assert_eq!(post.header("authorization"), format!("Splunk {HEC_TOKEN}"));
    let event = post.json();
    assert_eq!(timeless(event["event"].clone()), unnotified(response.answer()));
    assert_eq!((&event["source"], &event["sourcetype"]), (&json!("defender-enrich"), &json!("defender_enrich:json")));
    assert!(event["time"].to_string().starts_with(&clock().unix_seconds().to_string()), "{event}");
    let flood = "0".repeat(1 << 20);
    for answer in [r#"{"text":"Incorrect index","code":7}"#, "<html>", "", &flood] {
        let (receiver, response) = posted(&[Reply::body(200, answer)], hec.clone()).await;
        assert_notified(&response, "refused", 200);
        receiver.only();
    }
}

#[tokio::test]
async fn a_post_is_repeated_only_where_that_is_safe() {
    let location: &'static str = "location: http://127.0.0.1:1/";
    let (slack, teams, unsigned) = (json!({"kind": "slack"}), json!({"kind": "teams"}), json!({"kind": "webhook"}));
    let hec = json!({"kind": "splunk_hec", "token": HEC_TOKEN});
    let chats = [slack.clone(), teams, hec, unsigned];
    let mut cases = Vec::new();
    // A gateway that answers 502 or 504 may have passed the post on: only a signed webhook has an id to recognize it by.
    for status in [500, 502, 504, 599] {
        cases.extend(chats.iter().map(|kind| (vec![Reply::status(status)], kind.clone(), "failed", json!(status), 1)));
        cases.push((vec![Reply::status(status)], webhook(), "failed", json!(status), 3));
    }
    for kind in chats.iter().cloned().chain([webhook()]) {
        cases.push((vec![Reply::status(503)], kind, "failed", json!(503), 3));
    }
    for status in [400, 401, 403, 404, 410, 413] {
        cases.push((vec![Reply::body(status, "invalid_payload")], webhook(), "refused", json!(status), 1));
    }
    for status in [301, 302, 307, 308] {
        let redirect = Reply::Status(status, location, String::new());
        cases.push((vec![redirect], webhook(), "refused", json!(status), 1));
    }
    let recovers = |first| vec![first, Reply::status(200)];
    let later = Reply::Status(429, "retry-after: 30", String::new());
    cases.extend([
        (recovers(Reply::Close), slack.clone(), "failed", Value::Null, 1),
        (recovers(Reply::Close), webhook(), "delivered", json!(200), 2),
        (recovers(later), slack.clone(), "failed", json!(429), 1),
        (recovers(Reply::Status(429, "retry-after: 2", String::new())), slack, "delivered", json!(200), 2),
    ]);
    for (script, members, outcome, status, posts) in cases {
        let receiver = Receiver::start(&script).await;
        let world = with_soc(&receiver, members.clone()).await;
        let response = fast_forward(notify(&world)).await.0;
        let notified = &response.answer()["notified"];
        assert_eq!((&notified["outcome"], &notified["status"]), (&json!(outcome), &status), "{script:?} to {members}");
        assert_eq!(receiver.posts().len(), posts, "{script:?} to {members}");
        if let ([first, second], "delivered", "slack") =
            (&*receiver.posts(), outcome, members["kind"].as_str().unwrap())
        {
            assert!(second.at - first.at >= Duration::from_secs(2), "it waits as it is told: {script:?}");
        }
    }
}

#[tokio::test]
async fn a_repeated_post_has_the_same_id() {
    let receiver = Receiver::start(&[Reply::status(500), Reply::status(503), Reply::status(200)]).await;
    let world = with_soc(&receiver, webhook()).await;
    assert_notified(&notify(&world).await, "delivered", 200);
    let posts = receiver.posts();
    assert_eq!(posts.len(), 3);
    for post in &posts {
        assert_signed(post);
        assert_eq!((post.header("webhook-id"), &post.body), (posts[0].header("webhook-id"), &posts[0].body));
    }
    notify(&world).await;
    assert_ne!(receiver.posts()[3].header("webhook-id"), posts[0].header("webhook-id"));
}

#[tokio::test]
async fn silence_costs_the_caller_no_answer_and_no_more_than_the_deadline() {
    for (members, posts) in [(json!({"kind": "teams"}), 1), (webhook(), 2)] {
        let receiver = Receiver::start(&[Reply::Silence]).await;
        let soc = changed(json!({"url": receiver.url("/")}), members);
        let world = world(&json!({"soc": soc}), &[PRIVATE, ("ENRICH_TIMEOUT_MS", "4000")]).await;
        let (answer, waited) = fast_forward(notify(&world)).await;
        assert_notified(&answer, "timed_out", Value::Null);
        assert!(waited < Duration::from_millis(4200), "{waited:?}");
        assert!(receiver.posts().len() >= posts, "{:?}", receiver.posts());
    }
}

#[tokio::test]
async fn a_destination_without_a_listener_is_reported_as_failed() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let world = world(&json!({"soc": {"kind": "slack", "url": format!("http://{gone}/")}}), &[PRIVATE]).await;
    assert_notified(&notify(&world).await, "failed", Value::Null);
}

#[tokio::test]
async fn an_unknown_destination_is_422_before_any_call() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, webhook()).await;
    for name in ["other", "SOC", "soc ", "https://hooks.example.com/x", "\rx\n"] {
        let response = world.post(json!({"alert_id": ALERT, "notify": name})).await;
        assert_eq!(response.problem(422, "invalid_request")["errors"][0]["pointer"], "/notify");
        assert!(!response.text().contains("soc"), "{}", response.text());
    }
    let response = world.get(&[("alert_id", ALERT), ("notify", "other")]).await;
    assert_eq!(response.problem(422, "invalid_request")["errors"][0]["pointer"], "?notify");
    for value in [json!(7), json!(["soc"]), json!({"url": receiver.url("/")})] {
        world.post(json!({"alert_id": ALERT, "notify": value})).await.problem(422, "invalid_request");
    }
    assert_eq!((world.defender_calls(), receiver.connections()), (0, 0));
    let unnamed = world.post(json!({"alert_id": ALERT, "notify": ""})).await;
    assert_eq!((unnamed.answer().get("notified"), unnamed.header("x-notified")), (None, ""));
}

#[tokio::test]
async fn private_addresses_get_nothing_without_the_setting() {
    let receiver = Receiver::start(&[]).await;
    let port = receiver.address.port();
    let urls = [
        receiver.url("/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://2130706433:{port}/"),
    ];
    for url in urls {
        let world = world(&json!({"soc": {"kind": "slack", "url": url}}), &[]).await;
        assert_notified(&notify(&world).await, "misconfigured", Value::Null);
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn only_answers_are_posted() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, webhook()).await;
    let missing = world.post(json!({"alert_id": "da1_1", "notify": "soc"})).await;
    missing.problem(404, "not_found");
    assert!(missing.header("x-notified").is_empty());
    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(500));
    notify(&world).await.problem(502, "upstream_error");
    assert_eq!(receiver.connections(), 0);
    world.sandbox.mend();
    world.post(json!({"alert_id": "da1_1", "notify": "soc", "not_found": 200})).await.answer();
    let posted = receiver.only().json();
    assert_eq!((&posted["found"], &posted["id"]), (&json!(false), &json!("da1_1")));
}

#[tokio::test]
async fn an_answer_in_text_reports_the_delivery_in_a_header() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, webhook()).await;
    let target = format!("/v1/enrich?alert_id={ALERT}&format=text&notify=soc");
    let response = Request::get(&target).send_to(world.address).await;
    assert_eq!((response.status, response.header("x-notified")), (200, "soc=delivered"));
    assert!(response.header("content-type").starts_with("text/plain"));
    assert_eq!(receiver.only().header("content-type"), "application/json");
}

#[tokio::test]
async fn a_batch_is_one_post_to_each_destination() {
    let receiver = Receiver::start(&[]).await;
    let (soc, other) = (receiver.url("/soc"), receiver.url("/other"));
    let destinations = json!({"soc": {"kind": "webhook", "url": soc}, "other": {"kind": "webhook", "url": other}});
    let world = world(&destinations, &[PRIVATE]).await;
    let answer = world
        .batch(json!({"notify": "soc", "requests": [
            {"alert_id": ALERT}, {"user": USER, "notify": "other"}, {"alert_id": "da1_1"}, {"machine": MACHINE},
            {"user": USER, "notify": "nobody"}, {"file_hash": "x"},
        ]}))
        .await
        .answer();
    let told: Vec<_> =
        answer["results"].as_array().expect("results").iter().map(|item| &item["enrichment"]["notified"]).collect();
    let delivered = |name: &str| json!({"destination": name, "outcome": "delivered", "status": 200});
    assert_eq!(answer["notified"], delivered("soc"));
    assert_eq!(
        told,
        [&delivered("soc"), &delivered("other"), &Value::Null, &delivered("soc"), &Value::Null, &Value::Null]
    );
    assert_eq!(answer["results"][4]["problem"]["errors"][0]["pointer"], "/requests/4/notify");
    assert_eq!(answer["counts"], json!({"requests": 6, "ok": 3, "failed": 3}));
    let mut posts: Vec<_> = receiver
        .posts()
        .into_iter()
        .map(|post| {
            let posted = post.json();
            let results = posted["results"].as_array().expect("results");
            let items = results.iter().map(|item| item["enrichment"].get("input").unwrap_or(&item["input"]).clone());
            (post.target, items.collect::<Vec<_>>(), posted["counts"].clone())
        })
        .collect();
    posts.sort_by(|one, other| one.0.cmp(&other.0));
    let counts = |requests: u32, ok: u32| json!({"requests": requests, "ok": ok, "failed": requests - ok});
    let soc = vec![json!(ALERT), json!("da1_1"), json!(MACHINE), json!(USER), json!("x")];
    let right = [("/other".to_owned(), vec![json!(USER)], counts(1, 1)), ("/soc".to_owned(), soc, counts(5, 2))];
    assert_eq!(posts, right);
}

/// A batch that is posted by a destination of this kind: the post, and the answer.
async fn batch_to(members: Value, requests: &Value) -> (Post, Value) {
    let receiver = Receiver::start(&[Reply::body(200, r#"{"text":"Success","code":0}"#)]).await;
    let world = with_soc(&receiver, members).await;
    let response = world.batch(json!({"notify": "soc", "requests": requests})).await;
    assert_eq!(response.header("x-notified"), "soc=delivered");
    (receiver.only(), response.answer())
}

#[tokio::test]
async fn to_a_chat_a_batch_is_one_digest_of_all_its_items() {
    let requests = json!([{"alert_id": ALERT}, {"machine": MACHINE}, {"user": USER}, {"alert_id": "da1_1"}]);
    for kind in ["slack", "teams"] {
        let (post, answer) = batch_to(json!({"kind": kind}), &requests).await;
        let text = String::from_utf8(post.body).expect("text");
        for item in &answer["results"].as_array().expect("results")[..3] {
            let summary = item["enrichment"]["summary"].as_str().expect("a summary");
            // Names stand in code style, apart from the words around them.
            let title = summary.split([':', '.']).next().expect("a title");
            assert!(title.split(' ').all(|word| text.contains(&word.replace('\\', "\\\\"))), "{title}: {text}");
        }
        assert!(
            text.contains("da1_1: Defender knows no alert") && text.contains("4 subjects: 3 with an answer"),
            "{text}"
        );
    }
    let many: Vec<_> = (0..25).map(|_| json!({"alert_id": ALERT})).collect();
    let (post, _) = batch_to(json!({"kind": "teams"}), &json!(many)).await;
    assert!(post.body.len() <= 28_000, "{} bytes", post.body.len());
    let (post, _) = batch_to(json!({"kind": "slack"}), &json!(many)).await;
    let message = post.json();
    assert!(message["blocks"].as_array().is_some_and(|blocks| blocks.len() <= 50), "{message}");
}

#[tokio::test]
async fn to_splunk_a_batch_is_one_body_with_an_event_for_each_item() {
    let requests = json!([{"alert_id": ALERT}, {"alert_id": "da1_1"}]);
    let (post, _) = batch_to(json!({"kind": "splunk_hec", "token": HEC_TOKEN}), &requests).await;
    let events: Vec<Value> =
        serde_json::Deserializer::from_slice(&post.body).into_iter().map(|event| event.expect("JSON")).collect();
    let told: Vec<_> = events.iter().map(|event| (&event["sourcetype"], &event["event"])).collect();
    assert_eq!((told[0].0, &told[0].1["id"]), (&json!("defender_enrich:json"), &json!(ALERT)));
    assert_eq!((told[1].0, &told[1].1["input"]), (&json!("defender_enrich:problem"), &json!("da1_1")));
    assert_eq!(told[1].1["problem"]["code"], "not_found");
}

#[tokio::test]
async fn a_batch_without_an_answer_is_posted_nowhere() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, json!({"kind": "slack"})).await;
    let response = world.batch(json!({"notify": "soc", "requests": [{"alert_id": "da1_1"}, {"file_hash": "x"}]})).await;
    assert_eq!(
        response.answer()["notified"],
        json!({"destination": "soc", "outcome": "nothing_to_send", "status": null})
    );
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_batch_that_names_an_unknown_destination_around_its_items_is_422() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, webhook()).await;
    let body = json!({"requests": [{"alert_id": ALERT}], "notify": "other"});
    let response = world.batch(body).await;
    assert_eq!(response.problem(422, "invalid_request")["errors"][0]["pointer"], "/notify");
    let body = json!({"requests": [{"alert_id": ALERT}]}).to_string();
    let response = world.send(Request::post("/v1/enrich/batch?notify=other", body)).await;
    assert_eq!(response.problem(422, "invalid_request")["errors"][0]["pointer"], "?notify");
    assert_eq!((world.defender_calls(), receiver.connections()), (0, 0));
}

#[tokio::test]
async fn a_batch_waits_for_its_posts_no_longer_than_for_one() {
    let receiver = Receiver::start(&[Reply::Silence]).await;
    let soc = json!({"kind": "slack", "url": receiver.url("/")});
    let world = world(&json!({"soc": soc}), &[PRIVATE, ("ENRICH_TIMEOUT_MS", "4000")]).await;
    let requests: Vec<_> = (0..12).map(|_| json!({"alert_id": ALERT})).collect();
    let (response, waited) = fast_forward(world.batch(json!({"requests": requests, "notify": "soc"}))).await;
    let answer = response.answer();
    assert!(waited < Duration::from_millis(4200), "{waited:?}");
    assert_eq!(answer["counts"]["ok"], 12);
    for item in answer["results"].as_array().expect("results") {
        assert_eq!(item["enrichment"]["notified"]["outcome"], "timed_out");
    }
}

#[tokio::test]
async fn neither_address_nor_token_is_ever_logged_or_answered() {
    for json in [true, false] {
        let (log, _guard) = Log::start(json);
        let mut response = String::new();
        for say in [
            Reply::status(200),
            Reply::body(400, HEC_TOKEN),
            Reply::Status(302, "location: https://CANARY.example/", String::new()),
            Reply::status(500),
            Reply::Close,
        ] {
            for members in [webhook(), json!({"kind": "slack"}), json!({"kind": "splunk_hec", "token": HEC_TOKEN})] {
                let receiver = Receiver::start(std::slice::from_ref(&say)).await;
                response += &notify(&with_soc(&receiver, members).await).await.text();
                // As a number of its own: by chance the same digits stand in request ids and fractions of seconds.
                let (text, port) = (log.text(), receiver.address.port().to_string());
                assert!(text.split(|letter: char| !letter.is_ascii_alphanumeric()).all(|word| word != port), "{text}");
            }
        }
        for members in [
            json!({"kind": "slack", "url": "https://CANARY.invalid/CANARY"}),
            json!({"kind": "slack", "url": "https://10.1.2.3/CANARY"}),
            json!({"kind": "CANARY", "url": "https://CANARY.example"}),
            json!({"kind": "webhook", "url": "https://localhost/CANARY", "token": "CANARY"}),
            json!("CANARY"),
        ] {
            let world = world(&json!({"soc": members, "https://CANARY.example": {}}), &[]).await;
            response += &notify(&world).await.text();
        }
        let broken = world(&json!("CANARY"), &[]).await;
        notify(&broken).await.problem(422, "invalid_request");
        for text in [log.text(), response] {
            assert!(!text.contains("CANARY") && !text.contains(&signing_token()), "{text}");
        }
        assert!(log.text().contains("was not delivered") && log.text().contains("soc"), "{}", log.text());
    }
}
