//! A service of this process between a client and the sandbox.

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use defender_enrich::app::Service;
use defender_enrich::clock::Clock;
use defender_enrich::config::Settings;
use defender_enrich::domain::timestamp::Timestamp;
use defender_sandbox::{DEMO_KEY, Route, Sandbox, Seen, Service as Server};
use futures_util::poll;
use http::{Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::client::{Ask, Heard};
use crate::shapes::assert_promised;

pub(crate) use defender_sandbox::company::showcase::{
    ALERT, FALSE_ALARM, FILE, FILE_SHA1, INCIDENT, MACHINE, MERGED_INCIDENT, PHONE, QUIET_MACHINE, REIMAGED_MACHINE,
    USER,
};

/// The device id of [`MACHINE`].
pub(crate) const DESK_042: &str = "362ded5edf49a09eff1a4645db892f3af1c2e2cd";
/// More than any test spends.
pub(crate) const NO_QUOTA: &[(&str, &str)] = &[("QUOTA_PER_MINUTE", "1000000"), ("QUOTA_PER_HOUR", "1000000")];

/// The time that [`hasten`] lets pass before it looks again.
const STEP: Duration = Duration::from_millis(100);
/// How often everything else has its turn before that.
const TURNS: usize = 2000;

/// A service that listens, and the sandbox behind it.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) service: Arc<Service>,
    pub(crate) address: SocketAddr,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With other settings than the sandbox's own; an empty one is not set.
    pub(crate) async fn with(changes: &[(&str, &str)]) -> Self {
        Self::around(new_sandbox().await, changes).await
    }

    pub(crate) async fn around(sandbox: Sandbox, changes: &[(&str, &str)]) -> Self {
        let service = Service::with_clock(&settings(&sandbox, changes), Clock::new(clock)).expect("a service");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = service.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { sandbox, service, address }
    }

    /// Sends a request over the network.
    pub(crate) async fn send(&self, ask: Ask) -> Heard {
        let heard = ask.send_to(self.address).await;
        assert_promised(&ask.target, &heard);
        heard
    }

    /// Hands a subject to the router without the network, for tests of thousands.
    pub(crate) async fn hand_in(&self, field: &str, value: &Value) -> Heard {
        let request = Request::post("/v1/enrich").header("x-api-key", DEMO_KEY);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let body = json!({field: value}).to_string();
        let response = self.service.router().oneshot(request.body(Body::from(body)).expect("a request")).await;
        let (parts, body) = response.expect("an answer").into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        let heard = Heard { status: parts.status.as_u16(), headers: parts.headers, body };
        assert_promised("/v1/enrich", &heard);
        heard
    }

    /// `POST /v1/enrich`.
    pub(crate) async fn post(&self, body: Value) -> Heard {
        self.send(Ask::post("/v1/enrich", body.to_string())).await
    }

    /// `POST /v1/enrich/batch`.
    pub(crate) async fn batch(&self, body: Value) -> Heard {
        self.send(Ask::post("/v1/enrich/batch", body.to_string())).await
    }

    /// `GET /v1/enrich?…`.
    pub(crate) async fn get(&self, fields: &[(&str, &str)]) -> Heard {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Ask::get(&format!("/v1/enrich?{query}"))).await
    }

    pub(crate) async fn alert(&self, id: &str) -> Heard {
        self.post(json!({"alert_id": id})).await
    }

    pub(crate) async fn incident(&self, id: &str) -> Heard {
        self.post(json!({"incident_id": id})).await
    }

    /// What was asked for on a route.
    pub(crate) fn seen(&self, route: Route) -> Vec<Seen> {
        self.sandbox.seen().into_iter().filter(|seen| seen.route == Some(route)).collect()
    }

    /// How often a route was asked.
    pub(crate) fn calls(&self, route: Route) -> usize {
        self.seen(route).len()
    }

    /// How often a secret was read.
    pub(crate) fn reads(&self, secret: &str) -> usize {
        self.seen(Route::Secret).iter().filter(|seen| seen.key == secret).count()
    }

    /// How often a Defender API was asked for anything.
    pub(crate) fn defender_calls(&self) -> usize {
        let is_api = |seen: &&Seen| matches!(seen.service, Server::Defender | Server::Xdr);
        self.sandbox.seen().iter().filter(is_api).count()
    }
}

