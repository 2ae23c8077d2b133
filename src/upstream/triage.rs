//! What people and products say about an alert or an incident, in the words of whichever API: severity, status,
//! verdict, remarks.

use std::borrow::Cow;

use super::members::Members;
use crate::domain::alert::{Comment, LoggedOnUser};
use crate::domain::text::Text;
use crate::domain::warning::Warnings;
use crate::domain::words::{AlertStatus, AlertVerdict, IncidentStatus, Severity, Unfamiliar, Word};

/// The severity of an alert or an incident.
pub(crate) fn severity(members: &mut Members<'_>, unfamiliar: &mut Unfamiliar, notes: &mut Warnings) -> Severity {
    let Some(word) = members.word("severity", notes) else { return Severity::Unknown };
    Severity::parse(&word).unwrap_or_else(|| {
        unfamiliar.severity = Some(told::<Severity>("severity", word, notes));
        Severity::Other
    })
}

/// The status of an alert.
pub(crate) fn alert_status(
    members: &mut Members<'_>,
    unfamiliar: &mut Unfamiliar,
    notes: &mut Warnings,
) -> AlertStatus {
    let Some(word) = members.word("status", notes) else { return AlertStatus::Unknown };
    AlertStatus::parse(&word).unwrap_or_else(|| {
        unfamiliar.status = Some(told::<AlertStatus>("status", word, notes));
        AlertStatus::Other
    })
}

/// The status of an incident.
pub(crate) fn incident_status(
    members: &mut Members<'_>,
    unfamiliar: &mut Unfamiliar,
    notes: &mut Warnings,
) -> IncidentStatus {
    let Some(word) = members.word("status", notes) else { return IncidentStatus::Unknown };
    IncidentStatus::parse(&word).unwrap_or_else(|| {
        unfamiliar.status = Some(told::<IncidentStatus>("incident status", word, notes));
        IncidentStatus::Other
    })
}

/// A word that is none of a closed set, once that was told.
fn told<W: Word>(member: &str, word: Cow<'_, str>, notes: &mut Warnings) -> Text {
    notes.unknown_word::<W>(member, &word);
    word.into()
}

/// What a classification and a determination come to.
pub(crate) fn verdict(
    classification: Option<&str>,
    determination: Option<&str>,
    member: &str,
    notes: &mut Warnings,
) -> AlertVerdict {
    AlertVerdict::parse(classification, determination).unwrap_or_else(|| {
        notes.unknown_word::<AlertVerdict>(member, classification.unwrap_or_default());
        AlertVerdict::Other
    })
}

/// How an API names the parts of a remark.
pub(crate) struct CommentNames {
    /// Who wrote it.
    pub(crate) author: &'static [&'static str],
    /// When.
    pub(crate) created: &'static [&'static str],
}

/// The comments of an alert or an incident; they stay whole among what has no home if they hold more than is read here.
pub(crate) fn comments(members: &mut Members<'_>, names: &CommentNames, notes: &mut Warnings) -> Vec<Comment> {
    let is_own = |name: &str| name == "comment" || names.author.contains(&name) || names.created.contains(&name);
    let comments = members.whole_objects("comments", is_own, notes);
    let comment = |mut comment: Members<'_>| Comment {
        text: comment.text(&["comment"], notes),
        author: comment.text(names.author, notes),
        created_at: comment.moment(names.created, notes),
    };
    comments.into_iter().map(comment).collect()
}

/// Who was logged on, of an alert or a device; they stay whole among what has no home if they hold more.
pub(crate) fn logged_on_users(members: &mut Members<'_>, notes: &mut Warnings) -> Vec<LoggedOnUser> {
    let users = members.whole_objects("loggedOnUsers", |name| matches!(name, "accountName" | "domainName"), notes);
    let user = |mut user: Members<'_>| LoggedOnUser {
        name: user.text(&["accountName"], notes),
        domain: user.text(&["domainName"], notes),
    };
    users.into_iter().map(user).collect()
}
