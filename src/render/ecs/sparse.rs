//! Objects of which only that is written what is told: no null, no empty list, no empty object.

use crate::domain::text::Text;

/// What may have nothing to say.
pub(super) trait Sparse {
    /// Whether it is left out.
    fn is_absent(&self) -> bool;
}

impl<T> Sparse for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T> Sparse for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Sparse for &str {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Sparse for bool {
    fn is_absent(&self) -> bool {
        false
    }
}

/// A text that may be missing.
pub(super) trait Filled {
    /// The text, unless it is empty.
    fn filled(&self) -> Option<&str>;
}

impl Filled for Option<Text> {
    fn filled(&self) -> Option<&str> {
        self.as_deref().filter(|text| !text.is_empty())
    }
}

/// Structs whose absent members are not written, and which are absent themselves when all their members are.
macro_rules! field_sets {
    ($($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? {
        $($(#[$attribute:meta])* $field:ident: $kind:ty),+ $(,)?
    })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Default, serde::Serialize)]
        pub(super) struct $name $(<$life>)? {
            $($(#[$attribute])* #[serde(skip_serializing_if = "Sparse::is_absent")] pub(super) $field: $kind,)+
        }

        impl $(<$life>)? Sparse for $name $(<$life>)? {
            fn is_absent(&self) -> bool {
                $(self.$field.is_absent())&&+
            }
        }
    )+};
}
pub(super) use field_sets;
