//! Evidence as Graph sends it: `#microsoft.graph.security.fileEvidence` and 47 other types. Microsoft adds more.
//!
//! Known members get the same names as in the older APIs. All other members of an item, and of its nested objects, stay
//! in `extra` under Graph's own names.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>.

use std::collections::HashSet;

use super::within;
use super::words::pascal_case;
use crate::backend::wire::evidence::{account, common, detail, file, mail, process};
use crate::backend::wire::logged_on_users;
use crate::domain::alert::{Device, LoggedOnUser};
use crate::domain::evidence::{Detail, Evidence, Mail, Mailbox, Parent, Process, User};
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::snake_case;
use crate::domain::warning::Warnings;
use crate::lenient_json::members::Members;
use crate::lenient_json::value::Value;

/// The roles of the device that the alert was raised on.
const MAIN_ROLES: [&str; 2] = ["PrimaryDevice", "Main device"];

/// The devices in the evidence of one alert, and the users who were logged on to them.
#[derive(Default)]
pub(super) struct Devices {
    main: Vec<Device>,
    further: Vec<Device>,
    seen: HashSet<Device>,
    users: Vec<LoggedOnUser>,
    seen_users: HashSet<LoggedOnUser>,
}

impl Devices {
    /// Returns the devices, the main device first, and the users.
    pub(super) fn into_devices_and_users(mut self) -> (Vec<Device>, Vec<LoggedOnUser>) {
        self.main.append(&mut self.further);
        (self.main, self.users)
    }

    /// Adds a device and its users. Both also stay complete in the evidence item.
    fn add(&mut self, members: &Members<'_>) {
        let device = within::device(members);
        let is_main = members.peek_texts("detailedRoles").iter().any(|role| MAIN_ROLES.contains(&role.as_str()));
        if device != Device::default() && self.seen.insert(device.clone()) {
            let devices = if is_main { &mut self.main } else { &mut self.further };
            devices.push(device);
        }
        let users = logged_on_users(&mut members.clone(), &mut Warnings::default());
        self.users.extend(users.into_iter().filter(|user| self.seen_users.insert(user.clone())));
    }
}

/// Reads an evidence item, and adds it to the devices if it is one.
pub(super) fn read_evidence(mut members: Members<'_>, devices: &mut Devices, warnings: &mut Warnings) -> Evidence {
    let members = &mut members;
    let odata_type = members.take("@odata.type").and_then(Value::string);
    let kind = odata_type.map(|word| kind_of(&word)).filter(|kind| !kind.is_empty());
    let kind = kind.unwrap_or(SharedStr::of_static("unknown"));
    if kind == "device" {
        devices.add(members);
    }
    let common = common(members, warnings);
    let role = members.first_word("roles", warnings);
    for name in ["detailedRoles", "roles", "tags"] {
        members.take_if_empty(name);
    }
    let mut parts = Vec::new();
    let detail = nested_detail(&kind, members, &mut parts, warnings);
    let nested = within::nested(&kind, &detail, members);
    let mut extra = members.rest(warnings);
    for (name, part) in parts {
        if let Some(rest) = part.rest_as_object() {
            extra.keep(name, rest);
        }
    }
    Evidence { kind, role, detail, extra, nested, ..common }
}

/// Returns our name of a type: `#microsoft.graph.security.analyzedMessageEvidence` → `mail_message`. It is the name in the
/// older APIs, if they have the type.
fn kind_of(odata_type: &str) -> SharedStr {
    let word = odata_type.rsplit('.').next().unwrap_or_default();
    match word.strip_suffix("Evidence").unwrap_or(word) {
        "registryKey" | "registryValue" => SharedStr::of_static("registry"),
        "analyzedMessage" => SharedStr::of_static("mail_message"),
        "ioTDevice" => SharedStr::of_static("iot_device"),
        word => snake_case(word),
    }
}

/// The nested objects of an item, by name, with the members that were not read.
type Parts<'de> = Vec<(&'static str, Members<'de>)>;

fn nested_detail<'de>(
    kind: &str,
    members: &mut Members<'de>,
    parts: &mut Parts<'de>,
    warnings: &mut Warnings,
) -> Detail {
    match kind {
        "file" => {
            let mut details = members.object("fileDetails", warnings).unwrap_or_default();
            let file = file(&mut details, warnings);
            parts.push(("fileDetails", details));
            Detail::File(file)
        }
        "process" => Detail::Process(Box::new(process_with_images(members, parts, warnings))),
        "user" => Detail::User(user_account(members, parts, warnings).unwrap_or_default()),
        "mailbox" => Detail::Mailbox(Mailbox {
            address: members.text(&["primaryAddress"], warnings),
            display_name: members.text(&["displayName"], warnings),
            user: owner(members, parts, warnings),
        }),
        "mail_message" => Detail::Mail(Box::new(mail_with_senders(members, parts, warnings))),
        _ => detail(kind, members, warnings),
    }
}

fn user_account<'de>(members: &mut Members<'de>, parts: &mut Parts<'de>, warnings: &mut Warnings) -> Option<User> {
    let mut object = members.object("userAccount", warnings)?;
    let user = account(&mut object, warnings);
    parts.push(("userAccount", object));
    Some(user)
}

/// Reads the account of a process or a mailbox.
fn owner<'de>(members: &mut Members<'de>, parts: &mut Parts<'de>, warnings: &mut Warnings) -> Option<Box<User>> {
    user_account(members, parts, warnings).filter(|user| *user != User::default()).map(Box::new)
}

