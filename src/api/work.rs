//! Looks up several subjects, and posts their answers. The progress can be read at any time, and the work can
//! continue after the response to its request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use serde_json::value::{RawValue, to_raw_value};

use super::batch::{BatchBody, BatchItem, Item};
use super::decode::EnrichRequest;
use super::deliveries::TransientFailure;
use super::enrich::{check_found, render_options};
use super::middleware::{AnswerLimit, RequestContext};
use super::notify::{self, Addressee, MAX_POST_BYTES};
use super::options::Options;
use super::problem::{Code, Problem};
use super::respond::{self, ItemCounts, RequestLog};
use crate::app::Service;
use crate::delivery::{BatchForm, Content, Destination};
use crate::domain::enrichment::{Answer, Enrichment, RenderOptions};
use crate::domain::notified::{Notified, Outcome};
use crate::formats::{self, BatchLine, Format, OutputOptions};
use crate::lookup::{Context, ItemOutcome};

/// Posts of one request that run concurrently.
const POSTS_IN_FLIGHT: usize = 4;
/// The time that lookups leave for posting their answers; less if the deadline is near.
const POSTING_TIME: Duration = Duration::from_secs(2);

/// The lookups and posts of one request.
pub(super) struct Work {
    service: Arc<Service>,
    request_context: RequestContext,
    items: Vec<AddressedItem>,
    /// The destination of all items that name none themselves.
    default_addressee: Option<Addressee>,
    /// Whether the request is about one subject, which is answered and posted without the envelope of a batch.
    is_alone: bool,
    state: Mutex<State>,
}

/// An item, and the destination that also gets its answer.
struct AddressedItem {
    input: Option<String>,
    request: Option<EnrichRequest>,
    addressee: Option<Addressee>,
}

/// The progress of the work.
struct State {
    /// The outcome of each item; `None` while its lookup runs.
    outcomes: Vec<Option<Result<ItemAnswer, Problem>>>,
    /// Bytes of all answers that are rendered whole.
    rendered: usize,
    /// The outcomes of finished posts, by the destination's name.
    posts: BTreeMap<String, Notified>,
}

/// The answer to an item.
#[derive(Clone)]
enum ItemAnswer {
    /// The answer itself, as it is also posted, or is the only one. It keeps its part of the request's memory budget.
    Whole { answer: Arc<Answer>, _budget: Context },
    /// The answer as rendered for the caller, since nobody else gets it.
    Rendered(Arc<Rendered>),
}

/// A rendered answer.
struct Rendered {
    /// Without a size limit; `None`: the answers of all items are too long together.
    whole: Option<Box<RawValue>>,
    /// Within the item's share; `None`: the whole answer is within it.
    within_share: Option<Box<RawValue>>,
}

/// The size limit for the answer of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SizeLimit {
    /// As large as the whole response may be.
    Whole,
    /// An equal share of the response.
    Share,
}

/// A finished item, for a post.
struct FinishedItem<'a> {
    input: Option<&'a str>,
    request: Option<&'a EnrichRequest>,
    outcome: Result<Arc<Answer>, Problem>,
}

impl Work {
    /// The work of a batch. Items without a destination of their own have that of `default_options`.
    pub(super) async fn new(
        service: Arc<Service>,
        items: Vec<Item>,
        default_options: &Options,
        request_context: &RequestContext,
    ) -> Result<Arc<Self>, Problem> {
        Self::build(service, items, default_options, request_context, false).await.map(Arc::new)
    }

    /// The work of a request about one subject.
    pub(super) async fn of_one(
        service: Arc<Service>,
        request: EnrichRequest,
        request_context: &RequestContext,
    ) -> Result<Self, Problem> {
        Self::build(service, vec![Item::from(Ok(request))], &Options::default(), request_context, true).await
    }

