//! AWS STS: `GetWebIdentityToken` over its query protocol.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use ring::signature::RsaKeyPair;
use serde_json::json;

use super::exchange::{Answer, Call, Reply, Signed};
use super::jwt;
use super::random::uuid;
use super::refusal::Refusal;
use super::script::Route;
use super::{FEDERATION_AUDIENCE, STS_ISSUER, STS_SUBJECT};

pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";
/// The lifetime of a token in seconds, and what a caller may ask for instead.
const LIFETIME: i64 = 300;
const LIFETIMES: std::ops::RangeInclusive<i64> = 60..=3600;

/// The stand-in of STS. Without a key, the account has no outbound federation.
#[derive(Default)]
pub(crate) struct Sts {
    pub(crate) signer: Option<RsaKeyPair>,
}

impl Sts {
    pub(crate) fn answer(&self, call: &Call) -> Answer {
        if call.method != Method::POST || call.path != "/" {
            return Answer::not_found();
        }
        let form = call.form();
        let field = |name: &str| form.get(name).map(String::as_str);
        if field("Action") != Some("GetWebIdentityToken") || field("Version") != Some(VERSION) {
            return Answer::of_no_route(Err(Refusal::bad_request("InvalidAction", "Could not find operation.")));
        }
        let audience = field("Audience.member.1").unwrap_or_default();
        let result = check_signature(call)
            .and_then(|()| if field("Audience.member.2").is_some() { Err(forbidden_audience()) } else { Ok(()) })
            .and_then(|()| self.token(audience, field("SigningAlgorithm"), field("DurationSeconds")))
            .map(|(token, expiration)| {
                let request_id = uuid();
                let document = format!(
                    "<GetWebIdentityTokenResponse xmlns=\"{NAMESPACE}\"><GetWebIdentityTokenResult><WebIdentityToken>{token}</WebIdentityToken>\
                     <Expiration>{expiration:.3}</Expiration></GetWebIdentityTokenResult>\
                     <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetWebIdentityTokenResponse>"
                );
                Reply::aws_xml(StatusCode::OK, document, &request_id)
            });
        Answer::new(Route::WebIdentity, audience, result)
    }

    fn token(
        &self,
        audience: &str,
        algorithm: Option<&str>,
        seconds: Option<&str>,
    ) -> Result<(String, Timestamp), Refusal> {
        if algorithm != Some("RS256") {
            return Err(Refusal::bad_request(
                "ValidationError",
                "Value at 'signingAlgorithm' failed to satisfy constraint: this stand-in signs with RS256 only.",
            ));
        }
        let seconds = seconds.map_or(Ok(LIFETIME), str::parse).ok().filter(|seconds| LIFETIMES.contains(seconds));
        let seconds = seconds.ok_or_else(|| {
            let message =
                "Value at 'durationSeconds' failed to satisfy constraint: Member must be between 60 and 3600.";
            Refusal::bad_request("ValidationError", message)
        })?;
        if audience != FEDERATION_AUDIENCE {
            return Err(forbidden_audience());
        }
        let signer = self.signer.as_ref().ok_or_else(|| {
            let message = "The outbound web identity federation feature is not enabled for this account.";
            Refusal::new(StatusCode::FORBIDDEN, "OutboundWebIdentityFederationDisabledException", message)
        })?;
        let now = Timestamp::now();
        let expiration = now + SignedDuration::from_secs(seconds);
        let claims = json!({
            "aud": audience,
            "exp": expiration.as_second(),
            "https://sts.amazonaws.com/": {"aws_account": "000000000000", "principal_id": STS_SUBJECT, "source_region": "eu-central-1"},
            "iat": now.as_second(),
            "iss": STS_ISSUER,
            "jti": uuid(),
            "sub": STS_SUBJECT,
        });
        let token = jwt::sign(&claims, signer);
        token
            .map(|token| (token, expiration))
            .ok_or_else(|| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "The key does not sign."))
    }
}

fn check_signature(call: &Call) -> Result<(), Refusal> {
    let (status, code, message) = match call.signed() {
        Signed::For("sts") => return Ok(()),
        Signed::For(_) => {
            (StatusCode::FORBIDDEN, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'.")
        }
        Signed::Malformed => {
            (StatusCode::BAD_REQUEST, "IncompleteSignature", "The request signature does not conform to AWS standards.")
        }
        Signed::Unsigned => {
            (StatusCode::FORBIDDEN, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
    };
    Err(Refusal::new(status, code, message))
}

fn forbidden_audience() -> Refusal {
    let message =
        format!("User: {STS_SUBJECT} is not authorized to perform: sts:GetWebIdentityToken for this audience");
    Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", message)
}
