//! The forms of the Defender secret, and its parser.

use std::fmt;

use serde_json::{Map, Value};

use super::application::ApplicationId;
use super::certificate_end;
use super::secret_text::{Content, Correction, Corrections, SecretProblem, parsed, trim, trimmed};
use super::token::Token;
use crate::client::Api;
use crate::domain::timestamp::Timestamp;

/// The parsed Defender secret.
#[derive(Debug)]
pub(crate) enum Credential {
    /// One token for all APIs: as plain text, or as `access_token`.
    Token(Token),
    /// A token per API.
    Tokens(TokenPerApi),
    /// An app registration and its proof for Entra.
    App(App),
}

/// A token for each API that the secret names.
#[derive(Debug)]
pub(crate) struct TokenPerApi {
    endpoint: Option<Token>,
    xdr: Option<Token>,
    graph: Option<Token>,
}

impl TokenPerApi {
    /// The token for an API.
    pub(crate) fn token(&self, api: Api) -> Option<&Token> {
        match api {
            Api::Endpoint => self.endpoint.as_ref(),
            Api::Xdr => self.xdr.as_ref(),
            Api::Graph | Api::Hunting => self.graph.as_ref(),
        }
    }
}

/// An app registration in Entra.
#[derive(Debug)]
pub(crate) struct App {
    /// The tenant: a GUID or a domain.
    pub(crate) tenant_id: String,
    /// The application id.
    pub(crate) client_id: String,
    /// The proof of its identity.
    pub(crate) proof: Proof,
    /// When the proof ends, as the secret says.
    pub(crate) expires_at: Option<Timestamp>,
}

/// How an app authenticates to Entra.
pub(crate) enum Proof {
    /// A client secret.
    Secret(String),
    /// A certificate and its key, in PEM form.
    Certificate {
        /// The certificate.
        certificate_pem: String,
        /// Its RSA key, PKCS#8 or PKCS#1.
        private_key_pem: String,
    },
    /// A token from AWS STS, which Entra trusts through a federated credential.
    Federated,
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::Certificate { .. } => "Certificate(…)",
            Self::Federated => "Federated",
        })
    }
}

/// The documented names of the members, each with the other names that are accepted: other spellings, and the names
/// that the Azure CLI writes (`az ad sp create-for-rbac`).
const MEMBER_NAMES: [(&str, &[&str]); 9] = [
    ("access_token", &["accessToken"]),
    ("expires_at", &["expiresAt"]),
    ("tokens", &[]),
    ("tenant_id", &["tenantId", "tenant"]),
    ("client_id", &["clientId", "appId", "app_id"]),
    ("client_secret", &["clientSecret", "password"]),
    ("certificate_pem", &["certificatePem"]),
    ("private_key_pem", &["privateKeyPem"]),
    ("federated", &[]),
];

impl Credential {
    /// The name of the form, for `check`.
    pub(crate) fn form(&self) -> &'static str {
        match self {
            Self::Token(_) => "one bearer token",
            Self::Tokens(_) => "a bearer token per API",
            Self::App(App { proof: Proof::Secret(_), .. }) => "a client secret",
            Self::App(App { proof: Proof::Certificate { .. }, .. }) => "a certificate",
            Self::App(App { proof: Proof::Federated, .. }) => "a federated credential, nothing stored",
        }
    }

    /// The application whose quota the calls to an API use; `None` for a bearer token that does not name it.
    pub(super) fn application(&self, api: Api) -> Option<ApplicationId> {
        match self {
            Self::Token(token) => token.application(),
            Self::Tokens(tokens) => tokens.token(api)?.application(),
            Self::App(app) => Some(ApplicationId::new(&app.tenant_id, &app.client_id)),
        }
    }

    /// When an administrator has to renew the credential, as far as the secret tells. A bearer token ends within hours, and
    /// whoever stores it renews it.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        let Self::App(app) = self else { return None };
        let certificate_end = match &app.proof {
            Proof::Certificate { certificate_pem, .. } => certificate_end::of_pem(certificate_pem),
            Proof::Secret(_) | Proof::Federated => None,
        };
        [app.expires_at, certificate_end].into_iter().flatten().min()
    }

    /// Parses a secret. The error never contains any of its content.
    pub(crate) fn parse(secret: &str, now: Timestamp, corrections: &mut Corrections) -> Result<Self, SecretProblem> {
        match Content::read(secret, corrections)? {
            Content::Bare(text) => {
                let problem = SecretProblem::Other("it is neither JSON nor a bearer token");
                token(&text, "it", None, now, corrections).map(Self::Token).ok_or(problem)
            }
            Content::Document(document) => Document { members: &document, now, corrections }.credential(),
        }
    }
}

