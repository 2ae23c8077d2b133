//! An answer also goes to a destination that the operator has set up, and the caller is told what became of it.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use defender_sandbox::{CALLER_SECRET, DEMO_KEY, Fault, Route, Times};
use ring::hmac;
use serde_json::{Value, json};

use crate::client::{Ask, Heard, timeless, timeless_text};
use crate::harness::{ALERT, MACHINE, USER, World, hasten, new_sandbox};
use crate::log::Log;
use crate::receiver::{Post, Receiver, Say};

const PRIVATE: (&str, &str) = ("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "true");
const HEC_TOKEN: &str = "CANARY-4f1c-4f0e-9c52-1f8d8f3a7b11";
const KEY: &[u8] = b"CANARY of twenty-four bytes";

fn signing_token() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// A service with these destinations.
async fn world(destinations: &Value, changes: &[(&str, &str)]) -> World {
    let sandbox = new_sandbox().await;
    let secret = json!({"api_keys": {"soar": [DEMO_KEY]}, "destinations": destinations});
    sandbox.put_secret(CALLER_SECRET, &secret.to_string());
    World::around(sandbox, changes).await
}

/// A service with one destination, `soc`, behind the receiver.
async fn with_soc(receiver: &Receiver, members: Value) -> World {
    let soc = crate::harness::changed(json!({"url": receiver.url("/CANARY/in?sig=CANARY")}), members);
    world(&json!({"soc": soc}), &[PRIVATE]).await
}

fn webhook() -> Value {
    json!({"kind": "webhook", "token": signing_token()})
}

async fn notify(world: &World) -> Heard {
    world.post(json!({"alert_id": ALERT, "notify": "soc"})).await
}

#[track_caller]
fn assert_notified(heard: &Heard, outcome: &str, status: impl Into<Value>) {
    let notified = json!({"destination": "soc", "outcome": outcome, "status": status.into()});
    assert_eq!(heard.answer()["notified"], notified);
    assert_eq!(heard.header("x-notified"), format!("soc={outcome}"));
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
    let seconds: u64 = timestamp.parse().expect("seconds");
    let now = post.wall.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(now.abs_diff(seconds) <= 1, "{now} {seconds}");
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &post.body].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), &signed);
    assert_eq!(post.header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));
}

#[tokio::test]
async fn a_webhook_gets_the_answer_signed() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, webhook()).await;
    let heard = notify(&world).await;
    assert_notified(&heard, "delivered", 200);
    let post = receiver.only();
    assert_eq!((post.target.as_str(), post.header("content-type")), ("/CANARY/in?sig=CANARY", "application/json"));
    assert!(post.header("authorization").is_empty());
    assert_signed(&post);
    let posted: Value = serde_json::from_slice(&post.body).expect("JSON");
    assert_eq!(posted.get("notified"), None);
    assert_eq!(timeless(posted), unnotified(heard.answer()));
}

