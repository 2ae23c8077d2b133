//! Follows a merged incident to the incident that it was merged into, for a limited number of merges.

use super::scope::RequestScope;
use super::{AnswerBuilder, EnrichError, Enricher};
use crate::backend::Query;
use crate::domain::enrichment::{Answer, BackendName};
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::IncidentId;
use crate::domain::warning::{Warning, WarningCode};

/// How many merges in a row are followed. Analysts merge once or twice; a longer chain is most likely a loop.
const MAX_MERGES: usize = 8;

impl Enricher {
    /// Returns an incident, or the incident that it was merged into.
    pub(super) async fn incident(
        &self,
        mut builder: AnswerBuilder,
        id: IncidentId,
        backend: BackendName,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let mut visited = vec![id];
        let query = Query::incident(backend, id);
        builder.describe(&query, self.portal);
        let mut found = self.findings(query, scope).await?;
        while let Some(target) = found.value.incident.as_ref().and_then(|incident| incident.merged_into) {
            let problem = if visited.contains(&target) {
                Some("leads back to itself")
            } else if visited.len() > MAX_MERGES {
                Some("goes on and on")
            } else {
                None
            };
            if let Some(problem) = problem {
                builder.warnings.push(not_followed(target, problem));
                break;
            }
            // Another item may already fetch the next incident, and would wait until this item ends its turn.
            scope.ctx.end_turn();
            let query = Query::incident(backend, target);
            let next = self.findings(query.clone(), scope).await?;
            if next.value.incident.is_none() {
                builder.warnings.push(not_followed(target, "leads to an incident that Defender does not know"));
                break;
            }
            builder.steps.push(Step::new(StepName::IncidentRedirect, builder.id.as_str(), target.to_string()));
            builder.describe(&query, self.portal);
            visited.push(target);
            found = next;
        }
        let ends_here = found
            .value
            .incident
            .as_ref()
            .is_some_and(|incident| incident.is_merged() && incident.merged_into.is_none());
        if ends_here {
            let detail = "This incident was merged into another; Defender does not say into which.".to_owned();
            builder.warnings.push(Warning { code: WarningCode::RedirectNotFollowed, detail });
        }
        Ok(builder.finish(found))
    }
}

fn not_followed(target: IncidentId, problem: &str) -> Warning {
    let detail =
        format!("This incident was merged into {target}, and the chain of merges {problem}: it is shown as it is.");
    Warning { code: WarningCode::RedirectNotFollowed, detail }
}
