//! The rules of OCSF 1.8.0 for the members that our events have: an excerpt of the compiled schema, and a reader of it.
//!
//! Source: <https://schema.ocsf.io/1.8.0/classes/detection_finding>, <https://schema.ocsf.io/1.8.0/classes/incident_finding>.

use std::collections::HashSet;

use serde_json::Value;

/// An object: its members with their types, those that are required, and those of which one has to be there.
///
/// A type is one of [`is_of_type`]'s words or the name of an object; in brackets, a list of it.
struct Object {
    name: &'static str,
    members: &'static str,
    required: &'static [&'static str],
    one_of: &'static [&'static str],
}

const fn object(
    name: &'static str,
    members: &'static str,
    required: &'static [&'static str],
    one_of: &'static [&'static str],
) -> Object {
    Object { name, members, required, one_of }
}

/// What both classes have.
const BASE: Object = object(
    "base",
    "activity_id:int activity_name:text category_uid:int category_name:text class_uid:int class_name:text type_uid:long
     type_name:text severity_id:int severity:text status_id:int status:text status_detail:text time:time start_time:time
     end_time:time timezone_offset:int message:text comment:text verdict_id:int verdict:text assignee:user src_url:text
     attacks:[attack] observables:[observable] metadata:metadata unmapped:any raw_data:text raw_data_size:long
     raw_data_hash:fingerprint device:device",
    &["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid", "status_id"],
    &[],
);

const OBJECTS: &[Object] = &[
    object(
        "2004",
        "is_alert:flag action_id:int action:text disposition_id:int disposition:text malware:[malware]
         finding_info:finding_info resources:[resource_details] evidences:[evidences]",
        &["finding_info"],
        &[],
    ),
    object("2005", "desc:text finding_info_list:[finding_info]", &["finding_info_list", "verdict_id"], &["assignee"]),
    object(
        "finding_info",
        "uid:text uid_alt:text title:text desc:text types:[text] created_time:time modified_time:time
         first_seen_time:time last_seen_time:time attacks:[attack] analytic:analytic data_sources:[text] product:product
         src_url:text related_events:[related_event]",
        &["uid"],
        &[],
    ),
    object("analytic", "uid:text type:text type_id:int", &["type_id"], &["uid"]),
    object("related_event", "uid:text type:text", &["uid"], &[]),
    object("attack", "tactic:tactic technique:named sub_technique:named", &[], &["tactic", "technique", "sub_technique"]),
    object("tactic", "uid:text name:text", &[], &["uid", "name"]),
    object("named", "uid:text", &["uid"], &[]),
    object("group", "name:text", &["name"], &[]),
    object(
        "malware",
        "name:text classification_ids:[int] classifications:[text] provider:text",
        &["classification_ids"],
        &["name"],
    ),
    object("product", "name:text vendor_name:text feature:feature", &[], &["name"]),
    object("feature", "name:text", &["name"], &[]),
    object(
        "device",
        "uid:text name:text hostname:text type:text type_id:int groups:[group]",
        &["type_id"],
        &["uid", "name", "hostname"],
    ),
    object(
        "resource_details",
        "uid:text name:text hostname:text type:text role:text role_id:int group:group",
        &[],
        &["uid", "name"],
    ),
    object(
        "evidences",
        "name:text process:process file:file user:user src_endpoint:endpoint dst_endpoint:endpoint url:url reg_key:reg_key
         reg_value:reg_value email:email query:dns_query device:device verdict_id:int verdict:text data:any",
        &[],
        &[
            "process", "file", "user", "src_endpoint", "dst_endpoint", "url", "reg_key", "reg_value", "email", "query",
            "device", "data",
        ],
    ),
    object("dns_query", "hostname:text", &["hostname"], &[]),
    object(
        "process",
        "pid:int name:text cmd_line:text created_time:time file:file parent_process:process user:user",
        &[],
        &["pid"],
    ),
    object(
        "file",
        "name:text path:text parent_folder:text type_id:int hashes:[fingerprint]",
        &["name", "type_id"],
        &[],
    ),
    object("fingerprint", "algorithm:text algorithm_id:int value:text", &["algorithm_id", "value"], &[]),
    object(
        "user",
        "name:text uid:text uid_alt:text domain:text display_name:text email_addr:address type:text type_id:int",
        &[],
        &["name", "uid"],
    ),
    object("endpoint", "ip:ip", &[], &["ip"]),
    object("url", "url_string:text", &[], &["url_string"]),
    object("reg_key", "path:text", &["path"], &[]),
    object("reg_value", "name:text path:text data:any type:text", &["name", "path"], &[]),
    object(
        "email",
        "from:address to:[address] subject:text return_path:address message_uid:text uid:text x_originating_ip:[ip]",
        &[],
        &["from", "to"],
    ),
    object("observable", "name:text type_id:int type:text value:text", &["type_id", "value"], &[]),
    object(
        "metadata",
        "version:text product:product profiles:[text] uid:text original_event_uid:text correlation_uid:text
         tenant_uid:text log_name:text modified_time:time labels:[text] is_truncated:flag debug:[text]",
        &["product", "version"],
        &[],
    ),
];

