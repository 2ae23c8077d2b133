//! The incidents that the alerts were gathered into.

use super::assets::MIRA;
use super::model::{Classification, Comment, Determination, Incident, IncidentStatus, Severity};

/// Nobody has looked at it yet.
const FRESH: Incident = Incident {
    id: 0,
    redirect: None,
    name: "",
    severity: Severity::Low,
    status: IncidentStatus::Active,
    classification: None,
    determination: None,
    assigned_to: None,
    created: "",
    updated: "",
    tags: &[],
    comments: &[],
};

pub(super) const INCIDENTS: &[Incident] = &[
    Incident {
        id: 3114,
        name: "Command and control incident on multiple endpoints",
        severity: Severity::Medium,
        created: "2026-11-18T23:20:22.5Z",
        updated: "2026-11-19T08:05:00.7Z",
        ..FRESH
    },
    Incident {
        id: 3107,
        name: "Multi-stage incident involving Initial access & Lateral movement on multiple endpoints reported by multiple sources",
        severity: Severity::High,
        status: IncidentStatus::InProgress,
        classification: Some(Classification::TruePositive),
        determination: Some(Determination::MultiStagedAttack),
        assigned_to: Some(MIRA),
        created: "2026-11-17T09:05:01.1366667Z",
        updated: "2026-11-17T19:40:02.32Z",
        tags: &["Finance", "Crown jewels"],
        comments: &[
            Comment { text: "Merged 3102: same sender, same document.", author: MIRA, at: "2026-11-17T10:58:11Z" },
            Comment {
                text: "Backup account disabled, Dana's sessions revoked. Forensics has the image of desk-042.",
                author: MIRA,
                at: "2026-11-17T11:30:45.5Z",
            },
        ],
        ..FRESH
    },
    Incident {
        id: 3102,
        redirect: Some(3107),
        name: "Suspicious inbox rule reported by one user",
        severity: Severity::Medium,
        status: IncidentStatus::Redirected,
        created: "2026-11-17T10:55:13.6266667Z",
        updated: "2026-11-17T10:58:11.0133333Z",
        ..FRESH
    },
    Incident {
        id: 3098,
        redirect: Some(3102),
        name: "Mail reported by a user as phishing",
        status: IncidentStatus::Redirected,
        created: "2026-11-17T09:51:08Z",
        updated: "2026-11-17T10:56:30.2Z",
        ..FRESH
    },
    Incident {
        id: 3085,
        name: "Unwanted remote-control software on one endpoint",
        severity: Severity::Medium,
        status: IncidentStatus::Resolved,
        classification: Some(Classification::FalsePositive),
        determination: Some(Determination::Clean),
        assigned_to: Some(MIRA),
        created: "2026-11-12T10:20:01.0733333Z",
        updated: "2026-11-12T14:45:31Z",
        comments: &[Comment {
            text: "Signed by ourselves. Allow-listed.",
            author: MIRA,
            at: "2026-11-12T14:45:12.19Z",
        }],
        ..FRESH
    },
    Incident {
        id: 3061,
        name: "'Contoso_Test_File' malware was detected on one endpoint",
        status: IncidentStatus::Resolved,
        classification: Some(Classification::InformationalExpectedActivity),
        determination: Some(Determination::SecurityTesting),
        created: "2026-11-04T13:05:03Z",
        updated: "2026-11-04T15:30:00.5Z",
        ..FRESH
    },
    Incident {
        id: 2990,
        name: "Sensor reports an event of unknown meaning on one endpoint",
        severity: Severity::UnSpecified,
        created: "2026-10-08T11:00:04.8Z",
        updated: "2026-10-08T11:00:04.8Z",
        ..FRESH
    },
];
