//! AWS Secrets Manager: `GetSecretValue` over its JSON protocol.
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::exchange::{Answer, Call, Reply, Signed};
use super::random::Randomness;
use super::script::Route;

const TARGET: &str = "secretsmanager.GetSecretValue";
/// Where ARNs say that the secrets are.
const PLACE: &str = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:";
/// An ARN ends in a hyphen and six characters that AWS has added to the name.
const SUFFIX: usize = 6;

/// The secrets, by name.
#[derive(Default)]
pub(super) struct Vault {
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
    pub(super) fn put(&mut self, name: &str, text: &str, random: &mut Randomness) {
        let created = Timestamp::now().as_duration().as_secs_f64();
        let current = Version { id: random.uuid(), text: text.to_owned(), created };
        let previous = self.secrets.remove(name).map(|before| before.current);
        self.secrets.insert(name.to_owned(), Secret { current, previous });
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.secrets.remove(name);
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(|secret| secret.current.text.as_str())
    }

    pub(super) fn answer(&self, call: &Call, random: &mut Randomness) -> Answer {
        if call.method != Method::POST || call.path != "/" {
            return Answer::nowhere();
        }
        let request_id = random.uuid();
        let refuse = |kind: &str, message: &str| Reply::aws_error(StatusCode::BAD_REQUEST, kind, message, &request_id);
        if call.header("x-amz-target") != TARGET {
            return Answer { reply: refuse("UnknownOperationException", ""), ..Answer::nowhere() };
        }
        let asked: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let asked = |name: &str| asked.get(name).and_then(Value::as_str);
        let name = asked("SecretId").map(|id| self.name_of(id)).unwrap_or_default();
        let reply = match call.signed() {
            Signed::No => refuse("MissingAuthenticationTokenException", "Missing Authentication Token"),
            Signed::Badly => {
                refuse("IncompleteSignatureException", "The request signature does not conform to AWS standards.")
            }
            Signed::For("secretsmanager") if name.is_empty() => {
                refuse("InvalidRequestException", "You must provide a value for SecretId.")
            }
            Signed::For("secretsmanager") => self.value(name, asked("VersionStage"), asked("VersionId"), &request_id),
            Signed::For(_) => {
                refuse("InvalidSignatureException", "Credential should be scoped to correct service: 'secretsmanager'.")
            }
        };
        Answer::new(Route::Secret, name, reply)
    }

    fn value(&self, name: &str, stage: Option<&str>, version: Option<&str>, request_id: &str) -> Reply {
        let missing =
            |message: &str| Reply::aws_error(StatusCode::BAD_REQUEST, "ResourceNotFoundException", message, request_id);
        let Some(secret) = self.secrets.get(name) else {
            return missing("Secrets Manager can't find the specified secret.");
        };
        let stage_asked = stage.or_else(|| version.is_none().then_some("AWSCURRENT"));
        let fits = |(stage, held): &(&str, &Version)| {
            stage_asked.is_none_or(|asked| asked == *stage) && version.is_none_or(|asked| asked == held.id)
        };
        let versions = [("AWSCURRENT", Some(&secret.current)), ("AWSPREVIOUS", secret.previous.as_ref())];
        let Some((stage, held)) = versions.into_iter().filter_map(|(stage, held)| Some((stage, held?))).find(fits)
        else {
            let (what, asked) =
                version.map_or(("staging label", stage_asked.unwrap_or_default()), |version| ("VersionId", version));
            return missing(&format!("Secrets Manager can't find the specified secret value for {what}: {asked}"));
        };
        let document = json!({
            "ARN": arn(name),
            "CreatedDate": held.created,
            "Name": name,
            "SecretString": held.text,
            "VersionId": held.id,
            "VersionStages": [stage],
        });
        Reply::aws_json(StatusCode::OK, &document, request_id)
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
pub(super) fn arn(name: &str) -> String {
    let suffix = hex::encode(digest(&SHA256, name.as_bytes()));
    format!("{PLACE}{name}-{}", suffix.get(..SUFFIX).unwrap_or_default())
}
