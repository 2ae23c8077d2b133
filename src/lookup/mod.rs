//! The use case, and the only orchestrator: question → resolve → remembered or fetched → answer.

mod auto;
mod backend;
mod batch;
mod cache_key;
mod defender_alerts;
mod error;
mod graph_alerts;
mod merges;
mod namesakes;
mod query;
mod readings;
mod resolve;
mod scope;

use std::sync::Arc;

use crate::backend::graph::HuntingTarget;
use crate::cache::{AnswerCache, Cacheable, Cached};
pub use crate::client::{Context, Deadline};
use crate::config::{CacheTimes, Settings};
use crate::domain::enrichment::{Answer, Backend as BackendName, Source};
use crate::domain::findings::Findings;
use crate::domain::portal::Portal;
use crate::domain::resolution::Step;
use crate::domain::subject::{DeviceId, DeviceName, Kind, Machine, Question, Subject};
use crate::domain::timestamp::Timestamp;
use crate::domain::warning::{Warning, WarningCode};

pub(crate) use auto::Auto;
use backend::Origin;
pub(crate) use backend::{Backend, Family};
pub(crate) use batch::Held;
use cache_key::CacheKey;
pub(crate) use error::{DOWN_FOR, EnrichError, NotLookedUp};
use query::Query;
use readings::{Names, Reading};
use resolve::{Name, Resolution};
use scope::RequestScope;

/// Names and hashes change more rarely than alerts: they are remembered this many times as long.
const NAMES_LAST: u32 = 10;

/// What a request keeps of an answer for its other items, in bytes.
const MAX_KEPT: usize = 256 << 10;

/// Bytes of answers that are remembered.
const ANSWERS: usize = 28 << 20;
/// Bytes of resolved names that are remembered.
const NAMES: usize = 4 << 20;

/// Answers questions.
pub struct Enricher {
    backend: Backend,
    portal: Portal,
    answers: AnswerCache<CacheKey, Arc<Findings>, EnrichError>,
    names: AnswerCache<Name, Resolution, EnrichError>,
}

impl Cacheable for Arc<Findings> {
    fn weight(&self) -> usize {
        Findings::weight(self)
    }

    fn is_negative(&self) -> bool {
        !self.found()
    }

    fn may_be_kept(&self) -> bool {
        self.is_to_the_point && self.is_whole
    }
}

impl Enricher {
    pub(crate) fn new(backend: Backend, settings: &Settings, clock: fn() -> Timestamp) -> Self {
        let CacheTimes { fresh, stale } = settings.cache;
        let names = CacheTimes { fresh: fresh.saturating_mul(NAMES_LAST), stale };
        Self {
            backend,
            portal: settings.portal,
            answers: AnswerCache::new(settings.cache, ANSWERS, clock),
            names: AnswerCache::new(names, NAMES, clock),
        }
    }

    /// The backend that answers.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Answers one question.
    pub(crate) async fn enrich(&self, question: &Question, ctx: &Context) -> Result<Answer, EnrichError> {
        // Boxed: it holds what every kind of question needs on its way.
        Box::pin(self.first_that_finds(question, &RequestScope::new(ctx))).await
    }

    /// Answers one reading of a question of a request that may have asked others.
    async fn enrich_within(&self, reading: &Reading<'_>, scope: &RequestScope<'_>) -> Result<Answer, EnrichError> {
        match &self.backend {
            Backend::Defender(defender) => self.by_family(Family::Defender(defender.clone()), reading, scope).await,
            Backend::Graph(graph) => self.by_family(Family::Graph(graph.clone()), reading, scope).await,
            Backend::Auto(auto) => self.by_roles(auto, reading, scope).await,
        }
    }

