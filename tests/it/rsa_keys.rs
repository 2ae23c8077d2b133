//! RSA keys and their certificates, made anew for every run: no key is kept in the repository.

use std::sync::LazyLock;

use rcgen::{CertificateParams, KeyPair};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey;
use rsa::rand_core::OsRng;

/// A key and a certificate that it has signed for itself.
pub(crate) struct RsaKey {
    /// The certificate, in PEM form.
    pub(crate) certificate_pem: String,
    /// The key, PKCS#8 in PEM form.
    pub(crate) private_key_pem: String,
}

/// The key that the application in Entra knows.
pub(crate) static REGISTERED: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::generate("registered.contoso.com"));
/// A key that nobody knows.
pub(crate) static STRANGER: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::generate("stranger.contoso.com"));

impl RsaKey {
    fn generate(name: &str) -> Self {
        let key = RsaPrivateKey::new(&mut OsRng, 2048).expect("a key of a common size");
        let pkcs8 = key.to_pkcs8_der().expect("an encoding of the key");
        let pair = KeyPair::try_from(pkcs8.as_bytes()).expect("the same key");
        let certificate =
            CertificateParams::new([name.to_owned()]).expect("a name").self_signed(&pair).expect("a certificate");
        Self { certificate_pem: certificate.pem(), private_key_pem: pair.serialize_pem() }
    }
}