/// Members of a class that need a profile.
const GATED: &[(u64, &str, &str)] = &[
    (2004, "verdict_id", "incident"),
    (2004, "verdict", "incident"),
    (2004, "assignee", "incident"),
    (2004, "src_url", "incident"),
    (2004, "action_id", "security_control"),
    (2004, "action", "security_control"),
    (2004, "disposition_id", "security_control"),
    (2004, "disposition", "security_control"),
    (2004, "attacks", "security_control"),
    (2005, "device", "host"),
];

/// Numbers with the captions that stand beside them, by class or object; 0 and 99 are everywhere.
const CAPTIONS: &[(&str, &str, &str)] = &[
    ("base", "activity", "1 Create,2 Update,3 Close"),
    ("base", "severity", "1 Informational,2 Low,3 Medium,4 High,5 Critical"),
    ("2004", "status", "1 New,2 In Progress,4 Resolved"),
    ("2005", "status", "1 New,2 In Progress,4 Resolved,5 Closed"),
    ("base", "verdict", "1 False Positive,2 True Positive,5 Benign,6 Test"),
    ("2004", "action", "2 Denied,3 Observed"),
    ("2004", "disposition", "2 Blocked,15 Detected,19 Alert"),
    ("evidences", "verdict", "2 True Positive,4 Suspicious,5 Benign"),
    ("user", "type", "1 User,4 Service"),
    ("device", "type", ""),
    ("analytic", "type", ""),
    ("resource_details", "role", "3 Affected,4 Related"),
    ("fingerprint", "algorithm", "1 MD5,2 SHA-1,3 SHA-256"),
    (
        "observable",
        "type",
        "1 Hostname,2 IP Address,4 User Name,5 Email Address,6 URL String,7 File Name,8 Hash,9 Process Name,13 Command Line,\
         31 User Object: uid,38 Resource Details Object: name,45 File Path,46 Registry Key Path,47 Device Object: uid",
    ),
];

/// What an event does against the rules.
pub(super) fn broken(event: &Value) -> Vec<String> {
    let class = event["class_uid"].as_u64().unwrap_or_default();
    let mut wrong = Vec::new();
    let own = OBJECTS.iter().find(|object| object.name == class.to_string());
    let Some(own) = own.filter(|_| matches!(class, 2004 | 2005)) else { return vec![format!("class {class}")] };
    read(event, &[&BASE, own], "event", &mut wrong);
    nothings(event, "event", &mut wrong);
    let profiles: Vec<_> =
        event["metadata"]["profiles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let is_gated = |of: u64, member: &str| of == class && event.get(member).is_some();
    for (_, member, profile) in GATED.iter().filter(|(of, member, _)| is_gated(*of, member)) {
        if !profiles.contains(profile) {
            wrong.push(format!("{member} without the profile {profile}"));
        }
    }
    if event["type_uid"].as_u64() != event["activity_id"].as_u64().map(|activity| class * 100 + activity) {
        wrong.push(format!("type_uid is {}", event["type_uid"]));
    }
    observables(event, class, &mut wrong);
    wrong
}

/// Panics unless an event keeps the rules.
#[track_caller]
pub(super) fn assert_keeps_the_rules(event: &Value) {
    let wrong = broken(event);
    assert!(wrong.is_empty(), "{wrong:#?}\n{event:#}");
}

fn read(value: &Value, objects: &[&Object], path: &str, wrong: &mut Vec<String>) {
    let Some(members) = value.as_object() else { return wrong.push(format!("{path} is no object")) };
    let known = || objects.iter().flat_map(|object| object.members.split_whitespace());
    for (name, inner) in members {
        let found = known().filter_map(|member| member.split_once(':')).find(|(known, _)| known == name);
        match found {
            Some((_, kind)) => of_kind(inner, kind, &format!("{path}.{name}"), wrong),
            None => wrong.push(format!("{path}.{name} is unknown")),
        }
    }
    for object in objects {
        for name in object.required.iter().filter(|name| !members.contains_key(**name)) {
            wrong.push(format!("{path}.{name} is missing"));
        }
        if !object.one_of.is_empty() && !object.one_of.iter().any(|name| members.contains_key(*name)) {
            wrong.push(format!("{path} has none of {:?}", object.one_of));
        }
        for (_, word, captions) in CAPTIONS.iter().filter(|(of, ..)| *of == object.name) {
            caption(value, word, captions, path, wrong);
        }
    }
}

fn of_kind(value: &Value, kind: &str, path: &str, wrong: &mut Vec<String>) {
    if let Some(kind) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
        let Some(items) = value.as_array() else { return wrong.push(format!("{path} is no list")) };
        for (at, item) in items.iter().enumerate() {
            of_kind(item, kind, &format!("{path}[{at}]"), wrong);
        }
    } else if let Some(object) = OBJECTS.iter().find(|object| object.name == kind) {
        read(value, &[object], path, wrong);
    } else if !is_of_type(value, kind) {
        wrong.push(format!("{path} is no {kind}: {value}"));
    }
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    let text = value.as_str().filter(|text| !text.is_empty());
    match kind {
        "any" => true,
        "flag" => value.is_boolean(),
        "int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "long" => value.is_i64(),
        "time" => value.as_i64().is_some_and(|time| (631_152_000_000..4_102_444_800_000).contains(&time)),
        "text" => text.is_some(),
        "address" => text.is_some_and(|text| text.matches('@').count() == 1 && !text.contains([' ', '<', '>'])),
        "ip" => text.is_some_and(|text| text.len() <= 40 && text.parse::<std::net::IpAddr>().is_ok()),
        other => panic!("{other} is no type"),
    }
}

