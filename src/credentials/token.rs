//! Bearer tokens. They are stored and sent, but never logged or displayed.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use super::application::ApplicationId;
use super::timepoint::Timepoint;
use crate::domain::timestamp::Timestamp;

/// A bearer token with its expiry and renewal times, if they are known.
#[derive(Clone)]
pub(crate) struct Token {
    header: HeaderValue,
    end: Option<Timepoint>,
    renewal: Option<Timepoint>,
}

impl Token {
    /// Creates a token. Returns `None` if the text is not valid in a header. Without `expires_at`, the expiry is the
    /// `exp` claim of a JWT.
    pub(crate) fn new(text: &str, expires_at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
        header.set_sensitive(true);
        let expires_at = expires_at.or_else(|| Some(Timestamp::from_unix_seconds(Claims::of(text)?.exp?)));
        let life = expires_at.map(|end| now.age_at(end));
        let after = |span| Timepoint::at(now).later(span);
        Some(Self { header, end: life.map(after), renewal: life.map(renewal).map(after) })
    }

    /// The `Authorization` header, marked sensitive.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Whether it is valid and not yet due for renewal.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.renewal.is_none_or(|at| at.is_ahead_of(now))
    }

    /// Whether it has not expired.
    pub(crate) fn is_valid(&self, now: Timestamp) -> bool {
        self.end.is_none_or(|at| at.is_ahead_of(now))
    }

    /// The time of expiry, if it is known.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.end.map(Timepoint::wall)
    }

    /// The application roles in a JWT, without verification. They are used only for reports and for choosing a backend,
    /// never for authorization.
    pub(crate) fn roles(&self) -> Option<Vec<String>> {
        let text = self.header.to_str().ok()?.strip_prefix("Bearer ")?;
        Some(Claims::of(text)?.roles)
    }

    /// The tenant and the application in a JWT, without verification.
    pub(super) fn application(&self) -> Option<ApplicationId> {
        let text = self.header.to_str().ok()?.strip_prefix("Bearer ")?;
        let claims = Claims::of(text)?;
        Some(ApplicationId::new(claims.tid.as_str()?, claims.appid.as_str()?))
    }

    /// Whether both tokens have the same text.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.header == other.header
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires_at", &self.end.map(Timepoint::wall)).finish_non_exhaustive()
    }
}

/// Whether the roles include `role` or its stronger form: `X.ReadWrite.All` includes `X.Read.All`.
pub(crate) fn carries(roles: &[String], role: &str) -> bool {
    let writing = role.replace(".Read.", ".ReadWrite.");
    roles.iter().any(|carried| carried == role || *carried == writing)
}

/// The age at which a token with this lifetime is renewed: five minutes or a tenth of its lifetime before its expiry,
/// but never in the first half.
fn renewal(life: Duration) -> Duration {
    let margin = Duration::from_secs(300).max(life / 10).min(life / 2);
    life.saturating_sub(margin)
}

/// The claims of a JWT that are used here.
#[derive(Deserialize)]
struct Claims {
    exp: Option<i64>,
    #[serde(default)]
    tid: Value,
    #[serde(default)]
    appid: Value,
    #[serde(default)]
    roles: Vec<String>,
}

impl Claims {
    /// Reads the claims of a JWT without verifying its signature.
    fn of(token: &str) -> Option<Self> {
        let claims = token.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_expires() {
        let now = Timestamp::from_unix_seconds(1_000_000);
        let of = |life: u64| Token::new("t", Some(now.later(Duration::from_secs(life))), now).expect("a token");
        let at = |seconds: u64| now.later(Duration::from_secs(seconds));
        assert!(of(3600).is_fresh(at(3200)) && !of(3600).is_fresh(at(3240)) && of(3600).is_valid(at(3599)));
        assert!(of(2).is_fresh(now) && !of(2).is_fresh(at(1)) && !of(2).is_valid(at(2)));
        assert!(Token::new("t", None, now).expect("a token").is_fresh(at(1_000_000)));
    }

    #[test]
    fn the_expiry_of_a_jwt_is_its_exp_claim() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"exp":1000060,"roles":["Alert.Read.All"]}"#);
        let token =
            Token::new(&format!("e30.{claims}.x"), None, Timestamp::from_unix_seconds(1_000_000)).expect("a token");
        assert!(!token.is_valid(Timestamp::from_unix_seconds(1_000_060)));
        assert_eq!(token.roles(), Some(vec!["Alert.Read.All".to_owned()]));
    }

    #[test]
    fn a_text_that_is_not_valid_in_a_header_is_rejected() {
        for text in ["", " ", "a b", "a\r\nX-Evil: 1", "ü"] {
            assert!(Token::new(text, None, Timestamp::from_unix_seconds(0)).is_none(), "{text:?}");
        }
    }

    #[test]
    fn debug_output_does_not_contain_the_token() {
        let token = Token::new("canary", None, Timestamp::from_unix_seconds(0)).expect("a token");
        assert!(!format!("{token:?} {:?}", token.header()).contains("canary"));
    }
}
