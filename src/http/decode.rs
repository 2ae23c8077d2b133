//! From fields to a question: bad input ends here, before anything is asked of anybody.

use serde_json::Value;

use super::fields::Fields;
use super::options::Options;
use super::problem::{Code, Problem};
use crate::domain::subject::{Kind, Question};
use crate::domain::warning::{Warning, WarningCode, quoted};

/// A question, and how its answer is wanted.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) options: Options,
    pub(super) warnings: Vec<Warning>,
}

/// The field that takes anything.
pub(super) const VALUE: &str = "value";
/// Unknown fields that are named.
const MOST_NAMED: usize = 20;

/// Reads exactly one subject and its options; `defaults` are the options of what surrounds it.
pub(super) fn asked(mut fields: Fields, defaults: Options) -> Result<Asked, Problem> {
    let options = Options::take(&mut fields)?.or(defaults);
    let mut named = subjects(&mut fields)?.into_iter();
    let (name, value) = named.next().ok_or_else(nothing)?;
    if named.next().is_some() {
        return Err(several());
    }
    let question = question(&name, value, || fields.pointer(&name))?;
    Ok(Asked { question, options, warnings: unknown_fields(&fields) })
}

/// Takes the subjects out, in their order.
pub(super) fn subjects(fields: &mut Fields) -> Result<Vec<(String, Value)>, Problem> {
    let is_subject = |name: &&str| *name == VALUE || Kind::ALL.iter().any(|kind| kind.field() == *name);
    let names: Vec<_> = fields.names().filter(is_subject).map(str::to_owned).collect();
    let take = |name: String| fields.take(&name).transpose().map(|value| value.map(|value| (name, value)));
    names.into_iter().filter_map(take).collect()
}

/// Reads one subject; `pointer` says where it stands, if that has to be told.
pub(super) fn question(name: &str, value: Value, pointer: impl FnOnce() -> String) -> Result<Question, Problem> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.field() == name);
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) if kind.is_none_or(|kind| kind == Kind::Incident) => number.to_string(),
        _ => {
            let detail =
                format!("{name} has to be a string{}.", if kind == Some(Kind::Incident) { " or a number" } else { "" });
            return Err(Problem::at(Code::InvalidRequest, pointer(), detail).about(kind));
        }
    };
    let question = match kind {
        Some(kind) => Question::parse(kind, &text),
        None => Question::detect(&text),
    };
    question.map_err(|error| Problem::of_subject(&error, pointer()).about(kind))
}

/// The options of a query string beside a body, and warnings about what else is there. The subject stands in the body.
pub(super) fn options_beside_a_body(mut fields: Fields) -> Result<(Options, Vec<Warning>), Problem> {
    let options = Options::take(&mut fields)?;
    if let Some((name, _)) = subjects(&mut fields)?.first() {
        let detail = "The body names what is asked about: name no subject in the query string.";
        return Err(Problem::at(Code::AmbiguousRequest, fields.pointer(name), detail));
    }
    let warnings = unknown_fields(&fields);
    Ok((options, warnings))
}

/// A warning for each field that nobody knows.
pub(super) fn unknown_fields(fields: &Fields) -> Vec<Warning> {
    let warning = |name: &str| Warning {
        code: WarningCode::UnknownField,
        detail: format!("{:?} is no field of a request: it is ignored.", quoted(name)),
    };
    fields.names().take(MOST_NAMED).map(warning).collect()
}

pub(super) fn nothing() -> Problem {
    let detail = "Name one subject: alert_id, machine, user, file_hash, incident_id, or value for anything of these.";
    Problem::new(Code::InvalidRequest, detail)
}

fn several() -> Problem {
    let detail = "Name exactly one subject; several at once go to /v1/enrich/batch.";
    Problem::new(Code::AmbiguousRequest, detail)
}
