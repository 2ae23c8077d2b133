//! File hashes: the digest of the content.

use super::{SubjectError, is_hex};

/// The digest of a file's content, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FileHash {
    /// 40 hexadecimal digits; Defender's file lookup takes this.
    Sha1(Sha1),
    /// 64 hexadecimal digits; the older APIs need it resolved to a SHA-1.
    Sha256(Sha256),
}

impl FileHash {
    /// Parses a SHA-1 or a SHA-256.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        if let Some(sha1) = Sha1::parse(text) {
            return Ok(Self::Sha1(sha1));
        }
        if let Some(sha256) = Sha256::parse(text) {
            return Ok(Self::Sha256(sha256));
        }
        if is_hex(text, 32) {
            let detail = "Defender does not look files up by MD5: send the file's SHA-1 or SHA-256.";
            return Err(SubjectError::UnsupportedHash(detail.to_owned()));
        }
        Err(SubjectError::invalid("A file hash is a SHA-1 (40 hexadecimal digits) or a SHA-256 (64)."))
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sha1(sha1) => sha1.as_str(),
            Self::Sha256(sha256) => sha256.as_str(),
        }
    }
}

/// A SHA-1, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sha1(String);

impl Sha1 {
    /// Parses 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 40).then(|| Self(text.to_ascii_lowercase()))
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A SHA-256, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sha256(String);

impl Sha256 {
    /// Parses 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 64).then(|| Self(text.to_ascii_lowercase()))
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
