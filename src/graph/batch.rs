//! Alerts by id, twenty in a call. What fails is asked for again as long as that helps and there is time; a list can do
//! without it.
//!
//! Source: <https://learn.microsoft.com/graph/json-batching>.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use tokio::time::sleep;

use super::{Graph, PREFER, READ_ALERTS};
use crate::credentials::CallError;
use crate::domain::subject::{AlertId, comparable_id};
use crate::domain::text::Text;
use crate::domain::warning::Warnings;
use crate::upstream::body::{self, MembersReader};
use crate::upstream::members::Members;
use crate::upstream::value::Value;
use crate::upstream::{Api, Attempts, Body, Call, Context, MOST_BYTES, Reply, Retry, UpstreamError, judge};

/// Graph takes no more in one batch.
const MOST_ITEMS: usize = 20;
/// Batches that are under way at once.
const IN_FLIGHT: usize = 4;
/// What is left of a deadline after a wait has to be worth another attempt.
const LEAST_LEFT: Duration = Duration::from_millis(500);
/// Time that is left for the answer.
const SPARED: Duration = Duration::from_millis(150);

/// The alerts that came, by id.
#[derive(Default)]
pub(super) struct Completed {
    bodies: HashMap<String, Text>,
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
    pub(super) fn body(&self, id: &str) -> Option<&Text> {
        self.bodies.get(&*comparable_id(id))
    }
}

/// What became of one item.
#[derive(Debug, PartialEq)]
enum Item {
    Here(Text),
    /// Graph does not give it out: tuned away, outside the incident model.
    Gone,
    Failed(Retry),
}

impl Graph {
    /// Gets the first of these alerts, as far as Graph gives them out, and as many as a list may cost. What fails is left
    /// out, but for a permission that lacks: that is no passing trouble.
    pub(super) async fn complete(&self, ids: &[AlertId], ctx: &Context) -> Result<Completed, CallError> {
        let mut completed = Completed::default();
        // Whatever becomes of this, there is time to answer with what is there.
        let ctx = &ctx.within(ctx.deadline.remaining().saturating_sub(SPARED));
        let mut attempts = Attempts::until(ctx.deadline);
        let mut calls_left = self.completions;
        let mut wanted: Vec<_> = ids.iter().take(calls_left).cloned().collect();
        completed.not_asked = ids.len() - wanted.len();
        while !wanted.is_empty() {
            calls_left -= wanted.len();
            attempts.begin();
            let failed = self.round(&wanted, &attempts, &mut completed, ctx).await?;
            let remaining = ctx.deadline.remaining();
            let mut longest = Duration::ZERO;
            wanted.clear();
            for (id, retry) in failed {
                let pause = attempts.pause(retry).filter(|pause| *pause + LEAST_LEFT < remaining);
                if let Some(pause) = pause.filter(|_| wanted.len() < calls_left) {
                    longest = longest.max(pause);
                    wanted.push(id);
                } else {
                    completed.failed += 1;
                }
            }
            sleep(longest).await;
        }
        Ok(completed)
    }

    /// Asks for each once. Those that failed come back.
    async fn round(
        &self,
        ids: &[AlertId],
        attempts: &Attempts,
        completed: &mut Completed,
        ctx: &Context,
    ) -> Result<Vec<(AlertId, Retry)>, CallError> {
        // Boxed: the compiler cannot see that the future of a closure's borrow is `Send`.
        let batches: Vec<_> = ids.chunks(MOST_ITEMS).map(|batch| self.batch(batch, attempts, ctx).boxed()).collect();
        let mut outcomes = stream::iter(batches).buffered(IN_FLIGHT);
        let mut chunks = ids.chunks(MOST_ITEMS);
        let mut failed = Vec::new();
        loop {
            if completed.bytes >= MOST_BYTES {
                completed.left_out += chunks.map(<[AlertId]>::len).sum::<usize>();
                break;
            }
            let (Some(outcome), Some(chunk)) = (outcomes.next().await, chunks.next()) else { break };
            let items = match outcome {
                Ok((items, held)) => {
                    completed.held += held;
                    items
                }
                // The batch, or the request, is full.
                Err(CallError::Upstream(UpstreamError::TooLarge)) => {
                    completed.left_out += chunk.len();
                    continue;
                }
                Err(error @ CallError::Forbidden { .. }) => return Err(error),
                Err(CallError::Upstream(error)) => {
                    failed.extend(chunk.iter().map(|id| (id.clone(), error.retry())));
                    continue;
                }
                Err(CallError::Credential(_)) => {
                    failed.extend(chunk.iter().map(|id| (id.clone(), Retry::Never)));
                    continue;
                }
            };
            for (id, item) in chunk.iter().zip(items) {
                match item {
                    Item::Here(body) => {
                        completed.bytes += body.len();
                        completed.bodies.insert(comparable_id(id.as_str()).into_owned(), body);
                    }
                    Item::Gone => {}
                    Item::Failed(retry) => failed.push((id.clone(), retry)),
                }
            }
        }
        Ok(failed)
    }

