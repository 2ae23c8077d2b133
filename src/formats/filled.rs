//! Texts that are there: an empty one says nothing.

use crate::domain::shared_str::SharedStr;

/// A text that may be missing.
pub(super) trait Filled {
    /// The text, unless it is empty.
    fn filled(&self) -> Option<&str>;
}

impl Filled for Option<SharedStr> {
    fn filled(&self) -> Option<&str> {
        filled(self.as_deref())
    }
}

/// A text, unless it is empty.
pub(super) fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
