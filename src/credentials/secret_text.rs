//! The text of a secret as people write it: what can be understood is understood and reported, and what cannot is named
//! by line, column and member. Neither shows anything of the content.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Why the content of a secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretProblem {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// A syntax error, by its place in the text as it is stored.
    #[error("it is not valid JSON: line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// In bytes, from 1; 0 at the end of a line.
        column: usize,
    },
    /// Valid JSON of another type.
    #[error("it has to be a JSON object")]
    NotAnObject,
    /// A member that is missing or has another form.
    #[error("{member} {problem}")]
    Member {
        /// Its documented name.
        member: &'static str,
        /// What it should be.
        problem: &'static str,
    },
    /// Anything else.
    #[error("{0}")]
    Other(&'static str),
}

impl SecretProblem {
    pub(super) fn member(member: &'static str, problem: &'static str) -> Self {
        Self::Member { member, problem }
    }
}

/// A slip that was understood. `check` reports it, so that the operator can correct the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mend {
    /// U+FEFF, as some editors and shells write it.
    #[error("it begins with a byte order mark")]
    ByteOrderMark,
    /// A comma after the last member or item.
    #[error("it has a comma before a closing brace or bracket")]
    TrailingComma,
    /// JSON within a JSON string, as the console's key/value form stores it.
    #[error("{0} is encoded twice: JSON inside a JSON text")]
    EncodedTwice(&'static str),
    /// White space, line breaks or invisible characters at either end of a text.
    #[error("{0} has white space around it")]
    WhiteSpace(&'static str),
    /// One text where there is a list.
    #[error("{0} is a text and should be a list of texts")]
    TextForList(&'static str),
    /// `"true"` and `"false"`.
    #[error("{0} is a text and should be true or false")]
    TextForBoolean(&'static str),
    /// Another spelling of a member's name, or the name that another tool gives it.
    #[error("{member} is named {found}")]
    OtherName {
        /// The name as it is written, from a fixed list.
        found: &'static str,
        /// The documented name.
        member: &'static str,
    },
    /// `Bearer ` before a token.
    #[error("{0} begins with the word Bearer")]
    Scheme(&'static str),
    /// `\n` as two characters in a PEM text.
    #[error("{0} has \\n where line breaks should be")]
    EscapedLineBreaks(&'static str),
    /// A key that is kept and that nobody can present.
    #[error("{0} holds a key with characters that no header can carry: nobody can present it")]
    NotPresentable(&'static str),
}

/// What was understood while a secret was read, each slip once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mends(Vec<Mend>);

impl Mends {
    /// Adds a slip unless it is there already.
    pub(crate) fn add(&mut self, mend: Mend) {
        if !self.0.contains(&mend) {
            self.0.push(mend);
        }
    }

    /// In the order in which they were met.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Mend> {
        self.0.iter()
    }
}

/// The content of a secret.
#[derive(Debug)]
pub(crate) enum Content {
    /// A text that is not JSON, such as a bare token.
    Bare(String),
    /// A JSON object.
    Document(Map<String, Value>),
}

/// The name of the whole secret in reports.
const WHOLE: &str = "it";

impl Content {
    /// Reads a secret's text.
    pub(crate) fn read(text: &str, mends: &mut Mends) -> Result<Self, SecretProblem> {
        let marked = text.trim_start_matches(is_space);
        if marked.starts_with('\u{feff}') {
            mends.add(Mend::ByteOrderMark);
        }
        // The place of a syntax error is told in the text as it is stored: nothing but the mark is cut off before.
        let stored = text.strip_prefix('\u{feff}').unwrap_or(text);
        let trimmed = trimmed(stored);
        if trimmed.is_empty() {
            return Err(SecretProblem::Empty);
        }
        if !trimmed.starts_with(['{', '[', '"']) {
            return Ok(Self::Bare(trimmed.to_owned()));
        }
        match json(stored, mends)? {
            Value::Object(document) => Ok(Self::Document(document)),
            Value::String(inner) if self::trimmed(&inner).is_empty() => Err(SecretProblem::Empty),
            Value::String(inner) => {
                mends.add(Mend::EncodedTwice(WHOLE));
                match parsed(&inner, mends) {
                    Some(Value::Object(document)) => Ok(Self::Document(document)),
                    Some(_) => Err(SecretProblem::NotAnObject),
                    None => Ok(Self::Bare(self::trimmed(&inner).to_owned())),
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(SecretProblem::NotAnObject),
        }
    }
}

/// A text without white space and invisible characters at its ends.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter| is_space(letter) || letter == '\u{feff}')
}

/// The same, with a report where something was cut off.
pub(crate) fn trim<'a>(text: &'a str, member: &'static str, mends: &mut Mends) -> &'a str {
    let rest = trimmed(text);
    if rest.len() != text.len() {
        mends.add(Mend::WhiteSpace(member));
    }
    rest
}

/// JSON within a text; `None` where the text is no JSON object or list.
pub(crate) fn parsed(text: &str, mends: &mut Mends) -> Option<Value> {
    let text = trimmed(text);
    if text.starts_with(['{', '[']) { json(text, mends).ok() } else { None }
}

fn is_space(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\0')
}

fn json(text: &str, mends: &mut Mends) -> Result<Value, SecretProblem> {
    let text = padded(text);
    let error = match serde_json::from_str(&text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if let Some(mended) = without_trailing_commas(&text)
        && let Ok(value) = serde_json::from_str(&mended)
    {
        mends.add(Mend::TrailingComma);
        return Ok(value);
    }
    Err(SecretProblem::Syntax { line: error.line(), column: error.column() })
}

/// The text with spaces in place of what is white space to people and not to JSON, at its ends only.
fn padded(text: &str) -> Cow<'_, str> {
    let rest = trimmed(text);
    let Some(begin) = text.find(rest).filter(|_| rest.len() != text.len()) else { return Cow::Borrowed(text) };
    let lead: String =
        text.get(..begin).unwrap_or_default().chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
    Cow::Owned(lead + rest)
}

/// The text without commas that stand before a closing brace or bracket; `None` where there is no such comma.
fn without_trailing_commas(text: &str) -> Option<String> {
    let mut kept = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        if in_string {
            in_string = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else if letter == '"' {
            in_string = true;
        } else if letter == ',' {
            let rest = text.get(at + 1..).unwrap_or_default().trim_start();
            if rest.starts_with(['}', ']']) {
                continue;
            }
        }
        kept.push(letter);
    }
    (kept.len() != text.len()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Result<String, SecretProblem>, Vec<Mend>) {
        let mut mends = Mends::default();
        let content = Content::read(text, &mut mends).map(|content| match content {
            Content::Bare(text) => text,
            Content::Document(document) => Value::Object(document).to_string(),
        });
        (content, mends.0)
    }

    #[test]
    fn slips_are_understood_and_reported() {
        let whole = |text: &str| Ok(text.to_owned());
        for (text, expected, mends) in [
            ("{\"a\":1}", whole("{\"a\":1}"), vec![]),
            (" \r\n{\"a\":1}\u{a0}\n", whole("{\"a\":1}"), vec![]),
            ("\u{feff}{\"a\":1}", whole("{\"a\":1}"), vec![Mend::ByteOrderMark]),
            ("\u{feff}token\n", whole("token"), vec![Mend::ByteOrderMark]),
            ("{\"a\":[1,],\r\n}", whole("{\"a\":[1]}"), vec![Mend::TrailingComma]),
            ("{\"a\":\",}\\\",]\",}", whole("{\"a\":\",}\\\",]\"}"), vec![Mend::TrailingComma]),
            ("\"{\\\"a\\\":1}\"", whole("{\"a\":1}"), vec![Mend::EncodedTwice("it")]),
            ("\"token\"", whole("token"), vec![Mend::EncodedTwice("it")]),
            ("two words", whole("two words"), vec![]),
        ] {
            assert_eq!(read(text), (expected, mends), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_named_by_its_place() {
        let syntax = |line, column| Err(SecretProblem::Syntax { line, column });
        for (text, expected) in [
            ("", Err(SecretProblem::Empty)),
            (" \u{feff}\n", Err(SecretProblem::Empty)),
            ("\"\"", Err(SecretProblem::Empty)),
            ("[]", Err(SecretProblem::NotAnObject)),
            ("{\n  \"a\" 1}", syntax(2, 7)),
            ("\u{feff}{\n  \"a\" 1}", syntax(2, 7)),
            ("\n\u{200b} {\"a\" 1}", syntax(2, 8)),
            ("{\"a\":1,,}", syntax(1, 8)),
            ("{\"a\":1", syntax(1, 6)),
        ] {
            assert_eq!(read(text).0, expected, "{text:?}");
        }
        assert_eq!(SecretProblem::Syntax { line: 2, column: 7 }.to_string(), "it is not valid JSON: line 2, column 7");
    }
}
