//! `microsoft.defender`: what the schema has no field for, so that nothing is lost.
//!
//! Not `microsoft.defender_endpoint`, which Elastic's integration maps with members of other names, and which would
//! be wrong for alerts of the other Defender products. `extra` is best mapped as `flattened`: it holds Microsoft's own
//! members, verbatim.

use super::sparse::{Filled, Sparse, field_sets};
use crate::domain::alert::{self, Alert};
use crate::domain::enrichment::Enrichment;
use crate::domain::evidence::{Detail, Evidence, User};
use crate::domain::extra::Extra;
use crate::domain::incident;
use crate::domain::text::Text;
use crate::domain::time::Moment;
use crate::domain::warning::{Warning, WarningCode};
use crate::domain::words::Word;

field_sets! {
    /// What has no field elsewhere.
    Defender<'a> {
        subject: Subject<'a>,
        severity: &'static str,
        status: &'static str,
        verdict: &'static str,
        classification: Option<&'a str>,
        determination: Option<&'a str>,
        categories: Vec<&'a str>,
        product_name: Option<&'a str>,
        actor: Option<&'a str>,
        recommended_actions: Option<&'a str>,
        custom_details: Option<&'a Extra>,
        tags: Vec<&'a str>,
        threat_name: Option<&'a str>,
        threat_family: Option<&'a str>,
        assigned_to: Option<&'a str>,
        resolved_at: Option<Moment>,
        investigation: Investigation<'a>,
        incident: Incident<'a>,
        devices: Vec<Device<'a>>,
        logged_on_users: Vec<LoggedOnUser<'a>>,
        comments: Vec<Comment<'a>>,
        evidence: Vec<Item<'a>>,
        evidence_loaded: bool,
        extra: Option<&'a Extra>,
        warnings: Vec<WarningCode>,
    }

    /// What was asked about.
    Subject<'a> {
        kind: &'static str,
        id: &'a str,
    }

    /// The automated investigation.
    Investigation<'a> {
        id: Option<&'a str>,
        state: Option<&'a str>,
    }

    /// The incident that the alert belongs to; whole where it was asked for.
    Incident<'a> {
        id: Option<&'a str>,
        name: Option<&'a str>,
        severity: Option<&'static str>,
        status: Option<&'static str>,
        description: Option<&'a str>,
        summary: Option<&'a str>,
        resolving_comment: Option<&'a str>,
        priority_score: Option<i64>,
        tenant_id: Option<&'a str>,
        classification: Option<&'a str>,
        determination: Option<&'a str>,
        assigned_to: Option<&'a str>,
        created_at: Option<Moment>,
        updated_at: Option<Moment>,
        redirected_from: Vec<&'a str>,
        tags: Vec<&'a str>,
        comments: Vec<Comment<'a>>,
        url: Option<&'a str>,
        extra: Option<&'a Extra>,
    }

    /// A device.
    Device<'a> {
        id: Option<&'a str>,
        name: Option<&'a str>,
        group: Option<&'a str>,
    }

    /// Somebody who was logged on.
    LoggedOnUser<'a> {
        name: Option<&'a str>,
        domain: Option<&'a str>,
    }

    /// What an analyst wrote.
    Comment<'a> {
        text: Option<&'a str>,
        author: Option<&'a str>,
        created_at: Option<Moment>,
    }

    /// An item of evidence: what is common to all types, and the members of its own, under the names of the answer.
    Item<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        role: Option<&'a str>,
        verdict: Option<&'a str>,
        remediation_status: Option<&'a str>,
        detection_status: Option<&'a str>,
        observed_at: Option<Moment>,
        name: Option<&'a str>,
        path: Option<&'a str>,
        sha1: Option<&'a str>,
        sha256: Option<&'a str>,
        md5: Option<&'a str>,
        pid: Option<i64>,
        command_line: Option<&'a str>,
        created_at: Option<Moment>,
        parent: Parent<'a>,
        domain: Option<&'a str>,
        upn: Option<&'a str>,
        sid: Option<&'a str>,
        aad_id: Option<&'a str>,
        address: Option<&'a str>,
        url: Option<&'a str>,
        hive: Option<&'a str>,
        key: Option<&'a str>,
        value_name: Option<&'a str>,
        value: Option<&'a str>,
        value_type: Option<&'a str>,
        display_name: Option<&'a str>,
        sender: Option<&'a str>,
        recipient: Option<&'a str>,
        subject: Option<&'a str>,
        delivery_action: Option<&'a str>,
        envelope_sender: Option<&'a str>,
        sender_ip: Option<&'a str>,
        message_id: Option<&'a str>,
        network_message_id: Option<&'a str>,
        received_at: Option<Moment>,
        user: ItemUser<'a>,
        extra: Option<&'a Extra>,
    }

    /// The account of a process or a mailbox.
    ItemUser<'a> {
        name: Option<&'a str>,
        domain: Option<&'a str>,
        upn: Option<&'a str>,
        sid: Option<&'a str>,
        aad_id: Option<&'a str>,
    }

    /// The process that started another.
    Parent<'a> {
        pid: Option<i64>,
        name: Option<&'a str>,
        path: Option<&'a str>,
        created_at: Option<Moment>,
    }
}

