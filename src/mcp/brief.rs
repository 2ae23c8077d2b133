//! The brief form of an answer for models: small enough for their context, without invisible characters, and with texts
//! of attackers defanged where a client might show them.

use serde_json::{Map, Value};

use crate::domain::enrichment::Enrichment;
use crate::domain::line::one_line;
use crate::formats;

/// The largest brief of a single lookup, in bytes of JSON.
const MAX_BRIEF_BYTES: usize = 8 * 1024;
/// The largest brief of one of several lookups.
const MAX_BRIEF_BYTES_OF_MANY: usize = 2 * 1024;

/// The members that a brief takes from an answer as they are, but for invisible characters.
const MEMBERS: [&str; 10] =
    ["kind", "input", "id", "found", "severity_open", "status", "verdict", "counts", "first_seen", "last_seen"];
/// The members of an alert in a brief, beside its title.
const ALERT_MEMBERS: [&str; 6] = ["id", "severity", "status", "verdict", "last_seen", "url"];

/// The most tags and addresses of a device, and the length of a text of the context in characters: a hash is not cut.
const MAX_CONTEXT_ITEMS: usize = 10;
const MAX_CONTEXT_CHARS: usize = 100;

/// How much of the lists a brief keeps.
#[derive(Clone, Copy)]
struct Extent {
    alerts: usize,
    /// Entities of each group.
    entities: usize,
    techniques: usize,
    warnings: usize,
    has_context: bool,
    /// Characters of a text in a list.
    chars: usize,
    /// Characters of the subject and the summary.
    member_chars: usize,
}

const UNCUT: Extent = Extent {
    alerts: usize::MAX,
    entities: usize::MAX,
    techniques: usize::MAX,
    warnings: usize::MAX,
    has_context: true,
    chars: usize::MAX,
    member_chars: usize::MAX,
};

/// The extents of a single brief, the largest first. Alerts matter most to somebody who asks about one subject.
const SINGLE: [Extent; 8] = [
    Extent { alerts: 25, entities: 10, techniques: 100, warnings: 20, chars: 400, ..UNCUT },
    Extent { alerts: 25, entities: 10, techniques: 50, warnings: 10, chars: 160, ..UNCUT },
    Extent { alerts: 25, entities: 5, techniques: 50, warnings: 10, chars: 120, ..UNCUT },
    Extent { alerts: 15, entities: 3, techniques: 30, warnings: 10, chars: 100, ..UNCUT },
    Extent { alerts: 8, entities: 2, techniques: 20, warnings: 5, chars: 80, ..UNCUT },
    Extent { alerts: 3, entities: 1, techniques: 10, warnings: 3, chars: 60, ..UNCUT },
    Extent { alerts: 1, entities: 0, techniques: 5, warnings: 1, chars: 40, ..UNCUT },
    Extent { alerts: 1, entities: 0, techniques: 5, warnings: 1, has_context: false, chars: 40, member_chars: 60 },
];

/// The extents of one of many briefs: alerts are left out first, then the context, then entities.
const OF_MANY: [Extent; 9] = [
    Extent { alerts: 5, entities: 10, techniques: 30, warnings: 10, chars: 160, ..UNCUT },
    Extent { alerts: 3, entities: 10, techniques: 20, warnings: 5, chars: 120, ..UNCUT },
    Extent { alerts: 1, entities: 10, techniques: 20, warnings: 5, chars: 120, ..UNCUT },
    Extent { alerts: 0, entities: 10, techniques: 20, warnings: 5, chars: 100, ..UNCUT },
    Extent { alerts: 0, entities: 10, techniques: 20, warnings: 5, has_context: false, chars: 100, ..UNCUT },
    Extent { alerts: 0, entities: 3, techniques: 10, warnings: 3, has_context: false, chars: 80, ..UNCUT },
    Extent { alerts: 0, entities: 1, techniques: 10, warnings: 2, has_context: false, chars: 60, ..UNCUT },
    Extent { alerts: 0, entities: 0, techniques: 5, warnings: 1, has_context: false, chars: 40, ..UNCUT },
    Extent { alerts: 0, entities: 0, techniques: 3, warnings: 1, has_context: false, chars: 40, member_chars: 60 },
];

/// Which briefs are made: a single one, or one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Single,
    OneOfMany,
}

/// Returns the brief of an answer.
pub(crate) fn brief(enrichment: &Enrichment<'_>, place: Place) -> Value {
    of_value(&serde_json::to_value(enrichment).unwrap_or_default(), place)
}

/// Returns the largest brief that fits. The last extent always does.
fn of_value(whole: &Value, place: Place) -> Value {
    let (extents, max_bytes) = match place {
        Place::Single => (&SINGLE[..], MAX_BRIEF_BYTES),
        Place::OneOfMany => (&OF_MANY[..], MAX_BRIEF_BYTES_OF_MANY),
    };
    let mut brief = Value::Null;
    for extent in extents {
        brief = of_extent(whole, *extent);
        if brief.to_string().len() <= max_bytes {
            break;
        }
    }
    brief
}

