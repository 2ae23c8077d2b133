//! Alert lists from Graph. Nothing is resolved first: the hunting query contains the name itself.

use std::sync::Arc;

use super::interpretations::NameFilter;
use super::scope::RequestScope;
use super::{AnswerBuilder, EnrichError, Enricher, account_domains, matched_short_name, several_devices};
use crate::backend::graph::{GraphQuery, MAX_ALERTS};
use crate::backend::{ComparedBy, Query};
use crate::cache::Cached;
use crate::domain::alert::{Alert, Device};
use crate::domain::enrichment::{Answer, BackendName};
use crate::domain::findings::Findings;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{DeviceId, DeviceName, Machine, NameMatch, Subject};
use crate::domain::warning::{Warning, WarningCode};

impl Enricher {
    /// Answers a question by Graph.
    pub(super) async fn by_graph(
        &self,
        builder: AnswerBuilder,
        subject: &Subject,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        match subject {
            Subject::Incident(id) => return self.incident(builder, *id, BackendName::Graph, scope).await,
            Subject::Machine(Machine::Name(name)) => {
                return self.graph_alerts_by_device_name(builder, name, scope).await;
            }
            Subject::Alert(_)
            | Subject::Machine(Machine::Id(_))
            | Subject::User(_)
            | Subject::File(_)
            | Subject::Ip(_)
            | Subject::Domain(_) => {}
        }
        let mut answer = self.answer(builder, Query::Graph(GraphQuery::of(subject)), scope).await?;
        if let Subject::User(account) = subject {
            answer.warnings.extend(account_domains::hunting_warning(account, &answer.findings));
        }
        Ok(answer)
    }

    /// Returns the alerts of the device with this name. If several devices have it, the device of the newest alert is
    /// taken, and a warning lists the others. A device that is named like the first label of a full name is taken only if
    /// no device has the full name.
    async fn graph_alerts_by_device_name(
        &self,
        mut builder: AnswerBuilder,
        name: &DeviceName,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let compared = ComparedBy::any_case(name.clone(), name.as_str());
        let query = Query::Graph(GraphQuery::MachineName(compared.clone()));
        builder.describe(&query, self.portal);
        let mut found = self.findings(query, scope).await?;
        let by_label = |alert: &Alert| match_of(alert, name) == NameMatch::FirstLabel;
        let (newest, are_cut) = (&found.value.alerts, found.value.alerts.len() >= MAX_ALERTS);
        if are_cut && newest.iter().any(by_label) {
            // The list is cut: newer alerts of the short name may have displaced alerts of the full name.
            match self.findings(Query::Graph(GraphQuery::FullMachineName(compared.clone())), scope).await {
                Ok(whole) if whole.value.found() => found = whole,
                Ok(_) => {}
                // It is not known whether the full name has alerts.
                Err(error) if builder.names == NameFilter::Whole && found.value.alerts.iter().all(by_label) => {
                    return Err(error);
                }
                Err(_) => {
                    let detail =
                        "The query for the alerts of the full name alone failed: older ones may be missing. Ask again.";
                    builder.warnings.push(Warning { code: WarningCode::Partial, detail: detail.to_owned() });
                }
            }
        }
        let by = if found.value.alerts.is_empty() || !found.value.alerts.iter().all(by_label) {
            NameMatch::Whole
        } else {
            NameMatch::FirstLabel
        };
        let is_meant = match builder.names {
            NameFilter::Any => true,
            NameFilter::Whole => by == NameMatch::Whole,
            NameFilter::FirstLabel => by == NameMatch::FirstLabel,
        };
        found.value = only(&found.value, |alert| is_meant && match_of(alert, name) == by);
        let found = self.of_one_device(&mut builder, name, by, found);
        if scope.with_context {
            // An item that waits for its context must not block the other items.
            scope.ctx.end_turn();
        }
        // Which device it is, only its alerts tell.
        let query = DeviceId::parse(&builder.id).map_or(GraphQuery::MachineName(compared), GraphQuery::Machine);
        self.add_context(&mut builder, &Query::Graph(query), scope).await;
        let device = builder.context.as_ref().and_then(|context| context.device.as_ref()?.name.as_deref());
        if !found.value.found() && device.and_then(|device| name.matches(device)) == Some(NameMatch::FirstLabel) {
            builder.warnings.push(matched_short_name(name));
        }
        Ok(builder.finish(found))
    }

    /// Returns the findings about one of the devices with this name, and names it in the answer.
    fn of_one_device(
        &self,
        builder: &mut AnswerBuilder,
        name: &DeviceName,
        by: NameMatch,
        mut found: Cached<Arc<Findings>>,
    ) -> Cached<Arc<Findings>> {
        if by == NameMatch::FirstLabel && found.value.found() {
            builder.warnings.push(matched_short_name(name));
        }
        let mut devices: Vec<DeviceId> = Vec::new();
        for device in found.value.alerts.iter().flat_map(Alert::devices) {
            if let Some(id) = id_of(device, name, by).filter(|id| !devices.contains(id)) {
                devices.push(id);
            }
        }
        let Some((chosen, others)) = devices.split_first() else { return found };
        chosen.as_str().clone_into(&mut builder.id);
        builder.url = Some(self.portal.device(chosen));
        builder.steps.push(Step::new(StepName::MachineNameToId, name.as_str(), chosen.as_str()));
        if !others.is_empty() {
            builder.warnings.push(several_devices(chosen, others, "the newest alert is about it"));
            found.value = only(&found.value, |alert| names_device(alert, chosen, name, by));
        }
        found
    }
}

/// Returns the findings with only the alerts that `keep` accepts.
fn only(findings: &Arc<Findings>, keep: impl Fn(&Alert) -> bool) -> Arc<Findings> {
    if findings.alerts.iter().all(&keep) {
        return findings.clone();
    }
    let mut kept = Findings::clone(findings);
    kept.alerts.retain(keep);
    Arc::new(kept)
}

/// Returns which part of the name an alert matches. An alert that names no such device counts as a match of the whole.
fn match_of(alert: &Alert, name: &DeviceName) -> NameMatch {
    let mut found = None;
    for by in alert.devices().filter_map(|device| name.matches(device.name.as_deref()?)) {
        match by {
            NameMatch::Whole => return by,
            NameMatch::FirstLabel => found = Some(by),
        }
    }
    found.unwrap_or(NameMatch::Whole)
}

/// Returns the id of a device, if its name matches in this way.
fn id_of(device: &Device, name: &DeviceName, by: NameMatch) -> Option<DeviceId> {
    let is_meant = device.name.as_deref().is_some_and(|known| name.matches(known) == Some(by));
    device.id.as_deref().filter(|_| is_meant).and_then(DeviceId::parse)
}

/// Whether an alert names the chosen device, or no device of this name.
fn names_device(alert: &Alert, chosen: &DeviceId, name: &DeviceName, by: NameMatch) -> bool {
    let mut named = alert.devices().filter_map(|device| id_of(device, name, by)).peekable();
    named.peek().is_none() || named.any(|id| id == *chosen)
}
