//! Alerts by id, twenty in a call. What fails is asked for again as long as that helps and there is time; a list can do
//! without it.
//!
//! Source: <https://learn.microsoft.com/graph/json-batching>.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use tokio::time::sleep;

use super::{Graph, PREFER, READ_ALERTS};
use crate::client::{Api, Attempts, Body, Call, ClientError, Context, MAX_BYTES, Reply, Retry, error_from_status};
use crate::credentials::CallError;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{AlertId, comparable_id};
use crate::domain::warning::Warnings;
use crate::lenient_json::body::{self, MembersReader};
use crate::lenient_json::members::Members;
use crate::lenient_json::value::Value;

/// Graph takes no more in one batch.
const MAX_ITEMS: usize = 20;
/// Batches that are under way at once.
const IN_FLIGHT: usize = 4;
/// Time that is left for the answer.
const SPARED: Duration = Duration::from_millis(150);

/// The alerts that came, by id.
#[derive(Default)]
pub(super) struct Completed {
    bodies: HashMap<String, SharedStr>,
    bytes: usize,
    /// The bytes of all answers that the bodies are parts of.
    pub(super) held: usize,
    /// How many failed, and went on failing.
    pub(super) failed: usize,
    /// How many were left out, since enough was read.
    pub(super) left_out: usize,
    /// How many were not asked for, since a list may not spend more calls.
    pub(super) not_asked: usize,
}

impl Completed {
    /// The body of an alert; `None` if Graph does not know it, or did not tell.
    pub(super) fn body(&self, id: &str) -> Option<&SharedStr> {
        self.bodies.get(&*comparable_id(id))
    }
}

/// An alert to get, and what has become of the attempts.
struct Wanted {
    id: AlertId,
    attempts: Attempts,
}

/// What became of one item.
#[derive(Debug, PartialEq)]
enum Item {
    Here(SharedStr),
    /// Graph does not give it out: tuned away, outside the incident model.
    Gone,
    Failed(Retry),
}

impl Graph {
    /// Gets the first of these alerts, as far as Graph gives them out, and as many as a list may cost. What fails is left
    /// out, but for a permission that lacks where nothing has come: that is no passing trouble.
    pub(super) async fn complete(&self, ids: &[AlertId], ctx: &Context) -> Result<Completed, CallError> {
        let mut completed = Completed::default();
        // Whatever becomes of this, there is time to answer with what is there.
        let ctx = &ctx.within(ctx.deadline.remaining().saturating_sub(SPARED));
        let mut seen = HashSet::new();
        let mut new = ids.iter().filter(|id| seen.insert(comparable_id(id.as_str()))).fuse();
        let mut calls_left = self.completions;
        let mut held_back = held_back(calls_left);
        let mut wanted: Vec<Wanted> = Vec::new();
        loop {
            // Those that have failed come first.
            let more = calls_left.saturating_sub(held_back).saturating_sub(wanted.len());
            let attempts = || Attempts::until(ctx.deadline);
            wanted.extend(new.by_ref().take(more).map(|id| Wanted { id: id.clone(), attempts: attempts() }));
            if wanted.is_empty() {
                break;
            }
            calls_left -= wanted.len();
            let failed = self.round(wanted, &mut completed, ctx).await?;
            // What is not needed to try again goes on with the list.
            held_back = 0;
            let mut longest = Duration::ZERO;
            wanted = Vec::new();
            for (mut one, retry) in failed {
                let pause = one.attempts.pause(retry);
                if pause.is_none() && matches!(retry, Retry::After(_)) {
                    // Graph wants no call in the time that there is.
                    held_back = calls_left;
                }
                if let Some(pause) = pause.filter(|_| wanted.len() < calls_left) {
                    longest = longest.max(pause);
                    wanted.push(one);
                } else {
                    completed.failed += 1;
                }
            }
            sleep(longest).await;
        }
        completed.not_asked = new.count();
        Ok(completed)
    }

    /// Asks for each once. Those that failed come back.
    async fn round(
        &self,
        mut wanted: Vec<Wanted>,
        completed: &mut Completed,
        ctx: &Context,
    ) -> Result<Vec<(Wanted, Retry)>, CallError> {
        for one in &mut wanted {
            one.attempts.begin();
        }
        let failures = self.failures(&wanted, completed, ctx).await?;
        Ok(wanted.into_iter().zip(failures).filter_map(|(one, failure)| Some((one, failure?))).collect())
    }

