//! Entra's token endpoint, v2.0, client credentials.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>; the numbers of its
//! refusals: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use form_urlencoded::Serializer;
use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use url::Url;

use super::assertion;
use super::credential::{App, Proof};
use super::error::{CredentialError, Refusal, RefusalReason};
use super::secret_text::SecretProblem;
use super::store::SecretStore;
use super::token::Token;
use crate::client::{Body, Call, ClientError, Context, Reached, Reply, Upstream, error_from_status, retry_after};
use crate::domain::timestamp::Timestamp;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The login service of one cloud.
#[derive(Debug)]
pub(super) struct Entra {
    upstream: Upstream,
    login: Url,
    closed: Mutex<Option<Closed>>,
}

/// Entra's answer: a token, or a refusal that trying again does not change.
enum Answer {
    Token(Token),
    Refused(Refusal),
}

impl Entra {
    pub(super) fn new(upstream: Upstream, login: Url) -> Self {
        Self { upstream, login, closed: Mutex::default() }
    }

    /// Gets a token for an audience.
    pub(super) async fn token(
        &self,
        app: &App,
        audience: &str,
        store: &SecretStore,
        ctx: &Context,
    ) -> Result<Token, CredentialError> {
        let endpoint = self.endpoint(&app.tenant_id)?;
        self.opens(ctx).await.map_err(CredentialError::Entra)?;
        let proof = match &app.proof {
            Proof::Secret(secret) => vec![("client_secret", secret.clone())],
            Proof::Certificate { certificate_pem, private_key_pem } => {
                let now = Timestamp::now();
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
        match self.upstream.send(&call, ctx, |reply| self.read(&reply)).await.map_err(CredentialError::Entra)? {
            Answer::Token(token) => Ok(token),
            Answer::Refused(refusal) => Err(CredentialError::Refused(refusal)),
        }
    }

    fn endpoint(&self, tenant: &str) -> Result<Url, CredentialError> {
        let mut url = self.login.clone();
        let Ok(mut segments) = url.path_segments_mut() else {
            return Err(CredentialError::Unusable(SecretProblem::Other("the login address takes no path")));
        };
        segments.pop_if_empty().extend([tenant, "oauth2", "v2.0", "token"]);
        drop(segments);
        Ok(url)
    }

    /// Waits until Entra takes calls again. Where that is too late, one call a second finds out whether it takes them
    /// already; an error for everybody else.
    async fn opens(&self, ctx: &Context) -> Result<(), ClientError> {
        loop {
            let now = Instant::now();
            let (wait, is_probe) = {
                let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(closed) = closed.as_mut().filter(|closed| closed.until > now) else { return Ok(()) };
                let wait = closed.until - now;
                if wait < ctx.deadline.remaining() {
                    (wait, false)
                } else {
                    let probe = closed.take_probe(now, ctx.deadline.remaining());
                    (probe.ok_or_else(|| closed.error.clone().after(wait))?, true)
                }
            };
            sleep(wait).await;
            if is_probe {
                return Ok(());
            }
        }
    }

    fn read(&self, reply: &Reply) -> Result<Answer, ClientError> {
        let answer = read(reply);
        if let Err(error) = &answer
            && let Some(wait) = error.wait()
        {
            let now = Instant::now();
            let closed = Closed { until: now + wait, next_probe: now + PROBE_INTERVAL, error: error.clone() };
            *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some(closed);
        }
        answer
    }
}

/// Between calls that only find out whether Entra takes calls again.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// What Entra has said last with a `Retry-After`.
#[derive(Debug)]
struct Closed {
    /// Until when it wants no call.
    until: Instant,
    /// When the next call may find out whether that still holds.
    next_probe: Instant,
    error: ClientError,
}

impl Closed {
    /// How long to wait for the next probe, if nobody has taken it and it is in time.
    fn take_probe(&mut self, now: Instant, remaining: Duration) -> Option<Duration> {
        let at = self.next_probe.max(now);
        let wait = at - now;
        if wait > PROBE_INTERVAL || wait >= remaining {
            return None;
        }
        self.next_probe = at + PROBE_INTERVAL;
        Some(wait)
    }
}

fn read(reply: &Reply) -> Result<Answer, ClientError> {
    match reply.status {
        StatusCode::OK => {
            token(&reply.body).map(Answer::Token).ok_or(ClientError::malformed("no token in Entra's answer"))
        }
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
            let refusal: Option<RefusalBody> = serde_json::from_slice(&reply.body).ok();
            let status = reply.status.as_u16();
            match refusal {
                Some(body) if body.is_passing() => Err(ClientError::Unavailable {
                    retry_after: retry_after(&reply.headers, Timestamp::now()),
                    reason: "Entra says that it is unavailable for now",
                    reached: Reached::Nobody,
                }),
                Some(body) => Ok(Answer::Refused(body.meaning())),
                None => Err(ClientError::Rejected { status }),
            }
        }
        _ => Err(error_from_status(reply.status, &reply.headers, &reply.body)),
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
    let now = Timestamp::now();
    let end = now.later(Duration::from_secs(u64::try_from(life).ok()?));
    Token::new(&body.access_token, Some(end), now)
}

#[derive(Deserialize)]
struct RefusalBody {
    error: String,
    #[serde(default)]
    error_codes: Vec<i64>,
}

impl RefusalBody {
    /// Whether it is Entra's own trouble, told with a status that means a refusal.
    fn is_passing(&self) -> bool {
        /// A transient error, a budget that is spent, a tenant that is throttled.
        const PASSING: [i64; 4] = [90006, 90024, 90033, 90055];
        matches!(self.error.as_str(), "temporarily_unavailable" | "server_error")
            || self.error_codes.iter().any(|number| PASSING.contains(number))
    }

    fn meaning(&self) -> Refusal {
        let known = self.error_codes.iter().find_map(|number| Some((*number, reason_of(*number)?)));
        let (number, reason) =
            known.map_or((self.error_codes.first().copied(), None), |(number, reason)| (Some(number), Some(reason)));
        let reason = reason.unwrap_or(match self.error.as_str() {
            "unauthorized_client" if number.is_none() => RefusalReason::UnknownApplication,
            "invalid_resource" | "invalid_scope" => RefusalReason::UnknownApi,
            _ => RefusalReason::Other,
        });
        Refusal { reason, number }
    }
}

fn reason_of(number: i64) -> Option<RefusalReason> {
    match number {
        90002 | 900_023 => Some(RefusalReason::UnknownTenant),
        700_016 => Some(RefusalReason::UnknownApplication),
        7_000_112 => Some(RefusalReason::DisabledApplication),
        7_000_215 => Some(RefusalReason::WrongSecret),
        7_000_222 => Some(RefusalReason::ExpiredSecret),
        700_021..=700_030 => Some(RefusalReason::WrongAssertion),
        70021 | 700_211..=700_213 | 5_002_738 => Some(RefusalReason::NoFederation),
        500_011 | 70011 | 1_002_012 => Some(RefusalReason::UnknownApi),
        53003 => Some(RefusalReason::ConditionalAccess),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};
    use serde_json::{Value, json};

    use super::*;

    fn told(status: u16, body: &Value) -> Result<Refusal, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        let body = body.to_string().into();
        let reply = Reply { status: StatusCode::from_u16(status).expect("a status"), headers, body };
        read(&reply).map(|answer| match answer {
            Answer::Refused(refusal) => refusal,
            Answer::Token(_) => unreachable!("no token in it"),
        })
    }

    #[test]
    fn the_numbers_of_refusals_are_known() {
        for (number, reason) in [
            (90002, RefusalReason::UnknownTenant),
            (700_016, RefusalReason::UnknownApplication),
            (7_000_215, RefusalReason::WrongSecret),
            (7_000_222, RefusalReason::ExpiredSecret),
            (700_027, RefusalReason::WrongAssertion),
            (700_213, RefusalReason::NoFederation),
            (500_011, RefusalReason::UnknownApi),
            (7_000_112, RefusalReason::DisabledApplication),
            (53003, RefusalReason::ConditionalAccess),
            (1, RefusalReason::Other),
        ] {
            let refusal = Refusal { reason, number: Some(number) };
            assert_eq!(told(400, &json!({"error": "invalid_client", "error_codes": [number]})), Ok(refusal));
            assert!(refusal.to_string().ends_with(&format!(" (AADSTS{number})")), "{refusal}");
        }
        assert_eq!(told(401, &json!({"error": "invalid_scope"})), Ok(RefusalReason::UnknownApi.into()));
    }

    #[test]
    fn temporary_trouble_is_no_refusal() {
        for body in [
            json!({"error": "temporarily_unavailable"}),
            json!({"error": "server_error"}),
            json!({"error": "invalid_request", "error_codes": [90033]}),
        ] {
            for status in [400, 401] {
                let outcome = told(status, &body);
                let wait = Some(Duration::from_secs(7));
                assert!(
                    matches!(&outcome, Err(ClientError::Unavailable { retry_after, .. }) if *retry_after == wait),
                    "{body}: {outcome:?}"
                );
            }
        }
    }
}
