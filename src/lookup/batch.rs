//! Answers several questions concurrently.

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::scope::{RequestScope, Shared};
use super::{Context, EnrichError, Enricher};
use crate::domain::enrichment::Answer;
use crate::domain::subject::Question;

/// The outcome of one question, with its part of the request's memory budget. Dropping it frees that part.
pub(crate) struct ItemOutcome {
    pub(crate) answer: Result<Answer, EnrichError>,
    pub(crate) ctx: Context,
}

/// Whether a question asks also for what Defender says of its subject itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithContext(pub(crate) bool);

impl Enricher {
    /// Answers questions, each with the context of its subject if that is asked for, and passes each answer to `take` as soon as it is complete, with the index of its question.
    /// Equal subjects cost one call, also if they turn out to be equal only after their names are resolved.
    ///
    /// `take` must drop the outcome soon: other items may wait for its part of the memory budget.
    pub(crate) async fn enrich_each(
        &self,
        questions: &[(Question, WithContext)],
        ctx: &Context,
        mut take: impl FnMut(usize, ItemOutcome) + Send,
    ) {
        let shared = Shared::for_items(questions.len());
        // All start immediately, so that equal questions wait for the same answer. The scope limits the concurrent calls.
        // Boxed: the compiler cannot see that the future of a closure's borrow is `Send`.
        let mut answers: FuturesUnordered<_> = questions
            .iter()
            .enumerate()
            .map(|(at, (question, WithContext(with_context)))| {
                let (ctx, shared) = (ctx.for_item(), shared.clone());
                async move {
                    let answer =
                        self.first_that_finds(question, &RequestScope::for_item(&ctx, shared, *with_context)).await;
                    (at, ItemOutcome { answer, ctx })
                }
                .boxed()
            })
            .collect();
        while let Some((at, outcome)) = answers.next().await {
            take(at, outcome);
        }
    }
}
