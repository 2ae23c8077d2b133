//! Everything that the stand-ins hold, and what they make of a request. Nothing here waits.

use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};

use super::company::Company;
use super::defender::{self, Lists};
use super::entra::{self, Entra};
use super::exchange::{Answer, Call, Reply, Signed};
use super::graph;
use super::journal::{Journal, Seen};
use super::quota::Quota;
use super::random::Randomness;
use super::script::{Fault, Script};
use super::secrets_manager::Vault;
use super::sts::{self, Sts};
use super::{Origins, Service};

/// Calls a minute and an hour for alerts, machines, users and files.
const QUOTA: (u32, u32) = (100, 1500);
/// Calls a minute and an hour for incidents.
const INCIDENT_QUOTA: (u32, u32) = (50, 1500);

pub(super) struct State {
    pub(super) company: Company,
    pub(super) lists: Lists,
    pub(super) quota: Quota,
    pub(super) incident_quota: Quota,
    pub(super) graph_quota: Quota,
    pub(super) hunting_quota: Quota,
    pub(super) vault: Vault,
    pub(super) sts: Sts,
    pub(super) entra: Entra,
    pub(super) script: Script,
    pub(super) journal: Journal,
    pub(super) random: Randomness,
    origins: Origins,
}

impl State {
    pub(super) fn new(origins: Origins, mut random: Randomness) -> Self {
        Self {
            company: Company::contoso(),
            lists: Lists::default(),
            quota: Quota::new(QUOTA.0, QUOTA.1),
            incident_quota: Quota::new(INCIDENT_QUOTA.0, INCIDENT_QUOTA.1),
            graph_quota: Quota::new(graph::ALERT_QUOTA, graph::NO_LIMIT),
            hunting_quota: Quota::new(graph::HUNTING_QUOTA, graph::NO_LIMIT),
            vault: Vault::default(),
            sts: Sts::default(),
            entra: Entra::new(format!("sandbox-client-secret-{}", random.uuid())),
            script: Script::default(),
            journal: Journal::default(),
            random,
            origins,
        }
    }

    pub(super) fn origin(&self, service: Service) -> &str {
        self.origins.of(service)
    }

    /// Answers a request, notes it, and says what the script wants to go wrong with the answer.
    pub(super) fn take(&mut self, call: Call) -> (Reply, Fault) {
        let good_for = self.good_for(&call);
        let Answer { route, key, reply } = match call.service {
            Service::SecretsManager => self.vault.answer(&call, &mut self.random),
            Service::Sts => self.sts.answer(&call, &mut self.random),
            Service::Login => self.entra.answer(&call, self.origins.of(Service::Login), &mut self.random),
            Service::Defender | Service::Xdr => defender::answer(self, &call),
            Service::Graph => graph::answer(self, &call),
        };
        let fault = self.script.next(route, &key);
        let reply = match fault.status.map(StatusCode::from_u16) {
            Some(Ok(status)) if status.is_success() => Reply { status, ..reply },
            Some(Ok(status)) => self.scripted(call.service, status),
            Some(Err(_)) | None => reply,
        };
        let Call { service, method, path, query, mut headers, .. } = call;
        if let Some(good_for) = good_for {
            headers
                .insert(AUTHORIZATION, HeaderValue::from_str(&good_for).unwrap_or(HeaderValue::from_static("unknown")));
        }
        self.journal.note(Seen { service, route, method: method.to_string(), path, query, headers, key });
        (reply, fault)
    }

    /// What the `Authorization` of a request is good for, if it has one.
    fn good_for(&self, call: &Call) -> Option<String> {
        call.headers.get(AUTHORIZATION)?;
        let good_for = match call.service {
            Service::SecretsManager | Service::Sts => match call.signed() {
                Signed::For(service) => Some(service.to_owned()),
                Signed::No | Signed::Badly => None,
            },
            Service::Login => None,
            Service::Defender | Service::Xdr | Service::Graph => {
                call.bearer().and_then(|token| self.entra.token(token)).map(|token| token.audience.clone())
            }
        };
        Some(good_for.unwrap_or_else(|| "unknown".to_owned()))
    }

    /// An error as a service would word it.
    fn scripted(&mut self, service: Service, status: StatusCode) -> Reply {
        const MESSAGE: &str = "This went wrong because a script said so.";
        let id = self.random.uuid();
        let code: String = status.canonical_reason().unwrap_or("Error").split(' ').collect();
        match service {
            Service::SecretsManager if status.is_server_error() => {
                Reply::aws_error(status, "InternalServiceError", MESSAGE, &id)
            }
            Service::SecretsManager => Reply::aws_error(status, &format!("{code}Exception"), MESSAGE, &id),
            Service::Sts => sts::error(status, &code, MESSAGE, &id),
            Service::Login if status.is_server_error() => {
                entra::error(status, "temporarily_unavailable", 90_033, MESSAGE, &mut self.random)
            }
            Service::Login => entra::error(status, "invalid_request", 90_100, MESSAGE, &mut self.random),
            Service::Defender | Service::Xdr => Reply::envelope(status, &code, MESSAGE, &id),
            Service::Graph => graph::error(status, &code, MESSAGE, &id),
        }
    }
}
