//! The application roles that each lookup needs.

use super::{READ_ALERTS, READ_FILES, READ_INCIDENTS, READ_MACHINES};
use crate::credentials::carries;
use crate::domain::subject::{FileHash, Machine, Subject};

/// Whether these roles are enough for a lookup.
pub(crate) fn allow(subject: &Subject, roles: &[String]) -> bool {
    let needed: &[&str] = match subject {
        Subject::Incident(_) => &[READ_INCIDENTS],
        Subject::Machine(Machine::Name(_)) => &[READ_MACHINES, READ_ALERTS],
        Subject::File(FileHash::Sha256(_)) => &[READ_FILES, READ_ALERTS],
        Subject::Alert(_)
        | Subject::Machine(Machine::Id(_))
        | Subject::User(_)
        | Subject::File(FileHash::Sha1(_))
        | Subject::Ip(_)
        | Subject::Domain(_) => &[READ_ALERTS],
    };
    needed.iter().all(|role| carries(roles, role))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::subject::{Kind, Question};

    #[test]
    fn resolving_a_name_or_a_hash_needs_one_more_role() {
        let allowed = |kind, value: &str, roles: &[&str]| {
            let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
            allow(&Question::parse(kind, value).expect("a question").subject, &roles)
        };
        for (kind, value, roles) in [
            (Kind::User, "dana", &[READ_ALERTS][..]),
            (Kind::Machine, "desk-042", &[READ_MACHINES, READ_ALERTS]),
            (Kind::File, &"ab".repeat(32), &[READ_FILES, READ_ALERTS]),
            (Kind::Incident, "7", &[READ_INCIDENTS]),
        ] {
            assert!(allowed(kind, value, roles), "{kind:?}");
            for (at, _) in roles.iter().enumerate() {
                let fewer = [&roles[..at], &roles[at + 1..]].concat();
                assert!(!allowed(kind, value, &fewer), "{kind:?}");
            }
        }
    }
}
