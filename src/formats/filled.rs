//! Treats empty texts as missing.

use crate::domain::shared_str::SharedStr;

/// A text that may be missing or empty.
pub(super) trait Filled {
    /// Returns the text, unless it is empty.
    fn filled(&self) -> Option<&str>;
}

impl Filled for Option<SharedStr> {
    fn filled(&self) -> Option<&str> {
        filled(self.as_deref())
    }
}

/// Returns the text, unless it is empty.
pub(super) fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
