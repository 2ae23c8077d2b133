//! The use case, and the only orchestrator: question → resolve names → cache or backend → answer.

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
pub(crate) use error::{EnrichError, NotLookedUp, OUTAGE_RETRY_AFTER, store_reason};
use query::Query;
use readings::{NameFilter, Reading};
use resolve::{Resolution, ResolutionKey};
use scope::RequestScope;

/// Names and hashes change more rarely than alerts: they are cached this many times as long.
const NAME_LIFETIME_FACTOR: u32 = 10;

/// The largest findings, in bytes, that a request keeps for its other items.
const MAX_SHARED_BYTES: usize = 256 << 10;

/// The size of the cache of answers.
const MAX_ANSWER_BYTES: usize = 28 << 20;
/// The size of the cache of resolved names.
const MAX_NAME_BYTES: usize = 4 << 20;

/// Answers questions from the cache or the backend.
pub struct Enricher {
    backend: Backend,
    portal: Portal,
    answers: AnswerCache<CacheKey, Arc<Findings>, EnrichError>,
    names: AnswerCache<ResolutionKey, Resolution, EnrichError>,
}

impl Cacheable for Arc<Findings> {
    fn weight(&self) -> usize {
        Findings::weight(self)
    }

    fn is_negative(&self) -> bool {
        !self.found()
    }

    fn is_cacheable(&self) -> bool {
        self.matches_subject && self.is_complete
    }
}

impl Enricher {
    pub(crate) fn new(backend: Backend, settings: &Settings, clock: fn() -> Timestamp) -> Self {
        let CacheTimes { fresh, stale } = settings.cache;
        let names = CacheTimes { fresh: fresh.saturating_mul(NAME_LIFETIME_FACTOR), stale };
        Self {
            backend,
            portal: settings.portal,
            answers: AnswerCache::new(settings.cache, MAX_ANSWER_BYTES, clock),
            names: AnswerCache::new(names, MAX_NAME_BYTES, clock),
        }
    }

    /// Returns the backend that answers.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Answers one question.
    pub(crate) async fn enrich(&self, question: &Question, ctx: &Context) -> Result<Answer, EnrichError> {
        // Boxed: the future holds the state of every kind of question, and is large.
        Box::pin(self.first_that_finds(question, &RequestScope::new(ctx))).await
    }

    /// Answers one reading of a question, within a request that may contain other questions.
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
        let builder = AnswerBuilder::new(reading, family.origin(kind));
        match (reading.subject, &family) {
            (Subject::Alert(id), _) => self.answer(builder, Query::Alert(family.clone(), id.clone()), scope).await,
            (Subject::Incident(id), _) => self.incident(builder, *id, family, scope).await,
            (Subject::Machine(Machine::Name(name)), Family::Graph(graph)) => {
                self.graph_alerts_by_device_name(builder, name, graph, scope).await
            }
            (Subject::Machine(Machine::Id(id)), Family::Graph(graph)) => {
                self.graph_alerts(builder, HuntingTarget::Device(id.clone()), graph, scope).await
            }
            (Subject::User(account), Family::Graph(graph)) => {
                self.graph_user_alerts(builder, account, graph, scope).await
            }
            (Subject::File(hash), Family::Graph(graph)) => {
                self.graph_alerts(builder, HuntingTarget::File(hash.clone()), graph, scope).await
            }
            (Subject::Ip(address), Family::Graph(graph)) => {
                self.graph_alerts(builder, HuntingTarget::Ip(*address), graph, scope).await
            }
            (Subject::Domain(name), Family::Graph(graph)) => {
                self.graph_alerts(builder, HuntingTarget::Domain(name.clone()), graph, scope).await
            }
            (Subject::Ip(address), Family::Defender(defender)) => {
                self.answer(builder, Query::Ip(defender.clone(), *address), scope).await
            }
            (Subject::Domain(name), Family::Defender(defender)) => {
                self.answer(builder, Query::Domain(defender.clone(), name.clone()), scope).await
            }
            (Subject::Machine(machine), Family::Defender(defender)) => {
                self.defender_machine_alerts(builder, machine, defender, scope).await
            }
            (Subject::User(account), Family::Defender(defender)) => {
                self.defender_user_alerts(builder, account, defender, scope).await
            }
            (Subject::File(hash), Family::Defender(defender)) => {
                self.defender_file_alerts(builder, hash, defender, scope).await
            }
        }
    }

    /// Returns the findings of a query, from this request, from the cache or from the backend.
    async fn findings(&self, query: Query, scope: &RequestScope<'_>) -> Result<Cached<Arc<Findings>>, EnrichError> {
        let key = query.key();
        let fetch = || {
            let (query, ctx, permits) = (query.clone(), scope.ctx.clone(), scope.finding_permits());
            async move {
                let _permit = permits.acquire().await;
                let findings = query.fetch(&ctx).await.map_err(|error| query.map_error(error))?;
                Ok(Arc::new(findings))
            }
        };
        let cached = self.answers.get_or_fetch(key.clone(), scope.ctx.deadline, fetch);
        scope.findings(key, cached, |findings| findings.weight() <= MAX_SHARED_BYTES).await
    }

    async fn answer(
        &self,
        mut builder: AnswerBuilder,
        query: Query,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        builder.id = query.key().id();
        let cached = self.findings(query, scope).await?;
        Ok(builder.finish(cached))
    }
}

/// How many ids of devices a warning lists.
const MAX_LISTED_IDS: usize = 10;

/// The warning that several devices have one name: which one was taken, and why.
fn several_devices(chosen: &DeviceId, others: &[DeviceId], why: &str) -> Warning {
    let detail = format!(
        "{} devices have this name; {} was taken: {why}. The others: {}.",
        others.len() + 1,
        chosen.as_str(),
        join_ids(others)
    );
    Warning { code: WarningCode::SeveralDevicesMatch, detail }
}

/// Joins the first ids for a sentence.
fn join_ids(ids: &[DeviceId]) -> String {
    let named: Vec<_> = ids.iter().take(MAX_LISTED_IDS).map(DeviceId::as_str).collect();
    let more = if named.len() < ids.len() { " …" } else { "" };
    named.join(", ") + more
}

/// The warning that no device has the full name, and that a device named like its first label was taken.
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

/// Collects the parts of an answer.
struct AnswerBuilder {
    kind: Kind,
    input: String,
    id: String,
    url: Option<String>,
    steps: Vec<Step>,
    warnings: Vec<Warning>,
    names: NameFilter,
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

    /// Builds the answer from what was found.
    fn finish(mut self, found: Cached<Arc<Findings>>) -> Answer {
        let origin = self.origin;
        let reports_unknown = match self.kind {
            Kind::Alert | Kind::Incident => true,
            Kind::Machine => origin.backend == BackendName::Defender,
            Kind::User | Kind::File | Kind::Ip | Kind::Domain => false,
        };
        if found.value.alerts.is_empty() && !reports_unknown {
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