/// A number has its caption beside it; 99 has the source's word, and not its own caption.
fn caption(value: &Value, word: &str, captions: &str, path: &str, wrong: &mut Vec<String>) {
    let id = if word == "activity" { "activity_id".to_owned() } else { format!("{word}_id") };
    let Some(number) = value.get(&id).and_then(Value::as_u64) else { return };
    let sibling = if word == "activity" { "activity_name" } else { word };
    let beside = value[sibling].as_str();
    let is_right = match number {
        0 => beside == Some("Unknown"),
        99 => beside.is_some_and(|beside| beside != "Other"),
        _ => captions
            .split(',')
            .any(|caption| Some(caption) == beside.map(|beside| format!("{number} {beside}")).as_deref()),
    };
    if !is_right {
        wrong.push(format!("{path}.{id} is {number} beside {beside:?}"));
    }
}

/// There is no null, no empty list and no empty object, whatever the members are.
fn nothings(value: &Value, path: &str, wrong: &mut Vec<String>) {
    match value {
        Value::Null => wrong.push(format!("{path} is null")),
        Value::Array(items) => {
            for item in items {
                nothings(item, path, wrong);
            }
            if items.is_empty() {
                wrong.push(format!("{path} is an empty list"));
            }
        }
        Value::Object(members) => {
            for (name, inner) in members {
                nothings(inner, &format!("{path}.{name}"), wrong);
            }
            if members.is_empty() {
                wrong.push(format!("{path} is an empty object"));
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The texts of a value.
fn texts<'a>(value: &'a Value, all: &mut HashSet<&'a str>) {
    match value {
        Value::String(text) => drop(all.insert(text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Object(members) => members.values().for_each(|member| texts(member, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Each observable is there once, and stands at its path; one that has none stands among what OCSF has no object for.
/// Only those of an incident may stand nowhere else, as it has no evidence.
fn observables(event: &Value, class: u64, wrong: &mut Vec<String>) {
    let mut others = HashSet::new();
    for (_, value) in event.as_object().into_iter().flatten().filter(|(name, _)| *name != "observables") {
        texts(value, &mut others);
    }
    let mut seen = HashSet::new();
    for observable in event["observables"].as_array().into_iter().flatten() {
        if !seen.insert((observable["type_id"].as_u64(), observable["value"].as_str())) {
            wrong.push(format!("twice: {observable}"));
        }
        let name = observable["name"].as_str();
        let stands = name.map(|name| event.pointer(&pointer(name)) == Some(&observable["value"]));
        let is_among_others = || observable["value"].as_str().is_some_and(|value| others.contains(value));
        if !stands.unwrap_or_else(|| class == 2005 || is_among_others()) {
            wrong.push(format!("it does not stand there: {observable}"));
        }
    }
}

/// `evidences[1].process.name` as a JSON Pointer.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace(['.', '['], "/").replace(']', ""))
}

#[test]
fn the_rules_notice() {
    let good = serde_json::json!({
        "activity_id": 1, "activity_name": "Create", "category_uid": 2, "class_uid": 2004, "type_uid": 200_401,
        "severity_id": 4, "severity": "High", "status_id": 1, "status": "New", "time": 1_793_693_742_036_i64,
        "finding_info": {"uid": "da1_1"}, "device": {"uid": "d1", "type_id": 0, "type": "Unknown"},
        "metadata": {"version": "1.8.0", "product": {"name": "x"}},
        "observables": [{"name": "device.uid", "type_id": 47, "type": "Device Object: uid", "value": "d1"}]
    });
    assert_eq!(broken(&good), Vec::<String>::new());
    for (pointer, spoiled) in [
        ("/time", serde_json::json!(1_793_693_742)),
        ("/type_uid", serde_json::json!(200_402)),
        ("/severity", serde_json::json!("high")),
        ("/finding_info", serde_json::json!({})),
        ("/finding_info", serde_json::json!({"uid": "x", "owner": "y"})),
        ("/metadata/product/name", serde_json::json!("")),
        ("/observables/0/value", serde_json::json!("d2")),
        ("/device", serde_json::json!({"type_id": 0, "type": "Unknown"})),
    ] {
        let mut event = good.clone();
        *event.pointer_mut(pointer).expect("a member") = spoiled.clone();
        assert_ne!(broken(&event), Vec::<String>::new(), "{pointer}: {spoiled}");
    }
    for (member, value) in [("verdict_id", serde_json::json!(0)), ("unmapped", serde_json::json!({"a": [null]}))] {
        let mut event = good.clone();
        event[member] = value;
        assert_ne!(broken(&event), Vec::<String>::new(), "{member}");
    }
}
