//! Lists through the older APIs: a device is asked for by its id, an account by its bare name, a file by its SHA-1.

use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use super::query::Query;
use super::readings::Names;
use super::resolve::{Name, Resolution, Resolved};
use super::scope::RequestScope;
use super::{
    AnswerBuilder, EnrichError, Enricher, NotLookedUp, listed_ids, matched_short_name, namesakes, several_devices,
};
use crate::backend::defender::devices::{Chosen, Named};
use crate::backend::defender::{Defender, devices};
use crate::cache::Cached;
use crate::domain::enrichment::{Answer, CacheState};
use crate::domain::findings::Findings;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{Account, DeviceId, DeviceName, FileHash, Machine, NameMatch, Sha1, Sha256};
use crate::domain::timestamp::Timestamp;
use crate::domain::warning::{Warning, WarningCode};

/// Records of one name that are asked for, one after the other, while their alerts are not known.
const MAX_TRIED: usize = 10;

impl Enricher {
    /// The alerts of a device, whose name is resolved to its id first.
    pub(super) async fn listed_of_machine(
        &self,
        mut draft: AnswerBuilder,
        machine: &Machine,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let id = match machine {
            Machine::Id(id) => id,
            Machine::Name(name) => {
                return match self.device_of(name, draft.names, defender, scope).await? {
                    Some(resolved) => self.listed_of_records(draft, name, resolved, defender, scope).await,
                    None => Ok(draft.unknown()),
                };
            }
        };
        draft.url = Some(self.portal.device(id));
        self.answer(draft, Query::Machine(defender.clone(), id.clone()), scope).await
    }

    /// The alerts of the first record of a name that has not gone: Defender lists records whose alerts it does not know
    /// any more.
    async fn listed_of_records(
        &self,
        mut draft: AnswerBuilder,
        name: &DeviceName,
        resolved: Resolved,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let Resolved { chosen: Chosen { id, others, by }, unread } = resolved;
        let mut left: VecDeque<_> = iter::once(id).chain(others).collect();
        let mut gone: Vec<DeviceId> = Vec::new();
        if by == NameMatch::FirstLabel {
            draft.warnings.push(matched_short_name(name));
        }
        if unread.is_some() {
            let detail = "Defender's list of devices did not come to its end: others of this name may be on it.";
            draft.warnings.push(Warning { code: WarningCode::Partial, detail: detail.to_owned() });
        }
        while gone.len() < MAX_TRIED
            && let Some(id) = left.pop_front()
        {
            let found = self.recall(Query::Machine(defender.clone(), id.clone()), scope).await?;
            if !found.value.known {
                gone.push(id);
                continue;
            }
            if !(gone.is_empty() && left.is_empty()) {
                let why = if gone.is_empty() {
                    "onboarded and active, seen last".to_owned()
                } else {
                    format!("it comes first of those whose alerts Defender knows, which are not {}", listed_ids(&gone))
                };
                let others: Vec<_> = gone.into_iter().chain(left).collect();
                draft.warnings.push(several_devices(&id, &others, &why));
            }
            id.as_str().clone_into(&mut draft.id);
            draft.url = Some(self.portal.device(&id));
            draft.steps.push(Step::new(StepName::MachineNameToId, name.as_str(), id.as_str()));
            return Ok(draft.finish(found));
        }
        if !left.is_empty() {
            let detail = format!("{} more records of this name were not asked for.", left.len());
            draft.warnings.push(Warning { code: WarningCode::Partial, detail });
        }
        draft.steps.extend(gone.iter().map(|id| Step::new(StepName::MachineNameToId, name.as_str(), id.as_str())));
        Ok(draft.unknown())
    }

    /// The alerts of an account, by its bare name.
    pub(super) async fn listed_of_user(
        &self,
        mut draft: AnswerBuilder,
        account: &Account,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        if account.is_sid() || account.is_object_id() {
            return Err(EnrichError::NotLookedUp(NotLookedUp::AccountId));
        }
        draft.steps.extend(account.step_to_bare_name());
        let mut answer = self.answer(draft, Query::User(defender.clone(), account.clone()), scope).await?;
        answer.warnings.extend(namesakes::warning(account, &answer.findings));
        Ok(answer)
    }

    /// The alerts of a file, whose SHA-256 is resolved to its SHA-1 first.
    pub(super) async fn listed_of_file(
        &self,
        mut draft: AnswerBuilder,
        hash: &FileHash,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
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
        self.answer(draft, Query::File(defender.clone(), sha1), scope).await
    }

    /// The records that a name stands for, the one to ask for first.
    async fn device_of(
        &self,
        name: &DeviceName,
        names: Names,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Option<Resolved>, EnrichError> {
        let key = Name::of_device(name);
        let fetch = || {
            let (defender, name, ctx) = (defender.clone(), name.clone(), scope.ctx.of_a_name());
            let at_once = scope.names_at_once();
            async move {
                let _place = at_once.acquire().await;
                resolve_device(&name, defender.devices_named(&name, &ctx).await?)
            }
        };
        let found = scope.names().once(key.clone(), self.names.get_or_fetch(key, scope.ctx.deadline, fetch)).await?;
        let Resolution::Device(Some(resolved)) = found.value else { return Ok(None) };
        match (names, resolved.chosen.by) {
            (Names::Any, _) | (Names::Whole, NameMatch::Whole) | (Names::FirstLabel, NameMatch::FirstLabel) => {
                Ok(Some(resolved))
            }
            // The name itself may be on what was not read.
            (Names::Whole, NameMatch::FirstLabel) => resolved.unread.map_or(Ok(None), Err),
            (Names::FirstLabel, NameMatch::Whole) => Ok(None),
        }
    }

    /// The SHA-1 of the file that a SHA-256 stands for, said in the draft.
    async fn sha1_of(
        &self,
        sha256: &Sha256,
        draft: &mut AnswerBuilder,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Option<Sha1>, EnrichError> {
        let fetch = || {
            let (defender, sha256, ctx) = (defender.clone(), sha256.clone(), scope.ctx.of_a_name());
            let at_once = scope.names_at_once();
            async move {
                let _place = at_once.acquire().await;
                Ok(Resolution::Sha1(defender.sha1_of(&sha256, &ctx).await?))
            }
        };
        let key = Name::Sha256(sha256.clone());
        let found = scope.names().once(key.clone(), self.names.get_or_fetch(key, scope.ctx.deadline, fetch)).await?;
        let Resolution::Sha1(Some(sha1)) = found.value else { return Ok(None) };
        draft.steps.push(Step::new(StepName::Sha256ToSha1, sha256.as_str(), sha1.as_str()));
        Ok(Some(sha1))
    }
}

/// What a name stands for. Where nothing fits and the list was not read to its end, nobody knows.
fn resolve_device(name: &DeviceName, named: Named) -> Result<Resolution, EnrichError> {
    let Named { records, unread } = named;
    match (devices::choose(name, records), unread.map(EnrichError::from)) {
        (Some(chosen), unread) => Ok(Resolution::Device(Some(Resolved { chosen, unread }))),
        (None, None) => Ok(Resolution::Device(None)),
        (None, Some(error)) => Err(error),
    }
}

impl AnswerBuilder {
    /// The answer about something that could not be resolved: Defender does not know it.
    fn unknown(self) -> Answer {
        let found = Cached {
            value: Arc::new(Findings::unknown()),
            fetched_at: Timestamp::now(),
            age: Duration::ZERO,
            state: CacheState::Miss,
        };
        self.finish(found)
    }
}
