//! AWS Secrets Manager: `GetSecretValue` over its JSON protocol.
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::exchange::{Answer, Call, Reply};
use super::random::uuid;
use super::refusal::Refusal;
use super::script::Route;

const TARGET: &str = "secretsmanager.GetSecretValue";
/// What every ARN of a secret starts with.
const ARN_PREFIX: &str = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:";
/// An ARN ends in a hyphen and six characters that AWS has added to the name.
const SUFFIX: usize = 6;

/// The secrets, by name.
#[derive(Default)]
pub(crate) struct Vault {
    secrets: BTreeMap<String, Secret>,
}

struct Secret {
    current: Version,
    previous: Option<Version>,
}

struct Version {
    id: String,
    text: String,
    /// Seconds since 1970.
    created: f64,
}

impl Vault {
    pub(crate) fn put(&mut self, name: &str, text: &str) {
        let created = Timestamp::now().as_duration().as_secs_f64();
        let current = Version { id: uuid(), text: text.to_owned(), created };
        let previous = self.secrets.remove(name).map(|before| before.current);
        self.secrets.insert(name.to_owned(), Secret { current, previous });
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.secrets.remove(name);
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(|secret| secret.current.text.as_str())
    }

    pub(crate) fn answer(&self, call: &Call) -> Answer {
        if call.method != Method::POST || call.path != "/" {
            return Answer::not_found();
        }
        if call.header("x-amz-target") != TARGET {
            return Answer::of_no_route(Err(Refusal::bad_request("UnknownOperationException", "")));
        }
        let request: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let member = |name: &str| request.get(name).and_then(Value::as_str);
        let name = member("SecretId").map(|id| self.name_of(id)).unwrap_or_default();
        let result = call
            .check_signature("secretsmanager")
            .and_then(|()| self.value(name, member("VersionStage"), member("VersionId")))
            .map(|document| Reply::aws_json(StatusCode::OK, &document, &uuid()));
        Answer::new(Route::Secret, name, result)
    }

    fn value(&self, name: &str, stage: Option<&str>, version: Option<&str>) -> Result<Value, Refusal> {
        if name.is_empty() {
            return Err(Refusal::bad_request("InvalidRequestException", "You must provide a value for SecretId."));
        }
        let not_found = |what: &str| {
            let message = format!("Secrets Manager can't find the specified secret{what}");
            Refusal::bad_request("ResourceNotFoundException", message)
        };
        let secret = self.secrets.get(name).ok_or_else(|| not_found("."))?;
        let stage = stage.or_else(|| version.is_none().then_some("AWSCURRENT"));
        let versions = [("AWSCURRENT", Some(&secret.current)), ("AWSPREVIOUS", secret.previous.as_ref())];
        let mut versions = versions.into_iter().filter_map(|(label, held)| Some((label, held?)));
        let found = versions.find(|(label, held)| {
            stage.is_none_or(|stage| stage == *label) && version.is_none_or(|version| version == held.id)
        });
        let (label, held) = found.ok_or_else(|| match version {
            Some(version) => not_found(&format!(" value for VersionId: {version}")),
            None => not_found(&format!(" value for staging label: {}", stage.unwrap_or_default())),
        })?;
        Ok(json!({
            "ARN": arn(name),
            "CreatedDate": held.created,
            "Name": name,
            "SecretString": held.text,
            "VersionId": held.id,
            "VersionStages": [label],
        }))
    }

    /// A secret may be asked for by name, by ARN, or by an ARN without its suffix.
    fn name_of<'a>(&self, id: &'a str) -> &'a str {
        let Some(name) = id.strip_prefix("arn:").and_then(|rest| rest.splitn(6, ':').nth(5)) else { return id };
        match name.rsplit_once('-') {
            Some((bare, suffix)) if suffix.len() == SUFFIX && !self.secrets.contains_key(name) => bare,
            _ => name,
        }
    }
}

/// The ARN of a secret, its suffix made from its name.
fn arn(name: &str) -> String {
    let suffix = hex::encode(digest(&SHA256, name.as_bytes()));
    format!("{ARN_PREFIX}{name}-{}", suffix.get(..SUFFIX).unwrap_or_default())
}
