//! Lists through Graph: nothing is resolved before, the name stands in the query itself.

use std::sync::Arc;

use super::query::Query;
use super::readings::Names;
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
    /// The alerts of anything that one query finds.
    pub(super) async fn hunted(
        &self,
        mut draft: AnswerBuilder,
        target: HuntingTarget,
        graph: &Arc<Graph>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        draft.url = match &target {
            HuntingTarget::Device(id) => Some(self.portal.device(id)),
            HuntingTarget::File(hash) => Some(self.portal.file(hash.as_str())),
            HuntingTarget::Named(_)
            | HuntingTarget::WholeName(_)
            | HuntingTarget::User(_)
            | HuntingTarget::Ip(_)
            | HuntingTarget::Domain(_) => None,
        };
        let ask = Query::Hunted(graph.clone(), target);
        draft.id = ask.key().id();
        let found = self.recall(ask, scope).await?;
        Ok(draft.finish(found))
    }

    /// The alerts of an account, and that another's may be among them.
    pub(super) async fn hunted_user(
        &self,
        draft: AnswerBuilder,
        account: &Account,
        graph: &Arc<Graph>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let mut answer = self.hunted(draft, HuntingTarget::User(account.clone()), graph, scope).await?;
        answer.warnings.extend(namesakes::warning_of_hunted(account, &answer.findings));
        Ok(answer)
    }

    /// The alerts of the device that a name stands for: the one that the newest alert is about; the others of the name
    /// are told. One that is called like the first label of a full name is meant only where none has the whole name.
    pub(super) async fn hunted_by_name(
        &self,
        mut draft: AnswerBuilder,
        name: &DeviceName,
        graph: &Arc<Graph>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let ask = |target| Query::Hunted(graph.clone(), target);
        name.as_str().clone_into(&mut draft.id);
        let mut found = self.recall(ask(HuntingTarget::Named(name.clone())), scope).await?;
        let by_label = |alert: &Alert| match_of(alert, name) == NameMatch::FirstLabel;
        let (newest, are_cut) = (&found.value.alerts, found.value.alerts.len() >= MAX_ALERTS);
        if are_cut && newest.iter().any(by_label) {
            // Newer alerts of the one may have left no place for those of the other.
            match self.recall(ask(HuntingTarget::WholeName(name.clone())), scope).await {
                Ok(whole) if whole.value.found() => found = whole,
                Ok(_) => {}
                // Nobody knows whether the name itself has alerts.
                Err(error) if draft.names == Names::Whole && found.value.alerts.iter().all(by_label) => {
                    return Err(error);
                }
                Err(_) => {
                    let detail =
                        "The query for the alerts of the full name alone failed: older ones may be missing. Ask again.";
                    draft.warnings.push(Warning { code: WarningCode::Partial, detail: detail.to_owned() });
                }
            }
        }
        let by = if found.value.alerts.is_empty() || !found.value.alerts.iter().all(by_label) {
            NameMatch::Whole
        } else {
            NameMatch::FirstLabel
        };
        let is_meant = match draft.names {
            Names::Any => true,
            Names::Whole => by == NameMatch::Whole,
            Names::FirstLabel => by == NameMatch::FirstLabel,
        };
        found.value = only(&found.value, |alert| is_meant && match_of(alert, name) == by);
        Ok(self.of_one_device(draft, name, by, found))
    }

    fn of_one_device(
        &self,
        mut draft: AnswerBuilder,
        name: &DeviceName,
        by: NameMatch,
        mut found: Cached<Arc<Findings>>,
    ) -> Answer {
        if by == NameMatch::FirstLabel && found.value.found() {
            draft.warnings.push(matched_short_name(name));
        }
        let mut devices: Vec<DeviceId> = Vec::new();
        for device in found.value.alerts.iter().flat_map(Alert::devices) {
            if let Some(id) = id_of(device, name, by).filter(|id| !devices.contains(id)) {
                devices.push(id);
            }
        }
        let Some((chosen, others)) = devices.split_first() else { return draft.finish(found) };
        chosen.as_str().clone_into(&mut draft.id);
        draft.url = Some(self.portal.device(chosen));
        draft.steps.push(Step::new(StepName::MachineNameToId, name.as_str(), chosen.as_str()));
        if !others.is_empty() {
            draft.warnings.push(several_devices(chosen, others, "the newest alert is about it"));
            found.value = only(&found.value, |alert| is_about(alert, chosen, name, by));
        }
        draft.finish(found)
    }
}

/// The findings with these alerts only.
fn only(findings: &Arc<Findings>, keep: impl Fn(&Alert) -> bool) -> Arc<Findings> {
    if findings.alerts.iter().all(&keep) {
        return findings.clone();
    }
    let mut kept = Findings::clone(findings);
    kept.alerts.retain(keep);
    Arc::new(kept)
}

/// By which part of the name an alert was found. One that names no such device was found by the whole of it.
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

/// The id of a device, if it is meant by this part of the name.
fn id_of(device: &Device, name: &DeviceName, by: NameMatch) -> Option<DeviceId> {
    let is_meant = device.name.as_deref().is_some_and(|known| name.matches(known) == Some(by));
    device.id.as_deref().filter(|_| is_meant).and_then(DeviceId::parse)
}

/// Whether an alert is about the chosen device, or about none of the name.
fn is_about(alert: &Alert, chosen: &DeviceId, name: &DeviceName, by: NameMatch) -> bool {
    let mut named = alert.devices().filter_map(|device| id_of(device, name, by)).peekable();
    named.peek().is_none() || named.any(|id| id == *chosen)
}
