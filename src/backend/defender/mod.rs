//! Backend 1: Defender for Endpoint and Defender XDR, the two older APIs.
//!
//! Two hosts, two audiences, two shapes of an alert.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list>,
//! <https://learn.microsoft.com/defender-xdr/api-get-incident>.

pub(crate) mod devices;
mod roles;
mod wire;

use std::mem;

use bytes::Bytes;
use url::Url;

use crate::backend::paging::{Listing, Paging, Unread};
use crate::client::{self, Api, ClientError, Context, PagingStop};
use crate::config::Endpoints;
use crate::credentials::{Authorized, CallError};
use crate::domain::alert::Alert;
use crate::domain::findings::Findings;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{
    Account, AlertId, DeviceId, DeviceName, DomainName, IncidentId, IpAddress, Kind, Sha1, Sha256,
};
use crate::domain::warning::Warnings;
use devices::Named;
pub(crate) use roles::allow;

/// What is known of the end of both. The notice in Microsoft's message center reads as if it were about everything;
/// the documentation names two routes, which are not used here.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/security-api-overview>, section on the older APIs.
pub(crate) const RETIREMENT: &str = "Microsoft announced the end of the older Defender APIs for 2027-02-01 (MC1220762); \
    its documentation names their advanced hunting endpoints only, which this service does not use";

const READ_ALERTS: &str = "Alert.Read.All";
const READ_FILES: &str = "File.Read.All";
const READ_INCIDENTS: &str = "Incident.Read.All";
const READ_MACHINES: &str = "Machine.Read.All";

/// The two older APIs.
#[derive(Clone, Debug)]
pub(crate) struct Defender {
    calls: Authorized,
    endpoint: Url,
    xdr: Url,
    portal: Portal,
}

impl Defender {
    pub(crate) fn new(calls: Authorized, endpoints: &Endpoints, portal: Portal) -> Self {
        Self { calls, endpoint: endpoints.api.clone(), xdr: endpoints.xdr.clone(), portal }
    }

    /// `GET /api/alerts/{id}`.
    pub(crate) async fn alert(&self, id: &AlertId, ctx: &Context) -> Result<Findings, CallError> {
        let url = address(&self.endpoint, &["api", "alerts", id.as_str()])?;
        let Some(body) = CallError::known(self.calls.get(Api::Endpoint, &url, READ_ALERTS, ctx).await)? else {
            return Ok(Findings::unknown());
        };
        let mut notes = Warnings::default();
        let alert = wire::alert(&body, self.portal, &mut notes).map_err(CallError::Upstream)?;
        let id_told = alert.id.clone().ok_or_else(CallError::without_id)?;
        let findings = Findings::new(vec![alert], None, vec![body], notes);
        Ok(findings.about(Kind::Alert, id.as_str(), &id_told))
    }

    /// `GET /api/machines/{id}/alerts`.
    pub(crate) async fn machine_alerts(&self, id: &DeviceId, ctx: &Context) -> Result<Findings, CallError> {
        self.alerts(&["api", "machines", id.as_str(), "alerts"], ctx).await
    }

    /// `GET /api/users/{name}/alerts`, by the bare account name.
    pub(crate) async fn user_alerts(&self, account: &Account, ctx: &Context) -> Result<Findings, CallError> {
        self.alerts(&["api", "users", account.name(), "alerts"], ctx).await
    }

    /// `GET /api/files/{sha1}/alerts`.
    pub(crate) async fn file_alerts(&self, sha1: &Sha1, ctx: &Context) -> Result<Findings, CallError> {
        self.alerts(&["api", "files", sha1.as_str(), "alerts"], ctx).await
    }

    /// `GET /api/ips/{ip}/alerts`.
    pub(crate) async fn ip_alerts(&self, address: IpAddress, ctx: &Context) -> Result<Findings, CallError> {
        self.alerts(&["api", "ips", &address.to_string(), "alerts"], ctx).await
    }

    /// `GET /api/domains/{domain}/alerts`.
    pub(crate) async fn domain_alerts(&self, name: &DomainName, ctx: &Context) -> Result<Findings, CallError> {
        self.alerts(&["api", "domains", name.as_str(), "alerts"], ctx).await
    }

    /// `GET /api/incidents/{id}`.
    pub(crate) async fn incident(&self, id: IncidentId, ctx: &Context) -> Result<Findings, CallError> {
        let url = address(&self.xdr, &["api", "incidents", &id.to_string()])?;
        let Some(body) = CallError::known(self.calls.get(Api::Xdr, &url, READ_INCIDENTS, ctx).await)? else {
            return Ok(Findings::unknown());
        };
        let mut notes = Warnings::default();
        let (incident, first) = wire::incident(&body, id, self.portal, &mut notes).map_err(CallError::Upstream)?;
        let id_told = Some(incident.id.clone()).filter(|id| !id.is_empty()).ok_or_else(CallError::without_id)?;
        ctx.hold(first.made).map_err(CallError::Upstream)?;
        let mut alerts = Listing::of(first.items, vec![body]);
        let calls_follow = incident.merged_into.is_some();
        let paging = Paging { calls_follow, ..paging(Api::Xdr, &self.xdr, READ_INCIDENTS) };
        let read = |body: &SharedStr| wire::incident_alerts(body, self.portal, &mut notes);
        self.calls.read_on(&mut alerts, first.next_link, paging, read, ctx).await;
        let findings = findings(alerts, Some(incident), notes);
        Ok(findings.about(Kind::Incident, &id.to_string(), &id_told))
    }

