//! What Defender says of the subject itself, in addition to its alerts: a fact for the human formats, and what in an event is
//! the subject.

use std::net::IpAddr;

use super::digest::minute;
use super::facts::join_first;
use super::names::{MAX_NAME_CHARS, Names};
use crate::domain::context::{DeviceContext, FileContext, SubjectContext};
use crate::domain::enrichment::Enrichment;
use crate::domain::line::one_line;
use crate::domain::timestamp::Timestamp;

/// The maximum number of tags.
const MAX_TAGS: usize = 3;
/// The number of tags that are counted.
const MAX_COUNTED_TAGS: usize = 100;
/// The maximum length of one of Defender's words in characters.
const MAX_WORD_CHARS: usize = 40;

/// What Defender says of the subject, in one line.
#[derive(Default)]
pub(super) struct AboutSubject {
    pub(super) label: &'static str,
    /// Empty if nothing is known.
    pub(super) text: String,
    /// The threat's name, which is shown unchanged.
    pub(super) terms: Names,
}

impl AboutSubject {
    pub(super) fn of(enrichment: &Enrichment<'_>) -> Self {
        let Some(context) = enrichment.context else { return Self::default() };
        let SubjectContext { device, file, ip, domain } = context;
        let (label, parts) = if let Some(device) = device {
            ("Device", of_device(device))
        } else if let Some(file) = file {
            ("File", of_file(file))
        } else if let Some(ip) = ip {
            ("Address", of_presence(ip.org_prevalence, ip.org_last_seen))
        } else if let Some(domain) = domain {
            ("Domain", of_presence(domain.org_prevalence, domain.org_last_seen))
        } else {
            return Self::default();
        };
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let threat = file.as_ref().and_then(|file| file.determination_value.as_deref());
        Self { label, text: parts.join(", "), terms: Names::terms(threat) }
    }
}

/// Whether Defender knows the subject, so that its name or hash is not mistyped.
pub(super) fn is_known(enrichment: &Enrichment<'_>) -> bool {
    let is_seen = |devices: Option<i64>| devices.is_some_and(|devices| devices > 0);
    enrichment.context.is_some_and(|context| {
        context.device.is_some()
            || context.file.is_some()
            || context.ip.as_ref().is_some_and(|ip| is_seen(ip.org_prevalence))
            || context.domain.as_ref().is_some_and(|domain| is_seen(domain.org_prevalence))
    })
}

/// Returns the context if it is about this device.
pub(super) fn of_this_device<'a>(
    context: Option<&'a SubjectContext>,
    id: Option<&str>,
    name: Option<&str>,
) -> Option<&'a DeviceContext> {
    let device = context?.device.as_ref()?;
    let is_same = match (device.id.as_deref(), id) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => device.name.as_deref().zip(name).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other)),
    };
    is_same.then_some(device)
}

/// Returns the context if it is about the file with one of these hashes.
pub(super) fn of_this_file<'a, 'h>(
    context: Option<&'a SubjectContext>,
    hashes: impl IntoIterator<Item = &'h str>,
) -> Option<&'a FileContext> {
    let file = context?.file.as_ref()?;
    let own = [&file.sha1, &file.sha256, &file.md5];
    let is_own = |hash: &str| own.into_iter().flatten().any(|own| own.eq_ignore_ascii_case(hash));
    hashes.into_iter().any(is_own).then_some(file)
}

/// Whether Defender's word for an operating system begins with the system's name: `WindowsServer2022`.
pub(super) fn is_system(platform: &str, name: &str) -> bool {
    platform.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// The addresses of a device that are valid.
pub(super) fn addresses(device: &DeviceContext) -> impl Iterator<Item = IpAddr> {
    device.ip_addresses.iter().filter_map(|address| address.parse().ok())
}

fn of_device(device: &DeviceContext) -> Vec<Option<String>> {
    let system =
        [spaced_words(device.os_platform.as_deref()), word(device.os_version.as_deref())].into_iter().flatten();
    let system = system.collect::<Vec<_>>().join(" ");
    // These are the usual words, which tell nothing.
    let is_usual = |word: &String| ["onboarded", "normal", "none"].iter().any(|usual| word.eq_ignore_ascii_case(usual));
    let unusual = |word: Option<String>| word.filter(|word| !is_usual(word));
    let tags: Vec<_> = device
        .tags
        .iter()
        .take(MAX_COUNTED_TAGS)
        .map(|tag| one_line(tag, MAX_WORD_CHARS))
        .filter(|tag| !tag.is_empty())
        .collect();
    vec![
        Some(system).filter(|system| !system.is_empty()),
        word(device.risk_score.as_deref()).map(|word| format!("risk {word}")),
        word(device.exposure_level.as_deref()).map(|word| format!("exposure {word}")),
        unusual(word(device.device_value.as_deref())).map(|word| format!("value {word}")),
        spaced_words(device.health_status.as_deref()).map(|words| words.to_lowercase()),
        unusual(spaced_words(device.onboarding_status.as_deref())).map(|words| words.to_lowercase()),
        device.last_seen.map(|at| format!("last seen {}", minute(at))),
        (!tags.is_empty())
            .then(|| format!("tags: {}", join_first(&tags, MAX_TAGS, device.tags.len() > MAX_COUNTED_TAGS))),
    ]
}

fn of_file(file: &FileContext) -> Vec<Option<String>> {
    let threat = file.determination_value.as_ref().map(|name| one_line(name, MAX_NAME_CHARS));
    let determination = word(file.determination.as_deref()).filter(|word| !word.eq_ignore_ascii_case("unknown"));
    let determination = match (determination, threat.filter(|name| !name.is_empty())) {
        (Some(word), Some(threat)) => Some(format!("{word} ({threat})")),
        (one, other) => one.or(other),
    };
    let signer =
        file.signer.as_ref().map(|signer| one_line(signer, MAX_NAME_CHARS)).filter(|signer| !signer.is_empty());
    let signature = match (signer, file.signature_valid) {
        (Some(signer), Some(true)) => format!("signed by {signer}"),
        (Some(signer), Some(false)) => format!("with an invalid signature of {signer}"),
        (Some(signer), None) => format!("with an unverified signature of {signer}"),
        (None, Some(true)) => "signed".to_owned(),
        (None, Some(false)) => "with an invalid signature".to_owned(),
        (None, None) => "without a known signature".to_owned(),
    };
    let worldwide = file.global_prevalence.filter(|count| *count >= 0);
    let presence = match (seen_here(file.org_prevalence), worldwide) {
        (Some(here), Some(count)) => Some(format!("{here}, {} worldwide", grouped(count))),
        (None, Some(count)) => Some(format!("seen on {} worldwide", devices(count))),
        (here, None) => here,
    };
    vec![determination, Some(signature), presence]
}

fn of_presence(count: Option<i64>, last_seen: Option<Timestamp>) -> Vec<Option<String>> {
    vec![seen_here(count), last_seen.map(|at| format!("last {}", minute(at)))]
}

/// How many devices of the organization have met something. Defender looks back 30 days at most.
fn seen_here(count: Option<i64>) -> Option<String> {
    let count = count.filter(|count| *count >= 0)?;
    Some(format!("seen on {} here in 30 days", devices(count)))
}

fn devices(count: i64) -> String {
    match count {
        0 => "no device".to_owned(),
        1 => "1 device".to_owned(),
        count => format!("{} devices", grouped(count)),
    }
}

/// A number with a comma before each group of three digits.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn word(word: Option<&str>) -> Option<String> {
    word.map(|word| one_line(word, MAX_WORD_CHARS)).filter(|word| !word.is_empty())
}

