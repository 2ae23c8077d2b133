//! The forms that the Defender secret may have.

use std::fmt;

use serde::Deserialize;

use super::error::CredentialError;
use super::token::Token;
use crate::domain::time::Moment;
use crate::upstream::Api;

/// What the secret holds.
#[derive(Debug)]
pub(crate) enum Credential {
    /// One token for whatever it opens: bare, or as `access_token`.
    Token(Token),
    /// A token per API.
    Tokens(TokenPerApi),
    /// An app registration, and how it proves itself to Entra.
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
    /// Its tenant: a GUID or a domain.
    pub(crate) tenant_id: String,
    /// Its id.
    pub(crate) client_id: String,
    /// How it proves itself.
    pub(crate) proof: Proof,
}

/// How an app proves itself to Entra.
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
    /// A token of AWS STS, which Entra was told to trust.
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

/// All members that any form has.
#[derive(Deserialize)]
struct Document {
    access_token: Option<String>,
    expires_at: Option<End>,
    tokens: Option<Tokens>,
    tenant_id: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    certificate_pem: Option<String>,
    private_key_pem: Option<String>,
    #[serde(default)]
    federated: bool,
}

#[derive(Deserialize)]
struct Tokens {
    defender: Option<String>,
    xdr: Option<String>,
    graph: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum End {
    Seconds(i64),
    Text(String),
}

impl End {
    fn moment(&self) -> Option<Moment> {
        match self {
            Self::Seconds(seconds) => Some(Moment::from_unix_seconds(*seconds)),
            Self::Text(text) => match text.parse() {
                Ok(seconds) => Some(Moment::from_unix_seconds(seconds)),
                Err(_) => Moment::parse(text),
            },
        }
    }
}

impl Credential {
    /// The name of its form.
    #[cfg(feature = "cli")]
    pub(crate) fn form(&self) -> &'static str {
        match self {
            Self::Token(_) => "one bearer token",
            Self::Tokens(_) => "a bearer token per API",
            Self::App(App { proof: Proof::Secret(_), .. }) => "a client secret",
            Self::App(App { proof: Proof::Certificate { .. }, .. }) => "a certificate",
            Self::App(App { proof: Proof::Federated, .. }) => "a federated credential, nothing stored",
        }
    }

    /// Reads a secret. What is wrong with it is told without any of it.
    pub(crate) fn parse(secret: &str, now: Moment) -> Result<Self, CredentialError> {
        let secret = secret.trim();
        if secret.is_empty() {
            return Err(CredentialError::Unusable("it is empty"));
        }
        if !secret.starts_with(['{', '[', '"']) {
            let token = Token::new(secret, None, now);
            return token.map(Self::Token).ok_or(CredentialError::Unusable("it is neither JSON nor a bearer token"));
        }
        let document: Document = serde_json::from_str(secret)
            .map_err(|_| CredentialError::Unusable("it is no JSON object with members of the known types"))?;
        document.credential(now)
    }
}

impl Document {
    fn credential(self, now: Moment) -> Result<Credential, CredentialError> {
        if let Some(text) = self.access_token {
            let end = self.expires_at.map(|end| end.moment().ok_or(CredentialError::Unusable("expires_at is no time")));
            let token = Token::new(&text, end.transpose()?, now);
            return token.map(Credential::Token).ok_or(CredentialError::Unusable("access_token is no bearer token"));
        }
        if let Some(tokens) = self.tokens {
            let read = |text: Option<String>| {
                let unusable = CredentialError::Unusable("one of tokens is no bearer token");
                text.map(|text| Token::new(&text, None, now).ok_or(unusable)).transpose()
            };
            return Ok(Credential::Tokens(TokenPerApi {
                endpoint: read(tokens.defender)?,
                xdr: read(tokens.xdr)?,
                graph: read(tokens.graph)?,
            }));
        }
        let (Some(tenant_id), Some(client_id)) = (self.tenant_id, self.client_id) else {
            let problem = "it has neither access_token, nor tokens, nor tenant_id and client_id";
            return Err(CredentialError::Unusable(problem));
        };
        if !is_name(&tenant_id) || !is_name(&client_id) {
            return Err(CredentialError::Unusable("tenant_id and client_id are GUIDs, or a domain"));
        }
        let proof = match (self.client_secret, self.certificate_pem, self.private_key_pem) {
            (Some(secret), _, _) if !secret.is_empty() => Proof::Secret(secret),
            (None, Some(certificate_pem), Some(private_key_pem)) => {
                Proof::Certificate { certificate_pem, private_key_pem }
            }
            (None, None, None) if self.federated => Proof::Federated,
            _ => {
                let problem = "it needs client_secret, or certificate_pem and private_key_pem, or federated";
                return Err(CredentialError::Unusable(problem));
            }
        };
        Ok(Credential::App(App { tenant_id, client_id, proof }))
    }
}

/// What may stand in the path to Entra.
fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
        && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(secret: &str) -> Result<Credential, CredentialError> {
        Credential::parse(secret, Moment::from_unix_seconds(1_000_000))
    }

    #[test]
    fn every_form_is_known() {
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
    fn what_makes_no_sense_is_told_without_it() {
        for secret in [
            "",
            "two words canary",
            "{broken-canary",
            "[]",
            r#"{"colour":"canary"}"#,
            r#"{"tenant_id":"canary"}"#,
            r#"{"client_id":"canary","client_secret":"canary"}"#,
            r#"{"tenant_id":"../canary","client_id":"c","client_secret":"s"}"#,
            r#"{"tenant_id":"t","client_id":"c"}"#,
            r#"{"access_token":"canary","expires_at":"soon"}"#,
            r#"{"tokens":{"defender":"can ary"}}"#,
        ] {
            let error = parse(secret).expect_err(secret);
            assert!(matches!(error, CredentialError::Unusable(_)), "{secret}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{secret}");
        }
    }
}
