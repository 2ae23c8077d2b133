//! Alert lists from the older APIs. They take a device by its id, an account by its bare name, a file by its SHA-1.

use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use super::query::Query;
use super::readings::NameFilter;
use super::resolve::{Resolution, ResolutionKey, ResolvedDevice};
use super::scope::RequestScope;
use super::{
    AnswerBuilder, EnrichError, Enricher, NotLookedUp, join_ids, matched_short_name, namesakes, several_devices,
};
use crate::backend::defender::devices::{ChosenDevice, DeviceList};
use crate::backend::defender::{Defender, devices};
use crate::cache::Cached;
use crate::domain::enrichment::{Answer, CacheState};
use crate::domain::findings::Findings;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{Account, DeviceId, DeviceName, FileHash, Machine, NameMatch, Sha1, Sha256};
use crate::domain::timestamp::Timestamp;
use crate::domain::warning::{Warning, WarningCode};

/// How many records of one name are tried, one after the other, until Defender knows the alerts of one.
const MAX_TRIED_RECORDS: usize = 10;

impl Enricher {
    /// Returns the alerts of a device. A name is resolved to an id first.
    pub(super) async fn defender_machine_alerts(
        &self,
        mut builder: AnswerBuilder,
        machine: &Machine,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let id = match machine {
            Machine::Id(id) => id,
            Machine::Name(name) => {
                return match self.device_of(name, builder.names, defender, scope).await? {
                    Some(resolved) => self.defender_record_alerts(builder, name, resolved, defender, scope).await,
                    None => Ok(builder.unknown()),
                };
            }
        };
        builder.url = Some(self.portal.device(id));
        self.answer(builder, Query::Machine(defender.clone(), id.clone()), scope).await
    }

    /// Returns the alerts of the first record of a name whose alerts Defender still knows. Defender also lists records of
    /// which it has deleted the alerts.
    async fn defender_record_alerts(
        &self,
        mut builder: AnswerBuilder,
        name: &DeviceName,
        resolved: ResolvedDevice,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let ResolvedDevice { chosen: ChosenDevice { id, others, by }, incomplete } = resolved;
        let mut remaining: VecDeque<_> = iter::once(id).chain(others).collect();
        let mut gone: Vec<DeviceId> = Vec::new();
        if by == NameMatch::FirstLabel {
            builder.warnings.push(matched_short_name(name));
        }
        if incomplete.is_some() {
            let detail = "Defender's list of devices did not come to its end: others of this name may be on it.";
            builder.warnings.push(Warning { code: WarningCode::Partial, detail: detail.to_owned() });
        }
        while gone.len() < MAX_TRIED_RECORDS
            && let Some(id) = remaining.pop_front()
        {
            let found = self.findings(Query::Machine(defender.clone(), id.clone()), scope).await?;
            if !found.value.known {
                gone.push(id);
                continue;
            }
            if !(gone.is_empty() && remaining.is_empty()) {
                let why = if gone.is_empty() {
                    "onboarded and active, seen last".to_owned()
                } else {
                    format!("it comes first of those whose alerts Defender knows, which are not {}", join_ids(&gone))
                };
                let others: Vec<_> = gone.into_iter().chain(remaining).collect();
                builder.warnings.push(several_devices(&id, &others, &why));
            }
            id.as_str().clone_into(&mut builder.id);
            builder.url = Some(self.portal.device(&id));
            builder.steps.push(Step::new(StepName::MachineNameToId, name.as_str(), id.as_str()));
            return Ok(builder.finish(found));
        }
        if !remaining.is_empty() {
            let detail = format!("{} more records of this name were not asked for.", remaining.len());
            builder.warnings.push(Warning { code: WarningCode::Partial, detail });
        }
        builder.steps.extend(gone.iter().map(|id| Step::new(StepName::MachineNameToId, name.as_str(), id.as_str())));
        Ok(builder.unknown())
    }

