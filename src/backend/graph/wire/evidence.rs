//! Evidence as Graph sends it: `#microsoft.graph.security.fileEvidence` and 47 other types. Microsoft adds more.
//!
//! Known members get the same names as in the older APIs. All other members of an item, and of its nested objects, stay
//! in `extra` under Graph's own names.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>.

use std::collections::HashSet;
use std::mem;

use super::within;
use super::words::pascal_case;
use crate::domain::alert::{Device, LoggedOnUser};
use crate::domain::evidence::{Address, Detail, Evidence, File, Ip, Mail, Mailbox, Parent, Process, Registry, User};
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::snake_case;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;
use crate::lenient_json::shared_fields;
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
    passed_over: Vec<Value<'de>>,
    /// The members of the previous item; their buffer is reused.
    members: Members<'de>,
}

impl<'n, 'de> EvidenceReader<'n, 'de> {
    pub(super) fn new(warnings: &'n mut Warnings) -> Self {
        Self {
            warnings,
            main_devices: Vec::new(),
            devices: Vec::new(),
            seen_devices: HashSet::new(),
            logged_on_users: Vec::new(),
            seen_users: HashSet::new(),
            passed_over: Vec::new(),
            members: Members::default(),
        }
    }

    /// Returns the devices, the main device first, and the users who were logged on to them.
    pub(super) fn into_devices_and_users(mut self) -> (Vec<Device>, Vec<LoggedOnUser>) {
        self.main_devices.append(&mut self.devices);
        (self.main_devices, self.logged_on_users)
    }

    /// Takes the values in the list that are not evidence items.
    pub(super) fn passed_over(&mut self) -> Vec<Value<'de>> {
        mem::take(&mut self.passed_over)
    }

    /// Collects a device and its users. Both also stay complete in the evidence item.
    fn collect_device(&mut self, members: &Members<'_>) {
        let device = within::device(members);
        let roles = members.only("detailedRoles").texts(&["detailedRoles"], &mut Warnings::default());
        let is_main = roles.iter().any(|role| MAIN_ROLES.contains(&role.as_str()));
        if device != Device::default() && self.seen_devices.insert(device.clone()) {
            let devices = if is_main { &mut self.main_devices } else { &mut self.devices };
            devices.push(device);
        }
        let users = shared_fields::logged_on_users(&mut members.only("loggedOnUsers"), &mut Warnings::default());
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

    fn read(&mut self, json: &mut Json<'de>) -> Result<Evidence, Malformed> {
        let mut members = mem::take(&mut self.members);
        let mut kind = SharedStr::default();
        members.read(json, |name, json| {
            let is_type = name == "@odata.type";
            if is_type {
                kind = json.value()?.string().map(|word| kind_of(&word)).unwrap_or_default();
            }
            Ok(is_type)
        })?;
        if kind == "device" {
            self.collect_device(&members);
        }
        let evidence = normalize(kind, &mut members, self.warnings);
        self.members = members;
        Ok(evidence)
    }

    fn pass_over(&mut self, value: Value<'de>) {
        self.passed_over.push(value);
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

fn normalize(kind: SharedStr, members: &mut Members<'_>, warnings: &mut Warnings) -> Evidence {
    let kind = if kind.is_empty() { SharedStr::of_static("unknown") } else { kind };
    let verdict = members.snake_word("verdict", warnings);
    let remediation_status = members.snake_word("remediationStatus", warnings);
    let detection_status = members.snake_word("detectionStatus", warnings);
    let observed_at = members.timestamp(&["createdDateTime"], warnings);
    let role = members.first_word("roles", warnings);
    for name in ["detailedRoles", "roles", "tags"] {
        members.take_if_empty(name);
    }
    let mut parts = Vec::new();
    let detail = detail(&kind, members, &mut parts, warnings);
    let nested = within::nested(&kind, &detail, members);
    let mut extra = members.rest(warnings);
    for (name, part) in parts {
        if let Some(rest) = part.rest_as_object() {
            extra.keep(name, rest);
        }
    }
    Evidence { kind, role, verdict, remediation_status, detection_status, observed_at, detail, extra, nested }
}

/// The nested objects of an item, by name, with the members that were not read.
type Parts<'de> = Vec<(&'static str, Members<'de>)>;

fn detail<'de>(kind: &str, members: &mut Members<'de>, parts: &mut Parts<'de>, warnings: &mut Warnings) -> Detail {
    match kind {
        "file" => {
            let mut details = members.object("fileDetails", warnings).unwrap_or_default();
            let file = file(&mut details, warnings);
            parts.push(("fileDetails", details));
            Detail::File(file)
        }
        "process" => Detail::Process(Box::new(process(members, parts, warnings))),
        "user" => {
            let mut account = members.object("userAccount", warnings).unwrap_or_default();
            let user = user(&mut account, warnings);
            parts.push(("userAccount", account));
            Detail::User(user)
        }
        "ip" => Detail::Ip(Ip { address: members.text(&["ipAddress"], warnings) }),
        "url" => Detail::Url(Address { url: members.text(&["url"], warnings) }),
        "registry" => Detail::Registry(Registry {
            hive: members.text(&["registryHive"], warnings),
            key: members.text(&["registryKey"], warnings),
            value_name: members.text(&["registryValueName"], warnings),
            value: members.text(&["registryValue"], warnings),
            value_type: members.text(&["registryValueType"], warnings),
        }),
        "mailbox" => Detail::Mailbox(Mailbox {
            address: members.text(&["primaryAddress"], warnings),
            display_name: members.text(&["displayName"], warnings),
            user: account(members, parts, warnings),
        }),
        "mail_message" => Detail::Mail(Box::new(mail(members, parts, warnings))),
        _ => Detail::Other {},
    }
}

fn file(details: &mut Members<'_>, warnings: &mut Warnings) -> File {
    File {
        name: details.text(&["fileName"], warnings),
        path: details.text(&["filePath"], warnings),
        sha1: details.text(&["sha1"], warnings),
        sha256: details.text(&["sha256"], warnings),
        md5: details.text(&["md5"], warnings),
    }
}

fn user(account: &mut Members<'_>, warnings: &mut Warnings) -> User {
    User {
        name: account.text(&["accountName"], warnings),
        domain: account.text(&["domainName"], warnings),
        upn: account.text(&["userPrincipalName"], warnings),
        sid: account.text(&["userSid"], warnings),
        aad_id: account.text(&["azureAdUserId"], warnings),
    }
}

/// Reads the account of a process or a mailbox.
fn account<'de>(members: &mut Members<'de>, parts: &mut Parts<'de>, warnings: &mut Warnings) -> Option<Box<User>> {
    let mut account = members.object("userAccount", warnings)?;
    let user = user(&mut account, warnings);
    parts.push(("userAccount", account));
    (user != User::default()).then(|| Box::new(user))
}

