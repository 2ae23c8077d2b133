//! Contoso's people, their devices, and the files that were seen there.
//!
//! Names are under the domains that documentation may use, addresses from RFC 5737; hashes and ids belong to nothing.

use super::model::{Account, Device, File, Health, User};

pub(super) const DESK_042: &str = "362ded5edf49a09eff1a4645db892f3af1c2e2cd";
pub(super) const SRV_FILES: &str = "a9919db6216ab940397a5e80f937fd1f45a05cec";
pub(super) const DESK_017_BEFORE: &str = "58cc65a021ae75d859bbca5870c5d0eab728b1c3";
pub(super) const DESK_017: &str = "afcd787ac138d17c2cd036e5c010bbdc097faf0d";
pub(super) const IPAD: &str = "01b9f82f88477369b2ca96e36add0b8e8caf06c3";
const DESK_099: &str = "47d23cf8636c1d8ff98b08161d18800091d93543";
pub(super) const LAP_007: &str = "3df8a016c3b403de367139e08201a8dba2fcaedc";

const LAP_021_FIRST: &str = "6b0c1f7e2ad94a35c8e14f90b7d2361e5a8f0c47";
const LAP_021_SECOND: &str = "0f4d27c9e1b86a53d09f72e4c6a81b35f7d20e98";
pub(super) const LAP_021: &str = "d3a915e07c4b82f6193e5d8a70bc46f2e91d057a";
pub(super) const PC1: &str = "7e21c8d05fa93b6417e0d4c2a98f35b1d6c07e42";
pub(super) const PC10: &str = "91f6b3a8e74d20c5b8e1079f4a6d3c2285e0b9d1";

pub(super) const DANA: Account = Account { name: "dana.reyes", domain: Some("CONTOSO") };
pub(super) const OTHER_DANA: Account = Account { name: "dana.reyes", domain: Some("FABRIKAM") };
pub(super) const OMAR: Account = Account { name: "omar.haddad", domain: Some("CONTOSO") };
pub(super) const BACKUP: Account = Account { name: "svc-backup", domain: Some("CONTOSO") };
pub(super) const NIKO: Account = Account { name: "niko.berg", domain: Some("CONTOSO") };
/// An account of one device alone.
pub(super) const KIOSK: Account = Account { name: "kiosk", domain: None };
/// Somebody of another company, whom Contoso has invited.
pub(super) const GUEST: Account = Account { name: "jane_fabrikam.example#EXT#", domain: Some("AzureAD") };

/// The analyst on duty.
pub(super) const MIRA: &str = "mira.lindqvist@contoso.com";

pub(super) const INVOICE: &str = "17e2887b3531c614c05d39b94e8a794057f06c36";
pub(super) const TOOL: &str = super::showcase::FILE_SHA1;
pub(super) const POWERSHELL: &str = "dccc6bd29ea63c520818f9c7d34d58bb05651247";
pub(super) const WORD: &str = "8cca1f4a8c438cd1308586b69fd435eedff3d1fb";
pub(super) const SERVICES: &str = "c06a934972dc8085ab7bd8f3d234dde880866ed1";
pub(super) const HELPDESK_TOOL: &str = "1e41914b624330c2d726887eceb46e928a2b912e";
pub(super) const TEST_FILE: &str = "7d1ff47d5eb1fa2f4128479d8539ef6764e24808";

/// A Windows workstation of which everything is known.
const WORKSTATION: Device = Device {
    id: "",
    name: "",
    directory_id: None,
    platform: "Windows11",
    version: "24H2",
    build: Some(26100),
    first_seen: "2026-01-12T07:55:03.7791856Z",
    last_seen: "2026-11-18T06:12:44.052313Z",
    address: "192.0.2.1",
    external_address: "203.0.113.10",
    health: Health::Active,
    group: Some((7, "Workstations")),
    risk: Some("None"),
    exposure: "Low",
    tags: &[],
    duplicate: false,
};

