//! The HTTP client of the process: for Microsoft, Entra, the AWS SDK, and the destinations of answers.
//!
//! It speaks HTTP/1.1 only, because one request is in flight per environment. It uses rustls with ring and compiled-in
//! trust roots: aws-lc would gather jitter entropy for 30 to 50 ms at the first handshake of every cold start, and a
//! scan of the system's certificates costs about 4 ms.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::early::{EarlyConnections, Opener};
use crate::config::SettingError;

/// Longer than a handshake across an ocean, and short enough to leave time for a retry.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than the idle timeout of load balancers (60 s and more), so that this side closes the connection first.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// How long sent bytes may stay unacknowledged. A host acknowledges them within a round trip, however long it works on
/// the request: after this time the connection is dead.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(3);

/// Holds two clients: one with a connection pool, and one that always opens a new connection.
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
    /// Builds the client. `extra_ca_file` is a PEM file of additional trust roots.
    pub fn new(extra_ca_file: Option<&Path>) -> Result<Self, SettingError> {
        let tls = tls(extra_ca_file)?;
        let pooled = built(client(tls.clone(), usize::MAX))?;
        Ok(Self { pooled, fresh: built(client(tls.clone(), 0))?, tls })
    }

    /// The client with a connection pool.
    pub(crate) fn pooled(&self) -> &reqwest::Client {
        &self.pooled
    }

    /// The client that opens a new connection for every request.
    pub(crate) fn fresh(&self) -> &reqwest::Client {
        &self.fresh
    }

    /// A client for one host, with a connection pool of its own, and what opens connections for it early.
    pub(super) fn for_one_host(&self, idle_timeout: Duration) -> Result<(reqwest::Client, Opener), SettingError> {
        let layer = EarlyConnections::default();
        let pooled = client(self.tls.clone(), usize::MAX).pool_idle_timeout(idle_timeout);
        let opener = client(self.tls.clone(), 0).connector_layer(layer.clone());
        Ok((built(pooled.connector_layer(layer))?, Opener(built(opener)?)))
    }

    /// A client for hosts that belong neither to Microsoft nor to AWS. `resolver` decides which addresses a name may
    /// have. Every request opens a new connection, so that the resolver checks each of them.
    pub(crate) fn resolving_with(&self, resolver: impl Resolve + 'static) -> Result<reqwest::Client, SettingError> {
        built(client(self.tls.clone(), 0).dns_resolver(resolver))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the only place that builds clients")]
fn client(tls: ClientConfig, idle_per_host: usize) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder();
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(UNACKNOWLEDGED_TIMEOUT);
    builder
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
