//! The content that all human formats share: headline, facts, first alerts, warnings, source.

use std::fmt::Write as _;

use super::names::{self, MAX_NAME_CHARS, Names};
use super::safe_text::SafeText;
use super::{context, facts};
use crate::domain::alert::Alert;
use crate::domain::enrichment::{CacheState, Enrichment, Source};
use crate::domain::line::one_line;
use crate::domain::portal;
use crate::domain::subject::Kind;
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::{ClosedVocabulary as _, Severity};
use crate::domain::warning::WarningCode;

/// The label of the link or button to the subject's page.
pub(super) const OPEN_LABEL: &str = "Open in Microsoft Defender";

/// The maximum number of displayed warnings. The JSON format has all of them.
const MAX_WARNINGS: usize = 5;
/// The maximum length of a headline in characters.
pub(super) const MAX_HEADLINE_CHARS: usize = 300;
/// The maximum length of a note, and of an alert's description, in characters.
const MAX_SENTENCE_CHARS: usize = 300;
/// The maximum length of an alert's title in characters.
const MAX_TITLE_CHARS: usize = 120;
/// The maximum length of a link. Portal links are far shorter, and must fit into the smallest ticket comment.
const MAX_LINK_CHARS: usize = 250;

/// The human-readable content of an answer.
pub(super) struct Digest<'a> {
    /// The summary.
    pub(super) headline: SafeText,
    /// An explanation: an alert's description, or possible reasons for an empty answer.
    pub(super) explanation: Option<SafeText>,
    /// The highest severity of open alerts, which decides priority; `None` if none is open.
    pub(super) urgency: Option<Severity>,
    /// The facts, most important first.
    pub(super) facts: Vec<Fact>,
    /// What the reader should know before relying on the rest.
    pub(super) warnings: Vec<SafeText>,
    /// The alerts, for subjects that can have several.
    pub(super) alerts: &'a [&'a Alert],
    /// The total number of alerts.
    pub(super) alert_count: usize,
    /// The subject's page in the portal.
    pub(super) link: Option<&'a str>,
    /// The source of the data, and when it was fetched.
    pub(super) source: SafeText,
}

/// A labelled fact.
pub(super) struct Fact {
    /// The label.
    pub(super) label: &'static str,
    /// The value.
    pub(super) value: SafeText,
}

/// One alert of a list, for display in one line.
pub(super) struct Entry<'a> {
    /// The severity.
    pub(super) severity: SafeText,
    /// The status.
    pub(super) status: SafeText,
    /// The title.
    pub(super) title: SafeText,
    /// The device that the alert was raised on.
    pub(super) device: SafeText,
    /// The related user.
    pub(super) user: SafeText,
    /// When the alert was last seen.
    pub(super) seen: SafeText,
    /// The alert's page in the portal.
    pub(super) link: Option<&'a str>,
}

impl<'a> Digest<'a> {
    /// Builds the digest of an enrichment.
    pub(super) fn of(enrichment: &'a Enrichment<'_>) -> Self {
        // The facts describe a single alert.
        let alerts = if enrichment.kind == Kind::Alert { &[] } else { enrichment.alerts.as_slice() };
        let names = Names::of(enrichment);
        Self {
            headline: SafeText::naming(&enrichment.summary, MAX_HEADLINE_CHARS, &names),
            explanation: explanation(enrichment, &names),
            urgency: enrichment.severity_open,
            facts: facts::of(enrichment, &names),
            warnings: warnings(enrichment, &names),
            alerts,
            alert_count: if alerts.is_empty() { 0 } else { enrichment.counts.alerts },
            link: enrichment.url.and_then(page),
            source: source(enrichment.source),
        }
    }

    /// The text about alerts that are not shown.
    pub(super) fn more(&self, shown_alerts: usize) -> Option<String> {
        let more = self.alert_count.saturating_sub(shown_alerts);
        match more {
            0 => None,
            1 => Some("… and 1 more alert.".to_owned()),
            _ => Some(format!("… and {more} more alerts.")),
        }
    }
}

