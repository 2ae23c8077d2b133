//! Lenient parsing of secrets that people write. Common mistakes are corrected and reported. Other errors are reported
//! by line, column and member. No report contains any of the content.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Why the content of a secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretProblem {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// A syntax error, by its position in the stored text.
    #[error("it is not valid JSON: line {line}, column {column}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// The column in bytes, counted from 1. 0 is the end of the previous line.
        column: usize,
    },
    /// Valid JSON of another type.
    #[error("it has to be a JSON object")]
    NotAnObject,
    /// A member that is missing or has another form.
    #[error("{member} {problem}")]
    Member {
        /// The documented name.
        member: &'static str,
        /// What is wrong, as the end of the sentence.
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

/// A mistake in a secret that was corrected. `check` reports it, so that the operator can correct the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Correction {
    /// U+FEFF, as some editors and shells write it.
    #[error("it begins with a byte order mark")]
    ByteOrderMark,
    /// A comma after the last member or item.
    #[error("it has a comma before a closing brace or bracket")]
    TrailingComma,
    /// JSON inside a JSON string, as the key/value form of the AWS console stores it.
    #[error("{0} is encoded twice: JSON inside a JSON text")]
    EncodedTwice(&'static str),
    /// White space, line breaks or invisible characters at either end of a text.
    #[error("{0} has white space around it")]
    WhiteSpace(&'static str),
    /// One text instead of a list.
    #[error("{0} is a text and should be a list of texts")]
    TextForList(&'static str),
    /// `"true"` or `"false"` instead of a boolean.
    #[error("{0} is a text and should be true or false")]
    TextForBoolean(&'static str),
    /// Another spelling of a member's name, or the name that another tool writes.
    #[error("{member} is named {written}")]
    OtherName {
        /// The name in the secret, one of a fixed list.
        written: &'static str,
        /// The documented name.
        member: &'static str,
    },
    /// `Bearer ` before a token.
    #[error("{0} begins with the word Bearer")]
    Scheme(&'static str),
    /// `\n` as two characters in a PEM text.
    #[error("{0} has \\n where line breaks should be")]
    EscapedLineBreaks(&'static str),
    /// A key that is accepted but that no client can send.
    #[error("{0} holds a key with characters that no header can carry: nobody can present it")]
    NotPresentable(&'static str),
}

/// The mistakes that were corrected while a secret was parsed, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Corrections(Vec<Correction>);

impl Corrections {
    /// Adds a correction unless it is there already.
    pub(crate) fn add(&mut self, correction: Correction) {
        if !self.0.contains(&correction) {
            self.0.push(correction);
        }
    }

    /// The corrections in the order in which they were made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Correction> {
        self.0.iter()
    }
}

/// The content of a secret before its members are interpreted.
#[derive(Debug)]
pub(crate) enum Content {
    /// A text that is not JSON, such as a bare token.
    Bare(String),
    /// A JSON object.
    Document(Map<String, Value>),
}

/// The name of the whole secret in reports.
const WHOLE_SECRET: &str = "it";

impl Content {
    /// Parses the text of a secret.
    pub(crate) fn read(text: &str, corrections: &mut Corrections) -> Result<Self, SecretProblem> {
        let marked = text.trim_start_matches(is_space);
        if marked.starts_with('\u{feff}') {
            corrections.add(Correction::ByteOrderMark);
        }
        // Syntax errors are reported by their position in the stored text, so only the byte order mark is removed
        // first.
        let stored = text.strip_prefix('\u{feff}').unwrap_or(text);
        let trimmed = trimmed(stored);
        if trimmed.is_empty() {
            return Err(SecretProblem::Empty);
        }
        if !trimmed.starts_with(['{', '[', '"']) {
            return Ok(Self::Bare(trimmed.to_owned()));
        }
        match json(stored, corrections)? {
            Value::Object(document) => Ok(Self::Document(document)),
            Value::String(inner) if self::trimmed(&inner).is_empty() => Err(SecretProblem::Empty),
            Value::String(inner) => {
                corrections.add(Correction::EncodedTwice(WHOLE_SECRET));
                match parsed(&inner, corrections) {
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
    text.trim_matches(|character| is_space(character) || character == '\u{feff}')
}

/// The same, and reports it if something was removed.
pub(crate) fn trim<'a>(text: &'a str, member: &'static str, corrections: &mut Corrections) -> &'a str {
    let rest = trimmed(text);
    if rest.len() != text.len() {
        corrections.add(Correction::WhiteSpace(member));
    }
    rest
}

/// Parses JSON inside a text. Returns `None` if the text is not a JSON object or list.
pub(crate) fn parsed(text: &str, corrections: &mut Corrections) -> Option<Value> {
    let text = trimmed(text);
    if text.starts_with(['{', '[']) { json(text, corrections).ok() } else { None }
}

fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\0')
}

fn json(text: &str, corrections: &mut Corrections) -> Result<Value, SecretProblem> {
    let text = padded(text);
    let error = match serde_json::from_str(&text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if let Some(corrected) = without_trailing_commas(&text)
        && let Ok(value) = serde_json::from_str(&corrected)
    {
        corrections.add(Correction::TrailingComma);
        return Ok(value);
    }
    Err(SecretProblem::Syntax { line: error.line(), column: error.column() })
}

/// Replaces leading white space that JSON does not allow by spaces, and removes trailing white space. The positions of
/// syntax errors stay the same.
fn padded(text: &str) -> Cow<'_, str> {
    let rest = trimmed(text);
    let Some(begin) = text.find(rest).filter(|_| rest.len() != text.len()) else { return Cow::Borrowed(text) };
    let lead: String = text
        .get(..begin)
        .unwrap_or_default()
        .chars()
        .map(|character| if character == '\n' { '\n' } else { ' ' })
        .collect();
    Cow::Owned(lead + rest)
}

/// Removes commas before a closing brace or bracket. Returns `None` if there is no such comma.
fn without_trailing_commas(text: &str) -> Option<String> {
    let mut kept = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character == '"' {
            in_string = true;
        } else if character == ',' {
            let rest = text.get(at + 1..).unwrap_or_default().trim_start();
            if rest.starts_with(['}', ']']) {
                continue;
            }
        }
        kept.push(character);
    }
    (kept.len() != text.len()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Result<String, SecretProblem>, Vec<Correction>) {
        let mut corrections = Corrections::default();
        let content = Content::read(text, &mut corrections).map(|content| match content {
            Content::Bare(text) => text,
            Content::Document(document) => Value::Object(document).to_string(),
        });
        (content, corrections.0)
    }

    #[test]
    fn common_mistakes_are_corrected_and_reported() {
        let whole = |text: &str| Ok(text.to_owned());
        for (text, expected, corrections) in [
            ("{\"a\":1}", whole("{\"a\":1}"), vec![]),
            (" \r\n{\"a\":1}\u{a0}\n", whole("{\"a\":1}"), vec![]),
            ("\u{feff}{\"a\":1}", whole("{\"a\":1}"), vec![Correction::ByteOrderMark]),
            ("\u{feff}token\n", whole("token"), vec![Correction::ByteOrderMark]),
            ("{\"a\":[1,],\r\n}", whole("{\"a\":[1]}"), vec![Correction::TrailingComma]),
            ("{\"a\":\",}\\\",]\",}", whole("{\"a\":\",}\\\",]\"}"), vec![Correction::TrailingComma]),
            ("\"{\\\"a\\\":1}\"", whole("{\"a\":1}"), vec![Correction::EncodedTwice("it")]),
            ("\"token\"", whole("token"), vec![Correction::EncodedTwice("it")]),
            ("two words", whole("two words"), vec![]),
        ] {
            assert_eq!(read(text), (expected, corrections), "{text:?}");
        }
    }

    #[test]
    fn syntax_errors_are_reported_by_their_position() {
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
