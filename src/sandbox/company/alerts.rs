//! What Defender for Endpoint has raised: the intrusion of 17 November 2026, and what an ordinary month brings.

use super::assets::{
    BACKUP, DANA, DESK_017, DESK_017_BEFORE, DESK_042, GUEST, HELPDESK_TOOL, INVOICE, IPAD, KIOSK, LAP_007, LAP_021,
    MIRA, NIKO, OMAR, OTHER_DANA, PC1, PC10, POWERSHELL, SERVICES, SRV_FILES, TEST_FILE, TOOL, WORD,
};
use super::evidence::{Entity, Evidence, Parent, Process};
use super::model::{Alert, AlertStatus, Classification, Comment, Determination, Severity};
use super::showcase;

const DOWNLOADS: &str = r"C:\Users\dana.reyes\Downloads";
const STAGING: &str = r"C:\ProgramData\SvcHelper";
const SYSTEM: &str = r"C:\Windows\System32";
const POWERSHELL_HOME: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0";
const OFFICE: &str = r"C:\Program Files\Microsoft Office\root\Office16";

const WORD_RUN: Parent =
    Parent { id: 9120, created: "2026-11-17T09:02:10.9004163Z", name: "WINWORD.EXE", folder: OFFICE };

const WORD_PROCESS: Process = Process {
    id: 9120,
    command_line: r#""WINWORD.EXE" /n "C:\Users\dana.reyes\Downloads\invoice-2026-1147.docm""#,
    created: "2026-11-17T09:02:10.9004163Z",
    sha1: WORD,
    folder: OFFICE,
    parent: Some(Parent { id: 5204, created: "2026-11-17T07:58:31.1Z", name: "explorer.exe", folder: r"C:\Windows" }),
    account: Some(DANA),
};

const SCRIPT_PROCESS: Process = Process {
    id: 11_348,
    command_line: r"powershell.exe -NoProfile -WindowStyle Hidden -File C:\Users\dana.reyes\AppData\Local\Temp\upd.ps1",
    created: "2026-11-17T09:02:44.9581596Z",
    sha1: POWERSHELL,
    folder: POWERSHELL_HOME,
    parent: Some(WORD_RUN),
    account: Some(DANA),
};

const TOOL_PROCESS: Process = Process {
    id: 12_076,
    command_line: r"C:\ProgramData\SvcHelper\svchelper.exe --collect --out C:\ProgramData\SvcHelper\cache.bin",
    created: "2026-11-17T09:31:02.7Z",
    sha1: TOOL,
    folder: STAGING,
    parent: Some(Parent {
        id: 11_348,
        created: "2026-11-17T09:02:44.9581596Z",
        name: "powershell.exe",
        folder: POWERSHELL_HOME,
    }),
    account: Some(DANA),
};

const SERVICE_PROCESS: Process = Process {
    id: 4460,
    command_line: r"\\srv-files-01\admin$\svchelper.exe --serve",
    created: "2026-11-17T10:12:55.052313Z",
    sha1: TOOL,
    folder: r"C:\Windows",
    parent: Some(Parent { id: 812, created: "2026-11-02T02:00:41Z", name: "services.exe", folder: SYSTEM }),
    account: Some(BACKUP),
};

/// Raised on Dana's workstation on the day, and part of the one incident.
const ON_DESK_042: Alert =
    Alert { incident: Some(3107), devices: &[DESK_042], user: Some(DANA), logged_on: &[DANA], ..Alert::BLANK };

/// Raised when devices called the attacker's relay, two days after the intrusion.
const TO_RELAY: Alert =
    Alert { incident: Some(3114), category: "CommandAndControl", techniques: &["T1071.001"], ..Alert::BLANK };

