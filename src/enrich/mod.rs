//! The use case, and the only orchestrator: question → resolve → remembered or fetched → answer.

mod backend;
mod batch;
mod error;
mod key;
mod merges;
mod namesakes;
mod resolve;
mod scope;

use std::sync::Arc;

use crate::cache::{Memorable, Memory, Recalled};
use crate::config::{CacheTimes, Settings};
use crate::domain::enrichment::{Answer, CacheState, Source};
use crate::domain::findings::Findings;
use crate::domain::portal::Portal;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{DeviceId, DeviceName, FileHash, Kind, Machine, Question, Sha1, Sha256, Subject};
use crate::domain::time::Moment;
use crate::domain::warning::{Warning, WarningCode};
pub use crate::upstream::{Context, Deadline};

pub(crate) use backend::Backend;
pub(crate) use error::EnrichError;
use key::Key;
use resolve::{Name, Resolution};
use scope::Scope;

/// Names and hashes change more rarely than alerts: they are remembered this many times as long.
const NAMES_LAST: u32 = 10;

/// Answers questions.
pub struct Enricher {
    backend: Arc<Backend>,
    portal: Portal,
    /// With and without the upstream bodies.
    answers: Memory<(Key, bool), Arc<Findings>, EnrichError>,
    names: Memory<Name, Resolution, EnrichError>,
}

impl Memorable for Arc<Findings> {
    fn weight(&self) -> usize {
        Findings::weight(self)
    }

    fn is_negative(&self) -> bool {
        !self.found()
    }

    fn may_be_kept(&self) -> bool {
        self.is_to_the_point
    }
}

impl Enricher {
    pub(crate) fn new(backend: Backend, settings: &Settings) -> Self {
        let CacheTimes { fresh, stale } = settings.cache;
        let names = CacheTimes { fresh: fresh.saturating_mul(NAMES_LAST), stale };
        Self {
            backend: Arc::new(backend),
            portal: settings.portal,
            answers: Memory::new(settings.cache, Moment::now),
            names: Memory::new(names, Moment::now),
        }
    }

    /// Answers one question; `raw`: with the upstream bodies.
    pub(crate) async fn enrich(&self, question: &Question, raw: bool, ctx: &Context) -> Result<Answer, EnrichError> {
        // Boxed: it holds what every kind of question needs on its way.
        Box::pin(self.enrich_within(question, raw, &Scope::new(ctx))).await
    }

    /// Answers one question of a request that may have asked others.
    async fn enrich_within(&self, question: &Question, raw: bool, scope: &Scope<'_>) -> Result<Answer, EnrichError> {
        let mut draft = Draft::new(question, raw);
        match &question.subject {
            Subject::Alert(id) => self.answer(draft, Key::Alert(id.clone()), scope).await,
            Subject::Machine(Machine::Id(id)) => self.machine(draft, id.clone(), scope).await,
            Subject::Machine(Machine::Name(name)) => match self.device_of(name, &mut draft, scope).await? {
                Some(id) => self.machine(draft, id, scope).await,
                None => Ok(self.unknown(draft)),
            },
            Subject::User(account) => {
                let mut answer = self.answer(draft, Key::User(account.clone()), scope).await?;
                answer.warnings.extend(namesakes::warning(account, &answer.findings));
                Ok(answer)
            }
            Subject::File(FileHash::Sha1(sha1)) => self.file(draft, sha1.clone(), scope).await,
            Subject::File(FileHash::Sha256(sha256)) => match self.sha1_of(sha256, &mut draft, scope).await? {
                Some(sha1) => self.file(draft, sha1, scope).await,
                None => Ok(self.unknown_file(draft, sha256)),
            },
            Subject::Incident(id) => self.incident(draft, *id, scope).await,
        }
    }

    async fn machine(&self, mut draft: Draft, id: DeviceId, scope: &Scope<'_>) -> Result<Answer, EnrichError> {
        draft.url = Some(self.portal.device(&id));
        self.answer(draft, Key::Machine(id), scope).await
    }

    async fn file(&self, mut draft: Draft, sha1: Sha1, scope: &Scope<'_>) -> Result<Answer, EnrichError> {
        draft.url = Some(self.portal.file(sha1.as_str()));
        self.answer(draft, Key::File(sha1), scope).await
    }

