//! A stand-in for AWS Secrets Manager, AWS STS, Amazon DynamoDB, Microsoft Entra, the two Defender APIs and Microsoft
//! Graph, on loopback.
//!
//! It serves the demonstration, the tests and the benchmarks; it must not know anything of the service that talks to it.
//! It imitates the documented shapes, checks tokens, audiences and roles, keeps Microsoft's quota, and fails as a test wants.
//! Its data are those of an invented company: [`company`].

pub mod company;
mod defender;
mod dynamodb;
mod entra;
mod exchange;
mod graph;
mod journal;
mod jwt;
mod mde;
mod quota;
mod random;
mod records;
mod refusal;
mod script;
mod secrets_manager;
mod server;
mod state;
mod sts;
#[cfg(test)]
mod tests;
mod wire;
mod xdr;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ring::signature::RsaKeyPair;
use serde_json::{Value, json};
use tokio::sync::watch;

pub use self::company::Company;
pub use self::company::showcase::{Subject, showcase};
pub use self::journal::Seen;
pub use self::records::Unfindable;
pub use self::script::{Encoding, Fault, Route, Times};

use self::entra::Federation;
use self::server::Shared;
use self::state::State;
use self::wire::LocalListener;

/// The one tenant in Entra.
pub const TENANT_ID: &str = "25278a73-d7c4-4cd4-8f81-1ef8d4e85815";
/// The one application in the tenant.
pub const CLIENT_ID: &str = "97c31744-b882-4075-946b-3f41789d3a01";
/// Audience of alerts, machines, users and files.
pub const DEFENDER_AUDIENCE: &str = "https://api.securitycenter.microsoft.com";
/// Audience of incidents.
pub const XDR_AUDIENCE: &str = "https://api.security.microsoft.com";
/// Audience of Microsoft Graph.
pub const GRAPH_AUDIENCE: &str = "https://graph.microsoft.com";
/// Audience of a token that stands for an application in Entra.
pub const FEDERATION_AUDIENCE: &str = "api://AzureADTokenExchange";
/// The issuer of STS's tokens.
pub const STS_ISSUER: &str = "https://00000000-0000-4000-8000-000000000000.tokens.sts.global.api.aws";
/// The subject of those tokens.
pub const STS_SUBJECT: &str = "arn:aws:iam::000000000000:role/sandbox-enrich";
/// The secret that holds the credential for Entra.
pub const DEFENDER_SECRET: &str = "sandbox/defender";
/// The secret that holds the callers' keys.
pub const CALLER_SECRET: &str = "sandbox/callers";
/// The table in DynamoDB. Only those who name it use it.
pub const STATE_TABLE: &str = "sandbox-state";
/// The key of the caller `demo`.
pub const DEMO_KEY: &str = "demo-key";
/// Slack's signing secret.
pub const DEMO_SLACK_SECRET: &str = "demo-slack-signing-secret";
/// The security token of an outgoing webhook of Teams: base64.
pub const DEMO_TEAMS_SECRET: &str = "ZGVtby10ZWFtcy1zZWN1cml0eS10b2tlbi1vZi0zMmI=";
/// The token of the holder `demo` for Splunk.
pub const DEMO_SPLUNK_TOKEN: &str = "demo-splunk-token";
/// The secret of a `PagerDuty` webhook.
pub const DEMO_PAGERDUTY_SECRET: &str = "demo-pagerduty-secret";
/// The secret of the holder `demo` for Standard Webhooks.
pub const DEMO_WEBHOOK_SECRET: &str = "whsec_ZGVtby1zdGFuZGFyZC13ZWJob29rLXNlY3JldA==";

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// AWS Secrets Manager.
    SecretsManager,
    /// AWS STS.
    Sts,
    /// Amazon DynamoDB.
    DynamoDb,
    /// Microsoft Entra.
    Login,
    /// Defender for Endpoint: alerts, machines, users, files.
    Defender,
    /// Defender XDR: incidents.
    Xdr,
    /// Microsoft Graph: alerts, incidents, advanced hunting.
    Graph,
}

