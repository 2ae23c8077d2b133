//! Client assertions for Entra, signed with the key of a certificate.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>: PS256, `x5t#S256`, valid for
//! at most ten minutes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::error::CredentialError;
use super::secret_text::SecretProblem;
use crate::domain::timestamp::Timestamp;

/// An assertion is valid from this many seconds before now, because clocks differ.
const CLOCK_SKEW_S: i64 = 60;
/// The lifetime of an assertion, the longest that Entra accepts.
const LIFETIME_S: i64 = 600;

/// Signs an assertion that identifies the client to a token endpoint.
pub(super) fn sign(
    certificate_pem: &str,
    private_key_pem: &str,
    client_id: &str,
    endpoint: &str,
    now: Timestamp,
) -> Result<String, CredentialError> {
    let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
        .map_err(|_| unusable("certificate_pem", "holds no certificate"))?;
    let key = rsa_key(private_key_pem)?;
    let random = SystemRandom::new();
    let mut id = [0; 16];
    random
        .fill(&mut id)
        .map_err(|_| CredentialError::Unusable(SecretProblem::Other("there is no randomness to sign with")))?;

    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate));
    let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
    let now = now.unix_seconds();
    let claims = json!({
        "aud": endpoint,
        "iss": client_id,
        "sub": client_id,
        "jti": URL_SAFE_NO_PAD.encode(id),
        "nbf": now - CLOCK_SKEW_S,
        "iat": now,
        "exp": now + LIFETIME_S,
    });
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PSS_SHA256, &random, signed.as_bytes(), &mut signature)
        .map_err(|_| unusable("private_key_pem", "does not sign"))?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn rsa_key(pem: &str) -> Result<RsaKeyPair, CredentialError> {
    let wrong = "holds no RSA key of 2048 to 4096 bits, in PKCS#8 or PKCS#1, without a passphrase";
    let key = match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
        Ok(PrivateKeyDer::Pkcs8(key)) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        Ok(PrivateKeyDer::Pkcs1(key)) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        Ok(_) | Err(_) => return Err(unusable("private_key_pem", wrong)),
    };
    key.map_err(|_| unusable("private_key_pem", wrong))
}

fn unusable(member: &'static str, problem: &'static str) -> CredentialError {
    CredentialError::Unusable(SecretProblem::member(member, problem))
}