pub(super) fn process_with_images<'de>(
    members: &mut Members<'de>,
    parts: &mut Parts<'de>,
    warnings: &mut Warnings,
) -> Process {
    let process = process(members, warnings);
    let mut image = members.object("imageFile", warnings).unwrap_or_default();
    let mut parent_image = members.object("parentProcessImageFile", warnings).unwrap_or_default();
    let process = Process {
        name: image.text(&["fileName"], warnings),
        path: image.text(&["filePath"], warnings),
        sha1: image.text(&["sha1"], warnings),
        sha256: image.text(&["sha256"], warnings),
        parent: Parent {
            name: parent_image.text(&["fileName"], warnings),
            path: parent_image.text(&["filePath"], warnings),
            ..process.parent
        },
        user: owner(members, parts, warnings),
        ..process
    };
    parts.extend([("imageFile", image), ("parentProcessImageFile", parent_image)]);
    process
}

/// Reads a mail. `sender` is the header `From` (P2), which the recipient saw; `envelope_sender` is the envelope (P1).
///
/// Source: <https://learn.microsoft.com/graph/api/resources/security-analyzedmessageevidence>.
fn mail_with_senders<'de>(members: &mut Members<'de>, parts: &mut Parts<'de>, warnings: &mut Warnings) -> Mail {
    let mail = mail(members, warnings);
    let mut sender = |name| {
        let mut object = members.object(name, warnings).unwrap_or_default();
        let address = object.text(&["emailAddress"], warnings);
        parts.push((name, object));
        address
    };
    Mail {
        envelope_sender: sender("p1Sender"),
        sender: sender("p2Sender"),
        delivery_action: mail.delivery_action.as_deref().map(|word| pascal_case(word).into()),
        ..mail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> serde_json::Value {
        let mut warnings = Warnings::default();
        let body = SharedStr::from(json);
        let members = Members::of_body(&body).expect("an object");
        let evidence = read_evidence(members, &mut Devices::default(), &mut warnings);
        assert!(warnings.into_vec().is_empty(), "{json}");
        serde_json::to_value(&evidence).expect("JSON")
    }

    #[test]
    fn types_have_the_names_of_the_older_apis() {
        for (theirs, ours) in [
            ("#microsoft.graph.security.fileEvidence", "file"),
            ("#microsoft.graph.security.registryKeyEvidence", "registry"),
            ("#microsoft.graph.security.registryValueEvidence", "registry"),
            ("#microsoft.graph.security.analyzedMessageEvidence", "mail_message"),
            ("#microsoft.graph.security.mailClusterEvidence", "mail_cluster"),
            ("#microsoft.graph.security.cloudApplicationEvidence", "cloud_application"),
            ("#microsoft.graph.security.oauthApplicationEvidence", "oauth_application"),
            ("microsoft.graph.security.ioTDeviceEvidence", "iot_device"),
            ("#microsoft.graph.security.aiAgentEvidence", "ai_agent"),
            ("#microsoft.graph.security.neverMetEvidence", "never_met"),
        ] {
            assert_eq!(kind_of(theirs), ours);
        }
    }

    #[test]
    fn unknown_members_stay_in_extra_under_graphs_names() {
        let file = read(
            r##"{"@odata.type":"#microsoft.graph.security.fileEvidence","createdDateTime":"2026-01-22T12:09:22.9566667Z","verdict":"noThreatsFound","remediationStatus":"none","roles":["commandAndControl"],"detailedRoles":[],"tags":[],"detectionStatus":"detected","mdeDeviceId":"d1","fileDetails":{"sha1":"ab","fileName":"a.exe","filePath":"C:\\","fileSize":7,"signer":null,"extra":[]}}"##,
        );
        assert_eq!(
            (&file["type"], &file["role"], &file["verdict"]),
            (&"file".into(), &"command_and_control".into(), &"no_threats_found".into())
        );
        assert_eq!((&file["name"], &file["path"], &file["sha1"]), (&"a.exe".into(), &"C:\\".into(), &"ab".into()));
        assert_eq!(file["observed_at"], "2026-01-22T12:09:22.956Z");
        assert_eq!(file["extra"], serde_json::json!({"mdeDeviceId": "d1", "fileDetails": {"fileSize": 7}}));

        let unknown = r##"{"@odata.type":"#microsoft.graph.security.neverMetEvidence","glow":{"a":[1,{"b":2.50}]},"roles":["source","added"],"dim":null}"##;
        let unknown = read(unknown);
        assert_eq!(unknown["type"], "never_met");
        assert_eq!(
            unknown["extra"],
            serde_json::json!({"glow": {"a": [1, {"b": 2.50}]}, "roles": ["source", "added"]})
        );
    }

    #[test]
    fn the_main_device_comes_first() {
        let mut devices = Devices::default();
        let bodies = [
            r##"{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"a","hostName":"one"}"##,
            r##"{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"b","deviceDnsName":"two","detailedRoles":["PrimaryDevice"],"loggedOnUsers":[{"accountName":"x","domainName":"D"}]}"##,
        ];
        let bodies = bodies.map(SharedStr::from);
        for body in &bodies {
            read_evidence(Members::of_body(body).expect("an object"), &mut devices, &mut Warnings::default());
        }
        let (devices, users) = devices.into_devices_and_users();
        let names: Vec<_> = devices.iter().map(|device| device.name.as_deref()).collect();
        assert_eq!((names, users.len()), (vec![Some("two"), Some("one")], 1));
    }
}
