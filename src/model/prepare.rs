//! Copies of models that load faster, kept in a cache: found by key, verified, made once, bounded in number.
//!
//! A copy is a folder named by its key: the graph, its weights, and a manifest with the hash of each. It is made under
//! another name and renamed when it is whole, so that a process that dies half-way, or a full disk, leaves nothing that
//! is ever loaded. Nothing is flushed to disk for that: a copy that a power cut left torn fails its hash and is made
//! again.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::events::Cancel;
use super::recipe::Recipe;
use super::store::lock::Lock;
use crate::config::{EmbedderConfig, PREPARED_COPIES, PREPARED_FOR, default_threads};
use crate::environment;
use crate::error::{Context, Error, ErrorKind, Result};

/// The graph in a copy.
pub const GRAPH_FILE: &str = "model.onnx";

/// The weights in a copy.
pub const DATA_FILE: &str = "model.onnx.data";

const MANIFEST_FILE: &str = "prepared.json";

/// Extension of a folder in which a copy is being made, and the age at which nobody is at it any more.
const UNFINISHED: &str = "unfinished";
const ABANDONED: Duration = Duration::from_hours(24);

#[derive(PartialEq, Serialize, Deserialize)]
struct Manifest {
    recipe: Recipe,
    /// Where the ONNX file was when the copy was made, without links: whose copy goes when the model does or changes.
    made_from: PathBuf,
    files: Vec<CopyFile>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct CopyFile {
    name: String,
    size: u64,
    xxh3: u64,
}

/// A copy that is there and has the right files of the right sizes.
pub struct Copy {
    folder: PathBuf,
    manifest: Manifest,
}

/// The cache of prepared copies.
pub struct Cache {
    root: PathBuf,
}

impl Copy {
    /// The graph, to be opened without further optimisation.
    #[must_use]
    pub fn graph(&self) -> PathBuf {
        self.folder.join(GRAPH_FILE)
    }

