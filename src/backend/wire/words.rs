//! Words of closed vocabularies, and comments.

use crate::domain::alert::Comment;
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::{
    self, AlertStatus, AlertVerdict, ClosedVocabulary, IncidentStatus, Severity, UnknownWords,
};
use crate::domain::warning::Warnings;
use crate::lenient_json::members::Members;

/// Converts the spelling of a backend's words to that of the older APIs. `None`: the word counts as absent.
pub(in crate::backend) type Spelling = fn(SharedStr) -> Option<SharedStr>;

/// Reads the severity of an alert or an incident.
pub(in crate::backend) fn severity(
    members: &mut Members<'_>,
    unknown_words: &mut UnknownWords,
    warnings: &mut Warnings,
) -> Severity {
    let (severity, unknown) = closed_word("severity", "severity", Severity::parse, Severity::Other, members, warnings);
    unknown_words.severity = unknown;
    severity
}

/// Reads the status of an alert.
pub(super) fn alert_status(
    members: &mut Members<'_>,
    unknown_words: &mut UnknownWords,
    warnings: &mut Warnings,
) -> AlertStatus {
    let (status, unknown) = closed_word("status", "status", AlertStatus::parse, AlertStatus::Other, members, warnings);
    unknown_words.status = unknown;
    status
}

/// Reads the status of an incident.
pub(super) fn incident_status(
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

/// The classification and the determination of an alert or an incident, and the verdict that they stand for.
pub(super) struct Decision {
    pub(super) classification: Option<SharedStr>,
    /// A word such as `NotAvailable` counts as absent.
    pub(super) determination: Option<SharedStr>,
    pub(super) verdict: AlertVerdict,
}

/// Reads the verdict. `label` names the classification in a warning.
pub(super) fn verdict(members: &mut Members<'_>, label: &str, spelling: Spelling, warnings: &mut Warnings) -> Decision {
    let classification = members.text(&["classification"], warnings);
    let determination = members.text(&["determination"], warnings).and_then(spelling);
    let determination = determination.filter(|word| vocabulary::is_determination(word));
    let verdict = AlertVerdict::parse(classification.as_deref(), determination.as_deref()).unwrap_or_else(|| {
        warnings.unknown_word::<AlertVerdict>(label, classification.as_deref().unwrap_or_default());
        AlertVerdict::Other
    });
    Decision { classification: classification.and_then(spelling), determination, verdict }
}

/// Reads the comments of an alert or an incident. If they hold more members than are read here, the whole list is also
/// kept in `extra`.
///
/// Real bodies have members that the documentation lacks: `createdTime` in the older APIs, whose table has `createTime`;
/// the display names in Graph, whose older samples lack them.
pub(super) fn comments(members: &mut Members<'_>, warnings: &mut Warnings) -> Vec<Comment> {
    members.whole_objects("comments", warnings, |comment, warnings| Comment {
        text: comment.text(&["comment"], warnings),
        author: comment.text(&["createdByDisplayName", "createdBy"], warnings),
        created_at: comment.timestamp(&["createdDateTime", "createdTime", "createTime"], warnings),
    })
}
