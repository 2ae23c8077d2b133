//! Answers already known, questions already on their way, and deliveries that came before.

mod deliveries;
mod flights;
mod memory;
mod repetitions;
mod shelf;

pub(crate) use deliveries::{Claim, Delivery, SeenDeliveries};
pub(crate) use memory::{Memorable, Memory, Outcome, Recalled};
pub(crate) use repetitions::Repetitions;
