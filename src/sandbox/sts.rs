//! AWS STS: `GetWebIdentityToken` over its query protocol.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use ring::signature::RsaKeyPair;
use serde_json::json;

use super::exchange::{Answer, Call, Reply, Signed};
use super::jwt;
use super::random::Randomness;
use super::script::Route;
use super::{FEDERATION_AUDIENCE, STS_ISSUER, STS_SUBJECT};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";
/// How long a token lasts, unless the caller says otherwise, and what a caller may say.
const LIFETIME: i64 = 300;
const LIFETIMES: std::ops::RangeInclusive<i64> = 60..=3600;

/// The stand-in of STS. Without a key, the account has no outbound federation.
#[derive(Default)]
pub(super) struct Sts {
    signer: Option<RsaKeyPair>,
}

/// An error of the query protocol.
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }
}

impl Sts {
    pub(super) fn sign_with(&mut self, key: RsaKeyPair) {
        self.signer = Some(key);
    }

    pub(super) fn answer(&self, call: &Call, random: &mut Randomness) -> Answer {
        if call.method != Method::POST || call.path != "/" {
            return Answer::nowhere();
        }
        let request_id = random.uuid();
        let form = call.form();
        let asked = |name: &str| form.get(name).map(String::as_str);
        if asked("Action") != Some("GetWebIdentityToken") || asked("Version") != Some(VERSION) {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, "InvalidAction", "Could not find operation.");
            return Answer {
                reply: error(refusal.status, refusal.code, &refusal.message, &request_id),
                ..Answer::nowhere()
            };
        }
        let audience = asked("Audience.member.1").unwrap_or_default();
        let token = authorized(call)
            .and_then(|()| if asked("Audience.member.2").is_some() { Err(forbidden_audience()) } else { Ok(()) })
            .and_then(|()| self.token(audience, asked("SigningAlgorithm"), asked("DurationSeconds"), random));
        let reply = match token {
            Ok((token, expiration)) => {
                let document = format!(
                    "<GetWebIdentityTokenResponse xmlns=\"{NAMESPACE}\"><GetWebIdentityTokenResult><WebIdentityToken>{token}</WebIdentityToken>\
                     <Expiration>{expiration:.3}</Expiration></GetWebIdentityTokenResult>\
                     <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetWebIdentityTokenResponse>"
                );
                Reply::aws_xml(StatusCode::OK, document, &request_id)
            }
            Err(refusal) => error(refusal.status, refusal.code, &refusal.message, &request_id),
        };
        Answer::new(Route::WebIdentity, audience, reply)
    }

    fn token(
        &self,
        audience: &str,
        algorithm: Option<&str>,
        seconds: Option<&str>,
        random: &mut Randomness,
    ) -> Result<(String, Timestamp), Refusal> {
        if algorithm != Some("RS256") {
            return Err(Refusal::invalid(
                "Value at 'signingAlgorithm' failed to satisfy constraint: this stand-in signs with RS256 only.",
            ));
        }
        let seconds = seconds.map_or(Ok(LIFETIME), str::parse).ok().filter(|seconds| LIFETIMES.contains(seconds));
        let Some(seconds) = seconds else {
            return Err(Refusal::invalid(
                "Value at 'durationSeconds' failed to satisfy constraint: Member must be between 60 and 3600.",
            ));
        };
        if audience != FEDERATION_AUDIENCE {
            return Err(forbidden_audience());
        }
        let Some(signer) = &self.signer else {
            let message = "The outbound web identity federation feature is not enabled for this account.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "OutboundWebIdentityFederationDisabledException", message));
        };
        let now = Timestamp::now();
        let expiration = now + SignedDuration::from_secs(seconds);
        let claims = json!({
            "aud": audience,
            "exp": expiration.as_second(),
            "https://sts.amazonaws.com/": {"aws_account": "000000000000", "principal_id": STS_SUBJECT, "source_region": "eu-central-1"},
            "iat": now.as_second(),
            "iss": STS_ISSUER,
            "jti": random.uuid(),
            "sub": STS_SUBJECT,
        });
        let token = jwt::sign(&claims, signer);
        token
            .map(|token| (token, expiration))
            .ok_or_else(|| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "The key does not sign."))
    }
}

fn authorized(call: &Call) -> Result<(), Refusal> {
    match call.signed() {
        Signed::For("sts") => Ok(()),
        Signed::For(_) => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "Credential should be scoped to correct service: 'sts'.",
        )),
        Signed::Badly => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "IncompleteSignature",
            "The request signature does not conform to AWS standards.",
        )),
        Signed::No => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )),
    }
}

fn forbidden_audience() -> Refusal {
    Refusal::denied(format!(
        "User: {STS_SUBJECT} is not authorized to perform: sts:GetWebIdentityToken for this audience"
    ))
}

/// An error body of the query protocol.
pub(super) fn error(status: StatusCode, code: &str, message: &str, request_id: &str) -> Reply {
    let side = if status.is_server_error() { "Receiver" } else { "Sender" };
    let document = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{side}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>"
    );
    Reply::aws_xml(status, document, request_id)
}
