//! The upstream bodies, verbatim: as a whole, and split into the alerts of a list.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use schemars::JsonSchema;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::shared_str::SharedStr;

/// Upstream bodies, verbatim, in the order in which they came.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(
    with = "serde_json::Value",
    description = "The upstream body, verbatim; a list of bodies where there were several."
)]
pub struct Raw<'a> {
    pub(super) bodies: &'a [SharedStr],
    pub(super) content: BodyContent,
}

/// The content of each upstream body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyContent {
    /// A response, or a page of it.
    Response,
    /// One alert of a list.
    Alert,
}

impl<'a> Raw<'a> {
    /// Returns one text: the body, or a list if there are several.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match (self.content, self.bodies) {
            (BodyContent::Response, []) => None,
            (BodyContent::Response, [body]) => Some(Cow::Borrowed(body)),
            _ => serde_json::to_string(&self).ok().map(Cow::Owned),
        }
    }

    /// Returns the alerts of a list verbatim, by id. An id with several different alerts is left out.
    pub fn alerts(self) -> HashMap<Cow<'a, str>, &'a str> {
        let mut alerts: HashMap<_, Option<&'a str>> = HashMap::new();
        let alerts_of = |body: &'a SharedStr| match self.content {
            BodyContent::Response => items(body),
            BodyContent::Alert => verbatim(body).into_iter().collect(),
        };
        for item in self.bodies.iter().flat_map(alerts_of) {
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
        match (self.content, self.bodies) {
            (BodyContent::Response, []) => serializer.serialize_none(),
            (BodyContent::Response, [body]) => verbatim(body).serialize(serializer),
            (_, bodies) => {
                let mut list = serializer.serialize_seq(Some(bodies.len()))?;
                for body in bodies {
                    list.serialize_element(&verbatim(body))?;
                }
                list.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alerts(raw: Raw<'_>) -> Vec<(Cow<'_, str>, &str)> {
        let mut alerts: Vec<_> = raw.alerts().into_iter().collect();
        alerts.sort_unstable();
        alerts
    }

    #[test]
    fn each_alert_of_a_response_is_found_verbatim() {
        let bodies = [
            r#"{"@odata.context":"x","value":[ {"id":"a","n":1.10}, {"id":"b"} ]}"#,
            r#"{"value":[{"id":"twice","n":1},{"id":"twice","n":2},{"id":"b"}]}"#,
            "<html>",
            r#"{"value":{}}"#,
        ];
        let bodies = bodies.map(SharedStr::of_static);
        let raw = Raw { bodies: &bodies, content: BodyContent::Response };
        assert_eq!(alerts(raw), [("a".into(), r#"{"id":"a","n":1.10}"#), ("b".into(), r#"{"id":"b"}"#)]);
        assert_eq!(Raw { bodies: &[], ..raw }.text(), None);
    }

    #[test]
    fn bodies_of_alerts_are_always_a_list() {
        let bodies = [r#"{"AlertId":"c","Title":"t"}"#, r#"{"id":7}"#, r#"{"n":1}"#].map(SharedStr::of_static);
        let raw = Raw { bodies: &bodies, content: BodyContent::Alert };
        assert_eq!(alerts(raw), [("c".into(), r#"{"AlertId":"c","Title":"t"}"#)]);
        assert_eq!(Raw { bodies: &[], ..raw }.text().as_deref(), Some("[]"));
        assert_eq!(Raw { bodies: &bodies[1..2], ..raw }.text().as_deref(), Some(r#"[{"id":7}]"#));
    }
}
