//! Errors as RFC 9457 problems. Callers see our own texts, never Microsoft's.

use std::fmt::Display;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::respond::RequestLog;
use crate::auth::{AuthError, SignatureError};
use crate::domain::enrichment::Answer;
use crate::domain::resolution::StepName;
use crate::domain::subject::{Kind, SubjectError};
use crate::domain::warning::WarningCode;
use crate::lookup::{EnrichError, NotLookedUp, OUTAGE_RETRY_AFTER, store_reason};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $word:literal $status:ident $title:literal,)+) => {
        /// What a problem is: stable, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
        #[schemars(rename = "ProblemCode")]
        pub(crate) enum Code {
            $($(#[$doc])* #[serde(rename = $word)] $name,)+
        }

        impl Code {
            pub(super) const ALL: &[Self] = &[$(Self::$name),+];

            fn parts(self) -> (StatusCode, &'static str, &'static str) {
                match self {
                    $(Self::$name => (StatusCode::$status, $word, $title),)+
                }
            }
        }
    };
}

// In the order of the contract.
codes! {
    InvalidJson "invalid_json" BAD_REQUEST "The body is not JSON",
    Unauthorized "unauthorized" UNAUTHORIZED "The caller is not authenticated",
    ForbiddenOrigin "forbidden_origin" FORBIDDEN "The request comes from elsewhere",
    NotFound "not_found" NOT_FOUND "Defender does not know it",
    UnknownRoute "unknown_route" NOT_FOUND "There is no such route",
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "This route takes another method",
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "The body is too large",
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body has to be JSON",
    InvalidRequest "invalid_request" UNPROCESSABLE_ENTITY "The request is not valid",
    InvalidId "invalid_id" UNPROCESSABLE_ENTITY "The id has no accepted form",
    UnsupportedHash "unsupported_hash" UNPROCESSABLE_ENTITY "Defender takes no such hash",
    AmbiguousRequest "ambiguous_request" UNPROCESSABLE_ENTITY "The request names several subjects",
    /// Sent before version 1.1 of the answer. The published list of codes only grows.
    AmbiguousValue "ambiguous_value" UNPROCESSABLE_ENTITY "The value may be of several kinds",
    TooManyRequestsInBatch "too_many_requests_in_batch" UNPROCESSABLE_ENTITY "The batch is too long",
    Throttled "throttled" TOO_MANY_REQUESTS "The quota of Microsoft's API is spent",
    Internal "internal" INTERNAL_SERVER_ERROR "A bug of this service",
    UpstreamAuth "upstream_auth" BAD_GATEWAY "Microsoft refuses the Defender credential",
    UpstreamForbidden "upstream_forbidden" BAD_GATEWAY "The Defender credential lacks a permission",
    UpstreamMalformed "upstream_malformed" BAD_GATEWAY "Microsoft's answer is not of the documented form",
    UpstreamTooLarge "upstream_too_large" BAD_GATEWAY "Microsoft's answer is too large",
    UpstreamError "upstream_error" BAD_GATEWAY "Microsoft answers with an error",
    UpstreamUnavailable "upstream_unavailable" SERVICE_UNAVAILABLE "Microsoft cannot be reached",
    SecretUnavailable "secret_unavailable" SERVICE_UNAVAILABLE "A secret cannot be read",
    Misconfigured "misconfigured" SERVICE_UNAVAILABLE "This service is not set up correctly",
    UpstreamTimeout "upstream_timeout" GATEWAY_TIMEOUT "Microsoft did not answer in time",
}

impl Code {
    pub(crate) fn as_str(self) -> &'static str {
        self.parts().1
    }

    pub(super) fn status(self) -> StatusCode {
        self.parts().0
    }

    fn title(self) -> &'static str {
        self.parts().2
    }
}

/// The page that documents every code; its headings are the codes.
const PROBLEMS_PAGE: &str = "https://defender-enrich.example/docs/problems";

/// The challenges of `WWW-Authenticate`, one per header line.
const KEY_CHALLENGES: &[&str] = &["Bearer realm=\"defender-enrich\"", "Basic realm=\"defender-enrich\""];
const SIGV4_CHALLENGES: &[&str] = &["AWS4-HMAC-SHA256"];

const SIGNATURE_CHALLENGES: &[&str] = &["Signature realm=\"defender-enrich\""];

