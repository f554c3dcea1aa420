//! A lock between processes, on the same file as huggingface_hub's, so that a file is fetched once.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::cache::{create_parent, unwritable};
use crate::error::{Context, ErrorKind, Result};
use crate::model::events::Cancel;

/// Time between two tries.
const POLL: Duration = Duration::from_millis(100);

/// Held until it is dropped, or this process ends in whatever way.
pub struct Lock {
    /// `None` on a file system without locks. There, two processes would write the same bytes at the same places of
    /// one part, which the hash accepts.
    _file: Option<File>,
}

impl Lock {
    /// Waits for the lock; `waiting` is called at each try that fails.
    ///
    /// # Errors
    /// [`ErrorKind::Aborted`], or [`ErrorKind::Download`] when the lock's file cannot be made.
    pub fn acquire(path: &Path, cancel: &Cancel, mut waiting: impl FnMut()) -> Result<Self> {
        loop {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(lock);
            }
            waiting();
            cancel.sleep(POLL)?;
        }
    }

    /// The lock, unless another has it.
    ///
    /// # Errors
    /// [`ErrorKind::Download`] when the lock's file cannot be made.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>> {
        let failed = || unwritable(path);
        create_parent(path).context(ErrorKind::Download, failed)?;
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .context(ErrorKind::Download, failed)?;
            match file.try_lock() {
                Ok(()) if is_still_at(&file, path) => return Ok(Some(Self { _file: Some(file) })),
                // Python's lock may delete its file; then this one is nobody else's, and the next try makes a new one.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(cause)) if has_no_locks(&cause) => {
                    return Ok(Some(Self { _file: None }));
                }
                Err(TryLockError::Error(cause)) => return Err(cause).context(ErrorKind::Download, failed),
            }
        }
    }
}

/// Whether it is the file system that has none. NFS without its lock daemon says that they ran out.
fn has_no_locks(cause: &io::Error) -> bool {
    #[cfg(unix)]
    if cause.raw_os_error() == Some(libc::ENOLCK) {
        return true;
    }
    cause.kind() == io::ErrorKind::Unsupported
}

#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), path.metadata()) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(windows)]
fn is_still_at(_file: &File, _path: &Path) -> bool {
    // A file that is open cannot be deleted there.
    true
}
