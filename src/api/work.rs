//! Lookups of several subjects, and the posts of their answers: work whose progress can be looked at, and that can go on
//! after the answer to its request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use serde_json::value::{RawValue, to_raw_value};

use super::batch::{BatchBody, BatchItem, Item};
use super::decode::EnrichRequest;
use super::deliveries::FailedForNow;
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
use crate::lookup::{Context, EnrichError, Held};

/// Posts that are under way at once.
const POSTS_IN_FLIGHT: usize = 4;
/// What lookups leave of the time for the posts of their answers; less where there is little.
const POSTING: Duration = Duration::from_secs(2);

/// Lookups and posts of one request.
pub(super) struct Work {
    service: Arc<Service>,
    request_context: RequestContext,
    items: Vec<Addressed>,
    /// Who gets the answers of all items that name nobody else.
    around: Option<Addressee>,
    state: Mutex<State>,
}

/// An item, and who is to get its answer as well.
struct Addressed {
    input: Option<String>,
    asked: Option<EnrichRequest>,
    addressee: Option<Addressee>,
}

/// How far the work is.
struct State {
    /// Of each item; `None`: it is still looked up.
    outcomes: Vec<Option<Result<ExtractedSubjects, Problem>>>,
    /// Bytes of what was written whole.
    written: usize,
    /// Of each destination, by its name, as far as they are known.
    posts: BTreeMap<String, Notified>,
}

/// What was found for an item.
#[derive(Clone)]
enum ExtractedSubjects {
    /// The answer, where it is to be posted as well, and what it holds of the request's budget.
    Kept { answer: Arc<Answer>, _holds: Context },
    /// The answer as it goes to the caller, where nobody else wants it.
    Written(Arc<Written>),
}

/// An answer that is written.
struct Written {
    /// As large as it likes; `None`: the answers of all items are too long together.
    whole: Option<Box<RawValue>>,
    /// Within its share; `None`: it is within it as a whole.
    within_share: Option<Box<RawValue>>,
}

/// How much room there is for the answer of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    /// As much as it likes, within what there is for all.
    Whole,
    /// Its share.
    Share,
}

/// An item that is done, as a post tells of it.
struct Done<'a> {
    input: Option<&'a str>,
    asked: Option<&'a EnrichRequest>,
    outcome: Result<Arc<Answer>, Problem>,
}

impl Work {
    /// Finds the destinations that the items, or the options `around` them, name. A name that there is not is a problem:
    /// of its item, or of all.
    pub(super) async fn new(
        service: Arc<Service>,
        items: Vec<Item>,
        around: &Options,
        request_context: &RequestContext,
    ) -> Result<Arc<Self>, Problem> {
        let named = items.iter().filter_map(|item| item.asked.as_ref().ok()).map(|asked| &asked.options);
        let destinations = notify::destinations(&service, named.chain([around]), &request_context.ctx).await?;
        let around = notify::addressee(&destinations, around)?;
        let mut outcomes = Vec::with_capacity(items.len());
        let items = items.into_iter().map(|Item { input, asked }| {
            let with_addressee = asked.and_then(|asked| Ok((notify::addressee(&destinations, &asked.options)?, asked)));
            match with_addressee {
                Ok((addressee, asked)) => {
                    outcomes.push(None);
                    Addressed { input, asked: Some(asked), addressee }
                }
                Err(problem) => {
                    outcomes.push(Some(Err(problem)));
                    Addressed { input, asked: None, addressee: around.clone() }
                }
            }
        });
        let items = items.collect();
        let state = Mutex::new(State { outcomes, written: 0, posts: BTreeMap::new() });
        Ok(Arc::new(Self { service, request_context: request_context.clone(), items, around, state }))
    }

    /// Whether anybody beside the caller is to get an answer.
    pub(super) fn is_addressed(&self) -> bool {
        self.around.is_some() || self.items.iter().any(|item| item.addressee.is_some())
    }

