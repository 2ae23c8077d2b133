//! Several questions at once: each in its place, and no more calls in flight than is polite.

use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};

use super::scope::Scope;
use super::{Context, EnrichError, Enricher};
use crate::domain::enrichment::Answer;
use crate::domain::subject::Question;

/// Questions that are worked on at once.
const IN_FLIGHT: usize = 8;

impl Enricher {
    /// Answers questions, in their order. Equal subjects are asked once, also those that turn out to be equal only
    /// when they are resolved.
    pub(crate) async fn enrich_all(&self, questions: &[Question], ctx: &Context) -> Vec<Result<Answer, EnrichError>> {
        let scope = &Scope::new(ctx);
        // Boxed: the compiler cannot see that the future of a closure's borrow is `Send`.
        let answers: Vec<_> = questions.iter().map(|question| self.enrich_within(question, scope).boxed()).collect();
        stream::iter(answers).buffered(IN_FLIGHT).collect().await
    }
}
