//! The facts of the human formats: severity, status, affected devices and users, techniques, and times.

use super::context::AboutSubject;
use super::digest::{Fact, capitalized, day_and_time, spaced};
use super::names::{MAX_NAME_CHARS, Names, account};
use super::safe_text::SafeText;
use crate::domain::enrichment::Enrichment;
use crate::domain::entities::{self, MailEntity, UserEntity};
use crate::domain::line::one_line;
use crate::domain::resolution::StepName;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::Kind;
use crate::domain::vocabulary::{ClosedVocabulary, Severity};

/// The maximum length of a fact in characters.
const MAX_FACT_CHARS: usize = 260;
/// The maximum number of names, addresses, files and tags in one fact. Techniques are shorter.
const MAX_NAMES: usize = 4;
const MAX_TECHNIQUES: usize = 8;
/// The maximum length of a command line in characters.
const MAX_COMMAND_CHARS: usize = 240;

/// Builds the facts, most important first: of a subject without alerts, what Defender says of it itself.
pub(super) fn of(enrichment: &Enrichment<'_>, names: &Names) -> Vec<Fact> {
    let AboutSubject { label, text: about, terms } = AboutSubject::of(enrichment);
    if !enrichment.found {
        return fact((label, about, &terms)).into_iter().collect();
    }
    let entities = &enrichment.entities;
    let devices = distinct(entities.devices.iter().filter_map(|device| device.name.or(device.id)));
    let files = distinct(entities.files.iter().filter_map(|file| file.name.or(file.sha1).or(file.sha256)));
    let addresses = distinct(entities.urls.iter().map(|url| url.url).chain(entities.ips.iter().map(|ip| ip.address)));
    let users = distinct_users(&entities.users);
    let mailboxes = distinct(entities.mailboxes.iter().filter_map(|mailbox| mailbox.address.or(mailbox.display_name)));
    let (techniques, threats) = (short(&enrichment.techniques), short(&enrichment.threats));
    let assigned_to = assigned_to(enrichment);
    let text = Names::default();
    let device_names = Names::new(entities.devices.iter().filter_map(|device| device.name));
    let user_names = Names::new(first(&users, MAX_NAMES));
    let analyst = Names::new([assigned_to.as_str()]);
    let technique_names = Names::terms(first(&techniques, MAX_TECHNIQUES));
    let threat_names = Names::terms(first(&threats, MAX_NAMES));
    let file_names = Names::terms(first(&files, MAX_NAMES));
    let is_capped = |all: usize| all >= entities::MAX_ENTITIES;
    let entries = [
        ("Severity", severity(enrichment), &text),
        ("Status", capitalized(&spaced(enrichment.status.as_str())), &text),
        ("Verdict", verdict(enrichment), &text),
        ("Alerts", alerts(enrichment), &text),
        (label, about, &terms),
        ("Assigned to", assigned_to.clone(), &analyst),
        ("Merged", merged(enrichment), &text),
        ("Asked for", asked_for(enrichment), names),
        ("Devices", join_first(&devices, MAX_NAMES, is_capped(entities.devices.len())), &device_names),
        ("Users", join_first(&users, MAX_NAMES, is_capped(entities.users.len())), &user_names),
        ("Mail", mails(&entities.mails), names),
        ("Mailboxes", join_first(&mailboxes, MAX_NAMES, is_capped(entities.mailboxes.len())), names),
        ("Techniques", join_first(&techniques, MAX_TECHNIQUES, false), &technique_names),
        ("Threats", join_first(&threats, MAX_NAMES, false), &threat_names),
        ("Seen", seen(enrichment), &text),
        ("Name", name(enrichment), &text),
        ("Tags", tags(enrichment), &text),
        ("Incident", incident_of_the_alert(enrichment), &text),
        ("Files", join_first(&files, MAX_NAMES, is_capped(entities.files.len())), &file_names),
        ("Command line", command_line(enrichment), &text),
        ("Addresses", join_first(&addresses, MAX_NAMES, is_capped(entities.urls.len() + entities.ips.len())), &text),
    ];
    entries.into_iter().filter_map(fact).collect()
}

