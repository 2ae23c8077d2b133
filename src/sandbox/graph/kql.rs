//! As much of the Kusto query language as a lookup of alerts has a use for; anything else is an error.
//!
//! One statement: `AlertEvidence`, then any of `where Timestamp > ago(30d)` and `where` with comparisons of columns with
//! string literals and `isempty`, `summarize arg_max(Timestamp, *) by AlertId`, `top N by Timestamp desc`, `project-away COLUMN`.
//!
//! <https://learn.microsoft.com/kusto/query/>

use super::hunting::Row;

/// A query that was understood.
#[derive(Debug)]
pub(super) struct Query {
    conditions: Vec<Condition>,
    most: usize,
    without: Vec<String>,
}

/// Why a query is none, in Kusto's words where it has some.
pub(super) type Problem = String;

#[derive(Debug)]
enum Condition {
    Equals(String, String),
    /// In the same case.
    Is(String, String),
    StartsWith(String, String),
    /// As a term: between letters and digits there is none.
    Has(String, String),
    IsEmpty(String),
    All(Vec<Self>),
    Any(Vec<Self>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let tokens = tokens(text)?;
        let mut steps = tokens.split(|token| *token == Token::Sign('|'));
        match steps.next() {
            Some([Token::Word(table)]) if table == "AlertEvidence" => {}
            other => return Err(format!("Failed to resolve table or column expression named '{other:?}'")),
        }
        let mut query = Self { conditions: Vec::new(), most: usize::MAX, without: Vec::new() };
        let mut is_summarized = false;
        for step in steps {
            match step {
                [Token::Word(name), rest @ ..] if name == "where" && is_time(rest) => {}
                [Token::Word(name), rest @ ..] if name == "where" => query.conditions.push(condition(rest)?),
                [Token::Word(name), rest @ ..] if name == "summarize" && is_newest_of_each(rest) => {
                    is_summarized = true;
                }
                [Token::Word(name), Token::Word(most), rest @ ..] if name == "top" && is_newest_first(rest) => {
                    query.most = most.parse().map_err(|_| format!("'{most}' is no number of rows"))?;
                }
                [Token::Word(name), Token::Word(column)] if name == "project-away" => {
                    query.without.push(column.clone());
                }
                other => return Err(format!("Syntax error at {other:?}")),
            }
        }
        if is_summarized { Ok(query) } else { Err("This stand-in answers with one row for each alert".to_owned()) }
    }

    pub(super) fn fits(&self, row: &Row) -> bool {
        self.conditions.iter().all(|condition| condition.fits(row))
    }

    pub(super) fn leaves_out(&self, column: &str) -> bool {
        self.without.iter().any(|without| without == column)
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }
}

impl Condition {
    fn fits(&self, row: &Row) -> bool {
        let value = |column: &String| row.get(column.as_str()).map(|value| value.to_lowercase()).unwrap_or_default();
        match self {
            Self::Equals(column, text) => value(column) == *text,
            Self::Is(column, text) => row.get(column.as_str()).map_or("", String::as_str) == text,
            Self::StartsWith(column, text) => value(column).starts_with(text),
            Self::Has(column, text) => has(&value(column), text),
            Self::IsEmpty(column) => value(column).is_empty(),
            Self::All(parts) => parts.iter().all(|part| part.fits(row)),
            Self::Any(parts) => parts.iter().any(|part| part.fits(row)),
        }
    }
}

/// Whether a text holds another where no letter or digit stands beside it.
fn has(text: &str, wanted: &str) -> bool {
    let is_apart = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
    text.match_indices(wanted).any(|(at, found)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|after| after.chars().next());
        is_apart(before) && is_apart(after)
    })
}

fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '"' => tokens.push(Token::Text(literal(&mut letters)?)),
            letter if letter.is_ascii_alphanumeric() || letter == '_' => {
                let mut word = String::from(letter);
                while let Some(more) = letters.next_if(|more| more.is_ascii_alphanumeric() || matches!(more, '_' | '-'))
                {
                    word.push(more);
                }
                tokens.push(Token::Word(word));
            }
            '|' | '(' | ')' | ',' | '*' | '=' | '~' | '>' => tokens.push(Token::Sign(letter)),
            other => return Err(format!("Syntax error at '{other}'")),
        }
    }
    Ok(tokens)
}

fn literal(letters: &mut impl Iterator<Item = char>) -> Result<String, Problem> {
    let mut text = String::new();
    loop {
        match letters.next() {
            Some('"') => return Ok(text),
            Some('\\') => match letters.next() {
                Some(escaped @ ('\\' | '"' | '\'')) => text.push(escaped),
                _ => return Err("Syntax error: an unknown escape".to_owned()),
            },
            Some('\r' | '\n') | None => return Err("Syntax error: a string literal does not end".to_owned()),
            Some(letter) => text.push(letter),
        }
    }
}

fn are(tokens: &[Token], words: &str) -> bool {
    let told: Vec<String> = tokens
        .iter()
        .map(|token| match token {
            Token::Word(word) => word.clone(),
            Token::Text(_) => "\"\"".to_owned(),
            Token::Sign(sign) => sign.to_string(),
        })
        .collect();
    told.join(" ") == words
}

/// Within 30 days is every row, as the story stands still.
fn is_time(tokens: &[Token]) -> bool {
    are(tokens, "Timestamp > ago ( 30d )")
}

