//! Alert lists from the older APIs. They take a device by its id, an account by its bare name, a file by its SHA-1.

use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use super::interpretations::NameFilter;
use super::resolve::{ResolvedDevice, ResolvedFile};
use super::scope::RequestScope;
use super::{
    AnswerBuilder, EnrichError, Enricher, NotLookedUp, account_domains, context, join_ids, matched_short_name,
    several_devices,
};
use crate::backend::defender::DefenderQuery;
use crate::backend::defender::devices::{ChosenDevice, MAX_TRIED_RECORDS};
use crate::backend::{ComparedBy, Query};
use crate::cache::Cached;
use crate::domain::context::SubjectContext;
use crate::domain::enrichment::{Answer, BackendName, CacheState};
use crate::domain::findings::Findings;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{Account, DeviceId, DeviceName, FileHash, Machine, NameMatch, Subject};
use crate::domain::warning::{Warning, WarningCode};

impl Enricher {
    /// Answers a question by the older APIs.
    pub(super) async fn by_defender(
        &self,
        mut builder: AnswerBuilder,
        subject: &Subject,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let query = match subject {
            Subject::Alert(id) => DefenderQuery::Alert(ComparedBy::alert_id(id)),
            Subject::Machine(Machine::Id(id)) => DefenderQuery::Machine(id.clone()),
            Subject::Machine(Machine::Name(name)) => return self.defender_alerts_by_name(builder, name, scope).await,
            Subject::User(account) => return self.defender_user_alerts(builder, account, scope).await,
            Subject::File(FileHash::Sha1(sha1)) => DefenderQuery::File(sha1.clone()),
            Subject::File(FileHash::Sha256(sha256)) => {
                let Some(ResolvedFile { sha1, context }) = self.file_of(sha256, scope).await? else {
                    builder.url = Some(self.portal.file(sha256.as_str()));
                    return Ok(self.unknown(builder, scope));
                };
                builder.context = Some(SubjectContext { file: Some(context), ..SubjectContext::default() });
                builder.steps.push(Step::new(StepName::Sha256ToSha1, sha256.as_str(), sha1.as_str()));
                DefenderQuery::File(sha1)
            }
            Subject::Incident(id) => return self.incident(builder, *id, BackendName::Defender, scope).await,
            Subject::Ip(address) => DefenderQuery::Ip(*address),
            Subject::Domain(name) => DefenderQuery::Domain(name.clone()),
        };
        self.answer(builder, Query::Defender(query), scope).await
    }

    /// Returns the alerts of the first record of a name whose alerts Defender still knows. Defender also lists records of
    /// which it has deleted the alerts.
    async fn defender_alerts_by_name(
        &self,
        mut builder: AnswerBuilder,
        name: &DeviceName,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let Some(resolved) = self.meant_device(name, builder.names, scope).await? else {
            return Ok(self.unknown(builder, scope));
        };
        let ResolvedDevice { chosen: ChosenDevice { id, others, mut contexts, by }, incomplete } = resolved;
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
            let query = Query::Defender(DefenderQuery::Machine(id.clone()));
            let found = self.findings(query.clone(), scope).await?;
            if !found.value.known {
                gone.push(id);
                continue;
            }
            if gone.len() < contexts.len() {
                let device = Some(contexts.swap_remove(gone.len()));
                builder.context = Some(SubjectContext { device, ..SubjectContext::default() });
            }
            if !(gone.is_empty() && remaining.is_empty()) {
                let why = if gone.is_empty() {
                    "onboarded and active, seen last".to_owned()
                } else {
                    format!(
                        "it comes first of those whose alerts Defender knows, which are not {}",
                        join_ids(gone.iter().map(DeviceId::as_str))
                    )
                };
                let others: Vec<_> = gone.into_iter().chain(remaining).collect();
                builder.warnings.push(several_devices(&id, &others, &why));
            }
            builder.describe(&query, self.portal);
            builder.steps.push(Step::new(StepName::MachineNameToId, name.as_str(), id.as_str()));
            return Ok(builder.finish(found));
        }
        if !remaining.is_empty() {
            let detail = format!("{} more records of this name were not asked for.", remaining.len());
            builder.warnings.push(Warning { code: WarningCode::Partial, detail });
        }
        builder.steps.extend(gone.iter().map(|id| Step::new(StepName::MachineNameToId, name.as_str(), id.as_str())));
        Ok(self.unknown(builder, scope))
    }

    /// Resolves a device name to the records that the filter accepts.
    async fn meant_device(
        &self,
        name: &DeviceName,
        names: NameFilter,
        scope: &RequestScope<'_>,
    ) -> Result<Option<ResolvedDevice>, EnrichError> {
        let Some(resolved) = self.device_of(name, scope).await? else { return Ok(None) };
        match (names, resolved.chosen.by) {
            (NameFilter::Any, _)
            | (NameFilter::Whole, NameMatch::Whole)
            | (NameFilter::FirstLabel, NameMatch::FirstLabel) => Ok(Some(resolved)),
            // The full name may be on a page that was not read.
            (NameFilter::Whole, NameMatch::FirstLabel) => resolved.incomplete.map_or(Ok(None), Err),
            (NameFilter::FirstLabel, NameMatch::Whole) => Ok(None),
        }
    }

    /// Returns the alerts of an account, by its bare name.
    async fn defender_user_alerts(
        &self,
        mut builder: AnswerBuilder,
        account: &Account,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        if account.is_sid() || account.is_object_id() {
            return Err(EnrichError::NotLookedUp(NotLookedUp::AccountId));
        }
        builder.steps.extend(account.step_to_bare_name());
        let query = DefenderQuery::User(ComparedBy::any_case(account.clone(), account.name()));
        let mut answer = self.answer(builder, Query::Defender(query), scope).await?;
        answer.warnings.extend(account_domains::defender_warning(account, &answer.findings));
        Ok(answer)
    }

    /// Returns the answer about a name or hash that Defender does not know.
    fn unknown(&self, mut builder: AnswerBuilder, scope: &RequestScope<'_>) -> Answer {
        if scope.with_context {
            builder.context_unavailable(context::NOT_KNOWN);
        }
        let value = Arc::new(Findings::unknown());
        builder.finish(Cached { value, fetched_at: self.clock.now(), age: Duration::ZERO, state: CacheState::Miss })
    }
}
