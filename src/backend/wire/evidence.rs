//! The members of evidence that both backends send alike, flat or in a nested object.

use crate::domain::evidence::{Address, Detail, Evidence, File, Ip, Mail, Parent, Process, Registry, User};
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;
use crate::lenient_json::members::Members;

/// Reads the members that items of all types have.
pub(in crate::backend) fn common(members: &mut Members<'_>, warnings: &mut Warnings) -> Evidence {
    Evidence {
        verdict: members.snake_word("verdict", warnings),
        remediation_status: members.snake_word("remediationStatus", warnings),
        detection_status: members.snake_word("detectionStatus", warnings),
        observed_at: members.timestamp(&["evidenceCreationTime", "createdDateTime"], warnings),
        ..Evidence::default()
    }
}

/// Reads the detail of the types that have the same members in both backends.
pub(in crate::backend) fn detail(kind: &str, members: &mut Members<'_>, warnings: &mut Warnings) -> Detail {
    match kind {
        "ip" => Detail::Ip(Ip { address: members.text(&["ipAddress"], warnings) }),
        "url" => Detail::Url(Address { url: members.text(&["url"], warnings) }),
        "registry" => Detail::Registry(Registry {
            hive: members.text(&["registryHive"], warnings),
            key: members.text(&["registryKey"], warnings),
            value_name: members.text(&["registryValueName"], warnings),
            value: members.text(&["registryValue"], warnings),
            value_type: members.text(&["registryValueType"], warnings),
        }),
        _ => Detail::Other {},
    }
}

/// Reads a file. `text` gets the text of the first member that has one of these names.
pub(in crate::backend) fn file(mut text: impl FnMut(&[&'static str]) -> Option<SharedStr>) -> File {
    File {
        name: text(&["fileName"]),
        path: text(&["filePath"]),
        sha1: text(&["sha1"]),
        sha256: text(&["sha256"]),
        md5: text(&["md5"]),
    }
}

/// Reads an account. `text` gets the text of the first member that has one of these names.
pub(in crate::backend) fn account(mut text: impl FnMut(&[&'static str]) -> Option<SharedStr>) -> User {
    User {
        name: text(&["accountName"]),
        domain: text(&["domainName"]),
        upn: text(&["userPrincipalName"]),
        sid: text(&["userSid"]),
        aad_id: text(&["aadUserId", "azureAdUserId"]),
    }
}

/// Reads a process without its image, the image of its parent, and its account.
pub(in crate::backend) fn process(members: &mut Members<'_>, warnings: &mut Warnings) -> Process {
    Process {
        pid: members.integer(&["processId"], warnings),
        command_line: members.text(&["processCommandLine"], warnings),
        created_at: members.timestamp(&["processCreationTime", "processCreationDateTime"], warnings),
        parent: Parent {
            pid: members.integer(&["parentProcessId"], warnings),
            created_at: members.timestamp(&["parentProcessCreationTime", "parentProcessCreationDateTime"], warnings),
            ..Parent::default()
        },
        ..Process::default()
    }
}

/// Reads a mail without its senders in Graph.
pub(in crate::backend) fn mail(members: &mut Members<'_>, warnings: &mut Warnings) -> Mail {
    Mail {
        recipient: members.text(&["recipient", "recipientEmailAddress"], warnings),
        subject: members.text(&["subject"], warnings),
        delivery_action: members.text(&["deliveryAction"], warnings),
        sender_ip: members.text(&["senderIP", "senderIp"], warnings),
        message_id: members.text(&["internetMessageId"], warnings),
        network_message_id: members.text(&["networkMessageId"], warnings),
        received_at: members.timestamp(&["receivedDateTime"], warnings),
        ..Mail::default()
    }
}
