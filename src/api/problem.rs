//! Errors as RFC 9457 problems. Callers see our own texts, never Microsoft's.

use std::fmt::Display;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::respond::RequestLog;
use crate::auth::AuthError;
use crate::domain::enrichment::Answer;
use crate::domain::resolution::StepName;
use crate::domain::subject::{Kind, SubjectError};
use crate::domain::warning::WarningCode;
use crate::integrations::SignatureError;
use crate::lookup::{EnrichError, NotLookedUp, OUTAGE_RETRY_AFTER, store_reason};

/// What a problem is: stable, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ProblemCode")]
pub(crate) enum Code {
    InvalidJson,
    Unauthorized,
    ForbiddenOrigin,
    NotFound,
    UnknownRoute,
    MethodNotAllowed,
    PayloadTooLarge,
    UnsupportedMediaType,
    InvalidRequest,
    InvalidId,
    UnsupportedHash,
    AmbiguousRequest,
    /// Sent before version 1.1 of the answer. The published list of codes only grows.
    AmbiguousValue,
    TooManyRequestsInBatch,
    Throttled,
    Internal,
    UpstreamAuth,
    UpstreamForbidden,
    UpstreamMalformed,
    UpstreamTooLarge,
    UpstreamError,
    UpstreamUnavailable,
    SecretUnavailable,
    Misconfigured,
    UpstreamTimeout,
}

impl Code {
    /// Every code, in the order of the contract.
    pub(super) const ALL: [Self; 25] = [
        Self::InvalidJson,
        Self::Unauthorized,
        Self::ForbiddenOrigin,
        Self::NotFound,
        Self::UnknownRoute,
        Self::MethodNotAllowed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidRequest,
        Self::InvalidId,
        Self::UnsupportedHash,
        Self::AmbiguousRequest,
        Self::AmbiguousValue,
        Self::TooManyRequestsInBatch,
        Self::Throttled,
        Self::Internal,
        Self::UpstreamAuth,
        Self::UpstreamForbidden,
        Self::UpstreamMalformed,
        Self::UpstreamTooLarge,
        Self::UpstreamError,
        Self::UpstreamUnavailable,
        Self::SecretUnavailable,
        Self::Misconfigured,
        Self::UpstreamTimeout,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        self.parts().1
    }

    pub(super) fn status(self) -> StatusCode {
        self.parts().0
    }

    fn title(self) -> &'static str {
        self.parts().2
    }

    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::InvalidJson => (S::BAD_REQUEST, "invalid_json", "The body is not JSON"),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "The caller is not authenticated"),
            Self::ForbiddenOrigin => (S::FORBIDDEN, "forbidden_origin", "The request comes from elsewhere"),
            Self::NotFound => (S::NOT_FOUND, "not_found", "Defender does not know it"),
            Self::UnknownRoute => (S::NOT_FOUND, "unknown_route", "There is no such route"),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method_not_allowed", "This route takes another method"),
            Self::PayloadTooLarge => (S::PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large"),
            Self::UnsupportedMediaType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body has to be JSON")
            }
            Self::InvalidRequest => (S::UNPROCESSABLE_ENTITY, "invalid_request", "The request makes no sense"),
            Self::InvalidId => (S::UNPROCESSABLE_ENTITY, "invalid_id", "The id has no accepted form"),
            Self::UnsupportedHash => (S::UNPROCESSABLE_ENTITY, "unsupported_hash", "Defender takes no such hash"),
            Self::AmbiguousValue => {
                (S::UNPROCESSABLE_ENTITY, "ambiguous_value", "The kind of the value cannot be told")
            }
            Self::AmbiguousRequest => {
                (S::UNPROCESSABLE_ENTITY, "ambiguous_request", "The request names several subjects")
            }
            Self::TooManyRequestsInBatch => {
                (S::UNPROCESSABLE_ENTITY, "too_many_requests_in_batch", "The batch is too long")
            }
            Self::Throttled => (S::TOO_MANY_REQUESTS, "throttled", "The quota of Microsoft's API is spent"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "A bug of this service"),
            Self::UpstreamAuth => (S::BAD_GATEWAY, "upstream_auth", "Microsoft refuses the Defender credential"),
            Self::UpstreamForbidden => {
                (S::BAD_GATEWAY, "upstream_forbidden", "The Defender credential lacks a permission")
            }
            Self::UpstreamMalformed => (S::BAD_GATEWAY, "upstream_malformed", "Microsoft's answer makes no sense"),
            Self::UpstreamTooLarge => (S::BAD_GATEWAY, "upstream_too_large", "Microsoft's answer is too large"),
            Self::UpstreamError => (S::BAD_GATEWAY, "upstream_error", "Microsoft answers with an error"),
            Self::UpstreamUnavailable => {
                (S::SERVICE_UNAVAILABLE, "upstream_unavailable", "Microsoft cannot be reached")
            }
            Self::SecretUnavailable => (S::SERVICE_UNAVAILABLE, "secret_unavailable", "A secret cannot be read"),
            Self::Misconfigured => (S::SERVICE_UNAVAILABLE, "misconfigured", "This service is not set up right"),
            Self::UpstreamTimeout => (S::GATEWAY_TIMEOUT, "upstream_timeout", "Microsoft did not answer in time"),
        }
    }
}

