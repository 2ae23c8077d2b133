//! Readers for the fields that the APIs share: severity, status, verdict, comments, users and determination.

use super::members::Members;
use crate::domain::alert::{Comment, LoggedOnUser};
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::{
    self, AlertStatus, AlertVerdict, ClosedVocabulary, IncidentStatus, Severity, UnknownWords,
};
use crate::domain::warning::Warnings;

/// Reads the severity of an alert or an incident.
pub(crate) fn severity(
    members: &mut Members<'_>,
    unknown_words: &mut UnknownWords,
    warnings: &mut Warnings,
) -> Severity {
    let (severity, unknown) = closed_word("severity", "severity", Severity::parse, Severity::Other, members, warnings);
    unknown_words.severity = unknown;
    severity
}

/// Reads the status of an alert.
pub(crate) fn alert_status(
    members: &mut Members<'_>,
    unknown_words: &mut UnknownWords,
    warnings: &mut Warnings,
) -> AlertStatus {
    let (status, unknown) = closed_word("status", "status", AlertStatus::parse, AlertStatus::Other, members, warnings);
    unknown_words.status = unknown;
    status
}

/// Reads the status of an incident.
pub(crate) fn incident_status(
    members: &mut Members<'_>,
    unknown_words: &mut UnknownWords,
    warnings: &mut Warnings,
) -> IncidentStatus {
    let label = "incident status";
    let (status, unknown) =
        closed_word("status", label, IncidentStatus::parse, IncidentStatus::Other, members, warnings);
    unknown_words.status = unknown;
    status
}

/// Reads a member whose value is a word of a closed vocabulary. An unknown word becomes `other`, and is returned as
/// well.
///
/// Graph writes `unknownFutureValue` for words that the caller did not request:
/// <https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations>. It
/// becomes `unknown`, with the same warning.
fn closed_word<W: ClosedVocabulary + Default>(
    member: &'static str,
    label: &str,
    parse: fn(&str) -> Option<W>,
    other: W,
    members: &mut Members<'_>,
    warnings: &mut Warnings,
) -> (W, Option<SharedStr>) {
    let Some(word) = members.word(member, warnings) else { return (W::default(), None) };
    if let Some(known) = parse(&word) {
        return (known, None);
    }
    warnings.unknown_word::<W>(label, &word);
    if word.eq_ignore_ascii_case("unknownFutureValue") { (W::default(), None) } else { (other, Some(word.into())) }
}

/// The verdict that a classification and a determination stand for.
pub(crate) fn verdict(
    classification: Option<&str>,
    determination: Option<&str>,
    member: &str,
    warnings: &mut Warnings,
) -> AlertVerdict {
    AlertVerdict::parse(classification, determination).unwrap_or_else(|| {
        warnings.unknown_word::<AlertVerdict>(member, classification.unwrap_or_default());
        AlertVerdict::Other
    })
}

/// The names that an API uses for the members of a comment.
pub(crate) struct CommentNames {
    /// The author.
    pub(crate) author: &'static [&'static str],
    /// The time of creation.
    pub(crate) created: &'static [&'static str],
}

/// Reads the comments of an alert or an incident. If they hold more members than are read here, the whole list is also
/// kept in `extra`.
pub(crate) fn comments(members: &mut Members<'_>, names: &CommentNames, warnings: &mut Warnings) -> Vec<Comment> {
    members.whole_objects("comments", warnings, |comment, warnings| Comment {
        text: comment.text(&["comment"], warnings),
        author: comment.text(names.author, warnings),
        created_at: comment.timestamp(names.created, warnings),
    })
}

/// Reads the users who were logged on to the device of an alert. If they hold more members than are read here, the
/// whole list is also kept in `extra`.
pub(crate) fn logged_on_users(members: &mut Members<'_>, warnings: &mut Warnings) -> Vec<LoggedOnUser> {
    let mut users = members.whole_objects("loggedOnUsers", warnings, |user, warnings| LoggedOnUser {
        name: user.text(&["accountName"], warnings),
        domain: user.text(&["domainName"], warnings),
    });
    users.retain(|user| *user != LoggedOnUser::default());
    users
}

/// Reads the determination. A word such as `NotAvailable` counts as absent.
pub(crate) fn determination(members: &mut Members<'_>, warnings: &mut Warnings) -> Option<SharedStr> {
    members.text(&["determination"], warnings).filter(|word| vocabulary::is_determination(word))
}
