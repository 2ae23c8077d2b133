//! The one hunting query that a lookup of alerts needs; any other text is an error.
//!
//! Its frame is fixed but for the number of rows. The condition compares columns with string literals.
//! <https://learn.microsoft.com/kusto/query/>

use super::hunting::{COLUMNS, Row};

const START: &str = "AlertEvidence\n| where Timestamp > ago(30d)\n| where ";
const NEWEST_OF_EACH_ALERT: &str = "\n| summarize arg_max(Timestamp, *) by AlertId\n| top ";
const END: &str = " by Timestamp desc\n| project-away AdditionalFields";
/// The column that [`END`] removes.
pub(super) const REMOVED_COLUMN: &str = "AdditionalFields";

/// A query that was understood. Within 30 days is every row, because the story does not age.
#[derive(Debug)]
pub(super) struct Query {
    condition: Condition,
    pub(super) max_rows: usize,
}

/// Texts are in lower case, except that of `Is`.
#[derive(Debug)]
enum Condition {
    /// `COLUMN =~ "TEXT"`
    Equals(String, String),
    /// `COLUMN == "TEXT"`
    Is(String, String),
    /// `COLUMN startswith "TEXT"`
    StartsWith(String, String),
    /// `COLUMN has "TEXT"`
    Has(String, String),
    /// `isempty(COLUMN)`
    IsEmpty(String),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Query {
    /// Returns the query, or what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let frame = || {
            let (condition, end) = text.strip_prefix(START)?.split_once(NEWEST_OF_EACH_ALERT)?;
            Some((condition, end.strip_suffix(END)?.parse::<usize>().ok()?))
        };
        let (condition, max_rows) = frame().ok_or("This stand-in knows one form of query, and this is another one")?;
        match any_or_all(condition)? {
            (condition, "") => Ok(Self { condition, max_rows }),
            (_, rest) => Err(syntax_error(rest)),
        }
    }

    pub(super) fn matches(&self, row: &Row) -> bool {
        self.condition.matches(row)
    }
}

impl Condition {
    fn matches(&self, row: &Row) -> bool {
        let exact = |column: &String| row.get(column.as_str()).map_or("", String::as_str);
        let value = |column: &String| exact(column).to_lowercase();
        match self {
            Self::Equals(column, text) => value(column) == *text,
            Self::Is(column, text) => exact(column) == text,
            Self::StartsWith(column, text) => value(column).starts_with(text),
            Self::Has(column, text) => has_term(&value(column), text),
            Self::IsEmpty(column) => exact(column).is_empty(),
            Self::All(parts) => parts.iter().all(|part| part.matches(row)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(row)),
        }
    }
}

/// Whether a text holds another, without a letter or digit beside it.
fn has_term(text: &str, term: &str) -> bool {
    text.match_indices(term).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + term.len()..));
        !before.is_some_and(|before| before.ends_with(char::is_alphanumeric))
            && !after.is_some_and(|after| after.starts_with(char::is_alphanumeric))
    })
}

fn syntax_error(at: &str) -> String {
    format!("Syntax error at '{at}'")
}

/// A condition, and the text after it.
type Parsed<'a> = Result<(Condition, &'a str), String>;

/// Comparisons that are joined by `and`, or by `or`, but not by both.
fn any_or_all(text: &str) -> Parsed<'_> {
    let (first, mut rest) = comparison(text)?;
    let word = [" and ", " or "].into_iter().find(|word| rest.starts_with(*word));
    let mut parts = vec![first];
    while let Some(more) = word.and_then(|word| rest.strip_prefix(word)) {
        let (part, after) = comparison(more)?;
        parts.push(part);
        rest = after;
    }
    Ok((if word == Some(" or ") { Condition::Any(parts) } else { Condition::All(parts) }, rest))
}

fn comparison(text: &str) -> Parsed<'_> {
    if let Some(inside) = text.strip_prefix('(') {
        let (condition, rest) = any_or_all(inside)?;
        return Ok((condition, rest.strip_prefix(')').ok_or_else(|| syntax_error(rest))?));
    }
    if let Some((column, rest)) = text.strip_prefix("isempty(").and_then(|rest| rest.split_once(')')) {
        return Ok((Condition::IsEmpty(known_column(column)?), rest));
    }
    let mut words = text.splitn(3, ' ');
    let (Some(column), Some(operator), Some(rest)) = (words.next(), words.next(), words.next()) else {
        return Err(syntax_error(text));
    };
    let (column, (exact, rest)) = (known_column(column)?, literal(rest)?);
    let lower = exact.to_lowercase();
    let condition = match operator {
        "=~" => Condition::Equals(column, lower),
        "==" => Condition::Is(column, exact),
        "startswith" => Condition::StartsWith(column, lower),
        "has" => Condition::Has(column, lower),
        other => return Err(syntax_error(other)),
    };
    Ok((condition, rest))
}

fn known_column(name: &str) -> Result<String, String> {
    let is_known = COLUMNS.split_whitespace().any(|column| column == name);
    is_known
        .then(|| name.to_owned())
        .ok_or_else(|| format!("Failed to resolve table or column expression named '{name}'"))
}

/// Reads a string in double quotes, and what follows it.
fn literal(text: &str) -> Result<(String, &str), String> {
    let mut rest = text.strip_prefix('"').ok_or_else(|| syntax_error(text))?.chars();
    let mut value = String::new();
    loop {
        match rest.next() {
            Some('"') => return Ok((value, rest.as_str())),
            Some('\\') => match rest.next() {
                Some(escaped @ ('\\' | '"' | '\'')) => value.push(escaped),
                _ => return Err("Syntax error: an unknown escape".to_owned()),
            },
            Some('\r' | '\n') | None => return Err("Syntax error: a string literal does not end".to_owned()),
            Some(character) => value.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(condition: &str) -> Result<Query, String> {
        Query::parse(&format!("{START}{condition}{NEWEST_OF_EACH_ALERT}201{END}"))
    }

    #[test]
    fn conditions_compare_as_kusto_does() {
        let row = Row::from([("DeviceName", "desk-042.contoso.com".to_owned()), ("AccountName", "a\"b\\c".to_owned())]);
        for (condition, expected) in [
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
            assert_eq!((query.matches(&row), query.max_rows), (expected, 201), "{condition}");
        }
    }

    #[test]
    fn any_other_query_is_refused() {
        for condition in [
            r#"AccountName != "a""#,
            r#"AccountName =~ "a" or 1 == 1"#,
            r#"AccountName =~ "a" and AccountUpn =~ "b" or AccountSid =~ "c""#,
            r#"NoSuchColumn =~ "a""#,
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
