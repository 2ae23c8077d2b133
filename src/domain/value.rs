//! The field `value`: a text of any kind. Its form decides which kinds are possible.

use super::portal::{is_guid, looks_like_link};
use super::resolution::{Step, StepName};
use super::subject::{
    Account, AlertId, IpAddress, Kind, Question, Subject, SubjectError, ends_in_public_tld, is_hex, is_number,
    normalized_value, portal_link, reject_several_words, subject_of,
};

impl Question {
    /// Detects the kind of a text: a portal link, a URL, an id of any family, a hash, an address, an account or a name.
    ///
    /// If the form permits several kinds, the first is the subject, and the others are in `further`.
    pub fn detect(input: &str) -> Result<Self, SubjectError> {
        let text = normalized_value(input)?;
        let detected = |subject: &Subject| Step::new(StepName::DetectedKind, input, subject.kind().as_str());
        if looks_like_link(&text) {
            if let Some(link) = portal_link(&text)? {
                return Self::from_link(input, &link);
            }
            let mut question = Self::from_url(input, &text, Vec::new())?;
            question.steps.insert(0, detected(&question.subject));
            return Ok(question);
        }
        let mut subjects = possible_subjects(&text)?.into_iter();
        let subject = subjects.next().ok_or_else(|| unknown_form(&text))?;
        let steps = vec![detected(&subject)];
        Ok(Self { subject, further: subjects.collect(), input: input.to_owned(), steps })
    }
}

/// Returns every subject that a text can mean by its form, in the order in which they are tried.
fn possible_subjects(text: &str) -> Result<Vec<Subject>, SubjectError> {
    let certain = |kind| subject_of(kind, text).map(|subject| vec![subject]);
    let number = text.strip_prefix('#').unwrap_or(text);
    let is_hash = [32, 40, 64].iter().any(|digits| is_hex(text, *digits));
    if is_number(number) && !is_hash {
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
        return Err(SubjectError::Invalid("This looks like an IP address, and is not one.".to_owned()));
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
    let what = if text.is_empty() { "This is empty." } else { "This has none of the forms that can be looked up." };
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
    let product = text.get(..2).filter(|product| product.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let without_product = product.and_then(|product| text.strip_prefix(product)).unwrap_or(text);
    match without_product.rsplit_once('_') {
        Some((first, second)) => {
            let ticks = first.len() >= 15 && is_number(first);
            is_number(second.strip_prefix('-').unwrap_or(second)) && (ticks || is_guid(first))
        }
        None => is_guid(without_product) || (product.is_some() && is_hex(without_product, 64)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the kinds of all subjects that a text can mean, and the id of the first.
    fn detected(text: &str) -> (Vec<Kind>, String) {
        let question = Question::detect(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(question.input == text && !question.steps.is_empty(), "{question:?}");
        let kinds = [&question.subject].into_iter().chain(&question.further).map(Subject::kind);
        (kinds.collect(), question.subject.id())
    }

    #[test]
    fn a_form_of_one_kind_is_detected() {
        use Kind::{Alert, Domain, File, Incident, Ip, Machine, User};
        let (sha256, digits) = ("ab".repeat(32), "1".repeat(64));
        for (text, kind, id) in [
            ("da637308392288907382_-880718168.", Alert, "da637308392288907382_-880718168"),
            ("636688558380765161_2136280442", Alert, "636688558380765161_2136280442"),
            ("da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1", Alert, "da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1"),
            ("caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC", Alert, "caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC"),
            ("hxxps://security[.]microsoft[.]com/alerts/da1_1.", Alert, "da1_1"),
            ("https://security.microsoft.com/url/overview?url=https%3A%2F%2Fevil.com%2Fx", Domain, "evil.com"),
            ("#924565,", Incident, "924565"),
            ("CONTOSO\\dana.reyes", User, "dana.reyes"),
            ("dana.reyes[@]contoso[.]com", User, "dana.reyes"),
            ("S-1-5-21-41-42-43-1473", User, "S-1-5-21-41-42-43-1473"),
            ("jane_fabrikam.example#EXT#", User, "jane_fabrikam.example#EXT#"),
            ("\\\\DESK-042", Machine, "DESK-042"),
            (&sha256, File, &sha256),
            (&digits, File, &digits),
            ("192[.]0[.]2[.]7", Ip, "192.0.2.7"),
            ("[2001:DB8::7]:443", Ip, "2001:db8::7"),
            ("hxxps://evil[.]example/pay", Domain, "evil.example"),
            ("http://[2001:db8::7]/", Ip, "2001:db8::7"),
            ("https://security.microsoft.com.evil.example/alerts/da1_1", Domain, "security.microsoft.com.evil.example"),
        ] {
            assert_eq!(detected(text), (vec![kind], id.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_form_of_several_kinds_gives_all_of_them_in_order() {
        use Kind::{Alert, Domain, File, Machine, User};
        for (text, kinds) in [
            ("0123456789abcdef0123456789abcdef01234567", &[File, Machine][..]),
            (&"0".repeat(40), &[File, Machine]),
            ("DESK-042$", &[Machine, User]),
            ("dana.reyes", &[Machine, User]),
            ("desk-042.corp.local", &[Machine, User]),
            ("desk-042[.]contoso[.]com", &[Machine, User, Domain]),
            ("Dana’s iPad", &[Machine, User]),
            ("c995191e-ab0d-41ff-95fd-921e07823508", &[Alert, User]),
        ] {
            assert_eq!(detected(text).0, kinds, "{text}");
        }
    }

    #[test]
    fn a_value_without_a_known_form_is_rejected() {
        assert!(matches!(Question::detect(&"d".repeat(32)), Err(SubjectError::UnsupportedHash(_))));
        for text in [
            "",
            "${user}",
            "N/A.",
            "999.1.1.1",
            "192.0.2.7/24",
            "desk-042.contoso.com:445",
            "user=dana",
            "da637472900382838869_1364969609 please",
            "192.0.2.7 192.0.2.8",
            "http://security.microsoft.com/alerts/da1_1",
            "http://desk-042/",
            "javascript:alert(1)",
            "a/b",
        ] {
            let error = Question::detect(text).expect_err(text);
            assert!(matches!(error, SubjectError::Invalid(_)), "{text}: {error:?}");
        }
        let error = Question::detect("https://security.microsoft.com/settings").expect_err("no subject").to_string();
        assert!(
            ["alerts", "machines", "files", "incidents", "user"].iter().all(|page| error.contains(page)),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn detection_agrees_with_parsing_as_the_detected_kind(text in "\\PC{0,48}|[a-z]{2}[0-9]{18}_-?[0-9]{1,10}|[0-9]{1,22}|[a-zA-Z0-9@\\\\.-]{1,30}") {
            if let Ok(detected) = Question::detect(&text) {
                for subject in [detected.subject].into_iter().chain(detected.further) {
                    let parsed = Question::parse(subject.kind(), &text);
                    prop_assert_eq!(parsed.map(|question| question.subject), Ok(subject));
                }
            }
        }
    }
}
