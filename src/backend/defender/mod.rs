//! Backend 1: Defender for Endpoint and Defender XDR, the two older APIs.
//!
//! They have two hosts, two token audiences and two formats of an alert.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list>,
//! <https://learn.microsoft.com/defender-xdr/api-get-incident>.

mod context;
pub(crate) mod devices;
mod query;
mod wire;

use std::mem;

use bytes::Bytes;
use url::Url;

use crate::backend::paging::{Incomplete, Listing, Paging};
use crate::backend::{findings_of_alert, findings_of_incident, findings_of_listing, unknown_alert};
use crate::client::{self, Api, ClientError, Context};
use crate::config::Endpoints;
use crate::credentials::{Authorized, CallError};
use crate::domain::context::FileContext;
use crate::domain::findings::Findings;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{AlertId, DeviceName, IncidentId, Sha1, Sha256};
use crate::domain::warning::Warnings;
use crate::lenient_json::body::Page;
pub(crate) use context::{DefenderContextQuery, READ_DOMAINS, READ_IPS};
use devices::DeviceList;
pub(crate) use query::{DefenderQuery, allow, api, origin};

/// What Microsoft has announced about the retirement of both APIs. The notice in the message center seems to cover all
/// routes; the documentation names two routes, which this service does not use.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/security-api-overview>, section on the older APIs.
pub(crate) const RETIREMENT: &str = "Microsoft announced the end of the older Defender APIs for 2027-02-01 (MC1220762); \
    its documentation names their advanced hunting endpoints only, which this service does not use";

