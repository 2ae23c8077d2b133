//! The one HTTP client of the process: for Microsoft, for Entra, under the AWS SDK, and for the destinations of answers.
//!
//! HTTP/1.1 only (one request is in flight per environment), rustls with ring, the roots compiled in. aws-lc would
//! gather jitter entropy for 30 to 50 ms at the first handshake of every cold start; a scan of the system's
//! certificates costs about 4 ms.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::config::SettingError;

/// Longer than a handshake across an ocean; short enough to try again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Below what load balancers allow (60 s and more): we hang up first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Two faces of one client: connections that are kept, and connections that are surely new.
#[derive(Clone)]
pub struct HttpClient {
    pub(super) pooled: reqwest::Client,
    pub(super) fresh: reqwest::Client,
    tls: ClientConfig,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("pooled", &self.pooled).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Builds the client; `extra_ca_file` is a PEM file of further trust roots.
    pub fn new(extra_ca_file: Option<&Path>) -> Result<Self, SettingError> {
        let tls = tls(extra_ca_file)?;
        let pooled = built(client(tls.clone(), usize::MAX))?;
        Ok(Self { pooled, fresh: built(client(tls.clone(), 0))?, tls })
    }

    /// The client that keeps its connections.
    pub(crate) fn pooled(&self) -> &reqwest::Client {
        &self.pooled
    }

    /// The client whose connections are surely new.
    pub(crate) fn fresh(&self) -> &reqwest::Client {
        &self.fresh
    }

    /// A face for addresses that are neither Microsoft's nor AWS's: `names` decides where a name may lead, and every
    /// connection is new, so that it decides each time.
    pub(crate) fn resolving_with(&self, names: impl Resolve + 'static) -> Result<reqwest::Client, SettingError> {
        built(client(self.tls.clone(), 0).dns_resolver(names))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that builds clients")]
fn client(tls: ClientConfig, idle_per_host: usize) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(idle_per_host)
        .user_agent(concat!("defender-enrich/", env!("CARGO_PKG_VERSION")))
}

fn built(client: reqwest::ClientBuilder) -> Result<reqwest::Client, SettingError> {
    client
        .build()
        .map_err(|_| SettingError::new("ENRICH_EXTRA_CA_FILE", "gives trust roots that the TLS library does not take"))
}

fn tls(extra_ca_file: Option<&Path>) -> Result<ClientConfig, SettingError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_ca_file {
        let wrong = || SettingError::new("ENRICH_EXTRA_CA_FILE", "must be a readable file of certificates in PEM form");
        let certificates = CertificateDer::pem_file_iter(path).map_err(|_| wrong())?;
        let before = roots.len();
        for certificate in certificates {
            roots.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
        }
        if roots.len() == before {
            return Err(wrong());
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| SettingError::new("TLS", "has no protocol version in common with this build"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