impl Service {
    const ALL: [Self; 7] =
        [Self::SecretsManager, Self::Sts, Self::DynamoDb, Self::Login, Self::Defender, Self::Xdr, Self::Graph];

    /// The audience that its tokens need.
    const fn audience(self) -> Option<&'static str> {
        match self {
            Self::Defender => Some(DEFENDER_AUDIENCE),
            Self::Xdr => Some(XDR_AUDIENCE),
            Self::Graph => Some(GRAPH_AUDIENCE),
            Self::SecretsManager | Self::Sts | Self::DynamoDb | Self::Login => None,
        }
    }
}

/// Where the servers are, in the order of [`Service::ALL`].
#[derive(Clone, Default)]
struct Origins(Vec<String>);

impl Origins {
    fn of(&self, service: Service) -> &str {
        let places = Service::ALL.iter().zip(&self.0);
        places.into_iter().find(|(other, _)| **other == service).map_or("", |(_, origin)| origin)
    }
}

/// A key or certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be used: {reason}")]
pub struct BadKey {
    what: &'static str,
    reason: String,
}

/// The content of [`CALLER_SECRET`] at the start.
pub fn demo_callers() -> Value {
    json!({
        "api_keys": {"demo": [DEMO_KEY]},
        "slack_signing_secrets": [DEMO_SLACK_SECRET],
        "teams_hmac_secrets": [DEMO_TEAMS_SECRET],
        "splunk_tokens": {"demo": [DEMO_SPLUNK_TOKEN]},
        "pagerduty_secrets": [DEMO_PAGERDUTY_SECRET],
        "standard_webhook_secrets": {"demo": [DEMO_WEBHOOK_SECRET]}
    })
}

/// The servers. They stop when the last clone of this is dropped.
#[derive(Clone)]
pub struct Sandbox {
    shared: Shared,
    origins: Origins,
    accepted: Vec<(Service, Arc<AtomicUsize>)>,
    /// The servers run until this is dropped.
    _stop: Arc<watch::Sender<()>>,
}

