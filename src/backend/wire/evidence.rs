//! The members of evidence that both backends send alike, flat or in a nested object.

use crate::domain::evidence::{Address, Detail, Evidence, File, Ip, Mail, Parent, Process, Registry, User};
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

/// Reads a file.
pub(in crate::backend) fn file(members: &mut Members<'_>, warnings: &mut Warnings) -> File {
    File {
        name: members.text(&["fileName"], warnings),
        path: members.text(&["filePath"], warnings),
        sha1: members.text(&["sha1"], warnings),
        sha256: members.text(&["sha256"], warnings),
        md5: members.text(&["md5"], warnings),
    }
}

/// Reads an account.
pub(in crate::backend) fn account(members: &mut Members<'_>, warnings: &mut Warnings) -> User {
    User {
        name: members.text(&["accountName"], warnings),
        domain: members.text(&["domainName"], warnings),
        upn: members.text(&["userPrincipalName"], warnings),
        sid: members.text(&["userSid"], warnings),
        aad_id: members.text(&["aadUserId", "azureAdUserId"], warnings),
    }
}

/// Reads the account and the file in members that belong to no entity. Nothing is taken out.
pub(in crate::backend) fn account_and_file(members: &Members<'_>) -> (User, File) {
    let (members, warnings) = (&mut members.clone(), &mut Warnings::default());
    (account(members, warnings), file(members, warnings))
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
