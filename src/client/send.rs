//! Sends one call within its deadline, reads its response, and retries where that can help.

use std::sync::Arc;
use std::time::Duration;
use std::{io, iter};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::budget::BodyReservation;
use super::context::Context;
use super::early;
use super::error::{ClientError, Reached, error_from_status};
use super::http::{HttpClient, IDLE_TIMEOUT};
use super::quota::{Api, Quota};
use super::retry::{Attempts, Retry, longest_silence};
use crate::config::{Endpoints, SettingError};
use crate::domain::shared_str::SharedStr;

/// Decompressed bytes that are read of a successful response.
const MAX_BODY_BYTES: usize = 16 << 20;
/// Bytes that are read of an error response.
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;
/// How long to wait for the body of an error whose status alone determines its meaning.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_millis(500);

/// Makes calls to Microsoft: HTTP clients and quota.
#[derive(Clone, Debug)]
pub(crate) struct ApiClient {
    hosts: Arc<Hosts>,
    /// Opens a new connection for each request.
    fresh: reqwest::Client,
    quota: Arc<Quota>,
}

/// The hosts of Microsoft's APIs and of Entra.
#[derive(Debug)]
struct Hosts {
    endpoint: Host,
    xdr: Host,
    graph: Host,
    /// The host of Graph, with connections of its own: what is sent only once must not meet a dead one.
    hunting: Host,
    login: Host,
}

#[derive(Debug)]
struct Host {
    base: Url,
    /// A client with a connection pool for this host alone.
    client: reqwest::Client,
    opener: early::Opener,
}

impl Hosts {
    /// The host of an API, or of Entra.
    fn host(&self, api: Option<Api>) -> &Host {
        match api {
            Some(Api::Endpoint) => &self.endpoint,
            Some(Api::Xdr) => &self.xdr,
            Some(Api::Graph) => &self.graph,
            Some(Api::Hunting) => &self.hunting,
            None => &self.login,
        }
    }
}

/// One call to make.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// GET, or POST if there is a body.
    pub(crate) method: Method,
    /// The URL, built by segments, never by formatting.
    pub(crate) url: Url,
    /// A bearer token, marked sensitive.
    pub(crate) authorization: Option<HeaderValue>,
    /// The `Prefer` header, for an API that supports it.
    pub(crate) prefer: Option<&'static str>,
    /// The request body.
    pub(crate) body: Body,
    /// The API whose quota the call uses, or `None` for Entra's token endpoint, for which we keep no quota.
    pub(crate) api: Option<Api>,
    /// The number of calls that it counts for: a batch counts for each of its items, less those taken before.
    pub(crate) cost: u32,
}

/// The body of a call. Every call only reads, so it may be sent again.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// No body.
    None,
    /// `application/x-www-form-urlencoded`.
    Form(String),
    /// `application/json`.
    Json(Bytes),
}

impl Call {
    /// A GET with a bearer token.
    pub(crate) fn get(api: Api, url: Url, authorization: HeaderValue) -> Self {
        Self {
            method: Method::GET,
            url,
            authorization: Some(authorization),
            prefer: None,
            body: Body::None,
            api: Some(api),
            cost: 1,
        }
    }

    /// Whether the call is sent only once. This applies to calls whose answer is expensive and may take all the remaining
    /// time: silence does not mean that the connection is dead, and a retry would restart the work.
    fn is_sent_once(&self) -> bool {
        match self.api {
            Some(Api::Hunting) => true,
            Some(Api::Endpoint | Api::Xdr | Api::Graph) | None => false,
        }
    }

    /// Whether the meaning of an error with this status depends on its body.
    fn is_explained_in_the_body(&self, status: StatusCode) -> bool {
        match self.api {
            None => matches!(status.as_u16(), 400 | 401),
            Some(Api::Hunting) => matches!(status.as_u16(), 400 | 403 | 404),
            Some(Api::Endpoint | Api::Xdr | Api::Graph) => matches!(status.as_u16(), 403 | 404),
        }
    }

    /// Whether and how this call is retried after `error`. A call that is sent once is retried only if no service can
    /// be working on it, and an optional one only if its connection broke.
    fn retry(&self, error: &ClientError, ctx: &Context) -> Retry {
        match error {
            error if ctx.required_calls().is_some() && error.retry() != Retry::Reconnect => Retry::Never,
            ClientError::TimedOut
            | ClientError::Unavailable { reached: Reached::Gateway | Reached::BrokenConnection, .. }
                if self.is_sent_once() =>
            {
                Retry::Never
            }
            error => error.retry(),
        }
    }
}

