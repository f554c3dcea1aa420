//! The cache folder in the layout of huggingface_hub, so that models are shared with Python tools.
//!
//! `models--owner--name/` has `blobs/<hash>` with the bytes, `snapshots/<commit>/<file>` linking to them, `refs/<name>`
//! with the commit that a branch or tag stood for, and `.no_exist/<commit>/<file>` for files that were looked for and
//! are not in the repository. Locks are in `.locks/models--owner--name/<hash>.lock`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::digest::Digest;
use super::files::{self, Known};
use crate::error::{Context, Error, ErrorKind, Result};

/// One model in the cache.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
    locks: PathBuf,
}

impl Repository {
    /// The place of the model `id`, which [`is_id`] has accepted, in `cache`.
    #[must_use]
    pub fn new(cache: &Path, id: &str) -> Self {
        let name = format!("models--{}", id.replace('/', "--"));
        Self {
            root: cache.join(&name),
            locks: cache.join(".locks").join(&name),
        }
    }

    /// The folder of everything that is kept of the model.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of its locks.
    #[must_use]
    pub fn locks(&self) -> &Path {
        &self.locks
    }

    /// The bytes of the file that `digest` names.
    #[must_use]
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.name())
    }

    /// The bytes of that file as far as they have come.
    #[must_use]
    pub fn part(&self, digest: &Digest) -> PathBuf {
        self.root
            .join("blobs")
            .join(format!("{}.incomplete", digest.name()))
    }

    /// The lock of those bytes.
    #[must_use]
    pub fn lock(&self, digest: &Digest) -> PathBuf {
        self.locks.join(format!("{}.lock", digest.name()))
    }

    /// The folder with all that is here of the model.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// The folder with the files of `commit`.
    #[must_use]
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The commit that `revision` stood for when it was last asked for; a commit stands for itself.
    #[must_use]
    pub fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let name = files::relative(revision)?;
        let text = fs::read_to_string(self.root.join("refs").join(name)).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Remembers that `revision` stands for `commit`.
    ///
    /// # Errors
    /// [`ErrorKind::Download`] when the cache cannot be written.
    pub fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let Some(name) = files::relative(revision) else {
            return Ok(());
        };
        let file = self.root.join("refs").join(name);
        let write = || {
            create_parent(&file)?;
            // Written aside and moved, so that nobody reads half a commit.
            let aside = aside(&file);
            fs::write(&aside, commit)?;
            fs::rename(&aside, &file)
        };
        write().context(ErrorKind::Download, || unwritable(&file))
    }

    /// What is known of `file` in `commit`.
    #[must_use]
    pub fn known(&self, commit: &str, file: &str) -> Known {
        let Some(name) = files::relative(file) else {
            return Known::Absent;
        };
        if self.snapshot(commit).join(&name).is_file() {
            Known::Present
        } else if self.marker(commit, &name).is_file() {
            Known::Absent
        } else {
            Known::Unknown
        }
    }

    /// Remembers that `commit` has no `file`. A cache that cannot be written only forgets it.
    pub fn mark_absent(&self, commit: &str, file: &str) {
        if let Some(name) = files::relative(file) {
            let marker = self.marker(commit, &name);
            if !marker.is_file() && create_parent(&marker).is_ok() {
                let _ = fs::File::create(&marker);
            }
        }
    }

    fn marker(&self, commit: &str, name: &Path) -> PathBuf {
        self.root.join(".no_exist").join(commit).join(name)
    }

    /// Makes `file` of `commit` the bytes that `digest` names, which are there. Whatever was there is replaced.
    ///
    /// # Errors
    /// [`ErrorKind::Download`] when the cache cannot be written.
    pub fn link(&self, commit: &str, file: &str, digest: &Digest, symlinks: bool) -> Result<()> {
        let name = files::relative(file).ok_or_else(|| {
            Error::new(
                ErrorKind::Download,
                format!("The hub lists a file {file:?}, which is outside the cache"),
            )
        })?;
        let blob = self.blob(digest);
        let pointer = self.snapshot(commit).join(&name);
        let up = name.components().count() + 1;
        let target: PathBuf = std::iter::repeat_n("..", up)
            .collect::<PathBuf>()
            .join("blobs")
            .join(digest.name());
        let make = || -> io::Result<()> {
            create_parent(&pointer)?;
            if symlinks && fs::read_link(&pointer).is_ok_and(|existing| existing == target) {
                return Ok(());
            }
            // Made aside and moved over, so that a reader sees the old file or the new one, never none.
            let aside = aside(&pointer);
            let _ = fs::remove_file(&aside);
            // Windows makes symbolic links only for developers; a hard link costs as little, a copy always works.
            if !(symlinks && symlink(&target, &aside).is_ok()) && fs::hard_link(&blob, &aside).is_err() {
                fs::copy(&blob, &aside)?;
            }
            fs::rename(&aside, &pointer)
        };
        make().context(ErrorKind::Download, || unwritable(&pointer))
    }

    /// The bytes behind `file` of `commit`, when the file is a link to a blob that is named by its hash.
    #[must_use]
    pub fn digest_of(&self, commit: &str, file: &str) -> Option<Digest> {
        let target = fs::read_link(self.snapshot(commit).join(files::relative(file)?)).ok()?;
        Digest::parse(target.file_name()?.to_str()?)
    }
}

