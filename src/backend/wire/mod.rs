//! Readers for what both backends send alike.
//!
//! The APIs differ in the names of some members (`alertCreationTime`, `creationTime`, `createdDateTime`). No name has
//! different meanings in two of them, so one reader knows the names of all.

mod alert;
pub(super) mod evidence;
mod incident;
mod words;

pub(super) use alert::{alert, logged_on_users};
pub(super) use incident::{incident, read_incident};
pub(super) use words::{Spelling, severity};
use words::{alert_status, comments, incident_status, verdict};