    /// Finds the destinations that the items or the options name. An unknown name is a problem of its item, or of the
    /// whole request.
    async fn build(
        service: Arc<Service>,
        items: Vec<Item>,
        default_options: &Options,
        request_context: &RequestContext,
        is_alone: bool,
    ) -> Result<Self, Problem> {
        let named = items.iter().filter_map(|item| item.request.as_ref().ok()).map(|request| &request.options);
        let destinations = notify::destinations(&service, named.chain([default_options]), &request_context.ctx).await?;
        let default_addressee = notify::addressee(&destinations, default_options)?;
        let mut outcomes = Vec::with_capacity(items.len());
        let items = items.into_iter().map(|Item { input, request }| {
            let with_addressee =
                request.and_then(|request| Ok((notify::addressee(&destinations, &request.options)?, request)));
            match with_addressee {
                Ok((addressee, request)) => {
                    outcomes.push(None);
                    AddressedItem { input, request: Some(request), addressee }
                }
                Err(problem) => {
                    outcomes.push(Some(Err(problem)));
                    AddressedItem { input, request: None, addressee: default_addressee.clone() }
                }
            }
        });
        let items = items.collect();
        let state = Mutex::new(State { outcomes, rendered: 0, posts: BTreeMap::new() });
        Ok(Self { service, request_context: request_context.clone(), items, default_addressee, is_alone, state })
    }

    /// Whether any destination gets an answer.
    pub(super) fn has_destinations(&self) -> bool {
        self.default_addressee.is_some() || self.items.iter().any(|item| item.addressee.is_some())
    }