    /// Returns the alerts of an account, by its bare name.
    pub(super) async fn defender_user_alerts(
        &self,
        mut builder: AnswerBuilder,
        account: &Account,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        if account.is_sid() || account.is_object_id() {
            return Err(EnrichError::NotLookedUp(NotLookedUp::AccountId));
        }
        builder.steps.extend(account.step_to_bare_name());
        let mut answer = self.answer(builder, Query::User(defender.clone(), account.clone()), scope).await?;
        answer.warnings.extend(namesakes::warning(account, &answer.findings));
        Ok(answer)
    }

    /// Returns the alerts of a file. A SHA-256 is resolved to a SHA-1 first.
    pub(super) async fn defender_file_alerts(
        &self,
        mut builder: AnswerBuilder,
        hash: &FileHash,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let sha1 = match hash {
            FileHash::Sha1(sha1) => sha1.clone(),
            FileHash::Sha256(sha256) => {
                let Some(sha1) = self.sha1_of(sha256, &mut builder, defender, scope).await? else {
                    builder.url = Some(self.portal.file(sha256.as_str()));
                    return Ok(builder.unknown());
                };
                sha1
            }
        };
        builder.url = Some(self.portal.file(sha1.as_str()));
        self.answer(builder, Query::File(defender.clone(), sha1), scope).await
    }

    /// Resolves a device name to its records, in the order in which they are tried.
    async fn device_of(
        &self,
        name: &DeviceName,
        names: NameFilter,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Option<ResolvedDevice>, EnrichError> {
        let key = ResolutionKey::of_device(name);
        let fetch = || {
            let (defender, name, ctx) = (defender.clone(), name.clone(), scope.ctx.of_a_name());
            let permits = scope.name_permits();
            async move {
                let _permit = permits.acquire().await;
                resolve_device(&name, defender.devices_named(&name, &ctx).await?)
            }
        };
        let found =
            scope.names().get_or_init(key.clone(), self.names.get_or_fetch(key, scope.ctx.deadline, fetch)).await?;
        let Resolution::Device(Some(resolved)) = found.value else { return Ok(None) };
        match (names, resolved.chosen.by) {
            (NameFilter::Any, _)
            | (NameFilter::Whole, NameMatch::Whole)
            | (NameFilter::FirstLabel, NameMatch::FirstLabel) => Ok(Some(resolved)),
            // The full name may be on a page that was not read.
            (NameFilter::Whole, NameMatch::FirstLabel) => resolved.incomplete.map_or(Ok(None), Err),
            (NameFilter::FirstLabel, NameMatch::Whole) => Ok(None),
        }
    }

    /// Resolves a SHA-256 to the SHA-1 of the same file, and adds that step to the answer.
    async fn sha1_of(
        &self,
        sha256: &Sha256,
        builder: &mut AnswerBuilder,
        defender: &Arc<Defender>,
        scope: &RequestScope<'_>,
    ) -> Result<Option<Sha1>, EnrichError> {
        let fetch = || {
            let (defender, sha256, ctx) = (defender.clone(), sha256.clone(), scope.ctx.of_a_name());
            let permits = scope.name_permits();
            async move {
                let _permit = permits.acquire().await;
                Ok(Resolution::Sha1(defender.sha1_of(&sha256, &ctx).await?))
            }
        };
        let key = ResolutionKey::Sha256(sha256.clone());
        let found =
            scope.names().get_or_init(key.clone(), self.names.get_or_fetch(key, scope.ctx.deadline, fetch)).await?;
        let Resolution::Sha1(Some(sha1)) = found.value else { return Ok(None) };
        builder.steps.push(Step::new(StepName::Sha256ToSha1, sha256.as_str(), sha1.as_str()));
        Ok(Some(sha1))
    }
}

/// Chooses among the records of a name. If none matches and the list is incomplete, the name stays unresolved: an error.
fn resolve_device(name: &DeviceName, list: DeviceList) -> Result<Resolution, EnrichError> {
    let DeviceList { records, incomplete } = list;
    match (devices::choose(name, records), incomplete.map(EnrichError::from)) {
        (Some(chosen), incomplete) => Ok(Resolution::Device(Some(ResolvedDevice { chosen, incomplete }))),
        (None, None) => Ok(Resolution::Device(None)),
        (None, Some(error)) => Err(error),
    }
}

impl AnswerBuilder {
    /// Builds the answer for a name or hash that Defender does not know.
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
