//! Amazon DynamoDB: `GetItem`, `PutItem` and `UpdateItem` over its JSON protocol, on one table with the partition key `pk`.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>
//!
//! Of its expressions, this reads assignments of values and comparisons with values, and refuses all others. Items that have
//! expired stay, as they do in AWS for days.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::exchange::{Answer, Call, Reply};
use super::random::uuid;
use super::refusal::Refusal;
use super::script::Route;

/// What precedes the name of an operation.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";
/// What precedes the name of an error.
pub(crate) const ERROR_PREFIX: &str = "com.amazonaws.dynamodb.v20120810#";

type Item = Map<String, Value>;

/// The table, if it exists.
pub(crate) struct Table {
    name: &'static str,
    items: Option<BTreeMap<String, Item>>,
    /// What the last request has replaced.
    replaced: Option<(String, Option<Item>)>,
}

/// What an operation was asked to do.
struct Request {
    body: Value,
}

impl Table {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, items: Some(BTreeMap::new()), replaced: None }
    }

    /// Makes the table anew and empty, or removes it.
    pub(crate) fn set_exists(&mut self, exists: bool) {
        self.items = exists.then(BTreeMap::new);
    }

    pub(crate) fn items(&self) -> Vec<Value> {
        self.items.iter().flatten().map(|(_, item)| Value::Object(item.clone())).collect()
    }

    /// Puts an item, whatever it holds beside its key.
    pub(crate) fn put(&mut self, item: Value) -> Option<()> {
        let Value::Object(item) = item else { return None };
        let key = key_of(&item)?.to_owned();
        self.items.as_mut()?.insert(key, item);
        Some(())
    }

    /// Takes back what the last request has written.
    pub(crate) fn undo(&mut self) {
        let Some(((key, before), items)) = self.replaced.take().zip(self.items.as_mut()) else { return };
        match before {
            Some(item) => items.insert(key, item),
            None => items.remove(&key),
        };
    }

    pub(crate) fn answer(&mut self, call: &Call) -> Answer {
        self.replaced = None;
        if call.method != Method::POST || call.path != "/" {
            return Answer::not_found();
        }
        let operation = call.header("x-amz-target").strip_prefix(TARGET_PREFIX).unwrap_or_default();
        if !["GetItem", "PutItem", "UpdateItem"].contains(&operation) {
            return Answer::of_no_route(Err(Refusal::bad_request("UnknownOperationException", "")));
        }
        let request = Request { body: serde_json::from_slice(&call.body).unwrap_or_default() };
        let result = call.check_signature("dynamodb").and_then(|()| self.perform(operation, &request));
        Answer::new(Route::Table, operation, result)
    }

    fn perform(&mut self, operation: &str, request: &Request) -> Result<Reply, Refusal> {
        let table = request.text("TableName");
        let name = if table.starts_with("arn:") { table.rsplit('/').next().unwrap_or_default() } else { table };
        let items = self.items.as_mut().filter(|_| name == self.name);
        let gone = || Refusal::bad_request("ResourceNotFoundException", "Requested resource not found");
        let items = items.ok_or_else(gone)?;
        let keyed = request.object(if operation == "PutItem" { "Item" } else { "Key" });
        let (keyed, key) = keyed.and_then(|item| Some((item, key_of(item)?))).ok_or_else(|| invalid("the key"))?;
        let before = items.get(key);
        let new = match operation {
            "GetItem" => {
                let document = before.map_or_else(|| json!({}), |item| json!({"Item": item}));
                return Ok(reply(StatusCode::OK, &document));
            }
            "PutItem" => keyed.clone(),
            _ => before.unwrap_or(keyed).clone().into_iter().chain(request.assigned()?).collect(),
        };
        request.check_words()?;
        if !request.permits(before)? {
            let wanted = request.text("ReturnValuesOnConditionCheckFailure") == "ALL_OLD";
            let code = format!("{ERROR_PREFIX}ConditionalCheckFailedException");
            let message = "The conditional request failed";
            let refusal = match before.filter(|_| wanted) {
                Some(item) => json!({"__type": code, "message": message, "Item": item}),
                None => json!({"__type": code, "message": message}),
            };
            return Ok(reply(StatusCode::BAD_REQUEST, &refusal));
        }
        let written = match request.text("ReturnValues") {
            "UPDATED_NEW" => json!({"Attributes": request.assigned()?}),
            _ => json!({}),
        };
        self.replaced = Some((key.to_owned(), items.insert(key.to_owned(), new)));
        Ok(reply(StatusCode::OK, &written))
    }
}

