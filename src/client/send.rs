//! One call, within its deadline: sent, read, judged, and tried again where that helps.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::budget::Reading;
use super::context::Context;
use super::error::{ClientError, Reached};
use super::http::HttpClient;
use super::quota::{Api, Quota};
use super::retry::{Attempts, Retry, longest_silence};
use super::status::error_from_status;
use crate::domain::shared_str::SharedStr;

/// What is read of an answer, decompressed.
const MAX_BODY: usize = 16 << 20;
/// What is read of an error's body.
const MAX_ERROR_BODY: usize = 64 << 10;
/// How long an error's body is waited for where its status says it all.
const ERROR_BODY_TIME: Duration = Duration::from_millis(500);

/// Calls to the outside.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    http: HttpClient,
    quota: Arc<Quota>,
}

/// One call to make.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// GET, or POST where there is a body.
    pub(crate) method: Method,
    /// Built by segments, never by formatting.
    pub(crate) url: Url,
    /// A bearer token, marked sensitive.
    pub(crate) authorization: Option<HeaderValue>,
    /// The `Prefer` header, for an API that knows one.
    pub(crate) prefer: Option<&'static str>,
    /// What is sent.
    pub(crate) body: Body,
    /// The quota it comes out of; Entra's token endpoint has none of ours.
    pub(crate) api: Option<Api>,
    /// How many calls it counts for: a batch counts for each of its items.
    pub(crate) cost: u32,
}

/// The body of a call. Whatever is sent here only reads: it may be sent again.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Nothing.
    None,
    /// `application/x-www-form-urlencoded`.
    Form(String),
    /// `application/json`.
    Json(Bytes),
}

impl Call {
    /// A GET that a token opens.
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

    /// Whether its answer may take all the time that there is, and it costs much to be answered. Its silence tells nothing
    /// then: to send it again would only begin it anew, and its connection has to be a good one.
    fn is_sent_once(&self) -> bool {
        match self.api {
            Some(Api::Hunting) => true,
            Some(Api::Endpoint | Api::Xdr | Api::Graph) | None => false,
        }
    }

    /// Whether an error of this status means one thing or another by what its body says.
    fn is_explained_in_the_body(&self, status: StatusCode) -> bool {
        match self.api {
            None => matches!(status.as_u16(), 400 | 401),
            Some(Api::Hunting) => matches!(status.as_u16(), 400 | 403 | 404),
            Some(Api::Endpoint | Api::Xdr | Api::Graph) => matches!(status.as_u16(), 403 | 404),
        }
    }

    /// What a failure means for the next attempt. What is sent once is repeated only where nobody is at work on it.
    fn retry(&self, error: &ClientError) -> Retry {
        match error {
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

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body of a 2xx answer; what any other stands for.
    pub(crate) fn into_body(self) -> Result<SharedStr, ClientError> {
        if self.status.is_success() {
            SharedStr::try_from(self.body).map_err(|_| ClientError::malformed("not UTF-8"))
        } else {
            Err(error_from_status(self.status, &self.headers, &self.body))
        }
    }
}

impl Upstream {
    pub(crate) fn new(http: HttpClient, quota: Arc<Quota>) -> Self {
        Self { http, quota }
    }

    /// Makes a call and lets `read` say what its answer means; what `read` calls a passing trouble is tried again.
    pub(crate) async fn send<T>(
        &self,
        call: &Call,
        ctx: &Context,
        read: impl Fn(Reply) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.send_within(call, &mut Attempts::until(ctx.deadline), ctx, read).await
    }

    /// The same with the attempts that are left of a call, of which there has to be one.
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
            let over_a_new_connection = attempts.distrust_connections() || call.is_sent_once();
            let client = if over_a_new_connection { &self.http.fresh } else { &self.http.pooled };
            let error = match self.attempt(client, call, ctx).await.and_then(&read) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let (Some(api), ClientError::Throttled { retry_after: Some(wait) }) = (call.api, &error) {
                self.quota.close(api, *wait);
            }
            if !attempts.again(call.retry(&error)).await {
                return Err(error);
            }
            last = Some(error);
        }
    }