    /// `GET /api/machines?$filter=…`: every device record of a name, and, where that is a full name, of its first label.
    pub(crate) async fn devices_named(&self, name: &DeviceName, ctx: &Context) -> Result<Named, CallError> {
        let mut url = address(&self.endpoint, &["api", "machines"])?;
        url.query_pairs_mut().append_pair("$filter", &devices::filter(name));
        let Some(body) = CallError::known(self.calls.get(Api::Endpoint, &url, READ_MACHINES, ctx).await)? else {
            return Ok(Named { records: Vec::new(), unread: None });
        };
        let first = wire::devices(&body).map_err(CallError::Upstream)?;
        ctx.hold(first.made).map_err(CallError::Upstream)?;
        let mut list = Listing::of(first.items, vec![body]);
        let paging = Paging { calls_follow: true, ..paging(Api::Endpoint, &self.endpoint, READ_MACHINES) };
        self.calls.read_on(&mut list, first.next_link, paging, wire::devices, ctx).await;
        let records = mem::take(&mut list.items);
        let unread = list.into_unread().map(|unread| match unread {
            Unread::Failed(error) => error,
            Unread::Stopped(PagingStop::Enough) => CallError::Upstream(ClientError::TooLarge),
            Unread::Stopped(PagingStop::Elsewhere) => {
                CallError::Upstream(ClientError::malformed("a list that goes on at another address"))
            }
            Unread::Stopped(PagingStop::Again) => {
                CallError::Upstream(ClientError::malformed("a list that goes round in a circle"))
            }
        });
        Ok(Named { records, unread })
    }

    /// `GET /api/files/{sha256}`: the SHA-1 of the same file, if Defender knows it.
    pub(crate) async fn sha1_of(&self, sha256: &Sha256, ctx: &Context) -> Result<Option<Sha1>, CallError> {
        let url = address(&self.endpoint, &["api", "files", sha256.as_str()])?;
        match CallError::known(self.calls.get(Api::Endpoint, &url, READ_FILES, ctx).await)? {
            Some(body) => wire::sha1_of_file(&body, sha256).map_err(CallError::Upstream).map(Some),
            None => Ok(None),
        }
    }

    /// A list of alerts, with the pages that follow on the same origin.
    async fn alerts(&self, path: &[&str], ctx: &Context) -> Result<Findings, CallError> {
        let url = address(&self.endpoint, path)?;
        let mut notes = Warnings::default();
        let Some(body) = CallError::known(self.calls.get(Api::Endpoint, &url, READ_ALERTS, ctx).await)? else {
            return Ok(Findings::unknown());
        };
        let first = wire::alerts(&body, self.portal, &mut notes).map_err(CallError::Upstream)?;
        ctx.hold(first.made).map_err(CallError::Upstream)?;
        let mut alerts = Listing::of(first.items, vec![body]);
        let paging = paging(Api::Endpoint, &self.endpoint, READ_ALERTS);
        let read = |body: &SharedStr| wire::alerts(body, self.portal, &mut notes);
        self.calls.read_on(&mut alerts, first.next_link, paging, read, ctx).await;
        Ok(findings(alerts.unless_nothing_came()?, None, notes))
    }
}

/// What a list's body holds, without a call. `None`: it is no list of alerts.
pub fn findings_of_list(body: &Bytes, portal: Portal) -> Option<Findings> {
    let mut notes = Warnings::default();
    let body = SharedStr::try_from(body.clone()).ok()?;
    let page = wire::alerts(&body, portal, &mut notes).ok()?;
    Some(Findings::new(page.items, None, vec![body], notes))
}

/// What an incident's body holds, without a call. `None`: it is no incident.
pub fn findings_of_incident(body: &Bytes, id: IncidentId, portal: Portal) -> Option<Findings> {
    let mut notes = Warnings::default();
    let body = SharedStr::try_from(body.clone()).ok()?;
    let (incident, alerts) = wire::incident(&body, id, portal, &mut notes).ok()?;
    Some(Findings::new(alerts.items, Some(incident), vec![body], notes))
}

fn paging<'r>(api: Api, base: &'r Url, permission: &'static str) -> Paging<'r> {
    Paging { api, permission, base, root: "api", prefer: None, calls_follow: false }
}

/// What came of a list of alerts, and that it is not all if it is not.
fn findings(alerts: Listing<Alert>, incident: Option<Incident>, mut notes: Warnings) -> Findings {
    alerts.note_unread(&mut notes);
    let is_whole = alerts.is_whole();
    Findings::new(alerts.items, incident, alerts.bodies, notes).whole_if(is_whole)
}

fn address(base: &Url, path: &[&str]) -> Result<Url, CallError> {
    client::address(base, path).map_err(CallError::Upstream)
}