/// What a request with a Standard Webhooks signature needs.
const STANDARD_WEBHOOKS_REQUIREMENT: &str = "webhook-signature has to be made with one of standard_webhook_secrets of the caller secret, over webhook-id, \
     webhook-timestamp and the body of a POST, within the last five minutes. A key is taken as well.";

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
    /// The address of the page about this kind of problem, made from its code.
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
        let is_relevant = |code| matches!(code, WarningCode::TriedAs | WarningCode::Partial);
        for warning in answer.warnings.iter().filter(|warning| is_relevant(warning.code)) {
            detail.push(' ');
            detail.push_str(&warning.detail);
        }
        Self::new(Code::NotFound, detail)
    }

    /// A request without a valid signature or token of its sender. `requirement` says what it needs.
    pub(super) fn invalid_signature(
        challenge: &'static [&'static str],
        requirement: &'static str,
        reason: SignatureError,
    ) -> Self {
        Self { challenge, ..Self::new(Code::Unauthorized, requirement).with_cause(&reason) }
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

    /// The detail, with the time to wait in place of the mention of `Retry-After`.
    fn detail_with_wait(&self) -> String {
        let wait = match self.retry_after_s {
            Some(seconds @ 61..) => format!("in {} minutes", seconds.div_ceil(60)),
            seconds => format!("in {} seconds", seconds.unwrap_or(1)),
        };
        self.detail.replace("after Retry-After seconds", &wait)
    }

    /// The same problem, with the time to wait in its detail: the result of a tool has no header that could say it.
    pub(super) fn with_wait_in_detail(self) -> Self {
        Self { detail: self.detail_with_wait(), ..self }
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
            // Integrations have a challenge and a requirement of their own.
            AuthError::SignatureError(reason) => {
                Self::invalid_signature(SIGNATURE_CHALLENGES, STANDARD_WEBHOOKS_REQUIREMENT, reason)
            }
            AuthError::SecretUnavailable(_) => {
                let detail = "The caller secret cannot be read from AWS Secrets Manager: check CALLER_SECRET_ID and the function's role.";
                Self::new(Code::SecretUnavailable, detail).with_retry_after(5).with_cause(&refused)
            }
            AuthError::SecretMisconfigured(_) | AuthError::KeysMisconfigured(_) => {
                let detail =
                    "The caller secret cannot be used: the log and `defender-enrich check` say what is wrong with it.";
                Self::new(Code::Misconfigured, detail).with_cause(&refused)
            }
            AuthError::SenderMisconfigured(error) => {
                Self::new(Code::Misconfigured, format!("The sender cannot be authenticated: {error}."))
            }
        }
    }
}

impl From<EnrichError> for Problem {
    fn from(error: EnrichError) -> Self {
        let problem = match &error {
            EnrichError::Throttled { retry_after } => {
                let detail =
                    "Microsoft allows only so many calls a minute and an hour. Ask again after Retry-After seconds.";
                Self::new(Code::Throttled, detail).with_retry_after(whole_seconds(*retry_after))
            }
            EnrichError::Unavailable { service, retry_after, .. } => {
                let detail = format!("{service} is down or cannot be reached. Ask again after Retry-After seconds.");
                Self::new(Code::UpstreamUnavailable, detail).with_retry_after(whole_seconds(*retry_after))
            }
            EnrichError::NoAddress { service } => {
                let detail = format!(
                    "{service} cannot be reached, as its host has no address: check DEFENDER_CLOUD and the addresses that are set."
                );
                Self::new(Code::UpstreamUnavailable, detail).with_retry_after(whole_seconds(OUTAGE_RETRY_AFTER))
            }
            EnrichError::TimedOut { service } => {
                Self::new(Code::UpstreamTimeout, format!("{service} did not answer in time. Ask again in a moment."))
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
                Self::new(Code::Misconfigured, format!("The Defender secret cannot be used: {reason}."))
            }
        };
        problem.with_cause(&error)
    }
}

/// The detail of a refused credential: a short or full reason, and what the operator can do.
fn refused(reason: &impl Display, remedy: &str) -> String {
    format!("The Defender credential is refused: {reason}. {remedy}")
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
fn not_looked_up(what: NotLookedUp) -> &'static str {
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
pub(crate) fn one_line_message(error: EnrichError) -> (Code, String) {
    let refusal = if let EnrichError::CredentialRefused { refusal } = error { Some(refusal) } else { None };
    let problem = Problem::from(error);
    let detail = match refusal {
        Some(refusal) => refused(&refusal, refusal.reason.remedy()),
        None => problem.detail_with_wait(),
    };
    (problem.code, format!("{}: {detail}", problem.code.as_str()))
}

/// Returns the text for a person in a chat, and the log fields.
pub(super) fn sentence_for_person(error: EnrichError, request_id: &str) -> (String, RequestLog) {
    let problem = Problem::from(error);
    let (detail, log) = (problem.detail_with_wait(), problem.request_log());
    // The person can ask again or otherwise; everything else is for an operator.
    let is_for_person =
        matches!(problem.code, Code::Throttled | Code::UpstreamUnavailable | Code::UpstreamTimeout | Code::InvalidId);
    let sentence = if is_for_person {
        detail
    } else {
        format!("Microsoft Defender could not be asked. For whoever runs this service (request {request_id}): {detail}")
    };
    (sentence, log)
}
