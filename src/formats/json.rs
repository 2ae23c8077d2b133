//! `format=json`: the answer's own form.

use std::io;

use serde_json::json;

use super::format::{BodyKind, BodySchemas, FormatSpec, Renderer};
use crate::domain::enrichment::Enrichment;

pub(super) const SPEC: FormatSpec = FormatSpec {
    name: "json",
    media_type: "application/json",
    accept_rank: Some(0),
    body: BodyKind::Json,
    has_raw: true,
    event_type: Some("json"),
    renderer: Renderer::Fitted(document),
    batch_renderer: None,
    // The schema of `Enrichment` is derived from the type.
    schemas: BodySchemas { roots: &["Enrichment"], definitions: Vec::new },
    notice: |text| json!({"message": text}).to_string().into_bytes(),
};

/// Serializes the enrichment. If it is longer than `max_bytes`, the result is cut, but still longer than `max_bytes`.
fn document(enrichment: &Enrichment<'_>, max_bytes: usize) -> Vec<u8> {
    let mut body = Bounded { bytes: Vec::new(), max_bytes };
    // Only the length limit can fail: an enrichment consists of strings, numbers and lists.
    let _ = serde_json::to_writer(&mut body, enrichment);
    body.bytes
}

/// A buffer that rejects writes once it holds more than `max_bytes`.
struct Bounded {
    bytes: Vec<u8>,
    max_bytes: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    /// An answer is written in many small parts, for which the loop of the default is a burden.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.bytes.len() > self.max_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
