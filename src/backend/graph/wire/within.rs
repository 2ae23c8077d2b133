//! What an item of evidence names within itself: accounts, files, addresses, devices, in objects nested in objects.
//!
//! They are recognized by their members rather than by the type of the item, so that those of types to come are found
//! as well. Nothing is taken out: what is found here stays whole in the item's `extra`.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence> and the pages of its types.

use super::evidence;
use crate::domain::alert::Device;
use crate::domain::evidence::{Detail, File, Mail, Mailbox, Named, User};
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;
use crate::lenient_json::members::Members;

/// Objects nested deeper than this are not looked into: no documented type nests more than four.
const MAX_DEPTH: usize = 8;

/// Members that are not looked into: the image of a process is no file of its own, and who is logged on to a device or
/// used an account elsewhere is told of the device and the account.
const PASSED_OVER: [&str; 4] = ["imageFile", "parentProcessImageFile", "loggedOnUsers", "resourceAccessEvents"];

/// What an item names beside what it is.
pub(super) fn named(kind: &str, detail: &Detail, members: &Members<'_>) -> Option<Box<Named>> {
    let mut named = Named::default();
    match detail {
        Detail::Process(_)
        | Detail::File(_)
        | Detail::User(_)
        | Detail::Ip(_)
        | Detail::Url(_)
        | Detail::Registry(_) => {
            return None;
        }
        // A device stands among the devices of the alert, and its last addresses are none of their own.
        Detail::Other {} if kind == "device" => return None,
        Detail::Mailbox(_) => named.users.extend(members.peek_text("upn").map(of_upn)),
        Detail::Mail(_) => named.urls = texts(members, "urls"),
        Detail::Other {} => {
            of_kind(kind, members, &mut named);
            note(members, &mut named);
            look_into(members, 0, &mut named);
        }
    }
    named.unless_empty()
}

/// A device by its evidence.
pub(super) fn device(members: &Members<'_>) -> Device {
    Device {
        id: members.peek_text("mdeDeviceId"),
        name: members.peek_text("deviceDnsName").or_else(|| members.peek_text("hostName")),
        group: members.peek_text("rbacGroupName"),
    }
}

/// What only the type of the item tells the meaning of.
fn of_kind(kind: &str, members: &Members<'_>, named: &mut Named) {
    let text = |name: &str| members.peek_text(name);
    match kind {
        "cloud_logon_session" | "iot_device" => named.devices.extend(text("deviceName").map(of_name)),
        "dns" => named.domains.extend(text("domainName")),
        "git_hub_user" => named.users.extend(text("login").map(|name| User { name: Some(name), ..User::default() })),
        "mailbox_configuration" => {
            named.users.extend(text("upn").map(of_upn));
            let (address, display_name) = (text("mailboxPrimaryAddress"), text("displayName"));
            named.mailboxes.extend(address.map(|address| Mailbox { address: Some(address), display_name, user: None }));
        }
        "network_connection" => {
            let address = |name| members.only(name).object(name, &mut Warnings::default())?.peek_text("ipAddress");
            (named.source, named.destination) = (address("sourceAddress"), address("destinationAddress"));
        }
        "submission_mail" => {
            named.users.extend(text("submitter").map(of_upn));
            named.mails.push(Mail {
                sender: text("sender"),
                recipient: text("recipient"),
                subject: text("subject"),
                network_message_id: text("networkMessageId"),
                ..Mail::default()
            });
        }
        "teams_message" => {
            let others = ["recipients", "suspiciousRecipients"].into_iter().flat_map(|name| texts(members, name));
            named.users.extend(text("senderFromAddress").into_iter().chain(others).map(of_upn));
        }
        _ => {}
    }
}

/// Notes what an object is, and what the objects within it are.
fn look_into(members: &Members<'_>, depth: usize, named: &mut Named) {
    let text = |name: &str| members.peek_text(name);
    named.ips.extend(text("ipAddress").into_iter().chain(text("senderIp")).chain(text("senderIP")));
    named.urls.extend(text("url").into_iter().chain(texts(members, "urls")));
    named.files.extend(text("algorithm").zip(text("value")).and_then(|(algorithm, value)| of_hash(&algorithm, value)));
    if depth >= MAX_DEPTH {
        return;
    }
    for (name, objects) in members.nested_objects() {
        if PASSED_OVER.contains(&name) {
            continue;
        }
        for mut object in objects {
            if object.has_object("imageFile") || object.peek_text("processId").is_some() {
                named.processes.push(evidence::process(&mut object, &mut Vec::new(), &mut Warnings::default()));
            }
            note(&object, named);
            look_into(&object, depth + 1, named);
        }
    }
}

/// Notes an object, if it is an account, a file or a device.
fn note(object: &Members<'_>, named: &mut Named) {
    let text = |name: &str| object.peek_text(name);
    let user = User {
        name: text("accountName"),
        domain: text("domainName"),
        upn: text("userPrincipalName"),
        sid: text("userSid"),
        aad_id: text("azureAdUserId"),
    };
    let file = File {
        name: text("fileName"),
        path: text("filePath"),
        sha1: text("sha1"),
        sha256: text("sha256"),
        md5: text("md5"),
    };
    let is_file = [&file.name, &file.sha1, &file.sha256, &file.md5].into_iter().any(Option::is_some);
    let device = device(object);
    named.users.extend(Some(user).filter(User::is_named));
    named.files.extend(is_file.then_some(file));
    named.devices.extend(Some(device).filter(|device| device.name.is_some()));
}

fn texts(members: &Members<'_>, name: &'static str) -> Vec<SharedStr> {
    members.only(name).texts(&[name], &mut Warnings::default())
}

fn of_name(name: SharedStr) -> Device {
    Device { name: Some(name), ..Device::default() }
}

fn of_upn(upn: SharedStr) -> User {
    User { upn: Some(upn), ..User::default() }
}

/// A file of which only a hash is told; that of a signature's content (`sha256ac`) is none of the file's.
fn of_hash(algorithm: &str, value: SharedStr) -> Option<File> {
    let value = Some(value);
    match algorithm.to_ascii_lowercase().as_str() {
        "md5" => Some(File { md5: value, ..File::default() }),
        "sha1" => Some(File { sha1: value, ..File::default() }),
        "sha256" => Some(File { sha256: value, ..File::default() }),
        _ => None,
    }
}