#[tokio::test]
async fn whatever_its_format_a_webhook_gets_json() {
    for format in ["json", "ocsf", "ocsf_ndjson", "ecs", "slack", "teams", "markdown", "text"] {
        let receiver = Receiver::start(&[]).await;
        let members = json!({"kind": "webhook", "token": signing_token(), "format": format});
        let world = with_soc(&receiver, members).await;
        assert_notified(&notify(&world).await, "delivered", 200);
        let post = receiver.only();
        assert_eq!(post.header("content-type"), "application/json", "{format}");
        assert_signed(&post);
        let posted: Value = serde_json::from_slice(&post.body).expect("JSON");
        match format {
            "markdown" | "text" => assert!(posted["text"].as_str().is_some_and(|text| text.len() > 50), "{posted}"),
            "ocsf_ndjson" => assert_eq!(posted[0]["class_uid"], 2004),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_webhook_without_a_token_is_not_signed() {
    let receiver = Receiver::start(&[Say::status(204)]).await;
    let world = with_soc(&receiver, json!({"kind": "webhook"})).await;
    assert_notified(&notify(&world).await, "delivered", 204);
    let post = receiver.only();
    assert!(post.header("webhook-id").is_empty() && post.header("webhook-signature").is_empty());
}

#[tokio::test]
async fn a_chat_gets_the_message_that_a_caller_would_get() {
    for (kind, status) in [("slack", 200), ("teams", 202)] {
        let receiver = Receiver::start(&[Say::status(status)]).await;
        let world = with_soc(&receiver, json!({"kind": kind})).await;
        assert_notified(&notify(&world).await, "delivered", status);
        let post = receiver.only();
        let target = format!("/v1/enrich?alert_id={ALERT}&format={kind}");
        let message = Ask::get(&target).send_to(world.address).await.text();
        let posted = String::from_utf8(post.body.clone()).expect("text");
        assert_eq!(post.header("content-type"), "application/json", "{kind}");
        assert_eq!(timeless_text(&posted), timeless_text(&message), "{kind}");
        assert!(post.header("authorization").is_empty());
    }
}

#[tokio::test]
async fn splunk_gets_an_event_and_has_to_say_that_it_took_it() {
    let hec = json!({"kind": "splunk_hec", "token": HEC_TOKEN});
    let receiver = Receiver::start(&[Say::body(200, r#"{"text":"Success","code":0}"#)]).await;
    let world = with_soc(&receiver, hec.clone()).await;
    let heard = notify(&world).await;
    assert_notified(&heard, "delivered", 200);
    let post = receiver.only();
    assert_eq!(post.header("authorization"), format!("Splunk {HEC_TOKEN}"));
    let event: Value = serde_json::from_slice(&post.body).expect("JSON");
    assert_eq!(timeless(event["event"].clone()), unnotified(heard.answer()));
    assert_eq!((&event["source"], &event["sourcetype"]), (&json!("defender-enrich"), &json!("defender_enrich:json")));
    let now = post.wall.duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    assert!((event["time"].as_f64().expect("a number") - now).abs() < 2.0, "{event}");
    let flood = "0".repeat(1 << 20);
    for answer in [r#"{"text":"Incorrect index","code":7}"#, "<html>", "", &flood] {
        let receiver = Receiver::start(&[Say::body(200, answer)]).await;
        assert_notified(&notify(&with_soc(&receiver, hec.clone()).await).await, "refused", 200);
        assert_eq!(receiver.posts().len(), 1);
    }
}

#[tokio::test]
async fn a_passing_trouble_is_tried_again_with_the_same_id() {
    let receiver = Receiver::start(&[Say::status(500), Say::status(503), Say::status(200)]).await;
    let world = with_soc(&receiver, webhook()).await;
    assert_notified(&notify(&world).await, "delivered", 200);
    let posts = receiver.posts();
    assert_eq!(posts.len(), 3);
    for post in &posts {
        assert_signed(post);
        assert_eq!(post.header("webhook-id"), posts[0].header("webhook-id"));
        assert_eq!(post.body, posts[0].body);
    }
    notify(&world).await;
    assert_ne!(receiver.posts()[3].header("webhook-id"), posts[0].header("webhook-id"));
}

#[tokio::test]
async fn what_lasts_is_told_after_as_many_tries_as_are_safe() {
    // A gateway that answers 502 or 504 may have passed the post on.
    for (status, posts_to_chats) in [(500, 1), (502, 1), (504, 1), (599, 1), (503, 3)] {
        let hec = json!({"kind": "splunk_hec", "token": HEC_TOKEN});
        for (members, posts) in [
            (json!({"kind": "slack"}), posts_to_chats),
            (json!({"kind": "teams"}), posts_to_chats),
            (hec, posts_to_chats),
            (json!({"kind": "webhook"}), posts_to_chats),
            (webhook(), 3),
        ] {
            let receiver = Receiver::start(&[Say::status(status)]).await;
            assert_notified(&notify(&with_soc(&receiver, members.clone()).await).await, "failed", status);
            assert_eq!(receiver.posts().len(), posts, "{status} {members}");
        }
    }
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_kept_if_it_fits() {
    let busy = |seconds| Say::Status(429, seconds, String::new());
    let receiver = Receiver::start(&[busy("retry-after: 2"), Say::status(200)]).await;
    let world = with_soc(&receiver, json!({"kind": "slack"})).await;
    assert_notified(&hasten(notify(&world)).await.0, "delivered", 200);
    let posts = receiver.posts();
    assert!(posts[1].at - posts[0].at >= Duration::from_secs(2), "{posts:?}");

    let receiver = Receiver::start(&[busy("retry-after: 30")]).await;
    let world = with_soc(&receiver, json!({"kind": "slack"})).await;
    let (answer, waited) = hasten(notify(&world)).await;
    assert_notified(&answer, "failed", 429);
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    receiver.only();
}

#[tokio::test]
async fn what_is_refused_is_not_tried_again_and_a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(&[]).await;
    let location: &'static str = Box::leak(format!("location: {}", elsewhere.url("/")).into_boxed_str());
    let redirects = [301, 302, 307, 308].map(|status| Say::Status(status, location, String::new()));
    let refusals = [400, 401, 403, 404, 410, 413].map(|status| Say::body(status, "invalid_payload"));
    for say in redirects.into_iter().chain(refusals) {
        let Say::Status(status, ..) = say else { panic!("no status") };
        let receiver = Receiver::start(&[say]).await;
        assert_notified(&notify(&with_soc(&receiver, webhook()).await).await, "refused", status);
        receiver.only();
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_post_that_may_have_arrived_is_repeated_only_where_that_can_be_told() {
    let receiver = Receiver::start(&[Say::Goodbye, Say::status(200)]).await;
    assert_notified(&notify(&with_soc(&receiver, json!({"kind": "slack"})).await).await, "failed", Value::Null);
    receiver.only();
    let receiver = Receiver::start(&[Say::Goodbye, Say::status(200)]).await;
    assert_notified(&notify(&with_soc(&receiver, webhook()).await).await, "delivered", 200);
    assert_eq!(receiver.posts().len(), 2);
}

#[tokio::test]
async fn silence_costs_the_caller_no_answer_and_no_more_than_the_deadline() {
    for (members, posts) in [(json!({"kind": "teams"}), 1), (webhook(), 2)] {
        let receiver = Receiver::start(&[Say::Nothing]).await;
        let soc = crate::harness::changed(json!({"url": receiver.url("/")}), members);
        let world = world(&json!({"soc": soc}), &[PRIVATE, ("ENRICH_TIMEOUT_MS", "4000")]).await;
        let (answer, waited) = hasten(notify(&world)).await;
        assert_notified(&answer, "timed_out", Value::Null);
        assert!(waited < Duration::from_millis(4200), "{waited:?}");
        assert!(receiver.posts().len() >= posts, "{:?}", receiver.posts());
    }
}

#[tokio::test]
async fn nobody_at_home_is_a_failure_that_is_told() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let world = world(&json!({"soc": {"kind": "slack", "url": format!("http://{gone}/")}}), &[PRIVATE]).await;
    assert_notified(&notify(&world).await, "failed", Value::Null);
}

#[tokio::test]
async fn an_unknown_destination_is_422_before_any_call() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, webhook()).await;
    for name in ["other", "SOC", "soc ", "https://hooks.example.com/x", "\rx\n"] {
        let heard = world.post(json!({"alert_id": ALERT, "notify": name})).await;
        assert_eq!(heard.problem(422, "invalid_request")["errors"][0]["pointer"], "/notify");
        assert!(!heard.text().contains("soc"), "{}", heard.text());
    }
    let heard = world.get(&[("alert_id", ALERT), ("notify", "other")]).await;
    assert_eq!(heard.problem(422, "invalid_request")["errors"][0]["pointer"], "?notify");
    for value in [json!(7), json!(["soc"]), json!({"url": receiver.url("/")})] {
        world.post(json!({"alert_id": ALERT, "notify": value})).await.problem(422, "invalid_request");
    }
    assert_eq!((world.defender_calls(), receiver.connections()), (0, 0));
}

#[tokio::test]
async fn without_the_setting_nothing_private_is_connected_to() {
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
    let posted: Value = serde_json::from_slice(&receiver.only().body).expect("JSON");
    assert_eq!((&posted["found"], &posted["id"]), (&json!(false), &json!("da1_1")));
}

#[tokio::test]
async fn who_names_no_destination_is_told_of_none() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, webhook()).await;
    let heard = world.post(json!({"alert_id": ALERT, "notify": ""})).await;
    assert_eq!((heard.answer().get("notified"), heard.header("x-notified")), (None, ""));
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_format_that_cannot_say_it_says_it_in_a_header() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, webhook()).await;
    let target = format!("/v1/enrich?alert_id={ALERT}&format=text&notify=soc");
    let heard = Ask::get(&target).send_to(world.address).await;
    assert_eq!((heard.status, heard.header("x-notified")), (200, "soc=delivered"));
    assert!(heard.header("content-type").starts_with("text/plain"));
    assert_eq!(receiver.only().header("content-type"), "application/json");
}

#[tokio::test]
async fn a_batch_is_one_post_to_each_destination_and_tells_so() {
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
            let posted: Value = serde_json::from_slice(&post.body).expect("JSON");
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
    let receiver = Receiver::start(&[Say::body(200, r#"{"text":"Success","code":0}"#)]).await;
    let world = with_soc(&receiver, members).await;
    let heard = world.batch(json!({"notify": "soc", "requests": requests})).await;
    assert_eq!(heard.header("x-notified"), "soc=delivered");
    (receiver.only(), heard.answer())
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
    let message: Value = serde_json::from_slice(&post.body).expect("JSON");
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
    let heard = world.batch(json!({"notify": "soc", "requests": [{"alert_id": "da1_1"}, {"file_hash": "x"}]})).await;
    assert_eq!(heard.answer()["notified"], json!({"destination": "soc", "outcome": "nothing_to_send", "status": null}));
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_batch_that_names_an_unknown_destination_around_its_items_is_422() {
    let receiver = Receiver::start(&[]).await;
    let world = with_soc(&receiver, webhook()).await;
    let body = json!({"requests": [{"alert_id": ALERT}], "notify": "other"});
    let heard = world.batch(body).await;
    assert_eq!(heard.problem(422, "invalid_request")["errors"][0]["pointer"], "/notify");
    let body = json!({"requests": [{"alert_id": ALERT}]}).to_string();
    let heard = world.send(Ask::post("/v1/enrich/batch?notify=other", body)).await;
    assert_eq!(heard.problem(422, "invalid_request")["errors"][0]["pointer"], "?notify");
    assert_eq!((world.defender_calls(), receiver.connections()), (0, 0));
}

#[tokio::test]
async fn a_batch_waits_for_its_posts_no_longer_than_for_one() {
    let receiver = Receiver::start(&[Say::Nothing]).await;
    let soc = json!({"kind": "slack", "url": receiver.url("/")});
    let world = world(&json!({"soc": soc}), &[PRIVATE, ("ENRICH_TIMEOUT_MS", "4000")]).await;
    let requests: Vec<_> = (0..12).map(|_| json!({"alert_id": ALERT})).collect();
    let (heard, waited) = hasten(world.batch(json!({"requests": requests, "notify": "soc"}))).await;
    let answer = heard.answer();
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
        let mut heard = String::new();
        for say in [
            Say::status(200),
            Say::body(400, HEC_TOKEN),
            Say::Status(302, "location: https://CANARY.example/", String::new()),
            Say::status(500),
            Say::Goodbye,
        ] {
            for members in [webhook(), json!({"kind": "slack"}), json!({"kind": "splunk_hec", "token": HEC_TOKEN})] {
                let receiver = Receiver::start(std::slice::from_ref(&say)).await;
                heard += &notify(&with_soc(&receiver, members).await).await.text();
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
            heard += &notify(&world).await.text();
        }
        let broken = world(&json!("CANARY"), &[]).await;
        notify(&broken).await.problem(422, "invalid_request");
        for text in [log.text(), heard] {
            assert!(!text.contains("CANARY") && !text.contains(&signing_token()), "{text}");
        }
        assert!(log.text().contains("was not delivered") && log.text().contains("soc"), "{}", log.text());
    }
}
