//! Several processes, and a table in memory behind the SDK's own protocol. The clock is paused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, advance, sleep, timeout};

use super::deliveries::SharedDeliveries;
use super::quota::{Decision, Request, SharedLedger};
use super::table::Table;
use crate::client::CallLimits;
use crate::clock::Clock;
use crate::config::Settings;
use crate::credentials::aws::AwsAccess;
use crate::domain::timestamp::Timestamp;

/// How long the table takes to answer.
const LATENCY: Duration = Duration::from_millis(4);
const LIMITS: CallLimits = CallLimits { per_minute: Some(100), per_hour: Some(1500), required_calls: None };

thread_local! {
    static START: Instant = Instant::now();
}

fn right_time() -> Timestamp {
    Timestamp::from_unix_seconds(1_800_000_000).later(START.with(Instant::elapsed))
}

const RIGHT: Clock = Clock::new(right_time);
const AHEAD: Clock = Clock::new(|| right_time().later(Duration::from_secs(100)));
const FAR_AHEAD: Clock = Clock::new(|| right_time().later(Duration::from_secs(5_000)));

/// The table itself.
#[derive(Clone, Debug, Default)]
struct Store(Arc<Mutex<StoreState>>);

#[derive(Debug, Default)]
struct StoreState {
    items: Map<String, Value>,
    /// The operations that were asked for, and whether each was refused by its condition.
    asked: Vec<(String, bool)>,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Silent,
    Slow(Duration),
    Broken,
    Error(u16, &'static str),
    /// The operation is done, and the answer is this.
    Answer(&'static str),
}

impl Store {
    fn state(&self) -> MutexGuard<'_, StoreState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, fault: impl Into<Option<Fault>>) {
        self.state().fault = fault.into();
    }

    /// How many operations were asked for since the last call, and how many of those were refused by their condition.
    fn asked(&self) -> (usize, usize) {
        let asked = std::mem::take(&mut self.state().asked);
        (asked.len(), asked.iter().filter(|(_, refused)| *refused).count())
    }

    /// The ledger's attribute.
    fn ledger(&self) -> Value {
        self.state().items.values().next().expect("an item")["ledger"].clone()
    }

    /// Replaces the attributes of the only item.
    fn put(&self, attributes: Value) {
        let state = &mut *self.state();
        let item = state.items.values_mut().next().expect("an item");
        let key = item["pk"].clone();
        *item = attributes;
        item["pk"] = key;
    }

    fn table(&self) -> Arc<Table> {
        let connector = SharedHttpConnector::new(self.clone());
        let lookup = |name: &str| match name {
            "STATE_TABLE" => Some("table".to_owned()),
            "DEFENDER_SECRET_ID" => Some("secret".to_owned()),
            _ => None,
        };
        let name = Settings::from_lookup(lookup).expect("settings").state_table.expect("a table");
        Arc::new(Table::new(&AwsAccess::through(http_client_fn(move |_, _| connector.clone())), name))
    }

    /// The ledger as another process has it.
    fn process(&self, clock: Clock) -> Arc<SharedLedger> {
        Arc::new(SharedLedger::new(self.table(), clock, "quota#1".to_owned(), LIMITS))
    }

    fn perform(&self, operation: &str, request: &Value) -> (u16, Value) {
        let mut state = self.state();
        let key = request["Key"]["pk"]["S"].as_str().or_else(|| request["Item"]["pk"]["S"].as_str()).expect("a key");
        let item = state.items.get(key).cloned();
        let values = &request["ExpressionAttributeValues"];
        let attribute = item.as_ref().and_then(|item| item.get("ledger"));
        let holds = match request["ConditionExpression"].as_str() {
            None => true,
            Some("attribute_not_exists(pk)") => item.is_none(),
            Some("attribute_not_exists(ledger)") => attribute.is_none(),
            Some("ledger = :seen") => attribute == Some(&values[":seen"]),
            Some(other) => panic!("{other}"),
        };
        state.asked.push((operation.to_owned(), !holds));
        let refusal = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"});
        match (operation, item) {
            ("GetItem", Some(item)) => (200, json!({"Item": item})),
            ("GetItem", None) => (200, json!({})),
            ("UpdateItem", Some(item)) if !holds => {
                (400, json!({"__type": refusal["__type"], "message": "", "Item": item}))
            }
            ("UpdateItem", None) if !holds => (400, refusal),
            ("UpdateItem", item) => {
                let written = json!({"ledger": values[":ledger"], "expires_at": values[":end"]});
                let mut item = item.unwrap_or_else(|| json!({"pk": {"S": key}}));
                item["ledger"] = written["ledger"].clone();
                item["expires_at"] = written["expires_at"].clone();
                state.items.insert(key.to_owned(), item);
                (200, json!({"Attributes": written}))
            }
            ("PutItem", _) => {
                state.items.insert(key.to_owned(), request["Item"].clone());
                (200, json!({}))
            }
            other => panic!("{other:?}"),
        }
    }
}

impl HttpConnector for Store {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let store = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").expect("a target").to_owned();
            let operation = target.rsplit('.').next().expect("an operation");
            let body = serde_json::from_slice(request.body().bytes().expect("a body")).expect("JSON");
            let fault = store.state().fault;
            sleep(LATENCY / 2).await;
            let (status, answer) = match fault {
                Some(Fault::Error(status, code)) => {
                    store.state().asked.push((operation.to_owned(), false));
                    (status, json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}")}).to_string())
                }
                Some(Fault::Broken) => {
                    store.state().asked.push((operation.to_owned(), false));
                    return Err(ConnectorError::io("the connection broke".into()));
                }
                Some(Fault::Silent) => {
                    store.state().asked.push((operation.to_owned(), false));
                    std::future::pending().await
                }
                Some(Fault::Answer(answer)) => (store.perform(operation, &body).0, answer.to_owned()),
                Some(Fault::Slow(_)) | None => {
                    let (status, answer) = store.perform(operation, &body);
                    (status, answer.to_string())
                }
            };
            sleep(if let Some(Fault::Slow(delay)) = fault { delay } else { LATENCY / 2 }).await;
            let answer = http::Response::builder().status(status).body(SdkBody::from(answer)).expect("an answer");
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

async fn take(process: &Arc<SharedLedger>) -> Option<Decision> {
    process.clone().ask(Request::Take { cost: 1, required_calls: None }).await
}

/// How many of these concurrent calls are allowed, have to wait, and count on the share of the process.
async fn crowd(process: &Arc<SharedLedger>, calls: usize) -> [usize; 3] {
    counted(join_all((0..calls).map(|_| take(process))).await)
}

/// The same of calls that are made one after another, with some time between them.
async fn queue(process: &Arc<SharedLedger>, calls: usize) -> [usize; 3] {
    let mut decisions = Vec::new();
    for _ in 0..calls {
        decisions.push(take(process).await);
        sleep(LATENCY * 2).await;
    }
    counted(decisions)
}

fn counted(decisions: Vec<Option<Decision>>) -> [usize; 3] {
    let mut counts = [0; 3];
    for decision in decisions {
        match decision {
            Some(Ok(())) => counts[0] += 1,
            Some(Err(_)) => counts[1] += 1,
            None => counts[2] += 1,
        }
    }
    counts
}

fn sum(counts: impl IntoIterator<Item = [usize; 3]>) -> [usize; 3] {
    counts.into_iter().fold([0; 3], |[a, b, c], [x, y, z]| [a + x, b + y, c + z])
}

#[tokio::test(start_paused = true)]
async fn processes_spend_the_limit_together_and_none_is_starved() {
    for processes in [1, 2, 4, 8] {
        let store = Store::default();
        let processes: Vec<_> = (0..processes).map(|_| store.process(RIGHT)).collect();
        let calls = 160 / processes.len();
        let spent = join_all(processes.iter().map(|process| queue(process, calls))).await;
        assert!(spent.iter().all(|[allowed, ..]| *allowed >= 60 / processes.len()), "{spent:?}");
        assert_eq!(sum(spent), [100, 60, 0]);
        let (asked, refused) = store.asked();
        assert!(asked - refused <= 100 && asked <= 100 * (processes.len() + 1), "{asked} {refused}");
        advance(Duration::from_secs(61)).await;
        let later = join_all(processes.iter().map(|process| crowd(process, calls))).await;
        assert_eq!(sum(later), [100, 60, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn processes_that_ask_at_the_same_moment_ask_again_later_and_stay_with_the_table() {
    let store = Store::default();
    let processes: Vec<_> = (0..80).map(|_| store.process(RIGHT)).collect();
    let [first, later, on_local_share] = sum(join_all(processes.iter().map(|process| crowd(process, 1))).await);
    assert!(first >= 20 && first + later == 80 && on_local_share == 0, "{first} {later} {on_local_share}");
    let patient = |process: Arc<SharedLedger>| async move {
        while let Some(Err(wait)) = take(&process).await {
            assert!(wait <= Duration::from_millis(200), "{wait:?}");
            sleep(wait).await;
        }
    };
    let begin = Instant::now();
    join_all(processes.iter().take(80 - first).cloned().map(patient)).await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn all_calls_that_wait_are_one_write_and_the_next_write_comes_after_a_pause() {
    let store = Store::default();
    let process = store.process(RIGHT);
    assert_eq!(crowd(&process, 30).await, [30, 0, 0]);
    assert_eq!(store.asked(), (1, 0));
    let begin = Instant::now();
    assert_eq!(crowd(&process, 30).await, [30, 0, 0]);
    assert_eq!(store.asked(), (1, 0));
    assert!(begin.elapsed() > Duration::from_millis(10), "{:?}", begin.elapsed());
    assert_eq!(crowd(&process, 60).await, [40, 20, 0], "what fits is taken");
    assert_eq!(crowd(&process, 60).await, [0, 60, 0]);
    assert_eq!(store.asked(), (1, 0), "a refusal needs no write");
}

#[tokio::test(start_paused = true)]
async fn a_table_in_trouble_is_left_alone_for_ten_seconds_and_holds_nobody_up() {
    for (fault, tries) in [
        (Fault::Silent, 1),
        (Fault::Slow(Duration::from_millis(600)), 1),
        (Fault::Broken, 2),
        (Fault::Error(400, "ProvisionedThroughputExceededException"), 1),
        (Fault::Error(400, "ThrottlingException"), 1),
        (Fault::Error(400, "ResourceNotFoundException"), 1),
        (Fault::Error(400, "AccessDeniedException"), 1),
        (Fault::Error(500, "InternalServerError"), 1),
        (Fault::Answer("<html>"), 1),
        (Fault::Answer(""), 1),
        (Fault::Answer("[1, 2]"), 1),
        (Fault::Answer("{}"), 1),
    ] {
        let store = Store::default();
        let process = store.process(RIGHT);
        assert_eq!(queue(&process, 2).await, [2, 0, 0]);
        // The pause after a write is over.
        advance(Duration::from_millis(100)).await;
        store.asked();
        for _ in 0..2 {
            store.fail(fault);
            let begin = Instant::now();
            assert_eq!(crowd(&process, 12).await, [0, 0, 12], "{fault:?}");
            assert!(begin.elapsed() <= Duration::from_millis(151), "{fault:?}: {:?}", begin.elapsed());
            assert_eq!(store.asked().0, tries, "{fault:?}");
            store.fail(None);
            // The task that writes gives up a moment after those who wait for it.
            sleep(Duration::from_millis(10)).await;
            advance(Duration::from_millis(9_800)).await;
            let begin = Instant::now();
            assert_eq!(crowd(&process, 12).await, [0, 0, 12], "{fault:?}");
            assert_eq!((store.asked().0, begin.elapsed()), (0, Duration::ZERO), "{fault:?}");
            advance(Duration::from_millis(210)).await;
        }
        assert_eq!(queue(&process, 2).await, [2, 0, 0], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_no_ledger_is_not_used_for_a_minute_and_then_replaced() {
    let store = Store::default();
    assert_eq!(crowd(&store.process(FAR_AHEAD), 3).await, [3, 0, 0]);
    let of_the_future = store.ledger();
    let mut cut = of_the_future.clone();
    let text = cut["B"].as_str().expect("bytes").to_owned();
    cut["B"] = json!(&text[..text.len() / 8 * 4]);
    for nonsense in [
        json!({}),
        json!({"who": {"S": "are you"}}),
        json!({"ledger": {"S": "nonsense"}, "expires_at": {"S": "nonsense"}}),
        json!({"ledger": {"N": "-1"}}),
        json!({"ledger": {"NULL": true}}),
        json!({"ledger": {"L": [{"N": "1"}]}}),
        json!({"ledger": {"B": "AAAA"}}),
        json!({"ledger": cut}),
        json!({"ledger": of_the_future}),
    ] {
        let store = Store::default();
        let (old, other) = (store.process(RIGHT), store.process(RIGHT));
        assert_eq!([crowd(&other, 1).await, crowd(&old, 98).await], [[1, 0, 0], [98, 0, 0]]);
        store.put(nonsense.clone());
        let new = store.process(RIGHT);
        for _ in 0..6 {
            for process in [&old, &other, &new] {
                assert_eq!(crowd(process, 2).await, [0, 0, 2], "{nonsense}");
            }
            advance(Duration::from_secs(10)).await;
        }
        advance(Duration::from_secs(2)).await;
        let later = [crowd(&new, 60).await, crowd(&old, 60).await, crowd(&other, 60).await];
        assert_eq!(sum(later), [100, 80, 0], "{nonsense}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vanished_item_counts_until_its_minute_has_passed() {
    let store = Store::default();
    let (process, other) = (store.process(RIGHT), store.process(RIGHT));
    assert_eq!([crowd(&process, 60).await, crowd(&other, 1).await], [[60, 0, 0], [1, 0, 0]]);
    store.state().items.clear();
    advance(Duration::from_secs(30)).await;
    assert_eq!(crowd(&process, 2).await, [0, 0, 2]);
    advance(Duration::from_secs(30)).await;
    assert_eq!(crowd(&process, 2).await, [0, 0, 2]);
    advance(Duration::from_secs(2)).await;
    assert_eq!(crowd(&process, 2).await, [2, 0, 0]);
    // An item that DynamoDB deletes after hours.
    store.state().items.clear();
    advance(Duration::from_secs(10_000)).await;
    assert_eq!(crowd(&process, 2).await, [2, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_while_an_item_turns_out_to_be_lost_does_not_replace_it() {
    let store = Store::default();
    assert_eq!(crowd(&store.process(RIGHT), 100).await, [100, 0, 0]);
    store.put(json!({"ledger": {"S": "nonsense"}}));
    store.fail(Fault::Slow(Duration::from_millis(20)));
    let new = store.process(RIGHT);
    let later = async {
        sleep(Duration::from_millis(5)).await;
        take(&new).await
    };
    assert_eq!(tokio::join!(take(&new), later), (None, None));
}

#[tokio::test(start_paused = true)]
async fn an_item_that_somebody_without_its_calls_has_written_is_not_used_for_a_minute() {
    let store = Store::default();
    let [old, full] = [store.process(RIGHT), store.process(RIGHT)];
    assert_eq!([crowd(&old, 1).await, crowd(&full, 90).await], [[1, 0, 0], [90, 0, 0]]);
    store.state().items.clear();
    assert_eq!(crowd(&store.process(RIGHT), 1).await, [1, 0, 0], "it knows nothing of the others");
    assert_eq!(crowd(&full, 50).await, [0, 0, 50]);
}

#[tokio::test(start_paused = true)]
async fn a_429_closes_the_api_for_every_process_also_without_the_table() {
    let store = Store::default();
    let (one, two) = (store.process(RIGHT), store.process(RIGHT));
    assert_eq!([crowd(&one, 1).await, crowd(&two, 1).await], [[1, 0, 0]; 2]);
    assert_eq!(one.clone().ask(Request::Close(Duration::from_secs(30))).await, Some(Ok(())));
    assert_eq!([crowd(&one, 2).await, crowd(&two, 2).await], [[0, 2, 0]; 2]);
    store.fail(Fault::Silent);
    advance(Duration::from_secs(20)).await;
    assert_eq!([crowd(&one, 2).await, crowd(&two, 2).await], [[0, 2, 0]; 2]);
    advance(Duration::from_secs(11)).await;
    assert_eq!(crowd(&two, 2).await, [0, 0, 2]);
    store.fail(None);
    assert_eq!(crowd(&one, 2).await, [2, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_opens_no_quota_and_shuts_nobody_out() {
    for clocks in [[RIGHT, AHEAD], [AHEAD, RIGHT]] {
        let store = Store::default();
        let processes = clocks.map(|clock| store.process(clock));
        for process in &processes {
            assert_eq!(crowd(process, 2).await, [2, 0, 0]);
        }
        for _ in 0..3 {
            let spent = join_all(processes.iter().map(|process| queue(process, 60))).await;
            let [allowed, _, on_local_share] = sum(spent);
            assert!((96..=100).contains(&allowed) && on_local_share == 0, "{allowed}");
            advance(Duration::from_secs(61)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_leaves_the_others_their_calls() {
    let store = Store::default();
    let process = store.process(RIGHT);
    let left = timeout(Duration::from_millis(1), take(&process));
    let (left, stayed) = tokio::join!(left, take(&process));
    assert!(left.is_err());
    assert_eq!(stayed, Some(Ok(())));
    assert_eq!(crowd(&process, 3).await, [3, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_one_process_has_answered_is_known_to_all() {
    let store = Store::default();
    let of = |secret: &str| {
        let lookup = |name: &str| match name {
            "CALLER_SECRET_ID" => Some(secret.to_owned()),
            _ => (name == "DEFENDER_SECRET_ID").then(|| "secret".to_owned()),
        };
        let settings = Settings::from_lookup(lookup).expect("settings");
        SharedDeliveries::new(store.table(), settings.caller_secret.as_ref(), RIGHT)
    };
    let (one, two, elsewhere) = (of("callers"), of("callers"), of("others"));
    one.put(b"canary").await;
    assert!(two.contains(b"canary").await && !two.contains(b"another").await && !elsewhere.contains(b"canary").await);
    assert!(!json!(store.state().items).to_string().contains("canary"));
    advance(Duration::from_secs(3 * 24 * 60 * 60)).await;
    assert!(!two.contains(b"canary").await, "it has expired, and DynamoDB has not deleted it yet");
    store.fail(Fault::Silent);
    let begin = Instant::now();
    two.put(b"canary").await;
    assert!(!two.contains(b"canary").await && begin.elapsed() <= Duration::from_millis(151));
}