    /// Looks everything up, then posts what is to be posted.
    pub(super) async fn run(&self, ctx: &Context) {
        let (places, questions): (Vec<_>, Vec<_>) = self
            .items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| Some((at, item.asked.as_ref()?)))
            .map(|(at, asked)| (at, asked.question.clone()))
            .unzip();
        let time = ctx.deadline.remaining();
        let lookups = if self.is_addressed() { &ctx.within(time.saturating_sub(POSTING.min(time / 4))) } else { ctx };
        let take = |at: usize, held| {
            if let Some(place) = places.get(at) {
                self.settle(*place, held);
            }
        };
        self.service.enricher.enrich_each(&questions, lookups, take).await;
        if self.is_addressed() {
            self.post(&notify::time_to_post(ctx)).await;
        }
    }

    fn settle(&self, at: usize, Held { answer, ctx }: Held<Result<Answer, EnrichError>>) {
        let asked = self.items.get(at).and_then(|item| item.asked.as_ref());
        let outcome = answer.map_err(Problem::from).and_then(|answer| {
            asked.map_or(Ok(()), |asked| check_found(&answer, asked))?;
            if self.is_addressed() {
                // Others do not wait for what is posted when all is there.
                ctx.end_turn();
                Ok(ExtractedSubjects::Kept { answer: Arc::new(answer), _holds: ctx })
            } else {
                self.write(&answer, asked).map(|written| ExtractedSubjects::Written(Arc::new(written)))
            }
        });
        let state = &mut *self.state();
        if let Ok(ExtractedSubjects::Written(written)) = &outcome {
            state.written += written.whole.as_ref().map_or(0, |whole| whole.get().len());
        }
        if let Some(place) = state.outcomes.get_mut(at) {
            *place = Some(outcome);
        }
        if state.written > self.request_context.limit.0 {
            for outcome in state.outcomes.iter_mut().flatten() {
                if let Ok(ExtractedSubjects::Written(written)) = outcome
                    && let Some(written) = Arc::get_mut(written)
                    && written.within_share.is_some()
                {
                    written.whole = None;
                }
            }
        }
    }

    /// Writes an answer whole, unless it is known that all are too long together, and within its share.
    fn write(&self, answer: &Answer, asked: Option<&EnrichRequest>) -> Result<Written, Problem> {
        let format = format_of(asked);
        let (limit, share) = (self.room(Room::Whole), self.room(Room::Share));
        let whole =
            if self.state().written <= limit.0 { Some(embedded(answer, asked, format, None, limit)?) } else { None };
        // What is no JSON has half the room.
        let is_within_share = whole.as_ref().is_some_and(|whole| formats::fits(whole.get().as_bytes(), share.0 / 2));
        let within_share = if is_within_share { None } else { Some(embedded(answer, asked, format, None, share)?) };
        Ok(Written { whole, within_share })
    }

    /// Room for the answer of one item.
    fn room(&self, room: Room) -> AnswerLimit {
        let AnswerLimit(limit) = self.request_context.limit;
        match room {
            Room::Whole => AnswerLimit(limit),
            Room::Share => AnswerLimit(limit / self.items.len().max(1)),
        }
    }

    /// Posts to each destination once, whatever number of items is for it.
    async fn post(&self, ctx: &Context) {
        let mut destinations: Vec<Arc<Destination>> = Vec::new();
        for addressee in self.items.iter().map(|item| &item.addressee).chain([&self.around]).flatten() {
            match addressee {
                Addressee::Good(destination) => {
                    if destinations.iter().all(|known| known.name() != destination.name()) {
                        destinations.push(destination.clone());
                    }
                }
                Addressee::Misconfigured(name) => self.told(notify::misconfigured(name)),
            }
        }
        let posts = destinations.into_iter().map(|destination| async move {
            let notified = match self.content(&destination) {
                Some(content) => self.service.notifier.post(&destination, content, ctx).await,
                None => notify::unposted(destination.name(), Outcome::NothingToSend),
            };
            self.told(notified);
        });
        stream::iter(posts).buffer_unordered(POSTS_IN_FLIGHT).collect::<()>().await;
    }

    fn told(&self, notified: Notified) {
        self.state().posts.insert(notified.destination.clone(), notified);
    }

    /// What a destination gets; `None`: no item that is for it has an answer.
    fn content(&self, destination: &Destination) -> Option<Content> {
        let outcomes = self.state().outcomes.clone();
        let is_for = |item: &Addressed| item.addressee.as_ref().is_some_and(|one| one.name() == destination.name());
        let done = self.items.iter().zip(outcomes).filter(|(item, _)| is_for(item)).filter_map(|(item, outcome)| {
            let outcome = match outcome? {
                Ok(ExtractedSubjects::Kept { answer, .. }) => Ok(answer),
                Ok(ExtractedSubjects::Written(_)) => return None,
                Err(problem) => Err(problem),
            };
            Some(Done { input: item.input.as_deref(), asked: item.asked.as_ref(), outcome })
        });
        let done: Vec<_> = done.collect();
        if done.iter().all(|item| item.outcome.is_err()) {
            return None;
        }
        Some(match (destination.batch_form(), done.as_slice()) {
            (BatchForm::Message, [only]) => Content::Body(only.alone(destination.format())),
            (BatchForm::Message, several) => Content::Body(message(several, destination.format())),
            (BatchForm::Document, several) => Content::Document(self.document(several, destination.format())),
            (BatchForm::Events, several) => Content::Events(self.events(several, destination.format())),
        })
    }

    /// One body of all items, as a batch is answered.
    fn document(&self, items: &[Done<'_>], format: Format) -> Vec<u8> {
        let share = MAX_POST_BYTES / items.len().max(1);
        let item = |item: &Done<'_>, room| {
            let each = AnswerLimit(if room == Room::Whole { MAX_POST_BYTES } else { share });
            let embedded = item.outcome.clone().and_then(|answer| embedded(&answer, item.asked, format, None, each));
            self.item(item.input, embedded)
        };
        fitted(MAX_POST_BYTES, items, None, item)
    }

    /// An answer or a problem for each item.
    fn events(&self, items: &[Done<'_>], format: Format) -> Vec<Result<Vec<u8>, Vec<u8>>> {
        let each = MAX_POST_BYTES / items.len().max(1);
        let event = |item: &Done<'_>| match (&item.outcome, item.asked) {
            (Ok(answer), Some(asked)) => {
                let shape = OutputOptions { format, ..asked.options.shape() };
                Ok(formats::render(answer, &render_options(asked, None), shape, each))
            }
            (Ok(_), None) => Err(Vec::new()),
            (Err(problem), _) => {
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

    /// Gives up what is not done.
    pub(super) fn give_up(&self) {
        let state = &mut *self.state();
        for outcome in state.outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
            *outcome = Some(Err(Problem::new(Code::UpstreamTimeout, "There was no answer in time: ask again.")));
        }
        for addressee in self.items.iter().map(|item| &item.addressee).chain([&self.around]).flatten() {
            let name = addressee.name();
            state.posts.entry(name.to_owned()).or_insert_with(|| notify::unposted(name, Outcome::Failed));
        }
    }

    /// What became of an answer at whom it is for.
    fn notified(&self, addressee: Option<&Addressee>) -> Option<Notified> {
        let name = addressee?.name();
        let known = self.state().posts.get(name).cloned();
        Some(known.unwrap_or_else(|| notify::unposted(name, Outcome::Pending)))
    }

    /// The answer of this moment, within what the front door lets through.
    pub(super) fn response(&self) -> Response {
        let outcomes = self.state().outcomes.clone();
        let notified = self.notified(self.around.as_ref());
        let item = |(item, outcome): &(&Addressed, &Option<Result<ExtractedSubjects, Problem>>), room| {
            let input = item.input.as_deref();
            let embedded = match outcome {
                None => return BatchItem::Pending { status: 202, input: input.map(str::to_owned) },
                Some(Ok(ExtractedSubjects::Kept { answer, .. })) => {
                    let notified = self.notified(item.addressee.as_ref());
                    let asked = item.asked.as_ref();
                    embedded(answer, asked, format_of(asked), notified.as_ref(), self.room(room))
                }
                Some(Ok(ExtractedSubjects::Written(written))) => written.within(room),
                Some(Err(problem)) => Err(problem.clone()),
            };
            self.item(input, embedded)
        };
        let items: Vec<_> = self.items.iter().zip(&outcomes).collect();
        let body = fitted(self.request_context.limit.0, &items, notified.as_ref(), item);
        let mut response = respond::json(body, self.log_fields());
        if let Some(notified) = &notified {
            notify::tell_in_header(response.headers_mut(), notified);
        }
        if outcomes.iter().flatten().any(|outcome| outcome.as_ref().is_err_and(Problem::is_for_now)) {
            response.extensions_mut().insert(FailedForNow);
        }
        response
    }

    /// Logs the end of work that went on after the answer to its request.
    pub(super) fn log(&self, request_id: &str) {
        let items = self.log_fields().items.unwrap_or_default();
        let (ok, failed, codes) = (items.ok, items.failed, items.codes);
        tracing::info!(request_id, ok, failed, codes, "the lookups of a hook ended after its answer");
    }

    /// What the log says of the work.
    fn log_fields(&self) -> RequestLog {
        let mut told = ItemCounts::default();
        let mut codes: Vec<&str> = Vec::new();
        for outcome in &self.state().outcomes {
            match outcome {
                None => told.pending += 1,
                Some(Ok(_)) => told.ok += 1,
                Some(Err(problem)) => {
                    told.failed += 1;
                    if !codes.contains(&problem.code.as_str()) {
                        codes.push(problem.code.as_str());
                    }
                }
            }
        }
        told.codes = codes.join(" ");
        RequestLog { kind: Some("batch"), items: Some(told), ..RequestLog::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn within(&self, room: Room) -> Result<Box<RawValue>, Problem> {
        let written = match room {
            Room::Whole => self.whole.as_ref().or(self.within_share.as_ref()),
            Room::Share => self.within_share.as_ref().or(self.whole.as_ref()),
        };
        written.cloned().ok_or_else(bug)
    }
}

fn format_of(asked: Option<&EnrichRequest>) -> Format {
    asked.map_or(Format::Json, |asked| asked.options.shape().format)
}

fn bug() -> Problem {
    Problem::new(Code::Internal, "A bug of this service.")
}

impl Done<'_> {
    /// The message about this item alone.
    fn alone(&self, format: Format) -> Vec<u8> {
        match (&self.outcome, self.asked) {
            (Ok(answer), Some(asked)) => {
                let shape = OutputOptions { format, ..asked.options.shape() };
                formats::render(answer, &render_options(asked, None), shape, MAX_POST_BYTES)
            }
            (Ok(_), None) | (Err(_), _) => Vec::new(),
        }
    }
}

/// One message about several items.
fn message(items: &[Done<'_>], format: Format) -> Vec<u8> {
    let showings: Vec<RenderOptions> = items
        .iter()
        .map(|item| {
            item.asked.map_or_else(
                || RenderOptions { limit: 0, raw: false, warnings: Vec::new(), notified: None },
                |asked| render_options(asked, None),
            )
        })
        .collect();
    let enrichments: Vec<Result<Enrichment<'_>, &Problem>> = items
        .iter()
        .zip(&showings)
        .map(|(item, render_options)| item.outcome.as_ref().map(|answer| answer.enrichment(render_options)))
        .collect();
    let line = |(at, (item, outcome)): (usize, (&Done<'_>, &Result<Enrichment<'_>, &Problem>))| match outcome {
        Ok(enrichment) => BatchLine::answered(enrichment),
        Err(problem) => {
            let input = item.input.map_or_else(|| format!("Subject {}", at + 1), str::to_owned);
            BatchLine::failed(&input, problem.detail())
        }
    };
    let lines: Vec<_> = items.iter().zip(&enrichments).enumerate().map(line).collect();
    formats::batch_message(&lines, format)
}

/// The body of an item as a JSON value: its own, or a string of it where its format is no JSON.
fn embedded(
    answer: &Answer,
    asked: Option<&EnrichRequest>,
    format: Format,
    notified: Option<&Notified>,
    each: AnswerLimit,
) -> Result<Box<RawValue>, Problem> {
    let asked = asked.ok_or_else(bug)?;
    // A string is escaped once more, which at most doubles what it takes.
    let most = if format.is_json() { each.0 } else { each.0 / 2 };
    let shape = OutputOptions { format, ..asked.options.shape() };
    let body = formats::render(answer, &render_options(asked, notified), shape, most);
    let text = String::from_utf8(body).map_err(|_| bug())?;
    let value = if format.is_json() { RawValue::from_string(text) } else { to_raw_value(&text) };
    value.map_err(|_| bug())
}

/// A body of items within a limit: each as large as it likes, or else each within its share. No more is held than twice
/// the limit.
fn fitted<I>(limit: usize, items: &[I], notified: Option<&Notified>, item: impl Fn(&I, Room) -> BatchItem) -> Vec<u8> {
    let mut taken = 0;
    let whole = items.iter().map_while(|one| {
        let item = item(one, Room::Whole);
        taken += item.answer_length();
        (taken <= limit).then_some(item)
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
    BatchBody::of(items.iter().map(|one| item(one, Room::Share)).collect(), notified.cloned()).to_bytes()
}
