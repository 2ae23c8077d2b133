//! `format=json`: the answer as it is.

use std::io;

use crate::domain::enrichment::Enrichment;

/// The answer's own form; of one that is longer than `max_bytes`, a part that is longer as well.
pub(super) fn document(enrichment: &Enrichment<'_>, max_bytes: usize) -> Vec<u8> {
    let mut body = Bounded { bytes: Vec::new(), max_bytes };
    // An answer is made of strings, numbers and lists: it always serializes, as far as it is wanted.
    let _ = serde_json::to_writer(&mut body, enrichment);
    body.bytes
}

/// Bytes that are written until they are more than `max_bytes`.
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
