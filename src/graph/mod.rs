//! Backend 2: Microsoft Graph security. One host, one audience, one token for everything.
//!
//! Alerts and incidents are asked for by id. What a device, an account or a file has is found by one query of advanced
//! hunting, and completed by id in batches.
//!
//! Sources: <https://learn.microsoft.com/graph/api/security-alert-get>,
//! <https://learn.microsoft.com/graph/api/security-incident-get>,
//! <https://learn.microsoft.com/graph/api/security-security-runhuntingquery>.

mod batch;
mod hunted;
mod hunting;
mod roles;
mod wire;

use url::Url;

use crate::config::Settings;
use crate::credentials::{Authorized, CallError};
use crate::domain::alert::Alert;
use crate::domain::findings::Findings;
use crate::domain::portal::Portal;
use crate::domain::subject::{AlertId, IncidentId, Kind};
use crate::domain::text::Text;
use crate::domain::warning::{WarningCode, Warnings};
use crate::upstream::{self, Api, Call, Context, Reply, UpstreamError, next_page};
pub(crate) use hunting::Quarry;
pub(crate) use roles::{READ_ALERTS, READ_INCIDENTS, RUN_HUNTING, missing};

/// Without it, words that Microsoft has added later arrive as `unknownFutureValue`.
///
/// Source: <https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations>.
const PREFER: &str = "include-unknown-enum-members";

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
            completions: upstream::completions_of_a_list(settings.quota),
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

    /// `GET /v1.0/security/incidents/{id}?$expand=alerts`, and by a second route where that fails: large incidents
    /// are answered with 500.
    pub(crate) async fn incident(&self, id: IncidentId, ctx: &Context) -> Result<Findings, CallError> {
        let url = self.address(&["security", "incidents", &id.to_string()])?;
        let mut expanded = url.clone();
        expanded.query_pairs_mut().append_pair("$expand", "alerts");
        let (body, is_whole) = match self.get(&expanded, READ_INCIDENTS, ctx).await {
            Err(CallError::Upstream(UpstreamError::ServerError | UpstreamError::TooLarge)) => {
                (self.get(&url, READ_INCIDENTS, ctx).await, false)
            }
            outcome => (outcome, true),
        };
        let Some(body) = CallError::known(body)? else { return Ok(Findings::unknown()) };
        let mut notes = Warnings::default();
        let (incident, mut alerts) = wire::incident(&body, id, self.portal, &mut notes).map_err(CallError::Upstream)?;
        let id_told = Some(incident.id.clone()).filter(|id| !id.is_empty()).ok_or_else(CallError::without_id)?;
        let mut bodies = vec![body];
        if !is_whole {
            alerts = self.alerts_of(id, &mut bodies, &mut notes, ctx).await?;
        }
        let findings = Findings::new(alerts, Some(incident), bodies, notes);
        Ok(findings.about(Kind::Incident, &id.to_string(), &id_told))
    }

    /// `GET /v1.0/security/incidents/{id}/alerts`, page by page on the same origin.
    async fn alerts_of(
        &self,
        id: IncidentId,
        bodies: &mut Vec<Text>,
        notes: &mut Warnings,
        ctx: &Context,
    ) -> Result<Vec<Alert>, CallError> {
        let mut url = self.address(&["security", "incidents", &id.to_string(), "alerts"])?;
        let mut alerts = Vec::new();
        loop {
            let body = self.get(&url, READ_INCIDENTS, ctx).await?;
            let page = wire::alerts(&body, self.portal, notes).map_err(CallError::Upstream)?;
            let next_link = page.append_to(&mut alerts);
            bodies.push(body);
            let Some(link) = next_link else { break };
            match next_page(&link, &self.base, "v1.0", bodies) {
                Ok(next) => url = next,
                Err(stop) => {
                    notes.add(WarningCode::Partial, stop.detail(alerts.len()));
                    break;
                }
            }
        }
        Ok(alerts)
    }

    async fn get(&self, url: &Url, permission: &'static str, ctx: &Context) -> Result<Text, CallError> {
        let call = |token| Call { prefer: Some(PREFER), ..Call::get(Api::Graph, url.clone(), token) };
        self.calls.send(Api::Graph, permission, ctx, call, Reply::into_body).await
    }

    fn address(&self, path: &[&str]) -> Result<Url, CallError> {
        upstream::address(&self.base, &[&["v1.0"], path].concat()).map_err(CallError::Upstream)
    }
}
