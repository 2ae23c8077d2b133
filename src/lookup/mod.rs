//! The use case, and the only orchestrator: question → resolve names → cache or backend → answer.

mod account_domains;
mod batch;
mod context;
mod defender_alerts;
mod error;
mod fallback;
mod graph_alerts;
mod interpretations;
mod merges;
mod resolve;
mod scope;

use std::sync::Arc;

use crate::backend::{Backends, ComparedBy, ContextQuery, Origin, Query, Selection, defender, graph};
use crate::cache::{AnswerCache, Cacheable, Cached};
pub use crate::client::{Context, Deadline};
use crate::clock::Clock;
use crate::config::{CacheTimes, Settings};
use crate::domain::context::SubjectContext;
use crate::domain::enrichment::{Answer, BackendName, Source};
use crate::domain::findings::Findings;
use crate::domain::portal::Portal;
use crate::domain::resolution::Step;
use crate::domain::subject::{DeviceId, DeviceName, Kind, Question, Sha256};
use crate::domain::warning::{Warning, WarningCode};

pub(crate) use batch::{ItemOutcome, WithContext};
pub(crate) use error::{EnrichError, NotLookedUp, OUTAGE_RETRY_AFTER, store_reason};
use interpretations::{Interpretation, NameFilter};
use resolve::{ResolvedDevice, ResolvedFile};
use scope::RequestScope;

/// Names and hashes change more rarely than alerts: they are cached this many times as long.
const NAME_LIFETIME_FACTOR: u32 = 10;

/// The largest findings, in bytes, that a request keeps for its other items.
const MAX_SHARED_BYTES: usize = 256 << 10;

/// The size of the cache of answers.
const MAX_ANSWER_BYTES: usize = 28 << 20;
/// The size of the caches of resolved device names, of resolved hashes and of contexts, each.
const MAX_NAME_BYTES: usize = 2 << 20;

/// Answers questions from the cache or the backends.
pub struct Enricher {
    backends: Arc<Backends>,
    portal: Portal,
    answers: AnswerCache<Query, Arc<Findings>, EnrichError>,
    devices: AnswerCache<ComparedBy<DeviceName>, Option<ResolvedDevice>, EnrichError>,
    hashes: AnswerCache<Sha256, Option<ResolvedFile>, EnrichError>,
    contexts: AnswerCache<ContextQuery, Option<Arc<SubjectContext>>, EnrichError>,
    clock: Clock,
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
    pub(crate) fn new(backends: Backends, settings: &Settings, clock: Clock) -> Self {
        let CacheTimes { fresh, stale } = settings.cache;
        let names = CacheTimes { fresh: fresh.saturating_mul(NAME_LIFETIME_FACTOR), stale };
        Self {
            backends: Arc::new(backends),
            portal: settings.portal,
            answers: AnswerCache::new(settings.cache, MAX_ANSWER_BYTES, clock),
            devices: AnswerCache::new(names, MAX_NAME_BYTES, clock),
            hashes: AnswerCache::new(names, MAX_NAME_BYTES, clock),
            contexts: AnswerCache::new(settings.cache, MAX_NAME_BYTES, clock),
            clock,
        }
    }

    /// Returns the backends that answer.
    pub(crate) fn backends(&self) -> &Backends {
        &self.backends
    }

    /// Answers one question.
    pub(crate) async fn enrich(&self, question: &Question, ctx: &Context) -> Result<Answer, EnrichError> {
        // Boxed: the future holds the state of every kind of question, and is large.
        Box::pin(self.first_that_finds(question, &RequestScope::new(ctx))).await
    }

    /// Answers one interpretation of a question, within a request that may contain other questions.
    async fn enrich_within(&self, asked: &Interpretation<'_>, scope: &RequestScope<'_>) -> Result<Answer, EnrichError> {
        match &self.backends.selection {
            Selection::Fixed(backend) => self.by_backend(*backend, asked, scope).await,
            Selection::Auto(auto) => self.by_roles(auto, asked, scope).await,
        }
    }

    /// Answers one interpretation of a question by one backend.
    async fn by_backend(
        &self,
        backend: BackendName,
        asked: &Interpretation<'_>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let builder = AnswerBuilder::new(asked, backend);
        match backend {
            BackendName::Defender => self.by_defender(builder, asked.subject, scope).await,
            BackendName::Graph => self.by_graph(builder, asked.subject, scope).await,
        }
    }

