//! Gets alerts by id, twenty in one call. Items that fail are retried while a retry can help and time remains. A list is
//! still answered without them.
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

/// The largest batch that Graph accepts.
const MAX_ITEMS: usize = 20;
/// How many batches run concurrently.
const MAX_CONCURRENT_BATCHES: usize = 4;
/// The time that is reserved for writing the answer.
const ANSWER_RESERVE: Duration = Duration::from_millis(150);

/// The alerts that Graph returned, by id.
#[derive(Default)]
pub(super) struct Completed {
    bodies: HashMap<String, SharedStr>,
    bytes: usize,
    /// The bytes of all responses that the bodies are parts of.
    pub(super) held: usize,
    /// How many failed, also after retries.
    pub(super) failed: usize,
    /// How many were left out because the size limit was reached.
    pub(super) left_out: usize,
    /// How many were not requested because a list may not use more calls.
    pub(super) not_requested: usize,
}

impl Completed {
    /// Returns the body of an alert; `None` if Graph did not return it.
    pub(super) fn body(&self, id: &str) -> Option<&SharedStr> {
        self.bodies.get(&*comparable_id(id))
    }

    /// Stores what came for an alert. Returns how a failure can be retried.
    fn take(&mut self, id: &AlertId, item: Item) -> Option<Retry> {
        match item {
            Item::Body(body) => {
                self.bytes += body.len();
                self.bodies.insert(comparable_id(id.as_str()).into_owned(), body);
                None
            }
            Item::Gone => None,
            Item::Failed(retry) => Some(retry),
        }
    }
}

/// An alert to get, with its attempts so far.
struct PendingAlert {
    id: AlertId,
    attempts: Attempts,
}

/// The outcome of one batch item.
#[derive(Debug, PartialEq)]
enum Item {
    Body(SharedStr),
    /// Graph does not return it: a tuning rule hides it, or it is outside the incident model.
    Gone,
    Failed(Retry),
}

impl Graph {
    /// Gets these alerts in order, as many as the call limit of a list permits. Alerts that Graph does not return are left
    /// out. The only error is a missing permission if no alert came, because a retry cannot help there.
    pub(super) async fn complete(&self, ids: &[AlertId], ctx: &Context) -> Result<Completed, CallError> {
        let mut completed = Completed::default();
        // Time is reserved to answer with what is there, even if every call times out.
        let ctx = &ctx.within(ctx.deadline.remaining().saturating_sub(ANSWER_RESERVE));
        let mut seen = HashSet::new();
        let distinct: Vec<_> = ids.iter().filter(|id| seen.insert(comparable_id(id.as_str()))).collect();
        let mut new = distinct.iter().fuse();
        let mut calls_left = self.completions;
        // All at once, because each time may be a write to a table. If they are too many, each batch takes its own.
        let mut taken = distinct.len().min(calls_left);
        if taken == 0 || !self.calls.take_calls(Api::Graph, taken, ctx).await {
            taken = 0;
        }
        let mut batch_size = MAX_ITEMS;
        if taken == 0 && ctx.counts_on_local_share() {
            calls_left = calls_left.min(self.completions_of_own_share);
            batch_size = batch_size.min(calls_left);
        }
        let mut reserved_for_retries = reserved_for_retries(calls_left);
        let mut pending: Vec<PendingAlert> = Vec::new();
        loop {
            // Retries come first.
            let more = calls_left.saturating_sub(reserved_for_retries).saturating_sub(pending.len());
            let attempts = || Attempts::until(ctx.deadline);
            pending.extend(new.by_ref().take(more).map(|id| PendingAlert { id: (*id).clone(), attempts: attempts() }));
            if pending.is_empty() {
                break;
            }
            calls_left -= pending.len();
            let failed = self.round(pending, batch_size, &mut taken, &mut completed, ctx).await?;
            // The calls that no retry needs are used for the rest of the list.
            reserved_for_retries = 0;
            let mut longest = Duration::ZERO;
            pending = Vec::new();
            for (mut alert, retry) in failed {
                let pause = alert.attempts.pause(retry);
                if pause.is_none() && matches!(retry, Retry::After(_)) {
                    // Graph permits no further call in the remaining time.
                    reserved_for_retries = calls_left;
                }
                if let Some(pause) = pause.filter(|_| pending.len() < calls_left) {
                    longest = longest.max(pause);
                    pending.push(alert);
                } else {
                    completed.failed += 1;
                }
            }
            sleep(longest).await;
        }
        completed.not_requested = new.count();
        Ok(completed)
    }