pub(super) const DEVICES: &[Device] = &[
    Device {
        id: DESK_042,
        name: "desk-042.contoso.com",
        directory_id: Some("c995191e-ab0d-41ff-95fd-921e07823508"),
        address: "192.0.2.42",
        risk: Some("High"),
        exposure: "Medium",
        tags: &["Finance"],
        ..WORKSTATION
    },
    Device {
        id: SRV_FILES,
        name: "srv-files-01.contoso.com",
        directory_id: Some("f151c141-98e1-407a-b93b-a3471f2a3b2a"),
        platform: "WindowsServer2022",
        version: "21H2",
        build: Some(20348),
        first_seen: "2024-03-05T10:00:00Z",
        last_seen: "2026-11-18T05:48:01.19Z",
        address: "192.0.2.130",
        group: Some((3, "Servers")),
        risk: Some("High"),
        tags: &["Crown jewels", "Backup target"],
        ..WORKSTATION
    },
    Device {
        id: DESK_017_BEFORE,
        name: "desk-017.contoso.com",
        directory_id: Some("6c595315-b695-4559-bcb7-394b6a2f33b4"),
        platform: "Windows10",
        version: "22H2",
        build: Some(19045),
        first_seen: "2023-08-21T12:30:11.036Z",
        last_seen: "2026-10-09T15:21:57.6133333Z",
        address: "192.0.2.17",
        health: Health::Inactive,
        risk: Some("Medium"),
        duplicate: true,
        ..WORKSTATION
    },
    Device {
        id: DESK_017,
        name: "desk-017.contoso.com",
        directory_id: Some("d5e29154-ea3d-482d-bc89-fa236e8cb9d2"),
        first_seen: "2026-10-12T08:02:19.2Z",
        last_seen: "2026-11-18T07:01:33Z",
        address: "192.0.2.17",
        ..WORKSTATION
    },
    Device {
        id: IPAD,
        name: super::showcase::PHONE,
        platform: "iOS",
        version: "26.1",
        build: None,
        first_seen: "2026-02-02T18:40:00Z",
        last_seen: "2026-11-17T20:15:09.5Z",
        address: "192.0.2.201",
        external_address: "198.51.100.201",
        group: None,
        risk: Some("Low"),
        exposure: "None",
        ..WORKSTATION
    },
    Device {
        id: DESK_099,
        name: super::showcase::QUIET_MACHINE,
        directory_id: Some("98c73a7c-7107-432d-bf78-52321db55914"),
        address: "192.0.2.99",
        risk: None,
        ..WORKSTATION
    },
    Device {
        id: LAP_007,
        name: "lap-007.fabrikam.example",
        directory_id: Some("1477d288-aa02-4a57-bcc5-863f2f370262"),
        last_seen: "2026-11-17T16:30:00.7Z",
        address: "192.0.2.77",
        group: Some((12, "Fabrikam")),
        risk: Some("Low"),
        ..WORKSTATION
    },
    // Imaged three times: more records than come on one page, and the one in use is on the second.
    Device {
        id: LAP_021_FIRST,
        name: LAP_021_NAME,
        directory_id: Some("0c2f53d1-6f0e-4c0b-9a51-7be0d1c9b7a2"),
        first_seen: "2024-05-06T08:11:27Z",
        last_seen: "2025-03-14T16:02:40.5Z",
        address: "192.0.2.121",
        health: Health::Inactive,
        duplicate: true,
        ..WORKSTATION
    },
    Device {
        id: LAP_021_SECOND,
        name: LAP_021_NAME,
        directory_id: Some("7f0b8f39-1d0c-43e2-8f4e-0a5b6f3c2d18"),
        first_seen: "2025-03-17T09:20:05.1Z",
        last_seen: "2026-09-30T17:44:12Z",
        address: "192.0.2.121",
        health: Health::Inactive,
        duplicate: true,
        ..WORKSTATION
    },
    Device {
        id: LAP_021,
        name: LAP_021_NAME,
        directory_id: Some("3e9a64c7-52d8-4b1f-8c06-d41f7e05b9c3"),
        first_seen: "2026-10-01T07:31:50Z",
        last_seen: "2026-11-19T15:30:22.8Z",
        address: "192.0.2.121",
        risk: Some("Medium"),
        ..WORKSTATION
    },
    // In no domain, so that its name has none.
    Device { id: PC1, name: "pc1", address: "192.0.2.101", group: None, risk: Some("Low"), ..WORKSTATION },
    Device {
        id: PC10,
        name: "pc10.contoso.com",
        directory_id: Some("b8d40a5e-7c31-4f96-a2e8-15c0d97f6b34"),
        address: "192.0.2.110",
        risk: Some("Medium"),
        ..WORKSTATION
    },
];

const LAP_021_NAME: &str = "lap-021.contoso.com";

