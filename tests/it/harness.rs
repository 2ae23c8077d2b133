//! A service in this process, between a client and the sandbox.

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use defender_enrich::app;
use defender_enrich::clock::Clock;
use defender_enrich::config::Settings;
use defender_enrich::domain::timestamp::Timestamp;
use futures_util::poll;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::{Request, Response};
use crate::shapes::assert_promised;

// The only import of the sandbox: the other modules take it from here.
pub(crate) use defender_sandbox::company::showcase::{
    ADDRESS, ALERT, DOMAIN, FALSE_ALARM, FILE, FILE_SHA1, INCIDENT, MACHINE, MERGED_INCIDENT, PHONE, QUIET_MACHINE,
    REIMAGED_MACHINE, SIGNED_FILE, USER,
};
pub(crate) use defender_sandbox::{
    CALLER_SECRET, CLIENT_ID, DEFENDER_AUDIENCE, DEFENDER_SECRET, DEMO_KEY, DEMO_PAGERDUTY_SECRET, DEMO_SLACK_SECRET,
    DEMO_SPLUNK_TOKEN, DEMO_TEAMS_SECRET, DEMO_WEBHOOK_SECRET, Encoding, Fault, GRAPH_AUDIENCE, Route, STS_ISSUER,
    Sandbox, Seen, Service, TENANT_ID, Times, XDR_AUDIENCE, company, demo_callers, showcase,
};

/// The device id of [`MACHINE`].
pub(crate) const DESK_042: &str = "362ded5edf49a09eff1a4645db892f3af1c2e2cd";
/// More than any test spends.
pub(crate) const NO_QUOTA: &[(&str, &str)] = &[("QUOTA_PER_MINUTE", "1000000"), ("QUOTA_PER_HOUR", "1000000")];
/// The same, and the longest deadline: much work takes long on a busy machine.
pub(crate) const PATIENT: &[(&str, &str)] = &[NO_QUOTA[0], NO_QUOTA[1], ("ENRICH_TIMEOUT_MS", "120000")];
pub(crate) const NO_CACHE: (&str, &str) = ("CACHE_TTL_S", "0");

/// The time that [`fast_forward`] lets pass before it looks again.
const STEP: Duration = Duration::from_millis(100);
/// How often everything else has its turn before that.
const TURNS: usize = 2000;

/// A service that listens, and the sandbox behind it.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) service: Arc<app::Service>,
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

    /// With another text in a secret.
    pub(crate) async fn with_secret(name: &str, text: &str, changes: &[(&str, &str)]) -> Self {
        let sandbox = new_sandbox().await;
        sandbox.put_secret(name, text);
        Self::around(sandbox, changes).await
    }

    pub(crate) async fn around(sandbox: Sandbox, changes: &[(&str, &str)]) -> Self {
        let service = app::Service::with_clock(&settings(&sandbox, changes), Clock::new(clock)).expect("a service");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = service.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { sandbox, service, address }
    }

    /// Sends a request over the network.
    pub(crate) async fn send(&self, request: Request) -> Response {
        let response = request.send_to(self.address).await;
        assert_promised(&request.target, &response);
        response
    }

    /// Asks about a subject without the network, for tests of thousands.
    pub(crate) async fn ask(&self, field: &str, value: impl Serialize) -> Response {
        let request = Request::post("/v1/enrich", json!({field: value}).to_string());
        let response = request.send_through(self.service.router()).await;
        assert_promised("/v1/enrich", &response);
        response
    }

    /// `POST /v1/enrich`.
    pub(crate) async fn post(&self, body: Value) -> Response {
        self.send(Request::post("/v1/enrich", body.to_string())).await
    }

    /// `POST /v1/enrich/batch`.
    pub(crate) async fn batch(&self, body: Value) -> Response {
        self.send(Request::post("/v1/enrich/batch", body.to_string())).await
    }

    /// `GET /v1/enrich?…`.
    pub(crate) async fn get(&self, fields: &[(&str, &str)]) -> Response {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Request::get(&format!("/v1/enrich?{query}"))).await
    }

    pub(crate) async fn alert(&self, id: &str) -> Response {
        self.post(json!({"alert_id": id})).await
    }

    pub(crate) async fn incident(&self, id: &str) -> Response {
        self.post(json!({"incident_id": id})).await
    }

    /// What was asked for on a route.
    pub(crate) fn seen(&self, route: Route) -> Vec<Seen> {
        seen(&self.sandbox, route)
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
        let is_api = |seen: &&Seen| matches!(seen.service, Service::Defender | Service::Xdr);
        self.sandbox.seen().iter().filter(is_api).count()
    }

    /// Adds an alert of Defender with these members and whatever else such an alert has.
    pub(crate) fn put_alert(&self, id: &str, members: Value) {
        self.sandbox.put_alert(alert_with(id, members)).expect("an alert");
    }
}

pub(crate) async fn new_sandbox() -> Sandbox {
    Sandbox::start().await.expect("a sandbox")
}

/// What was asked of a sandbox on a route.
pub(crate) fn seen(sandbox: &Sandbox, route: Route) -> Vec<Seen> {
    sandbox.seen().into_iter().filter(|seen| seen.route == Some(route)).collect()
}

/// The callers of the demo, with other members.
pub(crate) fn callers_with(members: Value) -> String {
    changed(demo_callers(), members).to_string()
}

/// The environment of a service that asks the older APIs, unless that is changed. An empty variable is not set.
pub(crate) fn environment(sandbox: &Sandbox, changes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut environment = sandbox.settings();
    for (name, value) in [("DEFENDER_BACKEND", "defender")].iter().chain(changes) {
        environment.retain(|(known, _)| known != name);
        environment.push((name, (*value).to_owned()));
    }
    environment
}

/// The same as checked settings.
pub(crate) fn settings(sandbox: &Sandbox, changes: &[(&str, &str)]) -> Settings {
    let own = environment(sandbox, &[]);
    let lookup = |name: &str| {
        let other = changes.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        other.or_else(|| own.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
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
pub(crate) async fn advance(span: Duration) {
    let _still = Stillness::begin();
    tokio::time::advance(span).await;
}

/// The outcome of something that waits, and how much time has to pass for it. Nobody waits for that time, and none passes
/// otherwise, so it makes no difference how busy the machine is.
pub(crate) async fn fast_forward<T>(waiting: impl Future<Output = T>) -> (T, Duration) {
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

/// Waits for what other tasks of this runtime bring about.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
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

/// What the services of this test take for the time.
pub(crate) fn clock() -> Timestamp {
    WALL_CLOCK.get()
}

/// Lets cached answers become older.
pub(crate) fn advance_wall_clock(seconds: u64) {
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
