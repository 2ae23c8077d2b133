//! The facts that the human formats tell: how bad, where the work stands, whom it touches, how it was done, and when.

use super::digest::{Fact, capital, day_and_time, said};
use super::names::{MAX_OF_A_NAME, Names, account};
use super::safe_text::SafeText;
use crate::domain::enrichment::Enrichment;
use crate::domain::entities::{self, MailEntity, UserEntity};
use crate::domain::line::one_line;
use crate::domain::resolution::StepName;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::Kind;
use crate::domain::vocabulary::{ClosedVocabulary, Severity};

/// Characters of a fact.
const MOST: usize = 260;
/// Names, addresses, files and tags that are told of each sort; techniques are shorter.
const MAX_NAMES: usize = 4;
const MAX_TECHNIQUES: usize = 8;
/// Characters of a command line.
const MAX_OF_A_COMMAND: usize = 240;

/// The facts of an answer in which something was found, the most telling first.
pub(super) fn of(enrichment: &Enrichment<'_>, names: &Names) -> Vec<Fact> {
    let sorts = &enrichment.entities;
    let devices = distinct(sorts.devices.iter().filter_map(|device| device.name.or(device.id)));
    let files = distinct(sorts.files.iter().filter_map(|file| file.name.or(file.sha1).or(file.sha256)));
    let addresses = distinct(sorts.urls.iter().map(|url| url.url).chain(sorts.ips.iter().map(|ip| ip.address)));
    let users = distinct_users(&sorts.users);
    let mailboxes = distinct(sorts.mailboxes.iter().filter_map(|mailbox| mailbox.address.or(mailbox.display_name)));
    let (techniques, threats) = (short(&enrichment.techniques), short(&enrichment.threats));
    let assigned_to = assigned_to(enrichment);
    let text = Names::default();
    let device_names = Names::new(sorts.devices.iter().filter_map(|device| device.name));
    let user_names = Names::new(first(&users, MAX_NAMES));
    let analyst = Names::new([assigned_to.as_str()]);
    let technique_names = Names::terms(first(&techniques, MAX_TECHNIQUES));
    let threat_names = Names::terms(first(&threats, MAX_NAMES));
    let file_names = Names::terms(first(&files, MAX_NAMES));
    let is_capped = |all: usize| all >= entities::MAX_ENTITIES;
    let told = [
        ("Severity", severity(enrichment), &text),
        ("Status", capital(&said(enrichment.status.as_str())), &text),
        ("Verdict", verdict(enrichment), &text),
        ("Alerts", alerts(enrichment), &text),
        ("Assigned to", assigned_to.clone(), &analyst),
        ("Merged", merged(enrichment), &text),
        ("Asked for", asked_for(enrichment), names),
        ("Devices", some(&devices, MAX_NAMES, is_capped(sorts.devices.len())), &device_names),
        ("Users", some(&users, MAX_NAMES, is_capped(sorts.users.len())), &user_names),
        ("Mail", mails(&sorts.mails), names),
        ("Mailboxes", some(&mailboxes, MAX_NAMES, is_capped(sorts.mailboxes.len())), names),
        ("Techniques", some(&techniques, MAX_TECHNIQUES, false), &technique_names),
        ("Threats", some(&threats, MAX_NAMES, false), &threat_names),
        ("Seen", seen(enrichment), &text),
        ("Name", name(enrichment), &text),
        ("Tags", tags(enrichment), &text),
        ("Incident", incident_of_the_alert(enrichment), &text),
        ("Files", some(&files, MAX_NAMES, is_capped(sorts.files.len())), &file_names),
        ("Command line", command_line(enrichment), &text),
        ("Addresses", some(&addresses, MAX_NAMES, is_capped(sorts.urls.len() + sorts.ips.len())), &text),
    ];
    let facts =
        told.into_iter().map(|(label, value, names)| Fact { label, value: SafeText::naming(&value, MOST, names) });
    facts.filter(|fact| !fact.value.is_empty()).collect()
}

fn severity(enrichment: &Enrichment<'_>) -> String {
    let all = capital(enrichment.severity.as_str());
    match enrichment.severity_open {
        _ if enrichment.kind == Kind::Alert || enrichment.counts.alerts == 0 => all,
        Some(open) if open == enrichment.severity => format!("{all}, still open"),
        Some(open) => format!("{all}, highest open: {}", open.as_str()),
        None => format!("{all}, nothing open"),
    }
}