fn is_newest_of_each(tokens: &[Token]) -> bool {
    are(tokens, "arg_max ( Timestamp , * ) by AlertId")
}

fn is_newest_first(tokens: &[Token]) -> bool {
    are(tokens, "by Timestamp desc")
}

/// Comparisons, joined by `and` or by `or`; brackets around them.
fn condition(tokens: &[Token]) -> Result<Condition, Problem> {
    let (condition, rest) = joined(tokens)?;
    if rest.is_empty() { Ok(condition) } else { Err(format!("Syntax error at {rest:?}")) }
}

fn joined(tokens: &[Token]) -> Result<(Condition, &[Token]), Problem> {
    let (first, mut rest) = one(tokens)?;
    let (mut parts, mut by) = (vec![first], None);
    while let [Token::Word(word), more @ ..] = rest {
        if !matches!(word.as_str(), "and" | "or") || by.as_ref().is_some_and(|by| by != word) {
            return Err(format!("Syntax error at '{word}'"));
        }
        by = Some(word.clone());
        let (next, after) = one(more)?;
        parts.push(next);
        rest = after;
    }
    let joined = if by.as_deref() == Some("or") { Condition::Any(parts) } else { Condition::All(parts) };
    Ok((joined, rest))
}

fn one(tokens: &[Token]) -> Result<(Condition, &[Token]), Problem> {
    match tokens {
        [Token::Sign('('), rest @ ..] => match joined(rest)? {
            (condition, [Token::Sign(')'), rest @ ..]) => Ok((condition, rest)),
            _ => Err("Syntax error: a bracket that is not closed".to_owned()),
        },
        [Token::Word(column), Token::Sign('='), Token::Sign('~'), Token::Text(text), rest @ ..] => {
            Ok((Condition::Equals(column.clone(), text.to_lowercase()), rest))
        }
        [Token::Word(column), Token::Sign('='), Token::Sign('='), Token::Text(text), rest @ ..] => {
            Ok((Condition::Is(column.clone(), text.clone()), rest))
        }
        [Token::Word(column), Token::Word(word), Token::Text(text), rest @ ..] if word == "startswith" => {
            Ok((Condition::StartsWith(column.clone(), text.to_lowercase()), rest))
        }
        [Token::Word(column), Token::Word(word), Token::Text(text), rest @ ..] if word == "has" => {
            Ok((Condition::Has(column.clone(), text.to_lowercase()), rest))
        }
        [Token::Word(word), Token::Sign('('), Token::Word(column), Token::Sign(')'), rest @ ..]
            if word == "isempty" =>
        {
            Ok((Condition::IsEmpty(column.clone()), rest))
        }
        other => Err(format!("Syntax error at {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: (&str, &str) = (
        "AlertEvidence\n| where Timestamp > ago(30d)\n| where ",
        "\n| summarize arg_max(Timestamp, *) by AlertId\n| top 201 by Timestamp desc\n| project-away AdditionalFields",
    );

    fn parse(condition: &str) -> Result<Query, Problem> {
        Query::parse(&format!("{}{condition}{}", FRAME.0, FRAME.1))
    }

    #[test]
    fn conditions_are_judged_in_any_case() {
        let row = Row::from([("DeviceName", "desk-042.contoso.com".to_owned()), ("AccountName", "a\"b\\c".to_owned())]);
        for (condition, right) in [
            (r#"DeviceName =~ "DESK-042.contoso.com""#, true),
            (r#"(DeviceName =~ "desk-042" or DeviceName startswith "desk-042.")"#, true),
            (r#"(DeviceName =~ "desk-04" or DeviceName startswith "desk-04.")"#, false),
            (r#"AccountName =~ "a\"b\\c""#, true),
            (r#"AccountName =~ "a" and AccountDomain =~ "b""#, false),
            (r#"(AccountUpn =~ "a" or (isempty(AccountUpn) and AccountName =~ "A\"b\\c"))"#, true),
            (r#"AccountName =~ "a\"b\\c" and (AccountDomain =~ "x" or isempty(AccountDomain))"#, true),
            ("isempty(DeviceName)", false),
            (r#"(RemoteIP == "192.0.2.7" or LocalIP == "192.0.2.7")"#, false),
            (r#"DeviceName == "desk-042.contoso.com""#, true),
            (r#"DeviceName == "DESK-042.contoso.com""#, false),
            (r#"DeviceName has "CONTOSO.com""#, true),
            (r#"DeviceName has "toso.com""#, false),
        ] {
            let query = parse(condition).unwrap_or_else(|problem| panic!("{condition}: {problem}"));
            assert_eq!(query.fits(&row), right, "{condition}");
            assert_eq!(query.most(), 201);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for condition in [
            r#"AccountName != "a""#,
            r#"AccountName =~ "a" or 1 == 1"#,
            r#"AccountName =~ "a" | union AlertInfo"#,
            r#"AccountName =~ "a"; AlertInfo"#,
            r#"AccountName =~ @"a""#,
            "AccountName =~ \"a\nb\"",
            r#"AccountName =~ "a" // and more"#,
            "AccountName =~ 'a'",
            "AccountName =~ \"a",
            "",
        ] {
            assert!(parse(condition).is_err(), "{condition}");
        }
        assert!(Query::parse("AlertInfo | take 1").is_err());
    }
}