    /// Requests each alert once and stores what comes. The calls for the first `taken` alerts were taken before. Returns
    /// those that failed, and whether and how each can be retried.
    async fn round(
        &self,
        mut pending: Vec<PendingAlert>,
        batch_size: usize,
        taken: &mut usize,
        completed: &mut Completed,
        ctx: &Context,
    ) -> Result<Vec<(PendingAlert, Retry)>, CallError> {
        for alert in &mut pending {
            alert.attempts.begin();
        }
        // Boxed: the compiler cannot see that the future of a closure's borrow is `Send`.
        let batches = pending.chunks(batch_size).map(|chunk| {
            let already_taken = chunk.len().min(*taken);
            *taken -= already_taken;
            self.batch(chunk, chunk.len() - already_taken, ctx).boxed()
        });
        let batches: Vec<_> = batches.collect();
        let mut outcomes = stream::iter(batches).buffered(MAX_CONCURRENT_BATCHES);
        let mut chunks = pending.chunks(batch_size);
        let mut failures: Vec<Option<Retry>> = Vec::with_capacity(pending.len());
        let mut refusal = None;
        loop {
            if completed.bytes >= MAX_BYTES {
                completed.left_out += chunks.map(<[PendingAlert]>::len).sum::<usize>();
                break;
            }
            let (Some(outcome), Some(chunk)) = (outcomes.next().await, chunks.next()) else { break };
            match outcome {
                Ok((items, held)) => {
                    completed.held += held;
                    failures.extend(chunk.iter().zip(items).map(|(alert, item)| completed.take(&alert.id, item)));
                }
                // The batch, or the request's memory budget, is full.
                Err(CallError::Client(ClientError::TooLarge)) => {
                    completed.left_out += chunk.len();
                    failures.extend(chunk.iter().map(|_| None));
                }
                Err(error) => {
                    let retry = match &error {
                        CallError::Client(error) => error.retry(),
                        CallError::Credential(_) | CallError::Forbidden { .. } => Retry::Never,
                    };
                    failures.extend(chunk.iter().map(|_| Some(retry)));
                    if matches!(error, CallError::Forbidden { .. }) {
                        refusal = Some(error);
                    }
                }
            }
        }
        drop(outcomes);
        match refusal {
            Some(refusal) if completed.bodies.is_empty() => Err(refusal),
            _ => Ok(pending.into_iter().zip(failures).filter_map(|(alert, failure)| Some((alert, failure?))).collect()),
        }
    }

    /// Sends one batch at this cost. Returns its items in the order of the ids, and the length of the response.
    async fn batch(
        &self,
        pending: &[PendingAlert],
        cost: usize,
        ctx: &Context,
    ) -> Result<(Vec<Item>, usize), CallError> {
        let url = self.address(&["$batch"])?;
        let requests: Vec<_> = pending
            .iter()
            .enumerate()
            .map(|(at, alert)| {
                // An alert's id has only letters, digits, underscores and hyphens, so it needs no encoding.
                let url = format!("/security/alerts_v2/{}", alert.id.as_str());
                json!({"id": at.to_string(), "method": "GET", "url": url, "headers": {"Prefer": PREFER}})
            })
            .collect();
        let body = Bytes::from(json!({"requests": requests}).to_string());
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let call = |token| Call {
            method: Method::POST,
            prefer: Some(PREFER),
            body: Body::Json(body.clone()),
            cost,
            ..Call::get(Api::Graph, url.clone(), token)
        };
        let attempts = Attempts::one_for_all_of(pending.iter().map(|alert| &alert.attempts), ctx.deadline);
        let answer = self.calls.send_within(attempts, Api::Graph, READ_ALERTS, ctx, call, Reply::into_body).await?;
        Ok((items(&answer, pending.len())?, answer.len()))
    }
}

