//! A question: the subject in a text that a caller sent.

use super::field_names::FieldMeaning;
use super::network::host_of_url;
use super::{Kind, Subject, SubjectError, is_address, normalized_value, subject_of};
use crate::domain::portal::{self, Link, NoLink, looks_like_link};
use crate::domain::resolution::{Step, StepName};

/// A subject, the text that the caller sent, and the conversions between the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The subject; for a `value`, the first one that its form permits.
    pub subject: Subject,
    /// The other subjects that the form of a `value` permits. They are tried in this order until something is found.
    pub further: Vec<Subject>,
    /// What the caller sent.
    pub input: String,
    /// The conversions from the input to the subject.
    pub steps: Vec<Step>,
}

impl Question {
    /// Parses the value of a field in the table of field names.
    pub fn from_field(meaning: FieldMeaning, input: &str) -> Result<Self, SubjectError> {
        match meaning {
            FieldMeaning::Kind(kind) => Self::parse(kind, input),
            FieldMeaning::Host => Self::parse(if is_address(input) { Kind::Ip } else { Kind::Machine }, input),
            FieldMeaning::Url => Self::parse_url(input),
            FieldMeaning::Value => Self::detect(input),
        }
    }

    /// Parses a text as this kind of subject: an id in any accepted form, or a portal link.
    pub fn parse(kind: Kind, input: &str) -> Result<Self, SubjectError> {
        let text = normalized_value(input)?;
        if !looks_like_link(&text) {
            return Ok(Self::new(subject_of(kind, &text)?, input, Vec::new()));
        }
        match portal_link(&text)? {
            Some(link) if link.meaning.kind() == Some(kind) => Self::from_link(input, &link),
            Some(link) => Err(page_of_another_kind(&link)),
            // A caller may send a URL as the domain.
            None if kind == Kind::Domain => match Self::from_url(input, &text, Vec::new())? {
                question if question.subject.kind() == kind => Ok(question),
                _ => Err(SubjectError::invalid("The host of this URL is an address: send it as url or as ip.")),
            },
            None => Err(not_a_portal_link(kind)),
        }
    }

    /// Parses a URL; its host is the subject.
    fn parse_url(input: &str) -> Result<Self, SubjectError> {
        let text = normalized_value(input)?;
        match portal_link(&text)? {
            Some(link) if matches!(link.meaning.kind(), Some(Kind::Domain | Kind::Ip)) => Self::from_link(input, &link),
            Some(link) => Err(page_of_another_kind(&link)),
            None => Self::from_url(input, &text, Vec::new()),
        }
    }

    /// Creates the question about the subject of a portal page.
    pub(in crate::domain) fn from_link(input: &str, link: &Link) -> Result<Self, SubjectError> {
        let steps = vec![Step::new(StepName::PortalLink, input, link.id.as_str())];
        match link.meaning.kind() {
            Some(kind) if link.meaning != FieldMeaning::Url => Ok(Self::new(subject_of(kind, &link.id)?, input, steps)),
            _ => Self::from_url(input, &link.id, steps),
        }
    }

    /// Creates the question about the host of a URL.
    pub(in crate::domain) fn from_url(input: &str, text: &str, mut steps: Vec<Step>) -> Result<Self, SubjectError> {
        let Some(subject) = host_of_url(text) else {
            return Err(SubjectError::invalid(
                "The host of a url is a DNS name or an address, as in https://evil.example/x.",
            ));
        };
        steps.push(Step::new(StepName::UrlToDomain, text, subject.id()));
        Ok(Self::new(subject, input, steps))
    }

    fn new(subject: Subject, input: &str, steps: Vec<Step>) -> Self {
        Self { subject, further: Vec::new(), input: input.to_owned(), steps }
    }
}

/// Reads a link. `None`: it leads to another site. A page of the portal without a subject is rejected.
pub(in crate::domain) fn portal_link(text: &str) -> Result<Option<Link>, SubjectError> {
    match portal::parse_link(text) {
        Ok(link) => Ok(Some(link)),
        Err(NoLink::Elsewhere) => Ok(None),
        Err(NoLink::NoSubject) => Err(SubjectError::Invalid(format!(
            "This page of the Microsoft Defender portal names no subject. {}",
            portal::PAGES
        ))),
    }
}

fn not_a_portal_link(kind: Kind) -> SubjectError {
    let kind = kind.as_str();
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    SubjectError::Invalid(format!(
        "This is not a link to {article} {kind} in the Microsoft Defender portal (https://security.microsoft.com/…)."
    ))
}

fn page_of_another_kind(link: &Link) -> SubjectError {
    let (kind, field) = (link.meaning.kind().map_or("subject", Kind::as_str), link.meaning.field());
    SubjectError::Invalid(format!(
        "This is a link to another kind of subject ({kind}): send it as {field} or as value."
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_that_mail_programs_put_around_an_address_are_dropped() {
        for text in
            ["mailto:dana@contoso.com", "<dana@contoso.com>", "<mailto:dana@contoso.com>", "SMTP:dana@contoso.com"]
        {
            let question = Question::parse(Kind::User, text).expect(text);
            let Subject::User(account) = question.subject else { panic!("{text}") };
            assert_eq!(account.as_given(), "dana@contoso.com", "{text}");
        }
    }

    #[test]
    fn a_text_that_could_leave_its_path_segment_is_never_a_subject() {
        for text in [
            "",
            " ",
            ".",
            "..",
            "../machines",
            "..%2fusers",
            "%2e%2e%2f",
            "..;/",
            "a/b",
            "a\\..\\b",
            "a%00",
            "a\0",
            "a%252fb",
            "x?$filter=1 eq 1",
            "x#y",
            "abc\r\nX-Evil: 1",
            "a\nb",
            "a\tb",
            "a\u{202e}b",
            "//evil.example/x",
            "da1_1/../../machines",
        ] {
            for kind in Kind::ALL {
                assert!(Question::parse(kind, text).is_err(), "{kind:?} {text:?}");
            }
        }
    }

    #[test]
    fn a_link_to_another_kind_is_rejected_with_the_right_field() {
        let error =
            Question::parse(Kind::Alert, "https://security.microsoft.com/incidents/77").expect_err("another kind");
        assert!(error.to_string().contains("incident_id"), "{error}");
    }

    proptest! {
        #[test]
        fn every_accepted_subject_is_one_path_segment(text in "\\PC{0,40}|[ -~]{0,40}") {
            for kind in Kind::ALL {
                if let Ok(question) = Question::parse(kind, &text) {
                    let id = question.subject.id();
                    prop_assert!(!id.is_empty() && id != "." && id != "..");
                    // The suffix of a guest is percent-encoded in a path.
                    let id = id.to_uppercase().replace("#EXT#", "");
                    prop_assert!(!id.contains(['/', '\\', '?', '#', '%']), "{id:?}");
                    prop_assert!(!id.chars().any(char::is_control));
                }
            }
        }
    }
}
