//! Evidence and entities: one flat object of about 35 members, of which each type uses some.
//!
//! Documented samples contain every member, with null where it does not apply. Live incidents omit these. Both are read.
//!
//! Source: <https://learn.microsoft.com/defender-endpoint/api/alerts>, <https://learn.microsoft.com/defender-xdr/api-list-incidents>.

use crate::domain::evidence::{
    Address, Detail, Evidence, File, Ip, Mail, Mailbox, NestedEntities, Parent, Process, Registry, User,
};
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;
use crate::lenient_json::value::Value;

/// Reads evidence items one after the other.
pub(super) struct EvidenceReader<'n, 'de> {
    pub(super) warnings: &'n mut Warnings,
    /// The members of the previous item; their buffer is reused.
    pub(super) members: Members<'de>,
    /// Values in the list that are not evidence items.
    pub(super) passed_over: Vec<Value<'de>>,
}

impl<'de> ReadObject<'de> for EvidenceReader<'_, 'de> {
    type Item = Evidence;

    fn weight(evidence: &Evidence) -> usize {
        evidence.weight()
    }

    fn read(&mut self, json: &mut Json<'de>) -> Result<Evidence, Malformed> {
        self.members.read_all(json)?;
        Ok(normalize(&mut self.members, self.warnings))
    }

    fn pass_over(&mut self, value: Value<'de>) {
        self.passed_over.push(value);
    }
}

fn normalize(members: &mut Members<'_>, warnings: &mut Warnings) -> Evidence {
    let kind = match members.snake_word("entityType", warnings) {
        None => SharedStr::of_static("unknown"),
        Some(kind) if kind == "mail_box" => SharedStr::of_static("mailbox"),
        Some(kind) => kind,
    };
    let verdict = members.snake_word("verdict", warnings);
    let remediation_status = members.snake_word("remediationStatus", warnings);
    let detection_status = members.snake_word("detectionStatus", warnings);
    let observed_at = members.timestamp(&["evidenceCreationTime"], warnings);
    let detail = detail(&kind, members, warnings);
    let nested = nested(&kind, members);
    Evidence {
        kind,
        role: None,
        verdict,
        remediation_status,
        detection_status,
        observed_at,
        detail,
        extra: members.rest(warnings),
        nested,
    }
}

/// Reads the entities in members that do not belong to the type of the item.
fn nested(kind: &str, members: &Members<'_>) -> Option<Box<NestedEntities>> {
    if members.is_empty() {
        return None;
    }
    let text = |name: &str| members.peek_text(name);
    let user = User {
        name: text("accountName"),
        domain: text("domainName"),
        upn: text("userPrincipalName"),
        sid: text("userSid"),
        aad_id: text("aadUserId"),
    };
    let file = File {
        name: text("fileName"),
        path: text("filePath"),
        sha1: text("sha1"),
        sha256: text("sha256"),
        md5: text("md5"),
    };
    // The rest of a process's image is not a separate file.
    let is_file = kind != "process" && (file.sha1.is_some() || file.sha256.is_some() || file.md5.is_some());
    let mailbox = Mailbox { address: text("mailboxAddress"), display_name: text("mailboxDisplayName"), user: None };
    let nested = NestedEntities {
        users: user.is_named().then_some(user).into_iter().collect(),
        files: is_file.then_some(file).into_iter().collect(),
        ips: [text("ipAddress"), text("senderIP"), text("senderIp")].into_iter().flatten().collect(),
        urls: text("url").into_iter().collect(),
        mailboxes: mailbox.address.is_some().then_some(mailbox).into_iter().collect(),
        ..NestedEntities::default()
    };
    nested.unless_empty()
}

/// Reads the account of an item.
fn account(members: &mut Members<'_>, warnings: &mut Warnings) -> User {
    User {
        name: members.text(&["accountName"], warnings),
        domain: members.text(&["domainName"], warnings),
        upn: members.text(&["userPrincipalName"], warnings),
        sid: members.text(&["userSid"], warnings),
        aad_id: members.text(&["aadUserId"], warnings),
    }
}

fn detail(kind: &str, members: &mut Members<'_>, warnings: &mut Warnings) -> Detail {
    match kind {
        "file" => Detail::File(File {
            name: members.text(&["fileName"], warnings),
            path: members.text(&["filePath"], warnings),
            sha1: members.text(&["sha1"], warnings),
            sha256: members.text(&["sha256"], warnings),
            md5: members.text(&["md5"], warnings),
        }),
        "process" => Detail::Process(Box::new(Process {
            pid: members.integer(&["processId"], warnings),
            command_line: members.text(&["processCommandLine"], warnings),
            created_at: members.timestamp(&["processCreationTime"], warnings),
            name: members.text(&["fileName"], warnings),
            path: members.text(&["filePath"], warnings),
            sha1: members.text(&["sha1"], warnings),
            sha256: members.text(&["sha256"], warnings),
            parent: Parent {
                pid: members.integer(&["parentProcessId"], warnings),
                name: members.text(&["parentProcessFileName"], warnings),
                path: members.text(&["parentProcessFilePath"], warnings),
                created_at: members.timestamp(&["parentProcessCreationTime"], warnings),
            },
            user: Some(account(members, warnings)).filter(|user| *user != User::default()).map(Box::new),
        })),
        "user" => Detail::User(account(members, warnings)),
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
            address: members.text(&["mailboxAddress"], warnings),
            display_name: members.text(&["mailboxDisplayName"], warnings),
            user: Some(account(members, warnings)).filter(|user| *user != User::default()).map(Box::new),
        }),
        // The last three are not documented for this API; these are their names in Graph and in hunting.
        "mail_message" => Detail::Mail(Box::new(Mail {
            sender: members.text(&["sender"], warnings),
            recipient: members.text(&["recipient"], warnings),
            subject: members.text(&["subject"], warnings),
            delivery_action: members.text(&["deliveryAction"], warnings),
            sender_ip: members.text(&["senderIP", "senderIp"], warnings),
            message_id: members.text(&["internetMessageId"], warnings),
            network_message_id: members.text(&["networkMessageId"], warnings),
            ..Mail::default()
        })),
        _ => Detail::Other {},
    }
}
