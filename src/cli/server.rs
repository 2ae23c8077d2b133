//! The HTTP server of `serve`. Slow and silent clients occupy a bounded number of connections for a bounded time.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// The timeout for a request's head, and between two requests of one connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Some systems allow a process 256 descriptors. Half of them are left for calls to Microsoft.
const MAX_CONNECTIONS: u32 = 128;
/// An older connection accepts no further request, so that a client that does not read cannot keep it.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(60);
/// The pause after an accept error. An error such as too many open files does not pass immediately.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    head: Duration,
    connections: u32,
    age: Duration,
    /// The time for the last request of a connection, from its first byte to the last byte of its response.
    last_request: Duration,
}

impl Bounds {
    /// The default limits, for requests that are answered within `last_request`.
    pub(super) fn answering_within(last_request: Duration) -> Self {
        Self { head: HEAD_TIMEOUT, connections: MAX_CONNECTIONS, age: MAX_CONNECTION_AGE, last_request }
    }
}

/// Serves until `stopped` resolves, and then until the requests in flight are answered or timed out.
pub(super) async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stopped: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(bounds.connections as usize));
    let stopping = watch::Sender::new(false);
    let mut stopped = pin!(stopped);
    loop {
        let next = async {
            // The semaphore is never closed.
            let permit = permits.clone().acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve_connection(stream, router.clone(), bounds, stopping.subscribe());
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stopping.send_replace(true);
    if timeout(bounds.last_request, permits.acquire_many(bounds.connections)).await.is_err() {
        tracing::warn!("connections were given up at the end of the process");
    }
}

/// Serves the requests of one connection.
async fn serve_connection(stream: TcpStream, router: Router, bounds: Bounds, mut stopping: watch::Receiver<bool>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        // Errors are caused by the client: it disconnected, or sent invalid HTTP.
        _ = connection.as_mut() => return,
        () = sleep(bounds.age) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(timeout(bounds.last_request, connection).await);
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    struct Running {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        ended: JoinHandle<()>,
    }

    async fn start(connections: u32) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let slow = || async {
            sleep(Duration::from_secs(2)).await;
            "slow"
        };
        let router = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
        let router = router.route("/never", get(pending::<&str>));
        let bounds = Bounds { connections, ..Bounds::answering_within(Duration::from_secs(5)) };
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(serve(listener, router, bounds, async move { drop(stopped.await) }));
        Running { address, stop, ended }
    }

    async fn send(address: SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(bytes).await.expect("sent");
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        drop(stream.read_to_string(&mut text).await);
        text
    }

    #[tokio::test(start_paused = true)]
    async fn incomplete_and_missing_heads_close_the_connection() {
        let server = start(8).await;
        for begin in [&b""[..], b"GET / HTTP/1.1\r\nhost:", HEAD] {
            let start = Instant::now();
            let stream = send(server.address, begin).await;
            assert_eq!(rest(stream).await.contains("hello"), begin == HEAD);
            assert!((10..12).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connection_limit_delays_others_only_for_a_while() {
        let server = start(4).await;
        let mut idle = Vec::new();
        for _ in 0..20 {
            idle.push(send(server.address, b"GET").await);
        }
        let start = Instant::now();
        assert!(rest(send(server.address, HEAD).await).await.contains("hello"));
        assert!((10..75).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn old_connections_are_closed() {
        let server = start(8).await;
        let start = Instant::now();
        assert_eq!(rest(send(server.address, b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await).await, "");
        assert_eq!(start.elapsed().as_secs(), 65);
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_waits_for_requests_only() {
        let server = start(8).await;
        let idle = send(server.address, b"GET / HTTP/1.1\r\n").await;
        let slow = send(server.address, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
        sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        server.stop.send(()).expect("a server");
        assert!(rest(slow).await.contains("slow"));
        server.ended.await.expect("an end");
        assert!(start.elapsed() <= Duration::from_secs(6), "{:?}", start.elapsed());
        assert_eq!(rest(idle).await, "");
    }
}