pub(super) fn process<'de>(members: &mut Members<'de>, parts: &mut Parts<'de>, warnings: &mut Warnings) -> Process {
    let mut image = members.object("imageFile", warnings).unwrap_or_default();
    let mut parent_image = members.object("parentProcessImageFile", warnings).unwrap_or_default();
    let process = Process {
        pid: members.integer(&["processId"], warnings),
        command_line: members.text(&["processCommandLine"], warnings),
        created_at: members.timestamp(&["processCreationDateTime"], warnings),
        name: image.text(&["fileName"], warnings),
        path: image.text(&["filePath"], warnings),
        sha1: image.text(&["sha1"], warnings),
        sha256: image.text(&["sha256"], warnings),
        parent: Parent {
            pid: members.integer(&["parentProcessId"], warnings),
            name: parent_image.text(&["fileName"], warnings),
            path: parent_image.text(&["filePath"], warnings),
            created_at: members.timestamp(&["parentProcessCreationDateTime"], warnings),
        },
        user: account(members, parts, warnings),
    };
    parts.extend([("imageFile", image), ("parentProcessImageFile", parent_image)]);
    process
}

/// Reads a mail. `sender` is the header `From` (P2), which the recipient saw; `envelope_sender` is the envelope (P1).
///
/// Source: <https://learn.microsoft.com/graph/api/resources/security-analyzedmessageevidence>.
fn mail<'de>(members: &mut Members<'de>, parts: &mut Parts<'de>, warnings: &mut Warnings) -> Mail {
    let mut envelope = members.object("p1Sender", warnings).unwrap_or_default();
    let mut header = members.object("p2Sender", warnings).unwrap_or_default();
    let address = &["emailAddress"];
    let (envelope_sender, sender) = (envelope.text(address, warnings), header.text(address, warnings));
    parts.extend([("p1Sender", envelope), ("p2Sender", header)]);
    Mail {
        sender,
        recipient: members.text(&["recipientEmailAddress"], warnings),
        subject: members.text(&["subject"], warnings),
        delivery_action: members.text(&["deliveryAction"], warnings).map(|word| pascal_case(&word).into()),
        envelope_sender,
        sender_ip: members.text(&["senderIp"], warnings),
        message_id: members.text(&["internetMessageId"], warnings),
        network_message_id: members.text(&["networkMessageId"], warnings),
        received_at: members.timestamp(&["receivedDateTime"], warnings),
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
