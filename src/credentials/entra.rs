//! Entra's token endpoint (v2.0, client credentials flow).
//!
//! Sources: <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>, and for the error
//! codes <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.

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
use super::store::SecretStore;
use super::token::Token;
use crate::client::{
    ApiClient, Body, Call, ClientError, Context, Reached, Reply, address, error_from_status, retry_after,
};
use crate::domain::timestamp::Timestamp;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The login service of one cloud.
#[derive(Debug)]
pub(super) struct Entra {
    client: ApiClient,
    login: Url,
    retry_after_period: Mutex<Option<RetryAfterPeriod>>,
}

/// Entra's answer: a token, or a refusal that a retry does not change.
enum Answer {
    Token(Token),
    Refused(Refusal),
}

impl Entra {
    pub(super) fn new(client: ApiClient, login: Url) -> Self {
        Self { client, login, retry_after_period: Mutex::default() }
    }

    /// Requests a token for an audience.
    pub(super) async fn token(
        &self,
        app: &App,
        audience: &str,
        store: &SecretStore,
        ctx: &Context,
    ) -> Result<Token, CredentialError> {
        let endpoint = address(&self.login, &[&app.tenant_id, "oauth2", "v2.0", "token"]);
        let endpoint = endpoint.map_err(CredentialError::Entra)?;
        self.wait_until_open(ctx).await.map_err(CredentialError::Entra)?;
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
        match self.client.send(&call, ctx, |reply| self.read(&reply)).await.map_err(CredentialError::Entra)? {
            Answer::Token(token) => Ok(token),
            Answer::Refused(refusal) => Err(CredentialError::Refused(refusal)),
        }
    }

    /// Waits for the end of a `Retry-After`. If that is after the deadline, one call a second is let through as a
    /// probe, and all others fail.
    async fn wait_until_open(&self, ctx: &Context) -> Result<(), ClientError> {
        loop {
            let now = Instant::now();
            let (wait, is_probe) = {
                let mut period = self.retry_after_period.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(period) = period.as_mut().filter(|period| period.until > now) else {
                    return Ok(());
                };
                let wait = period.until - now;
                if wait < ctx.deadline.remaining() {
                    (wait, false)
                } else {
                    let probe = period.take_probe(now, ctx.deadline.remaining());
                    (probe.ok_or_else(|| period.error.clone().after(wait))?, true)
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
            let period = RetryAfterPeriod { until: now + wait, next_probe: now + PROBE_INTERVAL, error: error.clone() };
            *self.retry_after_period.lock().unwrap_or_else(PoisonError::into_inner) = Some(period);
        }
        answer
    }
}

/// The interval between calls that probe whether Entra accepts calls again.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// The time in which Entra accepts no calls, from the last error with a `Retry-After`.
#[derive(Debug)]
struct RetryAfterPeriod {
    /// The end of the wait that Entra requested.
    until: Instant,
    /// The time of the next probe.
    next_probe: Instant,
    error: ClientError,
}

impl RetryAfterPeriod {
    /// Reserves the next probe and returns the wait for it. `None` if another request has it, or if it is too late.
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
                Some(body) if body.is_transient() => Err(ClientError::Unavailable {
                    retry_after: retry_after(&reply.headers, Timestamp::now()),
                    reason: "Entra says that it is unavailable for now",
                    reached: Reached::NotProcessed,
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
    /// Whether it is a temporary error of Entra, sent with a status that otherwise means a refusal.
    fn is_transient(&self) -> bool {
        /// A transient error, an exceeded budget, a throttled tenant.
        const TRANSIENT_CODES: [i64; 4] = [90006, 90024, 90033, 90055];
        matches!(self.error.as_str(), "temporarily_unavailable" | "server_error")
            || self.error_codes.iter().any(|number| TRANSIENT_CODES.contains(number))
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

    fn refusal(status: u16, body: &Value) -> Result<Refusal, ClientError> {
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
    fn error_codes_determine_the_reason() {
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
            let expected = Refusal { reason, number: Some(number) };
            assert_eq!(refusal(400, &json!({"error": "invalid_client", "error_codes": [number]})), Ok(expected));
            assert!(expected.to_string().ends_with(&format!(" (AADSTS{number})")), "{expected}");
        }
        assert_eq!(refusal(401, &json!({"error": "invalid_scope"})), Ok(RefusalReason::UnknownApi.into()));
    }

    #[test]
    fn a_temporary_error_is_not_a_refusal() {
        for body in [
            json!({"error": "temporarily_unavailable"}),
            json!({"error": "server_error"}),
            json!({"error": "invalid_request", "error_codes": [90033]}),
        ] {
            for status in [400, 401] {
                let outcome = refusal(status, &body);
                let wait = Some(Duration::from_secs(7));
                assert!(
                    matches!(&outcome, Err(ClientError::Unavailable { retry_after, .. }) if *retry_after == wait),
                    "{body}: {outcome:?}"
                );
            }
        }
    }
}
