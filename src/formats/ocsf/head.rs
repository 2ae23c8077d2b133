//! The members with which findings of both classes begin.
//!
//! Source: <https://schema.ocsf.io/1.8.0/classes/finding>.

use serde::Serialize;

use super::words::Caption;

/// The members that both classes share.
#[derive(Default, Serialize)]
pub(super) struct Head<'a> {
    pub(super) activity_id: u8,
    pub(super) activity_name: &'static str,
    pub(super) category_uid: u8,
    pub(super) category_name: &'static str,
    pub(super) class_uid: u16,
    pub(super) class_name: &'static str,
    pub(super) type_uid: u32,
    pub(super) type_name: String,
    pub(super) severity_id: u8,
    pub(super) severity: &'a str,
    pub(super) status_id: u8,
    pub(super) status: &'a str,
    pub(super) status_detail: Option<&'a str>,
    pub(super) time: i64,
    pub(super) start_time: Option<i64>,
    pub(super) end_time: Option<i64>,
    pub(super) timezone_offset: u8,
    pub(super) message: Option<&'a str>,
    pub(super) comment: Option<&'a str>,
}

/// A class of findings.
pub(super) struct Class {
    pub(super) uid: u16,
    pub(super) name: &'static str,
}

/// The class of an alert.
pub(super) const DETECTION: Class = Class { uid: 2004, name: "Detection Finding" };
/// The class of an incident.
pub(super) const INCIDENT: Class = Class { uid: 2005, name: "Incident Finding" };

impl<'a> Head<'a> {
    /// The head of a finding of this class.
    pub(super) fn new(
        class: &Class,
        activity: Caption<'static>,
        severity: Caption<'a>,
        status: Caption<'a>,
        time: i64,
    ) -> Self {
        Self {
            activity_id: activity.id,
            activity_name: activity.word,
            category_uid: 2,
            category_name: "Findings",
            class_uid: class.uid,
            class_name: class.name,
            type_uid: u32::from(class.uid) * 100 + u32::from(activity.id),
            type_name: format!("{}: {}", class.name, activity.word),
            severity_id: severity.id,
            severity: severity.word,
            status_id: status.id,
            status: status.word,
            time,
            // All times are UTC.
            timezone_offset: 0,
            ..Self::default()
        }
    }
}