/// Separates the words that Defender writes as one: `WindowsServer2022`, `NoSensorData`.
fn spaced_words(text: Option<&str>) -> Option<String> {
    let text = word(text)?;
    if !text.starts_with(|first: char| first.is_ascii_uppercase()) {
        return Some(text);
    }
    let mut spaced = String::new();
    for character in text.chars() {
        let follows_small = spaced.chars().next_back().is_some_and(|before| before.is_ascii_lowercase());
        if follows_small && (character.is_ascii_uppercase() || character.is_ascii_digit()) {
            spaced.push(' ');
        }
        spaced.push(character);
    }
    Some(spaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::shared_str::SharedStr;

    fn line(parts: Vec<Option<String>>) -> String {
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_device_is_told_in_a_few_words() {
        let device = DeviceContext {
            os_platform: Some("WindowsServer2022".into()),
            os_version: Some("21H2".into()),
            health_status: Some("NoSensorData".into()),
            onboarding_status: Some("CanBeOnboarded".into()),
            risk_score: Some("High".into()),
            exposure_level: Some("None".into()),
            device_value: Some("High".into()),
            tags: ["Crown jewels", "", "b", "c", "d"].map(SharedStr::from).to_vec(),
            last_seen: Some(Timestamp::from_unix_seconds(1_793_693_640)),
            ..DeviceContext::default()
        };
        let right = "Windows Server 2022 21H2, risk High, exposure None, value High, no sensor data, can be onboarded, \
                     last seen 2026-11-03 08:14 UTC, tags: Crown jewels, b, c and 1 more";
        assert_eq!(line(of_device(&device)), right);
        let usual = DeviceContext {
            os_platform: Some("iOS".into()),
            onboarding_status: Some("Onboarded".into()),
            device_value: Some("Normal".into()),
            ..DeviceContext::default()
        };
        assert_eq!(line(of_device(&usual)), "iOS");
        assert_eq!(line(of_device(&DeviceContext::default())), "");
    }

    #[test]
    fn a_signature_is_called_valid_only_if_defender_says_so() {
        for (signer, valid, right) in [
            (Some("Contoso".into()), Some(true), "signed by Contoso"),
            (Some("Contoso".into()), Some(false), "with an invalid signature of Contoso"),
            (Some("Contoso".into()), None, "with an unverified signature of Contoso"),
            (None, None, "without a known signature"),
        ] {
            let file = FileContext { signer, signature_valid: valid, ..FileContext::default() };
            assert_eq!(line(of_file(&file)), right);
        }
    }

    #[test]
    fn a_threat_is_named_whatever_the_determination_is() {
        for (determination, threat, right) in [
            (Some("Malware".into()), Some("Trojan:Win32/X".into()), "Malware (Trojan:Win32/X), "),
            (Some("Unknown".into()), Some("Trojan:Win32/X".into()), "Trojan:Win32/X, "),
            (Some("Clean".into()), None, "Clean, "),
            (Some("Unknown".into()), Some("".into()), ""),
        ] {
            let file = FileContext { determination, determination_value: threat, ..FileContext::default() };
            assert_eq!(line(of_file(&file)), format!("{right}without a known signature"));
        }
    }

    #[test]
    fn prevalence_says_where_it_was_counted() {
        for (here, worldwide, right) in [
            (Some(3), Some(48_211_904), ", seen on 3 devices here in 30 days, 48,211,904 worldwide"),
            (Some(0), Some(12), ", seen on no device here in 30 days, 12 worldwide"),
            (Some(1), None, ", seen on 1 device here in 30 days"),
            (None, Some(1000), ", seen on 1,000 devices worldwide"),
            (None, Some(-1), ""),
        ] {
            let file = FileContext { org_prevalence: here, global_prevalence: worldwide, ..FileContext::default() };
            assert_eq!(line(of_file(&file)), format!("without a known signature{right}"));
        }
    }
}
