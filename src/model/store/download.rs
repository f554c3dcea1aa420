//! One file from the hub into its blob: resumed where it was cut, verified before it gets its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as IoKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use ureq::http::{StatusCode, header};

use super::cache::{create_parent, unwritable};
use super::digest::{CHUNK, Hasher};
use super::http::{Ask, Client};
use super::hub::{Facts, number};
use super::retry::Failure;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::model::events::Cancel;

/// One file to fetch.
pub struct Job<'a> {
    /// What messages call it.
    pub name: &'a str,
    /// Where its bytes are asked for.
    pub address: &'a str,
    /// What it must be.
    pub facts: &'a Facts,
    /// The SHA-256 that the catalogue has for it, where it has one.
    pub pinned: Option<&'a str>,
    /// Where its bytes are gathered, and kept after a cut.
    pub part: &'a Path,
    /// Where it goes when it is whole and verified.
    pub blob: &'a Path,
}

/// Fetches the file; `progress` is told how many of its bytes are here.
///
/// # Errors
/// [`ErrorKind::Aborted`], which keeps the part, or [`ErrorKind::Download`]. Bytes that are not those that the hub
/// promised are deleted.
pub fn fetch(client: &Client, job: &Job<'_>, cancel: &Cancel, progress: &mut dyn FnMut(u64)) -> Result<()> {
    create_parent(job.part).context(ErrorKind::Download, || unwritable(job.part))?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(job.part)
        .context(ErrorKind::Download, || unwritable(job.part))?;
    let mut part = Part::resume(job, file, cancel)?;
    let resumed = part.loaded > 0;
    part.complete(client, cancel, progress)?;
    if !part.verified() {
        // The old bytes may be at fault: a computer that lost power can leave anything in a file.
        if resumed {
            part.restart()?;
            part.complete(client, cancel, progress)?;
        }
        if !part.verified() {
            drop(part);
            let _ = fs::remove_file(job.part);
            return Err(Error::new(
                ErrorKind::Download,
                format!("{} did not have the expected hash and was deleted", job.name),
            ));
        }
    }
    part.file
        .sync_all()
        .context(ErrorKind::Download, || unwritable(job.part))?;
    drop(part);
    fs::rename(job.part, job.blob).context(ErrorKind::Download, || unwritable(job.blob))
}

/// The bytes that are here, and their hashes.
struct Part<'a> {
    job: &'a Job<'a>,
    file: File,
    loaded: u64,
    hasher: Hasher,
    /// More bytes came than the file has.
    overlong: bool,
}

impl<'a> Part<'a> {
    fn resume(job: &'a Job<'a>, mut file: File, cancel: &Cancel) -> Result<Self> {
        let length = file
            .metadata()
            .context(ErrorKind::Download, || unwritable(job.part))?
            .len();
        let mut hasher = Hasher::new(&job.facts.digest, job.facts.size);
        let loaded = if length <= job.facts.size {
            hasher.update_from(&mut file, cancel)?
        } else {
            0
        };
        let mut part = Self {
            job,
            file,
            loaded,
            hasher,
            overlong: false,
        };
        if length > job.facts.size {
            part.restart()?;
        }
        Ok(part)
    }

    fn restart(&mut self) -> Result<()> {
        self.loaded = 0;
        self.overlong = false;
        self.hasher = Hasher::new(&self.job.facts.digest, self.job.facts.size);
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .context(ErrorKind::Download, || unwritable(self.job.part))?;
        Ok(())
    }

    fn complete(&mut self, client: &Client, cancel: &Cancel, progress: &mut dyn FnMut(u64)) -> Result<()> {
        progress(self.loaded);
        if self.loaded == self.job.facts.size {
            return Ok(());
        }
        let size = self.job.facts.size;
        let mut most = self.loaded;
        let completed = client.persist(|| {
            let outcome = self.attempt(client, cancel, progress);
            // A server that always begins anew brings nothing new.
            let fruitful = self.loaded > most;
            most = most.max(self.loaded);
            match outcome {
                Ok(()) if self.loaded == size => Ok(()),
                Ok(()) => Err((
                    Failure::passing(format!(
                        "{} ended after {} of {size} bytes",
                        self.job.name, self.loaded
                    )),
                    fruitful,
                )),
                Err(failure) => Err((failure, fruitful)),
            }
        });
        completed.map_err(|failure| failure.error)
    }

    fn attempt(
        &mut self,
        client: &Client,
        cancel: &Cancel,
        progress: &mut dyn FnMut(u64),
    ) -> std::result::Result<(), Failure> {
        let (name, size) = (self.job.name, self.job.facts.size);
        let reply = client.send(self.job.address, Ask::Get { from: self.loaded }, name)?;
        let (parts, body) = reply.response.into_parts();
        match parts.status {
            StatusCode::RANGE_NOT_SATISFIABLE => {
                self.restart()?;
                return Err(Failure::passing(format!("{name} could not be resumed")));
            }
            StatusCode::PARTIAL_CONTENT => {
                let range = parts.headers.get(header::CONTENT_RANGE);
                let range = range
                    .and_then(|value| value.to_str().ok())
                    .and_then(content_range);
                if range != Some((self.loaded, size)) {
                    self.restart()?;
                    return Err(Failure::passing(format!(
                        "The server sent a different part of {name} than requested"
                    )));
                }
            }
            // The range was ignored: this is the whole file.
            _ if self.loaded > 0 => self.restart()?,
            _ => {}
        }
        let left = size - self.loaded;
        let promised: Option<u64> = number(&parts.headers, header::CONTENT_LENGTH.as_str());
        if promised.is_some_and(|promised| promised != left) {
            return Err(Failure::passing(format!(
                "Expected {left} more bytes of {name} but the server offers {}",
                promised.unwrap_or_default()
            )));
        }
        // One byte more than there should be tells an overlong file from a whole one.
        let mut reader = body.into_with_config().limit(u64::MAX).reader().take(left + 1);
        let mut buffer = vec![0; CHUNK];
        loop {
            cancel.check()?;
            let read = match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(cause) if cause.kind() == IoKind::Interrupted => continue,
                Err(cause) => return Err(client.broken(cause, name)),
            };
            let room = usize::try_from(size - self.loaded).unwrap_or(usize::MAX);
            self.overlong |= read > room;
            let bytes = buffer.get(..read.min(room)).unwrap_or_default();
            self.file.write_all(bytes).map_err(|cause| self.full(cause))?;
            self.hasher.update(bytes);
            self.loaded += bytes.len() as u64;
            progress(self.loaded);
            if self.overlong {
                return Ok(());
            }
        }
    }

    /// A write that failed. The part of a full disk is deleted: other programs need the room.
    fn full(&self, cause: io::Error) -> Error {
        let no_room = matches!(
            cause.kind(),
            IoKind::StorageFull | IoKind::QuotaExceeded | IoKind::FileTooLarge
        );
        let sentence = if no_room {
            let _ = fs::remove_file(self.job.part);
            format!(
                "There is no space left for {} in {}",
                self.job.name,
                self.job.part.parent().unwrap_or(self.job.part).display()
            )
        } else {
            unwritable(self.job.part)
        };
        Error::new(ErrorKind::Download, sentence).with_source(cause)
    }

    fn verified(&self) -> bool {
        !self.overlong
            && self
                .hasher
                .clone()
                .matches(&self.job.facts.digest, self.job.pinned)
    }
}

/// First byte and size of the whole in `bytes 5-9/10`.
fn content_range(value: &str) -> Option<(u64, u64)> {
    let (range, size) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, size.trim().parse().ok()?))
}
