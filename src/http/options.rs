//! The options of a request: how much is shown, and how a missing subject is told.

use serde_json::Value;

use super::fields::Fields;
use super::problem::{Code, Problem};

/// Alerts that are listed unless told otherwise, and at most.
const LISTED: usize = 50;
const MOST_LISTED: usize = 500;

/// Options, as far as they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    limit: Option<usize>,
    raw: Option<bool>,
    not_found_is_200: Option<bool>,
}

impl Options {
    /// Takes the options out of the fields.
    pub(super) fn take(fields: &mut Fields) -> Result<Self, Problem> {
        let mut read = |name: &'static str, parse: fn(&Value) -> Result<usize, &'static str>| {
            let pointer = fields.pointer(name);
            let value = fields.take(name)?;
            let invalid = |detail| Problem::at(Code::InvalidRequest, pointer, detail);
            value.map(|value| parse(&value)).transpose().map_err(invalid)
        };
        read("format", format)?;
        Ok(Self {
            limit: read("limit", limit)?,
            raw: read("include", include)?.map(|raw| raw == 1),
            not_found_is_200: read("not_found", not_found)?.map(|status| status == 200),
        })
    }

    /// These options, and where one is not given, another's.
    pub(super) fn or(self, defaults: Self) -> Self {
        Self {
            limit: self.limit.or(defaults.limit),
            raw: self.raw.or(defaults.raw),
            not_found_is_200: self.not_found_is_200.or(defaults.not_found_is_200),
        }
    }

    /// Alerts that are listed at most.
    pub(super) fn limit(self) -> usize {
        self.limit.unwrap_or(LISTED)
    }

    /// Whether the upstream body is added.
    pub(super) fn raw(self) -> bool {
        self.raw.unwrap_or(false)
    }

    /// Whether a subject that Defender does not know is an answer rather than an error.
    pub(super) fn not_found_is_200(self) -> bool {
        self.not_found_is_200.unwrap_or(false)
    }
}

/// A number, or its digits.
fn number(value: &Value) -> Option<usize> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        Value::String(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

fn limit(value: &Value) -> Result<usize, &'static str> {
    number(value).filter(|limit| (1..=MOST_LISTED).contains(limit)).ok_or("limit is a whole number from 1 to 500.")
}

fn not_found(value: &Value) -> Result<usize, &'static str> {
    number(value).filter(|status| [200, 404].contains(status)).ok_or("not_found is 404 (the default) or 200.")
}

fn include(value: &Value) -> Result<usize, &'static str> {
    let known = match value {
        Value::String(word) => word == "raw",
        Value::Array(words) => words.iter().all(|word| word == "raw"),
        _ => false,
    };
    let any = !value.as_array().is_some_and(Vec::is_empty);
    if known { Ok(usize::from(any)) } else { Err("include is raw.") }
}

fn format(value: &Value) -> Result<usize, &'static str> {
    if value == "json" { Ok(0) } else { Err("format is one of: json.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str) -> Result<Options, Problem> {
        Options::take(&mut Fields::from_query(query).expect("fields"))
    }

    #[test]
    fn options_are_numbers_or_digits() {
        let options = options("limit=7&not_found=200&include=raw&format=json").expect("options");
        assert_eq!((options.limit(), options.not_found_is_200(), options.raw()), (7, true, true));
        let mut fields = Fields::from_json(br#"{"limit":7,"notFound":200,"include":["raw"]}"#).expect("fields");
        assert_eq!(Options::take(&mut fields).expect("options"), options);
    }

    #[test]
    fn what_is_no_option_is_told() {
        for query in
            ["limit=0", "limit=501", "limit=-1", "limit=x", "limit=1.5", "not_found=500", "include=x", "format=yaml"]
        {
            let problem = options(query).expect_err(query);
            assert_eq!(problem.code, Code::InvalidRequest, "{query}");
        }
    }

    #[test]
    fn an_items_own_options_come_first() {
        let own = options("limit=3").expect("options");
        let all = own.or(options("limit=9&not_found=200").expect("options"));
        assert_eq!((all.limit(), all.not_found_is_200()), (3, true));
    }
}