    /// Asks for each once, and takes what comes. For each that was asked for in vain, what that means for the next attempt.
    async fn failures(
        &self,
        wanted: &[Wanted],
        completed: &mut Completed,
        ctx: &Context,
    ) -> Result<Vec<Option<Retry>>, CallError> {
        // Boxed: the compiler cannot see that the future of a closure's borrow is `Send`.
        let batches: Vec<_> = wanted.chunks(MAX_ITEMS).map(|batch| self.batch(batch, ctx).boxed()).collect();
        let mut outcomes = stream::iter(batches).buffered(IN_FLIGHT);
        let mut chunks = wanted.chunks(MAX_ITEMS);
        let mut failures = Vec::with_capacity(wanted.len());
        let mut refusal = None;
        loop {
            if completed.bytes >= MAX_BYTES {
                completed.left_out += chunks.map(<[Wanted]>::len).sum::<usize>();
                break;
            }
            let (Some(outcome), Some(chunk)) = (outcomes.next().await, chunks.next()) else { break };
            let items = match outcome {
                Ok((items, held)) => {
                    completed.held += held;
                    items
                }
                // The batch, or the request, is full.
                Err(CallError::Upstream(ClientError::TooLarge)) => {
                    completed.left_out += chunk.len();
                    failures.extend(chunk.iter().map(|_| None));
                    continue;
                }
                Err(error) => {
                    let retry = match &error {
                        CallError::Upstream(error) => error.retry(),
                        CallError::Credential(_) | CallError::Forbidden { .. } => Retry::Never,
                    };
                    failures.extend(chunk.iter().map(|_| Some(retry)));
                    if matches!(error, CallError::Forbidden { .. }) {
                        refusal = Some(error);
                    }
                    continue;
                }
            };
            for (one, item) in chunk.iter().zip(items) {
                failures.push(match item {
                    Item::Here(body) => {
                        completed.bytes += body.len();
                        completed.bodies.insert(comparable_id(one.id.as_str()).into_owned(), body);
                        None
                    }
                    Item::Gone => None,
                    Item::Failed(retry) => Some(retry),
                });
            }
        }
        match refusal {
            Some(refusal) if completed.bodies.is_empty() => Err(refusal),
            _ => Ok(failures),
        }
    }

    /// One batch, its items in the order of the ids, and the length of its answer.
    async fn batch(&self, wanted: &[Wanted], ctx: &Context) -> Result<(Vec<Item>, usize), CallError> {
        let url = self.address(&["$batch"])?;
        let requests: Vec<_> = wanted
            .iter()
            .enumerate()
            .map(|(at, one)| {
                // An alert's id is letters, digits, underscores and hyphens: it is one segment as it is.
                let url = format!("/security/alerts_v2/{}", one.id.as_str());
                json!({"id": at.to_string(), "method": "GET", "url": url, "headers": {"Prefer": PREFER}})
            })
            .collect();
        let body = Bytes::from(json!({"requests": requests}).to_string());
        let cost = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
        let call = |token| Call {
            method: Method::POST,
            prefer: Some(PREFER),
            body: Body::Json(body.clone()),
            cost,
            ..Call::get(Api::Graph, url.clone(), token)
        };
        let attempts = Attempts::one_for_all_of(wanted.iter().map(|one| &one.attempts), ctx.deadline);
        let answer = self.calls.send_within(attempts, Api::Graph, READ_ALERTS, ctx, call, Reply::into_body).await?;
        Ok((items(&answer, wanted.len())?, answer.len()))
    }
}

/// How many of the calls that a list may cost wait until it is known what fails.
fn held_back(calls: usize) -> usize {
    if calls > 1 { (calls / 5).max(1) } else { 0 }
}

