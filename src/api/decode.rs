//! Turns fields into a question. Bad input is rejected here, before any call to Microsoft.

use serde::Deserialize;
use serde_json::Value;

use super::batch::Item;
use super::fields::{Fields, OPTIONS};
use super::options::Options;
use super::problem::{Code, Problem};
use super::request::SubjectValue;
use crate::domain::subject::field_names::{FieldMeaning, is_of_first_version, look_up, nearest};
use crate::domain::subject::{Kind, Question};
use crate::domain::warning::{Warning, WarningCode, quoted};

/// A question with the options for its answer.
#[derive(Clone, Debug)]
pub(super) struct EnrichRequest {
    pub(super) question: Question,
    pub(super) options: Options,
    pub(super) warnings: Vec<Warning>,
}

/// The maximum number of unknown fields that warnings name.
const MAX_UNKNOWN_FIELDS: usize = 20;

/// A field that names a subject: its name as written, the meaning of the name, and its value.
pub(super) struct Subject {
    pub(super) name: String,
    named: FieldMeaning,
    value: Value,
}

/// Reads exactly one subject and its options. `defaults` are the options of the envelope.
pub(super) fn read_request(fields: Fields, defaults: Options) -> Result<EnrichRequest, Problem> {
    read_item(fields, defaults).request
}

/// Reads the same as an item of a batch, which holds the caller's text of the subject even where it is invalid.
pub(super) fn read_item(mut fields: Fields, defaults: Options) -> Item {
    let options = Options::take(&mut fields).map(|options| options.or(defaults));
    read_subject(fields, options)
}

/// Reads exactly one subject. Options among the fields are ignored.
pub(super) fn read_without_options(mut fields: Fields, options: Options) -> Result<EnrichRequest, Problem> {
    for name in OPTIONS {
        fields.take_raw(name);
    }
    read_subject(fields, Ok(options)).request
}

fn read_subject(mut fields: Fields, options: Result<Options, Problem>) -> Item {
    let subject = subjects(&mut fields).and_then(|subjects| single_subject(subjects, &fields));
    let input = subject.as_ref().ok().and_then(|(subject, _)| subject.text());
    let request = options.and_then(|options| {
        let (subject, others) = subject?;
        request_about(&fields, options, &subject, &others)
    });
    Item { input, request }
}

fn request_about(
    fields: &Fields,
    options: Options,
    subject: &Subject,
    others: &[Subject],
) -> Result<EnrichRequest, Problem> {
    let question = subject.question(|| fields.pointer(&subject.name))?;
    let ignored = others.iter().map(|other| {
        let detail = format!(
            "{} names another subject: it is ignored, and {} is asked about.",
            quoted(&other.name),
            quoted(&subject.name)
        );
        Warning { code: WarningCode::UnknownField, detail }
    });
    let warnings = ignored.take(MAX_UNKNOWN_FIELDS).chain(unknown_fields(fields)).collect();
    Ok(EnrichRequest { question, options, warnings })
}

/// Picks the subject among the candidates, and returns the others too. A field name of the first version takes
/// precedence over the other names, of which several may name the same kind.
fn single_subject(mut subjects: Vec<Subject>, fields: &Fields) -> Result<(Subject, Vec<Subject>), Problem> {
    let of_first_version = |(at, subject): (usize, &Subject)| is_of_first_version(&subject.name).then_some(at);
    let first_version: Vec<usize> = subjects.iter().enumerate().filter_map(of_first_version).collect();
    let at = match (first_version.as_slice(), subjects.as_slice()) {
        (_, []) => return Err(no_subject(fields)),
        ([at], _) => *at,
        ([], [_]) => 0,
        ([], [first, rest @ ..]) => {
            let kind = first.kind();
            if kind.is_none() || rest.iter().any(|other| other.kind() != kind) {
                return Err(several_subjects());
            }
            0
        }
        ([_, _, ..], _) => return Err(several_subjects()),
    };
    let subject = subjects.remove(at);
    Ok((subject, subjects))
}

