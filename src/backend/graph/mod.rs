//! Backend 2: Microsoft Graph security. One host, one audience, one token for everything.
//!
//! Alerts and incidents are asked for by id. What a device, an account or a file has is found by one query of advanced
//! hunting, and completed by id in batches.
//!
//! Sources: <https://learn.microsoft.com/graph/api/security-alert-get>,
//! <https://learn.microsoft.com/graph/api/security-incident-get>,
//! <https://learn.microsoft.com/graph/api/security-security-runhuntingquery>.

mod batch;
mod hunting;
mod lists;
mod roles;
mod wire;

use url::Url;

use crate::backend::paging::{Listing, Paging};
use crate::client::{self, Api, Call, ClientError, Context, Reply};
use crate::config::Settings;
use crate::credentials::{Authorized, CallError};
use crate::domain::findings::Findings;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{AlertId, IncidentId, Kind};
use crate::domain::warning::Warnings;
use crate::lenient_json::body::Page;
pub(crate) use hunting::{HuntingTarget, MAX_ALERTS};
pub(crate) use roles::{READ_ALERTS, READ_INCIDENTS, RUN_HUNTING, missing};

/// Without it, words that Microsoft has added later arrive as `unknownFutureValue`.
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
    /// Alerts that are got at most to complete one list.
    completions: usize,
}

impl Graph {
    pub(crate) fn new(calls: Authorized, settings: &Settings) -> Self {
        Self {
            calls,
            base: settings.endpoints.graph.clone(),
            portal: settings.portal,
            completions: client::completions_of_a_list(settings.quota),
        }
    }

    /// `GET /v1.0/security/alerts_v2/{id}`.
    pub(crate) async fn alert(&self, id: &AlertId, ctx: &Context) -> Result<Findings, CallError> {
        let url = self.address(&["security", "alerts_v2", id.as_str()])?;
        let Some(body) = CallError::known(self.get(&url, READ_ALERTS, ctx).await)? else {
            return Ok(Findings::unknown());
        };
        let mut notes = Warnings::default();
        let alert = wire::alert(&body, self.portal, &mut notes).map_err(CallError::Upstream)?;
        let id_told = alert.id.clone().ok_or_else(CallError::without_id)?;
        let findings = Findings::new(vec![alert], None, vec![body], notes);
        Ok(findings.about(Kind::Alert, id.as_str(), &id_told))
    }

    /// `GET /v1.0/security/incidents/{id}?$expand=alerts`; where that fails, its alerts by
    /// `GET /v1.0/security/incidents/{id}/alerts`: large incidents are answered with 500. Either list may go on, or fail: the
    /// incident stays.
    pub(crate) async fn incident(&self, id: IncidentId, ctx: &Context) -> Result<Findings, CallError> {
        let url = self.address(&["security", "incidents", &id.to_string()])?;
        let mut expanded = url.clone();
        expanded.query_pairs_mut().append_pair("$expand", "alerts");
        let (body, is_whole) = match self.get(&expanded, READ_INCIDENTS, ctx).await {
            Err(CallError::Upstream(ClientError::ServerError | ClientError::TooLarge)) => {
                (self.get(&url, READ_INCIDENTS, ctx).await, false)
            }
            outcome => (outcome, true),
        };
        let Some(body) = CallError::known(body)? else { return Ok(Findings::unknown()) };
        let mut notes = Warnings::default();
        let (incident, mut first) = wire::incident(&body, id, self.portal, &mut notes).map_err(CallError::Upstream)?;
        let id_told = Some(incident.id.clone()).filter(|id| !id.is_empty()).ok_or_else(CallError::without_id)?;
        ctx.hold(first.made).map_err(CallError::Upstream)?;
        if !is_whole {
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
        let read = |body: &SharedStr| wire::alerts(body, self.portal, &mut notes);
        self.calls.read_on(&mut alerts, first.next_link, paging, read, ctx).await;
        alerts.note_unread(&mut notes);
        let is_whole = alerts.is_whole();
        let findings = Findings::new(alerts.items, Some(incident), alerts.bodies, notes).whole_if(is_whole);
        Ok(findings.about(Kind::Incident, &id.to_string(), &id_told))
    }

    async fn get(&self, url: &Url, permission: &'static str, ctx: &Context) -> Result<SharedStr, CallError> {
        let call = |token| Call { prefer: Some(PREFER), ..Call::get(Api::Graph, url.clone(), token) };
        self.calls.send(Api::Graph, permission, ctx, call, Reply::into_body).await
    }

    fn address(&self, path: &[&str]) -> Result<Url, CallError> {
        client::address(&self.base, &[&[VERSION], path].concat()).map_err(CallError::Upstream)
    }
}
