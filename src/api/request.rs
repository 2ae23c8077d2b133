//! The members of a request as types: how each is parsed, and the schema of all accepted forms.
//!
//! A schema starts with the form that programs should send. The other accepted forms follow.

use std::ops::RangeInclusive;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::formats::{Format, OutputOptions};

/// The default for the maximum number of listed alerts.
pub(super) const DEFAULT_LIMIT: usize = 50;
/// The largest accepted `limit`.
const MAX_LIMIT: usize = 500;

/// The options of a request, each as far as it was given.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct OptionMembers {
    /// The shape of the answer. Where it is not given, the Accept header of a single request can name one.
    pub(super) format: Option<FormatWord>,
    /// raw, context or both. raw adds the upstream body to json, ocsf and `ocsf_ndjson`; the other formats have no place
    /// for it. context asks for what Defender says of the subject itself.
    pub(super) include: Option<Include>,
    /// Alerts listed at most.
    pub(super) limit: Option<Limit>,
    /// Characters of a markdown answer at most; the other formats take no notice.
    pub(super) max_chars: Option<MaxChars>,
    /// How a subject that Defender does not know is reported.
    pub(super) not_found: Option<NotFound>,
    /// The name of a destination of the caller secret that gets the answer as well. The outcome is in notified,
    /// and for one subject in the header X-Notified.
    pub(super) notify: Option<DestinationName>,
}

impl OptionMembers {
    /// The names of the options, in the order in which errors are reported.
    pub(super) const NAMES: [&str; 6] = ["notify", "format", "limit", "include", "not_found", "max_chars"];
}

/// The value that names a subject, before it is parsed: a text, or for some kinds a number.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum SubjectValue {
    Text(String),
    Number(Number),
}

/// The maximum number of listed alerts.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Limit(pub(super) usize);

/// The maximum number of characters of a markdown answer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct MaxChars(pub(super) usize);

/// How a missing subject is reported.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct NotFound {
    pub(super) is_200: bool,
}

/// The optional parts of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Include {
    /// The upstream body.
    pub(super) raw: bool,
    /// What Defender knows about the subject itself.
    pub(super) context: bool,
}

/// The name of a format.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct FormatWord(pub(super) Format);

/// The name of a destination.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct DestinationName(pub(super) String);

impl Limit {
    const RANGE: RangeInclusive<usize> = 1..=MAX_LIMIT;
}

impl MaxChars {
    const RANGE: RangeInclusive<usize> = OutputOptions::MIN_CHARS..=OutputOptions::MAX_CHARS;
}

impl Include {
    const WORDS: [&str; 2] = ["raw", "context"];
}

impl TryFrom<Value> for Limit {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        within(&value, Self::RANGE, "limit").map(Self)
    }
}

impl TryFrom<Value> for MaxChars {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        within(&value, Self::RANGE, "max_chars").map(Self)
    }
}

impl TryFrom<Value> for NotFound {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, &'static str> {
        match number(&value) {
            Some(200) => Ok(Self { is_200: true }),
            Some(404) => Ok(Self { is_200: false }),
            _ => Err("not_found is 404 (the default) or 200."),
        }
    }
}

impl TryFrom<Value> for Include {
    type Error = &'static str;

    /// Parses `raw` and `context`, as a list or separated by commas.
    fn try_from(value: Value) -> Result<Self, &'static str> {
        const ERROR: &str = "include is raw, context or both.";
        let texts = match &value {
            Value::String(text) => vec![text.as_str()],
            Value::Array(words) => words.iter().map(|word| word.as_str().ok_or(ERROR)).collect::<Result<_, _>>()?,
            _ => return Err(ERROR),
        };
        let mut include = Self::default();
        for word in texts.into_iter().flat_map(|text| text.split(',')) {
            match word.trim() {
                "" => {}
                "raw" => include.raw = true,
                "context" => include.context = true,
                _ => return Err(ERROR),
            }
        }
        Ok(include)
    }
}

