//! Processes and what started them: the object `process`.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/process>.

use serde::Serialize;

use super::account::User;
use super::file::{File, FileNames};
use super::moments::milliseconds;
use crate::domain::evidence::{self, Parent};

/// A process.
#[derive(Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "the parent is called so by OCSF")]
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
    /// The process, if its number is one that OCSF holds: an object `process` has to have one.
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
        let image = FileNames { name: parent.name.as_deref(), path: parent.path.as_deref(), ..FileNames::default() };
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
pub(super) fn image(process: &evidence::Process) -> FileNames<'_> {
    FileNames {
        name: process.name.as_deref(),
        path: process.path.as_deref(),
        md5: None,
        sha1: process.sha1.as_deref(),
        sha256: process.sha256.as_deref(),
    }
}

/// A process number as OCSF's `integer_t` holds it: 32 bits with a sign.
fn number(pid: Option<i64>) -> Option<i32> {
    pid.and_then(|pid| i32::try_from(pid).ok())
}
