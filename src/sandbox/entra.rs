//! Microsoft Entra: client credentials at the token endpoint of version 2.0, for one application in one tenant.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use http::{Method, StatusCode};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::json;
use tokio::time::Instant;

use super::exchange::{Answer, Call, Reply};
use super::jwt::{self, Jwt};
use super::random::Randomness;
use super::script::Route;
use super::{CLIENT_ID, DEFENDER_AUDIENCE, FEDERATION_AUDIENCE, GRAPH_AUDIENCE, TENANT_ID, XDR_AUDIENCE};

/// How long Entra's tokens last, about.
const LIFETIME: Duration = Duration::from_secs(3599);
/// The type of every assertion (RFC 7523).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far ahead an assertion may end, and how far two clocks may be apart, in seconds.
const ASSERTION_LIFETIME: i64 = 900;
const SKEW: i64 = 60;

/// The application's registration, and the tokens that were given out for it.
pub(super) struct Entra {
    client_secret: String,
    certificates: Vec<Vec<u8>>,
    federations: Vec<Federation>,
    /// Assertions that were accepted, and when they end.
    used: BTreeMap<String, i64>,
    roles: BTreeMap<String, Vec<String>>,
    lifetime: Duration,
    tokens: HashMap<String, Token>,
}

/// Whose tokens stand for the application.
pub(super) struct Federation {
    pub(super) issuer: String,
    pub(super) subject: String,
    /// A DER `RSAPublicKey`.
    pub(super) public_key: Vec<u8>,
}

/// What a token that was given out is good for.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) audience: String,
    pub(super) roles: Vec<String>,
    ends: Instant,
}

/// Why there is no token.
struct Refusal {
    status: StatusCode,
    error: &'static str,
    number: u32,
    text: String,
}

const fn refusal(status: StatusCode, error: &'static str, number: u32, text: String) -> Refusal {
    Refusal { status, error, number, text }
}

fn bad_assertion(reason: &str) -> Refusal {
    let text = format!(
        "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}]"
    );
    refusal(StatusCode::UNAUTHORIZED, "invalid_client", 700_027, text)
}

fn no_federation(number: u32, what: &str, value: &str) -> Refusal {
    let text = format!("No matching federated identity record found for presented assertion {what} '{value}'.");
    refusal(StatusCode::BAD_REQUEST, "invalid_client", number, text)
}

impl Entra {
    pub(super) fn new(client_secret: String) -> Self {
        let roles = [
            (DEFENDER_AUDIENCE, vec!["Alert.Read.All", "Machine.Read.All", "File.Read.All"]),
            (XDR_AUDIENCE, vec!["Incident.Read.All"]),
            (GRAPH_AUDIENCE, vec!["SecurityAlert.Read.All", "SecurityIncident.Read.All", "ThreatHunting.Read.All"]),
        ];
        Self {
            client_secret,
            certificates: Vec::new(),
            federations: Vec::new(),
            used: BTreeMap::new(),
            roles: roles
                .into_iter()
                .map(|(audience, roles)| (audience.to_owned(), roles.into_iter().map(str::to_owned).collect()))
                .collect(),
            lifetime: LIFETIME,
            tokens: HashMap::new(),
        }
    }

    pub(super) fn client_secret(&self) -> &str {
        &self.client_secret
    }

    pub(super) fn set_client_secret(&mut self, secret: &str) {
        secret.clone_into(&mut self.client_secret);
    }

    pub(super) fn trust_certificate(&mut self, der: &[u8]) {
        self.certificates.push(der.to_vec());
    }

    pub(super) fn trust_federation(&mut self, federation: Federation) {
        self.federations.push(federation);
    }

    pub(super) fn set_roles(&mut self, audience: &str, roles: &[&str]) {
        self.roles.insert(audience.to_owned(), roles.iter().copied().map(str::to_owned).collect());
    }

    pub(super) const fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    pub(super) fn revoke(&mut self) {
        self.tokens.clear();
    }

