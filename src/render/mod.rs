//! From an answer to bytes, one file per format. Pure; knows the domain only.

mod json;

pub(crate) use json::json;

/// Whether a JSON body fits a front door: Lambda's envelope holds the body as a JSON string, and escapes it.
pub(crate) fn fits(body: &[u8], most: usize) -> bool {
    // JSON has no bare control characters: at worst every byte is escaped by one more.
    2 * body.len() <= most || body.len() + body.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count() <= most
}