impl Sandbox {
    /// Starts the servers on free ports of 127.0.0.1, as tasks of the current Tokio runtime.
    ///
    /// They know [`Company::contoso`] and keep the real quota. Secrets Manager holds a client secret that Entra accepts
    /// ([`DEFENDER_SECRET`]), and [`DEMO_KEY`] for the caller `demo` beside a secret for each hook ([`CALLER_SECRET`]).
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        let mut listeners = Vec::new();
        for service in Service::ALL {
            listeners.push((service, LocalListener::bind().await?));
        }
        let origins = Origins(listeners.iter().map(|(_, listener)| listener.origin()).collect::<io::Result<_>>()?);
        let accepted = listeners.iter().map(|(service, listener)| (*service, listener.accepted())).collect();
        let shared = Shared::new(State::new(origins.clone()));
        let stop = Arc::new(watch::Sender::new(()));
        for (service, listener) in listeners {
            let mut stopped = stop.subscribe();
            // Ends with an error, when the sender is dropped.
            let stopped = async move { drop(stopped.changed().await) };
            tokio::spawn(server::serve(listener, service, shared.clone(), stopped));
        }
        let sandbox = Self { shared, origins, accepted, _stop: stop };
        sandbox.put_secret(DEFENDER_SECRET, &sandbox.client_credential().to_string());
        sandbox.put_secret(CALLER_SECRET, &demo_callers().to_string());
        Ok(sandbox)
    }

    /// The environment of a service that talks to these servers and to nothing else.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let at = |service| self.origin(service).to_owned();
        vec![
            ("AWS_ACCESS_KEY_ID", "sandbox-access-key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "sandbox-secret-key".to_owned()),
            ("AWS_SESSION_TOKEN", "sandbox-session-token".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", at(Service::SecretsManager)),
            ("AWS_ENDPOINT_URL_STS", at(Service::Sts)),
            ("AWS_ENDPOINT_URL_DYNAMODB", at(Service::DynamoDb)),
            ("DEFENDER_SECRET_ID", DEFENDER_SECRET.to_owned()),
            ("CALLER_SECRET_ID", CALLER_SECRET.to_owned()),
            ("DEFENDER_LOGIN_URL", at(Service::Login)),
            ("DEFENDER_API_URL", at(Service::Defender)),
            ("DEFENDER_XDR_URL", at(Service::Xdr)),
            ("DEFENDER_GRAPH_URL", at(Service::Graph)),
        ]
    }

    /// `http://127.0.0.1:PORT` of a server.
    pub fn origin(&self, service: Service) -> &str {
        self.origins.of(service)
    }

    // Secrets Manager

    /// Puts a new version of a secret. The one before stays as `AWSPREVIOUS`.
    pub fn put_secret(&self, name: &str, text: &str) {
        self.shared.lock().vault.put(name, text);
    }

    /// Removes a secret with all its versions.
    pub fn remove_secret(&self, name: &str) {
        self.shared.lock().vault.remove(name);
    }

    /// The current text of a secret.
    pub fn secret(&self, name: &str) -> Option<String> {
        self.shared.lock().vault.text(name).map(str::to_owned)
    }

    // DynamoDB

    /// What is in [`STATE_TABLE`].
    pub fn items(&self) -> Vec<Value> {
        self.shared.lock().table.items()
    }

    /// Puts an item into [`STATE_TABLE`], whatever it holds beside its key. None if it has no key, or there is no table.
    pub fn put_item(&self, item: Value) -> Option<()> {
        self.shared.lock().table.put(item)
    }

    /// Makes [`STATE_TABLE`] anew and empty, or removes it.
    pub fn set_table(&self, exists: bool) {
        self.shared.lock().table.set_exists(exists);
    }

    // Entra

    /// A credential that Entra accepts now, as a secret holds it.
    pub fn client_credential(&self) -> Value {
        json!({"tenant_id": TENANT_ID, "client_id": CLIENT_ID, "client_secret": self.shared.lock().entra.client_secret})
    }

    /// From now on Entra accepts this client secret and no other.
    pub fn set_client_secret(&self, secret: &str) {
        secret.clone_into(&mut self.shared.lock().entra.client_secret);
    }

    /// Issues a token as Entra would.
    pub fn mint(&self, audience: &str) -> String {
        self.shared.lock().entra.mint(audience)
    }

    /// Revokes all issued tokens.
    pub fn revoke_tokens(&self) {
        self.shared.lock().entra.tokens.clear();
    }

    /// Sets the roles of later tokens. An unknown audience becomes known.
    pub fn set_roles(&self, audience: &str, roles: &[&str]) {
        self.shared.lock().entra.set_roles(audience, roles);
    }

    /// Sets the lifetime of later tokens, in Tokio's time.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.shared.lock().entra.lifetime = lifetime;
    }

    /// Registers an X.509 certificate (DER) with the application: assertions that its key has signed are accepted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn trust_certificate(&self, der: &[u8]) -> Result<(), BadKey> {
        if !jwt::is_certificate(der) {
            return Err(BadKey {
                what: "the certificate",
                reason: "it is no X.509 certificate of version 3 in DER".to_owned(),
            });
        }
        self.shared.lock().entra.certificates.push(der.to_vec());
        Ok(())
    }

    /// Adds a federated identity credential: an issuer, its RSA key (DER `RSAPublicKey`), and the subject that stands for the application.
    pub fn trust_federation(&self, issuer: &str, subject: &str, public_key: &[u8]) {
        let federation =
            Federation { issuer: issuer.to_owned(), subject: subject.to_owned(), public_key: public_key.to_vec() };
        self.shared.lock().entra.federations.push(federation);
    }

    /// Lets STS sign with an RSA key (DER PKCS #8, at least 2048 bits); until then it has federation switched off.
    /// With `trusted`, Entra takes [`STS_SUBJECT`]'s tokens for the application.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn set_sts_signer(&self, pkcs8: &[u8], trusted: bool) -> Result<(), BadKey> {
        let key = RsaKeyPair::from_pkcs8(pkcs8)
            .map_err(|rejected| BadKey { what: "the signing key", reason: rejected.to_string() })?;
        let public_key = key.public().as_ref().to_vec();
        self.shared.lock().sts.signer = Some(key);
        if trusted {
            self.trust_federation(STS_ISSUER, STS_SUBJECT, &public_key);
        }
        Ok(())
    }

    // Defender

    /// Sets the calls that each Defender API allows in a minute and an hour. Earlier calls still count.
    pub fn set_quota(&self, per_minute: u32, per_hour: u32) {
        let mut state = self.shared.lock();
        state.quota.limit(per_minute, per_hour);
        state.incident_quota.limit(per_minute, per_hour);
    }

    /// Sets the calls that Graph allows in a minute: for alerts and incidents, and for advanced hunting.
    pub fn set_graph_quota(&self, alerts: u32, hunting: u32) {
        let mut state = self.shared.lock();
        state.graph_quota.limit(alerts, graph::NO_LIMIT);
        state.hunting_quota.limit(hunting, graph::NO_LIMIT);
    }

    /// The number of calls that were beyond a quota, and were answered 429, of all APIs together.
    pub fn refused_calls(&self) -> u64 {
        let state = self.shared.lock();
        [&state.quota, &state.incident_quota, &state.graph_quota, &state.hunting_quota]
            .iter()
            .map(|quota| quota.refused)
            .sum()
    }

    /// Sets whether alerts in lists have their evidence. The API leaves it out, and so does this by default.
    pub fn set_list_evidence(&self, carried: bool) {
        self.shared.lock().lists.evidence = carried;
    }

    /// Sets the size of pages. By default, a list is one page, but devices come two at a time.
    pub fn set_page_size(&self, size: Option<usize>) {
        self.shared.lock().lists.page = size.map(|size| size.max(1));
    }

    /// Replaces the address in `@odata.nextLink`.
    pub fn set_next_link(&self, link: Option<&str>) {
        self.shared.lock().lists.next_link = link.map(str::to_owned);
    }

    /// Reads or changes the company, while no request is being answered.
    pub fn company<T>(&self, edit: impl FnOnce(&mut Company) -> T) -> T {
        edit(&mut self.shared.lock().company)
    }

    /// Puts an alert in Defender for Endpoint's own shape. It replaces the one with its `id`.
    /// Lists find it by `machineId`, `relatedUser` and its evidence.
    ///
    /// # Errors
    /// When it has no `id`.
    pub fn put_alert(&self, record: Value) -> Result<(), Unfindable> {
        self.company(|company| company.records.put_alert(record))
    }

    /// Puts a machine in Defender for Endpoint's own shape. It replaces the one with its `id`.
    ///
    /// # Errors
    /// When it has no `id`.
    pub fn put_machine(&self, record: Value) -> Result<(), Unfindable> {
        self.company(|company| company.records.put_machine(record))
    }

    /// Puts an incident in Defender XDR's own shape. It replaces the one with its `incidentId`.
    ///
    /// # Errors
    /// When it has no `incidentId`.
    pub fn put_incident(&self, record: Value) -> Result<(), Unfindable> {
        self.company(|company| company.records.put_incident(record))
    }

    // All of them

    /// Scripts a fault. Faults of one route come in the order of these calls.
    pub fn fail(&self, route: Route, times: Times, fault: Fault) {
        self.shared.lock().script.add(route, times, fault);
    }

    /// Removes all faults.
    pub fn mend(&self) {
        self.shared.lock().script.clear();
    }

    /// The latest 10,000 requests, oldest first. A request is recorded before it is answered.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().requests.iter().cloned().collect()
    }

    /// The number of connections that were opened to a service, with or without a request.
    pub fn connections(&self, service: Service) -> usize {
        let of_service = self.accepted.iter().filter(|(accepting, _)| *accepting == service);
        of_service.map(|(_, accepted)| accepted.load(Ordering::Relaxed)).sum()
    }

    /// Forgets all recorded requests.
    pub fn forget(&self) {
        self.shared.lock().requests.clear();
    }
}
