//! Members that have no home in the normalized form: kept under their own names, unchanged.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::shared_str::SharedStr;

/// Upstream members by their own names, each verbatim: numbers keep their digits.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    members: Vec<(SharedStr, Box<RawValue>)>,
}

impl Extra {
    /// Keeps a member, of a name that is not there yet.
    pub fn keep(&mut self, name: impl Into<SharedStr>, value: Box<RawValue>) {
        self.members.push((name.into(), value));
    }

    /// These, and what another has kept.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Self {
        self.members.append(&mut other.members);
        self
    }

    /// A member that is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.iter().find(|(known, _)| *known == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// Whether nothing was left over.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.members.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    /// Roughly what it occupies, in bytes, beside the body that its names are parts of.
    pub fn weight(&self) -> usize {
        /// What it takes to allocate a value, at least.
        const OVERHEAD: usize = 16;
        let values: usize = self.members.iter().map(|(_, value)| value.get().len() + OVERHEAD).sum();
        size_of_val(&*self.members) + values
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.iter().map(|(name, value)| (name, value.get())).eq(other.iter().map(|(name, value)| (name, value.get())))
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

impl JsonSchema for Extra {
    fn schema_name() -> Cow<'static, str> {
        "Extra".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": true,
            "description": "Members of the upstream body that have no home here, under their own names and unchanged."
        })
    }
}
