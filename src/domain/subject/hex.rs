//! Texts of digits, and ids of a fixed number of hexadecimal digits: devices, and digests of files.

use super::SubjectError;

/// Whether a text consists of this number of hexadecimal digits.
pub(in crate::domain) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text consists of decimal digits.
pub(in crate::domain) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Parses this number of hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                is_hex(text, $digits).then(|| Self(text.to_ascii_lowercase()))
            }

            /// Returns the digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

hex_id!(
    /// A device's id: 40 hexadecimal digits, kept in lower case.
    DeviceId, 40
);
hex_id!(
    /// A SHA-1: 40 hexadecimal digits, kept in lower case.
    Sha1, 40
);
hex_id!(
    /// A SHA-256: 64 hexadecimal digits, kept in lower case.
    Sha256, 64
);

/// The digest of a file's content.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FileHash {
    /// Defender's file lookup takes this.
    Sha1(Sha1),
    /// The older APIs need it resolved to a SHA-1.
    Sha256(Sha256),
}

impl FileHash {
    /// Parses a SHA-1 or a SHA-256.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        let sha256 = || Sha256::parse(text).map(Self::Sha256);
        Sha1::parse(text).map(Self::Sha1).or_else(sha256).ok_or_else(|| {
            if is_hex(text, 32) {
                let detail = "Defender does not look files up by MD5: send the file's SHA-1 or SHA-256.";
                SubjectError::UnsupportedHash(detail.to_owned())
            } else {
                SubjectError::invalid("A file hash is a SHA-1 (40 hexadecimal digits) or a SHA-256 (64).")
            }
        })
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sha1(sha1) => sha1.as_str(),
            Self::Sha256(sha256) => sha256.as_str(),
        }
    }
}
