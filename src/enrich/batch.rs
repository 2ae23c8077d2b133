//! Several questions at once: no more calls in flight than is polite.

use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};

use super::scope::Scope;
use super::{Context, EnrichError, Enricher};
use crate::domain::enrichment::Answer;
use crate::domain::subject::Question;

/// Questions that are worked on at once.
const IN_FLIGHT: usize = 8;

impl Enricher {
    /// Answers questions, and hands over each answer as it comes, with the question's place in the list. Equal subjects
    /// are asked once, also those that turn out to be equal only when they are resolved. Beside each question: whether the
    /// upstream bodies are wanted.
    pub(crate) async fn enrich_each(
        &self,
        questions: &[(Question, bool)],
        ctx: &Context,
        mut take: impl FnMut(usize, Result<Answer, EnrichError>) + Send,
    ) {
        let scope = &Scope::new(ctx);
        // Boxed: the compiler cannot see that the future of a closure's borrow is `Send`.
        let answers: Vec<_> = questions
            .iter()
            .enumerate()
            .map(|(at, (question, raw))| {
                self.first_that_finds(question, *raw, scope).map(move |answer| (at, answer)).boxed()
            })
            .collect();
        let mut answers = stream::iter(answers).buffer_unordered(IN_FLIGHT);
        while let Some((at, answer)) = answers.next().await {
            take(at, answer);
        }
    }
}
