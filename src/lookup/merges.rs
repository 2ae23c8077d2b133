//! Merged incidents: followed to where they were merged into, and no further than makes sense.

use super::query::Query;
use super::scope::RequestScope;
use super::{AnswerBuilder, EnrichError, Enricher, Family};
use crate::domain::enrichment::Answer;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::IncidentId;
use crate::domain::warning::{Warning, WarningCode};

/// Merges in a row that are followed. Analysts merge once or twice; more is a loop that shows no end.
const MAX_MERGES: usize = 8;

impl Enricher {
    /// An incident, or the one that it was merged into.
    pub(super) async fn incident(
        &self,
        mut draft: AnswerBuilder,
        id: IncidentId,
        family: Family,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let mut visited = vec![id];
        let mut found = self.recall(Query::Incident(family.clone(), id), scope).await?;
        draft.id = id.to_string();
        draft.url = Some(self.portal.incident(id));
        while let Some(target) = found.value.incident.as_ref().and_then(|incident| incident.merged_into) {
            let problem = if visited.contains(&target) {
                Some("leads back to itself")
            } else if visited.len() > MAX_MERGES {
                Some("goes on and on")
            } else {
                None
            };
            if let Some(problem) = problem {
                draft.warnings.push(not_followed(target, problem));
                break;
            }
            // What comes now may be on its way to another item, which would wait for our turn.
            scope.ctx.end_turn();
            let next = self.recall(Query::Incident(family.clone(), target), scope).await?;
            if next.value.incident.is_none() {
                draft.warnings.push(not_followed(target, "leads to an incident that Defender does not know"));
                break;
            }
            draft.steps.push(Step::new(StepName::IncidentRedirect, draft.id.as_str(), target.to_string()));
            draft.id = target.to_string();
            draft.url = Some(self.portal.incident(target));
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
            draft.warnings.push(Warning { code: WarningCode::RedirectNotFollowed, detail });
        }
        Ok(draft.finish(found))
    }
}

fn not_followed(target: IncidentId, problem: &str) -> Warning {
    let detail =
        format!("This incident was merged into {target}, and the chain of merges {problem}: it is shown as it is.");
    Warning { code: WarningCode::RedirectNotFollowed, detail }
}