impl Request {
    fn text(&self, member: &str) -> &str {
        self.body.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    fn object(&self, member: &str) -> Option<&Item> {
        self.body.get(member).and_then(Value::as_object)
    }

    /// What `SET a = :a, #b = :b` assigns.
    fn assigned(&self) -> Result<Item, Refusal> {
        let expression = self.text("UpdateExpression");
        let assignments = expression.strip_prefix("SET ").ok_or_else(|| invalid(expression))?.split(',');
        let assigned = assignments.map(|assignment| {
            let (name, value) = assignment.split_once('=').ok_or_else(|| invalid(assignment))?;
            let (name, value) = (self.name(name)?, self.value(value)?);
            if name == "pk" {
                Err(invalid("Cannot update attribute pk."))
            } else {
                Ok((name.to_owned(), value.clone()))
            }
        });
        assigned.collect()
    }

    /// Whether the condition holds for the item that is there. `AND` binds tighter than `OR`; there are no parentheses.
    fn permits(&self, item: Option<&Item>) -> Result<bool, Refusal> {
        let condition = self.text("ConditionExpression");
        let mut permits = condition.is_empty();
        for alternative in condition.split(" OR ").filter(|_| !condition.is_empty()) {
            let mut all = true;
            for term in alternative.split(" AND ") {
                all &= self.holds(term.trim(), item)?;
            }
            permits |= all;
        }
        Ok(permits)
    }

    fn holds(&self, term: &str, item: Option<&Item>) -> Result<bool, Refusal> {
        let argument = term.strip_prefix("attribute_not_exists(").and_then(|rest| rest.strip_suffix(')'));
        if let Some(name) = argument {
            return Ok(self.attribute(name, item)?.is_none());
        }
        let [name, comparator, value] = term.split(' ').collect::<Vec<_>>()[..] else { return Err(invalid(term)) };
        let (found, value) = (self.attribute(name, item)?, self.value(value)?);
        match comparator {
            "=" => Ok(found == Some(value)),
            "<" => Ok(found.and_then(number).zip(number(value)).is_some_and(|(found, value)| found < value)),
            _ => Err(invalid(term)),
        }
    }

    fn attribute<'a>(&self, name: &str, item: Option<&'a Item>) -> Result<Option<&'a Value>, Refusal> {
        let name = self.name(name)?;
        Ok(item.and_then(|item| item.get(name)))
    }

    /// An attribute's name, written as itself or as `#placeholder`.
    fn name<'a>(&'a self, word: &'a str) -> Result<&'a str, Refusal> {
        let word = word.trim();
        let name = if word.starts_with('#') {
            self.object("ExpressionAttributeNames").and_then(|names| names.get(word)?.as_str())
        } else {
            let is_name = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            is_name.then_some(word)
        };
        name.ok_or_else(|| invalid(word))
    }

    /// The value of a `:placeholder`.
    fn value(&self, word: &str) -> Result<&Value, Refusal> {
        let word = word.trim();
        self.object("ExpressionAttributeValues").and_then(|values| values.get(word)).ok_or_else(|| invalid(word))
    }

    /// DynamoDB refuses placeholders that are not used.
    fn check_words(&self) -> Result<(), Refusal> {
        let expressions = [self.text("UpdateExpression"), self.text("ConditionExpression")];
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_#:".contains(c);
        let used = |word: &str| expressions.iter().any(|text| text.split(|c| !is_word(c)).any(|other| other == word));
        for member in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
            if let Some(unused) = self.object(member).and_then(|words| words.keys().find(|word| !used(word))) {
                return Err(invalid(&format!("Value provided in {member} unused in expressions: keys: {{{unused}}}")));
            }
        }
        Ok(())
    }
}

fn key_of(item: &Item) -> Option<&str> {
    item.get("pk")?.get("S")?.as_str().filter(|key| !key.is_empty())
}

fn number(value: &Value) -> Option<f64> {
    value.get("N")?.as_str()?.parse().ok()
}

fn invalid(what: &str) -> Refusal {
    Refusal::bad_request("ValidationException", format!("This stand-in does not understand: {what}"))
}

/// An answer of the protocol's version 1.0.
pub(crate) fn reply(status: StatusCode, document: &Value) -> Reply {
    Reply { content_type: "application/x-amz-json-1.0", ..Reply::aws_json(status, document, &uuid()) }
}
