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
use super::random::uuid;
use super::refusal::Refusal;
use super::script::Route;
use super::{CLIENT_ID, DEFENDER_AUDIENCE, FEDERATION_AUDIENCE, GRAPH_AUDIENCE, TENANT_ID, XDR_AUDIENCE};

/// How long Entra's tokens last, about.
const LIFETIME: Duration = Duration::from_secs(3599);
/// The type of every assertion (RFC 7523).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far ahead an assertion may end, and how far two clocks may be apart, in seconds.
const ASSERTION_LIFETIME: i64 = 900;
const SKEW: i64 = 60;

/// The application's registration, and the tokens that were issued for it.
pub(crate) struct Entra {
    pub(crate) client_secret: String,
    /// In DER.
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) federations: Vec<Federation>,
    /// Assertions that were accepted, and when they end.
    used: BTreeMap<String, i64>,
    roles: BTreeMap<String, Vec<String>>,
    pub(crate) lifetime: Duration,
    pub(crate) tokens: HashMap<String, Token>,
}

/// A federated identity credential.
pub(crate) struct Federation {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// A DER `RSAPublicKey`.
    pub(crate) public_key: Vec<u8>,
}

/// An issued token.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) audience: String,
    pub(crate) roles: Vec<String>,
    ends: Instant,
}

impl Token {
    /// The beginning of an error message, if the token has none of these roles.
    pub(crate) fn missing_roles(&self, required: &[&str]) -> Option<String> {
        let has_role = required.iter().any(|role| self.roles.iter().any(|own| own == role));
        (!has_role).then(|| {
            let (required, roles) = (required.join(","), self.roles.join(","));
            format!("Missing application roles. API required roles: {required}, application roles: {roles}.")
        })
    }
}

fn bad_assertion(reason: &str) -> Refusal {
    let message = format!(
        "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}]"
    );
    Refusal::numbered(StatusCode::UNAUTHORIZED, "invalid_client", 700_027, message)
}

fn no_federation(number: u32, what: &str, value: &str) -> Refusal {
    let message = format!("No matching federated identity record found for presented assertion {what} '{value}'.");
    Refusal::numbered(StatusCode::BAD_REQUEST, "invalid_client", number, message)
}

impl Entra {
    pub(crate) fn new(client_secret: String) -> Self {
        let mut entra = Self {
            client_secret,
            certificates: Vec::new(),
            federations: Vec::new(),
            used: BTreeMap::new(),
            roles: BTreeMap::new(),
            lifetime: LIFETIME,
            tokens: HashMap::new(),
        };
        let endpoint = ["Alert.Read.All", "Machine.Read.All", "File.Read.All", "Ip.Read.All", "URL.Read.All"];
        entra.set_roles(DEFENDER_AUDIENCE, &endpoint);
        entra.set_roles(XDR_AUDIENCE, &["Incident.Read.All"]);
        let graph = ["SecurityAlert.Read.All", "SecurityIncident.Read.All", "ThreatHunting.Read.All"];
        entra.set_roles(GRAPH_AUDIENCE, &graph);
        entra
    }

    pub(crate) fn set_roles(&mut self, audience: &str, roles: &[&str]) {
        self.roles.insert(audience.to_owned(), roles.iter().copied().map(str::to_owned).collect());
    }

