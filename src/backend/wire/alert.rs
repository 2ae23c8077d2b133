//! The members of an alert that all APIs send.

use super::{Spelling, alert_status, comments, severity, verdict};
use crate::domain::alert::{Alert, LoggedOnUser};
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::{self, UnknownWords};
use crate::domain::warning::Warnings;
use crate::lenient_json::members::Members;

/// Reads an alert. Evidence, devices, users and the members of one API stay for the reader of that API.
pub(in crate::backend) fn alert(
    members: &mut Members<'_>,
    portal: Portal,
    spelling: Spelling,
    warnings: &mut Warnings,
) -> Alert {
    let mut unknown_words = UnknownWords::default();
    let severity = severity(members, &mut unknown_words, warnings);
    let id = members.text(&["alertId", "id"], warnings);
    let tenant_id = members.text(&["aadTenantId", "tenantId"], warnings);
    let page = members.peek_text("alertWebUrl");
    let is_own = |page: &&SharedStr| id.as_deref().is_some_and(|id| portal.is_alert_page(page, id));
    let own_page = page.as_ref().filter(is_own).and_then(|_| members.text(&["alertWebUrl"], warnings));
    let page = || id.as_deref().and_then(|id| portal.alert(id, tenant_id.as_deref())).map(SharedStr::from);
    let verdict = verdict(members, "classification", spelling, warnings);
    let category = members.text(&["category"], warnings);
    // In Graph, a list replaces the category.
    let categories = members.texts(&["categories"], warnings);
    let category = category.or_else(|| categories.first().cloned());
    Alert {
        title: members.text(&["title"], warnings),
        description: members.text(&["description"], warnings),
        severity,
        severity_id: severity.id(),
        status: alert_status(members, &mut unknown_words, warnings),
        verdict: verdict.verdict,
        classification: verdict.classification,
        determination: verdict.determination,
        categories: vocabulary::categories(category.iter().cloned().chain(categories)),
        category,
        techniques: members.texts(&["mitreTechniques"], warnings),
        threat_name: members.text(&["threatName", "threatDisplayName"], warnings),
        threat_family: members.text(&["threatFamilyName"], warnings),
        detection_source: members.text(&["detectionSource"], warnings),
        service_source: members.text(&["serviceSource"], warnings),
        detector_id: members.text(&["detectorId"], warnings),
        investigation_state: members.text(&["investigationState"], warnings).and_then(spelling),
        actor: members.text(&["actorName", "actorDisplayName"], warnings),
        assigned_to: members.text(&["assignedTo"], warnings),
        incident_id: members.text(&["incidentId"], warnings),
        created_at: members.timestamp(&["alertCreationTime", "creationTime", "createdDateTime"], warnings),
        updated_at: members.timestamp(&["lastUpdateTime", "lastUpdatedTime", "lastUpdateDateTime"], warnings),
        first_seen: members.timestamp(&["firstEventTime", "firstActivity", "firstActivityDateTime"], warnings),
        last_seen: members.timestamp(&["lastEventTime", "lastActivity", "lastActivityDateTime"], warnings),
        resolved_at: members.timestamp(&["resolvedTime", "resolvedDateTime"], warnings),
        comments: comments(members, warnings),
        url: own_page.or_else(page),
        unknown_words,
        id,
        tenant_id,
        ..Alert::default()
    }
}

/// Reads the users who were logged on to the device of an alert. If they hold more members than are read here, the
/// whole list is also kept in `extra`.
pub(in crate::backend) fn logged_on_users(members: &mut Members<'_>, warnings: &mut Warnings) -> Vec<LoggedOnUser> {
    let mut users = members.whole_objects("loggedOnUsers", warnings, |user, warnings| LoggedOnUser {
        name: user.text(&["accountName"], warnings),
        domain: user.text(&["domainName"], warnings),
    });
    users.retain(|user| *user != LoggedOnUser::default());
    users
}