/// The page that documents every code; its headings are the codes.
const PROBLEMS_PAGE: &str = "https://defender-enrich.example/docs/problems";

/// The challenges of `WWW-Authenticate`, one per header line.
const KEY_CHALLENGES: &[&str] = &["Bearer realm=\"defender-enrich\"", "Basic realm=\"defender-enrich\""];
const SIGV4_CHALLENGES: &[&str] = &["AWS4-HMAC-SHA256"];

/// A sender that authenticates its requests in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Slack,
    Teams,
    Splunk,
    PagerDuty,
    StandardWebhooks,
}

impl Sender {
    /// The challenges of `WWW-Authenticate`.
    fn challenge(self) -> &'static [&'static str] {
        match self {
            Self::Slack | Self::PagerDuty | Self::StandardWebhooks => &["Signature realm=\"defender-enrich\""],
            Self::Teams => &["HMAC realm=\"defender-enrich\""],
            Self::Splunk => &["Token realm=\"defender-enrich\""],
        }
    }

    /// Explains what the sender has to send.
    fn proof(self) -> &'static str {
        match self {
            Self::Slack => {
                "This address is for Slack: X-Slack-Signature has to be made with one of slack_signing_secrets of the caller \
                 secret, over this body, within the last five minutes."
            }
            Self::Teams => {
                "This address is for an outgoing webhook of Teams: Authorization: HMAC has to be made with one of \
                 teams_hmac_secrets of the caller secret, the security token that Teams shows when the webhook is created, \
                 over an activity whose timestamp is at most five minutes off."
            }
            Self::Splunk => {
                "This address is for Splunk: the query parameter token has to be one of splunk_tokens of the caller secret."
            }
            Self::PagerDuty => {
                "This address is for PagerDuty: X-PagerDuty-Signature has to be made with one of pagerduty_secrets of the \
                 caller secret, over an event whose occurred_at is at most 24 hours off."
            }
            Self::StandardWebhooks => {
                "webhook-signature has to be made with one of standard_webhook_secrets of the caller secret, over webhook-id, \
                 webhook-timestamp and the body of a POST, within the last five minutes. A key is taken as well."
            }
        }
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "FieldError")]
pub(crate) struct Fault {
    /// The member of the body as a JSON pointer, or `?name` of the query string.
    pub(crate) pointer: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// An error, before it is bound to a request.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(super) code: Code,
    detail: String,
    retry_after_s: Option<u64>,
    errors: Vec<Fault>,
    /// For the log: the cause, in our own words.
    cause: Option<String>,
    /// For the log: the kind of the subject.
    kind: Option<Kind>,
    /// The challenges of `WWW-Authenticate`, for a 401.
    challenge: &'static [&'static str],
}

