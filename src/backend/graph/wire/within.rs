//! Finds the entities inside an evidence item: accounts, files, addresses and devices in nested objects.
//!
//! They are recognized by their members rather than by the type of the item, so that entities in future types are found
//! as well. Nothing is removed: what is found here also stays complete in the item's `extra`.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence> and the pages of its types.

use super::evidence;
use crate::backend::wire::evidence::{account, file};
use crate::domain::alert::Device;
use crate::domain::evidence::{Detail, File, Mail, Mailbox, NestedEntities, User};
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;
use crate::lenient_json::members::Members;

/// The deepest nesting that is searched. No documented type has more than four levels.
const MAX_DEPTH: usize = 8;

/// Members that are not searched. The image of a process is not a separate file. Users who are logged on to a device, and
/// other uses of an account, belong to the device and the account.
const SKIPPED_MEMBERS: [&str; 4] = ["imageFile", "parentProcessImageFile", "loggedOnUsers", "resourceAccessEvents"];

/// Returns the entities in an item other than the item itself.
pub(super) fn nested(kind: &str, detail: &Detail, members: &Members<'_>) -> Option<Box<NestedEntities>> {
    let mut nested = NestedEntities::default();
    match detail {
        Detail::Process(_)
        | Detail::File(_)
        | Detail::User(_)
        | Detail::Ip(_)
        | Detail::Url(_)
        | Detail::Registry(_) => {
            return None;
        }
        // A device is in the devices of the alert, and its last addresses are not entities.
        Detail::Other {} if kind == "device" => return None,
        Detail::Mailbox(_) => nested.users.extend(members.peek_text("upn").map(user_by_upn)),
        Detail::Mail(_) => nested.urls = texts(members, "urls"),
        Detail::Other {} => {
            add_by_type(kind, members, &mut nested);
            add_object(members, &mut nested);
            search(members, 0, &mut nested);
        }
    }
    nested.unless_empty()
}

/// Reads a device from its evidence item.
pub(super) fn device(members: &Members<'_>) -> Device {
    Device {
        id: members.peek_text("mdeDeviceId"),
        name: members.peek_text("deviceDnsName").or_else(|| members.peek_text("hostName")),
        group: members.peek_text("rbacGroupName"),
    }
}

/// Adds the entities in members whose meaning depends on the type of the item.
fn add_by_type(kind: &str, members: &Members<'_>, nested: &mut NestedEntities) {
    let text = |name: &str| members.peek_text(name);
    match kind {
        "cloud_logon_session" | "iot_device" => nested.devices.extend(text("deviceName").map(device_by_name)),
        "dns" => nested.domains.extend(text("domainName")),
        "git_hub_user" => nested.users.extend(text("login").map(|name| User { name: Some(name), ..User::default() })),
        "mailbox_configuration" => {
            nested.users.extend(text("upn").map(user_by_upn));
            let (address, display_name) = (text("mailboxPrimaryAddress"), text("displayName"));
            nested.mailboxes.extend(address.map(|address| Mailbox {
                address: Some(address),
                display_name,
                user: None,
            }));
        }
        "network_connection" => {
            let address = |name| members.only(name).object(name, &mut Warnings::default())?.peek_text("ipAddress");
            (nested.source, nested.destination) = (address("sourceAddress"), address("destinationAddress"));
        }
        "submission_mail" => {
            nested.users.extend(text("submitter").map(user_by_upn));
            nested.mails.push(Mail {
                sender: text("sender"),
                recipient: text("recipient"),
                subject: text("subject"),
                network_message_id: text("networkMessageId"),
                ..Mail::default()
            });
        }
        "teams_message" => {
            let others = ["recipients", "suspiciousRecipients"].into_iter().flat_map(|name| texts(members, name));
            nested.users.extend(text("senderFromAddress").into_iter().chain(others).map(user_by_upn));
        }
        _ => {}
    }
}

/// Adds the entities in an object and in its nested objects.
fn search(members: &Members<'_>, depth: usize, nested: &mut NestedEntities) {
    let text = |name: &str| members.peek_text(name);
    nested.ips.extend(text("ipAddress").into_iter().chain(text("senderIp")).chain(text("senderIP")));
    nested.urls.extend(text("url").into_iter().chain(texts(members, "urls")));
    nested
        .files
        .extend(text("algorithm").zip(text("value")).and_then(|(algorithm, value)| file_by_hash(&algorithm, value)));
    if depth >= MAX_DEPTH {
        return;
    }
    for (name, objects) in members.nested_objects() {
        if SKIPPED_MEMBERS.contains(&name) {
            continue;
        }
        for mut object in objects {
            if object.has_object("imageFile") || object.peek_text("processId").is_some() {
                nested.processes.push(evidence::process_with_images(
                    &mut object,
                    &mut Vec::new(),
                    &mut Warnings::default(),
                ));
            }
            add_object(&object, nested);
            search(&object, depth + 1, nested);
        }
    }
}

/// Adds an object, if it is an account, a file or a device.
fn add_object(object: &Members<'_>, nested: &mut NestedEntities) {
    let user = account(|names| object.peek_any_text(names));
    let file = file(|names| object.peek_any_text(names));
    let is_file = [&file.name, &file.sha1, &file.sha256, &file.md5].into_iter().any(Option::is_some);
    let device = device(object);
    nested.users.extend(Some(user).filter(User::is_named));
    nested.files.extend(is_file.then_some(file));
    nested.devices.extend(Some(device).filter(|device| device.name.is_some()));
}

fn texts(members: &Members<'_>, name: &'static str) -> Vec<SharedStr> {
    members.only(name).texts(&[name], &mut Warnings::default())
}

fn device_by_name(name: SharedStr) -> Device {
    Device { name: Some(name), ..Device::default() }
}

fn user_by_upn(upn: SharedStr) -> User {
    User { upn: Some(upn), ..User::default() }
}

/// Returns a file with only a hash. The hash of a signature's content (`sha256ac`) is not the hash of the file.
fn file_by_hash(algorithm: &str, value: SharedStr) -> Option<File> {
    let value = Some(value);
    match algorithm.to_ascii_lowercase().as_str() {
        "md5" => Some(File { md5: value, ..File::default() }),
        "sha1" => Some(File { sha1: value, ..File::default() }),
        "sha256" => Some(File { sha256: value, ..File::default() }),
        _ => None,
    }
}
