//! What the human formats tell of an answer, said once: headline, facts, first alerts, notes, source.

use std::fmt::Write as _;

use super::facts;
use super::names::{self, MAX_OF_A_NAME, Names};
use super::safe_text::SafeText;
use crate::domain::alert::Alert;
use crate::domain::enrichment::{CacheState, Enrichment, Source};
use crate::domain::line::one_line;
use crate::domain::portal;
use crate::domain::subject::Kind;
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::{ClosedVocabulary as _, Severity};
use crate::domain::warning::WarningCode;

/// What opens the subject's page: the text of a link or a button.
pub(super) const OPEN: &str = "Open in Microsoft Defender";

/// Notes that are told; further ones are in the JSON.
const MAX_NOTES: usize = 5;
/// Characters of a headline.
pub(super) const MAX_HEADLINE_CHARS: usize = 300;
/// Characters of a note, and of what Defender says about an alert.
const MAX_OF_A_NOTE: usize = 300;
/// Characters of an alert's title.
const MAX_OF_A_TITLE: usize = 120;
/// A page's address is shorter than this by far, and must fit the smallest of ticket comments.
const MAX_OF_A_LINK: usize = 250;

/// An answer, as people are told of it.
pub(super) struct Digest<'a> {
    /// The summary.
    pub(super) headline: SafeText,
    /// More about it: what Defender says about an alert, or what it may mean that nothing was found.
    pub(super) about: Option<SafeText>,
    /// What drives priority: the highest severity that is open; `None` if nothing is.
    pub(super) urgency: Option<Severity>,
    /// The facts, the most telling first.
    pub(super) facts: Vec<Fact>,
    /// What the reader should know before trusting the rest.
    pub(super) notes: Vec<SafeText>,
    /// The alerts, where there can be several.
    pub(super) alerts: &'a [&'a Alert],
    /// How many there are.
    pub(super) all_alerts: usize,
    /// The subject's page in the portal.
    pub(super) link: Option<&'a str>,
    /// Where this came from, and when.
    pub(super) source: SafeText,
}

/// Something to know at a glance.
pub(super) struct Fact {
    /// What it is.
    pub(super) label: &'static str,
    /// What there is to say.
    pub(super) value: SafeText,
}

/// One alert of several, in a line.
pub(super) struct Entry<'a> {
    /// How bad it is.
    pub(super) severity: SafeText,
    /// Where the work on it stands.
    pub(super) status: SafeText,
    /// Its title.
    pub(super) title: SafeText,
    /// The device it was raised on.
    pub(super) device: SafeText,
    /// The related user.
    pub(super) user: SafeText,
    /// When it was last seen.
    pub(super) seen: SafeText,
    /// Its page in the portal.
    pub(super) link: Option<&'a str>,
}

impl<'a> Digest<'a> {
    /// What there is to tell.
    pub(super) fn of(enrichment: &'a Enrichment<'_>) -> Self {
        // A single alert is told by the facts.
        let alerts = if enrichment.kind == Kind::Alert { &[] } else { enrichment.alerts.as_slice() };
        let names = Names::of(enrichment);
        Self {
            headline: SafeText::naming(&enrichment.summary, MAX_HEADLINE_CHARS, &names),
            about: about(enrichment, &names),
            urgency: enrichment.severity_open,
            facts: if enrichment.found { facts::of(enrichment, &names) } else { Vec::new() },
            notes: notes(enrichment, &names),
            alerts,
            all_alerts: if alerts.is_empty() { 0 } else { enrichment.counts.alerts },
            link: enrichment.url.and_then(page),
            source: source(enrichment.source),
        }
    }

    /// What is said of the alerts that are not shown.
    pub(super) fn more(&self, shown: usize) -> Option<String> {
        let more = self.all_alerts.saturating_sub(shown);
        match more {
            0 => None,
            1 => Some("… and 1 more alert.".to_owned()),
            _ => Some(format!("… and {more} more alerts.")),
        }
    }
}

impl<'a> Entry<'a> {
    /// An alert in a line.
    pub(super) fn of(alert: &'a Alert) -> Self {
        let device = alert.device.as_ref().and_then(|device| device.name.as_deref().or(device.id.as_deref()));
        let further = alert.further_devices.len();
        let mut device = one_line(device.unwrap_or_default(), MAX_OF_A_NAME);
        let device_names = Names::new(alert.device.as_ref().and_then(|device| device.name.as_deref()));
        if further > 0 {
            // Writing to a string does not fail.
            let _ = write!(device, " and {further} more");
        }
        let title = SafeText::new(alert.title.as_deref().unwrap_or_default(), MAX_OF_A_TITLE);
        let user = alert.user.as_ref().map(|user| names::account(user.domain.as_deref(), &user.name));
        let user = user.unwrap_or_default();
        Self {
            severity: SafeText::new(&capital(alert.severity.as_str()), MAX_OF_A_NAME),
            status: SafeText::new(&said(alert.status.as_str()), MAX_OF_A_NAME),
            title: if title.is_empty() { SafeText::new("untitled", MAX_OF_A_TITLE) } else { title },
            device: SafeText::naming(&device, 2 * MAX_OF_A_NAME, &device_names),
            user: SafeText::naming(&user, 2 * MAX_OF_A_NAME, &Names::new([user.as_str()])),
            seen: SafeText::new(&alert.last_seen.map(minute).unwrap_or_default(), MAX_OF_A_NAME),
            link: alert.url.as_deref().and_then(page),
        }
    }