/// A problem as it is sent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemBody {
    /// The address of the page that tells of this kind of problem, made from its code.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri"))]
    kind: String,
    /// The kind of problem, for people.
    title: &'static str,
    /// The HTTP status.
    pub(super) status: u16,
    /// What happened, and what to do.
    detail: String,
    /// What it is: stable, for programs.
    code: Code,
    /// The request's name, as in `X-Request-Id`.
    request_id: String,
    /// When to come again, in seconds; as in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            retry_after_s: None,
            errors: Vec::new(),
            cause: None,
            kind: None,
            challenge: KEY_CHALLENGES,
        }
    }

    /// A problem with one field.
    pub(crate) fn at(code: Code, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        Self { errors: vec![Fault { pointer, detail: detail.clone() }], ..Self::new(code, detail) }
    }

    /// A text that is not a valid subject.
    pub(crate) fn of_subject(error: &SubjectError, pointer: impl Into<String>) -> Self {
        let code = match error {
            SubjectError::Invalid(_) => Code::InvalidId,
            SubjectError::UnsupportedHash(_) => Code::UnsupportedHash,
        };
        Self::at(code, pointer, error.to_string())
    }

    /// A subject that Defender does not know.
    pub(crate) fn not_found(answer: &Answer) -> Self {
        let mut detail = not_found_detail(answer);
        let request_log = |code| matches!(code, WarningCode::TriedAs | WarningCode::Partial);
        for warning in answer.warnings.iter().filter(|warning| request_log(warning.code)) {
            detail.push(' ');
            detail.push_str(&warning.detail);
        }
        Self::new(Code::NotFound, detail)
    }

    /// A request without a valid signature of this sender.
    pub(super) fn invalid_signature(sender: Sender, reason: SignatureError) -> Self {
        Self { challenge: sender.challenge(), ..Self::new(Code::Unauthorized, sender.proof()).with_cause(&reason) }
    }

    /// Whether the failure may pass, so that the same request can succeed later.
    pub(super) fn is_transient(&self) -> bool {
        let status = self.code.status();
        status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
    }

    fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Adds the kind of the subject, for the log.
    pub(super) fn with_kind(mut self, kind: Option<Kind>) -> Self {
        self.kind = kind;
        self
    }

    fn with_cause(mut self, cause: &impl ToString) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// What happened, and what to do.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The log fields of this problem.
    pub(super) fn request_log(&self) -> RequestLog {
        let kind = self.kind.map(Kind::as_str);
        RequestLog { code: Some(self.code.as_str()), cause: self.cause.clone(), kind, ..RequestLog::default() }
    }

    /// Returns the body for this request.
    pub(super) fn body(self, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("{PROBLEMS_PAGE}#{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail,
            code: self.code,
            request_id: request_id.to_owned(),
            retry_after_s: self.retry_after_s,
            errors: self.errors,
        }
    }

    /// Returns the response to this request.
    pub(super) fn response(self, request_id: &str) -> Response {
        let (code, challenge, request_log) = (self.code, self.challenge, self.request_log());
        let body = self.body(request_id);
        let wait = body.retry_after_s;
        // Serialization cannot fail: the body holds strings and numbers.
        let mut response = Response::new(Body::from(serde_json::to_vec(&body).unwrap_or_default()));
        *response.status_mut() = code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if code == Code::Unauthorized {
            for scheme in challenge {
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
            }
        }
        response.extensions_mut().insert(request_log);
        response
    }
}