    /// One batch, its items in the order of the ids, and the length of its answer.
    async fn batch(
        &self,
        ids: &[AlertId],
        attempts: &Attempts,
        ctx: &Context,
    ) -> Result<(Vec<Item>, usize), CallError> {
        let url = self.address(&["$batch"])?;
        let requests: Vec<_> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| {
                // An alert's id is letters, digits, underscores and hyphens: it is one segment as it is.
                let url = format!("/security/alerts_v2/{}", id.as_str());
                json!({"id": at.to_string(), "method": "GET", "url": url, "headers": {"Prefer": PREFER}})
            })
            .collect();
        let body = Bytes::from(json!({"requests": requests}).to_string());
        let cost = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let call = |token| Call {
            method: Method::POST,
            prefer: Some(PREFER),
            body: Body::Json(body.clone()),
            cost,
            ..Call::get(Api::Graph, url.clone(), token)
        };
        let one = attempts.one_for_a_part();
        let answer = self.calls.send_within(one, Api::Graph, READ_ALERTS, ctx, call, Reply::into_body).await?;
        Ok((items(&answer, ids.len())?, answer.len()))
    }
}

/// The items of a batch's answer, in the order of their ids; Graph keeps none. One that is missing has failed, and so has
/// one that is refused: a role that is missing is refused for all.
fn items(answer: &Text, count: usize) -> Result<Vec<Item>, CallError> {
    let mut read = MembersReader(|members: Members<'_>| item(members, answer));
    let responses = body::list(answer, "responses", &mut read).map_err(CallError::Upstream)?.items;
    let mut items: Vec<Item> = (0..count).map(|_| Item::Failed(Retry::Never)).collect();
    let mut refusals = Vec::new();
    for (at, item) in responses {
        if let Some(place) = at.and_then(|at| items.get_mut(at)) {
            match item {
                Ok(item) => *place = item,
                Err(refusal) => refusals.push(refusal),
            }
        }
    }
    match refusals.pop() {
        Some(refusal) if refusals.len() + 1 >= count => Err(refusal),
        _ => Ok(items),
    }
}

fn item(mut members: Members<'_>, answer: &Text) -> (Option<usize>, Result<Item, CallError>) {
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
        meaning(&judge(status, &headers, body.as_bytes()))
    };
    (at, item)
}

fn meaning(error: &UpstreamError) -> Result<Item, CallError> {
    match error {
        UpstreamError::Forbidden => Err(CallError::Forbidden { permission: READ_ALERTS }),
        UpstreamError::NotFound
        | UpstreamError::Rejected { .. }
        | UpstreamError::TableNotVisible
        | UpstreamError::Malformed { .. }
        | UpstreamError::TooLarge => Ok(Item::Gone),
        UpstreamError::Throttled { .. }
        | UpstreamError::Unavailable { .. }
        | UpstreamError::NoAddress
        | UpstreamError::ServerError
        | UpstreamError::TimedOut
        | UpstreamError::Unauthorized => Ok(Item::Failed(error.retry())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_told_apart_by_their_ids() {
        let answer = Text::of_static(
            r#"{"responses":[
                {"id":"2","status":429,"headers":{"retry-AFTER":"2.128"},"body":{"error":{"code":"TooManyRequests"}}},
                {"id":"0","status":200,"headers":{},"body":{"id":"a"}},
                {"id":"3","status":"503","body":null},
                {"id":"1","status":404,"body":{"error":{"code":"","message":""}}},
                {"id":"77","status":200,"body":{}}]}"#,
        );
        let read = items(&answer, 5).expect("items");
        let right = [
            Item::Here(Text::of_static(r#"{"id":"a"}"#)),
            Item::Gone,
            Item::Failed(Retry::After(Duration::from_secs_f64(2.128))),
            Item::Failed(Retry::Backoff),
            Item::Failed(Retry::Never),
        ];
        assert_eq!(read, right, "the fifth is missing");
    }

    #[test]
    fn a_missing_role_is_nothing_that_a_thin_alert_stands_in_for() {
        let answer =
            Text::of_static(r#"{"responses":[{"id":"0","status":403,"body":{"error":{"code":"Forbidden"}}}]}"#);
        assert!(matches!(items(&answer, 1), Err(CallError::Forbidden { permission: READ_ALERTS })));
    }
}