pub(super) const ALERTS: &[Alert] = &[
    Alert {
        id: showcase::ALERT,
        title: "Credentials read from the memory of LSASS",
        description: "A process opened the Local Security Authority Subsystem Service and read from its memory. Attackers do so to \
            take over the accounts of everyone who has signed in.\n\nThe process was started by a script that an Office document has left behind.",
        severity: Severity::High,
        status: AlertStatus::New,
        investigation: (Some(412), "PendingApproval"),
        detector: Some("e0d9d95a-5f4b-4a0a-abc9-d987e40ff8db"),
        category: "CredentialAccess",
        techniques: &["T1003.001", "T1059.001", "T1547.001"],
        threat: Some(("Grelmoor", "Trojan:Win32/Grelmoor.A")),
        created: "2026-11-17T09:33:41.2385104Z",
        activity: ("2026-11-17T09:31:02.7Z", "2026-11-17T09:31:48.0577322Z"),
        updated: "2026-11-17T10:40:12.6133333Z",
        comments: &[Comment {
            text: "Device isolated at 10:05 UTC. Omar's session was still open on it: reset his password too.",
            author: MIRA,
            at: "2026-11-17T10:07:37.8404534Z",
        }],
        logged_on: &[DANA, OMAR],
        evidence: &[
            Evidence::suspicious("2026-11-17T09:33:42.42Z", Entity::User(DANA)),
            Evidence::malicious("2026-11-17T09:33:42.42Z", Entity::Process(TOOL_PROCESS)).on(DESK_042),
            Evidence::suspicious("2026-11-17T09:33:42.6133333Z", Entity::Process(SCRIPT_PROCESS)).on(DESK_042),
            Evidence::malicious("2026-11-17T09:33:42.42Z", Entity::File { sha1: TOOL, folder: STAGING }).on(DESK_042),
            Evidence::malicious("2026-11-17T09:33:43Z", Entity::Ip(Some("203.0.113.45"))),
            Evidence::malicious("2026-11-17T09:33:43Z", Entity::Url("https://cdn.svc-updates.example/api/v2/ping")),
            Evidence::suspicious(
                "2026-11-17T09:33:43.7Z",
                Entity::Registry {
                    hive: "HKEY_CURRENT_USER",
                    key: r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
                    name: "SvcHelper",
                    value: r"C:\ProgramData\SvcHelper\svchelper.exe --quiet",
                },
            )
            .on(DESK_042),
        ],
        ..ON_DESK_042
    },
    Alert {
        id: "da639305030987220239_1364969609",
        title: "Office document started a script interpreter",
        description: "Microsoft Word started PowerShell with a hidden window. Documents from outside do so to run what they carry.",
        severity: Severity::Medium,
        status: AlertStatus::InProgress,
        investigation: (Some(411), "PartiallyRemediated"),
        assigned_to: Some(MIRA),
        detector: Some("ce06795e-6780-48de-8eef-4130d0796726"),
        category: "Execution",
        techniques: &["T1566.001", "T1204.002", "T1059.001"],
        created: "2026-11-17T09:04:58.7220239Z",
        activity: ("2026-11-17T09:02:10.9004163Z", "2026-11-17T09:02:44.9581596Z"),
        updated: "2026-11-17T10:09:59.2Z",
        evidence: &[
            Evidence::suspicious("2026-11-17T09:04:59.42Z", Entity::User(DANA)),
            Evidence::suspicious("2026-11-17T09:04:59.42Z", Entity::Process(WORD_PROCESS)).on(DESK_042),
            Evidence::malicious("2026-11-17T09:04:59.42Z", Entity::Process(SCRIPT_PROCESS)).on(DESK_042),
            Evidence::malicious("2026-11-17T09:05:00.036Z", Entity::File { sha1: INVOICE, folder: DOWNLOADS })
                .on(DESK_042),
        ],
        ..ON_DESK_042
    },
    Alert {
        id: "da639305031725000000_-880718168",
        title: "PowerShell downloaded an executable from an uncommon host",
        description: "PowerShell fetched a program from a host that no other device of the organisation has talked to.",
        severity: Severity::Medium,
        status: AlertStatus::New,
        investigation: (Some(411), "PartiallyRemediated"),
        category: "CommandAndControl",
        techniques: &["T1105", "T1071.001"],
        created: "2026-11-17T09:06:12.5Z",
        activity: ("2026-11-17T09:03:01Z", "2026-11-17T09:03:19.19Z"),
        updated: "2026-11-17T09:06:13Z",
        evidence: &[
            Evidence::malicious("2026-11-17T09:06:12.7Z", Entity::Process(SCRIPT_PROCESS)).on(DESK_042),
            Evidence::malicious("2026-11-17T09:06:12.7Z", Entity::File { sha1: TOOL, folder: STAGING }).on(DESK_042),
            Evidence::suspicious("2026-11-17T09:06:12.81Z", Entity::Ip(Some("198.51.100.77"))),
            Evidence::suspicious("2026-11-17T09:06:12.81Z", Entity::Ip(None)),
            Evidence::malicious(
                "2026-11-17T09:06:12.81Z",
                Entity::Url("https://files.contoso-invoices.example/s/svchelper.exe"),
            ),
        ],
        ..ON_DESK_042
    },
    Alert {
        id: "da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1",
        title: "Program registered to start at every sign-in",
        description: "A value under a Run key was set by a program that is not signed.",
        severity: Severity::Low,
        status: AlertStatus::InProgress,
        assigned_to: Some("Automation"),
        category: "Persistence",
        techniques: &["T1547.001"],
        created: "2026-11-17T09:09:31.05Z",
        activity: ("2026-11-17T09:04:27.3333333Z", "2026-11-17T09:04:27.3333333Z"),
        updated: "2026-11-17T09:20:00Z",
        evidence: &[Evidence::suspicious(
            "2026-11-17T09:09:31.2Z",
            Entity::Registry {
                hive: "HKEY_CURRENT_USER",
                key: r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
                name: "SvcHelper",
                value: r"C:\ProgramData\SvcHelper\svchelper.exe --quiet",
            },
        )
        .on(DESK_042)],
        ..ON_DESK_042
    },
    Alert {
        id: "da639305035200000000_73827727",
        title: "'Grelmoor' malware was prevented",
        description: "Malware can read, change or destroy data.\n\nMicrosoft Defender Antivirus has stopped this one, and removed it.",
        severity: Severity::Informational,
        status: AlertStatus::Resolved,
        classification: Some(Classification::TruePositive),
        determination: Some(Determination::Malware),
        investigation: (Some(413), "SuccessfullyRemediated"),
        assigned_to: Some("Automation"),
        detection_source: "WindowsDefenderAv",
        category: "Malware",
        threat: Some(("Grelmoor", "Trojan:Win32/Grelmoor.A")),
        created: "2026-11-17T09:12:00Z",
        activity: ("2026-11-17T09:11:40.2Z", "2026-11-17T09:11:40.2Z"),
        updated: "2026-11-17T09:25:02.19Z",
        resolved: Some("2026-11-17T09:25:02.1566667Z"),
        evidence: &[Evidence::malicious(
            "2026-11-17T09:12:00.3Z",
            Entity::File { sha1: TOOL, folder: r"C:\Users\dana.reyes\AppData\Local\Temp" },
        )
        .prevented()
        .on(DESK_042)],
        ..ON_DESK_042
    },
    Alert {
        id: "da639293943020000000_19",
        incident: Some(3061),
        title: "'Contoso_Test_File' malware was detected",
        description: "A file that exists to try out virus scanners was found.",
        severity: Severity::Low,
        status: AlertStatus::Resolved,
        classification: Some(Classification::InformationalExpectedActivity),
        determination: Some(Determination::SecurityTesting),
        investigation: (Some(388), "Benign"),
        assigned_to: Some(MIRA),
        detection_source: "WindowsDefenderAv",
        category: "Malware",
        threat: Some(("Contoso_Test_File", "Virus:DOS/Contoso_Test_File")),
        created: "2026-11-04T13:05:02Z",
        activity: ("2026-11-04T13:02:11Z", "2026-11-04T13:05:40Z"),
        updated: "2026-11-04T15:30:00Z",
        resolved: Some("2026-11-04T15:30:00Z"),
        comments: &[Comment { text: "Monthly drill of the service desk.", author: MIRA, at: "2026-11-04T15:29:48.5Z" }],
        evidence: &[Evidence::malicious(
            "2026-11-04T13:05:02.7Z",
            Entity::File { sha1: TEST_FILE, folder: r"C:\Drill" },
        )
        .prevented()
        .on(DESK_042)],
        ..ON_DESK_042
    },
    Alert {
        id: "da639305074870000000_551203498",
        incident: Some(3107),
        title: "Remote service created with stolen credentials",
        description: "A service account that only takes backups signed in from a workstation, copied a program to an administrative share and started it as a service.",
        severity: Severity::High,
        status: AlertStatus::InProgress,
        classification: Some(Classification::TruePositive),
        determination: Some(Determination::CompromisedUser),
        investigation: (Some(414), "Running"),
        assigned_to: Some(MIRA),
        detector: Some("e734edc1-8b63-48aa-97a4-a2d77ecc354c"),
        category: "LateralMovement",
        techniques: &["T1021.002", "T1078.002", "T1569.002"],
        threat: Some(("Grelmoor", "Trojan:Win32/Grelmoor.A")),
        created: "2026-11-17T10:18:07Z",
        activity: ("2026-11-17T10:12:31.5Z", "2026-11-17T10:20:31.5Z"),
        updated: "2026-11-17T11:02:18.7Z",
        devices: &[SRV_FILES, DESK_042],
        user: Some(BACKUP),
        logged_on: &[BACKUP],
        evidence: &[
            Evidence::malicious("2026-11-17T10:18:08.42Z", Entity::User(BACKUP)),
            Evidence::suspicious("2026-11-17T10:18:08.42Z", Entity::User(DANA)),
            Evidence::malicious("2026-11-17T10:18:08.42Z", Entity::Process(SERVICE_PROCESS)).on(SRV_FILES),
            Evidence::suspicious(
                "2026-11-17T10:18:08.42Z",
                Entity::Process(Process {
                    id: 812,
                    command_line: "services.exe",
                    created: "2026-11-02T02:00:41Z",
                    sha1: SERVICES,
                    folder: SYSTEM,
                    parent: None,
                    account: None,
                }),
            )
            .harmless()
            .on(SRV_FILES),
            Evidence::malicious("2026-11-17T10:18:08.42Z", Entity::File { sha1: TOOL, folder: r"C:\Windows" })
                .on(SRV_FILES),
            Evidence::suspicious("2026-11-17T10:18:09Z", Entity::Ip(Some("192.0.2.42"))),
        ],
        ..Alert::BLANK
    },
    Alert {
        id: "ar639305082600000000_88120417",
        incident: Some(3107),
        title: "Automated investigation waits for approval",
        description: "Automated investigation 414 proposes to quarantine a file on a server, and waits for somebody to agree.",
        severity: Severity::Informational,
        status: AlertStatus::New,
        investigation: (Some(414), "PendingApproval"),
        detection_source: "AutomatedInvestigation",
        created: "2026-11-17T10:31:00Z",
        activity: ("2026-11-17T10:18:10Z", "2026-11-17T10:30:41.7722Z"),
        updated: "2026-11-17T10:31:00Z",
        devices: &[SRV_FILES],
        evidence: &[Evidence::malicious("2026-11-17T10:31:00Z", Entity::File { sha1: TOOL, folder: r"C:\Windows" })
            .on(SRV_FILES)],
        ..Alert::BLANK
    },
    Alert {
        id: "da639305412000000000_-60217",
        incident: Some(3107),
        title: "Connection to a known phishing site",
        description: "A web page that imitates a sign-in form was opened on a phone.\u{200b}",
        severity: Severity::Low,
        status: AlertStatus::New,
        category: "InitialAccess",
        techniques: &["T1566.002"],
        created: "2026-11-17T19:40:00Z",
        activity: ("2026-11-17T19:38:12Z", "2026-11-17T19:38:12Z"),
        updated: "2026-11-17T19:40:01.036Z",
        devices: &[IPAD],
        user: Some(DANA),
        evidence: &[Evidence::malicious(
            "2026-11-17T19:40:00.5Z",
            Entity::Url("https://login.contoso-invoices.example/"),
        )
        .on(IPAD)],
        ..Alert::BLANK
    },
    Alert {
        id: "da639300756000000000_401775",
        incident: Some(3085),
        title: "Unwanted remote-control software",
        description: "A program that lets others see the screen and use the keyboard was installed.",
        severity: Severity::Medium,
        status: AlertStatus::Resolved,
        classification: Some(Classification::FalsePositive),
        determination: Some(Determination::Clean),
        investigation: (Some(399), "Benign"),
        assigned_to: Some(MIRA),
        detector: Some("8e4e582b-7ce4-4f6c-ba15-07751aa3580c"),
        category: "UnwantedSoftware",
        techniques: &["T1219"],
        created: "2026-11-12T10:20:00.1Z",
        activity: ("2026-11-12T10:14:50.5Z", "2026-11-12T10:16:22Z"),
        updated: "2026-11-12T14:45:30.87Z",
        resolved: Some("2026-11-12T14:45:30.8633333Z"),
        devices: &[DESK_017],
        user: Some(OMAR),
        logged_on: &[OMAR],
        comments: &[Comment {
            text: "Our own help-desk tool, signed last week with the new certificate.",
            author: MIRA,
            at: "2026-11-12T14:44:02Z",
        }],
        evidence: &[Evidence::suspicious(
            "2026-11-12T10:20:00.7Z",
            Entity::File { sha1: HELPDESK_TOOL, folder: r"C:\Program Files\Contoso" },
        )
        .harmless()
        .on(DESK_017)],
        ..Alert::BLANK
    },
    Alert {
        id: "da639270540030000000_-1",
        incident: Some(2990),
        title: "Sensor reports an event of unknown meaning",
        description: "An event was reported that has no description yet.",
        status: AlertStatus::Unknown,
        detection_source: "CustomerTI",
        category: "None",
        created: "2026-10-08T11:00:03Z",
        activity: ("2026-10-08T10:58:00Z", "2026-10-08T10:58:00Z"),
        updated: "2026-10-08T11:00:03Z",
        devices: &[DESK_017_BEFORE],
        ..Alert::BLANK
    },
    Alert {
        id: "da639298953000000000_330812",
        title: "Repeated failed sign-ins to a remote desktop",
        description: "Somebody tried one account with many passwords.",
        severity: Severity::Low,
        status: AlertStatus::New,
        category: "CredentialAccess",
        techniques: &["T1110.001"],
        created: "2026-11-10T08:15:00Z",
        activity: ("2026-11-10T07:51:09.2Z", "2026-11-10T08:12:58Z"),
        updated: "2026-11-10T08:15:00.3Z",
        devices: &[LAP_007],
        user: Some(OTHER_DANA),
        logged_on: &[OTHER_DANA],
        evidence: &[
            Evidence::suspicious("2026-11-10T08:15:00.9Z", Entity::User(OTHER_DANA)),
            Evidence::suspicious("2026-11-10T08:15:00.9Z", Entity::Ip(Some("198.51.100.23"))),
        ],
        ..Alert::BLANK
    },
    Alert {
        id: "da639306412210000000_140",
        title: "Connection to a command-and-control address",
        description: "A program called an address that attackers are known to control their tools from.",
        severity: Severity::Medium,
        status: AlertStatus::New,
        detector: Some("2b1d7c9e-06f4-4a58-9a3d-e85f0c71b264"),
        created: "2026-11-18T23:20:21Z",
        activity: ("2026-11-18T23:14:02.5Z", "2026-11-18T23:19:40Z"),
        updated: "2026-11-18T23:20:22.1Z",
        devices: &[LAP_021],
        user: Some(NIKO),
        logged_on: &[NIKO],
        evidence: &[
            Evidence::suspicious("2026-11-18T23:20:21.4Z", Entity::User(NIKO)),
            Evidence::malicious("2026-11-18T23:20:21.4Z", Entity::Ip(Some(showcase::ADDRESS))),
            Evidence::malicious("2026-11-18T23:20:21.4Z", Entity::Url("https://relay.harbour-lights.example/gate")),
        ],
        ..TO_RELAY
    },
    Alert {
        id: "da639306448900000000_-2214",
        title: "Command-and-control traffic was blocked",
        description: "Network protection has blocked a connection to a host that attackers are known to control their tools from.",
        severity: Severity::Low,
        status: AlertStatus::Resolved,
        classification: Some(Classification::TruePositive),
        determination: Some(Determination::Malware),
        assigned_to: Some(MIRA),
        created: "2026-11-19T00:21:30Z",
        activity: ("2026-11-19T00:21:01.25Z", "2026-11-19T00:21:01.25Z"),
        updated: "2026-11-19T08:05:00Z",
        resolved: Some("2026-11-19T08:05:00Z"),
        devices: &[PC10],
        user: Some(GUEST),
        evidence: &[
            Evidence::suspicious("2026-11-19T00:21:30.3Z", Entity::User(GUEST)),
            Evidence::malicious("2026-11-19T00:21:30.3Z", Entity::Ip(Some(showcase::ADDRESS))).prevented(),
            Evidence::malicious(
                "2026-11-19T00:21:30.3Z",
                Entity::Url("https://cdn.relay.harbour-lights.example/update"),
            )
            .prevented(),
        ],
        ..TO_RELAY
    },
    Alert {
        id: "da639303120000000000_11",
        title: "Local account added to a group of administrators",
        description: "An account that exists on this device alone was given the rights of an administrator.",
        severity: Severity::Low,
        status: AlertStatus::New,
        category: "PrivilegeEscalation",
        techniques: &["T1098.007"],
        created: "2026-11-15T03:40:00Z",
        activity: ("2026-11-15T03:38:17Z", "2026-11-15T03:38:17Z"),
        updated: "2026-11-15T03:40:00Z",
        devices: &[PC1],
        user: Some(KIOSK),
        logged_on: &[KIOSK],
        evidence: &[
            Evidence::suspicious("2026-11-15T03:40:00.5Z", Entity::User(KIOSK)),
            // The relay's name, in an address of another host.
            Evidence::suspicious(
                "2026-11-15T03:40:00.5Z",
                Entity::Url("https://search.example/?q=relay.harbour-lights.example"),
            )
            .harmless(),
        ],
        ..Alert::BLANK
    },
];