/// A parser for the members of a secret.
struct Document<'a> {
    members: &'a Map<String, Value>,
    now: Timestamp,
    corrections: &'a mut Corrections,
}

impl Document<'_> {
    fn credential(&mut self) -> Result<Credential, SecretProblem> {
        if let Some(text) = self.text("access_token")? {
            let end = self.end("expires_at")?;
            let token = token(&text, "access_token", end, self.now, self.corrections);
            let problem = SecretProblem::member("access_token", "is no bearer token");
            return token.map(Credential::Token).ok_or(problem);
        }
        if let Some(tokens) = self.tokens()? {
            return Ok(Credential::Tokens(tokens));
        }
        let (tenant_id, client_id) = (self.text("tenant_id")?, self.text("client_id")?);
        let is_missing = |member| SecretProblem::member(member, "is missing");
        let (tenant_id, client_id) = match (tenant_id, client_id) {
            (Some(tenant_id), Some(client_id)) => (tenant_id, client_id),
            (Some(_), None) => return Err(is_missing("client_id")),
            (None, Some(_)) => return Err(is_missing("tenant_id")),
            (None, None) => {
                let problem = "it has neither access_token, nor tokens, nor tenant_id and client_id";
                return Err(SecretProblem::Other(problem));
            }
        };
        for (member, value) in [("tenant_id", &tenant_id), ("client_id", &client_id)] {
            if !is_name(value) {
                return Err(SecretProblem::member(member, "has to be a GUID, or a domain"));
            }
        }
        let proof = self.proof()?;
        // The time is for `check` only, so an unreadable one must not disable the credential.
        let expires_at = self.end("expires_at").unwrap_or_else(|_| {
            self.corrections.add(Correction::NoTime("expires_at"));
            None
        });
        Ok(Credential::App(App { tenant_id, client_id, proof, expires_at }))
    }

    fn proof(&mut self) -> Result<Proof, SecretProblem> {
        if let Some(secret) = self.text("client_secret")? {
            return Ok(Proof::Secret(secret));
        }
        match (self.pem("certificate_pem")?, self.pem("private_key_pem")?) {
            (Some(certificate_pem), Some(private_key_pem)) => {
                return Ok(Proof::Certificate { certificate_pem, private_key_pem });
            }
            (Some(_), None) => return Err(SecretProblem::member("private_key_pem", "is missing")),
            (None, Some(_)) => return Err(SecretProblem::member("certificate_pem", "is missing")),
            (None, None) => {}
        }
        if self.flag("federated")? {
            return Ok(Proof::Federated);
        }
        let problem = "it needs client_secret, or certificate_pem and private_key_pem, or federated";
        Err(SecretProblem::Other(problem))
    }

    /// Finds a member by its documented name or another accepted name. Null and an empty text count as absent.
    fn member(&mut self, member: &'static str) -> Option<&Value> {
        let is_present = |value: &&Value| match value {
            Value::Null => false,
            Value::String(text) => !trimmed(text).is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        };
        if let Some(value) = self.members.get(member).filter(is_present) {
            return Some(value);
        }
        let others = MEMBER_NAMES.iter().find(|(name, _)| *name == member).map_or(&[][..], |(_, others)| others);
        let (written, value) =
            others.iter().find_map(|other| Some((*other, self.members.get(*other).filter(is_present)?)))?;
        self.corrections.add(Correction::OtherName { written, member });
        Some(value)
    }

    fn text(&mut self, member: &'static str) -> Result<Option<String>, SecretProblem> {
        let text = self.untrimmed(member)?;
        Ok(text.map(|text| trim(&text, member, self.corrections).to_owned()))
    }

    fn untrimmed(&mut self, member: &'static str) -> Result<Option<String>, SecretProblem> {
        match self.member(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(SecretProblem::member(member, "has to be a text")),
        }
    }

    /// A PEM text. A PEM file ends with a line break, so white space around it is no mistake. Line breaks that were
    /// escaped twice are corrected.
    fn pem(&mut self, member: &'static str) -> Result<Option<String>, SecretProblem> {
        let text = self.untrimmed(member)?;
        Ok(text.map(|text| {
            let text = trimmed(&text).to_owned();
            if text.contains('\n') || !text.contains("\\n") {
                return text;
            }
            self.corrections.add(Correction::EscapedLineBreaks(member));
            text.replace("\\r", "").replace("\\n", "\n")
        }))
    }

    fn flag(&mut self, member: &'static str) -> Result<bool, SecretProblem> {
        let text = match self.member(member) {
            None => return Ok(false),
            Some(Value::Bool(flag)) => return Ok(*flag),
            Some(Value::String(text)) => trimmed(text).to_ascii_lowercase(),
            Some(_) => String::new(),
        };
        let flag = match text.as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(SecretProblem::member(member, "has to be true or false")),
        };
        self.corrections.add(Correction::TextForBoolean(member));
        Ok(flag)
    }

    /// A time: seconds since 1970, as a number or as digits, or an RFC 3339 text.
    fn end(&mut self, member: &'static str) -> Result<Option<Timestamp>, SecretProblem> {
        let end = match self.member(member) {
            None => return Ok(None),
            Some(Value::Number(seconds)) => seconds.as_i64().map(Timestamp::from_unix_seconds),
            Some(Value::String(text)) => match trimmed(text).parse() {
                Ok(seconds) => Some(Timestamp::from_unix_seconds(seconds)),
                Err(_) => Timestamp::parse(trimmed(text)),
            },
            Some(_) => None,
        };
        end.map(Some).ok_or(SecretProblem::member(member, "is no time"))
    }

    fn tokens(&mut self) -> Result<Option<TokenPerApi>, SecretProblem> {
        let problem = SecretProblem::member("tokens", "has to be an object with defender, xdr or graph");
        let members = match self.member("tokens").cloned() {
            None => return Ok(None),
            Some(Value::Object(members)) => members,
            Some(Value::String(text)) => {
                let Some(Value::Object(members)) = parsed(&text, self.corrections) else { return Err(problem) };
                self.corrections.add(Correction::EncodedTwice("tokens"));
                members
            }
            Some(_) => return Err(problem),
        };
        let mut own = Document { members: &members, now: self.now, corrections: &mut *self.corrections };
        let mut read = |member, problem| {
            let Some(text) = own.text(member)? else { return Ok(None) };
            let token = token(&text, "one of tokens", None, own.now, own.corrections);
            token.map(Some).ok_or(SecretProblem::member(member, problem))
        };
        let problem = "of tokens is no bearer token";
        let tokens = TokenPerApi {
            endpoint: read("defender", problem)?,
            xdr: read("xdr", problem)?,
            graph: read("graph", problem)?,
        };
        Ok(Some(tokens))
    }
}