pub(crate) const READ_ALERTS: &str = "Alert.Read.All";
pub(crate) const READ_FILES: &str = "File.Read.All";
pub(crate) const READ_INCIDENTS: &str = "Incident.Read.All";
pub(crate) const READ_MACHINES: &str = "Machine.Read.All";

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

    /// Sends a query.
    pub(crate) async fn fetch(&self, query: &DefenderQuery, ctx: &Context) -> Result<Findings, CallError> {
        let entities = match query {
            DefenderQuery::Alert(id) => return self.alert(id, ctx).await,
            DefenderQuery::Incident(id) => return self.incident(*id, ctx).await,
            DefenderQuery::Machine(_) => "machines",
            DefenderQuery::User(_) => "users",
            DefenderQuery::File(_) => "files",
            DefenderQuery::Ip(_) => "ips",
            DefenderQuery::Domain(_) => "domains",
        };
        self.alerts(&["api", entities, &query.id(), "alerts"], ctx).await
    }

    /// `GET /api/alerts/{id}`.
    async fn alert(&self, id: &AlertId, ctx: &Context) -> Result<Findings, CallError> {
        let url = client::address(&self.endpoint, &["api", "alerts", id.as_str()])?;
        let Some(body) = CallError::none_if_not_found(self.calls.get(Api::Endpoint, &url, READ_ALERTS, ctx).await)?
        else {
            return Ok(unknown_alert(id));
        };
        let mut warnings = Warnings::default();
        let alert = wire::alert(&body, self.portal, &mut warnings)?;
        findings_of_alert(id, alert, body, warnings)
    }

    /// `GET /api/incidents/{id}`.
    async fn incident(&self, id: IncidentId, ctx: &Context) -> Result<Findings, CallError> {
        let url = client::address(&self.xdr, &["api", "incidents", &id.to_string()])?;
        let Some(body) = CallError::none_if_not_found(self.calls.get(Api::Xdr, &url, READ_INCIDENTS, ctx).await)?
        else {
            return Ok(Findings::unknown());
        };
        let mut warnings = Warnings::default();
        let (incident, first) = wire::incident(&body, id, self.portal, &mut warnings)?;
        if incident.id.is_empty() {
            return Err(CallError::without_id());
        }
        ctx.hold(first.made)?;
        let mut alerts = Listing::of(first.items, vec![body]);
        let calls_follow = incident.merged_into.is_some();
        let paging = Paging { calls_follow, ..paging(Api::Xdr, &self.xdr, READ_INCIDENTS) };
        let read = |body: &SharedStr| wire::incident_alerts(body, self.portal, &mut warnings);
        self.calls.read_on(&mut alerts, first.next_link, paging, read, ctx).await;
        Ok(findings_of_incident(id, incident, alerts, warnings))
    }

    /// `GET /api/machines?$filter=…`: every device record of a name and, for a full name, of its first label.
    pub(crate) async fn devices_named(&self, name: &DeviceName, ctx: &Context) -> Result<DeviceList, CallError> {
        let mut url = client::address(&self.endpoint, &["api", "machines"])?;
        url.query_pairs_mut().append_pair("$filter", &devices::filter(name));
        let paging = Paging { calls_follow: true, ..paging(Api::Endpoint, &self.endpoint, READ_MACHINES) };
        let Some(mut list) = self.list(&url, paging, wire::devices, ctx).await? else {
            return Ok(DeviceList { records: Vec::new(), incomplete: None });
        };
        let records = mem::take(&mut list.items);
        Ok(DeviceList { records, incomplete: list.into_incomplete().map(Incomplete::into_error) })
    }

    /// `GET /api/files/{sha256}`: the file with its SHA-1, if Defender knows it.
    pub(crate) async fn file_by_sha256(
        &self,
        sha256: &Sha256,
        ctx: &Context,
    ) -> Result<Option<(Sha1, FileContext)>, CallError> {
        let url = client::address(&self.endpoint, &["api", "files", sha256.as_str()])?;
        match CallError::none_if_not_found(self.calls.get(Api::Endpoint, &url, READ_FILES, ctx).await)? {
            Some(body) => wire::file_by_sha256(&body, sha256).map(Some).map_err(CallError::from),
            None => Ok(None),
        }
    }

    /// Returns a list of alerts.
    async fn alerts(&self, path: &[&str], ctx: &Context) -> Result<Findings, CallError> {
        let url = client::address(&self.endpoint, path)?;
        let mut warnings = Warnings::default();
        let read = |body: &SharedStr| wire::alerts(body, self.portal, &mut warnings);
        let alerts = self.list(&url, paging(Api::Endpoint, &self.endpoint, READ_ALERTS), read, ctx).await?;
        let Some(alerts) = alerts else { return Ok(Findings::unknown()) };
        Ok(findings_of_listing(alerts.error_if_empty()?, None, warnings))
    }

    /// Returns a list with all its pages on the same origin; `None` if Defender does not know it.
    async fn list<T>(
        &self,
        url: &Url,
        paging: Paging<'_>,
        mut read: impl FnMut(&SharedStr) -> Result<Page<T>, ClientError>,
        ctx: &Context,
    ) -> Result<Option<Listing<T>>, CallError> {
        let Some(body) = CallError::none_if_not_found(self.calls.get(paging.api, url, paging.permission, ctx).await)?
        else {
            return Ok(None);
        };
        let first = read(&body)?;
        ctx.hold(first.made)?;
        let mut list = Listing::of(first.items, vec![body]);
        self.calls.read_on(&mut list, first.next_link, paging, read, ctx).await;
        Ok(Some(list))
    }
}

/// Reads the findings in the body of a list, without a call. `None`: the body is not a list of alerts.
pub fn read_list(body: &Bytes, portal: Portal) -> Option<Findings> {
    let mut warnings = Warnings::default();
    let body = SharedStr::try_from(body.clone()).ok()?;
    let page = wire::alerts(&body, portal, &mut warnings).ok()?;
    Some(Findings::new(page.items, None, vec![body], warnings))
}

/// Reads the findings in the body of an incident, without a call. `None`: the body is not an incident.
pub fn read_incident(body: &Bytes, id: IncidentId, portal: Portal) -> Option<Findings> {
    let mut warnings = Warnings::default();
    let body = SharedStr::try_from(body.clone()).ok()?;
    let (incident, alerts) = wire::incident(&body, id, portal, &mut warnings).ok()?;
    Some(Findings::new(alerts.items, Some(incident), vec![body], warnings))
}

fn paging<'r>(api: Api, base: &'r Url, permission: &'static str) -> Paging<'r> {
    Paging { api, permission, base, root: "api", prefer: None, calls_follow: false }
}
