//! Entra's token endpoint, v2.0, client credentials.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>; the numbers of its
//! refusals: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.

use form_urlencoded::Serializer;
use http::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use super::assertion;
use super::credential::{App, Proof};
use super::error::{CredentialError, Refusal};
use super::store::SecretStore;
use super::token::Token;
use crate::domain::time::Moment;
use crate::upstream::{Body, Call, Context, Reply, Upstream, UpstreamError, judge};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The login service of one cloud.
#[derive(Clone, Debug)]
pub(super) struct Entra {
    pub(super) upstream: Upstream,
    pub(super) login: Url,
}

/// Entra's answer: a token, or a refusal that trying again does not change.
enum Answer {
    Token(Token),
    Refused(Refusal),
}

impl Entra {
    /// Gets a token for an audience.
    pub(super) async fn token(
        &self,
        app: &App,
        audience: &str,
        store: &SecretStore,
        ctx: &Context,
    ) -> Result<Token, CredentialError> {
        let endpoint = self.endpoint(&app.tenant_id)?;
        let proof = match &app.proof {
            Proof::Secret(secret) => vec![("client_secret", secret.clone())],
            Proof::Certificate { certificate_pem, private_key_pem } => {
                let now = Moment::now();
                let signed = assertion::sign(certificate_pem, private_key_pem, &app.client_id, endpoint.as_str(), now)?;
                vec![("client_assertion_type", ASSERTION_TYPE.to_owned()), ("client_assertion", signed)]
            }
            Proof::Federated => {
                let signed = store.web_identity_token(ctx).await.map_err(CredentialError::Federation)?;
                vec![("client_assertion_type", ASSERTION_TYPE.to_owned()), ("client_assertion", signed)]
            }
        };
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &app.client_id)
            .append_pair("scope", &format!("{audience}/.default"))
            .extend_pairs(proof)
            .finish();
        let call = Call {
            method: Method::POST,
            url: endpoint,
            authorization: None,
            prefer: None,
            body: Body::Form(form),
            api: None,
            cost: 1,
        };
        match self.upstream.send(&call, ctx, |reply| read(&reply)).await.map_err(CredentialError::Entra)? {
            Answer::Token(token) => Ok(token),
            Answer::Refused(refusal) => Err(CredentialError::Refused(refusal)),
        }
    }

    fn endpoint(&self, tenant: &str) -> Result<Url, CredentialError> {
        let mut url = self.login.clone();
        let Ok(mut segments) = url.path_segments_mut() else {
            return Err(CredentialError::Unusable("the login address takes no path"));
        };
        segments.pop_if_empty().extend([tenant, "oauth2", "v2.0", "token"]);
        drop(segments);
        Ok(url)
    }
}

fn read(reply: &Reply) -> Result<Answer, UpstreamError> {
    match reply.status {
        StatusCode::OK => {
            token(&reply.body).map(Answer::Token).ok_or(UpstreamError::malformed("no token in Entra's answer"))
        }
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
            let refusal: Option<RefusalBody> = serde_json::from_slice(&reply.body).ok();
            let status = reply.status.as_u16();
            refusal.map(|body| Answer::Refused(body.meaning())).ok_or(UpstreamError::Rejected { status })
        }
        _ => Err(judge(reply.status, &reply.headers, &reply.body)),
    }
}

fn token(body: &[u8]) -> Option<Token> {
    #[derive(Deserialize)]
    struct Body {
        access_token: String,
        expires_in: Seconds,
    }
    /// The v1 endpoint writes the number as a string.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(i64),
        Text(String),
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let life = match body.expires_in {
        Seconds::Number(seconds) => seconds,
        Seconds::Text(text) => text.parse().ok()?,
    };
    let now = Moment::now();
    let end = now.later(std::time::Duration::from_secs(u64::try_from(life).ok()?));
    Token::new(&body.access_token, Some(end), now)
}

#[derive(Deserialize)]
struct RefusalBody {
    error: String,
    #[serde(default)]
    error_codes: Vec<i64>,
}

impl RefusalBody {
    fn meaning(&self) -> Refusal {
        let of_number = |number: &i64| match number {
            90002 | 900_023 => Some(Refusal::UnknownTenant),
            700_016 => Some(Refusal::UnknownApplication),
            7_000_215 => Some(Refusal::WrongSecret),
            7_000_222 => Some(Refusal::ExpiredSecret),
            700_021..=700_030 => Some(Refusal::WrongAssertion),
            70021 | 700_211..=700_213 | 5_002_738 => Some(Refusal::NoFederation),
            500_011 | 70011 | 1_002_012 => Some(Refusal::UnknownApi),
            _ => None,
        };
        self.error_codes.iter().find_map(of_number).unwrap_or(match self.error.as_str() {
            "unauthorized_client" => Refusal::UnknownApplication,
            "invalid_resource" | "invalid_scope" => Refusal::UnknownApi,
            _ => Refusal::Other,
        })
    }
}
