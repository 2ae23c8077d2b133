//! From what the caller holds to what the older APIs want: a device's name to its id, a SHA-256 to a SHA-1.

use super::EnrichError;
use crate::backend::defender::devices::Chosen;
use crate::cache::Cacheable;
use crate::domain::subject::{DeviceName, Sha1, Sha256};

/// A name or a hash to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    /// In lower case: names are the same in any.
    Device(String),
    Sha256(Sha256),
}

impl Name {
    pub(super) fn of_device(name: &DeviceName) -> Self {
        Self::Device(name.as_str().to_lowercase())
    }
}

/// What a name or a hash stands for, if anything.
#[derive(Clone, Debug)]
pub(crate) enum Resolution {
    Device(Option<Resolved>),
    Sha1(Option<Sha1>),
}

/// What an id or a hash occupies, with what it takes to allocate it, in bytes.
const A_NAME: usize = 128;

/// The records of a device's name.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(super) chosen: Chosen,
    /// Why their list was not read to its end, if it was not: others of the name may be on it.
    pub(super) unread: Option<EnrichError>,
}

impl Cacheable for Resolution {
    fn weight(&self) -> usize {
        match self {
            Self::Device(Some(resolved)) => A_NAME * (1 + resolved.chosen.others.len()),
            Self::Device(None) | Self::Sha1(_) => A_NAME,
        }
    }

    fn is_negative(&self) -> bool {
        matches!(self, Self::Device(None) | Self::Sha1(None))
    }

    fn may_be_kept(&self) -> bool {
        !matches!(self, Self::Device(Some(Resolved { unread: Some(_), .. })))
    }
}
