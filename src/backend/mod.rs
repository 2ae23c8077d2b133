//! Microsoft's API families: their routes, and the wire formats that they convert to domain types.

pub mod defender;
pub mod graph;
mod paging;
mod wire;

use crate::client::ClientError;
use crate::lenient_json::json::Malformed;

impl From<Malformed> for ClientError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::NotJson => Self::malformed("not JSON"),
            Malformed::OtherShape => Self::malformed("JSON of another shape"),
            Malformed::NoItems => Self::malformed("a list without its items"),
            Malformed::TooMuch => Self::TooLarge,
        }
    }
}
