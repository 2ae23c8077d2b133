//! One call, within its deadline: sent, read, judged, and tried again where that helps.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::{sleep, timeout_at};
use url::Url;

use super::client::HttpClient;
use super::context::Context;
use super::error::UpstreamError;
use super::judge::judge;
use super::quota::{Api, Quota};
use crate::domain::text::Text;

/// Tries of one call in all.
const TRIES: u32 = 3;
/// What is read of an answer, decompressed.
const MOST_BODY: usize = 16 << 20;
/// What is read of an error's body.
const MOST_ERROR_BODY: usize = 64 << 10;
/// A try gets this share of what is left, so that a silent connection leaves time for another.
const SHARE_OF_A_TRY: f64 = 0.6;
/// No try is shorter than this, unless the deadline is.
const LEAST_TRY: Duration = Duration::from_millis(500);

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
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body of a 2xx answer; what any other stands for.
    pub(crate) fn into_body(self) -> Result<Text, UpstreamError> {
        if self.status.is_success() {
            Text::try_from(self.body).map_err(|_| UpstreamError::malformed("not UTF-8"))
        } else {
            Err(judge(self.status, &self.headers, &self.body))
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
        read: impl Fn(Reply) -> Result<T, UpstreamError>,
    ) -> Result<T, UpstreamError> {
        let mut client = &self.http.pooled;
        let mut last: Option<UpstreamError> = None;
        for tries in 1..=TRIES {
            if let Some(api) = call.api
                && let Err(refused) = self.quota.take(api, call.cost, ctx).await
            {
                return Err(last.unwrap_or(refused));
            }
            ctx.count_call();
            let error = match self.attempt(client, call, ctx).await.and_then(&read) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let (Some(api), UpstreamError::Throttled { retry_after: Some(wait) }) = (call.api, &error) {
                self.quota.close(api, *wait);
            }
            match error.pause_after(tries) {
                Some(pause) if tries < TRIES && pause < ctx.deadline.remaining() => sleep(pause).await,
                _ => return Err(error),
            }
            if matches!(error, UpstreamError::Unavailable { connection_died: true, .. } | UpstreamError::TimedOut) {
                client = &self.http.fresh;
            }
            last = Some(error);
        }
        Err(last.unwrap_or(UpstreamError::TimedOut))
    }

    async fn attempt(&self, client: &reqwest::Client, call: &Call, ctx: &Context) -> Result<Reply, UpstreamError> {
        let remaining = ctx.deadline.remaining();
        let share = ctx.deadline.within(remaining.mul_f64(SHARE_OF_A_TRY).max(LEAST_TRY));
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
        let exchange = async {
            let response = request.send().await.map_err(|error| transport(&error))?;
            read_body(response).await
        };
        timeout_at(share.instant(), exchange).await.map_err(|_| UpstreamError::TimedOut)?
    }
}

/// Reads an answer, no further than the cap.
async fn read_body(mut response: reqwest::Response) -> Result<Reply, UpstreamError> {
    let status = response.status();
    let most = if status.is_success() { MOST_BODY } else { MOST_ERROR_BODY };
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if status.is_success() && announced > most {
        return Err(UpstreamError::TooLarge);
    }
    let mut body = BytesMut::with_capacity(announced.min(most));
    while let Some(piece) = response.chunk().await.map_err(|error| transport(&error))? {
        if body.len() + piece.len() > most {
            if status.is_success() {
                return Err(UpstreamError::TooLarge);
            }
            break;
        }
        body.extend_from_slice(&piece);
    }
    Ok(Reply { status, headers: std::mem::take(response.headers_mut()), body: body.freeze() })
}

/// What went wrong below HTTP. reqwest's own text holds the URL, and with it the subject: it is not used.
fn transport(error: &reqwest::Error) -> UpstreamError {
    if error.is_timeout() && !error.is_connect() {
        UpstreamError::TimedOut
    } else if error.is_connect() {
        UpstreamError::unavailable("no connection")
    } else if is_undecodable(error) {
        UpstreamError::malformed("the body does not decompress")
    } else {
        UpstreamError::connection_died("the connection broke")
    }
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