/// Takes out all subjects, in request order.
pub(super) fn subjects(fields: &mut Fields) -> Result<Vec<Subject>, Problem> {
    let subject = |name: &str| look_up(name).map(|named| (name.to_owned(), named));
    let names: Vec<_> = fields.names().filter_map(subject).collect();
    let take = |(name, named): (String, FieldMeaning)| {
        let value = fields.take(&name).transpose()?;
        Some(value.map(|value| Subject { name, named, value }))
    };
    names.into_iter().filter_map(take).collect()
}

impl Subject {
    /// Returns the kind that the name and the value imply; `None` if several are possible.
    fn kind(&self) -> Option<Kind> {
        let is_address = |text: &Value| text.as_str().is_some_and(|text| Question::parse(Kind::Ip, text).is_ok());
        if self.named == FieldMeaning::Host && is_address(&self.value) { Some(Kind::Ip) } else { self.named.kind() }
    }

    /// Returns the caller's text.
    pub(super) fn text(&self) -> Option<String> {
        match SubjectValue::deserialize(&self.value) {
            Ok(SubjectValue::Text(text)) => Some(text),
            Ok(SubjectValue::Number(number)) => Some(number.to_string()),
            Err(_) => None,
        }
    }

    /// Parses the question. `pointer` is only called for an error.
    pub(super) fn question(&self, pointer: impl FnOnce() -> String) -> Result<Question, Problem> {
        let kind = self.named.kind();
        let text = match SubjectValue::deserialize(&self.value) {
            Ok(SubjectValue::Text(text)) => text,
            Ok(SubjectValue::Number(number)) if kind.is_none_or(|kind| kind == Kind::Incident) => number.to_string(),
            _ => {
                let or_number = if kind == Some(Kind::Incident) { " or a number" } else { "" };
                let detail = format!("{} has to be a string{or_number}.", quoted(&self.name));
                return Err(Problem::at(Code::InvalidRequest, pointer(), detail).with_kind(kind));
            }
        };
        Question::from_field(self.named, &text).map_err(|error| Problem::of_subject(&error, pointer()).with_kind(kind))
    }
}

/// Reads the options of a query string that accompanies a body, and warns about other fields. The subject must be in
/// the body.
pub(super) fn options_beside_a_body(mut fields: Fields) -> Result<(Options, Vec<Warning>), Problem> {
    let options = Options::take(&mut fields)?;
    if let Some(Subject { name, .. }) = subjects(&mut fields)?.first() {
        let detail = "The body names what is asked about: name no subject in the query string.";
        return Err(Problem::at(Code::AmbiguousRequest, fields.pointer(name), detail));
    }
    let warnings = unknown_fields(&fields);
    Ok((options, warnings))
}

/// Returns a warning for each unknown field, with the name that was probably meant.
pub(super) fn unknown_fields(fields: &Fields) -> Vec<Warning> {
    let warning = |name: &str| Warning {
        code: WarningCode::UnknownField,
        detail: format!("{:?} is no field of a request: it is ignored.{}", quoted(name), did_you_mean(name)),
    };
    fields.names().take(MAX_UNKNOWN_FIELDS).map(warning).collect()
}

fn did_you_mean(name: &str) -> String {
    nearest(name, &OPTIONS).map(|meant| format!(" Did you mean {meant}?")).unwrap_or_default()
}

/// The message that lists the fields that name a subject.
const SUBJECTS: &str = "Name one subject: alert_id, machine, user, file_hash, incident_id, ip, domain, url, or value for anything of these.";

/// The problem of a request without a subject. It suggests a name where an unknown field resembles one.
fn no_subject(fields: &Fields) -> Problem {
    let unknown: Vec<_> =
        fields.names().take(3).map(|name| format!(" {:?} is none.{}", quoted(name), did_you_mean(name))).collect();
    Problem::new(Code::InvalidRequest, format!("{SUBJECTS}{}", unknown.concat()))
}

fn several_subjects() -> Problem {
    let detail = "Name exactly one subject; send several to /v1/enrich/batch.";
    Problem::new(Code::AmbiguousRequest, detail)
}
