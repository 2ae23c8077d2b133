//! Answers already known, questions already on their way, and deliveries that came before.

mod answers;
mod deliveries;
mod lru;
mod seen;
mod single_flight;

pub(crate) use answers::{AnswerCache, Cacheable, Cached, Outcome};
pub(crate) use deliveries::{Claim, Delivery, SeenDeliveries};
pub(crate) use seen::SeenMessages;