impl TryFrom<Value> for FormatWord {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let known = value.as_str().and_then(Format::parse);
        known.map(Self).ok_or_else(|| format!("format is one of: {}.", Format::ALL.map(Format::as_str).join(", ")))
    }
}

impl TryFrom<Value> for DestinationName {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::String(name) => Ok(Self(name)),
            _ => Err("notify is the name of one destination."),
        }
    }
}

/// Reads a number, or a string of digits.
fn number(value: &Value) -> Option<usize> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        Value::String(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

fn within(value: &Value, range: RangeInclusive<usize>, name: &str) -> Result<usize, String> {
    let (min, max) = (*range.start(), *range.end());
    let fits = number(value).filter(|number| range.contains(number));
    fits.ok_or_else(|| format!("{name} is a whole number from {min} to {max}."))
}

/// Implements `JsonSchema` with a schema that is inlined at its use.
macro_rules! member_schema {
    ($($name:ident => $schema:expr;)+) => {
        $(impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        })+
    };
}

member_schema! {
    Limit => number_schema(Self::RANGE, DEFAULT_LIMIT);
    MaxChars => number_schema(Self::RANGE, OutputOptions::DEFAULT_MAX_CHARS);
    NotFound => json_schema!({"anyOf": [
        {"type": "integer", "enum": [404, 200], "default": 404},
        {"type": "string", "pattern": "^0*(404|200)$"}
    ]});
    Include => {
        let word = Self::WORDS.join("|");
        let pattern = format!(r"^\s*({word})?\s*(,\s*({word})?\s*)*$");
        json_schema!({"anyOf": [
            {"type": "array", "items": {"type": "string", "enum": Self::WORDS}},
            {"type": "array", "items": {"type": "string", "pattern": pattern}},
            {"type": "string", "pattern": pattern}
        ]})
    };
    FormatWord => json_schema!({"type": "string", "enum": Format::ALL.map(Format::as_str), "default": Format::Json.as_str()});
    DestinationName => json_schema!({"type": "string"});
}

fn number_schema(range: RangeInclusive<usize>, default: usize) -> Schema {
    let (min, max) = (*range.start(), *range.end());
    json_schema!({"anyOf": [
        {"type": "integer", "minimum": min, "maximum": max, "default": default},
        {"type": "string", "pattern": format!("^0*({})$", digits(min, max))}
    ]})
}

/// Returns a regular expression for the numbers of a range.
fn digits(min: usize, max: usize) -> String {
    let mut alternatives = Vec::new();
    let mut next = min;
    while next <= max {
        // Finds the largest block of trailing digits that may vary freely, and how far the digit before them may
        // count up.
        let mut block = 1;
        while next.is_multiple_of(block * 10) && next + block * 10 - 1 <= max {
            block *= 10;
        }
        let first = next / block % 10;
        let more = ((max + 1 - next) / block - 1).min(9 - first);
        let prefix = next / block / 10;
        let prefix = if prefix == 0 { String::new() } else { prefix.to_string() };
        let digit = if more == 0 { first.to_string() } else { format!("[{first}-{}]", first + more) };
        alternatives.push(format!("{prefix}{digit}{}", "[0-9]".repeat(block.to_string().len() - 1)));
        next += (more + 1) * block;
    }
    alternatives.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_of_a_range_matches_exactly_its_numbers() {
        assert_eq!(digits(1, 500), "[1-9]|[1-9][0-9]|[1-4][0-9][0-9]|500");
        for (min, max) in [(1, 500), (500, 30_000), (7, 7), (95, 1203)] {
            let schema = serde_json::json!({"pattern": format!("^({})$", digits(min, max))});
            let validator = jsonschema::validator_for(&schema).expect("a schema");
            for number in 0..=max + 1100 {
                let fits = validator.is_valid(&Value::from(number.to_string()));
                assert_eq!(fits, (min..=max).contains(&number), "{number} of {min} to {max}");
            }
        }
    }
}