    /// Issues a token.
    pub(crate) fn mint(&mut self, audience: &str) -> String {
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
            "uti": uuid(),
            "ver": "1.0",
        });
        let token = jwt::seemingly_signed(&claims);
        self.tokens.retain(|_, token| token.ends > now);
        let ends = now.checked_add(self.lifetime).unwrap_or(now);
        self.tokens.insert(token.clone(), Token { audience: audience.to_owned(), roles, ends });
        token
    }

    /// An issued token that has neither ended nor been revoked.
    pub(crate) fn token(&self, token: &str) -> Option<&Token> {
        self.tokens.get(token).filter(|token| token.ends > Instant::now())
    }

    /// `origin` is where callers reach this stand-in.
    pub(crate) fn answer(&mut self, call: &Call, origin: &str) -> Answer {
        let tenant = call.path.strip_prefix('/').and_then(|path| path.strip_suffix("/oauth2/v2.0/token"));
        let Some(tenant) = tenant.filter(|tenant| !tenant.contains('/')) else { return Answer::not_found() };
        let form = call.form();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let audience = field("scope").strip_suffix("/.default").unwrap_or_default();
        let result = self
            .authenticate(call, tenant, &field, origin)
            .and_then(|()| self.check_audience(audience, field("scope")));
        let result = result.map(|()| {
            let (seconds, token) = (self.lifetime.as_secs(), self.mint(audience));
            let document = json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token});
            Reply::json(StatusCode::OK, &document).with("cache-control", "no-store, no-cache")
        });
        Answer::new(Route::Token, audience, result)
    }

    fn authenticate<'f>(
        &mut self,
        call: &Call,
        tenant: &str,
        field: &impl Fn(&'static str) -> &'f str,
        origin: &str,
    ) -> Result<(), Refusal> {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        let client = field("client_id");
        let (status, code, number, message) = if call.method != Method::POST {
            let message = format!("The endpoint only accepts POST requests. Received a {} request.", call.method);
            (BAD, "invalid_request", 900_561, message)
        } else if tenant != TENANT_ID {
            (BAD, "invalid_request", 90_002, format!("Tenant '{tenant}' not found."))
        } else if field("grant_type") != "client_credentials" {
            (BAD, "unsupported_grant_type", 70_003, "The app requested an unsupported grant type.".to_owned())
        } else if client != CLIENT_ID {
            let message = format!("Application with identifier '{client}' was not found in the directory 'Contoso'.");
            (BAD, "unauthorized_client", 700_016, message)
        } else if field("client_assertion_type") == ASSERTION_TYPE && !field("client_assertion").is_empty() {
            return self.check_assertion(field("client_assertion"), &format!("{origin}/{tenant}/oauth2/v2.0/token"));
        } else if !field("client_assertion").is_empty() {
            let message = "The request body must contain the following parameter: 'client_assertion_type'.";
            (BAD, "invalid_request", 900_144, message.to_owned())
        } else if field("client_secret") != self.client_secret {
            let message = format!(
                "Invalid client secret provided. Ensure the secret being sent is the client secret value for app '{CLIENT_ID}'."
            );
            (StatusCode::UNAUTHORIZED, "invalid_client", 7_000_215, message)
        } else {
            return Ok(());
        };
        Err(Refusal::numbered(status, code, number, message))
    }

    fn check_audience(&self, audience: &str, scope: &str) -> Result<(), Refusal> {
        let (code, number, message) = if audience.is_empty() {
            let message = format!("The provided value for scope {scope} is not valid: it must end in /.default.");
            ("invalid_scope", 1_002_012, message)
        } else if self.roles.contains_key(audience) {
            return Ok(());
        } else {
            let message = format!("The resource principal named {audience} was not found in the tenant named Contoso.");
            ("invalid_resource", 500_011, message)
        };
        Err(Refusal::numbered(StatusCode::BAD_REQUEST, code, number, message))
    }

    fn check_assertion(&mut self, assertion: &str, endpoint: &str) -> Result<(), Refusal> {
        let jwt = Jwt::parse(assertion).ok_or_else(|| bad_assertion("The assertion is no JSON Web Token."))?;
        if jwt.claim("iss") == CLIENT_ID {
            self.check_certificate_assertion(&jwt, endpoint)
        } else {
            self.check_federated_assertion(&jwt)
        }
    }

    /// <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>
    fn check_certificate_assertion(&mut self, jwt: &Jwt<'_>, endpoint: &str) -> Result<(), Refusal> {
        let thumbprint = |der: &Vec<u8>| BASE64.encode(digest(&SHA256, der));
        let Some(certificate) = self.certificates.iter().find(|der| thumbprint(der) == jwt.header("x5t#S256")) else {
            return Err(bad_assertion("The key was not found."));
        };
        let now = Timestamp::now().as_second();
        let id = jwt.claim("jti");
        let faults = [
            (jwt.header("typ") != "JWT", "The type of the token is not JWT."),
            (!jwt.is_ps256_by(certificate), "The key was found, but use of the key to verify the signature failed."),
            (jwt.claim("sub") != CLIENT_ID, "The subject is not the application."),
            (jwt.claim("aud") != endpoint, "The audience is not this endpoint."),
            (jwt.time("nbf").is_none_or(|nbf| nbf > now + SKEW), "The assertion is not valid yet."),
            (jwt.time("exp").is_none_or(|exp| exp <= now - SKEW), "The assertion is past its time."),
            (jwt.time("exp").is_none_or(|exp| exp > now + ASSERTION_LIFETIME + SKEW), "The assertion lasts too long."),
            (id.is_empty(), "The assertion has no id."),
            (self.used.contains_key(id), "The assertion was used before."),
        ];
        if let Some((_, reason)) = faults.into_iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(bad_assertion(reason));
        }
        self.used.retain(|_, exp| *exp > now - SKEW);
        self.used.insert(id.to_owned(), jwt.time("exp").unwrap_or(now));
        Ok(())
    }

    /// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
    fn check_federated_assertion(&self, jwt: &Jwt<'_>) -> Result<(), Refusal> {
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
