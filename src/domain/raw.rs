//! What Defender sent, verbatim: as a whole, and cut into the alerts of a list.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::text::Text;

/// Upstream bodies, verbatim.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(&'a [Text]);

impl<'a> Raw<'a> {
    /// The bodies of one answer, in the order in which they came.
    pub fn new(bodies: &'a [Text]) -> Self {
        Self(bodies)
    }

    /// All of it as one text: the body, or a list of them where there were several.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self.0 {
            [] => None,
            [body] => Some(Cow::Borrowed(body)),
            _ => serde_json::to_string(&self).ok().map(Cow::Owned),
        }
    }

    /// The alerts of a list, each as it was sent, by their ids; without an id that stands for several.
    pub fn alerts(self) -> HashMap<Cow<'a, str>, &'a str> {
        let mut alerts: HashMap<_, Option<&'a str>> = HashMap::new();
        for item in self.0.iter().flat_map(|body| items(body)) {
            let Some(id) = id_of(item) else { continue };
            match alerts.entry(id) {
                Entry::Vacant(place) => {
                    place.insert(Some(item.get()));
                }
                Entry::Occupied(mut place) if *place.get() != Some(item.get()) => {
                    place.insert(None);
                }
                Entry::Occupied(_) => {}
            }
        }
        alerts.into_iter().filter_map(|(id, item)| Some((id, item?))).collect()
    }
}

/// The items of a list: in the envelope of `OData`, or bare as it is put together from a batch.
fn items(body: &str) -> Vec<&RawValue> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        value: Vec<&'a RawValue>,
    }
    let envelope = serde_json::from_str::<Envelope<'_>>(body).map(|envelope| envelope.value);
    envelope.or_else(|_| serde_json::from_str(body)).unwrap_or_default()
}

/// The id of an alert, or of the row of hunting that stands for it.
fn id_of(item: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Identified<'a> {
        #[serde(borrow, alias = "alertId", alias = "AlertId")]
        id: Cow<'a, str>,
    }
    serde_json::from_str::<Identified<'_>>(item.get()).ok().map(|alert| alert.id)
}

impl<'a> Serialize for Raw<'a> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verbatim = |body: &'a Text| serde_json::from_str::<&RawValue>(body).ok();
        match self.0 {
            [] => serializer.serialize_none(),
            [body] => verbatim(body).serialize(serializer),
            bodies => {
                let mut list = serializer.serialize_seq(Some(bodies.len()))?;
                for body in bodies {
                    list.serialize_element(&verbatim(body))?;
                }
                list.end()
            }
        }
    }
}

impl JsonSchema for Raw<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Raw".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "The upstream body, verbatim; a list of bodies where there were several."})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alert_of_a_list_is_found_as_it_was_sent() {
        let bodies = [
            Text::of_static(r#"{"@odata.context":"x","value":[ {"id":"a","n":1.10}, {"id":"b"} ]}"#),
            Text::of_static(r#"[{"AlertId":"c","Title":"t"},{"id":7},{"n":1}]"#),
            Text::of_static(r#"{"value":[{"id":"twice","n":1},{"id":"twice","n":2},{"id":"b"}]}"#),
        ];
        let alerts = Raw::new(&bodies).alerts();
        let mut found: Vec<_> = alerts.iter().map(|(id, text)| (&**id, *text)).collect();
        found.sort_unstable();
        let right = [("a", r#"{"id":"a","n":1.10}"#), ("b", r#"{"id":"b"}"#), ("c", r#"{"AlertId":"c","Title":"t"}"#)];
        assert_eq!(found, right);
    }

    #[test]
    fn what_is_no_list_holds_no_alerts() {
        let bodies = [Text::of_static("<html>"), Text::of_static(r#"{"value":{}}"#), Text::of_static("7")];
        assert!(Raw::new(&bodies).alerts().is_empty());
        assert_eq!(Raw::new(&[]).text(), None);
    }
}
