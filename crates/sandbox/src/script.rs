//! Scripted misbehaviour: which answers go wrong, how often and how.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

/// A route of a stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// Secrets Manager: `GetSecretValue`.
    Secret,
    /// STS: `GetWebIdentityToken`.
    WebIdentity,
    /// DynamoDB: an operation on the table. One that is told to fail writes nothing; the key is its name.
    Table,
    /// Entra: `POST /{tenant}/oauth2/v2.0/token`.
    Token,
    /// `GET /api/alerts/{id}`.
    Alert,
    /// `GET /api/machines/{id}/alerts`.
    MachineAlerts,
    /// `GET /api/machines/{id}`.
    Machine,
    /// `GET /api/machines`.
    Machines,
    /// `GET /api/users/{name}/alerts`.
    UserAlerts,
    /// `GET /api/files/{sha1}/alerts`.
    FileAlerts,
    /// `GET /api/files/{hash}`.
    File,
    /// `GET /api/files/{hash}/stats`.
    FileStats,
    /// `GET /api/ips/{ip}/alerts`.
    IpAlerts,
    /// `GET /api/ips/{ip}/stats`.
    IpStats,
    /// `GET /api/domains/{domain}/alerts`.
    DomainAlerts,
    /// `GET /api/domains/{domain}/stats`.
    DomainStats,
    /// `GET /api/incidents/{id}`.
    Incident,
    /// `GET /api/incidents/{id}/alerts`: where an incident's alerts go on.
    IncidentAlerts,
    /// Graph: `GET /v1.0/security/alerts_v2/{id}`.
    GraphAlert,
    /// Graph: `GET /v1.0/security/incidents/{id}`.
    GraphIncident,
    /// Graph: `GET /v1.0/security/incidents/{id}?$expand=alerts`.
    GraphIncidentExpanded,
    /// Graph: `GET /v1.0/security/incidents/{id}/alerts`.
    GraphIncidentAlerts,
    /// Graph: `POST /v1.0/$batch`.
    GraphBatch,
    /// Graph: an item of a batch; of a fault, its status and its headers are taken.
    GraphBatchItem,
    /// Graph: `POST /v1.0/security/runHuntingQuery`.
    Hunting,
}

/// How often something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// The next time.
    Once,
    /// The next so many times.
    Exactly(u32),
    /// Until it is mended.
    Always,
}

/// How an answer is compressed, for a caller that has offered to read it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, as HTTP means the word.
    Deflate,
}

/// How an answer goes wrong. What is not set stays as it would have been.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct Fault {
    /// Another status, with an error body as the service would send one, unless [`body`](Self::body) says otherwise.
    pub status: Option<u16>,
    /// Headers to set. One that HTTP does not allow is left out.
    pub headers: Vec<(String, String)>,
    /// Another body.
    pub body: Option<Bytes>,
    /// Another content type.
    pub content_type: Option<String>,
    /// Time that passes before the first byte.
    pub delay: Option<Duration>,
    /// The connection is reset, and nothing of the answer is sent.
    pub reset: bool,
    /// Only this share of the body is sent, under the `Content-Length` of the whole; then the connection is closed.
    pub truncate: Option<f32>,
    /// Time that passes before each of up to fifty pieces of the body.
    pub drip: Option<Duration>,
    /// The body is compressed, if the caller has offered to read it so.
    pub encoding: Option<Encoding>,
    /// Only for requests with this key: an id, the name of a secret, an audience.
    pub only: Option<String>,
}

impl Fault {
    /// Another status.
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// The right status with another body.
    pub fn body(body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..Self::default() }
    }

    /// The right answer, late.
    pub fn delay(delay: Duration) -> Self {
        Self { delay: Some(delay), ..Self::default() }
    }

    /// No answer.
    pub fn reset() -> Self {
        Self { reset: true, ..Self::default() }
    }

    /// A share of the body.
    pub fn truncate(share: f32) -> Self {
        Self { truncate: Some(share), ..Self::default() }
    }

    /// The right answer, piece by piece.
    pub fn drip(pause: Duration) -> Self {
        Self { drip: Some(pause), ..Self::default() }
    }

    /// The right answer, compressed.
    pub fn encoding(encoding: Encoding) -> Self {
        Self { encoding: Some(encoding), ..Self::default() }
    }

    /// The same with a header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another body.
    pub fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// The same with another content type.
    pub fn with_content_type(self, content_type: &str) -> Self {
        Self { content_type: Some(content_type.to_owned()), ..self }
    }

    /// The same, only for requests with a key: an id, the name of a secret, an audience.
    pub fn only_for(self, key: &str) -> Self {
        Self { only: Some(key.to_owned()), ..self }
    }

    fn matches(&self, key: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == key)
    }
}

/// The faults that are still to come, first in first out for each route.
#[derive(Default)]
pub(crate) struct Script {
    faults: HashMap<Route, VecDeque<ScriptedFault>>,
}

struct ScriptedFault {
    /// How often it still happens; `None` is without end.
    left: Option<u32>,
    fault: Fault,
}

impl Script {
    pub(crate) fn add(&mut self, route: Route, times: Times, fault: Fault) {
        let left = match times {
            Times::Once => Some(1),
            Times::Exactly(times) => Some(times),
            Times::Always => None,
        };
        self.faults.entry(route).or_default().push_back(ScriptedFault { left, fault });
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// The fault of the next answer; the default one changes nothing.
    pub(crate) fn next(&mut self, route: Option<Route>, key: &str) -> Fault {
        let Some(faults) = route.and_then(|route| self.faults.get_mut(&route)) else { return Fault::default() };
        faults.retain(|scripted| scripted.left != Some(0));
        let Some(scripted) = faults.iter_mut().find(|scripted| scripted.fault.matches(key)) else {
            return Fault::default();
        };
        scripted.left = scripted.left.map(|left| left - 1);
        scripted.fault.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_route_come_in_order_end_and_spare_other_keys() {
        let mut script = Script::default();
        script.add(Route::Alert, Times::Always, Fault::status(500).only_for("a"));
        script.add(Route::Alert, Times::Exactly(2), Fault::status(501));
        script.add(Route::Alert, Times::Exactly(0), Fault::status(502));
        script.add(Route::Alert, Times::Once, Fault::status(503));
        let mut next = |route, key| script.next(Some(route), key).status;
        assert_eq!(next(Route::File, "b"), None);
        let statuses = ["b", "a", "b", "b", "b", "a"].map(|key| next(Route::Alert, key));
        assert_eq!(statuses, [Some(501), Some(500), Some(501), Some(503), None, Some(500)]);
        script.clear();
        assert_eq!(script.next(Some(Route::Alert), "a"), Fault::default());
    }
}
