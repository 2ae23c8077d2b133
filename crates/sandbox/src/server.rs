//! Reads a request, has it answered by its stand-in, and sends the answer as the script wants it.

use std::future::Future;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::handler::HandlerWithoutStateExt;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzEncoder, ZlibEncoder};
use futures_util::stream;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Service;
use super::exchange::{Call, Reply};
use super::script::{Encoding, Fault};
use super::state::State;
use super::wire::{LocalListener, ResetSwitch};

/// No client has a reason to send more.
const MAX_REQUEST_BYTES: usize = 1 << 20;
/// The number of pieces of a slow body.
const PIECES: usize = 50;

/// The state, for all the servers and the handle. Never locked across an await.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// A panic elsewhere leaves the state as it was: it is as good as before.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until `stop` is done; requests that are being answered then still are.
pub(crate) async fn serve(
    listener: LocalListener,
    service: Service,
    shared: Shared,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let handler = move |ConnectInfo(reset): ConnectInfo<ResetSwitch>, request: Request| {
        let shared = shared.clone();
        async move { answer(service, &shared, &reset, request).await }
    };
    let app = handler.into_make_service_with_connect_info::<ResetSwitch>();
    // Accepting goes on whatever happens to a connection, so there is no error.
    let _ = axum::serve(listener, app).with_graceful_shutdown(stop).await;
}

async fn answer(service: Service, shared: &Shared, reset: &ResetSwitch, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_REQUEST_BYTES).await else {
        return respond(StatusCode::PAYLOAD_TOO_LARGE, HeaderMap::new(), Body::empty());
    };
    let offered =
        parts.headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let call = Call {
        service,
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    let (reply, fault) = shared.lock().take(call);
    if let Some(delay) = fault.delay {
        tokio::time::sleep(delay).await;
    }
    if fault.reset {
        reset.turn_on();
    }
    send(reply, fault, &offered)
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// An answer as it goes out.
fn send(reply: Reply, fault: Fault, offered: &str) -> Response {
    let mut headers = HeaderMap::new();
    let content_type = fault.content_type.as_deref().unwrap_or(reply.content_type);
    let own = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let scripted = fault.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let described = (!content_type.is_empty()).then_some((CONTENT_TYPE.as_str(), content_type));
    for (name, value) in described.into_iter().chain(own).chain(scripted) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    let mut body = fault.body.unwrap_or(reply.body);
    if let Some((name, packed)) = fault.encoding.and_then(|encoding| pack(&body, encoding, offered)) {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        body = packed;
    }
    let whole = body.len();
    let kept = fault.truncate.map(|share| body.split_to(part(whole, share)));
    if kept.is_some() || !reply.chunked {
        headers.entry(CONTENT_LENGTH).or_insert(whole.into());
    }
    let broken = kept.is_some();
    let body = kept.unwrap_or(body);
    let body = if broken || reply.chunked || fault.drip.is_some() {
        dripping(body, fault.drip, broken)
    } else {
        Body::from(body)
    };
    respond(reply.status, headers, body)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of a length that is in memory"
)]
fn part(whole: usize, share: f32) -> usize {
    (whole as f32 * share.clamp(0.0, 1.0)) as usize
}

/// A step of sending a body.
enum Step {
    Pause(Duration),
    Send(Bytes),
    Break,
}

/// A body of unknown length, in pieces if there is a pause between them.
fn dripping(mut body: Bytes, pause: Option<Duration>, broken: bool) -> Body {
    let size = if pause.is_some() { body.len().div_ceil(PIECES) } else { body.len() };
    let mut steps = Vec::new();
    while !body.is_empty() {
        steps.extend(pause.map(Step::Pause));
        steps.push(Step::Send(body.split_to(size.min(body.len()))));
    }
    if broken {
        steps.push(Step::Break);
    }
    let pieces = stream::unfold(steps.into_iter(), |mut steps| async move {
        loop {
            match steps.next()? {
                Step::Pause(pause) => tokio::time::sleep(pause).await,
                Step::Send(piece) => return Some((Ok(piece), steps)),
                Step::Break => {
                    // What was sent so far is written out while this waits. The error then closes the connection.
                    tokio::task::yield_now().await;
                    return Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), steps));
                }
            }
        }
    });
    Body::from_stream(pieces)
}

/// The compressed body and its `Content-Encoding`, if the client accepts it.
fn pack(body: &Bytes, encoding: Encoding, offered: &str) -> Option<(&'static str, Bytes)> {
    let name = match encoding {
        Encoding::Gzip => "gzip",
        Encoding::Deflate => "deflate",
    };
    offered.contains(name).then_some(())?;
    let (level, mut packed) = (Compression::default(), Vec::new());
    let result = match encoding {
        Encoding::Gzip => GzEncoder::new(&**body, level).read_to_end(&mut packed),
        Encoding::Deflate => ZlibEncoder::new(&**body, level).read_to_end(&mut packed),
    };
    result.ok().map(|_| (name, packed.into()))
}