/// Returns how many of the permitted calls are reserved for retries in the first round.
fn reserved_for_retries(calls: usize) -> usize {
    if calls > 1 { (calls / 5).max(1) } else { 0 }
}

/// Returns the items of a batch response in the order of their ids, because Graph returns them in any order. An item that
/// is missing or refused has failed. If all are refused, a role is missing. If an id occurs twice, success wins.
fn items(answer: &SharedStr, count: usize) -> Result<Vec<Item>, CallError> {
    let mut read = MembersReader(|members: Members<'_>| item(members, answer));
    let responses =
        body::list(answer, "responses", &mut read).map_err(|malformed| CallError::Client(malformed.into()))?.items;
    let mut items: Vec<Result<Item, CallError>> = (0..count).map(|_| Ok(Item::Failed(Retry::Never))).collect();
    for (at, item) in responses {
        if let Some(place) = at.and_then(|at| items.get_mut(at))
            && !matches!(place, Ok(Item::Body(_)))
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
    let warnings = &mut Warnings::default();
    let at = members.text(&["id"], warnings).and_then(|id| id.parse().ok());
    let status = members.integer(&["status"], warnings).and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
    let wait = members.object("headers", warnings).and_then(|mut headers| headers.text_in_any_case("retry-after"));
    let body = members.take("body").map(Value::json).unwrap_or_default();
    let item = if status.is_success() {
        Ok(Item::Body(answer.part(body)))
    } else {
        let wait = wait.and_then(|wait| HeaderValue::from_str(&wait).ok());
        let headers = HeaderMap::from_iter(wait.map(|wait| (header::RETRY_AFTER, wait)));
        item_from_error(&error_from_status(status, &headers, body.as_bytes()))
    };
    (at, item)
}

fn item_from_error(error: &ClientError) -> Result<Item, CallError> {
    match error {
        ClientError::Forbidden => Err(CallError::Forbidden { permission: READ_ALERTS }),
        // A retry does not change these. 404 and 410 may come without Graph's own error body.
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
    fn items_are_matched_by_their_ids() {
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
            Item::Body(SharedStr::of_static(r#"{"id":"a"}"#)),
            Item::Gone,
            Item::Failed(Retry::After(Duration::from_secs_f64(2.128))),
            Item::Failed(Retry::Backoff),
            Item::Failed(Retry::Never),
        ];
        assert_eq!(read, right, "the fifth item is missing");
    }

    #[test]
    fn a_temporary_failure_does_not_count_as_gone() {
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
    fn success_wins_if_an_item_occurs_twice() {
        let here = r#"{"id":"0","status":200,"body":{"id":"a"}}"#;
        let busy = r#"{"id":"0","status":503,"body":null}"#;
        let refused = r#"{"id":"0","status":403,"body":{"error":{"code":"Forbidden"}}}"#;
        let read = |responses: &[&str], count| {
            items(&SharedStr::from(format!(r#"{{"responses":[{}]}}"#, responses.join(","))), count)
        };
        for responses in [[here, busy], [busy, here], [refused, here], [here, refused]] {
            let read = read(&responses, 2).expect("items");
            assert_eq!(
                read,
                [Item::Body(SharedStr::of_static(r#"{"id":"a"}"#)), Item::Failed(Retry::Never)],
                "{responses:?}"
            );
        }
        assert!(read(&[refused, refused], 2).is_ok(), "the other item is missing");
        let all_refused = read(&[refused, refused], 1);
        assert!(matches!(all_refused, Err(CallError::Forbidden { permission: READ_ALERTS })), "a role is missing");
    }
}
