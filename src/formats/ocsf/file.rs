//! Files with their hashes: the objects `file` and `fingerprint`.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/file>, <https://schema.ocsf.io/1.8.0/objects/fingerprint>.

use std::borrow::Cow;

use serde::Serialize;

use super::context::{FileProduct, Signature};
use crate::domain::path::FileLocation;
use crate::formats::filled::filled;

/// `type_id` of a regular file.
const REGULAR: u8 = 1;

/// A file.
#[derive(Default, Serialize)]
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    pub(super) path: Cow<'a, str>,
    pub(super) parent_folder: Option<&'a str>,
    pub(super) type_id: u8,
    pub(super) hashes: Vec<Fingerprint<'a>>,
    pub(super) size: Option<i64>,
    pub(super) company_name: Option<&'a str>,
    pub(super) product: Option<FileProduct<'a>>,
    pub(super) signatures: Vec<Signature>,
}

/// A hash of some content.
#[derive(Serialize)]
pub(super) struct Fingerprint<'a> {
    pub(super) algorithm: &'static str,
    pub(super) algorithm_id: u8,
    pub(super) value: Cow<'a, str>,
}

/// The members of a file, from evidence of any type.
#[derive(Clone, Copy, Default)]
pub(super) struct FileMembers<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) md5: Option<&'a str>,
    pub(super) sha1: Option<&'a str>,
    pub(super) sha256: Option<&'a str>,
}

impl<'a> FileMembers<'a> {
    /// The file; `None` if it has neither a name nor a hash. OCSF requires a name, so the strongest hash replaces a missing
    /// one.
    pub(super) fn file(self) -> Option<File<'a>> {
        let hashes = hashes(self.md5, self.sha1, self.sha256).collect();
        let folder = filled(self.path);
        let (name, path, parent_folder) = match filled(self.name) {
            Some(name) => (name, FileLocation::new(folder, Some(name)).path.unwrap_or_default(), None),
            None => (filled(self.sha256).or(filled(self.sha1)).or(filled(self.md5))?, Cow::default(), folder),
        };
        Some(File { name, path, parent_folder, type_id: REGULAR, hashes, ..File::default() })
    }
}

/// The hashes that are known.
pub(super) fn hashes<'a>(
    md5: Option<&'a str>,
    sha1: Option<&'a str>,
    sha256: Option<&'a str>,
) -> impl Iterator<Item = Fingerprint<'a>> {
    [("MD5", 1, md5), ("SHA-1", 2, sha1), ("SHA-256", 3, sha256)].into_iter().filter_map(
        |(algorithm, algorithm_id, value)| {
            Some(Fingerprint { algorithm, algorithm_id, value: Cow::Borrowed(filled(value)?) })
        },
    )
}

impl Fingerprint<'_> {
    /// The SHA-256 of a text.
    pub(super) fn of(text: &str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        Self { algorithm: "SHA-256", algorithm_id: 3, value: Cow::Owned(hex::encode(digest)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_replaces_a_missing_name() {
        let members = FileMembers { path: Some(r"C:\Temp"), sha1: Some("ab"), ..FileMembers::default() };
        let file = members.file().expect("a file");
        assert_eq!((file.name, file.parent_folder, file.path.is_empty()), ("ab", Some(r"C:\Temp"), true));
        assert!(FileMembers { path: Some(r"C:\Temp"), name: Some(""), ..FileMembers::default() }.file().is_none());
    }
}