impl From<AuthError> for Problem {
    fn from(refused: AuthError) -> Self {
        match refused {
            AuthError::Unauthorized => {
                let detail =
                    "Present a key of the caller secret as X-Api-Key, as a bearer token or as the password of Basic.";
                Self::new(Code::Unauthorized, detail)
            }
            AuthError::Unsigned => {
                let detail = "Sign the request with AWS credentials that may invoke this service (SigV4).";
                Self { challenge: SIGV4_CHALLENGES, ..Self::new(Code::Unauthorized, detail) }
            }
            // Webhook integrations handle this error themselves, as they know the sender.
            AuthError::SignatureError(reason) => Self::invalid_signature(Sender::StandardWebhooks, reason),
            AuthError::SecretUnavailable(_) => {
                let detail = "The caller secret cannot be read from AWS Secrets Manager: check CALLER_SECRET_ID and the function's role.";
                Self::new(Code::SecretUnavailable, detail).with_retry_after(5).with_cause(&refused)
            }
            AuthError::SecretMisconfigured(_) | AuthError::KeysMisconfigured(_) => {
                let detail =
                    "The caller secret is of no use: the log and `defender-enrich check` say what is wrong with it.";
                Self::new(Code::Misconfigured, detail).with_cause(&refused)
            }
            AuthError::HookMisconfigured(error) => {
                Self::new(Code::Misconfigured, format!("The sender cannot be proven: {error}."))
            }
        }
    }
}

impl From<EnrichError> for Problem {
    fn from(error: EnrichError) -> Self {
        let problem = match &error {
            EnrichError::Throttled { retry_after } => {
                let detail =
                    "Microsoft allows only so many calls a minute and an hour: ask again after Retry-After seconds.";
                Self::new(Code::Throttled, detail).with_retry_after(whole_seconds(*retry_after))
            }
            EnrichError::Unavailable { service, retry_after, .. } => {
                let detail = format!("{service} is down or cannot be reached: ask again after Retry-After seconds.");
                Self::new(Code::UpstreamUnavailable, detail).with_retry_after(whole_seconds(*retry_after))
            }
            EnrichError::NoAddress { service } => {
                let detail = format!(
                    "{service} cannot be reached, as its host has no address: check DEFENDER_CLOUD and the addresses that are set."
                );
                Self::new(Code::UpstreamUnavailable, detail).with_retry_after(whole_seconds(OUTAGE_RETRY_AFTER))
            }
            EnrichError::TimedOut { service } => {
                Self::new(Code::UpstreamTimeout, format!("{service} did not answer before the deadline: ask again."))
            }
            EnrichError::CredentialRefused { refusal } => {
                // Entra's error code is for the operator: the log has it, as the cause.
                Self::new(Code::UpstreamAuth, refused(&refusal.reason, refusal.reason.remedy()))
            }
            EnrichError::Forbidden { permissions } => {
                let (plural, them) = if permissions.len() > 1 { ("s", "them") } else { ("", "it") };
                let detail = format!(
                    "The app registration lacks the application permission{plural} {}: add {them}, grant admin consent, and \
                     wait up to an hour for new tokens. A wrong audience gives the same answer: check DEFENDER_CLOUD.",
                    permissions.join(" and ")
                );
                Self::new(Code::UpstreamForbidden, detail)
            }
            EnrichError::Malformed { service, .. } => {
                Self::new(Code::UpstreamMalformed, format!("{service} answered, but not with the documented body."))
            }
            EnrichError::TooLarge => Self::new(Code::UpstreamTooLarge, "Defender's answer is larger than 16 MiB."),
            EnrichError::Failed { service, status } => {
                Self::new(Code::UpstreamError, format!("{service} answered with status {status}."))
            }
            EnrichError::SecretUnavailable { error } => {
                let detail = format!(
                    "The Defender secret cannot be read: {}. Check DEFENDER_SECRET_ID and the function's role.",
                    store_reason(*error)
                );
                Self::new(Code::SecretUnavailable, detail).with_retry_after(5)
            }
            EnrichError::HuntingNotVisible => {
                let detail = "Advanced hunting does not show the table AlertEvidence: the tenant needs a licence that includes \
                              it (Microsoft Defender XDR), and the app registration the application permission \
                              ThreatHunting.Read.All with admin consent.";
                Self::new(Code::Misconfigured, detail)
            }
            EnrichError::NotLookedUp(what) => Self::new(Code::InvalidId, not_looked_up(*what)),
            EnrichError::FederationFailed { reason } => {
                let detail = format!(
                    "AWS STS gives no token for Microsoft Entra: {reason}. Deploy with FederatedCredential=true, and enable \
                     outbound web identity federation once for the account."
                );
                Self::new(Code::Misconfigured, detail).with_retry_after(5)
            }
            EnrichError::Misconfigured { reason } => {
                Self::new(Code::Misconfigured, format!("The Defender secret is of no use: {reason}."))
            }
        };
        problem.with_cause(&error)
    }
}

