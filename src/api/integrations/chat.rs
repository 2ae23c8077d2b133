//! Answers a person in a chat: always with a message, and within the time that the chat waits. What becomes of a slower
//! lookup depends on the chat.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::timeout_at;

use super::super::problem::{self, Problem};
use super::super::respond::{self, RequestLog};
use super::Delivery;
use crate::app::Service;
use crate::delivery::ResponseUrl;
use crate::domain::enrichment::{Answer, RenderOptions};
use crate::domain::subject::Question;
use crate::formats::{self, OutputOptions};
use crate::integrations::{Audience, Chat, Command, LOOKING_IT_UP, LateAnswers, Message};
use crate::lookup::{Context, EnrichError};

/// Alerts that a message is rendered from: more than any message shows.
const MAX_ALERTS: usize = 50;
/// The time that a lookup leaves for posting a late answer; less if the deadline is near.
const POSTING_TIME: Duration = Duration::from_secs(2);

/// A running lookup. It can be awaited here, and continue in the background.
type Lookup = BoxFuture<'static, Result<Answer, EnrichError>>;

impl Delivery {
    /// Answers a question, a request for help, or invalid input.
    pub(super) async fn answer_person(&self, chat: &'static Chat) -> Response {
        let request = (chat.parse)(&self.body);
        let (message, log) = match request.command {
            Command::Help(text) => ((chat.text)(&text), RequestLog::of_kind("help")),
            Command::Invalid(sentence) => ((chat.text)(&sentence), RequestLog::of_kind("none")),
            Command::Ask { question, share } => {
                // A repeated delivery of the same command gets an answer, but nothing is posted twice.
                let sender = self.integration.secrets.sender;
                let is_repeated = request.is_unique && self.call.service.deliveries.repeats(sender, &self.body);
                let audience = if share && !is_repeated { Audience::Channel } else { Audience::Person };
                self.look_up(chat, question, audience, request.response_url.filter(|_| !is_repeated)).await
            }
        };
        respond::json(Value::Object(message).to_string().into_bytes(), log)
    }

    /// Waits for a lookup as long as the chat does. A slower one continues in the background.
    async fn look_up(
        &self,
        chat: &'static Chat,
        question: Question,
        audience: Audience,
        response_url: Option<ResponseUrl>,
    ) -> (Message, RequestLog) {
        let ctx = &self.call.request_context.ctx;
        let tasks = self.call.service.background_tasks();
        let kind = question.subject.kind().as_str();
        let too_slow = chat.late_answers.too_slow(&self.call.service.portal.page_of(&question.subject));
        let follow_up = match (chat.late_answers, response_url) {
            _ if !tasks.can_outlive_an_answer() => None,
            (LateAnswers::Posted, to) => to.map(Some),
            (LateAnswers::Cached, _) => Some(None),
        };
        let time = ctx.deadline.remaining();
        let lookup_ctx = match follow_up {
            Some(Some(_)) => ctx.within(time.saturating_sub(POSTING_TIME.min(time / 4))),
            Some(None) => ctx.clone(),
            None => self.reply_ctx.clone(),
        };
        let mut lookup = start(self.call.service.clone(), question, lookup_ctx);
        let (message, log) = match (timeout_at(self.reply_ctx.deadline.instant(), &mut lookup).await, follow_up) {
            (Ok(Err(error @ EnrichError::TimedOut { .. })), _) if chat.late_answers == LateAnswers::Cached => {
                ((chat.text)(&too_slow), Problem::from(error).request_log().for_hook())
            }
            (Ok(outcome), _) => {
                let (message, log) = message(chat, outcome, audience, &ctx.request_id);
                (message, log.for_hook())
            }
            (Err(_), Some(to)) => {
                let text = if to.is_some() { LOOKING_IT_UP } else { &too_slow };
                let follow_up = self.follow_up(chat, lookup, audience, to);
                if tasks.spawn(self.integration.name, ctx.deadline, follow_up).is_ok() {
                    ((chat.text)(text), RequestLog::pending())
                } else {
                    ((chat.text)(&too_slow), RequestLog::default())
                }
            }
            (Err(_), None) => ((chat.text)(&too_slow), RequestLog::default()),
        };
        (message, RequestLog { kind: Some(kind), ..log })
    }

    /// Waits for the answer, and posts it if there is an address.
    fn follow_up(
        &self,
        chat: &'static Chat,
        lookup: Lookup,
        audience: Audience,
        to: Option<ResponseUrl>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (service, ctx) = (self.call.service.clone(), self.call.request_context.ctx.clone());
        async move {
            let outcome = lookup.await;
            let Some(to) = to else { return };
            let request_id = &*ctx.request_id;
            let (mut message, log) = message(chat, outcome, audience, request_id);
            if audience == Audience::Person {
                (chat.replace)(&mut message);
            }
            let message = Value::Object(message).to_string();
            match service.slack_messages.post(&to, message.as_bytes(), ctx.deadline).await {
                Ok(()) => {
                    tracing::info!(request_id, code = log.code, cause = log.cause, "the answer followed to Slack");
                }
                Err(error) => tracing::warn!(request_id, %error, "the answer did not get to Slack"),
            }
        }
    }
}

fn start(service: Arc<Service>, question: Question, ctx: Context) -> Lookup {
    async move { service.enricher.enrich(&question, &ctx).await }.boxed()
}

/// Renders an outcome. Errors are shown only to the person who asked.
fn message(
    chat: &Chat,
    outcome: Result<Answer, EnrichError>,
    audience: Audience,
    request_id: &str,
) -> (Message, RequestLog) {
    match outcome {
        Ok(answer) => {
            let render_options = RenderOptions { limit: MAX_ALERTS, raw: false, warnings: Vec::new(), notified: None };
            let bytes = formats::render(&answer, &render_options, OutputOptions::of(chat.format), usize::MAX);
            let mut message = serde_json::from_slice(&bytes).unwrap_or_default();
            (chat.address)(&mut message, audience);
            (message, RequestLog::of(&answer))
        }
        Err(error) => {
            let (sentence, log) = problem::sentence_for_person(error, request_id);
            ((chat.text)(&sentence), log)
        }
    }
}
