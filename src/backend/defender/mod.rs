//! Backend 1: Defender for Endpoint and Defender XDR, the two older APIs.
//!
//! They have two hosts, two token audiences and two formats of an alert.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list>,
//! <https://learn.microsoft.com/defender-xdr/api-get-incident>.

pub(crate) mod devices;
mod roles;
mod wire;

use std::mem;

use bytes::Bytes;
use url::Url;

use crate::backend::paging::{Incomplete, Listing, Paging};
use crate::client::{self, Api, Context};
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
use devices::DeviceList;
pub(crate) use roles::allow;

/// What Microsoft has announced about the retirement of both APIs. The notice in the message center seems to cover all
/// routes; the documentation names two routes, which this service does not use.
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
        let Some(body) = CallError::none_if_not_found(self.calls.get(Api::Endpoint, &url, READ_ALERTS, ctx).await)?
        else {
            return Ok(Findings::unknown());
        };
        let mut warnings = Warnings::default();
        let alert = wire::alert(&body, self.portal, &mut warnings).map_err(CallError::Client)?;
        let returned_id = alert.id.clone().ok_or_else(CallError::without_id)?;
        let findings = Findings::new(vec![alert], None, vec![body], warnings);
        Ok(findings.checked_against(Kind::Alert, id.as_str(), &returned_id))
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
        let Some(body) = CallError::none_if_not_found(self.calls.get(Api::Xdr, &url, READ_INCIDENTS, ctx).await)?
        else {
            return Ok(Findings::unknown());
        };
        let mut warnings = Warnings::default();
        let (incident, first) = wire::incident(&body, id, self.portal, &mut warnings).map_err(CallError::Client)?;
        let returned_id = Some(incident.id.clone()).filter(|id| !id.is_empty()).ok_or_else(CallError::without_id)?;
        ctx.hold(first.made).map_err(CallError::Client)?;
        let mut alerts = Listing::of(first.items, vec![body]);
        let calls_follow = incident.merged_into.is_some();
        let paging = Paging { calls_follow, ..paging(Api::Xdr, &self.xdr, READ_INCIDENTS) };
        let read = |body: &SharedStr| wire::incident_alerts(body, self.portal, &mut warnings);
        self.calls.read_on(&mut alerts, first.next_link, paging, read, ctx).await;
        let findings = findings(alerts, Some(incident), warnings);
        Ok(findings.checked_against(Kind::Incident, &id.to_string(), &returned_id))
    }

    /// `GET /api/machines?$filter=…`: every device record of a name and, for a full name, of its first label.
    pub(crate) async fn devices_named(&self, name: &DeviceName, ctx: &Context) -> Result<DeviceList, CallError> {
        let mut url = address(&self.endpoint, &["api", "machines"])?;
        url.query_pairs_mut().append_pair("$filter", &devices::filter(name));
        let Some(body) = CallError::none_if_not_found(self.calls.get(Api::Endpoint, &url, READ_MACHINES, ctx).await)?
        else {
            return Ok(DeviceList { records: Vec::new(), incomplete: None });
        };
        let first = wire::devices(&body).map_err(CallError::Client)?;
        ctx.hold(first.made).map_err(CallError::Client)?;
        let mut list = Listing::of(first.items, vec![body]);
        let paging = Paging { calls_follow: true, ..paging(Api::Endpoint, &self.endpoint, READ_MACHINES) };
        self.calls.read_on(&mut list, first.next_link, paging, wire::devices, ctx).await;
        let records = mem::take(&mut list.items);
        let incomplete = list.into_incomplete().map(Incomplete::into_error);
        Ok(DeviceList { records, incomplete })
    }

    /// `GET /api/files/{sha256}`: the SHA-1 of the same file, if Defender knows it.
    pub(crate) async fn sha1_of(&self, sha256: &Sha256, ctx: &Context) -> Result<Option<Sha1>, CallError> {
        let url = address(&self.endpoint, &["api", "files", sha256.as_str()])?;
        match CallError::none_if_not_found(self.calls.get(Api::Endpoint, &url, READ_FILES, ctx).await)? {
            Some(body) => wire::sha1_of_file(&body, sha256).map_err(CallError::Client).map(Some),
            None => Ok(None),
        }
    }

    /// Returns a list of alerts, with all its pages on the same origin.
    async fn alerts(&self, path: &[&str], ctx: &Context) -> Result<Findings, CallError> {
        let url = address(&self.endpoint, path)?;
        let mut warnings = Warnings::default();
        let Some(body) = CallError::none_if_not_found(self.calls.get(Api::Endpoint, &url, READ_ALERTS, ctx).await)?
        else {
            return Ok(Findings::unknown());
        };
        let first = wire::alerts(&body, self.portal, &mut warnings).map_err(CallError::Client)?;
        ctx.hold(first.made).map_err(CallError::Client)?;
        let mut alerts = Listing::of(first.items, vec![body]);
        let paging = paging(Api::Endpoint, &self.endpoint, READ_ALERTS);
        let read = |body: &SharedStr| wire::alerts(body, self.portal, &mut warnings);
        self.calls.read_on(&mut alerts, first.next_link, paging, read, ctx).await;
        Ok(findings(alerts.error_if_empty()?, None, warnings))
    }
}

/// Reads the findings in the body of a list, without a call. `None`: the body is not a list of alerts.
pub fn findings_of_list(body: &Bytes, portal: Portal) -> Option<Findings> {
    let mut warnings = Warnings::default();
    let body = SharedStr::try_from(body.clone()).ok()?;
    let page = wire::alerts(&body, portal, &mut warnings).ok()?;
    Some(Findings::new(page.items, None, vec![body], warnings))
}

/// Reads the findings in the body of an incident, without a call. `None`: the body is not an incident.
pub fn findings_of_incident(body: &Bytes, id: IncidentId, portal: Portal) -> Option<Findings> {
    let mut warnings = Warnings::default();
    let body = SharedStr::try_from(body.clone()).ok()?;
    let (incident, alerts) = wire::incident(&body, id, portal, &mut warnings).ok()?;
    Some(Findings::new(alerts.items, Some(incident), vec![body], warnings))
}

fn paging<'r>(api: Api, base: &'r Url, permission: &'static str) -> Paging<'r> {
    Paging { api, permission, base, root: "api", prefer: None, calls_follow: false }
}

/// Builds the findings of a list of alerts, with a warning if the list is incomplete.
fn findings(alerts: Listing<Alert>, incident: Option<Incident>, mut warnings: Warnings) -> Findings {
    alerts.warn_if_incomplete(&mut warnings);
    let is_complete = alerts.is_complete();
    Findings::new(alerts.items, incident, alerts.bodies, warnings).complete_if(is_complete)
}

fn address(base: &Url, path: &[&str]) -> Result<Url, CallError> {
    client::address(base, path).map_err(CallError::Client)
}
