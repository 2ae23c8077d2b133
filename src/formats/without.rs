//! Serializes a struct of the domain without the members that a format places elsewhere. All other members, including
//! future ones, need no code in the format.

use std::collections::BTreeMap;

use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A struct, and the filter for its members.
pub(super) struct Without<'a, T> {
    pub(super) value: &'a T,
    pub(super) is_left_out: fn(&str) -> bool,
}

impl<T: Serialize> Serialize for Without<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = serde_json::to_string(self.value).map_err(S::Error::custom)?;
        let members: BTreeMap<&str, &RawValue> = serde_json::from_str(&json).map_err(S::Error::custom)?;
        serializer.collect_map(members.into_iter().filter(|(name, _)| !(self.is_left_out)(name)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::alert::Device;

    #[test]
    fn omitted_members_are_not_serialized() {
        let device = Device { id: Some("1".into()), name: Some("desk".into()), group: None };
        let without = Without { value: &device, is_left_out: |name| name == "id" };
        assert_eq!(serde_json::to_value(without).expect("JSON"), json!({"name": "desk", "group": null}));
    }
}
