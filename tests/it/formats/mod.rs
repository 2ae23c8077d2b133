//! The other shapes of an answer.

mod asked;
mod ecs;
mod mail;
mod ocsf;
mod ocsf_hostile;
mod ocsf_rules;
mod snapshots;