    /// Returns the findings of a query, from this request, from the cache or from the backend.
    async fn findings(&self, query: Query, scope: &RequestScope<'_>) -> Result<Cached<Arc<Findings>>, EnrichError> {
        let fetch = || {
            let (backends, query, ctx) = (self.backends.clone(), query.clone(), scope.ctx.clone());
            let permits = scope.shared.finding_permits.clone();
            async move {
                let _permit = permits.acquire().await;
                let findings = backends.fetch(&query, &ctx).await;
                findings.map(Arc::new).map_err(|error| EnrichError::of_query(&query, error))
            }
        };
        let cached = self.answers.get_or_fetch(query.clone(), scope.ctx.deadline, fetch);
        scope.findings(query.clone(), cached, |findings| findings.weight() <= MAX_SHARED_BYTES).await
    }

    /// Returns the answer to a question that one query answers.
    async fn answer(
        &self,
        mut builder: AnswerBuilder,
        query: Query,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        builder.describe(&query, self.portal);
        let cached = self.findings_and_context(&mut builder, &query, scope).await?;
        Ok(builder.finish(cached))
    }
}

/// How many ids of devices or alerts a warning lists.
const MAX_LISTED_IDS: usize = 10;

/// The warning that several devices have one name: which one was taken, and why.
fn several_devices(chosen: &DeviceId, others: &[DeviceId], why: &str) -> Warning {
    let detail = format!(
        "{} devices have this name; {} was taken: {why}. The others: {}.",
        others.len() + 1,
        chosen.as_str(),
        join_ids(others.iter().map(DeviceId::as_str))
    );
    Warning { code: WarningCode::SeveralDevicesMatch, detail }
}

/// Joins the first ids for a sentence.
fn join_ids<'i>(ids: impl ExactSizeIterator<Item = &'i str>) -> String {
    let more = if ids.len() > MAX_LISTED_IDS { " …" } else { "" };
    ids.take(MAX_LISTED_IDS).collect::<Vec<_>>().join(", ") + more
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
    context: Option<SubjectContext>,
    names: NameFilter,
    /// What the caller should know if nothing is found.
    hint: Option<&'static str>,
    backend: BackendName,
}

impl AnswerBuilder {
    fn new(asked: &Interpretation<'_>, backend: BackendName) -> Self {
        Self {
            kind: asked.subject.kind(),
            input: asked.input.to_owned(),
            id: asked.subject.id(),
            url: None,
            steps: asked.steps.clone(),
            warnings: Vec::new(),
            context: None,
            names: asked.names,
            hint: interpretations::display_name_hint(asked.subject),
            backend,
        }
    }

    /// Names the subject as the query does.
    fn describe(&mut self, query: &Query, portal: Portal) {
        self.id = query.id();
        self.url = query.portal_page(portal);
    }

    /// Builds the answer from what was found.
    fn finish(mut self, found: Cached<Arc<Findings>>) -> Answer {
        let reports_unknown = match self.kind {
            Kind::Alert | Kind::Incident => true,
            Kind::Machine => self.backend == BackendName::Defender,
            Kind::User | Kind::File | Kind::Ip | Kind::Domain => false,
        };
        if found.value.alerts.is_empty() && !reports_unknown {
            self.warnings.push(unknown_or_no_alerts(self.kind, self.hint));
        }
        if self.backend == BackendName::Graph
            && let Some(SubjectContext { device: Some(device), .. }) = &mut self.context
        {
            graph::complete_device(device, &found.value);
        }
        let Origin { product, route } = match self.backend {
            BackendName::Defender => defender::origin(self.kind),
            BackendName::Graph => graph::origin(self.kind),
        };
        Answer {
            kind: self.kind,
            input: self.input,
            id: self.id,
            url: self.url,
            resolution: self.steps,
            warnings: self.warnings,
            findings: found.value,
            context: self.context,
            source: Source {
                product,
                backend: self.backend,
                api: route,
                retrieved_at: found.fetched_at,
                cache: found.state,
                age_s: found.age.as_secs(),
            },
        }
    }
}