/// The detail of a refused credential: a short or full reason, and what the operator can do.
fn refused(request_log: &impl Display, remedy: &str) -> String {
    format!("The Defender credential is refused: {request_log}. {remedy}")
}

/// The detail of a subject that Defender does not know.
fn not_found_detail(answer: &Answer) -> String {
    let tried: Vec<_> = answer.resolution.iter().filter(|step| step.step == StepName::MachineNameToId).collect();
    if !tried.is_empty() {
        let ids: Vec<_> = tried.iter().map(|step| step.to.as_str()).collect();
        return format!(
            "Defender lists this device name for {}, and knows no alerts of it any more (404): the record is gone.",
            ids.join(" and for ")
        );
    }
    let detail = match answer.kind {
        Kind::Alert => {
            "Defender knows no alert of this id. One that was raised just now can take minutes to appear: ask again."
        }
        Kind::Machine => "Defender knows no device of this id or name.",
        Kind::Incident => {
            "Defender knows no incident of this number. One that was opened just now can take minutes to appear: ask again."
        }
        Kind::User => "Defender knows no such user.",
        Kind::File => "Defender knows no such file.",
        Kind::Ip => "Defender knows no such address.",
        Kind::Domain => "Defender knows no such domain.",
    };
    detail.to_owned()
}

/// What to send instead, or why no other form helps.
pub(super) fn not_looked_up(what: NotLookedUp) -> &'static str {
    match what {
        NotLookedUp::AccountId => {
            "The Defender APIs that answer here know accounts by their names, not by a SID or an object id: send the \
             account name, DOMAIN\\name or the user principal name (name@domain)."
        }
        NotLookedUp::Address => {
            "Defender does not look up this address: it is one, but Defender's API refuses it. Some addresses of \
             version 6 are not taken."
        }
        NotLookedUp::Domain => {
            "Defender does not look up this domain: it is a DNS name, but Defender's API refuses it."
        }
    }
}

/// Rounds up to whole seconds, at least one.
fn whole_seconds(span: std::time::Duration) -> u64 {
    (span.as_secs() + u64::from(span.subsec_nanos() > 0)).max(1)
}

/// Whether the caller's input caused the failure.
#[cfg(feature = "cli")]
pub(crate) fn is_bad_input(error: &EnrichError) -> bool {
    matches!(error, EnrichError::NotLookedUp(_))
}

/// Returns the caller's text in one line, with Entra's error code and without the mention of `Retry-After`, which a
/// command line does not have.
#[cfg(feature = "cli")]
pub(crate) fn one_line_message(error: EnrichError) -> String {
    let refusal = if let EnrichError::CredentialRefused { refusal } = error { Some(refusal) } else { None };
    let problem = Problem::from(error);
    let detail = match (refusal, problem.retry_after_s) {
        (Some(refusal), _) => refused(&refusal, refusal.reason.remedy()),
        (None, Some(seconds)) => problem.detail.replace("after Retry-After seconds", &format!("in {seconds} seconds")),
        (None, None) => problem.detail,
    };
    format!("{}: {detail}", problem.code.as_str())
}