    /// Reads the whole copy and compares its hashes.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when a file was changed, or [`ErrorKind::Aborted`].
    pub fn verify(&self, cancel: &Cancel) -> Result<()> {
        for file in &self.manifest.files {
            let path = self.folder.join(&file.name);
            let changed = || format!("The prepared file {} was changed", path.display());
            if hash(&path, cancel)? != file.xxh3 {
                return Err(Error::new(ErrorKind::ModelInvalid, changed()));
            }
        }
        Ok(())
    }
}

impl Cache {
    /// The cache of `config`, in its `cacheDir` or in this user's folder for caches.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when no folder is named and this user has none.
    pub fn of(config: &EmbedderConfig) -> Result<Self> {
        let root = match &config.cache_dir {
            Some(named) => Some(named.join("prepared")),
            None => {
                let caches = environment::noted().caches.clone();
                caches.map(|caches| caches.join("sentence-embedder").join("prepared"))
            }
        };
        root.map(|root| Self { root }).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "This user has no cache folder: set options.cacheDir to a folder for prepared models",
            )
        })
    }

    /// The copy for `recipe`, if it is there.
    #[must_use]
    pub fn find(&self, recipe: &Recipe) -> Option<Copy> {
        let folder = self.root.join(recipe.key().ok()?);
        let text = fs::read(folder.join(MANIFEST_FILE)).ok()?;
        let manifest: Manifest = serde_json::from_slice(&text).ok()?;
        let whole = manifest.recipe == *recipe
            && manifest.files.iter().any(|file| file.name == GRAPH_FILE)
            && manifest.files.iter().all(|file| {
                fs::metadata(folder.join(&file.name)).is_ok_and(|found| found.len() == file.size)
            });
        if !whole {
            return None;
        }
        // The time of the manifest's last change is the time of the copy's last use. Failing to note it costs only order.
        drop(
            File::options()
                .append(true)
                .open(folder.join(MANIFEST_FILE))
                .and_then(|it| it.set_modified(SystemTime::now())),
        );
        Some(Copy { folder, manifest })
    }

    /// The copy of `onnx_file` for `recipe`, made by `make` in the folder it is given unless another process was faster.
    /// One that was found `broken` is made again.
    ///
    /// # Errors
    /// Those of `make`; [`ErrorKind::ModelNotFound`] or [`ErrorKind::Download`] when the cache cannot be written;
    /// [`ErrorKind::Aborted`].
    pub fn find_or_make(
        &self,
        onnx_file: &Path,
        recipe: &Recipe,
        broken: Option<&Copy>,
        cancel: &Cancel,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Copy> {
        let unwritable = || format!("Prepared models cannot be written to {}", self.root.display());
        let key = recipe.key()?;
        let made_from = fs::canonicalize(onnx_file).context(ErrorKind::ModelNotFound, || {
            format!("{} cannot be found", onnx_file.display())
        })?;
        fs::create_dir_all(&self.root).context(ErrorKind::ModelNotFound, unwritable)?;
        let _lock = Lock::acquire(&self.root.join(format!("{key}.lock")), cancel, || {})?;
        if let Some(copy) = self.find(recipe)
            && broken.is_none_or(|broken| broken.manifest != copy.manifest)
        {
            return Ok(copy);
        }
        let unfinished = self.root.join(&key).with_extension(UNFINISHED);
        let folder = self.root.join(&key);
        // What a process left that died here, and the broken copy.
        remove(&unfinished);
        remove(&folder);
        fs::create_dir(&unfinished).context(ErrorKind::ModelNotFound, unwritable)?;
        let made = make(&unfinished)
            .and_then(|()| write_manifest(&unfinished, recipe, &made_from, cancel))
            .and_then(|()| cancel.check())
            .and_then(|()| fs::rename(&unfinished, &folder).context(ErrorKind::ModelNotFound, unwritable));
        if let Err(error) = made {
            remove(&unfinished);
            return Err(error);
        }
        self.prune(&key, recipe, &made_from);
        self.find(recipe)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "A prepared copy vanished"))
    }

    /// Removes the copies of every model below `folder` and says how many bytes that freed.
    pub fn remove_copies_of(&self, folder: &Path) -> u64 {
        let Ok(folder) = fs::canonicalize(folder) else {
            return 0;
        };
        let mut freed = 0;
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let manifest = fs::read(entry.path().join(MANIFEST_FILE))
                .ok()
                .and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
            if let Some(manifest) = manifest
                && manifest.made_from.starts_with(&folder)
            {
                freed += manifest.files.iter().map(|file| file.size).sum::<u64>();
                remove(&entry.path());
            }
        }
        freed
    }

    /// Removes copies of what the same source was before, those of the others that were not used for long, all but a few, and
    /// what processes that died left.
    fn prune(&self, key: &str, recipe: &Recipe, made_from: &Path) {
        let folders = || {
            let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
            entries.filter(|entry| entry.file_name() != *key && entry.path().is_dir())
        };
        for entry in folders().filter(|entry| entry.path().extension().is_some_and(|it| it == UNFINISHED)) {
            // No process takes that long.
            let age = entry
                .metadata()
                .and_then(|it| it.modified())
                .map(|it| it.elapsed().unwrap_or_default());
            if age.is_ok_and(|age| age > ABANDONED) {
                remove(&entry.path());
            }
        }
        let mut others: Vec<(SystemTime, PathBuf, Option<Manifest>)> = folders()
            .filter_map(|entry| {
                let manifest = entry.path().join(MANIFEST_FILE);
                let used = fs::metadata(&manifest).and_then(|it| it.modified()).ok()?;
                let parsed = fs::read(&manifest)
                    .ok()
                    .and_then(|text| serde_json::from_slice(&text).ok());
                Some((used, entry.path(), parsed))
            })
            .collect();
        others.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
        let outdated = |other: &Option<Manifest>| {
            other
                .as_ref()
                .is_none_or(|other| !other.recipe.has_sources_of(recipe) && other.made_from == made_from)
        };
        for (place, (used, folder, other)) in others.iter().enumerate() {
            let is_spare = place + 1 >= PREPARED_COPIES && used.elapsed().is_ok_and(|age| age > PREPARED_FOR);
            if outdated(other) || is_spare {
                remove(folder);
            }
        }
    }
}

