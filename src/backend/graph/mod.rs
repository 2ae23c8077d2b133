//! Backend 2: Microsoft Graph security. One host, one audience, one token for everything.
//!
//! Alerts and incidents are requested by id. For every other subject, one advanced hunting query finds the alerts, and
//! batches then get them by id.
//!
//! Sources: <https://learn.microsoft.com/graph/api/security-alert-get>,
//! <https://learn.microsoft.com/graph/api/security-incident-get>,
//! <https://learn.microsoft.com/graph/api/security-security-runhuntingquery>.

mod batch;
mod context;
mod hunting;
mod lists;
mod query;
mod wire;

use url::Url;

use crate::backend::paging::{Listing, Paging};
use crate::backend::{findings_of_alert, findings_of_incident, unknown_alert};
use crate::client::{self, Api, Call, ClientError, Context, Reply};
use crate::config::Settings;
use crate::credentials::{Authorized, CallError};
use crate::domain::context::DeviceContext;
use crate::domain::findings::Findings;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{AlertId, IncidentId};
use crate::domain::warning::Warnings;
use crate::lenient_json::body::Page;
pub(crate) use context::GraphContextQuery;
pub(crate) use hunting::MAX_ALERTS;
pub(crate) use query::{GraphQuery, READ_ALERTS, READ_INCIDENTS, RUN_HUNTING, missing, origin};

/// Fills in what a device's context lacks from the evidence of its alerts.
pub(crate) fn complete_device(device: &mut DeviceContext, findings: &Findings) {
    wire::complete_device(device, &findings.alerts);
}

/// The `Prefer` header. Without it, enumeration members that Microsoft added later arrive as `unknownFutureValue`.
///
/// Source: <https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations>.
const PREFER: &str = "include-unknown-enum-members";

/// The first segment of every path.
const VERSION: &str = "v1.0";

/// Microsoft Graph security.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    calls: Authorized,
    base: Url,
    portal: Portal,
    /// The most alerts by id for one list.
    completions: usize,
    /// The same while this process keeps to its own share of a shared quota.
    completions_of_own_share: usize,
}

impl Graph {
    pub(crate) fn new(calls: Authorized, settings: &Settings) -> Self {
        Self {
            calls,
            base: settings.endpoints.graph.clone(),
            portal: settings.portal,
            completions: client::completions_of_a_list(settings.call_limits()),
            completions_of_own_share: client::completions_of_a_list(settings.quota),
        }
    }

    /// Sends a query.
    pub(crate) async fn fetch(&self, query: &GraphQuery, ctx: &Context) -> Result<Findings, CallError> {
        match query {
            GraphQuery::Alert(id) => self.alert(id, ctx).await,
            GraphQuery::Incident(id) => self.incident(*id, ctx).await,
            GraphQuery::Machine(_)
            | GraphQuery::MachineName(_)
            | GraphQuery::FullMachineName(_)
            | GraphQuery::User(_)
            | GraphQuery::File(_)
            | GraphQuery::Ip(_)
            | GraphQuery::Domain(_) => self.hunt_alerts(query, ctx).await,
        }
    }

    /// `GET /v1.0/security/alerts_v2/{id}`.
    async fn alert(&self, id: &AlertId, ctx: &Context) -> Result<Findings, CallError> {
        let url = self.address(&["security", "alerts_v2", id.as_str()])?;
        let Some(body) = CallError::none_if_not_found(self.get(&url, READ_ALERTS, ctx).await)? else {
            return Ok(unknown_alert(id));
        };
        let mut warnings = Warnings::default();
        let alert = wire::alert(&body, self.portal, &mut warnings)?;
        findings_of_alert(id, alert, body, warnings)
    }

    /// `GET /v1.0/security/incidents/{id}?$expand=alerts`. Graph answers that with 500 for large incidents. Then the alerts
    /// come from `GET /v1.0/security/incidents/{id}/alerts`. If a page of alerts fails, the incident is still returned.
    async fn incident(&self, id: IncidentId, ctx: &Context) -> Result<Findings, CallError> {
        let url = self.address(&["security", "incidents", &id.to_string()])?;
        let mut expanded = url.clone();
        expanded.query_pairs_mut().append_pair("$expand", "alerts");
        let (body, is_complete) = match self.get(&expanded, READ_INCIDENTS, ctx).await {
            Err(CallError::Client(ClientError::ServerError | ClientError::TooLarge)) => {
                (self.get(&url, READ_INCIDENTS, ctx).await, false)
            }
            outcome => (outcome, true),
        };
        let Some(body) = CallError::none_if_not_found(body)? else { return Ok(Findings::unknown()) };
        let mut warnings = Warnings::default();
        let (incident, mut first) = wire::incident(&body, id, self.portal, &mut warnings)?;
        if incident.id.is_empty() {
            return Err(CallError::without_id());
        }
        ctx.hold(first.made)?;
        if !is_complete {
            let url = self.address(&["security", "incidents", &id.to_string(), "alerts"])?;
            first = Page { next_link: Some(url.into()), ..Page::default() };
        }
        let mut alerts = Listing::of(first.items, vec![body]);
        let paging = Paging {
            api: Api::Graph,
            permission: READ_INCIDENTS,
            base: &self.base,
            root: VERSION,
            prefer: Some(PREFER),
            calls_follow: incident.merged_into.is_some(),
        };
        let read = |body: &SharedStr| wire::alerts(body, self.portal, &mut warnings);
        self.calls.read_on(&mut alerts, first.next_link, paging, read, ctx).await;
        Ok(findings_of_incident(id, incident, alerts, warnings))
    }

    async fn get(&self, url: &Url, permission: &'static str, ctx: &Context) -> Result<SharedStr, CallError> {
        let call = |token| Call { prefer: Some(PREFER), ..Call::get(Api::Graph, url.clone(), token) };
        self.calls.send(Api::Graph, permission, ctx, call, Reply::into_body).await
    }

    fn address(&self, path: &[&str]) -> Result<Url, CallError> {
        Ok(client::address(&self.base, &[&[VERSION], path].concat())?)
    }
}
