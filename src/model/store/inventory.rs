//! What the cache holds, and its removal.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::{Repository, is_commit, is_id};
use super::settings::Settings;
use crate::config::EmbedderConfig;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::model::prepare;

/// One model of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedModel {
    /// The id on the hub.
    pub id: String,
    /// Its folder in the cache.
    pub folder: PathBuf,
    /// Bytes on the disk, in all revisions.
    pub size: u64,
    /// The commits that are there, sorted.
    pub revisions: Vec<String>,
    /// Whether a download was cut and can be resumed.
    pub partial: bool,
}

/// The models of `cache` that have an ONNX file or are on their way, by id.
#[must_use]
pub fn list(cache: &Path) -> Vec<CachedModel> {
    let mut models: Vec<_> = entries(cache)
        .into_iter()
        .filter_map(|folder| {
            let name = folder.file_name()?.to_str()?.strip_prefix("models--")?;
            let id = name.replacen("--", "/", 1);
            is_id(&id).then(|| describe(id, folder))
        })
        .filter_map(|(model, usable)| usable.then_some(model))
        .collect();
    models.sort_by(|one, other| one.id.cmp(&other.id));
    models
}

/// Deletes the model `id` from the cache of `config`, with the copies that were prepared of it, and says how many bytes
/// that freed.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] when `id` is none, [`ErrorKind::ModelNotFound`] when the cache does not have it or
/// it cannot be deleted; else as [`Settings::of`].
pub fn remove(config: &EmbedderConfig, id: &str) -> Result<u64> {
    let cache = Settings::of(config)?.cache;
    if !is_id(id) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!("Expected an id like owner/name for the model but received {id:?}"),
        ));
    }
    let repository = Repository::new(&cache, id);
    let (model, _) = describe(id.to_owned(), repository.root().to_path_buf());
    // First, as they are known by the files that they were made of.
    let copies =
        prepare::Cache::of(config).map_or(0, |prepared| prepared.remove_copies_of(repository.root()));
    fs::remove_dir_all(repository.root()).context(ErrorKind::ModelNotFound, || {
        format!("{id} cannot be removed from {}", cache.display())
    })?;
    let _ = fs::remove_dir_all(repository.locks());
    Ok(model.size + copies)
}

/// The model, and whether this library could have a use for it.
fn describe(id: String, folder: PathBuf) -> (CachedModel, bool) {
    let blobs: Vec<u64> = entries(&folder.join("blobs"))
        .iter()
        .filter_map(|blob| blob.symlink_metadata().ok())
        .map(|found| found.len())
        .collect();
    let partial = entries(&folder.join("blobs"))
        .iter()
        .any(|blob| blob.extension().is_some_and(|it| it == "incomplete"));
    let mut copies = 0;
    let mut has_graph = false;
    let mut revisions = Vec::new();
    for snapshot in entries(&folder.join("snapshots")) {
        if let Some(commit) = snapshot.file_name().and_then(|name| name.to_str())
            && is_commit(commit)
        {
            revisions.push(commit.to_owned());
        }
        walk(&snapshot, &mut |file| {
            has_graph |= file.extension().is_some_and(|it| it == "onnx");
            // Without symbolic links, a file is its blob's twin by a hard link, or stands alone.
            if let Ok(found) = file.symlink_metadata()
                && found.is_file()
                && !blobs.contains(&found.len())
            {
                copies += found.len();
            }
        });
    }
    revisions.sort();
    let model = CachedModel {
        id,
        folder,
        size: blobs.iter().sum::<u64>() + copies,
        revisions,
        partial,
    };
    let usable = has_graph || model.partial;
    (model, usable)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in entries(folder) {
        match entry.symlink_metadata() {
            Ok(found) if found.is_dir() => walk(&entry, visit),
            Ok(_) => visit(&entry),
            Err(_) => {}
        }
    }
}
