//! The field `value`: a text of any kind. Its form decides which kinds are possible.

use super::portal::{self, NoLink, is_guid, looks_like_link};
use super::public_names::ends_in_public_tld;
use super::resolution::{Step, StepName};
use super::subject::{
    Account, AlertId, IpAddress, Kind, Question, Subject, SubjectError, is_hex, normalized_value, page_without_subject,
    reject_several_words, subject_of,
};

impl Question {
    /// Detects the kind of a text: a portal link, a URL, an id of any family, a hash, an address, an account or a name.
    ///
    /// If the form permits several kinds, the first is the subject, and the others are in `further`.
    pub fn detect(input: &str) -> Result<Self, SubjectError> {
        let text = normalized_value(input)?;
        if looks_like_link(&text) {
            return match portal::parse_link(&text) {
                Ok(link) => Self::from_link(input, &link),
                Err(NoLink::NoSubject) => Err(page_without_subject()),
                Err(NoLink::Elsewhere) => {
                    let question = Self::from_url(input, &text, Vec::new())?;
                    let detected = Step::new(StepName::DetectedKind, input, question.subject.kind().as_str());
                    let steps = [vec![detected], question.steps].concat();
                    Ok(Self { steps, ..question })
                }
            };
        }
        let mut readings = readings(&text)?.into_iter();
        let subject = readings.next().ok_or_else(|| unknown_form(&text))?;
        let step = Step::new(StepName::DetectedKind, input, subject.kind().as_str());
        Ok(Self { subject, further: readings.collect(), input: input.to_owned(), steps: vec![step] })
    }
}

/// Returns every subject that a text can mean by its form, in the order in which they are tried.
fn readings(text: &str) -> Result<Vec<Subject>, SubjectError> {
    let certain = |kind| subject_of(kind, text).map(|subject| vec![subject]);
    let number = text.strip_prefix('#').unwrap_or(text);
    let is_hash = [32, 40, 64].iter().any(|digits| is_hex(text, *digits));
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && !is_hash {
        return certain(Kind::Incident);
    }
    let kinds: &[Kind] = if is_hex(text, 40) {
        &[Kind::File, Kind::Machine]
    } else if is_hash {
        return certain(Kind::File);
    } else if text.starts_with('\\') {
        return certain(Kind::Machine);
    } else if text.contains(['\\', '@']) {
        return certain(Kind::User);
    } else if is_guid(text) {
        // The id of an alert of some products, or of an object in Entra.
        &[Kind::Alert, Kind::User]
    } else if is_alert_id_of_a_known_family(text) {
        return certain(Kind::Alert);
    } else if IpAddress::parse(text).is_some() {
        return certain(Kind::Ip);
    } else if Account::parse(text).is_some_and(|account| account.is_sid()) {
        return certain(Kind::User);
    } else if IpAddress::looks_like(text) {
        return Err(SubjectError::Invalid("This looks like an address, and is none.".to_owned()));
    } else if ends_in_public_tld(text) {
        &[Kind::Machine, Kind::User, Kind::Domain]
    } else {
        &[Kind::Machine, Kind::User]
    };
    reject_several_words(text)?;
    let fits = |kind: &&Kind| **kind != Kind::User || !text.contains(NON_ACCOUNT_CHARS);
    Ok(kinds.iter().filter(fits).filter_map(|kind| subject_of(*kind, text).ok()).collect())
}

/// Characters that an account name cannot have in Windows. A text with one of them is not an account.
///
/// Source: <https://learn.microsoft.com/windows/win32/adschema/a-samaccountname>.
const NON_ACCOUNT_CHARS: [char; 11] = ['"', '[', ']', ':', '|', '=', ',', '+', '*', '<', '>'];

fn unknown_form(text: &str) -> SubjectError {
    let what = if text.is_empty() { "This is empty." } else { "This has the form of nothing that can be asked about." };
    SubjectError::Invalid(format!(
        "{what} Send an alert id, a device's name or id, an account, a SHA-1 or SHA-256, an incident's number, an address, a \
         domain, a URL or a link to the Microsoft Defender portal."
    ))
}

