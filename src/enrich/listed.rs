//! Lists through the older APIs: a device is asked for by its id, an account by its bare name, a file by its SHA-1.

use std::sync::Arc;
use std::time::Duration;

use super::ask::Ask;
use super::resolve::{Name, Resolution};
use super::scope::Scope;
use super::{Draft, EnrichError, Enricher, namesakes, several_devices};
use crate::cache::Recalled;
use crate::defender::{Defender, devices};
use crate::domain::enrichment::{Answer, CacheState};
use crate::domain::findings::Findings;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{Account, DeviceId, DeviceName, FileHash, Machine, Sha1, Sha256};
use crate::domain::time::Moment;

impl Enricher {
    /// The alerts of a device, whose name is resolved to its id first.
    pub(super) async fn listed_of_machine(
        &self,
        mut draft: Draft,
        machine: &Machine,
        defender: &Arc<Defender>,
        scope: &Scope<'_>,
    ) -> Result<Answer, EnrichError> {
        let id = match machine {
            Machine::Id(id) => id.clone(),
            Machine::Name(name) => match self.device_of(name, &mut draft, defender, scope).await? {
                Some(id) => id,
                None => return Ok(draft.unknown()),
            },
        };
        draft.url = Some(self.portal.device(&id));
        self.answer(draft, Ask::Machine(defender.clone(), id), scope).await
    }

    /// The alerts of an account, by its bare name.
    pub(super) async fn listed_of_user(
        &self,
        mut draft: Draft,
        account: &Account,
        defender: &Arc<Defender>,
        scope: &Scope<'_>,
    ) -> Result<Answer, EnrichError> {
        draft.steps.extend(account.step_to_bare_name());
        let mut answer = self.answer(draft, Ask::User(defender.clone(), account.clone()), scope).await?;
        answer.warnings.extend(namesakes::warning(account, &answer.findings));
        Ok(answer)
    }

    /// The alerts of a file, whose SHA-256 is resolved to its SHA-1 first.
    pub(super) async fn listed_of_file(
        &self,
        mut draft: Draft,
        hash: &FileHash,
        defender: &Arc<Defender>,
        scope: &Scope<'_>,
    ) -> Result<Answer, EnrichError> {
        let sha1 = match hash {
            FileHash::Sha1(sha1) => sha1.clone(),
            FileHash::Sha256(sha256) => {
                let Some(sha1) = self.sha1_of(sha256, &mut draft, defender, scope).await? else {
                    draft.url = Some(self.portal.file(sha256.as_str()));
                    return Ok(draft.unknown());
                };
                sha1
            }
        };
        draft.url = Some(self.portal.file(sha1.as_str()));
        self.answer(draft, Ask::File(defender.clone(), sha1), scope).await
    }

    /// The device that a name stands for, said in the draft.
    async fn device_of(
        &self,
        name: &DeviceName,
        draft: &mut Draft,
        defender: &Arc<Defender>,
        scope: &Scope<'_>,
    ) -> Result<Option<DeviceId>, EnrichError> {
        let key = Name::of_device(name);
        let fetch = || {
            let (defender, name, ctx) = (defender.clone(), name.clone(), scope.ctx.clone());
            async move { Ok(Resolution::Device(devices::choose(defender.devices_named(&name, &ctx).await?))) }
        };
        let found = scope.names.once(key.clone(), self.names.recall_or_fetch(key, scope.ctx.deadline, fetch)).await?;
        let Resolution::Device(Some(chosen)) = found.value else { return Ok(None) };
        draft.steps.push(Step::new(StepName::MachineNameToId, name.as_str(), chosen.id.as_str()));
        if !chosen.others.is_empty() {
            draft.warnings.push(several_devices(&chosen.id, &chosen.others, "onboarded and active, seen last"));
        }
        Ok(Some(chosen.id))
    }

    /// The SHA-1 of the file that a SHA-256 stands for, said in the draft.
    async fn sha1_of(
        &self,
        sha256: &Sha256,
        draft: &mut Draft,
        defender: &Arc<Defender>,
        scope: &Scope<'_>,
    ) -> Result<Option<Sha1>, EnrichError> {
        let fetch = || {
            let (defender, sha256, ctx) = (defender.clone(), sha256.clone(), scope.ctx.clone());
            async move { Ok(Resolution::Sha1(defender.sha1_of(&sha256, &ctx).await?)) }
        };
        let key = Name::Sha256(sha256.clone());
        let found = scope.names.once(key.clone(), self.names.recall_or_fetch(key, scope.ctx.deadline, fetch)).await?;
        let Resolution::Sha1(Some(sha1)) = found.value else { return Ok(None) };
        draft.steps.push(Step::new(StepName::Sha256ToSha1, sha256.as_str(), sha1.as_str()));
        Ok(Some(sha1))
    }
}

impl Draft {
    /// The answer about something that could not be resolved: Defender does not know it.
    fn unknown(self) -> Answer {
        let found = Recalled {
            value: Arc::new(Findings::unknown()),
            fetched_at: Moment::now(),
            age: Duration::ZERO,
            state: CacheState::Miss,
        };
        self.finish(found)
    }
}
