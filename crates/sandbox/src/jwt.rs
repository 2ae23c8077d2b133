//! JSON Web Tokens, as far as Entra and STS use them (RFC 7519, RFC 7515 compact form).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pki_types::CertificateDer;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};

use serde_json::{Value, json};
use webpki::EndEntityCert;
use webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY as PS256;

use super::random;

/// A token that was taken apart, and not yet believed.
pub(crate) struct Jwt<'a> {
    header: Value,
    claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json =
            |part: &str| serde_json::from_slice::<Value>(&BASE64.decode(part).ok()?).ok().filter(Value::is_object);
        Some(Self { header: json(header)?, claims: json(claims)?, signed, signature: BASE64.decode(signature).ok()? })
    }

    /// A member of the header, if it is text; else empty.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.header.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A claim, if it is text; else empty.
    pub(crate) fn claim(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A claim in seconds since 1970.
    pub(crate) fn time(&self, name: &str) -> Option<i64> {
        self.claims.get(name).and_then(Value::as_i64)
    }

    /// Whether the key of an X.509 certificate has made the signature, with RSASSA-PSS and SHA-256.
    pub(crate) fn is_ps256_by(&self, certificate: &[u8]) -> bool {
        let certificate = CertificateDer::from(certificate);
        self.header("alg") == "PS256"
            && EndEntityCert::try_from(&certificate).is_ok_and(|certificate| {
                certificate.verify_signature(PS256, self.signed.as_bytes(), &self.signature).is_ok()
            })
    }

    /// Whether an RSA key has made the signature, with RSASSA-PKCS1-v1_5 and SHA-256. The key is a DER `RSAPublicKey` (RFC 8017).
    pub(crate) fn is_rs256_by(&self, public_key: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key);
        self.header("alg") == "RS256" && key.verify(self.signed.as_bytes(), &self.signature).is_ok()
    }
}

/// Whether a certificate is one that can be believed later.
pub(crate) fn is_certificate(der: &[u8]) -> bool {
    EndEntityCert::try_from(&CertificateDer::from(der)).is_ok()
}

/// A token signed with RS256; none if the key will not sign.
pub(crate) fn sign(claims: &Value, key: &RsaKeyPair) -> Option<String> {
    let signed = unsigned(&json!({"alg": "RS256", "kid": "RSA_0", "typ": "JWT"}), claims);
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
    Some(format!("{signed}.{}", BASE64.encode(signature)))
}

/// A token that looks signed: random bytes stand where a signature would.
pub(crate) fn seemingly_signed(claims: &Value) -> String {
    let signed = unsigned(&json!({"alg": "RS256", "kid": "sandbox", "typ": "JWT"}), claims);
    format!("{signed}.{}", BASE64.encode([(); 4].map(|()| random::bytes()).concat()))
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}