    /// Answers one reading by one family of APIs.
    async fn by_family(
        &self,
        family: Family,
        reading: &Reading<'_>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let kind = reading.subject.kind();
        let draft = AnswerBuilder::new(reading, family.origin(kind));
        match (reading.subject, &family) {
            (Subject::Alert(id), _) => self.answer(draft, Query::Alert(family.clone(), id.clone()), scope).await,
            (Subject::Incident(id), _) => self.incident(draft, *id, family, scope).await,
            (Subject::Machine(Machine::Name(name)), Family::Graph(graph)) => {
                self.hunted_by_name(draft, name, graph, scope).await
            }
            (Subject::Machine(Machine::Id(id)), Family::Graph(graph)) => {
                self.hunted(draft, HuntingTarget::Device(id.clone()), graph, scope).await
            }
            (Subject::User(account), Family::Graph(graph)) => self.hunted_user(draft, account, graph, scope).await,
            (Subject::File(hash), Family::Graph(graph)) => {
                self.hunted(draft, HuntingTarget::File(hash.clone()), graph, scope).await
            }
            (Subject::Ip(address), Family::Graph(graph)) => {
                self.hunted(draft, HuntingTarget::Ip(*address), graph, scope).await
            }
            (Subject::Domain(name), Family::Graph(graph)) => {
                self.hunted(draft, HuntingTarget::Domain(name.clone()), graph, scope).await
            }
            (Subject::Ip(address), Family::Defender(defender)) => {
                self.answer(draft, Query::Ip(defender.clone(), *address), scope).await
            }
            (Subject::Domain(name), Family::Defender(defender)) => {
                self.answer(draft, Query::Domain(defender.clone(), name.clone()), scope).await
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
    async fn recall(&self, ask: Query, scope: &RequestScope<'_>) -> Result<Cached<Arc<Findings>>, EnrichError> {
        let asked = ask.key();
        let fetch = || {
            let (ask, ctx, at_once) = (ask.clone(), scope.ctx.clone(), scope.findings_at_once());
            async move {
                let _place = at_once.acquire().await;
                let findings = ask.fetch(&ctx).await.map_err(|error| ask.refusal(error))?;
                Ok(Arc::new(findings))
            }
        };
        let recalled = self.answers.get_or_fetch(asked.clone(), scope.ctx.deadline, fetch);
        scope.findings(asked, recalled, |findings| findings.weight() <= MAX_KEPT).await
    }

    async fn answer(
        &self,
        mut draft: AnswerBuilder,
        ask: Query,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        draft.id = ask.key().id();
        let recalled = self.recall(ask, scope).await?;
        Ok(draft.finish(recalled))
    }
}

/// Devices of a name that a warning lists.
const MAX_NAMED: usize = 10;

/// Which device of several of a name was taken, and why.
fn several_devices(chosen: &DeviceId, others: &[DeviceId], why: &str) -> Warning {
    let detail = format!(
        "{} devices have this name; {} was taken: {why}. The others: {}.",
        others.len() + 1,
        chosen.as_str(),
        listed_ids(others)
    );
    Warning { code: WarningCode::SeveralDevicesMatch, detail }
}

/// The first few ids, for a sentence.
fn listed_ids(ids: &[DeviceId]) -> String {
    let named: Vec<_> = ids.iter().take(MAX_NAMED).map(DeviceId::as_str).collect();
    let more = if named.len() < ids.len() { " …" } else { "" };
    named.join(", ") + more
}

/// Nothing has the full name that was asked for, and a device that is called like its first label was taken.
fn matched_short_name(name: &DeviceName) -> Warning {
    let detail = format!(
        "No device is known as {:?}; one that is known as {:?}, without a domain, was taken. Make sure that it is the same.",
        name.as_str(),
        name.as_str().split('.').next().unwrap_or_default()
    );
    Warning { code: WarningCode::MatchedShortName, detail }
}

fn unknown_or_no_alerts(kind: Kind, hint: Option<&str>) -> Warning {
    let mut detail = format!(
        "Defender has no alerts for this {0}: it answers the same for a {0} that it does not know.",
        kind.as_str()
    );
    if let Some(hint) = hint {
        detail.push(' ');
        detail.push_str(hint);
    }
    Warning { code: WarningCode::UnknownOrNoAlerts, detail }
}

/// An answer in the making.
struct AnswerBuilder {
    kind: Kind,
    input: String,
    id: String,
    url: Option<String>,
    steps: Vec<Step>,
    warnings: Vec<Warning>,
    names: Names,
    /// What the caller should know if nothing is found.
    hint: Option<&'static str>,
    origin: Origin,
}

impl AnswerBuilder {
    fn new(reading: &Reading<'_>, origin: Origin) -> Self {
        Self {
            kind: reading.subject.kind(),
            input: reading.input.to_owned(),
            id: reading.subject.id(),
            url: None,
            steps: reading.steps.clone(),
            warnings: Vec::new(),
            names: reading.names,
            hint: readings::display_name(reading.subject),
            origin,
        }
    }

    /// The answer, once it is known what was found.
    fn finish(mut self, found: Cached<Arc<Findings>>) -> Answer {
        let origin = self.origin;
        let tells_unknown = match self.kind {
            Kind::Alert | Kind::Incident => true,
            Kind::Machine => origin.backend == BackendName::Defender,
            Kind::User | Kind::File | Kind::Ip | Kind::Domain => false,
        };
        if found.value.alerts.is_empty() && !tells_unknown {
            self.warnings.push(unknown_or_no_alerts(self.kind, self.hint));
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