fn of_extent(whole: &Value, extent: Extent) -> Value {
    let mut left_out = whole["truncated"] == Value::Bool(true);
    let mut listed = |name: &str, limit: usize| {
        let list = whole[name].as_array().map(Vec::as_slice).unwrap_or_default();
        left_out |= list.len() > limit;
        list.get(..limit.min(list.len())).unwrap_or_default().to_vec()
    };
    let techniques = listed("techniques", extent.techniques);
    let alerts: Vec<_> = listed("alerts", extent.alerts).iter().map(|alert| brief_alert(alert, extent.chars)).collect();
    let warnings: Vec<_> =
        listed("warnings", extent.warnings).iter().map(|warning| brief_warning(warning, extent.chars)).collect();
    let entities = whole["entities"].as_object().into_iter().flatten().map(|(group, list)| {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        left_out |= list.len() > extent.entities;
        let kept = list.iter().take(extent.entities).map(|entity| visible(without_nulls(entity), extent.chars));
        (group.clone(), kept.collect::<Value>())
    });
    let entities: Map<_, _> = entities.collect();
    let member = |name: &&str| ((*name).to_owned(), visible(whole[*name].clone(), extent.member_chars));
    let mut brief: Map<_, _> = MEMBERS.iter().map(member).collect();
    let context = if extent.has_context { brief_context(&whole["context"], &mut left_out) } else { Value::Null };
    left_out |= context.is_null() && !whole["context"].is_null();
    // The counts cover all alerts, also those that the answer does not list.
    left_out |=
        whole.pointer("/counts/alerts").and_then(Value::as_u64).is_some_and(|count| count > alerts.len() as u64);
    brief.extend([
        // A link is not cut.
        ("url".to_owned(), visible(whole["url"].clone(), usize::MAX)),
        ("summary".to_owned(), defanged(&whole["summary"], extent.member_chars)),
        ("techniques".to_owned(), visible(techniques.into(), extent.chars)),
        ("alerts".to_owned(), alerts.into()),
        ("context".to_owned(), context),
        ("entities".to_owned(), entities.into()),
        ("warnings".to_owned(), warnings.into()),
        ("truncated".to_owned(), left_out.into()),
    ]);
    brief.into()
}

fn brief_alert(alert: &Value, chars: usize) -> Value {
    let members = ALERT_MEMBERS.iter().map(|name| ((*name).to_owned(), visible(alert[*name].clone(), usize::MAX)));
    members.chain([("title".to_owned(), defanged(&alert["title"], chars))]).collect::<Map<_, _>>().into()
}

/// Returns what Defender says of the subject itself, with short lists and texts.
fn brief_context(context: &Value, left_out: &mut bool) -> Value {
    let mut context = context.clone();
    let parts = context.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut);
    for list in parts.flat_map(Map::values_mut).filter_map(Value::as_array_mut) {
        *left_out |= list.len() > MAX_CONTEXT_ITEMS;
        list.truncate(MAX_CONTEXT_ITEMS);
    }
    visible(context, MAX_CONTEXT_CHARS)
}

fn brief_warning(warning: &Value, chars: usize) -> Value {
    serde_json::json!({"code": warning["code"], "detail": defanged(&warning["detail"], chars)})
}

/// Returns a text as the formats for people show it: on one line, and with defanged addresses.
fn defanged(text: &Value, chars: usize) -> Value {
    text.as_str().map_or(Value::Null, |text| formats::safe_line(text, chars).into())
}

/// Removes invisible characters from all texts, and cuts them. Names and addresses stay as they are otherwise, so that a
/// model can pass them on.
fn visible(value: Value, chars: usize) -> Value {
    match value {
        Value::String(text) => one_line(&text, chars).into(),
        Value::Array(list) => list.into_iter().map(|value| visible(value, chars)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, visible(value, chars))).collect::<Map<_, _>>().into()
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

fn without_nulls(value: &Value) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    let set = members.iter().filter(|(_, value)| !value.is_null());
    set.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole(texts: &str, count: usize) -> Value {
        let alert = json!({"id": "da1", "title": texts, "severity": "high", "status": "new", "verdict": null, "last_seen": null, "url": "https://security.microsoft.com/x"});
        json!({
            "kind": "user", "input": texts, "id": "dana", "found": true, "summary": texts, "severity_open": "high",
            "counts": {"alerts": count}, "techniques": vec![texts; count], "alerts": vec![alert; count],
            "entities": {"files": vec![json!({"name": texts, "sha1": null}); count]},
            "context": {"device": {"name": texts, "tags": vec![texts; count]}, "file": null},
            "warnings": vec![json!({"code": "partial", "detail": texts}); count], "truncated": false
        })
    }

    #[test]
    fn a_brief_keeps_its_limit_whatever_the_texts_are() {
        for texts in
            ["x", "Überaus lang — 長い名前 ".repeat(40).as_str(), "\u{202e}\"\\ evil.example/".repeat(100).as_str()]
        {
            for count in [0, 1, 30, 500] {
                for (place, limit) in [(Place::Single, MAX_BRIEF_BYTES), (Place::OneOfMany, MAX_BRIEF_BYTES_OF_MANY)] {
                    let brief = of_value(&whole(texts, count), place);
                    let length = brief.to_string().len();
                    assert!(length <= limit, "{place:?}, {count}: {length} bytes");
                    let listed = brief["alerts"].as_array().map_or(0, Vec::len);
                    assert!(count <= listed || brief["truncated"] == true, "{count}: {listed}");
                }
            }
        }
    }

    #[test]
    fn texts_of_attackers_are_harmless_and_names_can_be_passed_on() {
        let brief = of_value(&whole("see http://evil.example/x\n\u{202e}now", 1), Place::Single);
        assert_eq!(brief["alerts"][0]["title"], "see hxxp://evil[.]example/x now");
        assert_eq!(brief["summary"], "see hxxp://evil[.]example/x now");
        assert_eq!(brief["entities"], json!({"files": [{"name": "see http://evil.example/x now"}]}));
        let name = "see http://evil.example/x now";
        assert_eq!(brief["context"], json!({"device": {"name": name, "tags": [name]}, "file": null}));
    }
}
