//! The subjects that show the service at its best, one or more of each kind.

/// Something to ask the service about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// `alert`, `machine`, `user`, `file`, `incident`, `ip` or `domain`.
    pub kind: &'static str,
    /// What to ask for.
    pub value: &'static str,
    /// What there is to see, in a line.
    pub why: &'static str,
}

/// Credential theft on a workstation: evidence of every type that Defender for Endpoint has.
pub const ALERT: &str = "da639305048212385104_-1204837751";
/// The workstation that it happened on, by its name.
pub const MACHINE: &str = "desk-042.contoso.com";
/// Its owner, by the name that she signs in with. A namesake in another domain has an alert too.
pub const USER: &str = "dana.reyes@contoso.com";
/// The attacker's tool, by SHA-256.
pub const FILE: &str = "be247dc4ef5759515f205988b833a2db53d747c4f3c66f44d57d1aa9378e18b3";
/// The same tool, by SHA-1.
pub const FILE_SHA1: &str = "eb5c60a22f6c1b7ad57a8dbc621f302650c91e88";
/// A common file that Microsoft has signed, by SHA-1.
pub const SIGNED_FILE: &str = "dccc6bd29ea63c520818f9c7d34d58bb05651247";
/// An incident that was merged into another, and that into [`INCIDENT`].
pub const MERGED_INCIDENT: &str = "3098";
/// The whole intrusion: endpoints, mail, cloud and identity.
pub const INCIDENT: &str = "3107";
/// A closed false alarm.
pub const FALSE_ALARM: &str = "3085";
/// A device of which Defender holds two records under one name.
pub const REIMAGED_MACHINE: &str = "desk-017.contoso.com";
/// The address that the attacker's programs call home to. Two devices have talked to it.
pub const ADDRESS: &str = "198.51.100.140";
/// The name of that address.
pub const DOMAIN: &str = "relay.harbour-lights.example";
/// Somebody of another company, by the name that a guest signs in with.
pub const GUEST: &str = "jane_fabrikam.example#EXT#@contoso.onmicrosoft.com";
/// A phone, whose name is no DNS name.
pub const PHONE: &str = "Dana's iPad";
/// A device without alerts.
pub const QUIET_MACHINE: &str = "desk-099.contoso.com";

/// The best of each kind first, then what is worth a second look.
const SHOWCASE: &[Subject] = &[
    subject("alert", ALERT, "credential theft, with process, file, user, address, URL and registry evidence"),
    subject(
        "machine",
        MACHINE,
        "a device at risk, as context says, with six alerts; the name is resolved to a device id",
    ),
    subject("user", USER, "a sign-in name becomes an account name, which a namesake in another domain shares"),
    subject("file", FILE, "rare, and nobody has signed it; a SHA-256 becomes a SHA-1"),
    subject(
        "incident",
        MERGED_INCIDENT,
        "it was merged twice, and leads to the incident that tells the whole intrusion",
    ),
    subject("incident", FALSE_ALARM, "a false alarm, classified and closed"),
    subject("machine", REIMAGED_MACHINE, "it was re-imaged, and of its two records the active one is taken"),
    subject("ip", ADDRESS, "the address that the attacker's programs call home to: two devices have talked to it"),
    subject("domain", DOMAIN, "the name of that address"),
    subject("file", SIGNED_FILE, "PowerShell: Microsoft has signed it, and it is on every device"),
    subject("machine", PHONE, "a phone, named by its owner"),
];

const fn subject(kind: &'static str, value: &'static str, why: &'static str) -> Subject {
    Subject { kind, value, why }
}

/// The subjects to show, in the order of the demonstration.
pub const fn showcase() -> &'static [Subject] {
    SHOWCASE
}