fn write_manifest(folder: &Path, recipe: &Recipe, made_from: &Path, cancel: &Cancel) -> Result<()> {
    let unreadable = || format!("The prepared copy in {} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).context(ErrorKind::Internal, unreadable)? {
        let entry = entry.context(ErrorKind::Internal, unreadable)?;
        files.push(CopyFile {
            name: entry.file_name().to_string_lossy().into_owned(),
            size: entry.metadata().context(ErrorKind::Internal, unreadable)?.len(),
            xxh3: hash(&entry.path(), cancel)?,
        });
    }
    let manifest = Manifest {
        recipe: recipe.clone(),
        made_from: made_from.to_owned(),
        files,
    };
    let text = serde_json::to_vec_pretty(&manifest)
        .context(ErrorKind::Internal, || "A manifest could not be written")?;
    fs::write(folder.join(MANIFEST_FILE), text).context(ErrorKind::ModelNotFound, || {
        format!("Prepared models cannot be written to {}", folder.display())
    })
}

/// Bytes that one thread hashes at a time.
const SEGMENT: u64 = 32 << 20;

/// XXH3 over the XXH3 of each segment of a file, on a few threads: as fast as it can be read, and against accidents, not
/// against attackers, who could as well replace the model itself.
fn hash(path: &Path, cancel: &Cancel) -> Result<u64> {
    let unreadable = |cause: io::Error| {
        // A file that has gone or is nobody's to read makes the copy worthless; of others the next load may know better.
        let kind = match cause.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => ErrorKind::ModelInvalid,
            _ => ErrorKind::ModelNotFound,
        };
        let sentence = format!("The prepared file {} cannot be read", path.display());
        Error::new(kind, sentence).with_source(cause)
    };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    let segments = size.div_ceil(SEGMENT);
    let next = AtomicU64::new(0);
    let work = || {
        let mut digests = Vec::new();
        loop {
            let segment = next.fetch_add(1, Ordering::Relaxed);
            if segment >= segments {
                return Ok(digests);
            }
            cancel.check()?;
            let digest = hash_segment(path, segment).map_err(unreadable)?;
            digests.push((segment, digest));
        }
    };
    let threads = segments.min(default_threads() as u64);
    let shares = thread::scope(|scope| {
        // Where the system gives no more threads, those that are there do the work.
        let helpers: Vec<_> = (1..threads)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let own = work();
        let panicked = || Error::new(ErrorKind::Internal, "A panic stopped hashing a prepared file");
        let share =
            |it: thread::ScopedJoinHandle<'_, Result<Vec<_>>>| it.join().unwrap_or_else(|_| Err(panicked()));
        helpers
            .into_iter()
            .map(share)
            .chain([own])
            .collect::<Result<Vec<_>>>()
    })?;
    let mut digests = shares.concat();
    digests.sort_unstable();
    let mut hasher = Xxh3::new();
    for (_, digest) in digests {
        hasher.update(&u64::to_le_bytes(digest));
    }
    Ok(hasher.digest())
}

fn hash_segment(path: &Path, segment: u64) -> io::Result<u64> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(segment * SEGMENT))?;
    let mut file = file.take(SEGMENT);
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.digest()),
            length => hasher.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}

/// Removes a folder as far as it can be: one that another process has open stays on Windows until the next time.
fn remove(folder: &Path) {
    drop(fs::remove_dir_all(folder));
}
