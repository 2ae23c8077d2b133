//! Processes and their parents: the object `process`.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/process>.

use serde::Serialize;

use super::account::User;
use super::file::{File, FileMembers};
use super::timestamps::milliseconds;
use crate::domain::evidence::{self, Parent};

/// A process.
#[derive(Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "OCSF names the parent so")]
pub(super) struct Process<'a> {
    pub(super) pid: i32,
    pub(super) name: Option<&'a str>,
    pub(super) cmd_line: Option<&'a str>,
    pub(super) created_time: Option<i64>,
    pub(super) file: Option<File<'a>>,
    pub(super) parent_process: Option<Box<Process<'a>>>,
    pub(super) user: Option<User<'a>>,
}

impl<'a> Process<'a> {
    /// The process; `None` if its id is missing or too large, since OCSF requires one.
    pub(super) fn of(process: &'a evidence::Process) -> Option<Self> {
        Some(Self {
            pid: number(process.pid)?,
            name: process.name.as_deref(),
            cmd_line: process.command_line.as_deref(),
            created_time: milliseconds(process.created_at),
            file: image(process).file(),
            parent_process: Self::of_parent(&process.parent).map(Box::new),
            user: process.user.as_deref().and_then(User::of),
        })
    }

    fn of_parent(parent: &'a Parent) -> Option<Self> {
        let image =
            FileMembers { name: parent.name.as_deref(), path: parent.path.as_deref(), ..FileMembers::default() };
        Some(Self {
            pid: number(parent.pid)?,
            name: parent.name.as_deref(),
            created_time: milliseconds(parent.created_at),
            file: image.file(),
            ..Self::default()
        })
    }
}

/// The image of a process.
pub(super) fn image(process: &evidence::Process) -> FileMembers<'_> {
    FileMembers {
        name: process.name.as_deref(),
        path: process.path.as_deref(),
        md5: None,
        sha1: process.sha1.as_deref(),
        sha256: process.sha256.as_deref(),
    }
}

/// A process id as OCSF's `integer_t`: 32 bits with a sign.
fn number(pid: Option<i64>) -> Option<i32> {
    pid.and_then(|pid| i32::try_from(pid).ok())
}