impl<'a> Defender<'a> {
    pub(super) fn of(alert: &'a Alert, enrichment: &'a Enrichment<'_>) -> Self {
        Self {
            subject: Subject { kind: enrichment.kind.as_str(), id: enrichment.id },
            severity: alert.severity.as_str(),
            status: alert.status.as_str(),
            verdict: alert.verdict.as_str(),
            classification: alert.classification.filled(),
            determination: alert.determination.filled(),
            categories: if alert.categories.len() > 1 { texts(&alert.categories) } else { Vec::new() },
            product_name: alert.product_name.filled(),
            actor: alert.actor.filled(),
            recommended_actions: alert.recommended_actions.filled(),
            custom_details: alert.custom_details.as_ref(),
            tags: texts(&alert.tags),
            threat_name: alert.threat_name.filled(),
            threat_family: alert.threat_family.filled(),
            assigned_to: alert.assigned_to.filled(),
            resolved_at: alert.resolved_at,
            investigation: Investigation {
                id: alert.investigation_id.filled(),
                state: alert.investigation_state.filled(),
            },
            incident: match enrichment.incident.as_deref() {
                Some(incident) => Incident::of(incident),
                None => Incident { id: alert.incident_id.filled(), ..Incident::default() },
            },
            devices: alert.devices().map(Device::of).collect(),
            logged_on_users: alert.logged_on_users.iter().map(LoggedOnUser::of).collect(),
            comments: alert.comments.iter().map(Comment::of).collect(),
            evidence: alert.evidence.iter().map(Item::of).collect(),
            evidence_loaded: alert.evidence_loaded,
            extra: some(&alert.extra),
            warnings: codes(&enrichment.warnings),
        }
    }
}

impl<'a> Incident<'a> {
    /// The incident that was asked for.
    pub(super) fn of(incident: &'a incident::Incident) -> Self {
        Self {
            id: Some(&incident.id),
            name: incident.name.filled(),
            severity: Some(incident.severity.as_str()),
            status: Some(incident.status.as_str()),
            description: incident.description.filled(),
            summary: incident.summary.filled(),
            resolving_comment: incident.resolving_comment.filled(),
            priority_score: incident.priority_score,
            tenant_id: incident.tenant_id.filled(),
            classification: incident.classification.filled(),
            determination: incident.determination.filled(),
            assigned_to: incident.assigned_to.filled(),
            created_at: incident.created_at,
            updated_at: incident.updated_at,
            redirected_from: incident.redirected_from.iter().map(String::as_str).collect(),
            tags: texts(&incident.tags),
            comments: incident.comments.iter().map(Comment::of).collect(),
            url: incident.url.filled(),
            extra: some(&incident.extra),
        }
    }
}

