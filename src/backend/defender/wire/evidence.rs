//! Evidence and entities: one flat object of about 35 members, of which each type uses some.
//!
//! Documented samples contain every member, with null where it does not apply. Live incidents omit these. Both are read.
//!
//! Source: <https://learn.microsoft.com/defender-endpoint/api/alerts>, <https://learn.microsoft.com/defender-xdr/api-list-incidents>.

use serde::de::MapAccess;

use crate::backend::wire::evidence::{account, common, detail, file, mail, process};
use crate::domain::evidence::{Detail, Evidence, Mail, Mailbox, NestedEntities, Parent, Process, User};
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::Json;
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;

/// Reads evidence items one after the other.
pub(super) struct EvidenceReader<'n, 'de> {
    pub(super) warnings: &'n mut Warnings,
    /// The members of the previous item; their buffer is reused.
    pub(super) members: Members<'de>,
}

impl<'de> ReadObject<'de> for EvidenceReader<'_, 'de> {
    type Item = Evidence;

    fn weight(evidence: &Evidence) -> usize {
        evidence.weight()
    }

    fn read<A: MapAccess<'de>>(&mut self, object: A, json: &Json<'de>) -> Result<Evidence, A::Error> {
        self.members.read_all(object, json)?;
        let (members, warnings) = (&mut self.members, &mut *self.warnings);
        let kind = match members.snake_word("entityType", warnings) {
            None => SharedStr::of_static("unknown"),
            Some(kind) if kind == "mail_box" => SharedStr::of_static("mailbox"),
            Some(kind) => kind,
        };
        let common = common(members, warnings);
        let detail = flat_detail(&kind, members, warnings);
        let nested = nested(&kind, members);
        Ok(Evidence { kind, detail, extra: members.rest(warnings), nested, ..common })
    }
}

/// Reads the entities in members that do not belong to the type of the item.
fn nested(kind: &str, members: &Members<'_>) -> Option<Box<NestedEntities>> {
    if members.is_empty() {
        return None;
    }
    let text = |name: &str| members.peek_text(name);
    let user = account(|names| members.peek_any_text(names));
    let file = file(|names| members.peek_any_text(names));
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

fn flat_detail(kind: &str, members: &mut Members<'_>, warnings: &mut Warnings) -> Detail {
    let owner = |members: &mut Members<'_>, warnings: &mut Warnings| {
        Some(account(|names| members.text(names, warnings))).filter(|user| *user != User::default()).map(Box::new)
    };
    match kind {
        "file" => Detail::File(file(|names| members.text(names, warnings))),
        "process" => {
            let process = process(members, warnings);
            Detail::Process(Box::new(Process {
                name: members.text(&["fileName"], warnings),
                path: members.text(&["filePath"], warnings),
                sha1: members.text(&["sha1"], warnings),
                sha256: members.text(&["sha256"], warnings),
                parent: Parent {
                    name: members.text(&["parentProcessFileName"], warnings),
                    path: members.text(&["parentProcessFilePath"], warnings),
                    ..process.parent
                },
                user: owner(members, warnings),
                ..process
            }))
        }
        "user" => Detail::User(account(|names| members.text(names, warnings))),
        "mailbox" => Detail::Mailbox(Mailbox {
            address: members.text(&["mailboxAddress"], warnings),
            display_name: members.text(&["mailboxDisplayName"], warnings),
            user: owner(members, warnings),
        }),
        // Not documented for this API; these are the names in Graph and in hunting.
        "mail_message" => {
            Detail::Mail(Box::new(Mail { sender: members.text(&["sender"], warnings), ..mail(members, warnings) }))
        }
        _ => detail(kind, members, warnings),
    }
}