    /// One attempt. It ends when nothing has come for too long, and not before the deadline as long as something does.
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
        let response = response.map_err(|error| transport(&error))?;
        let status = response.status();
        let mut reading = ctx.share().reading();
        if !(status.is_success() || call.is_explained_in_the_body(status)) {
            // It is read so that the connection can be kept, and whatever becomes of it, the status and the headers are there.
            let bare = Reply { status, headers: response.headers().clone(), body: Bytes::new() };
            let end = ctx.deadline.within(ERROR_BODY_TIME).instant();
            let read = timeout_at(end, read_body(response, silent_until, ctx, &mut reading)).await;
            return Ok(read.ok().and_then(Result::ok).unwrap_or(bare));
        }
        match read_body(response, silent_until, ctx, &mut reading).await {
            Ok(reply) => {
                reading.keep();
                Ok(reply)
            }
            Err(error) => {
                reading.give_up(ctx.deadline).await;
                Err(error)
            }
        }
    }
}

/// Reads an answer, no further than the cap, and than the request's budget goes.
async fn read_body(
    mut response: reqwest::Response,
    silent_until: impl Fn() -> Instant,
    ctx: &Context,
    reading: &mut Reading<'_>,
) -> Result<Reply, ClientError> {
    let status = response.status();
    let most = if status.is_success() { MAX_BODY } else { MAX_ERROR_BODY };
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if status.is_success() && announced > most {
        return Err(ClientError::TooLarge);
    }
    // What an error says is little, and held by nobody.
    if status.is_success() {
        reading.take_up_to(announced, ctx.deadline).await?;
    }
    let mut body = BytesMut::with_capacity(announced.min(most));
    loop {
        let piece = timeout_at(silent_until(), response.chunk()).await.map_err(|_| ClientError::TimedOut)?;
        let Some(piece) = piece.map_err(|error| transport(&error))? else { break };
        if body.len() + piece.len() > most {
            if status.is_success() {
                return Err(ClientError::TooLarge);
            }
            break;
        }
        if status.is_success() {
            reading.take_up_to(body.len() + piece.len(), ctx.deadline).await?;
        }
        body.extend_from_slice(&piece);
    }
    Ok(Reply { status, headers: std::mem::take(response.headers_mut()), body: body.freeze() })
}

/// What went wrong below HTTP. reqwest's own text holds the URL, and with it the subject: it is not used.
fn transport(error: &reqwest::Error) -> ClientError {
    if error.is_timeout() && !error.is_connect() {
        ClientError::TimedOut
    } else if error.is_connect() {
        if has_no_address(error) { ClientError::NoAddress } else { ClientError::unavailable("no connection") }
    } else if is_undecodable(error) {
        ClientError::malformed("the body does not decompress")
    } else {
        ClientError::connection_died("the connection broke")
    }
}

/// The standard library keeps the resolver's code to itself: what is left are the C libraries' sentences for
/// `EAI_NONAME` and `EAI_NODATA`.
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

/// Whether the resolver says that there is no such name.
fn has_no_address(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        if let Some(io) = source.downcast_ref::<io::Error>() {
            return says_no_such_name(&io.to_string());
        }
        cause = source.source();
    }
    false
}

/// Whether the bytes came and make no sense. reqwest says "decode" of a body that ended early as well.
fn is_undecodable(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        if let Some(io) = source.downcast_ref::<io::Error>()
            && matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        {
            return true;
        }
        cause = source.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_an_address_is_told_from_a_resolver_in_trouble() {
        let said = |sentence| says_no_such_name(&format!("failed to lookup address information: {sentence}"));
        assert!(said("Name or service not known") && said("nodename nor servname provided, or not known"));
        assert!(!said("Temporary failure in name resolution") && !said("Try again"));
    }
}