impl<'a> Entry<'a> {
    /// Builds the line of an alert.
    pub(super) fn of(alert: &'a Alert) -> Self {
        let device = alert.device.as_ref().and_then(|device| device.name.as_deref().or(device.id.as_deref()));
        let further_devices = alert.further_devices.len();
        let mut device = one_line(device.unwrap_or_default(), MAX_NAME_CHARS);
        let device_names = Names::new(alert.device.as_ref().and_then(|device| device.name.as_deref()));
        if further_devices > 0 {
            // Writing to a string cannot fail.
            let _ = write!(device, " and {further_devices} more");
        }
        let title = SafeText::new(alert.title.as_deref().unwrap_or_default(), MAX_TITLE_CHARS);
        let user = alert.user.as_ref().map(|user| names::account(user.domain.as_deref(), &user.name));
        let user = user.unwrap_or_default();
        Self {
            severity: SafeText::new(&capitalized(alert.severity.as_str()), MAX_NAME_CHARS),
            status: SafeText::new(&spaced(alert.status.as_str()), MAX_NAME_CHARS),
            title: if title.is_empty() { SafeText::new("untitled", MAX_TITLE_CHARS) } else { title },
            device: SafeText::naming(&device, 2 * MAX_NAME_CHARS, &device_names),
            user: SafeText::naming(&user, 2 * MAX_NAME_CHARS, &Names::new([user.as_str()])),
            seen: SafeText::new(&alert.last_seen.map(minute).unwrap_or_default(), MAX_NAME_CHARS),
            link: alert.url.as_deref().and_then(page),
        }
    }

    /// The known ones of device, user and time.
    pub(super) fn details(&self) -> impl Iterator<Item = &SafeText> {
        [&self.device, &self.user, &self.seen].into_iter().filter(|part| !part.is_empty())
    }
}

/// Converts a word of a closed vocabulary to plain text.
pub(super) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

/// Capitalizes a word.
pub(super) fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Formats a timestamp to the minute: `2026-11-03 08:14 UTC`.
pub(super) fn minute(at: Timestamp) -> String {
    let (day, time) = day_and_time(at);
    format!("{day} {time} UTC")
}

/// Formats the day, and the time of day to the minute.
pub(super) fn day_and_time(at: Timestamp) -> (String, String) {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    (day.to_owned(), time.get(..5).unwrap_or_default().to_owned())
}

/// Returns a portal URL that has no special characters in any markup.
///
/// Defender sends some of these URLs itself. Only URLs that we would build as well become links. The part after an
/// ampersand selects a view of the page. It is removed, because some formats would escape it.
fn page(address: &str) -> Option<&str> {
    let address = address.split('&').next().unwrap_or_default();
    let is_plain = address.len() <= MAX_LINK_CHARS
        && address.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/?=.-_%".contains(&byte));
    (is_plain && portal::parse_link(address).is_ok()).then_some(address)
}

fn explanation(enrichment: &Enrichment<'_>, names: &Names) -> Option<SafeText> {
    let text = match enrichment.kind {
        Kind::Alert if enrichment.found => enrichment.alerts.first()?.description.as_deref()?,
        _ if enrichment.found || context::is_known(enrichment) => return None,
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
    let text = SafeText::naming(text, MAX_SENTENCE_CHARS, names);
    (!text.is_empty()).then_some(text)
}

fn warnings(enrichment: &Enrichment<'_>, names: &Names) -> Vec<SafeText> {
    let stale = (enrichment.source.cache == CacheState::Stale).then(|| {
        let age = age(enrichment.source.age_s);
        format!("This is {age} old: Microsoft throttles or is down, and could not be asked again.")
    });
    let shown_warnings = enrichment.warnings.iter().filter(|warning| is_for_people(warning.code));
    let shown_warnings = shown_warnings.map(|warning| one_line(&warning.detail, MAX_SENTENCE_CHARS));
    let warnings =
        stale.into_iter().chain(shown_warnings).map(|warning| SafeText::naming(&warning, MAX_SENTENCE_CHARS, names));
    warnings.filter(|warning| !warning.is_empty()).take(MAX_WARNINGS).collect()
}

/// Whether a warning changes how a person interprets the answer.
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
        // These are about the request, about the JSON's words and sizes, or are stated in the text itself.
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
    SafeText::new(&text, MAX_SENTENCE_CHARS)
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
    fn only_plain_portal_urls_become_links() {
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
    fn timestamps_are_short() {
        assert_eq!(minute(Timestamp::from_unix_seconds(1_793_693_640)), "2026-11-03 08:14 UTC");
        assert_eq!((age(42), age(840), age(9000)), ("42 s".to_owned(), "14 min".to_owned(), "2 h".to_owned()));
    }
}