/// A response whose body is read.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body of a 2xx response, or the error that another status stands for.
    pub(crate) fn into_body(self) -> Result<SharedStr, ClientError> {
        if self.status.is_success() {
            SharedStr::try_from(self.body).map_err(|_| ClientError::malformed("not UTF-8"))
        } else {
            Err(error_from_status(self.status, &self.headers, &self.body))
        }
    }
}

impl ApiClient {
    pub(crate) fn new(http: &HttpClient, endpoints: &Endpoints, quota: Arc<Quota>) -> Result<Self, SettingError> {
        let host_with = |base: &Url, idle| {
            let (client, opener) = http.for_one_host(idle)?;
            Ok::<_, SettingError>(Host { base: base.clone(), client, opener })
        };
        let host = |base| host_with(base, IDLE_TIMEOUT);
        let hosts = Arc::new(Hosts {
            endpoint: host(&endpoints.api)?,
            xdr: host(&endpoints.xdr)?,
            graph: host(&endpoints.graph)?,
            hunting: host_with(&endpoints.graph, early::LIFETIME)?,
            login: host(&endpoints.login)?,
        });
        Ok(Self { hosts, fresh: http.fresh().clone(), quota })
    }

    /// Opens a connection for a later call to an API, or to Entra if there is none. Nothing is sent over it.
    pub(crate) async fn open_connection(&self, api: Option<Api>) {
        let host = self.hosts.host(api);
        host.opener.open(host.base.clone()).await;
    }

    /// The same client with another quota.
    pub(crate) fn with_quota(self, quota: Quota) -> Self {
        Self { quota: Arc::new(quota), ..self }
    }

    /// Takes the cost of several calls, which are then made without a cost. Returns whether they are allowed now.
    pub(crate) async fn take_calls(&self, api: Api, calls: u32, ctx: &Context) -> bool {
        self.quota.take_soon(api, calls, ctx).await
    }

    /// Makes a call and passes its response to `read`. The call is retried after errors of `read` in the same way as
    /// after its own.
    pub(crate) async fn send<T>(
        &self,
        call: &Call,
        ctx: &Context,
        read: impl Fn(Reply) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.send_within(call, &mut Attempts::until(ctx.deadline), ctx, read).await
    }

    /// The same with the remaining attempts of a call. At least one has to remain.
    pub(crate) async fn send_within<T>(
        &self,
        call: &Call,
        attempts: &mut Attempts,
        ctx: &Context,
        read: impl Fn(Reply) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut last: Option<ClientError> = None;
        loop {
            if let Some(api) = call.api
                && let Err(refused) = self.quota.take(api, call.cost, ctx).await
            {
                return Err(last.unwrap_or(refused));
            }
            attempts.begin();
            ctx.count_call();
            let client = if attempts.distrust_connections() { &self.fresh } else { &self.hosts.host(call.api).client };
            let error = match self.attempt(client, call, ctx).await.and_then(&read) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let (Some(api), ClientError::Throttled { retry_after: Some(wait) }) = (call.api, &error) {
                self.quota.close(api, *wait, ctx).await;
            }
            if !attempts.again(call.retry(&error, ctx)).await {
                return Err(error);
            }
            last = Some(error);
        }
    }