fn verdict(enrichment: &Enrichment<'_>) -> String {
    let verdict = capital(&said(enrichment.verdict.as_str()));
    let determination = match (enrichment.kind, &enrichment.incident) {
        (_, Some(incident)) => incident.determination.as_deref(),
        (Kind::Alert, None) => enrichment.alerts.first().and_then(|alert| alert.determination.as_deref()),
        (Kind::Machine | Kind::User | Kind::File | Kind::Incident | Kind::Ip | Kind::Domain, None) => None,
    };
    match determination.map(|word| one_line(word, MAX_OF_A_NAME)).filter(|word| !word.is_empty()) {
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
    one_line(analyst.unwrap_or("nobody"), 2 * MAX_OF_A_NAME)
}

/// Accounts, each once, however much more of it one alert tells than another.
fn distinct_users(users: &[UserEntity<'_>]) -> Vec<String> {
    let mut names: Vec<(Option<&str>, &str)> = Vec::new();
    for user in users {
        let Some(name) = user.name.or(user.upn).or(user.sid).or(user.aad_id) else { continue };
        let account = (user.domain.filter(|_| user.name.is_some()), name);
        if !names.contains(&account) && is_seen(name) {
            names.push(account);
        }
    }
    names.into_iter().map(|(domain, name)| account(domain, name)).collect()
}

/// The first mail: its subject, from whom and to whom; and how many more there are.
fn mails(mails: &[MailEntity<'_>]) -> String {
    let told = |mail: &MailEntity<'_>| {
        let part = |before: &str, text: Option<&str>| {
            let text = one_line(text.unwrap_or_default(), MAX_OF_A_NAME);
            if text.is_empty() { text } else { format!("{before}{text}") }
        };
        let parts = [part("", mail.subject), part("from ", mail.sender), part("to ", mail.recipient)];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let told: Vec<_> = mails.iter().map(told).filter(|mail| !mail.is_empty()).collect();
    some(&told, 1, mails.len() >= entities::MAX_ENTITIES)
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

/// An incident's name, where the headline had no room for all of it.
fn name(enrichment: &Enrichment<'_>) -> String {
    if !enrichment.summary.ends_with('…') {
        return String::new();
    }
    let name = enrichment.incident.as_ref().and_then(|incident| incident.name.as_deref());
    one_line(name.unwrap_or_default(), MOST)
}

fn tags(enrichment: &Enrichment<'_>) -> String {
    let tags = enrichment.incident.as_ref().map(|incident| incident.tags.as_slice()).unwrap_or_default();
    let tags: Vec<_> = tags.iter().map(SharedStr::as_str).collect();
    some(&short(&tags), MAX_NAMES, false)
}

fn incident_of_the_alert(enrichment: &Enrichment<'_>) -> String {
    let incident = match enrichment.kind {
        Kind::Alert => enrichment.alerts.first().and_then(|alert| alert.incident_id.as_deref()),
        Kind::Machine | Kind::User | Kind::File | Kind::Incident | Kind::Ip | Kind::Domain => None,
    };
    one_line(incident.unwrap_or_default(), MAX_OF_A_NAME)
}

fn command_line(enrichment: &Enrichment<'_>) -> String {
    if enrichment.kind != Kind::Alert {
        return String::new();
    }
    let first = enrichment.entities.processes.iter().find_map(|process| process.command_line);
    one_line(first.unwrap_or_default(), MAX_OF_A_COMMAND)
}

fn merged(enrichment: &Enrichment<'_>) -> String {
    let chain = enrichment.resolution.iter().filter(|step| step.step == StepName::IncidentRedirect);
    let mut chain = chain.peekable();
    let Some(first) = chain.peek() else { return String::new() };
    let first = one_line(&first.from, MAX_OF_A_NAME);
    chain.fold(first, |chain, step| format!("{chain} into {}", one_line(&step.to, MAX_OF_A_NAME)))
}

fn asked_for(enrichment: &Enrichment<'_>) -> String {
    let differs = enrichment.resolution.iter().any(|step| match step.step {
        StepName::UpnToAccountName | StepName::DomainToAccountName | StepName::Sha256ToSha1 | StepName::UrlToDomain => {
            true
        }
        // A link and a kind are told by the subject, a device's name by the headline, a merge by itself.
        StepName::DetectedKind | StepName::PortalLink | StepName::MachineNameToId | StepName::IncidentRedirect => false,
    });
    if differs { one_line(enrichment.input, 2 * MAX_OF_A_NAME) } else { String::new() }
}

/// The first of these names, and how many more there are.
fn some(names: &[String], most: usize, may_be_more: bool) -> String {
    let told: Vec<_> = first(names, most).collect();
    let more = names.len().saturating_sub(told.len());
    let list = told.join(", ");
    match more {
        0 => list,
        _ if may_be_more => format!("{list} and at least {more} more"),
        _ => format!("{list} and {more} more"),
    }
}

fn first(names: &[String], most: usize) -> impl Iterator<Item = &str> {
    names.iter().take(most).map(String::as_str)
}

fn short(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| one_line(name, MAX_OF_A_NAME)).collect()
}

/// Whether there is anything to see of a name.
fn is_seen(name: &str) -> bool {
    !one_line(name, 1).is_empty()
}

/// These names, each once, without those of which there is nothing to see.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) && is_seen(name) {
            distinct.push(name);
        }
    }
    short(&distinct)
}
