//! Conversions to the ids that the older APIs take: a device name to a device id, a SHA-256 to a SHA-1.

use super::EnrichError;
use crate::backend::defender::devices::ChosenDevice;
use crate::cache::Cacheable;
use crate::domain::subject::{DeviceName, Sha1, Sha256};

/// A name or a hash to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ResolutionKey {
    /// In lower case, because names are equal in any case.
    Device(String),
    Sha256(Sha256),
}

impl ResolutionKey {
    pub(super) fn of_device(name: &DeviceName) -> Self {
        Self::Device(name.as_str().to_lowercase())
    }
}

/// What a name or a hash resolves to. `None`: Defender does not know it.
#[derive(Clone, Debug)]
pub(crate) enum Resolution {
    Device(Option<ResolvedDevice>),
    Sha1(Option<Sha1>),
}

/// The size of an id or a hash with its allocation, in bytes.
const RESOLUTION_BYTES: usize = 128;

/// The records of a device name.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedDevice {
    pub(super) chosen: ChosenDevice,
    /// Why the list of records is incomplete, if it is: it may contain other devices of the name.
    pub(super) incomplete: Option<EnrichError>,
}

impl Cacheable for Resolution {
    fn weight(&self) -> usize {
        match self {
            Self::Device(Some(resolved)) => RESOLUTION_BYTES * (1 + resolved.chosen.others.len()),
            Self::Device(None) | Self::Sha1(_) => RESOLUTION_BYTES,
        }
    }

    fn is_negative(&self) -> bool {
        matches!(self, Self::Device(None) | Self::Sha1(None))
    }

    fn is_cacheable(&self) -> bool {
        !matches!(self, Self::Device(Some(ResolvedDevice { incomplete: Some(_), .. })))
    }
}