fn fact((label, value, names): (&'static str, String, &Names)) -> Option<Fact> {
    let value = SafeText::naming(&value, MAX_FACT_CHARS, names);
    (!value.is_empty()).then_some(Fact { label, value })
}

fn severity(enrichment: &Enrichment<'_>) -> String {
    let all = capitalized(enrichment.severity.as_str());
    match enrichment.severity_open {
        _ if enrichment.kind == Kind::Alert || enrichment.counts.alerts == 0 => all,
        Some(open) if open == enrichment.severity => format!("{all}, still open"),
        Some(open) => format!("{all}, highest open: {}", open.as_str()),
        None => format!("{all}, nothing open"),
    }
}

fn verdict(enrichment: &Enrichment<'_>) -> String {
    let verdict = capitalized(&spaced(enrichment.verdict.as_str()));
    let determination = match (enrichment.kind, &enrichment.incident) {
        (_, Some(incident)) => incident.determination.as_deref(),
        (Kind::Alert, None) => enrichment.alerts.first().and_then(|alert| alert.determination.as_deref()),
        (Kind::Machine | Kind::User | Kind::File | Kind::Incident | Kind::Ip | Kind::Domain, None) => None,
    };
    match determination.map(|word| one_line(word, MAX_NAME_CHARS)).filter(|word| !word.is_empty()) {
        Some(word) => format!("{verdict}: {word}"),
        None => verdict,
    }
}

fn alerts(enrichment: &Enrichment<'_>) -> String {
    let counts = &enrichment.counts;
    if enrichment.kind == Kind::Alert {
        return String::new();
    }
    let mut severities = Severity::ALL.to_vec();
    severities.sort_by_key(|severity| std::cmp::Reverse(severity.rank()));
    let by_severity = severities.into_iter().filter_map(|severity| match counts.by_severity.count(severity) {
        0 => None,
        times => Some(format!("{times} {}", severity.as_str())),
    });
    let by_severity: Vec<_> = by_severity.collect();
    match counts.alerts {
        0 => "0".to_owned(),
        all => format!("{all} ({}), {} open", by_severity.join(", "), counts.open),
    }
}

fn assigned_to(enrichment: &Enrichment<'_>) -> String {
    let analyst = match (enrichment.kind, &enrichment.incident) {
        (_, Some(incident)) => incident.assigned_to.as_deref(),
        (Kind::Alert, None) => enrichment.alerts.first().and_then(|alert| alert.assigned_to.as_deref()),
        (Kind::Machine | Kind::User | Kind::File | Kind::Incident | Kind::Ip | Kind::Domain, None) => {
            return String::new();
        }
    };
    one_line(analyst.unwrap_or("nobody"), 2 * MAX_NAME_CHARS)
}

/// Lists accounts without duplicates. Two alerts may describe the same account in different detail.
fn distinct_users(users: &[UserEntity<'_>]) -> Vec<String> {
    let mut names: Vec<(Option<&str>, &str)> = Vec::new();
    for user in users {
        let Some(name) = user.name.or(user.upn).or(user.sid).or(user.aad_id) else { continue };
        let account = (user.domain.filter(|_| user.name.is_some()), name);
        if !names.contains(&account) && is_visible(name) {
            names.push(account);
        }
    }
    names.into_iter().map(|(domain, name)| account(domain, name)).collect()
}

/// Describes the first mail by subject, sender and recipient, and counts the others.
fn mails(mails: &[MailEntity<'_>]) -> String {
    let entries = |mail: &MailEntity<'_>| {
        let part = |before: &str, text: Option<&str>| {
            let text = one_line(text.unwrap_or_default(), MAX_NAME_CHARS);
            if text.is_empty() { text } else { format!("{before}{text}") }
        };
        let parts = [part("", mail.subject), part("from ", mail.sender), part("to ", mail.recipient)];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let entries: Vec<_> = mails.iter().map(entries).filter(|mail| !mail.is_empty()).collect();
    join_first(&entries, 1, mails.len() >= entities::MAX_ENTITIES)
}

fn seen(enrichment: &Enrichment<'_>) -> String {
    match (enrichment.first_seen.map(day_and_time), enrichment.last_seen.map(day_and_time)) {
        (None, None) => String::new(),
        (Some(only), None) | (None, Some(only)) => format!("{} {} UTC", only.0, only.1),
        (Some(first), Some(last)) if first == last => format!("{} {} UTC", first.0, first.1),
        (Some(first), Some(last)) if first.0 == last.0 => format!("{} {} to {} UTC", first.0, first.1, last.1),
        (Some(first), Some(last)) => format!("{} {} to {} {} UTC", first.0, first.1, last.0, last.1),
    }
}

/// An incident's name, if the headline had to cut it.
fn name(enrichment: &Enrichment<'_>) -> String {
    if !enrichment.summary.ends_with('…') {
        return String::new();
    }
    let name = enrichment.incident.as_ref().and_then(|incident| incident.name.as_deref());
    one_line(name.unwrap_or_default(), MAX_FACT_CHARS)
}

fn tags(enrichment: &Enrichment<'_>) -> String {
    let tags = enrichment.incident.as_ref().map(|incident| incident.tags.as_slice()).unwrap_or_default();
    let tags: Vec<_> = tags.iter().map(SharedStr::as_str).collect();
    join_first(&short(&tags), MAX_NAMES, false)
}

fn incident_of_the_alert(enrichment: &Enrichment<'_>) -> String {
    let incident = match enrichment.kind {
        Kind::Alert => enrichment.alerts.first().and_then(|alert| alert.incident_id.as_deref()),
        Kind::Machine | Kind::User | Kind::File | Kind::Incident | Kind::Ip | Kind::Domain => None,
    };
    one_line(incident.unwrap_or_default(), MAX_NAME_CHARS)
}

fn command_line(enrichment: &Enrichment<'_>) -> String {
    if enrichment.kind != Kind::Alert {
        return String::new();
    }
    let first = enrichment.entities.processes.iter().find_map(|process| process.command_line);
    one_line(first.unwrap_or_default(), MAX_COMMAND_CHARS)
}

fn merged(enrichment: &Enrichment<'_>) -> String {
    let chain = enrichment.resolution.iter().filter(|step| step.step == StepName::IncidentRedirect);
    let mut chain = chain.peekable();
    let Some(first) = chain.peek() else { return String::new() };
    let first = one_line(&first.from, MAX_NAME_CHARS);
    chain.fold(first, |chain, step| format!("{chain} into {}", one_line(&step.to, MAX_NAME_CHARS)))
}

fn asked_for(enrichment: &Enrichment<'_>) -> String {
    let differs = enrichment.resolution.iter().any(|step| match step.step {
        StepName::UpnToAccountName | StepName::DomainToAccountName | StepName::Sha256ToSha1 | StepName::UrlToDomain => {
            true
        }
        // Other facts show these: the subject shows links and kinds, the headline shows a device's name, and "Merged"
        // shows merges.
        StepName::DetectedKind | StepName::PortalLink | StepName::MachineNameToId | StepName::IncidentRedirect => false,
    });
    if differs { one_line(enrichment.input, 2 * MAX_NAME_CHARS) } else { String::new() }
}

/// Lists the first names, and counts the others.
pub(super) fn join_first(names: &[String], max: usize, may_be_more: bool) -> String {
    let entries: Vec<_> = first(names, max).collect();
    let more = names.len().saturating_sub(entries.len());
    let list = entries.join(", ");
    match more {
        0 => list,
        _ if may_be_more => format!("{list} and at least {more} more"),
        _ => format!("{list} and {more} more"),
    }
}

fn first(names: &[String], max: usize) -> impl Iterator<Item = &str> {
    names.iter().take(max).map(String::as_str)
}

fn short(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| one_line(name, MAX_NAME_CHARS)).collect()
}

/// Whether a name has a visible character.
fn is_visible(name: &str) -> bool {
    !one_line(name, 1).is_empty()
}

/// Returns the names without duplicates and without invisible ones.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) && is_visible(name) {
            distinct.push(name);
        }
    }
    short(&distinct)
}
