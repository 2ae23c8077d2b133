//! Alert lists from Graph. Nothing is resolved first: the hunting query contains the name itself.

use std::sync::Arc;

use super::query::Query;
use super::readings::NameFilter;
use super::scope::RequestScope;
use super::{AnswerBuilder, EnrichError, Enricher, matched_short_name, namesakes, several_devices};
use crate::backend::graph::{Graph, HuntingTarget, MAX_ALERTS};
use crate::cache::Cached;
use crate::domain::alert::{Alert, Device};
use crate::domain::enrichment::Answer;
use crate::domain::findings::Findings;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{Account, DeviceId, DeviceName, NameMatch};
use crate::domain::warning::{Warning, WarningCode};

impl Enricher {
    /// Returns the alerts of a target that one query covers.
    pub(super) async fn graph_alerts(
        &self,
        mut builder: AnswerBuilder,
        target: HuntingTarget,
        graph: &Arc<Graph>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        builder.url = match &target {
            HuntingTarget::Device(id) => Some(self.portal.device(id)),
            HuntingTarget::File(hash) => Some(self.portal.file(hash.as_str())),
            HuntingTarget::DeviceName(_)
            | HuntingTarget::FullDeviceName(_)
            | HuntingTarget::User(_)
            | HuntingTarget::Ip(_)
            | HuntingTarget::Domain(_) => None,
        };
        let query = Query::Hunting(graph.clone(), target);
        builder.id = query.key().id();
        let found = self.findings(query, scope).await?;
        Ok(builder.finish(found))
    }

    /// Returns the alerts of an account, with a warning if alerts of another account may be among them.
    pub(super) async fn graph_user_alerts(
        &self,
        builder: AnswerBuilder,
        account: &Account,
        graph: &Arc<Graph>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let mut answer = self.graph_alerts(builder, HuntingTarget::User(account.clone()), graph, scope).await?;
        answer.warnings.extend(namesakes::hunting_warning(account, &answer.findings));
        Ok(answer)
    }

    /// Returns the alerts of the device with this name. If several devices have it, the device of the newest alert is
    /// taken, and a warning lists the others. A device that is named like the first label of a full name is taken only if
    /// no device has the full name.
    pub(super) async fn graph_alerts_by_device_name(
        &self,
        mut builder: AnswerBuilder,
        name: &DeviceName,
        graph: &Arc<Graph>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let query = |target| Query::Hunting(graph.clone(), target);
        name.as_str().clone_into(&mut builder.id);
        let mut found = self.findings(query(HuntingTarget::DeviceName(name.clone())), scope).await?;
        let by_label = |alert: &Alert| match_of(alert, name) == NameMatch::FirstLabel;
        let (newest, are_cut) = (&found.value.alerts, found.value.alerts.len() >= MAX_ALERTS);
        if are_cut && newest.iter().any(by_label) {
            // The list is cut: newer alerts of the short name may have displaced alerts of the full name.
            match self.findings(query(HuntingTarget::FullDeviceName(name.clone())), scope).await {
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
        Ok(self.of_one_device(builder, name, by, found))
    }

    fn of_one_device(
        &self,
        mut builder: AnswerBuilder,
        name: &DeviceName,
        by: NameMatch,
        mut found: Cached<Arc<Findings>>,
    ) -> Answer {
        if by == NameMatch::FirstLabel && found.value.found() {
            builder.warnings.push(matched_short_name(name));
        }
        let mut devices: Vec<DeviceId> = Vec::new();
        for device in found.value.alerts.iter().flat_map(Alert::devices) {
            if let Some(id) = id_of(device, name, by).filter(|id| !devices.contains(id)) {
                devices.push(id);
            }
        }
        let Some((chosen, others)) = devices.split_first() else { return builder.finish(found) };
        chosen.as_str().clone_into(&mut builder.id);
        builder.url = Some(self.portal.device(chosen));
        builder.steps.push(Step::new(StepName::MachineNameToId, name.as_str(), chosen.as_str()));
        if !others.is_empty() {
            builder.warnings.push(several_devices(chosen, others, "the newest alert is about it"));
            found.value = only(&found.value, |alert| names_device(alert, chosen, name, by));
        }
        builder.finish(found)
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
