//! Lists through Graph: nothing is resolved before, the name stands in the query itself.

use std::sync::Arc;

use super::ask::Ask;
use super::scope::Scope;
use super::{Draft, EnrichError, Enricher, several_devices};
use crate::cache::Recalled;
use crate::domain::alert::{Alert, Device};
use crate::domain::enrichment::Answer;
use crate::domain::findings::Findings;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{DeviceId, DeviceName, Machine};
use crate::graph::{Graph, Quarry};

impl Enricher {
    /// The alerts of a device, an account or a file.
    pub(super) async fn hunted(
        &self,
        mut draft: Draft,
        quarry: Quarry,
        graph: &Arc<Graph>,
        scope: &Scope<'_>,
    ) -> Result<Answer, EnrichError> {
        draft.url = match &quarry {
            Quarry::Device(Machine::Id(id)) => Some(self.portal.device(id)),
            Quarry::File(hash) => Some(self.portal.file(hash.as_str())),
            Quarry::Device(Machine::Name(_)) | Quarry::User(_) | Quarry::Ip(_) | Quarry::Domain(_) => None,
        };
        let ask = Ask::Hunted(graph.clone(), quarry.clone());
        draft.id = ask.key().id();
        let found = self.recall(ask, scope).await?;
        match &quarry {
            Quarry::Device(Machine::Name(name)) => Ok(self.of_one_device(draft, name, found)),
            Quarry::Device(Machine::Id(_)) | Quarry::User(_) | Quarry::File(_) | Quarry::Ip(_) | Quarry::Domain(_) => {
                Ok(draft.finish(found))
            }
        }
    }

    /// The device that a name stands for is the one that the newest alert is about; the others of the name are told.
    fn of_one_device(&self, mut draft: Draft, name: &DeviceName, mut found: Recalled<Arc<Findings>>) -> Answer {
        let mut devices: Vec<DeviceId> = Vec::new();
        for device in found.value.alerts.iter().flat_map(Alert::devices) {
            if let Some(id) = id_of(device, name).filter(|id| !devices.contains(id)) {
                devices.push(id);
            }
        }
        let Some((chosen, others)) = devices.split_first() else { return draft.finish(found) };
        chosen.as_str().clone_into(&mut draft.id);
        draft.url = Some(self.portal.device(chosen));
        draft.steps.push(Step::new(StepName::MachineNameToId, name.as_str(), chosen.as_str()));
        if !others.is_empty() {
            draft.warnings.push(several_devices(chosen, others, "the newest alert is about it"));
            let mut findings = Findings::clone(&found.value);
            findings.alerts.retain(|alert| is_about(alert, chosen, name));
            found.value = Arc::new(findings);
        }
        draft.finish(found)
    }
}

/// The id of a device, if it has this name.
fn id_of(device: &Device, name: &DeviceName) -> Option<DeviceId> {
    let is_named = device.name.as_deref().is_some_and(|known| name.matches(known));
    device.id.as_deref().filter(|_| is_named).and_then(DeviceId::parse)
}

/// Whether an alert is about the chosen device, or about none of the name.
fn is_about(alert: &Alert, chosen: &DeviceId, name: &DeviceName) -> bool {
    let mut named = alert.devices().filter_map(|device| id_of(device, name)).peekable();
    named.peek().is_none() || named.any(|id| id == *chosen)
}
