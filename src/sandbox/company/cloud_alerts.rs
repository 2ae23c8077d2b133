//! What the other products have raised about the same intrusion: mail, cloud applications, identity.
//! The Endpoint API does not serve these; they are seen inside their incident.

use super::assets::DANA;
use super::evidence::{Entity, Evidence};
use super::model::{Alert, AlertStatus, Classification, Determination, Product, Severity};

/// What a rule of Defender for Office 365 has raised about a mail.
const MAIL: Alert = Alert {
    incident: Some(3107),
    product: Product::Office,
    detection_source: "OfficeATP",
    category: "InitialAccess",
    techniques: &["T1566.002"],
    assigned_to: Some("Automation"),
    user: Some(DANA),
    ..Alert::BLANK
};

pub(super) const ALERTS: &[Alert] = &[
    Alert {
        id: "fafcdf7234-b71e-41fc-9ca3-e5a434606d8a",
        title: "Mail with a malicious link removed after delivery",
        description: "Messages that hold a link which was found malicious after they had been delivered were taken out of their mailboxes. -V1.0.0.3",
        severity: Severity::Informational,
        status: AlertStatus::Resolved,
        classification: Some(Classification::TruePositive),
        determination: Some(Determination::Phishing),
        investigation: (Some(409), "SuccessfullyRemediated"),
        created: "2026-11-17T09:20:54.3716642Z",
        activity: ("2026-11-17T08:41:00Z", "2026-11-17T09:18:00Z"),
        updated: "2026-11-17T10:37:40.88Z",
        resolved: Some("2026-11-17T10:37:40.85Z"),
        evidence: &[
            Evidence::suspicious("2026-11-17T09:20:55.5Z", Entity::Mailbox(DANA)),
            Evidence {
                remediation: "Remediated",
                ..Evidence::malicious(
                    "2026-11-17T09:20:55.5Z",
                    Entity::Mail {
                        sender: "billing@contoso-invoices.example",
                        recipient: "dana.reyes@contoso.com",
                        subject: "[EXTERNAL] Overdue: invoice 2026-1147",
                        delivery: "Delivered",
                    },
                )
            },
            Evidence::malicious(
                "2026-11-17T09:20:55.5Z",
                Entity::Url("https://files.contoso-invoices.example/invoice-2026-1147.docm"),
            ),
            Evidence::suspicious(
                "2026-11-17T09:20:56.1366667Z",
                Entity::MailCluster("Subject;P2SenderDomain;ContentType"),
            ),
        ],
        ..MAIL
    },
    Alert {
        id: "fa552d0132-b059-46ec-8fb3-08d8525cf099",
        title: "Mail reported by a user as phishing",
        description: "A message was reported with the button in Outlook. -V1.0.0.2",
        severity: Severity::Low,
        status: AlertStatus::InProgress,
        investigation: (None, "Queued"),
        created: "2026-11-17T09:51:07Z",
        activity: ("2026-11-17T09:49:00Z", "2026-11-17T09:49:00Z"),
        updated: "2026-11-17T09:51:07Z",
        evidence: &[Evidence::suspicious(
            "2026-11-17T09:51:08Z",
            Entity::Mail {
                sender: "billing@contoso-invoices.example",
                recipient: "omar.haddad@contoso.com",
                subject: "[EXTERNAL] Overdue: invoice 2026-1147",
                delivery: "DeliveredAsSpam",
            },
        )],
        ..MAIL
    },
    Alert {
        id: "caE0003DF2-F71B-4425-ABF4-EFBC77668A24",
        product: Product::CloudApps,
        title: "Suspicious inbox rule",
        description: "The user Dana Reyes (dana.reyes@contoso.com) has made a rule that moves every message about invoices to a folder that nobody reads.",
        severity: Severity::Medium,
        status: AlertStatus::New,
        detection_source: "MCAS",
        detector: Some("SuspiciousInboxRules"),
        category: "DefenseEvasion",
        techniques: &["T1564.008"],
        assigned_to: None,
        created: "2026-11-17T10:55:12.7182276Z",
        activity: ("2026-11-17T10:52:59Z", "2026-11-17T10:52:59Z"),
        updated: "2026-11-17T10:57:00.2433333Z",
        evidence: &[
            Evidence::suspicious("2026-11-17T10:55:13Z", Entity::User(DANA)),
            Evidence::suspicious("2026-11-17T10:55:13Z", Entity::Ip(Some("198.51.100.9"))),
            Evidence::suspicious(
                "2026-11-17T10:55:13Z",
                Entity::CloudApplication { id: 20893, name: "Microsoft Exchange Online" },
            ),
        ],
        ..MAIL
    },
    Alert {
        id: "adb3ceaa5117534c0697d397b89e803ea5",
        product: Product::Identity,
        title: "Unfamiliar sign-in properties",
        description: "A sign-in with properties that were not seen for this user before.",
        severity: Severity::High,
        status: AlertStatus::New,
        detection_source: "AAD",
        detector: Some("UnfamiliarLocation"),
        techniques: &["T1078.004"],
        assigned_to: None,
        created: "2026-11-17T10:49:33.81Z",
        activity: ("2026-11-17T10:47:20.1Z", "2026-11-17T10:47:20.1Z"),
        updated: "2026-11-17T10:49:34Z",
        evidence: &[
            Evidence::suspicious("2026-11-17T10:49:33.9Z", Entity::User(DANA)),
            Evidence::suspicious("2026-11-17T10:49:33.9Z", Entity::Ip(Some("198.51.100.9"))),
        ],
        ..MAIL
    },
];
