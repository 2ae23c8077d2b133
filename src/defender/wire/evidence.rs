//! Evidence and entities: one flat union, in which each type uses some of about 35 members.
//!
//! Documented samples print every member, null where it does not apply; live incidents leave them out. Both are read.
//!
//! Source: <https://learn.microsoft.com/defender-endpoint/api/alerts>, <https://learn.microsoft.com/defender-xdr/api-list-incidents>.

use crate::domain::evidence::{Address, Detail, Evidence, File, Ip, Mail, Mailbox, Parent, Process, Registry, User};
use crate::domain::text::Text;
use crate::domain::warning::Warnings;
use crate::domain::words::snake_case;
use crate::upstream::json::{Json, Malformed};
use crate::upstream::members::Members;
use crate::upstream::objects::ReadObject;
use crate::upstream::value::Value;

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

    fn read(&mut self, json: &mut Json<'de>) -> Result<Evidence, Malformed> {
        self.members.read_all(json)?;
        Ok(normalize(&mut self.members, self.notes))
    }

    fn pass_over(&mut self, value: Value<'de>) {
        self.passed_over.push(value);
    }
}

fn normalize(members: &mut Members<'_>, notes: &mut Warnings) -> Evidence {
    let word = members.word("entityType", notes).unwrap_or_default();
    let kind = match snake_case(&word) {
        kind if kind.is_empty() => Text::of_static("unknown"),
        kind if kind == "mail_box" => Text::of_static("mailbox"),
        kind => kind,
    };
    let mut snake =
        |name: &'static str| members.word(name, notes).filter(|word| !word.is_empty()).map(|word| snake_case(&word));
    let verdict = snake("verdict");
    let remediation_status = snake("remediationStatus");
    let detection_status = snake("detectionStatus");
    let observed_at = members.moment(&["evidenceCreationTime"], notes);
    let detail = detail(&kind, members, notes);
    Evidence {
        kind,
        role: None,
        verdict,
        remediation_status,
        detection_status,
        observed_at,
        detail,
        extra: members.rest(notes),
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
        })),
        "user" => Detail::User(User {
            name: members.text(&["accountName"], notes),
            domain: members.text(&["domainName"], notes),
            upn: members.text(&["userPrincipalName"], notes),
            sid: members.text(&["userSid"], notes),
            aad_id: members.text(&["aadUserId"], notes),
        }),
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
        }),
        "mail_message" => Detail::Mail(Mail {
            sender: members.text(&["sender"], notes),
            recipient: members.text(&["recipient"], notes),
            subject: members.text(&["subject"], notes),
            delivery_action: members.text(&["deliveryAction"], notes),
        }),
        _ => Detail::Other {},
    }
}
