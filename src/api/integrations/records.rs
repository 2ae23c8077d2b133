//! Answers the subjects of a record as a batch, within the time that the sender waits. If a destination also gets the
//! answers, slower lookups continue in the background.

use axum::response::Response;
use futures_util::FutureExt;
use tokio::time::timeout_at;

use super::super::batch::Item;
use super::super::decode::{self, EnrichRequest};
use super::super::deliveries;
use super::super::fields::Fields;
use super::super::options::Options;
use super::super::problem::{Code, Problem};
use super::super::respond::Call;
use super::super::work::Work;
use super::Delivery;
use crate::domain::subject::Question;
use crate::domain::warning::Warning;
use crate::integrations::{ExtractedSubjects, Records, Unusable};
use crate::repetitions::Claim;

impl Delivery {
    /// Answers a record. A delivery that came before gets the first answer.
    pub(super) async fn answer_record(&self, records: &'static Records) -> Result<Response, Problem> {
        let mut fields = Fields::from_query(self.call.query())?;
        if let Some(name) = records.secret_parameter {
            fields.take_raw(name);
        }
        let (options, warnings) = decode::options_beside_a_body(fields)?;
        let record = (records.parse)(&self.body, &self.call.parts.headers, &self.call.service.splunk_fields);
        let record = record.map_err(|error| match error.pointer {
            Some(pointer) => Problem::at(Code::InvalidRequest, pointer, error.detail),
            None => Problem::new(Code::InvalidRequest, error.detail),
        })?;
        let items = || items(&record.subjects, &options, &warnings);
        let Some(id) = &record.delivery_id else { return self.answer_items(records, items(), &options, None).await };
        let first = async |claim| {
            let answered = self.answer_items(records, items(), &options, Some(claim)).await;
            answered.unwrap_or_else(|problem| problem.response(&self.call.request_context.ctx.request_id))
        };
        let delivery = (self.integration.secrets.sender, id.as_bytes());
        Ok(deliveries::answer_once(&self.call.service, delivery, &self.reply_ctx, first).await)
    }

    /// Answers items within the sender's timeout. A success settles the claim of the delivery.
    async fn answer_items(
        &self,
        records: &'static Records,
        items: Vec<Item>,
        options: &Options,
        claim: Option<Claim>,
    ) -> Result<Response, Problem> {
        let Self { call: Call { service, request_context, .. }, reply_ctx, .. } = self;
        let work = Work::new(service.clone(), items, options, request_context).await?;
        let response = |work: &Work| {
            let mut response = work.response();
            *response.status_mut() = records.status;
            response
        };
        if !(work.has_destinations() && service.background_tasks().can_outlive_an_answer()) {
            work.run(reply_ctx).await;
            return Ok(deliveries::settle(claim, response(&work)).await);
        }
        let mut run = {
            let (work, ctx) = (work.clone(), request_context.ctx.clone());
            async move { work.run(&ctx).await }.boxed()
        };
        if timeout_at(reply_ctx.deadline.instant(), &mut run).await.is_ok() {
            return Ok(deliveries::settle(claim, response(&work)).await);
        }
        let pending = deliveries::answer_meanwhile(claim.as_ref(), response(&work)).await;
        let follow_up = {
            let (work, request_id) = (work.clone(), request_context.ctx.request_id.clone());
            async move {
                run.await;
                work.log(&request_id);
                deliveries::settle(claim, response(&work)).await;
            }
        };
        let deadline = request_context.ctx.deadline;
        if service.background_tasks().spawn(self.integration.name, deadline, follow_up).is_ok() {
            return Ok(pending);
        }
        work.give_up();
        Ok(response(&work))
    }
}

/// Makes batch items of the extracted subjects.
fn items(subjects: &ExtractedSubjects, options: &Options, warnings: &[Warning]) -> Vec<Item> {
    let item = |item: &Result<Question, Unusable>| match item {
        Ok(question) => {
            let question = question.clone();
            Item::from(Ok(EnrichRequest { question, options: options.clone(), warnings: warnings.to_vec() }))
        }
        Err(Unusable { kind, pointer, text, error }) => {
            let problem = Problem::of_subject(error, pointer.as_str()).with_kind(*kind);
            Item { input: Some(text.clone()), request: Err(problem) }
        }
    };
    let omitted = (subjects.left_out() > 0).then(|| {
        let detail = format!("{} more subjects were found: a batch has at most 25.", subjects.left_out());
        Item { input: None, request: Err(Problem::new(Code::TooManyRequestsInBatch, detail)) }
    });
    subjects.items().iter().map(item).chain(omitted).collect()
}
