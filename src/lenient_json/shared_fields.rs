//! What people and products say about an alert or an incident, in the words of whichever API: severity, status,
//! verdict, remarks.

use super::members::Members;
use crate::domain::alert::{Comment, LoggedOnUser};
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::{
    self, AlertStatus, AlertVerdict, ClosedVocabulary, IncidentStatus, Severity, UnknownWords,
};
use crate::domain::warning::Warnings;

/// The severity of an alert or an incident.
pub(crate) fn severity(members: &mut Members<'_>, unfamiliar: &mut UnknownWords, notes: &mut Warnings) -> Severity {
    let (severity, unknown) = closed_word("severity", "severity", Severity::parse, Severity::Other, members, notes);
    unfamiliar.severity = unknown;
    severity
}

/// The status of an alert.
pub(crate) fn alert_status(
    members: &mut Members<'_>,
    unfamiliar: &mut UnknownWords,
    notes: &mut Warnings,
) -> AlertStatus {
    let (status, unknown) = closed_word("status", "status", AlertStatus::parse, AlertStatus::Other, members, notes);
    unfamiliar.status = unknown;
    status
}

/// The status of an incident.
pub(crate) fn incident_status(
    members: &mut Members<'_>,
    unfamiliar: &mut UnknownWords,
    notes: &mut Warnings,
) -> IncidentStatus {
    let called = "incident status";
    let (status, unknown) = closed_word("status", called, IncidentStatus::parse, IncidentStatus::Other, members, notes);
    unfamiliar.status = unknown;
    status
}

/// The word of a closed set that a member holds. One that is not known is `other`, and returned beside it.
///
/// Graph writes `unknownFutureValue` for words that the caller did not ask for:
/// <https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations>. That
/// is `unknown`, with the same warning.
fn closed_word<W: ClosedVocabulary + Default>(
    member: &'static str,
    called: &str,
    parse: fn(&str) -> Option<W>,
    other: W,
    members: &mut Members<'_>,
    notes: &mut Warnings,
) -> (W, Option<SharedStr>) {
    let Some(word) = members.word(member, notes) else { return (W::default(), None) };
    if let Some(known) = parse(&word) {
        return (known, None);
    }
    notes.unknown_word::<W>(called, &word);
    if word.eq_ignore_ascii_case("unknownFutureValue") { (W::default(), None) } else { (other, Some(word.into())) }
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
    members.whole_objects("comments", notes, |comment, notes| Comment {
        text: comment.text(&["comment"], notes),
        author: comment.text(names.author, notes),
        created_at: comment.moment(names.created, notes),
    })
}

/// Who was logged on, of an alert or a device; they stay whole among what has no home if they hold more.
pub(crate) fn logged_on_users(members: &mut Members<'_>, notes: &mut Warnings) -> Vec<LoggedOnUser> {
    let mut users = members.whole_objects("loggedOnUsers", notes, |user, notes| LoggedOnUser {
        name: user.text(&["accountName"], notes),
        domain: user.text(&["domainName"], notes),
    });
    users.retain(|user| *user != LoggedOnUser::default());
    users
}

/// The determination; a word such as `NotAvailable` is none.
pub(crate) fn determination(members: &mut Members<'_>, notes: &mut Warnings) -> Option<SharedStr> {
    members.text(&["determination"], notes).filter(|word| vocabulary::is_determination(word))
}
