//! What an alert rests on: things in the world, and what was found about them.

use super::model::Account;

/// Something that an alert rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Evidence {
    /// When it was noticed.
    pub observed: &'static str,
    /// `Malicious`, `Suspicious`, `NoThreatsFound`, `Unknown`.
    pub verdict: &'static str,
    /// `None`, `Remediated`, `Prevented`, `Blocked`, `NotFound`, `Active`.
    pub remediation: &'static str,
    /// `Detected` or `Prevented`, where the product says.
    pub detection: Option<&'static str>,
    /// The id of the device that it was on.
    pub device: Option<&'static str>,
    /// What it is.
    pub entity: Entity,
}

impl Evidence {
    /// Something suspicious that nothing has been done about.
    pub const fn suspicious(observed: &'static str, entity: Entity) -> Self {
        Self { observed, verdict: "Suspicious", remediation: "None", detection: None, device: None, entity }
    }

    /// Something malicious that a sensor has detected.
    pub const fn malicious(observed: &'static str, entity: Entity) -> Self {
        Self {
            verdict: "Malicious",
            remediation: "Active",
            detection: Some("Detected"),
            ..Self::suspicious(observed, entity)
        }
    }

    /// The same, dealt with.
    pub const fn prevented(self) -> Self {
        Self { remediation: "Prevented", detection: Some("Prevented"), ..self }
    }

    /// The same, found harmless.
    pub const fn harmless(self) -> Self {
        Self { verdict: "NoThreatsFound", remediation: "None", ..self }
    }

    /// The same, on a device.
    pub const fn on(self, device: &'static str) -> Self {
        Self { device: Some(device), ..self }
    }
}

/// A thing in the world that evidence points at. Users and files are named by what finds the full record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// A user.
    User(Account),
    /// A process.
    Process(Process),
    /// A file by its SHA-1, and the folder that it lies in.
    File {
        /// 40 hex digits.
        sha1: &'static str,
        /// Without the file's name.
        folder: &'static str,
    },
    /// An address; rarely, Defender knows that there was one but not which.
    Ip(Option<&'static str>),
    /// A URL.
    Url(&'static str),
    /// A value in the Windows registry.
    Registry {
        /// Such as `HKEY_CURRENT_USER`.
        hive: &'static str,
        /// Without the hive.
        key: &'static str,
        /// The value's name.
        name: &'static str,
        /// The value.
        value: &'static str,
    },
    /// A user's mailbox.
    Mailbox(Account),
    /// A message.
    Mail {
        /// An address.
        sender: &'static str,
        /// An address.
        recipient: &'static str,
        /// Its subject.
        subject: &'static str,
        /// `Delivered`, `Blocked`, `DeliveredAsSpam`, …
        delivery: &'static str,
    },
    /// Messages that resemble each other, and what they have in common.
    MailCluster(&'static str),
    /// An application in the cloud.
    CloudApplication {
        /// Its number in the catalogue.
        id: u32,
        /// Its name.
        name: &'static str,
    },
}

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// How it was started.
    pub command_line: &'static str,
    /// When it was started.
    pub created: &'static str,
    /// The SHA-1 of its image.
    pub sha1: &'static str,
    /// The folder of its image.
    pub folder: &'static str,
    /// What started it.
    pub parent: Option<Parent>,
    /// Whom it runs as.
    pub account: Option<Account>,
}

/// The process that started another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Its number.
    pub id: u32,
    /// When it was started.
    pub created: &'static str,
    /// The name of its image.
    pub name: &'static str,
    /// The folder of its image.
    pub folder: &'static str,
}
