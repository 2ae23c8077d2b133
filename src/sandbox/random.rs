//! Bytes that nobody can guess, for ids and for what stands in the place of a signature.

use std::io;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// An endless supply of random bytes, seeded once by the operating system, so that drawing cannot fail.
pub(super) struct Randomness {
    seed: [u8; 32],
    drawn: u64,
}

impl Randomness {
    pub(super) fn from_system() -> io::Result<Self> {
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| io::Error::other("the operating system has no randomness to give"))?;
        Ok(Self { seed, drawn: 0 })
    }

    pub(super) fn bytes(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let mut input = self.seed.to_vec();
        input.extend(self.drawn.to_be_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, &input).as_ref());
        bytes
    }

    /// A UUID of version 4.
    pub(super) fn uuid(&mut self) -> String {
        let start = self.bytes().first_chunk().copied().unwrap_or_default();
        uuid::Builder::from_random_bytes(start).into_uuid().to_string()
    }
}
