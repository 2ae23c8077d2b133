//! What OCSF objects are made of: members that are there. One rule keeps nulls, empty texts, empty lists and empty
//! objects out of every event.

use std::borrow::Cow;

/// Whether there is nothing to write.
pub(super) trait Absent {
    /// Whether a member of this value is left out.
    fn is_absent(&self) -> bool;
}

macro_rules! always_there {
    ($($type:ty),+) => {
        $(impl Absent for $type {
            fn is_absent(&self) -> bool {
                false
            }
        })+
    };
}

always_there!(bool, u8, u16, u32, i32, i64, usize);

impl Absent for &str {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Absent for String {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Absent for Cow<'_, str> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<T> Absent for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<T> Absent for &[T] {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Absent> Absent for Box<T> {
    fn is_absent(&self) -> bool {
        (**self).is_absent()
    }
}

impl<T: Absent> Absent for Option<T> {
    fn is_absent(&self) -> bool {
        self.as_ref().is_none_or(Absent::is_absent)
    }
}

/// Defines an object whose absent members are left out, and that is absent itself when all of them are.
macro_rules! object {
    (
        $(#[$about:meta])*
        $name:ident $(<$life:lifetime>)? { $($(#[$note:meta])* $member:ident: $type:ty),+ $(,)? }
    ) => {
        $(#[$about])*
        #[derive(serde::Serialize)]
        pub(super) struct $name $(<$life>)? {
            $($(#[$note])* #[serde(skip_serializing_if = "Absent::is_absent")] pub(super) $member: $type),+
        }

        impl $(<$life>)? Absent for $name $(<$life>)? {
            fn is_absent(&self) -> bool {
                true $(&& self.$member.is_absent())+
            }
        }
    };
}

pub(super) use object;

/// A text that is there.
pub(super) fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    object! {
        Outer<'a> {
            text: Option<&'a str>,
            r#type: &'a str,
            list: Vec<u8>,
            number: Option<i64>,
            inner: Option<Inner<'a>>,
        }
    }

    object! {
        Inner<'a> {
            text: &'a str,
        }
    }

    #[test]
    fn what_is_absent_is_not_written() {
        let nothing =
            Outer { text: Some(""), r#type: "", list: Vec::new(), number: None, inner: Some(Inner { text: "" }) };
        assert!(nothing.is_absent());
        assert_eq!(serde_json::to_string(&nothing).expect("JSON"), "{}");
        let something = Outer { number: Some(0), r#type: "x", ..nothing };
        assert_eq!(serde_json::to_string(&something).expect("JSON"), r#"{"type":"x","number":0}"#);
    }
}
