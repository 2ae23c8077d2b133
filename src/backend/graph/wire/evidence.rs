//! Evidence as Graph sends it: `#microsoft.graph.security.fileEvidence` and 47 other types. Microsoft adds more.
//!
//! Known members get the same names as in the older APIs. All other members of an item, and of its nested objects, stay
//! in `extra` under Graph's own names.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>.

use std::collections::HashSet;

use serde::de::MapAccess;

use super::within;
use super::words::pascal_case;
use crate::backend::wire::evidence::{account, common, detail, file, mail, process};
use crate::backend::wire::logged_on_users;
use crate::domain::alert::{Device, LoggedOnUser};
use crate::domain::evidence::{Detail, Evidence, Mail, Mailbox, Parent, Process, User};
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::snake_case;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::Json;
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;
use crate::lenient_json::value::Value;

/// The roles of the device that the alert was raised on.
const MAIN_ROLES: [&str; 2] = ["PrimaryDevice", "Main device"];

/// Reads the evidence items of one alert, and collects the devices and the users who were logged on to them.
pub(super) struct EvidenceReader<'n, 'de> {
    pub(super) warnings: &'n mut Warnings,
    main_devices: Vec<Device>,
    devices: Vec<Device>,
    seen_devices: HashSet<Device>,
    logged_on_users: Vec<LoggedOnUser>,
    seen_users: HashSet<LoggedOnUser>,
    /// The members of the previous item; their buffer is reused.
    members: Members<'de>,
}

impl<'n> EvidenceReader<'n, '_> {
    pub(super) fn new(warnings: &'n mut Warnings) -> Self {
        Self {
            warnings,
            main_devices: Vec::new(),
            devices: Vec::new(),
            seen_devices: HashSet::new(),
            logged_on_users: Vec::new(),
            seen_users: HashSet::new(),
            members: Members::default(),
        }
    }

    /// Returns the devices, the main device first, and the users who were logged on to them.
    pub(super) fn into_devices_and_users(mut self) -> (Vec<Device>, Vec<LoggedOnUser>) {
        self.main_devices.append(&mut self.devices);
        (self.main_devices, self.logged_on_users)
    }

    /// Collects a device and its users. Both also stay complete in the evidence item.
    fn collect_device(&mut self) {
        let members = &self.members;
        let device = within::device(members);
        let roles = members.only("detailedRoles").texts(&["detailedRoles"], &mut Warnings::default());
        let is_main = roles.iter().any(|role| MAIN_ROLES.contains(&role.as_str()));
        if device != Device::default() && self.seen_devices.insert(device.clone()) {
            let devices = if is_main { &mut self.main_devices } else { &mut self.devices };
            devices.push(device);
        }
        let users = logged_on_users(&mut members.only("loggedOnUsers"), &mut Warnings::default());
        for user in users {
            if self.seen_users.insert(user.clone()) {
                self.logged_on_users.push(user);
            }
        }
    }
}

impl<'de> ReadObject<'de> for EvidenceReader<'_, 'de> {
    type Item = Evidence;

    fn weight(evidence: &Evidence) -> usize {
        evidence.weight()
    }

    fn read<A: MapAccess<'de>>(&mut self, object: A, json: &Json<'de>) -> Result<Evidence, A::Error> {
        self.members.read_all(object, json)?;
        let odata_type = self.members.take("@odata.type").and_then(Value::string);
        let kind = odata_type.map(|word| kind_of(&word)).filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or(SharedStr::of_static("unknown"));
        if kind == "device" {
            self.collect_device();
        }
        let (members, warnings) = (&mut self.members, &mut *self.warnings);
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
        Ok(Evidence { kind, role, detail, extra, nested, ..common })
    }
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
            let file = file(|names| details.text(names, warnings));
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
    let user = account(|names| object.text(names, warnings));
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
    use crate::lenient_json::body::object;

    fn read(json: &str) -> serde_json::Value {
        let mut warnings = Warnings::default();
        let evidence = object(&json.into(), &mut EvidenceReader::new(&mut warnings)).expect("evidence");
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
        let mut warnings = Warnings::default();
        let mut reader = EvidenceReader::new(&mut warnings);
        let bodies = [
            r##"{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"a","hostName":"one"}"##,
            r##"{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"b","deviceDnsName":"two","detailedRoles":["PrimaryDevice"],"loggedOnUsers":[{"accountName":"x","domainName":"D"}]}"##,
        ];
        let bodies = bodies.map(SharedStr::from);
        for body in &bodies {
            object(body, &mut reader).expect("evidence");
        }
        let (devices, users) = reader.into_devices_and_users();
        let names: Vec<_> = devices.iter().map(|device| device.name.as_deref()).collect();
        assert_eq!((names, users.len()), (vec![Some("two"), Some("one")], 1));
    }
}
