//! The body of a request: its media type, its size, its bytes.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;

use super::problem::{Code, Problem};

/// What a body may have: a batch of 25 needs a tenth of it.
const MOST: usize = 64 << 10;
/// What is read of a body that is too large, so that its sender gets to read the answer.
const MAX_DRAINED: usize = 16 << 20;

/// The bytes of a JSON body.
pub(super) async fn json_bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    check_media_type(headers)?;
    read(body, MAX_DRAINED).await
}

/// The bytes of a body whose sender is yet to be proven by them: no more is read than it may have.
pub(super) async fn within_bound(body: Body) -> Result<Bytes, Problem> {
    read(body, MOST).await
}

/// Reads a body, and of one that is too large so much.
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
        if read <= MOST {
            bytes.extend_from_slice(&data);
        }
    }
    if read > MOST {
        return Err(Problem::new(Code::PayloadTooLarge, "A body has at most 64 KiB."));
    }
    Ok(bytes.freeze())
}

/// `application/json`, or anything that says `+json`; a body without a type is taken for JSON.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/");
    if essence.is_empty() || subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json")) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "Send the body as Content-Type: application/json."))
}