pub(crate) async fn new_sandbox() -> Sandbox {
    Sandbox::start().await.expect("a sandbox")
}

/// Settings of a service that asks the older APIs, unless they are changed.
pub(crate) fn settings(sandbox: &Sandbox, changes: &[(&str, &str)]) -> Settings {
    let own = sandbox.settings();
    let lookup = |name: &str| {
        let given = changes.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let given = given.or_else(|| (name == "DEFENDER_BACKEND").then(|| "defender".to_owned()));
        given.or_else(|| own.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
    };
    Settings::from_lookup(lookup).expect("settings")
}

/// The field that names a subject of a kind.
pub(crate) fn field(kind: &str) -> &'static str {
    match kind {
        "alert" => "alert_id",
        "machine" => "machine",
        "user" => "user",
        "file" => "file_hash",
        "incident" => "incident_id",
        "ip" => "ip",
        "domain" => "domain",
        other => panic!("no kind: {other}"),
    }
}

/// Lets time pass for everything that waits, without waiting. The wall clock stays where it is.
pub(crate) async fn pass(span: Duration) {
    let _still = Stillness::begin();
    tokio::time::advance(span).await;
}

/// What comes of something that waits, and how much time has to pass for it. Nobody waits for the time, and none passes
/// otherwise, so it makes no difference how busy the machine is.
pub(crate) async fn hasten<T>(waiting: impl Future<Output = T>) -> (T, Duration) {
    let _still = Stillness::begin();
    let mut waiting = pin!(waiting);
    let mut passed = Duration::ZERO;
    loop {
        // Whatever need not wait comes first.
        for _ in 0..TURNS {
            if let Poll::Ready(done) = poll!(&mut waiting) {
                return (done, passed);
            }
            tokio::task::yield_now().await;
        }
        tokio::time::advance(STEP).await;
        passed += STEP;
    }
}

/// As long as one exists, the clock of this test stands still unless it is advanced.
struct Stillness;

impl Stillness {
    fn begin() -> Self {
        if STILL.replace(STILL.get() + 1) == 0 {
            tokio::time::pause();
        }
        Self
    }
}

impl Drop for Stillness {
    fn drop(&mut self) {
        if STILL.replace(STILL.get() - 1) == 1 {
            tokio::time::resume();
        }
    }
}

thread_local! {
    /// How many want the clock to stand still.
    static STILL: Cell<usize> = const { Cell::new(0) };
    /// The wall clock of the services of this test. It stands still unless it is set.
    static WALL_CLOCK: Cell<Timestamp> = Cell::new(Timestamp::from(SystemTime::from(jiff::Timestamp::now())));
}

fn clock() -> Timestamp {
    WALL_CLOCK.get()
}

/// Lets answers that are remembered become older.
pub(crate) fn age(seconds: u64) {
    WALL_CLOCK.set(clock().later(Duration::from_secs(seconds)));
}

/// An alert in Defender's own shape: every member there, null where it does not apply.
pub(crate) fn dense_alert(id: &str) -> Value {
    json!({
        "id": id, "incidentId": null, "investigationId": null, "assignedTo": null, "severity": "Low",
        "status": "New", "classification": null, "determination": null, "investigationState": null,
        "detectionSource": "WindowsDefenderAtp", "detectorId": null, "category": "Execution",
        "threatFamilyName": null, "title": "Something ran", "description": "It should not have.",
        "alertCreationTime": "2026-11-03T08:15:42.036Z", "firstEventTime": "2026-11-03T08:14:00Z",
        "lastEventTime": "2026-11-03T08:14:30Z", "lastUpdateTime": "2026-11-03T08:20:00.7Z", "resolvedTime": null,
        "machineId": DESK_042, "computerDnsName": MACHINE, "rbacGroupName": null, "aadTenantId": null,
        "threatName": null, "mitreTechniques": [], "relatedUser": null, "loggedOnUsers": [], "comments": [],
        "evidence": [], "domains": []
    })
}

/// The same with other members.
pub(crate) fn alert_with(id: &str, changes: Value) -> Value {
    changed(dense_alert(id), changes)
}

/// An object with other members.
pub(crate) fn changed(mut object: Value, changes: Value) -> Value {
    let (Value::Object(members), Value::Object(changes)) = (&mut object, changes) else { panic!("no objects") };
    members.extend(changes);
    object
}
