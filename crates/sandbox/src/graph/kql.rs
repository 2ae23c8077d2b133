//! The hunting queries that lookups need; any other text is an error.
//!
//! A query begins with a table, or with one row of its own, and goes on with steps, each on a line. A condition compares columns
//! with string literals.
//! <https://learn.microsoft.com/kusto/query/>

use std::cmp::Reverse;

use serde_json::Value;

use super::hunting::{Row, Table, profile, time};
use crate::company::Company;

/// A query that was understood.
#[derive(Debug)]
pub(super) struct Query {
    source: Source,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Source {
    Table(&'static Table),
    /// `print COLUMN = "TEXT"`
    Row(String, String),
}

#[derive(Debug)]
enum Step {
    /// `where Timestamp > ago(30d)`: every row is newer, because the story does not age.
    Nothing,
    Where(Condition),
    /// `summarize arg_max(Timestamp, *) by COLUMN`
    NewestOfEach(String),
    /// `top NUMBER by Timestamp desc`
    Top(usize),
    /// `project COLUMN, …`
    Keep(Vec<String>),
    /// `project-away COLUMN, …`
    Remove(Vec<String>),
    /// `invoke FileProfile(COLUMN, 1)`
    FileProfile(String),
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
    /// `isnotempty(COLUMN)`
    IsNotEmpty(String),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Query {
    /// Returns the query, or what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.split("\n| ");
        let source = source(lines.next().unwrap_or_default())?;
        let steps = lines.map(step).collect::<Result<_, _>>()?;
        let query = Self { source, steps };
        let columns = query.columns();
        let unknown = query.named().into_iter().find(|name| !columns.contains(&name.as_str()));
        match unknown {
            Some(name) => Err(format!("Failed to resolve table or column expression named '{name}'")),
            None => Ok(query),
        }
    }

    /// The columns that steps may name.
    pub(super) fn columns(&self) -> Vec<&str> {
        match &self.source {
            Source::Table(table) => table.columns.split_whitespace().collect(),
            Source::Row(column, _) => vec![column],
        }
    }

    /// The columns that steps do name.
    fn named(&self) -> Vec<&String> {
        let mut names = Vec::new();
        for step in &self.steps {
            match step {
                Step::Where(condition) => condition.add_columns(&mut names),
                Step::NewestOfEach(column) | Step::FileProfile(column) => names.push(column),
                Step::Keep(columns) | Step::Remove(columns) => names.extend(columns),
                Step::Nothing | Step::Top(_) => {}
            }
        }
        names
    }

    /// The rows of the answer.
    pub(super) fn run(&self, company: &Company) -> Vec<Row> {
        let rows = match &self.source {
            Source::Table(table) => (table.rows)(company),
            Source::Row(column, text) => vec![Row::from([(column.clone(), text.as_str().into())])],
        };
        self.steps.iter().fold(rows, |rows, step| step.run(company, rows))
    }
}

impl Step {
    fn run(&self, company: &Company, mut rows: Vec<Row>) -> Vec<Row> {
        match self {
            Self::Nothing => {}
            Self::Where(condition) => rows.retain(|row| condition.matches(row)),
            Self::NewestOfEach(column) => {
                let all = std::mem::take(&mut rows);
                for row in all {
                    match rows.iter_mut().find(|other| other.get(column) == row.get(column)) {
                        Some(other) if time(other) <= time(&row) => *other = row,
                        Some(_) => {}
                        None => rows.push(row),
                    }
                }
            }
            Self::Top(number) => {
                rows.sort_by_key(|row| Reverse(time(row)));
                rows.truncate(*number);
            }
            Self::Keep(columns) => rows.iter_mut().for_each(|row| row.retain(|name, _| columns.contains(name))),
            Self::Remove(columns) => rows.iter_mut().for_each(|row| row.retain(|name, _| !columns.contains(name))),
            Self::FileProfile(column) => rows.iter_mut().for_each(|row| row.extend(profile(company, column, row))),
        }
        rows
    }
}

impl Condition {
    fn matches(&self, row: &Row) -> bool {
        let exact = |column: &String| row.get(column).and_then(Value::as_str).unwrap_or_default();
        let value = |column: &String| exact(column).to_lowercase();
        match self {
            Self::Equals(column, text) => value(column) == *text,
            Self::Is(column, text) => exact(column) == text,
            Self::StartsWith(column, text) => value(column).starts_with(text),
            Self::Has(column, text) => has_term(&value(column), text),
            Self::IsEmpty(column) => exact(column).is_empty(),
            Self::IsNotEmpty(column) => !exact(column).is_empty(),
            Self::All(parts) => parts.iter().all(|part| part.matches(row)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(row)),
        }
    }

    fn add_columns<'a>(&'a self, names: &mut Vec<&'a String>) {
        match self {
            Self::Equals(column, _)
            | Self::Is(column, _)
            | Self::StartsWith(column, _)
            | Self::Has(column, _)
            | Self::IsEmpty(column)
            | Self::IsNotEmpty(column) => names.push(column),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.add_columns(names)),
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

fn source(text: &str) -> Result<Source, String> {
    if let Some((column, literal_text)) = text.strip_prefix("print ").and_then(|rest| rest.split_once(" = ")) {
        return match literal(literal_text)? {
            (text, "") => Ok(Source::Row(column.to_owned(), text)),
            (_, rest) => Err(syntax_error(rest)),
        };
    }
    let table = Table::ALL.iter().find(|table| table.name == text);
    let table = table.ok_or_else(|| format!("Failed to resolve table or column expression named '{text}'"))?;
    Ok(Source::Table(table))
}

fn step(text: &str) -> Result<Step, String> {
    let wrong = || syntax_error(text);
    let between = |start: &str, end: &str| text.strip_prefix(start)?.strip_suffix(end);
    let names = |list: &str| list.split(", ").map(str::to_owned).collect();
    if text == "where Timestamp > ago(30d)" {
        Ok(Step::Nothing)
    } else if let Some(condition) = text.strip_prefix("where ") {
        match any_or_all(condition)? {
            (condition, "") => Ok(Step::Where(condition)),
            (_, rest) => Err(syntax_error(rest)),
        }
    } else if let Some(column) = text.strip_prefix("summarize arg_max(Timestamp, *) by ") {
        Ok(Step::NewestOfEach(column.to_owned()))
    } else if let Some(number) = between("top ", " by Timestamp desc") {
        number.parse().map(Step::Top).map_err(|_| wrong())
    } else if let Some(columns) = text.strip_prefix("project ") {
        Ok(Step::Keep(names(columns)))
    } else if let Some(columns) = text.strip_prefix("project-away ") {
        Ok(Step::Remove(names(columns)))
    } else if let Some(column) = between("invoke FileProfile(", ", 1)") {
        Ok(Step::FileProfile(column.trim_matches('"').to_owned()))
    } else {
        Err(wrong())
    }
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

/// The column inside a function's brackets, and the text after them.
fn inside<'a>(start: &str, text: &'a str) -> Option<(String, &'a str)> {
    let (column, rest) = text.strip_prefix(start)?.split_once(')')?;
    Some((column.to_owned(), rest))
}

fn comparison(text: &str) -> Parsed<'_> {
    if let Some(inside) = text.strip_prefix('(') {
        let (condition, rest) = any_or_all(inside)?;
        return Ok((condition, rest.strip_prefix(')').ok_or_else(|| syntax_error(rest))?));
    }
    if let Some((column, rest)) = inside("isempty(", text) {
        return Ok((Condition::IsEmpty(column), rest));
    }
    if let Some((column, rest)) = inside("isnotempty(", text) {
        return Ok((Condition::IsNotEmpty(column), rest));
    }
    let mut words = text.splitn(3, ' ');
    let (Some(column), Some(operator), Some(rest)) = (words.next(), words.next(), words.next()) else {
        return Err(syntax_error(text));
    };
    let (column, (exact, rest)) = (column.to_owned(), literal(rest)?);
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
        let query = format!(
            "AlertEvidence\n| where Timestamp > ago(30d)\n| where {condition}\n\
             | summarize arg_max(Timestamp, *) by AlertId\n| top 201 by Timestamp desc\n| project-away AdditionalFields"
        );
        Query::parse(&query)
    }

    fn matches(query: &Query, row: &Row) -> bool {
        query.steps.iter().all(|step| if let Step::Where(condition) = step { condition.matches(row) } else { true })
    }

    #[test]
    fn conditions_compare_as_kusto_does() {
        let row = [("DeviceName", "desk-042.contoso.com"), ("AccountName", "a\"b\\c")];
        let row: Row = row.into_iter().map(|(column, text)| (column.to_owned(), text.into())).collect();
        for (condition, expected) in [
            (r#"DeviceName =~ "DESK-042.contoso.com""#, true),
            (r#"(DeviceName =~ "desk-042" or DeviceName startswith "desk-042.")"#, true),
            (r#"(DeviceName =~ "desk-04" or DeviceName startswith "desk-04.")"#, false),
            (r#"AccountName =~ "a\"b\\c""#, true),
            (r#"AccountName =~ "a" and AccountDomain =~ "b""#, false),
            (r#"(AccountUpn =~ "a" or (isempty(AccountUpn) and AccountName =~ "A\"b\\c"))"#, true),
            (r#"AccountName =~ "a\"b\\c" and (AccountDomain =~ "x" or isempty(AccountDomain))"#, true),
            ("isempty(DeviceName)", false),
            ("isnotempty(DeviceName) and isempty(RemoteUrl)", true),
            (r#"(RemoteIP == "192.0.2.7" or LocalIP == "192.0.2.7")"#, false),
            (r#"DeviceName == "desk-042.contoso.com""#, true),
            (r#"DeviceName == "DESK-042.contoso.com""#, false),
            (r#"DeviceName has "CONTOSO.com""#, true),
            (r#"DeviceName has "toso.com""#, false),
        ] {
            let query = parse(condition).unwrap_or_else(|problem| panic!("{condition}: {problem}"));
            assert_eq!(matches(&query, &row), expected, "{condition}");
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
        for query in [
            "AlertInfo | take 1",
            "AlertInfo",
            "AlertEvidence\n| take 1",
            "AlertEvidence\n| top x by Timestamp desc",
            "AlertEvidence\n| project NoSuchColumn",
            "DeviceInfo\n| where RemoteUrl == \"a\"",
            "print SHA1 = \"a\" | take 1",
            "print SHA1 = \"a\"\n| invoke FileProfile(SHA256, 1)",
            "print SHA1 = \"a\"\n| invoke Anything(SHA1, 1)",
        ] {
            assert!(Query::parse(query).is_err(), "{query}");
        }
    }
}
