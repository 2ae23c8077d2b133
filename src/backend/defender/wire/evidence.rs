//! Evidence and entities: one flat union, in which each type uses some of about 35 members.
//!
//! Documented samples print every member, null where it does not apply; live incidents leave them out. Both are read.
//!
//! Source: <https://learn.microsoft.com/defender-endpoint/api/alerts>, <https://learn.microsoft.com/defender-xdr/api-list-incidents>.

use crate::domain::evidence::{
    Address, Detail, Evidence, File, Ip, Mail, Mailbox, Named, Parent, Process, Registry, User,
};
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;
use crate::lenient_json::value::Value;

/// Reads items of evidence, one after the other.
pub(super) struct EvidenceReader<'n, 'de> {
    pub(super) notes: &'n mut Warnings,
    /// Those of the item before.
    pub(super) members: Members<'de>,
    /// What stood among the items and was none.
    pub(super) passed_over: Vec<Value<'de>>,
}

impl<'de> ReadObject<'de> for EvidenceReader<'_, 'de> {
    type Item = Evidence;

    fn weight(evidence: &Evidence) -> usize {
        evidence.weight()
    }

    fn read(&mut self, json: &mut Json<'de>) -> Result<Evidence, Malformed> {
        self.members.read_all(json)?;
        Ok(normalize(&mut self.members, self.notes))
    }

    fn pass_over(&mut self, value: Value<'de>) {
        self.passed_over.push(value);
    }
}

fn normalize(members: &mut Members<'_>, notes: &mut Warnings) -> Evidence {
    let kind = match members.snake_word("entityType", notes) {
        None => SharedStr::of_static("unknown"),
        Some(kind) if kind == "mail_box" => SharedStr::of_static("mailbox"),
        Some(kind) => kind,
    };
    let verdict = members.snake_word("verdict", notes);
    let remediation_status = members.snake_word("remediationStatus", notes);
    let detection_status = members.snake_word("detectionStatus", notes);
    let observed_at = members.moment(&["evidenceCreationTime"], notes);
    let detail = detail(&kind, members, notes);
    let named = named(&kind, members);
    Evidence {
        kind,
        role: None,
        verdict,
        remediation_status,
        detection_status,
        observed_at,
        detail,
        extra: members.rest(notes),
        named,
    }
}

/// What an item names in members that are foreign to its type.
fn named(kind: &str, members: &Members<'_>) -> Option<Box<Named>> {
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
    // What is left of a process's image is no file of its own.
    let is_file = kind != "process" && (file.sha1.is_some() || file.sha256.is_some() || file.md5.is_some());
    let mailbox = Mailbox { address: text("mailboxAddress"), display_name: text("mailboxDisplayName"), user: None };
    let named = Named {
        users: user.is_named().then_some(user).into_iter().collect(),
        files: is_file.then_some(file).into_iter().collect(),
        ips: [text("ipAddress"), text("senderIP"), text("senderIp")].into_iter().flatten().collect(),
        urls: text("url").into_iter().collect(),
        mailboxes: mailbox.address.is_some().then_some(mailbox).into_iter().collect(),
        ..Named::default()
    };
    named.unless_empty()
}

/// The account that an item tells.
fn account(members: &mut Members<'_>, notes: &mut Warnings) -> User {
    User {
        name: members.text(&["accountName"], notes),
        domain: members.text(&["domainName"], notes),
        upn: members.text(&["userPrincipalName"], notes),
        sid: members.text(&["userSid"], notes),
        aad_id: members.text(&["aadUserId"], notes),
    }
}

fn detail(kind: &str, members: &mut Members<'_>, notes: &mut Warnings) -> Detail {
    match kind {
        "file" => Detail::File(File {
            name: members.text(&["fileName"], notes),
            path: members.text(&["filePath"], notes),
            sha1: members.text(&["sha1"], notes),
            sha256: members.text(&["sha256"], notes),
            md5: members.text(&["md5"], notes),
        }),
        "process" => Detail::Process(Box::new(Process {
            pid: members.integer(&["processId"], notes),
            command_line: members.text(&["processCommandLine"], notes),
            created_at: members.moment(&["processCreationTime"], notes),
            name: members.text(&["fileName"], notes),
            path: members.text(&["filePath"], notes),
            sha1: members.text(&["sha1"], notes),
            sha256: members.text(&["sha256"], notes),
            parent: Parent {
                pid: members.integer(&["parentProcessId"], notes),
                name: members.text(&["parentProcessFileName"], notes),
                path: members.text(&["parentProcessFilePath"], notes),
                created_at: members.moment(&["parentProcessCreationTime"], notes),
            },
            user: Some(account(members, notes)).filter(|user| *user != User::default()).map(Box::new),
        })),
        "user" => Detail::User(account(members, notes)),
        "ip" => Detail::Ip(Ip { address: members.text(&["ipAddress"], notes) }),
        "url" => Detail::Url(Address { url: members.text(&["url"], notes) }),
        "registry" => Detail::Registry(Registry {
            hive: members.text(&["registryHive"], notes),
            key: members.text(&["registryKey"], notes),
            value_name: members.text(&["registryValueName"], notes),
            value: members.text(&["registryValue"], notes),
            value_type: members.text(&["registryValueType"], notes),
        }),
        "mailbox" => Detail::Mailbox(Mailbox {
            address: members.text(&["mailboxAddress"], notes),
            display_name: members.text(&["mailboxDisplayName"], notes),
            user: Some(account(members, notes)).filter(|user| *user != User::default()).map(Box::new),
        }),
        // The last three are not documented here; Graph and hunting call them so.
        "mail_message" => Detail::Mail(Box::new(Mail {
            sender: members.text(&["sender"], notes),
            recipient: members.text(&["recipient"], notes),
            subject: members.text(&["subject"], notes),
            delivery_action: members.text(&["deliveryAction"], notes),
            sender_ip: members.text(&["senderIP", "senderIp"], notes),
            message_id: members.text(&["internetMessageId"], notes),
            network_message_id: members.text(&["networkMessageId"], notes),
            ..Mail::default()
        })),
        _ => Detail::Other {},
    }
}
