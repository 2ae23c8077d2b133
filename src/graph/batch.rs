//! Alerts by id, twenty in a call. An item that is throttled is asked again after its own `Retry-After`.
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
use crate::credentials::{CallError, CredentialError, Refusal};
use crate::domain::subject::AlertId;
use crate::domain::text::Text;
use crate::domain::warning::Warnings;
use crate::upstream::body::{self, MembersReader};
use crate::upstream::members::Members;
use crate::upstream::value::Value;
use crate::upstream::{Api, Body, Call, Context, MOST_BYTES, Reply, UpstreamError, judge};

/// Graph takes no more in one batch.
pub(super) const MOST_ITEMS: usize = 20;
/// Batches that are under way at once.
const IN_FLIGHT: usize = 4;
/// Times that an item is asked for in all.
const ROUNDS: u32 = 3;
/// A wait that an item does not tell.
const PAUSE: Duration = Duration::from_millis(500);
/// What is left of a deadline after a wait has to be worth another round.
const LEAST_LEFT: Duration = Duration::from_millis(500);
/// Time that is left for the answer.
const SPARED: Duration = Duration::from_millis(150);

/// The alerts that came, by id.
#[derive(Default)]
pub(super) struct Completed {
    bodies: HashMap<String, Text>,
    bytes: usize,
    /// How many stayed throttled.
    pub(super) throttled: usize,
    /// How many were left out, since enough was read.
    pub(super) left_out: usize,
}

impl Completed {
    /// The body of an alert; `None` if Graph does not know it, or did not tell.
    pub(super) fn body(&self, id: &str) -> Option<&Text> {
        self.bodies.get(id)
    }
}

/// What became of one item.
enum Item {
    Here(Text),
    /// Graph does not give it out: tuned away, outside the incident model.
    Gone,
    Later(Duration),
}

impl Graph {
    /// Gets these alerts, as far as Graph gives them out.
    pub(super) async fn complete(&self, ids: &[AlertId], ctx: &Context) -> Result<Completed, CallError> {
        let mut completed = Completed::default();
        let mut wanted = ids.to_vec();
        for round in 1..=ROUNDS {
            // What is asked for again leaves time to answer with what is there.
            let ctx =
                &if round == 1 { ctx.clone() } else { ctx.within(ctx.deadline.remaining().saturating_sub(SPARED)) };
            let (later, wait) = match self.round(&wanted, &mut completed, ctx).await {
                Err(CallError::Upstream(error)) if round > 1 && is_passing(&error) => {
                    completed.throttled += wanted.iter().filter(|id| completed.body(id.as_str()).is_none()).count();
                    break;
                }
                outcome => outcome?,
            };
            let in_time = round < ROUNDS && wait + LEAST_LEFT < ctx.deadline.remaining();
            if later.is_empty() || !in_time {
                completed.throttled += later.len();
                break;
            }
            sleep(wait).await;
            wanted = later;
        }
        Ok(completed)
    }

    /// Asks for each once. Those that are to be asked again come back, with the longest of their waits.
    async fn round(
        &self,
        ids: &[AlertId],
        completed: &mut Completed,
        ctx: &Context,
    ) -> Result<(Vec<AlertId>, Duration), CallError> {
        // Boxed: the compiler cannot see that the future of a closure's borrow is `Send`.
        let batches: Vec<_> = ids.chunks(self.batch).map(|batch| self.batch(batch, ctx).boxed()).collect();
        let mut outcomes = stream::iter(batches).buffered(IN_FLIGHT);
        let mut chunks = ids.chunks(self.batch);
        let (mut later, mut longest) = (Vec::new(), Duration::ZERO);
        loop {
            if completed.bytes >= MOST_BYTES {
                completed.left_out += chunks.map(<[AlertId]>::len).sum::<usize>();
                break;
            }
            let (Some(outcome), Some(chunk)) = (outcomes.next().await, chunks.next()) else { break };
            let items = match outcome {
                Ok(items) => items,
                // The whole batch, also after its own tries, or our own quota: these will not come in time.
                Err(CallError::Upstream(UpstreamError::Throttled { .. })) => {
                    completed.throttled += chunk.len();
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (id, item) in chunk.iter().zip(items) {
                match item {
                    Item::Here(body) => {
                        completed.bytes += body.len();
                        completed.bodies.insert(id.as_str().to_owned(), body);
                    }
                    Item::Gone => {}
                    Item::Later(wait) => {
                        later.push(id.clone());
                        longest = longest.max(wait);
                    }
                }
            }
        }
        Ok((later, longest))
    }

    /// One batch, its items in the order of the ids.
    async fn batch(&self, ids: &[AlertId], ctx: &Context) -> Result<Vec<Item>, CallError> {
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
        let answer = self.calls.send(Api::Graph, READ_ALERTS, ctx, call, Reply::into_body).await?;
        items(&answer, ids.len())
    }
}

/// The items of a batch's answer, in the order of their ids; Graph keeps none.
fn items(answer: &Text, count: usize) -> Result<Vec<Item>, CallError> {
    let mut read = MembersReader(|members: Members<'_>| item(members, answer));
    let responses = body::list(answer, "responses", &mut read).map_err(CallError::Upstream)?.items;
    let mut items: Vec<Option<Item>> = (0..count).map(|_| None).collect();
    for (at, item) in responses {
        if let Some(place) = at.and_then(|at| items.get_mut(at)) {
            *place = Some(item?);
        }
    }
    let missing = CallError::Upstream(UpstreamError::malformed("a batch without one of its items"));
    items.into_iter().collect::<Option<_>>().ok_or(missing)
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

/// Whether another time it may be well.
fn is_passing(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::Unavailable { .. } | UpstreamError::TimedOut | UpstreamError::ServerError)
}

fn meaning(error: &UpstreamError) -> Result<Item, CallError> {
    match error {
        UpstreamError::Throttled { retry_after } | UpstreamError::Unavailable { retry_after, .. } => {
            Ok(Item::Later(retry_after.unwrap_or(PAUSE)))
        }
        UpstreamError::ServerError | UpstreamError::TimedOut => Ok(Item::Later(PAUSE)),
        UpstreamError::Forbidden => Err(CallError::Forbidden { permission: READ_ALERTS }),
        UpstreamError::Unauthorized => Err(CallError::Credential(CredentialError::Refused(Refusal::Token))),
        UpstreamError::NotFound
        | UpstreamError::Rejected { .. }
        | UpstreamError::TableNotVisible
        | UpstreamError::Malformed { .. }
        | UpstreamError::TooLarge => Ok(Item::Gone),
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
        let read = items(&answer, 4).expect("items");
        assert!(matches!(read.first(), Some(Item::Here(body)) if *body == r#"{"id":"a"}"#));
        assert!(matches!(read.get(1), Some(Item::Gone)));
        assert!(matches!(read.get(2), Some(Item::Later(wait)) if *wait == Duration::from_secs_f64(2.128)));
        assert!(matches!(read.get(3), Some(Item::Later(PAUSE))));
        assert!(items(&answer, 5).is_err(), "the fifth is missing");
    }

    #[test]
    fn a_missing_role_is_nothing_that_a_thin_alert_stands_in_for() {
        let answer =
            Text::of_static(r#"{"responses":[{"id":"0","status":403,"body":{"error":{"code":"Forbidden"}}}]}"#);
        assert!(matches!(items(&answer, 1), Err(CallError::Forbidden { permission: READ_ALERTS })));
    }
}
