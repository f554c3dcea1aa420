//! Brings the files of one commit into its snapshot: what is missing, once, if there is room.

use std::time::Instant;

use super::digest::Digest;
use super::download::{self, Job};
use super::http::Client;
use super::hub::{self, Facts, Listing};
use super::lock::Lock;
use super::retry::Failure;
use super::{Search, files};
use crate::config::PROGRESS_INTERVAL;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog;
use crate::model::events::{LoadEvent, Watch};

/// Bytes of the largest file that comes before anything is counted or told.
const MAX_AHEAD: u64 = 4 << 20;

/// One file of a commit, and what it must be.
struct Plan {
    file: String,
    facts: Facts,
    pinned: Option<&'static str>,
}

/// Fetches the files of one commit.
pub struct Fetcher<'a> {
    /// What is searched for.
    pub search: &'a Search<'a>,
    /// The way to the hub.
    pub client: &'a Client,
    /// What the commit has.
    pub listing: &'a Listing,
    /// Where the progress is told.
    pub watch: &'a Watch,
}

impl Fetcher<'_> {
    /// What `file` must be.
    ///
    /// # Errors
    /// Of kind `Download` or `Aborted`.
    fn plan(&self, file: &str) -> Result<Plan> {
        let (id, commit) = (&self.search.request.id, &self.listing.commit);
        let facts = match self.listing.files.get(file) {
            Some(Some(facts)) => facts.clone(),
            _ => hub::facts(self.client, id, commit, file)?,
        };
        let pinned = self.search.pinned(commit, file);
        let differs = |pinned: catalog::PinnedFile| {
            let large = matches!(&facts.digest, Digest::Sha256(name) if name != pinned.sha256);
            pinned.size != facts.size || large
        };
        if pinned.is_some_and(differs) {
            return Err(Failure::lasting(format!(
                "{file} of {id} on the hub differs from the one that this library knows for that commit"
            ))
            .error);
        }
        Ok(Plan {
            file: file.to_owned(),
            facts,
            pinned: pinned.map(|pinned| pinned.sha256),
        })
    }

    /// Whether the file is in its snapshot, with the right length. Its hash was checked when it came.
    fn is_here(&self, plan: &Plan) -> bool {
        let Some(name) = files::relative(&plan.file) else {
            return false;
        };
        let pointer = self.search.repository.snapshot(&self.listing.commit).join(name);
        pointer
            .metadata()
            .is_ok_and(|found| found.is_file() && found.len() == plan.facts.size)
    }

    /// Gets a file that says which others there are into the snapshot, unless it is large: so all that is to come can be
    /// counted. Says whether nothing had to be fetched.
    ///
    /// # Errors
    /// Of kind `Download` or `Aborted`.
    pub fn bring_ahead(&self, file: &str) -> Result<bool> {
        let plan = self.plan(file)?;
        let stays = plan.facts.size > MAX_AHEAD || self.is_here(&plan);
        if !stays {
            self.bring(&plan, &mut |_| {})?;
        }
        Ok(stays)
    }

    /// Gets the `files` that are not there yet into the snapshot, telling of the progress. Says whether nothing had to be
    /// fetched.
    ///
    /// # Errors
    /// Of kind `Download` or `Aborted`.
    pub fn bring_all(&self, files: &[String]) -> Result<bool> {
        let mut plans: Vec<_> = files.iter().map(|file| self.plan(file)).collect::<Result<_>>()?;
        plans.retain(|plan| !self.is_here(plan));
        if plans.is_empty() {
            return Ok(true);
        }
        self.check_room(&plans)?;
        let total: u64 = plans.iter().map(|plan| plan.facts.size).sum();
        self.watch.tell(LoadEvent::DownloadStarted {
            model: self.search.request.id.clone(),
            files: plans.len(),
            total,
        });
        let mut before = 0;
        let mut last: Option<Instant> = None;
        for plan in &plans {
            let size = plan.facts.size;
            let mut told = None;
            self.bring(plan, &mut |loaded| {
                // The first and the last of a file are always told, so that a screen names what it waits for.
                let due = last.is_none_or(|last| last.elapsed() >= PROGRESS_INTERVAL);
                if told != Some(loaded) && (due || told.is_none() || loaded == size) {
                    (last, told) = (Some(Instant::now()), Some(loaded));
                    self.watch.tell(LoadEvent::DownloadProgress {
                        file: plan.file.clone(),
                        loaded,
                        total: size,
                        overall: (before + loaded) as f64 / total.max(1) as f64,
                    });
                }
            })?;
            before += size;
        }
        Ok(false)
    }

    /// Gets one file into its snapshot, waiting for whoever fetches it already.
    ///
    /// # Errors
    /// Of kind `Download` or `Aborted`.
    fn bring(&self, plan: &Plan, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let repository = &self.search.repository;
        let (blob, part) = (
            repository.blob(&plan.facts.digest),
            repository.part(&plan.facts.digest),
        );
        let cancel = self.watch.cancel();
        let _lock = Lock::acquire(&repository.lock(&plan.facts.digest), cancel, || {
            if let Ok(part) = part.metadata() {
                progress(part.len().min(plan.facts.size));
            }
        })?;
        let whole = blob.metadata().is_ok_and(|found| found.len() == plan.facts.size);
        if !whole {
            let id = &self.search.request.id;
            let job = Job {
                name: &format!("{} of {id}", plan.file),
                address: &hub::file_address(self.client, id, &self.listing.commit, &plan.file),
                facts: &plan.facts,
                pinned: plan.pinned,
                part: &part,
                blob: &blob,
            };
            download::fetch(self.client, &job, cancel, progress)?;
        }
        progress(plan.facts.size);
        repository.link(
            &self.listing.commit,
            &plan.file,
            &plan.facts.digest,
            self.search.settings.symlinks,
        )
    }

    /// Refuses what cannot fit before the first byte is fetched.
    fn check_room(&self, plans: &[Plan]) -> Result<()> {
        let repository = &self.search.repository;
        let needed: u64 = plans
            .iter()
            .map(|plan| {
                let here = [
                    repository.part(&plan.facts.digest),
                    repository.blob(&plan.facts.digest),
                ]
                .iter()
                .filter_map(|file| file.metadata().ok())
                .map(|found| found.len())
                .max();
                plan.facts.size.saturating_sub(here.unwrap_or(0))
            })
            .fold(0, u64::saturating_add);
        let cache = &self.search.settings.cache;
        let free = cache
            .ancestors()
            .find(|folder| folder.is_dir())
            // Some network file systems do not tell: then the download shows it.
            .and_then(|folder| fs4::available_space(folder).ok());
        match free {
            Some(free) if free < needed => Err(Error::new(
                ErrorKind::Download,
                format!(
                    "{} needs {} MB in {}, where {} MB are free",
                    self.search.request.id,
                    needed.div_ceil(1_000_000),
                    cache.display(),
                    free / 1_000_000,
                ),
            )),
            _ => Ok(()),
        }
    }
}