/// Parses a bearer token, also with the prefix `Bearer ` of the header.
fn token(
    text: &str,
    member: &'static str,
    end: Option<Timestamp>,
    now: Timestamp,
    corrections: &mut Corrections,
) -> Option<Token> {
    let bare = match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => {
            corrections.add(Correction::Scheme(member));
            rest
        }
        _ => text,
    };
    Token::new(bare, end, now)
}

/// Whether a text is safe as a segment of the path to Entra: letters, digits, `-` and `.`.
fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
        && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn parse(secret: &str) -> Result<Credential, SecretProblem> {
        Credential::parse(secret, Timestamp::from_unix_seconds(1_000_000), &mut Corrections::default())
    }

    /// Describes the parsed secret, and the corrections that were made.
    fn read(secret: &str) -> (String, String) {
        let mut corrections = Corrections::default();
        let credential = Credential::parse(secret, Timestamp::from_unix_seconds(1_000_000), &mut corrections);
        let description = match credential {
            Ok(Credential::App(app)) => match app.proof {
                Proof::Secret(secret) => format!("{} {} {secret}", app.tenant_id, app.client_id),
                Proof::Certificate { certificate_pem, private_key_pem } => {
                    format!("{certificate_pem} {private_key_pem}")
                }
                Proof::Federated => format!("{} {} federated", app.tenant_id, app.client_id),
            },
            Ok(Credential::Token(token)) => format!("{:?}", token.header().to_str()),
            Ok(Credential::Tokens(tokens)) => format!("{}", tokens.token(Api::Endpoint).is_some()),
            Err(problem) => problem.to_string(),
        };
        (description, corrections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn credentials_of_one_application_share_its_quota_whatever_their_form() {
        let of = |secret: &str, api| parse(secret).ok().and_then(|credential| credential.application(api));
        let app = of(r#"{"tenant_id":"AA-1","client_id":"bb-2","client_secret":"s"}"#, Api::Graph);
        let claims = URL_SAFE_NO_PAD.encode(r#"{"tid":"aa-1","appid":"BB-2"}"#);
        let token = format!("e30.{claims}.x");
        let per_api = format!(r#"{{"tokens":{{"graph":"{token}","xdr":"opaque"}}}}"#);
        assert!(app.is_some());
        assert_eq!([of(&token, Api::Xdr), of(&per_api, Api::Graph), of(&per_api, Api::Hunting)], [app; 3]);
        assert_eq!([of(&per_api, Api::Xdr), of("opaque", Api::Graph)], [None; 2]);
        assert_ne!(of(r#"{"tenant_id":"AA-1","client_id":"other","federated":true}"#, Api::Graph), app);
    }

    #[test]
    fn every_documented_form_is_parsed() {
        assert!(matches!(parse(" a.b.c\n"), Ok(Credential::Token(_))));
        assert!(matches!(parse(r#"{"access_token":"t","expires_at":1000060}"#), Ok(Credential::Token(_))));
        assert!(matches!(
            parse(r#"{"access_token":"t","expires_at":"2026-01-01T00:00:00Z"}"#),
            Ok(Credential::Token(_))
        ));
        let per_api = parse(r#"{"tokens":{"defender":"d","xdr":"x","graph":"g"}}"#);
        assert!(
            matches!(per_api, Ok(Credential::Tokens(tokens)) if tokens.token(Api::Xdr).is_some() && tokens.token(Api::Hunting).is_some())
        );
        let proof = |rest: &str| match parse(&format!(r#"{{"tenant_id":"t","client_id":"c",{rest}}}"#)) {
            Ok(Credential::App(app)) => format!("{:?}", app.proof),
            other => format!("{other:?}"),
        };
        assert_eq!(proof(r#""client_secret":"canary""#), "Secret(…)");
        assert_eq!(proof(r#""certificate_pem":"canary","private_key_pem":"canary""#), "Certificate(…)");
        assert_eq!(proof(r#""federated":true"#), "Federated");
    }

    #[test]
    fn common_mistakes_are_corrected_and_reported() {
        for (secret, understood, corrections) in [
            (
                "{\"tenant_id\":\"t \",\"client_id\":\" c\",\"client_secret\":\"s\\n\"}",
                "t c s",
                "tenant_id has white space around it; client_id has white space around it; client_secret has white space around it",
            ),
            (
                r#"{"tenant_id":"t","client_id":"c","client_secret":"s","certificate_pem":"","private_key_pem":null,"access_token":" ","tokens":"","note":"rotated"}"#,
                "t c s",
                "",
            ),
            (
                r#"{"tenant_id":"t","client_id":"c","client_secret":"","federated":"true"}"#,
                "t c federated",
                "federated is a text and should be true or false",
            ),
            (r#"{"tenant_id":"t","client_id":"c","client_secret":"s","federated":"False"}"#, "t c s", ""),
            (r#"{"tenant_id":"t","client_id":"c","client_secret":"s","tokens":{},"access_token":[]}"#, "t c s", ""),
            (
                r#"{"tenantId":"t","clientId":"c","clientSecret":"s"}"#,
                "t c s",
                "tenant_id is named tenantId; client_id is named clientId; client_secret is named clientSecret",
            ),
            (
                r#"{"appId":"c","displayName":"x","password":"s","tenant":"t"}"#,
                "t c s",
                "tenant_id is named tenant; client_id is named appId; client_secret is named password",
            ),
            (r#"{"tokens":"{\"defender\":\"a.b.c\"}"}"#, "true", "tokens is encoded twice: JSON inside a JSON text"),
            (
                r#"{"tenant_id":"t","client_id":"c","certificate_pem":"a\\nb","private_key_pem":"k\nk\n"}"#,
                "a\nb k\nk",
                "certificate_pem has \\n where line breaks should be",
            ),
            ("Bearer a.b.c", r#"Ok("Bearer a.b.c")"#, "it begins with the word Bearer"),
        ] {
            assert_eq!(read(secret), (understood.to_owned(), corrections.to_owned()), "{secret}");
        }
    }

    #[test]
    fn an_invalid_secret_is_reported_by_member_without_its_content() {
        for (secret, problem) in [
            ("two words canary", "it is neither JSON nor a bearer token"),
            (r#"{"colour":"canary"}"#, "it has neither access_token, nor tokens, nor tenant_id and client_id"),
            (r#"{"tenant_id":"canary"}"#, "client_id is missing"),
            (r#"{"client_id":"canary","client_secret":"canary"}"#, "tenant_id is missing"),
            (r#"{"tenant_id":7,"client_id":"c"}"#, "tenant_id has to be a text"),
            (
                r#"{"tenant_id":"../canary","client_id":"canary","client_secret":"canary"}"#,
                "tenant_id has to be a GUID, or a domain",
            ),
            (r#"{"tenant_id":"t","client_id":"c","certificate_pem":"canary"}"#, "private_key_pem is missing"),
            (r#"{"tenant_id":"t","client_id":"c","federated":"canary"}"#, "federated has to be true or false"),
            (r#"{"tokens":["canary"]}"#, "tokens has to be an object with defender, xdr or graph"),
            (r#"{"tokens":{"xdr":"can ary"}}"#, "xdr of tokens is no bearer token"),
            (r#"{"access_token":"canary","expires_at":"soon"}"#, "expires_at is no time"),
        ] {
            let error = parse(secret).expect_err(secret);
            assert_eq!(error.to_string(), problem, "{secret}");
            assert!(!format!("{error:?}").contains("canary"), "{secret}");
        }
    }
}