    /// Looks up all subjects, then posts the answers.
    pub(super) async fn run(&self, ctx: &Context) {
        let (positions, questions): (Vec<_>, Vec<_>) = self
            .items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| Some((at, item.request.as_ref()?)))
            .map(|(at, request)| (at, (request.question.clone(), request.options.with_context())))
            .unzip();
        let time = ctx.deadline.remaining();
        let leaves_time = self.has_destinations() && !self.is_alone;
        let lookups = if leaves_time { &ctx.within(time.saturating_sub(POSTING_TIME.min(time / 4))) } else { ctx };
        let take = |at: usize, outcome| {
            if let Some(position) = positions.get(at) {
                self.settle(*position, outcome);
            }
        };
        self.service.enricher.enrich_each(&questions, lookups, take).await;
        if self.has_destinations() {
            self.post(&notify::posting_context(ctx)).await;
        }
    }

    fn settle(&self, at: usize, ItemOutcome { answer, ctx }: ItemOutcome) {
        let request = self.items.get(at).and_then(|item| item.request.as_ref());
        let outcome = answer.map_err(Problem::from).and_then(|answer| {
            request.map_or(Ok(()), |request| check_found(&answer, request))?;
            if self.is_alone || self.has_destinations() {
                // An answer that waits for its post must not block the other lookups.
                ctx.end_turn();
                Ok(ItemAnswer::Whole { answer: Arc::new(answer), _budget: ctx })
            } else {
                self.write(&answer, request).map(|rendered| ItemAnswer::Rendered(Arc::new(rendered)))
            }
        });
        let outcome =
            outcome.map_err(|problem| problem.with_kind(request.map(|request| request.question.subject.kind())));
        let state = &mut *self.state();
        if let Ok(ItemAnswer::Rendered(rendered)) = &outcome {
            state.rendered += rendered.whole.as_ref().map_or(0, |whole| whole.get().len());
        }
        if let Some(position) = state.outcomes.get_mut(at) {
            *position = Some(outcome);
        }
        if state.rendered > self.request_context.limit.0 {
            for outcome in state.outcomes.iter_mut().flatten() {
                if let Ok(ItemAnswer::Rendered(rendered)) = outcome
                    && let Some(rendered) = Arc::get_mut(rendered)
                    && rendered.within_share.is_some()
                {
                    rendered.whole = None;
                }
            }
        }
    }

    /// Renders an answer within its share, and also whole unless all answers are known to be too long together.
    fn write(&self, answer: &Answer, request: Option<&EnrichRequest>) -> Result<Rendered, Problem> {
        let format = format_of(request);
        let (limit, share) = (self.size_limit(SizeLimit::Whole), self.size_limit(SizeLimit::Share));
        let whole = if self.state().rendered <= limit.0 {
            Some(render_embedded(answer, request, format, None, limit)?)
        } else {
            None
        };
        // A format that is not JSON has half the limit: its text is escaped once more.
        let is_within_share = whole.as_ref().is_some_and(|whole| formats::fits(whole.get().as_bytes(), share.0 / 2));
        let within_share =
            if is_within_share { None } else { Some(render_embedded(answer, request, format, None, share)?) };
        Ok(Rendered { whole, within_share })
    }

    /// The size limit for the answer of one item.
    fn size_limit(&self, size_limit: SizeLimit) -> AnswerLimit {
        let AnswerLimit(limit) = self.request_context.limit;
        match size_limit {
            SizeLimit::Whole => AnswerLimit(limit),
            SizeLimit::Share => AnswerLimit(limit / self.items.len().max(1)),
        }
    }

    /// Posts to each destination once, however many items are for it.
    async fn post(&self, ctx: &Context) {
        let mut destinations: Vec<Arc<Destination>> = Vec::new();
        for addressee in self.items.iter().map(|item| &item.addressee).chain([&self.default_addressee]).flatten() {
            match addressee {
                Addressee::Valid(destination) => {
                    if destinations.iter().all(|known| known.name() != destination.name()) {
                        destinations.push(destination.clone());
                    }
                }
                Addressee::Misconfigured(name) => self.record_post(notify::misconfigured(name)),
            }
        }
        let posts = destinations.into_iter().map(|destination| async move {
            let notified = match self.content(&destination) {
                Some(content) => self.service.notifier.post(&destination, content, ctx).await,
                None => notify::not_posted(destination.name(), Outcome::NothingToSend),
            };
            self.record_post(notified);
        });
        stream::iter(posts).buffer_unordered(POSTS_IN_FLIGHT).collect::<()>().await;
    }

    fn record_post(&self, notified: Notified) {
        self.state().posts.insert(notified.destination.clone(), notified);
    }

    /// Returns what a destination gets; `None` if no item for it has an answer.
    fn content(&self, destination: &Destination) -> Option<Content> {
        let outcomes = self.state().outcomes.clone();
        let is_for = |item: &AddressedItem| item.addressee.as_ref().is_some_and(|one| one.name() == destination.name());
        let finished =
            self.items.iter().zip(outcomes).filter(|(item, _)| is_for(item)).filter_map(|(item, outcome)| {
                let outcome = match outcome? {
                    Ok(ItemAnswer::Whole { answer, .. }) => Ok(answer),
                    Ok(ItemAnswer::Rendered(_)) => return None,
                    Err(problem) => Err(problem),
                };
                Some(FinishedItem { input: item.input.as_deref(), request: item.request.as_ref(), outcome })
            });
        let finished: Vec<_> = finished.collect();
        if finished.iter().all(|item| item.outcome.is_err()) {
            return None;
        }
        Some(match (destination.batch_form(), finished.as_slice()) {
            (_, [only]) if self.is_alone => Content::Body(only.body(destination.format(), MAX_POST_BYTES)),
            (BatchForm::Message, [only]) => Content::Body(only.body(destination.format(), MAX_POST_BYTES)),
            (BatchForm::Message, several) => Content::Body(message(several, destination.format())),
            (BatchForm::Document, several) => Content::Document(self.document(several, destination.format())),
            (BatchForm::Events, several) => Content::Events(self.events(several, destination.format())),
        })
    }

    /// One document of all items, in the shape of a batch response.
    fn document(&self, items: &[FinishedItem<'_>], format: Format) -> Vec<u8> {
        let share = MAX_POST_BYTES / items.len().max(1);
        let item = |item: &FinishedItem<'_>, size_limit| {
            let each = AnswerLimit(if size_limit == SizeLimit::Whole { MAX_POST_BYTES } else { share });
            let body =
                item.outcome.clone().and_then(|answer| render_embedded(&answer, item.request, format, None, each));
            self.item(item.input, body)
        };
        fit_items(MAX_POST_BYTES, items, None, item)
    }

    /// Returns an answer or a problem for each item.
    fn events(&self, items: &[FinishedItem<'_>], format: Format) -> Vec<Result<Vec<u8>, Vec<u8>>> {
        let each = MAX_POST_BYTES / items.len().max(1);
        let event = |item: &FinishedItem<'_>| match &item.outcome {
            Ok(_) => Ok(item.body(format, each)),
            Err(problem) => {
                let item = self.item(item.input, Err(problem.clone()));
                Err(serde_json::to_vec(&item).unwrap_or_default())
            }
        };
        items.iter().map(event).collect()
    }

    fn item(&self, input: Option<&str>, outcome: Result<Box<RawValue>, Problem>) -> BatchItem {
        match outcome {
            Ok(enrichment) => BatchItem::Answered { status: 200, enrichment },
            Err(problem) => {
                let problem = problem.body(&self.request_context.ctx.request_id);
                BatchItem::Failed { status: problem.status, input: input.map(str::to_owned), problem }
            }
        }
    }

    /// Ends unfinished lookups and posts with a failure.
    pub(super) fn give_up(&self) {
        let state = &mut *self.state();
        for outcome in state.outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
            *outcome = Some(Err(Problem::new(Code::UpstreamTimeout, "There was no answer in time: ask again.")));
        }
        for addressee in self.items.iter().map(|item| &item.addressee).chain([&self.default_addressee]).flatten() {
            let name = addressee.name();
            state.posts.entry(name.to_owned()).or_insert_with(|| notify::not_posted(name, Outcome::Failed));
        }
    }

    /// The outcome of the post to this destination.
    fn notified(&self, addressee: Option<&Addressee>) -> Option<Notified> {
        let name = addressee?.name();
        let known = self.state().posts.get(name).cloned();
        Some(known.unwrap_or_else(|| notify::not_posted(name, Outcome::Pending)))
    }

    /// Builds the response with the current outcomes, within the size limit of the entry point.
    pub(super) fn response(&self) -> Response {
        let outcomes = self.state().outcomes.clone();
        let notified = self.notified(self.default_addressee.as_ref());
        let item = |(item, outcome): &(&AddressedItem, &Option<Result<ItemAnswer, Problem>>), size_limit| {
            let input = item.input.as_deref();
            let body = match outcome {
                None => return BatchItem::Pending { status: 202, input: input.map(str::to_owned) },
                Some(Ok(ItemAnswer::Whole { answer, .. })) => {
                    let notified = self.notified(item.addressee.as_ref());
                    let request = item.request.as_ref();
                    render_embedded(answer, request, format_of(request), notified.as_ref(), self.size_limit(size_limit))
                }
                Some(Ok(ItemAnswer::Rendered(rendered))) => rendered.within(size_limit),
                Some(Err(problem)) => Err(problem.clone()),
            };
            self.item(input, body)
        };
        let items: Vec<_> = self.items.iter().zip(&outcomes).collect();
        let body = fit_items(self.request_context.limit.0, &items, notified.as_ref(), item);
        let mut response = respond::json(body, self.log_fields());
        if let Some(notified) = &notified {
            notify::insert_header(response.headers_mut(), notified);
        }
        if outcomes.iter().flatten().any(|outcome| outcome.as_ref().is_err_and(Problem::is_transient)) {
            response.extensions_mut().insert(TransientFailure);
        }
        response
    }

    /// Builds the response about the only subject: its answer in the format of the request, or its problem.
    pub(super) fn response_alone(&self) -> Result<Response, Problem> {
        let outcome = self.state().outcomes.first().cloned().flatten();
        let (Some(item), Some(outcome)) = (self.items.first(), outcome) else { return Err(internal_error()) };
        let (ItemAnswer::Whole { answer, .. }, Some(request)) = (outcome?, &item.request) else {
            return Err(internal_error());
        };
        let notified = self.notified(item.addressee.as_ref());
        let output = request.options.output_options();
        let limit = self.request_context.limit.0;
        let body = formats::render(&answer, &render_options(request, notified.as_ref()), output, limit);
        let mut response = respond::of_type(
            body,
            output.format.media_type(),
            RequestLog { format: Some(output.format), ..RequestLog::of(&answer) },
        );
        if let Some(notified) = &notified {
            notify::insert_header(response.headers_mut(), notified);
        }
        Ok(response)
    }

    /// Logs the end of work that continued after the response to its request.
    pub(super) fn log(&self, request_id: &str) {
        let items = self.log_fields().items.unwrap_or_default();
        let (ok, failed, codes) = (items.ok, items.failed, items.codes);
        tracing::info!(request_id, ok, failed, codes, "the lookups of a hook ended after its answer");
    }

    /// The log fields of the work.
    fn log_fields(&self) -> RequestLog {
        let mut counts = ItemCounts::default();
        for outcome in &self.state().outcomes {
            match outcome {
                None => counts.pending += 1,
                Some(Ok(_)) => counts.add(None),
                Some(Err(problem)) => counts.add(Some(problem.code.as_str())),
            }
        }
        RequestLog { kind: Some("batch"), items: Some(counts), ..RequestLog::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rendered {
    fn within(&self, size_limit: SizeLimit) -> Result<Box<RawValue>, Problem> {
        let rendered = match size_limit {
            SizeLimit::Whole => self.whole.as_ref().or(self.within_share.as_ref()),
            SizeLimit::Share => self.within_share.as_ref().or(self.whole.as_ref()),
        };
        rendered.cloned().ok_or_else(internal_error)
    }
}

fn format_of(request: Option<&EnrichRequest>) -> Format {
    request.map_or(Format::Json, |request| request.options.output_options().format)
}

fn internal_error() -> Problem {
    Problem::new(Code::Internal, "A bug of this service.")
}

impl FinishedItem<'_> {
    /// Renders the answer to this item alone.
    fn body(&self, format: Format, max_bytes: usize) -> Vec<u8> {
        match (&self.outcome, self.request) {
            (Ok(answer), Some(request)) => {
                let output = OutputOptions { format, ..request.options.output_options() };
                formats::render(answer, &render_options(request, None), output, max_bytes)
            }
            (Ok(_), None) | (Err(_), _) => Vec::new(),
        }
    }
}

/// Renders one message about several items.
fn message(items: &[FinishedItem<'_>], format: Format) -> Vec<u8> {
    let render_options_of_items: Vec<RenderOptions> = items
        .iter()
        .map(|item| {
            item.request.map_or_else(
                || RenderOptions { limit: 0, raw: false, warnings: Vec::new(), notified: None },
                |request| render_options(request, None),
            )
        })
        .collect();
    let enrichments: Vec<Result<Enrichment<'_>, &Problem>> = items
        .iter()
        .zip(&render_options_of_items)
        .map(|(item, render_options)| item.outcome.as_ref().map(|answer| answer.enrichment(render_options)))
        .collect();
    let line = |(at, (item, outcome)): (usize, (&FinishedItem<'_>, &Result<Enrichment<'_>, &Problem>))| match outcome {
        Ok(enrichment) => BatchLine::answered(enrichment),
        Err(problem) => {
            let input = item.input.map_or_else(|| format!("Subject {}", at + 1), str::to_owned);
            BatchLine::failed(&input, problem.detail())
        }
    };
    let lines: Vec<_> = items.iter().zip(&enrichments).enumerate().map(line).collect();
    formats::batch_message(&lines, format)
}

/// Renders the answer to an item as a JSON value, or as a JSON string where its format is not JSON.
fn render_embedded(
    answer: &Answer,
    request: Option<&EnrichRequest>,
    format: Format,
    notified: Option<&Notified>,
    each: AnswerLimit,
) -> Result<Box<RawValue>, Problem> {
    let request = request.ok_or_else(internal_error)?;
    // The text is escaped once more as a string, which at most doubles its length.
    let max_bytes = if format.is_json() { each.0 } else { each.0 / 2 };
    let output = OutputOptions { format, ..request.options.output_options() };
    let body = formats::render(answer, &render_options(request, notified), output, max_bytes);
    let text = String::from_utf8(body).map_err(|_| internal_error())?;
    let value = if format.is_json() { RawValue::from_string(text) } else { to_raw_value(&text) };
    value.map_err(|_| internal_error())
}

/// Builds a body within a limit: with whole answers, or else with each answer within its share. It holds at most
/// twice the limit in memory.
fn fit_items<I>(
    limit: usize,
    items: &[I],
    notified: Option<&Notified>,
    item: impl Fn(&I, SizeLimit) -> BatchItem,
) -> Vec<u8> {
    let mut total_bytes = 0;
    let whole = items.iter().map_while(|one| {
        let item = item(one, SizeLimit::Whole);
        total_bytes += item.answer_length();
        (total_bytes <= limit).then_some(item)
    });
    let whole: Vec<_> = whole.collect();
    if whole.len() == items.len() {
        let body = BatchBody::of(whole, notified.cloned()).to_bytes();
        if formats::fits(&body, limit) {
            return body;
        }
    } else {
        drop(whole);
    }
    BatchBody::of(items.iter().map(|one| item(one, SizeLimit::Share)).collect(), notified.cloned()).to_bytes()
}
