//! Several questions at once.

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::scope::{RequestScope, Shared};
use super::{Context, EnrichError, Enricher};
use crate::domain::enrichment::Answer;
use crate::domain::subject::Question;

/// An answer, with what it holds of the request's budget until it is dropped.
pub(crate) struct Held<A> {
    pub(crate) answer: A,
    pub(crate) ctx: Context,
}

impl Enricher {
    /// Answers questions, and hands over each answer as it comes, with the question's place in the list. Equal subjects
    /// are asked once, also those that turn out to be equal only when they are resolved.
    ///
    /// Whoever takes an answer drops what holds it together with the answer, and soon: others may wait for its place.
    pub(crate) async fn enrich_each(
        &self,
        questions: &[Question],
        ctx: &Context,
        mut take: impl FnMut(usize, Held<Result<Answer, EnrichError>>) + Send,
    ) {
        let shared = Shared::for_items(questions.len());
        // All begin at once, so that equal ones wait for the same answer: how many calls are under way is the scope's.
        // Boxed: the compiler cannot see that the future of a closure's borrow is `Send`.
        let mut answers: FuturesUnordered<_> = questions
            .iter()
            .enumerate()
            .map(|(at, question)| {
                let (ctx, shared) = (ctx.of_an_item(), shared.clone());
                async move {
                    let answer = self.first_that_finds(question, &RequestScope::of_an_item(&ctx, shared)).await;
                    (at, Held { answer, ctx })
                }
                .boxed()
            })
            .collect();
        while let Some((at, held)) = answers.next().await {
            take(at, held);
        }
    }
}
