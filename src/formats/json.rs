//! `format=json`: the answer's own form.

use std::io;

use crate::domain::enrichment::Enrichment;

/// Serializes the enrichment. If it is longer than `max_bytes`, the result is cut, but still longer than `max_bytes`.
pub(super) fn document(enrichment: &Enrichment<'_>, max_bytes: usize) -> Vec<u8> {
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
        if self.bytes.len() > self.max_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