/// Whether a text has the form of an alert id that was seen: `da637472900382838869_1364969609`, `da637308392288907382_-880718168`,
/// `636688558380765161_2136280442`, `da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1`, `caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC`,
/// `ad` and 64 hexadecimal digits. Two letters name the product.
pub(super) fn is_alert_id_of_a_known_family(text: &str) -> bool {
    if AlertId::parse(text).is_none() {
        return false;
    }
    let without_product = match text.get(..2) {
        Some(product) if product.bytes().all(|byte| byte.is_ascii_alphabetic()) => text.get(2..).unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kind_is_detected_from_the_form() {
        let sha256 = "ab".repeat(32);
        let digits = "1".repeat(64);
        let device = "0A1B2C3D4E5F60718293A4B5C6D7E8F901234567";
        let page = format!("https://security.microsoft.com/machines/v2/{device}/overview?tid=x");
        for (text, kind, id) in [
            ("da637472900382838869_1364969609", Kind::Alert, "da637472900382838869_1364969609"),
            ("da637308392288907382_-880718168", Kind::Alert, "da637308392288907382_-880718168"),
            ("da637308392288907382_-880718168.", Kind::Alert, "da637308392288907382_-880718168"),
            ("636688558380765161_2136280442", Kind::Alert, "636688558380765161_2136280442"),
            ("da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1", Kind::Alert, "da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1"),
            ("ar638180599315648136_73827727", Kind::Alert, "ar638180599315648136_73827727"),
            ("caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC", Kind::Alert, "caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC"),
            ("https://security.microsoft.com/alerts/da1_1?tid=x", Kind::Alert, "da1_1"),
            ("https://security.microsoft.com/alerts/da1_1.", Kind::Alert, "da1_1"),
            ("hxxps://security[.]microsoft[.]com/alerts/da1_1", Kind::Alert, "da1_1"),
            ("https://security.microsoft.com/incident2/77/overview", Kind::Incident, "77"),
            (&page, Kind::Machine, &device.to_lowercase()),
            ("https://security.microsoft.com/ip/192.0.2.7", Kind::Ip, "192.0.2.7"),
            ("https://security.microsoft.com/url/overview?url=https%3A%2F%2Fevil.com%2Fx", Kind::Domain, "evil.com"),
            ("924565", Kind::Incident, "924565"),
            (" 924565 ", Kind::Incident, "924565"),
            ("#924565,", Kind::Incident, "924565"),
            ("CONTOSO\\dana.reyes", Kind::User, "dana.reyes"),
            ("dana.reyes@contoso.com", Kind::User, "dana.reyes"),
            ("dana.reyes[@]contoso[.]com", Kind::User, "dana.reyes"),
            ("AzureAD\\dana.reyes@contoso.com", Kind::User, "dana.reyes"),
            ("S-1-5-21-41-42-43-1473", Kind::User, "S-1-5-21-41-42-43-1473"),
            ("\\\\DESK-042", Kind::Machine, "DESK-042"),
            (sha256.as_str(), Kind::File, sha256.as_str()),
            (digits.as_str(), Kind::File, digits.as_str()),
            ("192.0.2.7", Kind::Ip, "192.0.2.7"),
            ("192[.]0[.]2[.]7", Kind::Ip, "192.0.2.7"),
            ("[2001:DB8::7]:443", Kind::Ip, "2001:db8::7"),
            ("https://evil.example/x", Kind::Domain, "evil.example"),
            ("hxxps://evil[.]example/pay", Kind::Domain, "evil.example"),
            ("http://[2001:db8::7]/", Kind::Ip, "2001:db8::7"),
            (
                "https://security.microsoft.com.evil.example/alerts/da1_1",
                Kind::Domain,
                "security.microsoft.com.evil.example",
            ),
        ] {
            let question = Question::detect(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((question.subject.kind(), question.subject.id().as_str()), (kind, id), "{text}");
            assert_eq!(question.further, [], "{text}");
            assert_eq!(question.input, text);
            assert!(!question.steps.is_empty(), "{text}");
        }
    }

    #[test]
    fn an_ambiguous_value_has_several_readings() {
        use Kind::{Alert, Domain, File, Machine, User};
        for (text, kinds) in [
            ("0123456789abcdef0123456789abcdef01234567", &[File, Machine][..]),
            (&"0".repeat(40), &[File, Machine]),
            ("desk-042", &[Machine, User]),
            ("svc-backup", &[Machine, User]),
            ("dana.reyes", &[Machine, User]),
            ("DESK-042$", &[Machine, User]),
            ("desk-042.corp.local", &[Machine, User]),
            ("desk-042[.]contoso[.]com", &[Machine, User, Domain]),
            ("lure.wingtiptoys.com", &[Machine, User, Domain]),
            ("svchelper.exe", &[Machine, User]),
            ("Dana's iPad", &[Machine, User]),
            ("Dana’s iPad", &[Machine, User]),
            ("NETWORK SERVICE", &[Machine, User]),
            ("jane_fabrikam.example#EXT#", &[User]),
            ("c995191e-ab0d-41ff-95fd-921e07823508", &[Alert, User]),
        ] {
            let question = Question::detect(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let readings: Vec<_> =
                [&question.subject].into_iter().chain(&question.further).map(Subject::kind).collect();
            assert_eq!(readings, kinds, "{text}");
            assert_eq!(question.steps, [Step::new(StepName::DetectedKind, text, kinds[0].as_str())]);
        }
    }

    #[test]
    fn a_value_without_a_known_form_is_rejected() {
        assert!(matches!(Question::detect(&"d".repeat(32)), Err(SubjectError::UnsupportedHash(_))));
        for text in [
            "",
            "${user}",
            "N/A",
            "999.1.1.1",
            "192.0.2.7/24",
            "desk-042.contoso.com:445",
            "user=dana",
            "da637472900382838869_1364969609 please",
            "dana.reyes@contoso.com lee@contoso.com",
            "192.0.2.7 192.0.2.8",
            "https://security.microsoft.com/settings",
            "http://security.microsoft.com/alerts/da1_1",
            "http://desk-042/",
            "javascript:alert(1)",
            "a/b",
        ] {
            let refused = Question::detect(text).expect_err(text);
            assert!(matches!(refused, SubjectError::Invalid(_)), "{text}: {refused:?}");
        }
        let page = Question::detect("https://security.microsoft.com/settings").expect_err("no subject").to_string();
        assert!(
            ["alerts", "machines", "files", "incidents", "user"].iter().all(|known| page.contains(known)),
            "{page}"
        );
    }

    proptest! {
        #[test]
        fn detection_agrees_with_parsing_as_the_detected_kind(text in "\\PC{0,48}|[a-z]{2}[0-9]{18}_-?[0-9]{1,10}|[0-9]{1,22}|[a-zA-Z0-9@\\\\.-]{1,30}") {
            if let Ok(found) = Question::detect(&text) {
                for reading in [found.subject].into_iter().chain(found.further) {
                    let asked = Question::parse(reading.kind(), &text);
                    prop_assert_eq!(asked.map(|question| question.subject), Ok(reading));
                }
            }
        }
    }
}
