//! `value`: anything at all, whose kind is worked out from its form.

use std::net::IpAddr;

use super::portal::{self, looks_like_link};
use super::resolution::{Step, StepName};
use super::subject::{AlertId, Kind, Question, SubjectError, is_hex};

impl Question {
    /// Works out what a text is: a portal link, an id of any family, a hash, an account or a host name.
    pub fn detect(input: &str) -> Result<Self, SubjectError> {
        let text = input.trim();
        if looks_like_link(text) {
            let link = portal::parse_link(text).ok_or_else(|| {
                SubjectError::Invalid(
                    "This link is not to an alert, an incident, a device, a file or a user in the Microsoft Defender portal."
                        .to_owned(),
                )
            })?;
            let step = Step::new(StepName::PortalLink, input, link.id.as_str());
            return Self::from_parts(link.kind, input, &link.id, vec![step]);
        }
        let kind = kind_of(text)?;
        let step = Step::new(StepName::DetectedKind, input, kind.as_str());
        Self::from_parts(kind, input, text, vec![step])
    }
}

/// The kind that a text has by its form alone.
fn kind_of(text: &str) -> Result<Kind, SubjectError> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return Ok(Kind::Incident);
    }
    if is_hex(text, 40) {
        return Err(SubjectError::Ambiguous(
            "40 hexadecimal digits can be a device id or a SHA-1: send them as machine or as file_hash.".to_owned(),
        ));
    }
    if is_hex(text, 64) || is_hex(text, 32) {
        return Ok(Kind::File);
    }
    if text.contains(['\\', '@']) {
        return Ok(Kind::User);
    }
    if is_alert_id_of_a_known_family(text) {
        return Ok(Kind::Alert);
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(SubjectError::Ambiguous(
            "An IP address is no subject of its own: send the machine, the user, the file_hash, the alert_id or the incident_id."
                .to_owned(),
        ));
    }
    if text.contains('.') && !text.contains(' ') && text.split('.').all(is_dns_label) {
        return Ok(Kind::Machine);
    }
    Err(SubjectError::Ambiguous(
        "The kind of this value cannot be told from its form: send it as alert_id, machine, user, file_hash or incident_id."
            .to_owned(),
    ))
}

/// Ids as they have been seen: `da637472900382838869_1364969609`, `da637308392288907382_-880718168`,
/// `636688558380765161_2136280442`, `da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1`, `caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC`,
/// `ad` and 64 hexadecimal digits. Two letters name the product.
fn is_alert_id_of_a_known_family(text: &str) -> bool {
    if AlertId::parse(text).is_none() {
        return false;
    }
    let without_product = match text.get(..2) {
        Some(product) if product.bytes().all(|byte| byte.is_ascii_lowercase()) => text.get(2..).unwrap_or_default(),
        _ => text,
    };
    let (first, second) = match without_product.rsplit_once('_') {
        Some((first, second)) => (first, Some(second.strip_prefix('-').unwrap_or(second))),
        None => (without_product, None),
    };
    let numbered = second.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let ticks = second.is_some() && first.len() >= 15 && first.bytes().all(|byte| byte.is_ascii_digit());
    let guid = first.len() == 36
        && first.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && first.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let digest = without_product.len() < text.len() && second.is_none() && is_hex(first, 64);
    numbered && (ticks || guid || digest)
}

fn is_dns_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kind_is_found_from_the_form() {
        let sha256 = "ab".repeat(32);
        for (text, kind, id) in [
            ("da637472900382838869_1364969609", Kind::Alert, "da637472900382838869_1364969609"),
            ("da637308392288907382_-880718168", Kind::Alert, "da637308392288907382_-880718168"),
            ("636688558380765161_2136280442", Kind::Alert, "636688558380765161_2136280442"),
            ("da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1", Kind::Alert, "da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1"),
            ("ar638180599315648136_73827727", Kind::Alert, "ar638180599315648136_73827727"),
            ("caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC", Kind::Alert, "caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC"),
            ("https://security.microsoft.com/alerts/da1_1?tid=x", Kind::Alert, "da1_1"),
            ("https://security.microsoft.com/incident2/77/overview", Kind::Incident, "77"),
            ("924565", Kind::Incident, "924565"),
            (" 924565 ", Kind::Incident, "924565"),
            ("CONTOSO\\dana.reyes", Kind::User, "dana.reyes"),
            ("dana.reyes@contoso.com", Kind::User, "dana.reyes"),
            ("desk-042.contoso.com", Kind::Machine, "desk-042.contoso.com"),
            (sha256.as_str(), Kind::File, sha256.as_str()),
        ] {
            let question = Question::detect(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((question.subject.kind(), question.subject.id().as_str()), (kind, id), "{text}");
            assert_eq!(question.input, text);
            assert!(!question.steps.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_could_be_several_things_is_asked_back() {
        for text in
            ["0123456789abcdef0123456789abcdef01234567", "desk-042", "svc-backup", "192.0.2.7", "Dana's iPad", ""]
        {
            let refused = Question::detect(text).expect_err(text);
            assert!(matches!(refused, SubjectError::Ambiguous(_)), "{text}: {refused:?}");
        }
        assert!(matches!(Question::detect(&"d".repeat(32)), Err(SubjectError::UnsupportedHash(_))));
        assert!(matches!(Question::detect("https://evil.example/alerts/da1_1"), Err(SubjectError::Invalid(_))));
    }

    proptest! {
        #[test]
        fn detection_agrees_with_asking_for_the_kind(text in "\\PC{0,48}|[a-z]{2}[0-9]{18}_-?[0-9]{1,10}|[0-9]{1,22}|[a-zA-Z0-9@\\\\.-]{1,30}") {
            if let Ok(found) = Question::detect(&text) {
                let asked = Question::parse(found.subject.kind(), text.trim());
                prop_assert_eq!(asked.map(|question| question.subject), Ok(found.subject));
            }
        }
    }
}
