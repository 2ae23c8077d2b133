//! What every finding begins with, whatever its class.
//!
//! Source: <https://schema.ocsf.io/1.8.0/classes/finding>.

use super::object::{Absent, object};
use super::words::Said;

object! {
    /// The members that both classes share.
    Head<'a> {
        activity_id: u8,
        activity_name: &'static str,
        category_uid: u8,
        category_name: &'static str,
        class_uid: u16,
        class_name: &'static str,
        type_uid: u32,
        type_name: String,
        severity_id: u8,
        severity: &'a str,
        status_id: u8,
        status: &'a str,
        status_detail: Option<&'a str>,
        time: i64,
        start_time: Option<i64>,
        end_time: Option<i64>,
        timezone_offset: u8,
        message: Option<&'a str>,
        comment: Option<&'a str>,
    }
}

/// A class of findings.
pub(super) struct Class {
    pub(super) uid: u16,
    pub(super) name: &'static str,
}

/// A single alert.
pub(super) const DETECTION: Class = Class { uid: 2004, name: "Detection Finding" };
/// Alerts that were put together.
pub(super) const INCIDENT: Class = Class { uid: 2005, name: "Incident Finding" };

impl<'a> Head<'a> {
    /// A finding of a class, at a time.
    pub(super) fn new(class: &Class, activity: Said<'static>, severity: Said<'a>, status: Said<'a>, time: i64) -> Self {
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
            status_detail: None,
            time,
            start_time: None,
            end_time: None,
            // All times are UTC.
            timezone_offset: 0,
            message: None,
            comment: None,
        }
    }
}