impl<'a> Device<'a> {
    fn of(device: &'a alert::Device) -> Self {
        Self { id: device.id.filled(), name: device.name.filled(), group: device.group.filled() }
    }
}

impl<'a> LoggedOnUser<'a> {
    fn of(user: &'a alert::LoggedOnUser) -> Self {
        Self { name: user.name.filled(), domain: user.domain.filled() }
    }
}

impl<'a> Comment<'a> {
    fn of(comment: &'a alert::Comment) -> Self {
        Self { text: comment.text.filled(), author: comment.author.filled(), created_at: comment.created_at }
    }
}

impl<'a> Item<'a> {
    fn of(item: &'a Evidence) -> Self {
        let common = Self {
            kind: &item.kind,
            role: item.role.filled(),
            verdict: item.verdict.filled(),
            remediation_status: item.remediation_status.filled(),
            detection_status: item.detection_status.filled(),
            observed_at: item.observed_at,
            extra: some(&item.extra),
            ..Self::default()
        };
        match &item.detail {
            Detail::File(file) => Self {
                name: file.name.filled(),
                path: file.path.filled(),
                sha1: file.sha1.filled(),
                sha256: file.sha256.filled(),
                md5: file.md5.filled(),
                ..common
            },
            Detail::Process(process) => Self {
                pid: process.pid,
                command_line: process.command_line.filled(),
                created_at: process.created_at,
                name: process.name.filled(),
                path: process.path.filled(),
                sha1: process.sha1.filled(),
                sha256: process.sha256.filled(),
                parent: Parent {
                    pid: process.parent.pid,
                    name: process.parent.name.filled(),
                    path: process.parent.path.filled(),
                    created_at: process.parent.created_at,
                },
                user: process.user.as_deref().map(ItemUser::of).unwrap_or_default(),
                ..common
            },
            Detail::User(user) => Self {
                name: user.name.filled(),
                domain: user.domain.filled(),
                upn: user.upn.filled(),
                sid: user.sid.filled(),
                aad_id: user.aad_id.filled(),
                ..common
            },
            Detail::Ip(ip) => Self { address: ip.address.filled(), ..common },
            Detail::Url(address) => Self { url: address.url.filled(), ..common },
            Detail::Registry(registry) => Self {
                hive: registry.hive.filled(),
                key: registry.key.filled(),
                value_name: registry.value_name.filled(),
                value: registry.value.filled(),
                value_type: registry.value_type.filled(),
                ..common
            },
            Detail::Mailbox(mailbox) => Self {
                address: mailbox.address.filled(),
                display_name: mailbox.display_name.filled(),
                user: mailbox.user.as_deref().map(ItemUser::of).unwrap_or_default(),
                ..common
            },
            Detail::Mail(mail) => Self {
                sender: mail.sender.filled(),
                recipient: mail.recipient.filled(),
                subject: mail.subject.filled(),
                delivery_action: mail.delivery_action.filled(),
                envelope_sender: mail.envelope_sender.filled(),
                sender_ip: mail.sender_ip.filled(),
                message_id: mail.message_id.filled(),
                network_message_id: mail.network_message_id.filled(),
                received_at: mail.received_at,
                ..common
            },
            Detail::Other {} => common,
        }
    }
}

impl<'a> ItemUser<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            name: user.name.filled(),
            domain: user.domain.filled(),
            upn: user.upn.filled(),
            sid: user.sid.filled(),
            aad_id: user.aad_id.filled(),
        }
    }
}

fn texts(texts: &[Text]) -> Vec<&str> {
    texts.iter().map(Text::as_str).collect()
}

/// What was warned of, each code once: the sentences are the whole answer's.
fn codes(warnings: &[Warning]) -> Vec<WarningCode> {
    let mut codes: Vec<_> = Vec::new();
    for warning in warnings {
        if !codes.contains(&warning.code) {
            codes.push(warning.code);
        }
    }
    codes
}

fn some(extra: &Extra) -> Option<&Extra> {
    Some(extra).filter(|extra| !extra.is_empty())
}
