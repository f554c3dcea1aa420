//! The hashes by which the hub names its files, and the check of a file against them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::error::{Context, ErrorKind, Result};
use crate::model::events::Cancel;

/// Bytes that are read or written between two looks at the cancel switch.
pub const CHUNK: usize = 256 << 10;

/// The hash that names a file on the hub and in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// Of a file in large-file storage: SHA-256 of its bytes.
    Sha256(String),
    /// Of a file in git: SHA-1 of git's header and its bytes.
    Git(String),
}

impl Digest {
    /// The digest that an etag of the hub is, if it is one. Anything else could not be checked, nor be a safe name
    /// of a file.
    #[must_use]
    pub fn parse(etag: &str) -> Option<Self> {
        let bare = etag.trim().trim_start_matches("W/").trim_matches('"');
        let hex = bare.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match (hex, bare.len()) {
            (true, 64) => Some(Self::Sha256(bare.to_owned())),
            (true, 40) => Some(Self::Git(bare.to_owned())),
            _ => None,
        }
    }

    /// The name of the file in `blobs`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Sha256(name) | Self::Git(name) => name,
        }
    }
}

/// A file's hashes while its bytes pass by.
#[derive(Clone)]
pub struct Hasher {
    sha256: Sha256,
    git: Sha1,
    is_git: bool,
}

impl Hasher {
    /// For a file of `size` bytes that `digest` names.
    #[must_use]
    pub fn new(digest: &Digest, size: u64) -> Self {
        let is_git = matches!(digest, Digest::Git(_));
        let mut git = Sha1::new();
        if is_git {
            git.update(format!("blob {size}\0"));
        }
        Self {
            sha256: Sha256::new(),
            git,
            is_git,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if self.is_git {
            self.git.update(bytes);
        }
    }

    /// Takes the rest of `file`, and says how many bytes that was.
    ///
    /// # Errors
    /// [`ErrorKind::Aborted`], or [`ErrorKind::Download`] when the file cannot be read.
    pub fn update_from(&mut self, file: &mut File, cancel: &Cancel) -> Result<u64> {
        let mut buffer = vec![0; CHUNK];
        let mut total = 0;
        loop {
            cancel.check()?;
            let read = match file.read(&mut buffer) {
                Ok(0) => return Ok(total),
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => {
                    return Err(cause).context(ErrorKind::Download, || "A file of the model cannot be read");
                }
            };
            self.update(buffer.get(..read).unwrap_or_default());
            total += read as u64;
        }
    }

    /// Whether the bytes were those that `digest` and, where there is one, `pinned` name.
    #[must_use]
    pub fn matches(self, digest: &Digest, pinned: Option<&str>) -> bool {
        let sha256 = hex(&self.sha256.finalize());
        let named = match digest {
            Digest::Sha256(name) => sha256 == *name,
            Digest::Git(name) => hex(&self.git.finalize()) == *name,
        };
        named && pinned.is_none_or(|pinned| pinned == sha256)
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn sha256(self) -> String {
        hex(&self.sha256.finalize())
    }
}

/// SHA-256 and git's hash of a file.
///
/// # Errors
/// [`ErrorKind::Aborted`], or [`ErrorKind::Download`] when the file cannot be read.
pub fn both(path: &Path, cancel: &Cancel) -> Result<[Digest; 2]> {
    let unreadable = || format!("{} cannot be read", path.display());
    let mut file = File::open(path).context(ErrorKind::Download, unreadable)?;
    let size = file.metadata().context(ErrorKind::Download, unreadable)?.len();
    let mut hasher = Hasher::new(&Digest::Git(String::new()), size);
    hasher.update_from(&mut file, cancel)?;
    Ok([
        Digest::Sha256(hex(&hasher.sha256.finalize())),
        Digest::Git(hex(&hasher.git.finalize())),
    ])
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_git_and_of_large_file_storage() {
        // As `git hash-object` and `sha256sum` give them for "hello\n".
        let git = Digest::parse("W/\"ce013625030ba8dba906f756967f9e9ca394464a\"").unwrap();
        let large =
            Digest::parse("\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"").unwrap();
        for digest in [git, large] {
            let mut hasher = Hasher::new(&digest, 6);
            hasher.update(b"hel");
            hasher.update(b"lo\n");
            let other = "00".repeat(32);
            assert!(!hasher.clone().matches(&digest, Some(&other)));
            assert!(hasher.matches(&digest, None));
            let mut wrong = Hasher::new(&digest, 6);
            wrong.update(b"hellO\n");
            assert!(!wrong.matches(&digest, None));
        }
    }

    #[test]
    fn an_etag_that_is_no_hash_is_none() {
        for bad in ["", "../../x", "ABCDEF", &"g".repeat(40), &"a".repeat(41)] {
            assert_eq!(Digest::parse(bad), None);
        }
    }
}
