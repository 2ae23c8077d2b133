//! Answers already known, and questions already on their way.

mod flights;
mod memory;

pub(crate) use memory::{Memorable, Memory, Outcome, Recalled};
