//! Caches of this process: answers, calls in flight, and deliveries that were already received.

mod answers;
mod deliveries;
mod lru;
mod seen;
mod single_flight;

pub(crate) use answers::{AnswerCache, Cacheable, Cached, Outcome};
pub(crate) use deliveries::{Claim, Delivery, SeenDeliveries};
pub(crate) use seen::SeenMessages;