pub(super) const USERS: &[User] = &[
    User {
        account: DANA,
        display_name: "Dana Reyes",
        principal_name: Some(super::showcase::USER),
        sid: "S-1-5-21-1004336348-1177238915-682003330-1142",
        directory_id: Some("26afbd60-399f-4da2-9d98-a07b7838c45f"),
    },
    User {
        account: OTHER_DANA,
        display_name: "Dana Reyes",
        principal_name: Some("dana.reyes@fabrikam.example"),
        sid: "S-1-5-21-2127521184-1604012920-1887927527-2207",
        directory_id: Some("552d0132-b059-46ec-8fb3-1f1f88d8a310"),
    },
    User {
        account: OMAR,
        display_name: "Omar Haddad",
        principal_name: Some("omar.haddad@contoso.com"),
        sid: "S-1-5-21-1004336348-1177238915-682003330-1017",
        directory_id: Some("2c0abff5-38f5-435b-9b25-047882830c73"),
    },
    User {
        account: BACKUP,
        display_name: "Backup service",
        principal_name: None,
        sid: "S-1-5-21-1004336348-1177238915-682003330-1606",
        directory_id: None,
    },
    User {
        account: NIKO,
        display_name: "Niko Berg",
        principal_name: Some("niko.berg@contoso.com"),
        sid: "S-1-5-21-1004336348-1177238915-682003330-1233",
        directory_id: Some("94f1c6a0-3b7d-4e52-8d19-c0e5a2f7b681"),
    },
    User {
        account: KIOSK,
        display_name: "Kiosk",
        principal_name: None,
        sid: "S-1-5-21-3623811015-3361044348-30300820-1001",
        directory_id: None,
    },
    User {
        account: GUEST,
        display_name: "Jane Holt (Fabrikam)",
        principal_name: Some(super::showcase::GUEST),
        sid: "S-1-12-1-2710634481-1204876253-3187641225-905713402",
        directory_id: Some("a19143f1-d3dd-47d0-8933-ffbdfa0ffc35"),
    },
];

/// A program of the operating system.
const SYSTEM_FILE: File = File {
    sha1: "",
    sha256: "",
    md5: "",
    name: "",
    size: 454_656,
    signer: Some("Microsoft Windows"),
    determination: "Clean",
    threat: None,
    prevalence: 48_211_904,
    first_observed: "2024-10-01T16:20:12.6785431Z",
    last_observed: "2026-11-18T06:00:00Z",
};

pub(super) const FILES: &[File] = &[
    File {
        sha1: INVOICE,
        sha256: "b496ffa6b6a9145b2d9707072725b2eba3312f862720bbb1fe2b71144fb55d06",
        md5: "512428cf81255c62afed463dab7eb8e9",
        name: "invoice-2026-1147.docm",
        size: 88_341,
        signer: None,
        determination: "Malware",
        threat: Some("TrojanDownloader:O97M/Grelmoor.A"),
        prevalence: 41,
        first_observed: "2026-11-16T22:10:40.19Z",
        last_observed: "2026-11-17T13:31:02Z",
    },
    File {
        sha1: TOOL,
        sha256: super::showcase::FILE,
        md5: "6eb572d7b703240203a3c662cb09458f",
        name: "svchelper.exe",
        size: 1_204_224,
        signer: None,
        determination: "Malware",
        threat: Some("Trojan:Win32/Grelmoor.A"),
        prevalence: 12,
        first_observed: "2026-11-15T03:44:09.3229314Z",
        last_observed: "2026-11-17T10:20:31.5Z",
    },
    File {
        sha1: POWERSHELL,
        sha256: "343e71ac3d54f59145821b6f770b3ccd01de3d0eb6d6a8fa0bbd903c14c2bb47",
        md5: "ce6031e454e40f24a35a98d14a16426f",
        name: "powershell.exe",
        ..SYSTEM_FILE
    },
    File {
        sha1: WORD,
        sha256: "c46f33f789f04dccad4ceaf988ce989e3088ba6cfc44f34b660054642a8760a9",
        md5: "3f490c936da63bf54f92bdeea22cf71d",
        name: "WINWORD.EXE",
        size: 1_630_744,
        signer: Some("Microsoft Corporation"),
        ..SYSTEM_FILE
    },
    File {
        sha1: SERVICES,
        sha256: "22cdb8405781ca6e8f542981096a6070d5803ed4c728687b3fa945964ac7c485",
        md5: "111f2c0d91c01d233ebab5bac1c954ed",
        name: "services.exe",
        size: 741_944,
        ..SYSTEM_FILE
    },
    File {
        sha1: HELPDESK_TOOL,
        sha256: "0b1cfc8ff4e87d50e800162e0c71e926c3f5a35998651710b1d39c53ea9c2ba9",
        md5: "ee7344a475b0c2fffc9f824577ad1da1",
        name: "contoso-helpdesk.exe",
        size: 6_815_744,
        signer: Some("Contoso Ltd."),
        determination: "Unknown",
        threat: None,
        prevalence: 310,
        first_observed: "2026-11-09T09:12:00.4Z",
        last_observed: "2026-11-18T07:02:15.87Z",
    },
    File {
        sha1: TEST_FILE,
        sha256: "61a96e4bd36283e3e0a9f1cab02a426939d8f22bb58ab09026e3fd6adba3004d",
        md5: "60bd512124cdc61db8658a26c86838e7",
        name: "av-test.txt",
        size: 68,
        signer: None,
        determination: "Malware",
        threat: Some("Virus:DOS/Contoso_Test_File"),
        prevalence: 2,
        first_observed: "2026-11-04T13:02:11Z",
        last_observed: "2026-11-04T13:05:40Z",
    },
];
