//! Reads a request's body: media type, size limit, bytes.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;

use super::problem::{Code, Problem};

/// The largest accepted body. A batch of 25 needs a tenth of it.
const MAX_BODY_BYTES: usize = 64 << 10;
/// How much of a larger body is read. A sender that is cut off earlier would not read the answer.
const MAX_DRAINED_BYTES: usize = 16 << 20;

/// Reads a JSON body.
pub(super) async fn json_bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    check_media_type(headers)?;
    read(body, MAX_DRAINED_BYTES).await
}

/// Reads a body whose sender is not authenticated yet: no more than the accepted size is read.
pub(super) async fn read_limited(body: Body) -> Result<Bytes, Problem> {
    read(body, MAX_BODY_BYTES).await
}

/// Reads a body of at most [`MAX_BODY_BYTES`], and discards a longer one up to `drained` bytes.
async fn read(mut body: Body, drained: usize) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Code::InvalidJson, "The body ended early."))?;
        let Ok(data) = frame.into_data() else { continue };
        read += data.len();
        if read > drained {
            break;
        }
        if read <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&data);
        }
    }
    if read > MAX_BODY_BYTES {
        return Err(Problem::new(Code::PayloadTooLarge, "A body has at most 64 KiB."));
    }
    Ok(bytes.freeze())
}

/// Accepts `application/json`, any `+json` type, and a missing type. Of several headers, each has to be such a type.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get_all(header::CONTENT_TYPE).iter().all(is_json) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "Send the body as Content-Type: application/json."))
}

fn is_json(media_type: &HeaderValue) -> bool {
    let text = media_type.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/");
    essence.is_empty() || subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}
