//! Alert lists by advanced hunting: one query, then the alerts by the ids that it returns.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::batch::Completed;
use super::hunting::{self, MAX_ALERTS, TIMESPAN, WINDOW_DAYS};
use super::{Graph, GraphQuery, RUN_HUNTING, wire};
use crate::client::{Api, Body, Call, ClientError, Context, Reply};
use crate::credentials::CallError;
use crate::domain::findings::Findings;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{AlertId, comparable_id};
use crate::domain::warning::{WarningCode, Warnings};

impl Graph {
    /// `POST /v1.0/security/runHuntingQuery`, then `POST /v1.0/$batch`. An alert that Graph does not return by id is built
    /// from its hunting row, and is incomplete.
    pub(super) async fn hunt_alerts(&self, query: &GraphQuery, ctx: &Context) -> Result<Findings, CallError> {
        let mut warnings = Warnings::default();
        let detail = format!("Advanced hunting sees the last {WINDOW_DAYS} days: older alerts are not among these.");
        warnings.add(WarningCode::HuntingWindow, detail);
        let answer = self.hunt(hunting::text(query), ctx).await?;
        let wire::Rows { by_alert: mut rows, without_id } = wire::rows(&answer)?;
        if without_id > 0 {
            let detail = format!("Advanced hunting has {without_id} more rows, which name no alert.");
            warnings.add(WarningCode::Partial, detail);
        }
        if rows.len() > MAX_ALERTS {
            rows.truncate(MAX_ALERTS);
            let detail = format!("There are more alerts than the {MAX_ALERTS} newest, which are shown.");
            warnings.add(WarningCode::Partial, detail);
        }
        let ids: Vec<AlertId> = rows.iter().filter_map(|row| AlertId::parse(row.alert_id())).collect();
        let mut completed = self.complete(&ids, ctx).await?;
        let (mut alerts, mut bodies) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        let (mut incomplete, mut too_large, mut whole_bytes) = (0_usize, 0_usize, 0_usize);
        for row in rows {
            let remote_url = row.remote_url();
            let whole = completed.body(row.alert_id()).and_then(|body| {
                let alert = wire::alert(body, self.portal, &mut warnings).and_then(|alert| {
                    ctx.hold(alert.weight())?;
                    Ok(alert)
                });
                too_large += usize::from(matches!(alert, Err(ClientError::TooLarge)));
                let alert = alert.ok()?;
                let is_same_id =
                    alert.id.as_deref().is_some_and(|id| comparable_id(id) == comparable_id(row.alert_id()));
                is_same_id.then_some((alert, body))
            });
            let is_incomplete = whole.is_none();
            let (alert, body) = if let Some((alert, body)) = whole {
                (alert, body.clone())
            } else {
                let body = row.body();
                (row.into_alert(self.portal, &mut warnings), body)
            };
            if !query.matches(remote_url.as_deref(), &alert) {
                continue;
            }
            incomplete += usize::from(is_incomplete);
            whole_bytes += if is_incomplete { 0 } else { body.len() };
            bodies.push(body);
            alerts.push(alert);
        }
        completed.left_out += too_large;
        warn_about_incomplete(incomplete, &completed, &mut warnings);
        // An alert from a row keeps all rows in memory; an alert from a batch keeps the whole batch response.
        let other_bytes = if incomplete > 0 { answer.len() } else { 0 } + completed.held.saturating_sub(whole_bytes);
        Ok(Findings::of_alerts(alerts, bodies, other_bytes, warnings)
            .complete_if(completed.failed == 0 && without_id == 0))
    }

    /// Sends a query; `None` if no literal can hold its name.
    pub(super) async fn hunt(&self, query: Option<String>, ctx: &Context) -> Result<SharedStr, CallError> {
        let query = query.ok_or_else(|| ClientError::malformed("a name that no query can hold"))?;
        let url = self.address(&["security", "runHuntingQuery"])?;
        let body = Bytes::from(json!({"Query": query, "Timespan": TIMESPAN}).to_string());
        let call = |token| Call {
            method: Method::POST,
            body: Body::Json(body.clone()),
            ..Call::get(Api::Hunting, url.clone(), token)
        };
        self.calls.send(Api::Hunting, RUN_HUNTING, ctx, call, read).await
    }
}

fn warn_about_incomplete(incomplete: usize, completed: &Completed, warnings: &mut Warnings) {
    let Completed { failed, left_out, not_requested, .. } = *completed;
    let not_returned = incomplete.saturating_sub(failed + left_out + not_requested);
    let causes = [
        (
            failed,
            "Graph throttles, or fails",
            "were not completed and show what advanced hunting tells; ask again later",
        ),
        (
            not_requested,
            "A list may spend a third of the calls that Graph allows in a minute",
            "were not completed and show what advanced hunting tells",
        ),
        (left_out, "Enough was read", "were not completed and show what advanced hunting tells"),
        (
            not_returned,
            "Not given out by alerts_v2 (tuned, or outside the incident model)",
            "are seen by advanced hunting and show what it tells",
        ),
    ];
    for (count, cause, effect) in causes.into_iter().filter(|(count, ..)| *count > 0) {
        warnings.add(WarningCode::Partial, format!("{cause}: {count} alerts {effect}."));
    }
}

/// Reads the reply. Our queries are always valid, so a semantic error means that this tenant or app cannot see the table.
///
/// Only Kusto's message distinguishes it from another 400.
fn read(reply: Reply) -> Result<SharedStr, ClientError> {
    #[derive(Deserialize)]
    struct Envelope {
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        message: Option<String>,
    }
    if reply.status == StatusCode::BAD_REQUEST {
        let envelope: Option<Envelope> = serde_json::from_slice(&reply.body).ok();
        let message = envelope.and_then(|envelope| envelope.error.message).unwrap_or_default();
        if message.contains("Failed to resolve") || message.contains("semantic error") {
            return Err(ClientError::TableNotVisible);
        }
    }
    reply.into_body()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_table_that_is_not_visible_differs_from_other_rejections() {
        let error_of = |body: &'static str| {
            let reply = Reply {
                status: StatusCode::BAD_REQUEST,
                headers: HeaderMap::new(),
                body: Bytes::from_static(body.as_bytes()),
            };
            read(reply).expect_err("a refusal")
        };
        let hidden = r#"{"error":{"code":"BadRequest","message":"'where' operator: Failed to resolve table or column expression named 'AlertEvidence'. Fix semantic errors in your query.","innererror":{"request-id":"x"}}}"#;
        assert_eq!(error_of(hidden), ClientError::TableNotVisible);
        for other in
            [r#"{"error":{"code":"BadRequest","message":"Query is missing."}}"#, r#"{"error":{"code":""}}"#, "<html>"]
        {
            assert_eq!(error_of(other), ClientError::Rejected { status: 400 }, "{other}");
        }
    }
}