/// A name beside `file` that is no other thread's and no other process's.
fn aside(file: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    file.with_file_name(format!(".{name}.{}-{count}.tmp", process::id()))
}

/// Whether `text` is the full hash of a commit.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether `text` is `owner/name` by the hub's rules, which make it a safe name of a folder.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            && !part.starts_with(['-', '.'])
            && !part.ends_with(['-', '.'])
            && !part.contains("--")
            && !part.contains("..")
    };
    text.len() <= 96
        && text
            .split_once('/')
            .is_some_and(|(owner, name)| part(owner) && part(name))
}

/// Creates the folder that `file` is to be in.
pub fn create_parent(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)
}

/// A sentence for a file of the cache that cannot be written.
pub fn unwritable(file: &Path) -> String {
    format!("{} cannot be written", file.display())
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn ids_and_commits_are_safe_names() {
        for good in [
            "sentence-transformers/all-MiniLM-L6-v2",
            "a/b",
            "BAAI/bge-small-en-v1.5",
        ] {
            assert!(is_id(good), "{good}");
        }
        for bad in [
            "all-MiniLM-L6-v2",
            "a/b/c",
            "../b",
            "a/..",
            "a/.",
            "/b",
            "a/",
            "a b/c",
            "a/b--c",
            "a\\b/c",
            "~/x",
        ] {
            assert!(!is_id(bad), "{bad}");
        }
        assert!(is_commit(COMMIT));
        assert!(!is_commit("main") && !is_commit(&COMMIT.to_uppercase()));
    }

    #[test]
    fn threads_that_remember_the_same_name_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::new(folder.path(), "owner/name");
        std::thread::scope(|scope| {
            for digit in ["a", "b", "c", "d"] {
                let repository = &repository;
                scope.spawn(move || {
                    for _ in 0..200 {
                        repository.remember("v1.2", &digit.repeat(40)).unwrap();
                    }
                });
            }
        });
        assert!(repository.commit("v1.2").is_some());
        let refs = fs::read_dir(repository.root().join("refs")).unwrap();
        assert_eq!(refs.count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_file_is_linked_with_and_without_symbolic_links_and_known_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::new(folder.path(), "owner/name");
        let digest = Digest::parse(&"a".repeat(64)).unwrap();
        create_parent(&repository.blob(&digest)).unwrap();
        fs::write(repository.blob(&digest), "bytes").unwrap();
        assert_eq!(repository.known(COMMIT, "onnx/model.onnx"), Known::Unknown);
        for symlinks in [true, false, true] {
            repository
                .link(COMMIT, "onnx/model.onnx", &digest, symlinks)
                .unwrap();
            let file = repository.snapshot(COMMIT).join("onnx/model.onnx");
            assert_eq!(fs::read(&file).unwrap(), b"bytes");
            assert_eq!(
                fs::symlink_metadata(&file).unwrap().is_symlink(),
                symlinks && cfg!(unix)
            );
        }
        assert_eq!(
            repository.digest_of(COMMIT, "onnx/model.onnx"),
            Some(digest.clone())
        );
        assert_eq!(repository.known(COMMIT, "onnx/model.onnx"), Known::Present);
        repository.mark_absent(COMMIT, "a/b.json");
        assert_eq!(repository.known(COMMIT, "a/b.json"), Known::Absent);
        assert!(repository.link(COMMIT, "../../x", &digest, true).is_err());
        assert!(!folder.path().join("x").exists());

        assert_eq!(repository.commit("refs/pr/1"), None);
        repository.remember("refs/pr/1", COMMIT).unwrap();
        assert_eq!(repository.commit("refs/pr/1").as_deref(), Some(COMMIT));
        assert_eq!(repository.commit("../../x"), None);
    }
}