/// The items of a batch's answer, in the order of their ids; Graph keeps none. One that is missing has failed, and so has
/// one that is refused, unless all are: then a role is missing. Of one that is told twice, what came counts.
fn items(answer: &SharedStr, count: usize) -> Result<Vec<Item>, CallError> {
    let mut read = MembersReader(|members: Members<'_>| item(members, answer));
    let responses =
        body::list(answer, "responses", &mut read).map_err(|malformed| CallError::Upstream(malformed.into()))?.items;
    let mut items: Vec<Result<Item, CallError>> = (0..count).map(|_| Ok(Item::Failed(Retry::Never))).collect();
    for (at, item) in responses {
        if let Some(place) = at.and_then(|at| items.get_mut(at))
            && !matches!(place, Ok(Item::Here(_)))
        {
            *place = item;
        }
    }
    if items.iter().all(Result::is_err) {
        return items.into_iter().collect();
    }
    Ok(items.into_iter().map(|item| item.unwrap_or(Item::Failed(Retry::Never))).collect())
}

fn item(mut members: Members<'_>, answer: &SharedStr) -> (Option<usize>, Result<Item, CallError>) {
    let notes = &mut Warnings::default();
    let at = members.text(&["id"], notes).and_then(|id| id.parse().ok());
    let status = members.integer(&["status"], notes).and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
    let wait = members.object("headers", notes).and_then(|mut headers| headers.text_in_any_case("retry-after"));
    let body = members.take("body").map(Value::json).unwrap_or_default();
    let item = if status.is_success() {
        Ok(Item::Here(answer.part(body)))
    } else {
        let wait = wait.and_then(|wait| HeaderValue::from_str(&wait).ok());
        let headers = HeaderMap::from_iter(wait.map(|wait| (header::RETRY_AFTER, wait)));
        meaning(&error_from_status(status, &headers, body.as_bytes()))
    };
    (at, item)
}

fn meaning(error: &ClientError) -> Result<Item, CallError> {
    match error {
        ClientError::Forbidden => Err(CallError::Forbidden { permission: READ_ALERTS }),
        // These do not change by asking again. 404 and 410 may come without words of Graph's own.
        ClientError::NotFound | ClientError::Rejected { status: 400 | 404 | 410 } => Ok(Item::Gone),
        ClientError::Rejected { .. }
        | ClientError::TableNotVisible
        | ClientError::Malformed { .. }
        | ClientError::TooLarge
        | ClientError::Throttled { .. }
        | ClientError::Unavailable { .. }
        | ClientError::NoAddress
        | ClientError::ServerError
        | ClientError::TimedOut
        | ClientError::Unauthorized => Ok(Item::Failed(error.retry())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_told_apart_by_their_ids() {
        let answer = SharedStr::of_static(
            r#"{"responses":[
                {"id":"2","status":429,"headers":{"retry-AFTER":"2.128"},"body":{"error":{"code":"TooManyRequests"}}},
                {"id":"0","status":200,"headers":{},"body":{"id":"a"}},
                {"id":"3","status":"503","body":null},
                {"id":"1","status":404,"body":{"error":{"code":"","message":""}}},
                {"id":"77","status":200,"body":{}}]}"#,
        );
        let read = items(&answer, 5).expect("items");
        let right = [
            Item::Here(SharedStr::of_static(r#"{"id":"a"}"#)),
            Item::Gone,
            Item::Failed(Retry::After(Duration::from_secs_f64(2.128))),
            Item::Failed(Retry::Backoff),
            Item::Failed(Retry::Never),
        ];
        assert_eq!(read, right, "the fifth is missing");
    }

    #[test]
    fn what_fails_for_now_is_not_taken_for_gone() {
        let of = |status: u16| {
            let answer =
                format!(r#"{{"responses":[{{"id":"0","status":{status},"body":{{"error":{{"code":"x"}}}}}}]}}"#);
            items(&SharedStr::from(answer), 1).expect("items").pop().expect("an item")
        };
        for status in [401, 402, 405, 408, 409, 412, 418, 423, 424, 451, 501, 505, 507, 302] {
            assert_eq!(of(status), Item::Failed(Retry::Never), "{status}");
        }
        assert_eq!([400, 404, 410].map(of), [Item::Gone, Item::Gone, Item::Gone]);
        assert_eq!([429, 502, 503, 504].map(of), [(); 4].map(|()| Item::Failed(Retry::Backoff)));
        assert_eq!(of(500), Item::Failed(Retry::Once));
    }

    #[test]
    fn an_item_that_is_told_twice_is_what_came() {
        let here = r#"{"id":"0","status":200,"body":{"id":"a"}}"#;
        let busy = r#"{"id":"0","status":503,"body":null}"#;
        let refused = r#"{"id":"0","status":403,"body":{"error":{"code":"Forbidden"}}}"#;
        let read =
            |told: &[&str], count| items(&SharedStr::from(format!(r#"{{"responses":[{}]}}"#, told.join(","))), count);
        for told in [[here, busy], [busy, here], [refused, here], [here, refused]] {
            let read = read(&told, 2).expect("items");
            assert_eq!(
                read,
                [Item::Here(SharedStr::of_static(r#"{"id":"a"}"#)), Item::Failed(Retry::Never)],
                "{told:?}"
            );
        }
        assert!(read(&[refused, refused], 2).is_ok(), "of the other nothing is told");
        assert!(read(&[refused, refused], 1).is_err());
    }

    #[test]
    fn a_missing_role_is_nothing_that_a_thin_alert_stands_in_for() {
        let answer =
            SharedStr::of_static(r#"{"responses":[{"id":"0","status":403,"body":{"error":{"code":"Forbidden"}}}]}"#);
        assert!(matches!(items(&answer, 1), Err(CallError::Forbidden { permission: READ_ALERTS })));
    }
}
