//! Members that the domain types do not have: kept unchanged under their own names.

use std::hash::{Hash, Hasher};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::shared_str::SharedStr;

/// Upstream members under their own names, each verbatim: numbers keep their digits.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(
    with = "serde_json::Value",
    description = "Members of the upstream body without a field of their own here, under their own names and unchanged.",
    extend("type" = "object", "additionalProperties" = true)
)]
pub struct Extra {
    members: Vec<(SharedStr, Box<RawValue>)>,
}

impl Extra {
    /// Adds a member. Its name must be new.
    pub fn keep(&mut self, name: impl Into<SharedStr>, value: Box<RawValue>) {
        self.members.push((name.into(), value));
    }

    /// Returns these members and those of another.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Self {
        self.members.append(&mut other.members);
        self
    }

    /// Returns a member that is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.json(name)
    }

    /// Returns a member that has the form of this type.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let (_, value) = self.iter().find(|(known, _)| *known == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns the members in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.members.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    /// Returns its approximate size in bytes, without the body that its names are parts of.
    pub fn weight(&self) -> usize {
        /// The least overhead of an allocation.
        const ALLOCATION_BYTES: usize = 16;
        let values: usize = self.members.iter().map(|(_, value)| value.get().len() + ALLOCATION_BYTES).sum();
        size_of_val(&*self.members) + values
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.iter().map(|(name, value)| (name, value.get())).eq(other.iter().map(|(name, value)| (name, value.get())))
    }
}

impl Eq for Extra {}

impl Hash for Extra {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|(name, value)| (name, value.get()).hash(state));
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
