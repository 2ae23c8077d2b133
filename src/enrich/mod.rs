//! The use case, and the only orchestrator: question → resolve → remembered or fetched → answer.

mod ask;
mod auto;
mod backend;
mod batch;
mod error;
mod hunted;
mod key;
mod listed;
mod merges;
mod namesakes;
mod resolve;
mod scope;

use std::sync::Arc;

use crate::cache::{Memorable, Memory, Recalled};
use crate::config::{CacheTimes, Settings};
use crate::domain::enrichment::{Answer, Backend as BackendName, Source};
use crate::domain::findings::Findings;
use crate::domain::portal::Portal;
use crate::domain::resolution::Step;
use crate::domain::subject::{DeviceId, Kind, Question, Subject};
use crate::domain::time::Moment;
use crate::domain::warning::{Warning, WarningCode};
use crate::graph::Quarry;
pub use crate::upstream::{Context, Deadline};

use ask::Ask;
pub(crate) use auto::Auto;
use backend::Origin;
pub(crate) use backend::{Backend, Family};
pub(crate) use error::EnrichError;
use key::Key;
use resolve::{Name, Resolution};
use scope::Scope;

/// Names and hashes change more rarely than alerts: they are remembered this many times as long.
const NAMES_LAST: u32 = 10;

/// Answers questions.
pub struct Enricher {
    backend: Backend,
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
    pub(crate) fn new(backend: Backend, settings: &Settings, clock: fn() -> Moment) -> Self {
        let CacheTimes { fresh, stale } = settings.cache;
        let names = CacheTimes { fresh: fresh.saturating_mul(NAMES_LAST), stale };
        Self {
            backend,
            portal: settings.portal,
            answers: Memory::new(settings.cache, clock),
            names: Memory::new(names, clock),
        }
    }

    /// The backend that answers.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Answers one question; `raw`: with the upstream bodies.
    pub(crate) async fn enrich(&self, question: &Question, raw: bool, ctx: &Context) -> Result<Answer, EnrichError> {
        // Boxed: it holds what every kind of question needs on its way.
        Box::pin(self.enrich_within(question, raw, &Scope::new(ctx))).await
    }

    /// Answers one question of a request that may have asked others.
    async fn enrich_within(&self, question: &Question, raw: bool, scope: &Scope<'_>) -> Result<Answer, EnrichError> {
        let kind = question.subject.kind();
        let family = self.backend.family(kind, scope.ctx).await?;
        let draft = Draft::new(question, raw, family.origin(kind));
        match (&question.subject, &family) {
            (Subject::Alert(id), _) => self.answer(draft, Ask::Alert(family.clone(), id.clone()), scope).await,
            (Subject::Incident(id), _) => self.incident(draft, *id, family, scope).await,
            (Subject::Machine(machine), Family::Graph(graph)) => {
                self.hunted(draft, Quarry::Device(machine.clone()), graph, scope).await
            }
            (Subject::User(account), Family::Graph(graph)) => {
                self.hunted(draft, Quarry::User(account.clone()), graph, scope).await
            }
            (Subject::File(hash), Family::Graph(graph)) => {
                self.hunted(draft, Quarry::File(hash.clone()), graph, scope).await
            }
            (Subject::Ip(address), Family::Graph(graph)) => {
                self.hunted(draft, Quarry::Ip(*address), graph, scope).await
            }
            (Subject::Domain(name), Family::Graph(graph)) => {
                self.hunted(draft, Quarry::Domain(name.clone()), graph, scope).await
            }
            (Subject::Ip(address), Family::Defender(defender)) => {
                self.answer(draft, Ask::Ip(defender.clone(), *address), scope).await
            }
            (Subject::Domain(name), Family::Defender(defender)) => {
                self.answer(draft, Ask::Domain(defender.clone(), name.clone()), scope).await
            }
            (Subject::Machine(machine), Family::Defender(defender)) => {
                self.listed_of_machine(draft, machine, defender, scope).await
            }
            (Subject::User(account), Family::Defender(defender)) => {
                self.listed_of_user(draft, account, defender, scope).await
            }
            (Subject::File(hash), Family::Defender(defender)) => {
                self.listed_of_file(draft, hash, defender, scope).await
            }
        }
    }

    /// What is remembered of a question, or what the backend says now.
    async fn recall(&self, ask: Ask, raw: bool, scope: &Scope<'_>) -> Result<Recalled<Arc<Findings>>, EnrichError> {
        let asked = (ask.key(), raw);
        let fetch = || {
            let (ask, ctx) = (ask.clone(), scope.ctx.clone());
            async move {
                let mut findings = ask.fetch(&ctx).await?;
                if !raw {
                    // What nobody wants to see is not kept: a list's body is as large as all that was read from it.
                    findings.bodies.clear();
                }
                Ok(Arc::new(findings))
            }
        };
        scope.findings.once(asked.clone(), self.answers.recall_or_fetch(asked, scope.ctx.deadline, fetch)).await
    }

    async fn answer(&self, mut draft: Draft, ask: Ask, scope: &Scope<'_>) -> Result<Answer, EnrichError> {
        draft.id = ask.key().id();
        let recalled = self.recall(ask, draft.raw, scope).await?;
        Ok(draft.finish(recalled))
    }
}

/// Other devices of a name that a warning lists.
const OTHERS_NAMED: usize = 10;

/// Which device of several of a name was taken, and why.
fn several_devices(chosen: &DeviceId, others: &[DeviceId], why: &str) -> Warning {
    let named: Vec<_> = others.iter().take(OTHERS_NAMED).map(DeviceId::as_str).collect();
    let more = if named.len() < others.len() { " …" } else { "" };
    let detail = format!(
        "{} devices have this name; {} was taken: {why}. The others: {}{more}.",
        others.len() + 1,
        chosen.as_str(),
        named.join(", ")
    );
    Warning { code: WarningCode::SeveralDevicesMatch, detail }
}

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
    origin: Origin,
}

impl Draft {
    fn new(question: &Question, raw: bool, origin: Origin) -> Self {
        Self {
            kind: question.subject.kind(),
            input: question.input.clone(),
            id: question.subject.id(),
            url: None,
            steps: question.steps.clone(),
            warnings: Vec::new(),
            raw,
            origin,
        }
    }

    /// The answer, once it is known what was found.
    fn finish(mut self, found: Recalled<Arc<Findings>>) -> Answer {
        let origin = self.origin;
        let tells_unknown = match self.kind {
            Kind::Alert | Kind::Incident => true,
            Kind::Machine => origin.backend == BackendName::Defender,
            Kind::User | Kind::File | Kind::Ip | Kind::Domain => false,
        };
        if found.value.alerts.is_empty() && !tells_unknown {
            self.warnings.push(unknown_or_no_alerts(self.kind));
        }
        Answer {
            kind: self.kind,
            input: self.input,
            id: self.id,
            url: self.url,
            resolution: self.steps,
            warnings: self.warnings,
            findings: found.value,
            source: Source {
                product: origin.product,
                backend: origin.backend,
                api: origin.api,
                retrieved_at: found.fetched_at,
                cache: found.state,
                age_s: found.age.as_secs(),
            },
        }
    }
}