    /// A token as the application would get it now.
    pub(super) fn mint(&mut self, audience: &str, random: &mut Randomness) -> String {
        let (now, iat) = (Instant::now(), Timestamp::now().as_second());
        let roles = self.roles.get(audience).cloned().unwrap_or_default();
        let claims = json!({
            "aud": audience,
            "iss": format!("https://sts.windows.net/{TENANT_ID}/"),
            "iat": iat,
            "nbf": iat,
            "exp": iat.saturating_add_unsigned(self.lifetime.as_secs()),
            "appid": CLIENT_ID,
            "tid": TENANT_ID,
            "roles": roles,
            "uti": random.uuid(),
            "ver": "1.0",
        });
        let token = jwt::seemingly_signed(&claims, random);
        self.tokens.retain(|_, token| token.ends > now);
        let ends = now.checked_add(self.lifetime).unwrap_or(now);
        self.tokens.insert(token.clone(), Token { audience: audience.to_owned(), roles, ends });
        token
    }

    /// What a token is good for, if it was given out here, has not ended and was not revoked.
    pub(super) fn token(&self, token: &str) -> Option<&Token> {
        self.tokens.get(token).filter(|token| token.ends > Instant::now())
    }

    /// `origin` is where callers reach this stand-in.
    pub(super) fn answer(&mut self, call: &Call, origin: &str, random: &mut Randomness) -> Answer {
        let Some(tenant) = call
            .path
            .strip_prefix('/')
            .and_then(|path| path.strip_suffix("/oauth2/v2.0/token"))
            .filter(|tenant| !tenant.contains('/'))
        else {
            return Answer::nowhere();
        };
        let form = call.form();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let audience = field("scope").strip_suffix("/.default").unwrap_or_default();
        let allowed = self.admit(call, tenant, &field, audience, origin);
        let reply = match allowed {
            Ok(()) => {
                let seconds = self.lifetime.as_secs();
                let token = self.mint(audience, random);
                let document = json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token});
                Reply::json(StatusCode::OK, &document).with("cache-control", "no-store, no-cache")
            }
            Err(refusal) => error(refusal.status, refusal.error, refusal.number, &refusal.text, random),
        };
        Answer::new(Route::Token, audience, reply)
    }

    fn admit<'f>(
        &mut self,
        call: &Call,
        tenant: &str,
        field: &impl Fn(&'static str) -> &'f str,
        audience: &str,
        origin: &str,
    ) -> Result<(), Refusal> {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        if call.method != Method::POST {
            return Err(refusal(
                BAD,
                "invalid_request",
                900_561,
                format!("The endpoint only accepts POST requests. Received a {} request.", call.method),
            ));
        }
        if tenant != TENANT_ID {
            return Err(refusal(BAD, "invalid_request", 90_002, format!("Tenant '{tenant}' not found.")));
        }
        if field("grant_type") != "client_credentials" {
            return Err(refusal(
                BAD,
                "unsupported_grant_type",
                70_003,
                "The app requested an unsupported grant type.".to_owned(),
            ));
        }
        if field("client_id") != CLIENT_ID {
            let text = format!(
                "Application with identifier '{}' was not found in the directory 'Contoso'.",
                field("client_id")
            );
            return Err(refusal(BAD, "unauthorized_client", 700_016, text));
        }
        if field("client_assertion").is_empty() {
            if field("client_secret") != self.client_secret {
                let text = format!(
                    "Invalid client secret provided. Ensure the secret being sent is the client secret value for app '{CLIENT_ID}'."
                );
                return Err(refusal(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_215, text));
            }
        } else if field("client_assertion_type") == ASSERTION_TYPE {
            self.believe(field("client_assertion"), &format!("{origin}/{tenant}/oauth2/v2.0/token"))?;
        } else {
            let text = "The request body must contain the following parameter: 'client_assertion_type'.";
            return Err(refusal(BAD, "invalid_request", 900_144, text.to_owned()));
        }
        if audience.is_empty() {
            let text =
                format!("The provided value for scope {} is not valid: it must end in /.default.", field("scope"));
            return Err(refusal(BAD, "invalid_scope", 1_002_012, text));
        }
        if !self.roles.contains_key(audience) {
            let text = format!("The resource principal named {audience} was not found in the tenant named Contoso.");
            return Err(refusal(BAD, "invalid_resource", 500_011, text));
        }
        Ok(())
    }

    fn believe(&mut self, assertion: &str, endpoint: &str) -> Result<(), Refusal> {
        let Some(jwt) = Jwt::parse(assertion) else { return Err(bad_assertion("The assertion is no JSON Web Token.")) };
        if jwt.claim("iss") == CLIENT_ID {
            self.believe_certificate(&jwt, endpoint)
        } else {
            self.believe_federation(&jwt)
        }
    }

    /// <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>
    fn believe_certificate(&mut self, jwt: &Jwt<'_>, endpoint: &str) -> Result<(), Refusal> {
        let thumbprint = |der: &Vec<u8>| BASE64.encode(digest(&SHA256, der));
        let Some(certificate) = self.certificates.iter().find(|der| thumbprint(der) == jwt.header("x5t#S256")) else {
            return Err(bad_assertion("The key was not found."));
        };
        let now = Timestamp::now().as_second();
        let wrong = if jwt.header("typ") != "JWT" {
            Some("The type of the token is not JWT.")
        } else if !jwt.is_ps256_by(certificate) {
            Some("The key was found, but use of the key to verify the signature failed.")
        } else if jwt.claim("sub") != CLIENT_ID {
            Some("The subject is not the application.")
        } else if jwt.claim("aud") != endpoint {
            Some("The audience is not this endpoint.")
        } else if jwt.time("nbf").is_none_or(|nbf| nbf > now + SKEW) {
            Some("The assertion is not valid yet.")
        } else if jwt.time("exp").is_none_or(|exp| exp <= now - SKEW) {
            Some("The assertion is past its time.")
        } else if jwt.time("exp").is_none_or(|exp| exp > now + ASSERTION_LIFETIME + SKEW) {
            Some("The assertion lasts too long.")
        } else if jwt.claim("jti").is_empty() {
            Some("The assertion has no id.")
        } else if self.used.contains_key(jwt.claim("jti")) {
            Some("The assertion was used before.")
        } else {
            None
        };
        if let Some(reason) = wrong {
            return Err(bad_assertion(reason));
        }
        self.used.retain(|_, exp| *exp > now - SKEW);
        self.used.insert(jwt.claim("jti").to_owned(), jwt.time("exp").unwrap_or(now));
        Ok(())
    }

    /// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
    fn believe_federation(&self, jwt: &Jwt<'_>) -> Result<(), Refusal> {
        let (issuer, subject) = (jwt.claim("iss"), jwt.claim("sub"));
        let issuers: Vec<_> = self.federations.iter().filter(|federation| federation.issuer == issuer).collect();
        if issuers.is_empty() {
            return Err(no_federation(700_211, "issuer", issuer));
        }
        let Some(federation) = issuers.into_iter().find(|federation| federation.subject == subject) else {
            return Err(no_federation(700_213, "subject", subject));
        };
        if jwt.claim("aud") != FEDERATION_AUDIENCE {
            return Err(no_federation(700_212, "audience", jwt.claim("aud")));
        }
        if !jwt.is_rs256_by(&federation.public_key) {
            return Err(bad_assertion("The key was found, but use of the key to verify the signature failed."));
        }
        let now = Timestamp::now().as_second();
        if jwt.time("exp").is_none_or(|exp| exp <= now - SKEW) || jwt.time("iat").is_some_and(|iat| iat > now + SKEW) {
            return Err(bad_assertion("The assertion is not within its valid time range."));
        }
        Ok(())
    }
}

/// An error body of Entra.
pub(super) fn error(status: StatusCode, error: &str, number: u32, text: &str, random: &mut Randomness) -> Reply {
    let (trace, correlation, time) = (random.uuid(), random.uuid(), Timestamp::now().strftime("%F %TZ").to_string());
    let document = json!({
        "error": error,
        "error_description": format!("AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
        "error_codes": [number],
        "timestamp": time,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
    });
    Reply::json(status, &document)
}