    /// Where, who and when, as far as they are known.
    pub(super) fn circumstances(&self) -> impl Iterator<Item = &SafeText> {
        [&self.device, &self.user, &self.seen].into_iter().filter(|part| !part.is_empty())
    }
}

/// A word of a closed set, for people.
pub(super) fn said(word: &str) -> String {
    word.replace('_', " ")
}

/// A word with a capital.
pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A moment, to the minute: `2026-11-03 08:14 UTC`.
pub(super) fn minute(at: Timestamp) -> String {
    let (day, time) = day_and_time(at);
    format!("{day} {time} UTC")
}

/// The day and the minute of a moment.
pub(super) fn day_and_time(at: Timestamp) -> (String, String) {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    (day.to_owned(), time.get(..5).unwrap_or_default().to_owned())
}

/// The address of a page of the portal, in letters that mean nothing to any markup.
///
/// Defender sends some of these addresses itself: only what we would build as well becomes a link. What follows an
/// ampersand chooses a view of the page, and is left out, because some formats would escape it.
fn page(address: &str) -> Option<&str> {
    let address = address.split('&').next().unwrap_or_default();
    let is_plain = address.len() <= MAX_OF_A_LINK
        && address.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/?=.-_%".contains(&byte));
    (is_plain && portal::parse_link(address).is_ok()).then_some(address)
}

fn about(enrichment: &Enrichment<'_>, names: &Names) -> Option<SafeText> {
    let text = match enrichment.kind {
        Kind::Alert if enrichment.found => enrichment.alerts.first()?.description.as_deref()?,
        _ if enrichment.found => return None,
        Kind::Alert | Kind::Incident => {
            "It may belong to another tenant, be older than Defender keeps it, or be mistyped."
        }
        Kind::Machine => "Defender tells of devices that it watches: check the name, and that the device is onboarded.",
        Kind::User if enrichment.input.trim().contains(' ') => {
            "A display name is no account name: ask with the account name or the name for signing in."
        }
        Kind::User => "Defender does not tell the two apart: check the spelling.",
        Kind::File => "Defender does not tell the two apart: check the hash.",
        Kind::Ip | Kind::Domain => "Defender does not tell the two apart: check how it is written.",
    };
    let text = SafeText::naming(text, MAX_OF_A_NOTE, names);
    (!text.is_empty()).then_some(text)
}

fn notes(enrichment: &Enrichment<'_>, names: &Names) -> Vec<SafeText> {
    let stale = (enrichment.source.cache == CacheState::Stale).then(|| {
        let age = age(enrichment.source.age_s);
        format!("This is {age} old: Microsoft throttles or is down, and could not be asked again.")
    });
    let told = enrichment.warnings.iter().filter(|warning| is_for_people(warning.code));
    let told = told.map(|warning| one_line(&warning.detail, MAX_OF_A_NOTE));
    let notes = stale.into_iter().chain(told).map(|note| SafeText::naming(&note, MAX_OF_A_NOTE, names));
    notes.filter(|note| !note.is_empty()).take(MAX_NOTES).collect()
}

/// Whether a warning changes what a person would make of the answer.
fn is_for_people(code: WarningCode) -> bool {
    match code {
        WarningCode::AnotherSubject
        | WarningCode::BeyondHuntingWindow
        | WarningCode::ContextUnavailable
        | WarningCode::DuplicateAlertId
        | WarningCode::HuntingWindow
        | WarningCode::MatchedShortName
        | WarningCode::NamesakeInAnotherDomain
        | WarningCode::Partial
        | WarningCode::RedirectNotFollowed
        | WarningCode::SeveralDevicesMatch
        | WarningCode::TriedAs => true,
        // About the request, about words and sizes of the JSON, or said by the text itself.
        WarningCode::AnswerCapped
        | WarningCode::EntitiesCapped
        | WarningCode::UnknownField
        | WarningCode::UnknownOrNoAlerts
        | WarningCode::UnknownValue
        | WarningCode::WarningsCapped => false,
    }
}

fn source(source: &Source) -> SafeText {
    let freshness = match source.cache {
        CacheState::Miss => "just fetched".to_owned(),
        CacheState::Hit => format!("remembered, {} old", age(source.age_s)),
        CacheState::Stale => format!("stale, {} old", age(source.age_s)),
    };
    let text = format!("{} · {} · {freshness}", source.product, minute(source.retrieved_at));
    SafeText::new(&text, MAX_OF_A_NOTE)
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_of_the_portal_become_links() {
        let page_of = "https://security.microsoft.com/incidents/3107?tid=25278a73";
        assert_eq!(page(page_of), Some(page_of));
        assert_eq!(page(&format!("{page_of}&view=<x>")), Some(page_of));
        for address in [
            "https://evil.example/incidents/3107",
            "http://security.microsoft.com/incidents/3107",
            "https://security.microsoft.com/incidents/3107?x=|<!channel>",
            "https://security.microsoft.com/incidents/3107?x=)[a](b",
            "https://security.microsoft.com/incidents/3107 https://evil.example/",
            "javascript:alert(1)",
        ] {
            assert_eq!(page(address), None, "{address}");
        }
        assert_eq!(page(&format!("https://security.microsoft.com/incidents/{}", "1".repeat(400))), None);
    }

    #[test]
    fn times_are_short() {
        assert_eq!(minute(Timestamp::from_unix_seconds(1_793_693_640)), "2026-11-03 08:14 UTC");
        assert_eq!((age(42), age(840), age(9000)), ("42 s".to_owned(), "14 min".to_owned(), "2 h".to_owned()));
    }
}
