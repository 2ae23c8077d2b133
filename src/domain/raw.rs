//! The upstream bodies, verbatim: as a whole, and split into the alerts of a list.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::shared_str::SharedStr;

/// Upstream bodies, verbatim.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    bodies: &'a [SharedStr],
    are_alerts: bool,
}

impl<'a> Raw<'a> {
    /// Creates it from the bodies of one response, in the order in which they came.
    pub fn new(bodies: &'a [SharedStr]) -> Self {
        Self { bodies, are_alerts: false }
    }

    /// Creates it from one body for each alert of a list.
    pub fn of_alerts(bodies: &'a [SharedStr]) -> Self {
        Self { bodies, are_alerts: true }
    }

    /// Returns one text: the body, or a list if there are several.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self.bodies {
            [] if !self.are_alerts => None,
            [body] if !self.are_alerts => Some(Cow::Borrowed(body)),
            _ => serde_json::to_string(&self).ok().map(Cow::Owned),
        }
    }

    /// Returns the alerts of a list verbatim, by id. An id with several different alerts is left out.
    pub fn alerts(self) -> HashMap<Cow<'a, str>, &'a str> {
        let mut alerts: HashMap<_, Option<&'a str>> = HashMap::new();
        let verbatim =
            |body: &'a SharedStr| if self.are_alerts { verbatim(body).into_iter().collect() } else { items(body) };
        for item in self.bodies.iter().flat_map(verbatim) {
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

fn verbatim(body: &str) -> Option<&RawValue> {
    serde_json::from_str(body).ok()
}

/// Returns the items of a list in an `OData` envelope.
fn items(body: &str) -> Vec<&RawValue> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        value: Vec<&'a RawValue>,
    }
    serde_json::from_str::<Envelope<'_>>(body).map(|envelope| envelope.value).unwrap_or_default()
}

/// Returns the id of an alert, or of a hunting row in its place.
fn id_of(item: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Identified<'a> {
        #[serde(borrow, alias = "alertId", alias = "AlertId")]
        id: Cow<'a, str>,
    }
    serde_json::from_str::<Identified<'_>>(item.get()).ok().map(|alert| alert.id)
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.bodies {
            [] if !self.are_alerts => serializer.serialize_none(),
            [body] if !self.are_alerts => verbatim(body).serialize(serializer),
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
    fn each_alert_of_a_list_is_found_verbatim() {
        let bodies = [
            SharedStr::of_static(r#"{"@odata.context":"x","value":[ {"id":"a","n":1.10}, {"id":"b"} ]}"#),
            SharedStr::of_static(r#"{"value":[{"id":"twice","n":1},{"id":"twice","n":2},{"id":"b"}]}"#),
        ];
        let alerts = Raw::new(&bodies).alerts();
        let mut found: Vec<_> = alerts.iter().map(|(id, text)| (&**id, *text)).collect();
        found.sort_unstable();
        assert_eq!(found, [("a", r#"{"id":"a","n":1.10}"#), ("b", r#"{"id":"b"}"#)]);
    }

    #[test]
    fn bodies_of_alerts_are_always_a_list() {
        let bodies = [r#"{"AlertId":"c","Title":"t"}"#, r#"{"id":7}"#, r#"{"n":1}"#].map(SharedStr::of_static);
        assert_eq!(Raw::of_alerts(&[]).text().as_deref(), Some("[]"));
        assert_eq!(Raw::of_alerts(&bodies[1..2]).text().as_deref(), Some(r#"[{"id":7}]"#));
        let alerts = Raw::of_alerts(&bodies).alerts();
        assert_eq!(alerts.into_iter().collect::<Vec<_>>(), [("c".into(), r#"{"AlertId":"c","Title":"t"}"#)]);
    }

    #[test]
    fn a_body_that_is_not_a_list_has_no_alerts() {
        let bodies =
            [SharedStr::of_static("<html>"), SharedStr::of_static(r#"{"value":{}}"#), SharedStr::of_static("7")];
        assert!(Raw::new(&bodies).alerts().is_empty());
        assert_eq!(Raw::new(&[]).text(), None);
    }
}
