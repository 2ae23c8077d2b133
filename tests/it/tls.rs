//! TLS to Microsoft: a request is sent only to a server that proves the name that was asked for.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::harness::{ALERT, World, dense_alert, fast_forward};

/// A server that sends an alert to everybody who accepts its certificate.
struct Server {
    address: SocketAddr,
    certificate_pem: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server whose certificate, which it has signed itself, is for this name.
    fn start(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let names = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = names.self_signed(&key).expect("a certificate");
        let private_key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private_key.into())
            .expect("a certificate with its key");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (config, requests) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
        let count = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).expect("a connection");
                let mut stream = StreamOwned::new(connection, stream.expect("a client"));
                // The handshake fails where the client does not accept the certificate.
                if stream.read(&mut [0; 8192]).is_ok_and(|length| length > 0) {
                    count.fetch_add(1, Ordering::SeqCst);
                    let alert = dense_alert(ALERT).to_string();
                    let head =
                        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", alert.len());
                    stream.write_all((head + &alert).as_bytes()).ok();
                }
            }
        });
        Self { address, certificate_pem: certificate.pem(), requests }
    }
}

#[tokio::test]
async fn only_a_trusted_certificate_for_the_right_name_gets_a_request() {
    let (right, wrong_name) = (Server::start("127.0.0.1"), Server::start("defender.example"));
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), [&*right.certificate_pem, &*wrong_name.certificate_pem].concat()).expect("two certificates");
    let both = file.path().to_str().expect("a path");
    for (server, roots) in [(&right, ""), (&wrong_name, both)] {
        let url = format!("https://{}", server.address);
        let world = World::with(&[("DEFENDER_API_URL", &*url), ("ENRICH_EXTRA_CA_FILE", roots)]).await;
        fast_forward(world.alert(ALERT)).await.0.problem(503, "upstream_unavailable");
        assert_eq!(server.requests.load(Ordering::SeqCst), 0, "{roots}");
    }
    let url = format!("https://{}", right.address);
    let world = World::with(&[("DEFENDER_API_URL", &*url), ("ENRICH_EXTRA_CA_FILE", both)]).await;
    world.alert(ALERT).await.answer();
    assert_eq!(right.requests.load(Ordering::SeqCst), 1);
}