    /// Makes one attempt. It fails when no data has arrived for too long. While data arrive, only the deadline ends it.
    async fn attempt(&self, client: &reqwest::Client, call: &Call, ctx: &Context) -> Result<Reply, ClientError> {
        let remaining = ctx.deadline.remaining();
        let silence = if call.is_sent_once() { remaining } else { longest_silence(remaining) };
        let silent_until = || ctx.deadline.within(silence).instant();
        let mut request =
            client.request(call.method.clone(), call.url.clone()).header(header::ACCEPT, "application/json");
        if let Some(authorization) = &call.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if let Ok(id) = HeaderValue::from_str(&ctx.request_id) {
            request = request.header("client-request-id", id);
        }
        if let Some(Ok(trace)) = ctx.traceparent.as_deref().map(HeaderValue::from_str) {
            request = request.header("traceparent", trace);
        }
        if let Some(preference) = call.prefer {
            request = request.header("prefer", preference);
        }
        request = match &call.body {
            Body::None => request,
            Body::Form(form) => {
                request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.clone())
            }
            Body::Json(json) => {
                request.header(header::CONTENT_TYPE, "application/json; charset=utf-8").body(json.clone())
            }
        };
        let response = timeout_at(silent_until(), request.send()).await.map_err(|_| ClientError::TimedOut)?;
        let response = response.map_err(|error| transport_error(&error))?;
        let status = response.status();
        let mut reservation = ctx.share().reserve_for_body();
        if !(status.is_success() || call.is_explained_in_the_body(status)) {
            // Reading the body lets the connection be reused. If it fails, status and headers are enough.
            let bare = Reply { status, headers: response.headers().clone(), body: Bytes::new() };
            let end = ctx.deadline.within(ERROR_BODY_TIMEOUT).instant();
            let read = timeout_at(end, read_body(response, silent_until, ctx, &mut reservation)).await;
            return Ok(read.ok().and_then(Result::ok).unwrap_or(bare));
        }
        match read_body(response, silent_until, ctx, &mut reservation).await {
            Ok(reply) => {
                reservation.keep();
                Ok(reply)
            }
            Err(error) => {
                reservation.give_up(ctx.deadline).await;
                Err(error)
            }
        }
    }
}

/// Reads a response up to the size limit and the memory budget of the request.
async fn read_body(
    mut response: reqwest::Response,
    silent_until: impl Fn() -> Instant,
    ctx: &Context,
    reservation: &mut BodyReservation<'_>,
) -> Result<Reply, ClientError> {
    let status = response.status();
    let max_bytes = if status.is_success() { MAX_BODY_BYTES } else { MAX_ERROR_BODY_BYTES };
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if status.is_success() && announced > max_bytes {
        return Err(ClientError::TooLarge);
    }
    // The body of an error is small and not kept, so it does not count against the budget.
    if status.is_success() {
        reservation.take_up_to(announced, ctx.deadline).await?;
    }
    let mut body = BytesMut::with_capacity(announced.min(max_bytes));
    loop {
        let chunk = timeout_at(silent_until(), response.chunk()).await.map_err(|_| ClientError::TimedOut)?;
        let Some(chunk) = chunk.map_err(|error| transport_error(&error))? else { break };
        if body.len() + chunk.len() > max_bytes {
            if status.is_success() {
                return Err(ClientError::TooLarge);
            }
            break;
        }
        if status.is_success() {
            reservation.take_up_to(body.len() + chunk.len(), ctx.deadline).await?;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, headers: std::mem::take(response.headers_mut()), body: body.freeze() })
}

/// The error that a failure below HTTP stands for. reqwest's own text contains the URL and so the subject, so it is not
/// used.
fn transport_error(error: &reqwest::Error) -> ClientError {
    if error.is_connect() {
        if has_no_address(error) { ClientError::NoAddress } else { ClientError::unavailable("no connection") }
    } else if is_undecodable(error) {
        ClientError::malformed("the body does not decompress")
    } else {
        ClientError::broken_connection("the connection broke")
    }
}

/// Whether a resolver's error text means that the name does not exist. The standard library does not expose the
/// resolver's error code, so this compares the sentences of the C libraries for `EAI_NONAME` and `EAI_NODATA`.
fn says_no_such_name(text: &str) -> bool {
    const SENTENCES: [&str; 5] = [
        "Name or service not known",
        "No address associated with",
        "Name does not resolve",
        "Name has no usable address",
        "nodename nor servname provided",
    ];
    SENTENCES.iter().any(|sentence| text.contains(sentence))
}

/// Whether the resolver reported that the name does not exist.
fn has_no_address(error: &reqwest::Error) -> bool {
    io_causes(error).next().is_some_and(|cause| says_no_such_name(&cause.to_string()))
}

/// Whether the body arrived but cannot be decompressed. reqwest's own `is_decode` is also true for a body that ended
/// early.
fn is_undecodable(error: &reqwest::Error) -> bool {
    io_causes(error).any(|cause| matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
}

/// The I/O errors among the causes, from the outermost on.
fn io_causes(error: &reqwest::Error) -> impl Iterator<Item = &io::Error> {
    let causes = iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_name_differs_from_a_failing_resolver() {
        let is_missing = |sentence| says_no_such_name(&format!("failed to lookup address information: {sentence}"));
        assert!(is_missing("Name or service not known") && is_missing("nodename nor servname provided, or not known"));
        assert!(!is_missing("Temporary failure in name resolution") && !is_missing("Try again"));
    }
}
