//! Everything that the stand-ins hold, and how they answer a request. Nothing here waits.

use std::collections::VecDeque;

use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};

use super::company::Company;
use super::defender;
use super::dynamodb::Table;
use super::entra::Entra;
use super::exchange::{Answer, Call, Reply, Signed};
use super::graph;
use super::journal::{self, Seen};
use super::quota::Quota;
use super::random;
use super::refusal::Refusal;
use super::script::{Fault, Route, Script};
use super::secrets_manager::Vault;
use super::sts::Sts;
use super::{Origins, STATE_TABLE, Service};

/// How lists are sent.
#[derive(Default)]
pub(crate) struct Lists {
    /// Whether alerts in lists have their evidence; the API leaves it out.
    pub(crate) evidence: bool,
    /// The number of records on a page.
    pub(crate) page: Option<usize>,
    /// Replaces the link to the next page.
    pub(crate) next_link: Option<String>,
}

pub(crate) struct State {
    pub(crate) company: Company,
    pub(crate) lists: Lists,
    /// Alerts, machines, users and files.
    pub(crate) quota: Quota,
    pub(crate) incident_quota: Quota,
    pub(crate) graph_quota: Quota,
    pub(crate) hunting_quota: Quota,
    pub(crate) vault: Vault,
    pub(crate) sts: Sts,
    pub(crate) table: Table,
    pub(crate) entra: Entra,
    pub(crate) script: Script,
    /// The latest requests, oldest first.
    pub(crate) requests: VecDeque<Seen>,
    origins: Origins,
}

impl State {
    pub(crate) fn new(origins: Origins) -> Self {
        Self {
            company: Company::contoso(),
            lists: Lists::default(),
            quota: Quota::new(100, 1500),
            incident_quota: Quota::new(50, 1500),
            graph_quota: Quota::new(graph::ALERT_QUOTA, graph::NO_LIMIT),
            hunting_quota: Quota::new(graph::HUNTING_QUOTA, graph::NO_LIMIT),
            vault: Vault::default(),
            sts: Sts::default(),
            table: Table::new(STATE_TABLE),
            entra: Entra::new(format!("sandbox-client-secret-{}", random::uuid())),
            script: Script::default(),
            requests: VecDeque::new(),
            origins,
        }
    }

    /// The link to what follows on a list: as the test wants it, or to this target of a service.
    pub(crate) fn next_link(&self, service: Service, target: &str) -> String {
        let own = || format!("{}{target}", self.origins.of(service));
        self.lists.next_link.clone().unwrap_or_else(own)
    }

    /// Answers a request, records it, and returns what the script wants to go wrong with the answer.
    pub(crate) fn take(&mut self, call: Call) -> (Reply, Fault) {
        let authorized_for = self.authorized_for(&call);
        let Answer { route, key, result } = match call.service {
            Service::SecretsManager => self.vault.answer(&call),
            Service::Sts => self.sts.answer(&call),
            Service::DynamoDb => self.table.answer(&call),
            Service::Login => self.entra.answer(&call, self.origins.of(Service::Login)),
            Service::Defender | Service::Xdr => defender::answer(self, &call),
            Service::Graph => graph::answer(self, &call),
        };
        let fault = self.script.next(route, &key);
        if route == Some(Route::Table) && fault.status.is_some_and(|status| status >= 400) {
            self.table.undo();
        }
        let reply = result.unwrap_or_else(|refusal| refusal.reply(call.service));
        let reply = match fault.status.map(StatusCode::from_u16) {
            Some(Ok(status)) if status.is_success() => Reply { status, ..reply },
            Some(Ok(status)) => Refusal::scripted(call.service, status).reply(call.service),
            Some(Err(_)) | None => reply,
        };
        let Call { service, method, path, query, mut headers, .. } = call;
        if let Some(authorized_for) = authorized_for {
            let value = HeaderValue::from_str(&authorized_for).unwrap_or(HeaderValue::from_static("unknown"));
            headers.insert(AUTHORIZATION, value);
        }
        journal::record(
            &mut self.requests,
            Seen { service, route, method: method.to_string(), path, query, headers, key },
        );
        (reply, fault)
    }

    /// The audience or AWS service that the `Authorization` header of a request is valid for.
    fn authorized_for(&self, call: &Call) -> Option<String> {
        call.headers.get(AUTHORIZATION)?;
        let authorized_for = match call.service {
            Service::SecretsManager | Service::Sts | Service::DynamoDb => match call.signed() {
                Signed::For(service) => Some(service),
                Signed::Unsigned | Signed::Malformed => None,
            },
            Service::Login => None,
            Service::Defender | Service::Xdr | Service::Graph => {
                call.bearer().and_then(|token| self.entra.token(token)).map(|token| token.audience.as_str())
            }
        };
        Some(authorized_for.unwrap_or("unknown").to_owned())
    }
}
