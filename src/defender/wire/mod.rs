//! The shapes in which the two older APIs answer, turned into the domain's form. Private to this backend.

mod alert;
mod evidence;
mod incident;
mod records;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::subject::IncidentId;
use crate::domain::warning::Warnings;
use crate::upstream::UpstreamError;
use crate::upstream::members::{Members, Name, ObjectOf, ReadObject};
use alert::AlertReader;
use incident::IncidentReader;

pub(super) use records::{devices, sha1_of_file};

/// One page of a list of alerts.
pub(super) struct Page {
    pub(super) alerts: Vec<Alert>,
    pub(super) next_link: Option<String>,
}

/// The body of `GET /api/alerts/{id}`.
pub(super) fn alert(body: &[u8], portal: Portal, notes: &mut Warnings) -> Result<Alert, UpstreamError> {
    object(body, &mut AlertReader { portal, notes, is_complete: true })
}

/// The body of a list of alerts.
pub(super) fn alerts(body: &[u8], portal: Portal, notes: &mut Warnings) -> Result<Page, UpstreamError> {
    let page = object(body, &mut PageReader { items: AlertReader { portal, notes, is_complete: false } })?;
    Ok(Page { alerts: page.0.ok_or(UpstreamError::malformed("a list without value"))?, next_link: page.1 })
}

/// The body of `GET /api/incidents/{id}`.
pub(super) fn incident(
    body: &[u8],
    id: IncidentId,
    portal: Portal,
    notes: &mut Warnings,
) -> Result<(Incident, Vec<Alert>), UpstreamError> {
    object(body, &mut IncidentReader { id, portal, notes })
}

/// Reads a body that has to be one object.
fn object<'de, S: ReadObject<'de>>(body: &'de [u8], reader: &mut S) -> Result<S::Item, UpstreamError> {
    let text = std::str::from_utf8(body).map_err(|_| UpstreamError::malformed("not UTF-8"))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let read = ObjectOf(reader).deserialize(&mut json).and_then(|read| json.end().map(|()| read));
    let read = read.map_err(|error| {
        UpstreamError::malformed(if error.is_data() { "JSON of another shape" } else { "not JSON" })
    })?;
    read.ok_or(UpstreamError::malformed("JSON, but no object"))
}

/// Reads `{"value":[…],"@odata.nextLink":"…"}`. `value` has to be a list of objects: anything else must not pass for
/// "no alerts".
struct PageReader<S> {
    items: S,
}

impl<'de, S: ReadObject<'de>> ReadObject<'de> for PageReader<S> {
    type Item = (Option<Vec<S::Item>>, Option<String>);

    fn read<A: MapAccess<'de>>(&mut self, mut map: A) -> Result<Self::Item, A::Error> {
        let (mut items, mut next_link) = (None, None);
        while let Some(name) = map.next_key::<Name<'de>>()? {
            match &*name.0 {
                "value" => items = Some(map.next_value_seed(StrictList(&mut self.items))?),
                "@odata.nextLink" => next_link = map.next_value::<Option<String>>()?,
                _ => {
                    map.next_value::<&'de RawValue>()?;
                }
            }
        }
        Ok((items, next_link))
    }
}

struct StrictList<'s, S>(&'s mut S);

impl<'de, S: ReadObject<'de>> DeserializeSeed<'de> for StrictList<'_, S> {
    type Value = Vec<S::Item>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: ReadObject<'de>> Visitor<'de> for StrictList<'_, S> {
    type Value = Vec<S::Item>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(ObjectOf(self.0))? {
            items.push(item.ok_or_else(|| serde::de::Error::custom("an item that is no object"))?);
        }
        Ok(items)
    }
}

/// A list of objects, each read by its members.
fn records<'de, T>(body: &'de [u8], read: impl FnMut(Members<'de>) -> T) -> Result<Vec<T>, UpstreamError> {
    let page = object(body, &mut PageReader { items: MembersReader(read) })?;
    page.0.ok_or(UpstreamError::malformed("a list without value"))
}

struct MembersReader<F>(F);

impl<'de, T, F: FnMut(Members<'de>) -> T> ReadObject<'de> for MembersReader<F> {
    type Item = T;

    fn read<A: MapAccess<'de>>(&mut self, map: A) -> Result<T, A::Error> {
        let members = Members::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok((self.0)(members))
    }
}
