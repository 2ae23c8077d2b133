//! An incident: a group of related alerts.

use schemars::JsonSchema;
use serde::Serialize;

use super::alert::Comment;
use super::extra::Extra;
use super::shared_str::SharedStr;
use super::subject::IncidentId;
use super::timestamp::Timestamp;
use super::vocabulary::{AlertVerdict, IncidentStatus, Severity, SeverityId, UnknownWords, Verdict};

/// One incident, without its alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Incident {
    /// Its number.
    pub id: SharedStr,
    /// Its name.
    pub name: Option<SharedStr>,
    /// What Defender says about it; null where the backend does not send it.
    pub description: Option<SharedStr>,
    /// A longer account of it, often written by a model; null where the backend does not send it.
    pub summary: Option<SharedStr>,
    /// How bad Defender says it is.
    pub severity: Severity,
    /// The same as OCSF numbers it.
    pub severity_id: SeverityId,
    /// Where the work on it stands.
    pub status: IncidentStatus,
    /// Defender's classification.
    pub classification: Option<SharedStr>,
    /// Defender's determination.
    pub determination: Option<SharedStr>,
    /// Who works on it.
    pub assigned_to: Option<SharedStr>,
    /// What was written when it was resolved; null where the backend does not send it.
    pub resolving_comment: Option<SharedStr>,
    /// How urgent Microsoft ranks it, from 0 to 100; null where the backend does not send it.
    pub priority_score: Option<i64>,
    /// The tenant that it belongs to; null where the backend does not send it.
    pub tenant_id: Option<SharedStr>,
    /// When it was opened.
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
    /// The incidents that led here, from the one asked for on.
    pub redirected_from: Vec<String>,
    /// Its tags.
    pub tags: Vec<SharedStr>,
    /// What analysts wrote.
    pub comments: Vec<Comment>,
    /// Its page in the portal.
    pub url: Option<SharedStr>,
    /// Upstream members without a field of their own here.
    pub extra: Extra,
    /// Defender's words where the answer says `other`.
    #[serde(skip)]
    pub unknown_words: UnknownWords,
    /// The incident that this one was merged into.
    #[serde(skip)]
    pub merged_into: Option<IncidentId>,
}

impl Incident {
    /// Returns the verdict of its own classification.
    pub fn verdict(&self) -> Verdict {
        AlertVerdict::parse(self.classification.as_deref(), self.determination.as_deref())
            .unwrap_or(AlertVerdict::Other)
            .into()
    }

    /// Returns its approximate size in bytes, without the body that its texts are parts of.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.tags) + size_of_val(&*self.comments) + self.extra.weight()
    }

    /// Whether it was merged into another incident, and no longer has content of its own.
    pub fn is_merged(&self) -> bool {
        self.merged_into.is_some() || self.status == IncidentStatus::Redirected
    }
}