    /// The device that a name stands for, said in the draft.
    async fn device_of(
        &self,
        name: &DeviceName,
        draft: &mut Draft,
        scope: &Scope<'_>,
    ) -> Result<Option<DeviceId>, EnrichError> {
        let key = Name::of_device(name);
        let fetch = || {
            let (backend, name, ctx) = (self.backend.clone(), name.clone(), scope.ctx.clone());
            async move { backend.device(&name, &ctx).await.map_err(EnrichError::from) }
        };
        let found = scope.names.once(key.clone(), self.names.recall_or_fetch(key, scope.ctx.deadline, fetch)).await?;
        let Resolution::Device(Some(chosen)) = found.value else { return Ok(None) };
        draft.steps.push(Step::new(StepName::MachineNameToId, name.as_str(), chosen.id.as_str()));
        if !chosen.others.is_empty() {
            let others: Vec<_> = chosen.others.iter().take(OTHERS_NAMED).map(DeviceId::as_str).collect();
            let more = if others.len() < chosen.others.len() { " …" } else { "" };
            let detail = format!(
                "{} devices have this name; {} was taken: onboarded and active, seen last. The others: {}{more}.",
                chosen.others.len() + 1,
                chosen.id.as_str(),
                others.join(", ")
            );
            draft.warnings.push(Warning { code: WarningCode::SeveralDevicesMatch, detail });
        }
        Ok(Some(chosen.id))
    }

    /// The SHA-1 of the file that a SHA-256 stands for, said in the draft.
    async fn sha1_of(
        &self,
        sha256: &Sha256,
        draft: &mut Draft,
        scope: &Scope<'_>,
    ) -> Result<Option<Sha1>, EnrichError> {
        let fetch = || {
            let (backend, sha256, ctx) = (self.backend.clone(), sha256.clone(), scope.ctx.clone());
            async move { backend.sha1(&sha256, &ctx).await.map_err(EnrichError::from) }
        };
        let key = Name::Sha256(sha256.clone());
        let found = scope.names.once(key.clone(), self.names.recall_or_fetch(key, scope.ctx.deadline, fetch)).await?;
        let Resolution::Sha1(Some(sha1)) = found.value else { return Ok(None) };
        draft.steps.push(Step::new(StepName::Sha256ToSha1, sha256.as_str(), sha1.as_str()));
        Ok(Some(sha1))
    }

    /// What is remembered of a key, or what the backend says now.
    async fn recall(&self, key: Key, raw: bool, scope: &Scope<'_>) -> Result<Recalled<Arc<Findings>>, EnrichError> {
        let asked = (key, raw);
        let fetch = || {
            let (backend, (key, _), ctx) = (self.backend.clone(), asked.clone(), scope.ctx.clone());
            async move {
                let mut findings = backend.fetch(&key, &ctx).await?;
                if !raw {
                    // What nobody wants to see is not kept: a list's body is as large as all that was read from it.
                    findings.bodies.clear();
                }
                Ok(Arc::new(findings))
            }
        };
        scope.findings.once(asked.clone(), self.answers.recall_or_fetch(asked.clone(), scope.ctx.deadline, fetch)).await
    }

    async fn answer(&self, mut draft: Draft, key: Key, scope: &Scope<'_>) -> Result<Answer, EnrichError> {
        draft.id = key.id();
        let recalled = self.recall(key, draft.raw, scope).await?;
        Ok(self.finish(draft, recalled))
    }

    fn finish(&self, mut draft: Draft, found: Recalled<Arc<Findings>>) -> Answer {
        let empty = found.value.alerts.is_empty();
        if empty && matches!(draft.kind, Kind::User | Kind::File) {
            draft.warnings.push(unknown_or_no_alerts(draft.kind));
        }
        let origin = self.backend.origin(draft.kind);
        Answer {
            kind: draft.kind,
            input: draft.input,
            id: draft.id,
            url: draft.url,
            resolution: draft.steps,
            warnings: draft.warnings,
            findings: found.value,
            source: Source {
                product: origin.product,
                backend: origin.backend,
                api: origin.api,
                retrieved_at: found.fetched_at,
                cache: found.state,
                age_s: found.fetched_at.age_at(Moment::now()).as_secs(),
            },
        }
    }

    /// The answer about something that could not be resolved: Defender does not know it.
    fn unknown(&self, draft: Draft) -> Answer {
        let found =
            Recalled { value: Arc::new(Findings::unknown()), fetched_at: Moment::now(), state: CacheState::Miss };
        self.finish(draft, found)
    }

    fn unknown_file(&self, mut draft: Draft, sha256: &Sha256) -> Answer {
        draft.url = Some(self.portal.file(sha256.as_str()));
        self.unknown(draft)
    }
}

/// Other devices of a name that a warning lists.
const OTHERS_NAMED: usize = 10;

fn unknown_or_no_alerts(kind: Kind) -> Warning {
    let detail = format!(
        "Defender has no alerts for this {0}: it answers the same for a {0} that it does not know.",
        kind.as_str()
    );
    Warning { code: WarningCode::UnknownOrNoAlerts, detail }
}

/// An answer in the making.
struct Draft {
    kind: Kind,
    input: String,
    id: String,
    url: Option<String>,
    steps: Vec<Step>,
    warnings: Vec<Warning>,
    raw: bool,
}

impl Draft {
    fn new(question: &Question, raw: bool) -> Self {
        Self {
            kind: question.subject.kind(),
            input: question.input.clone(),
            id: question.subject.id(),
            url: None,
            steps: question.steps.clone(),
            warnings: Vec::new(),
            raw,
        }
    }
}
