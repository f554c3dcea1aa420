//! A plain folder with a model, for bundling with an app: copied with a list of hashes, and checked against it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ResolvedModel;
use super::cache::{create_parent, unwritable};
use super::digest::{CHUNK, Digest, Hasher};
use super::files;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::model::events::Cancel;

/// The file with the hashes, in the model's folder.
pub const FILE: &str = "sentence-embedder.json";

/// What the folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The id on the hub.
    pub model: String,
    /// The commit of the hub.
    pub revision: String,
    /// Precision of the weights, where it is not the published one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// What the weights were made from, where they are not the published ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<MadeFrom>,
    /// Set until all files are there: such a folder is no model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// Every file of the model.
    pub files: BTreeMap<String, Entry>,
}

/// Which weights were made from which: digests as [`fingerprint`](crate::model::fingerprint) takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFrom {
    /// Of the published weights.
    pub published: Vec<String>,
    /// Of the weights in the folder.
    pub made: Vec<String>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Bytes in it.
    pub size: u64,
    /// SHA-256 of them, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// Copies a model of the cache into `folder`, which is empty, new, or of an earlier export, and writes the manifest.
///
/// # Errors
/// As [`begin`].
pub fn export(model: &ResolvedModel, folder: &Path, cancel: &Cancel) -> Result<Manifest> {
    let mut manifest = begin(model, folder, cancel)?;
    manifest.finish(folder)?;
    Ok(manifest)
}

/// As [`export`], but more is to come: until [`Manifest::finish`] the folder is refused as a model, and taken by the next
/// export.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] when the folder has other content or is not apart from the model's,
/// [`ErrorKind::Download`] when a file cannot be copied, [`ErrorKind::Aborted`].
pub fn begin(model: &ResolvedModel, folder: &Path, cancel: &Cancel) -> Result<Manifest> {
    // A copy onto the model would delete each file before it is read.
    let (source, target) = (resolve_links(&model.folder), resolve_links(folder));
    if source.starts_with(&target) || target.starts_with(&source) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "Expected a folder apart from the model's, {}, to write a copy to, but received {}",
                model.folder.display(),
                folder.display()
            ),
        ));
    }
    let old = read_any(folder)?;
    let occupied = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied && old.is_none() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "Expected a new or empty folder, or one of an earlier run, but {} has other content",
                folder.display()
            ),
        ));
    }
    let mut manifest = Manifest {
        model: model.id.clone().unwrap_or_default(),
        revision: model.revision.clone().unwrap_or_default(),
        precision: None,
        made_from: None,
        unfinished: true,
        files: old.iter().flat_map(|old| old.files.clone()).collect(),
    };
    // Before anything else, with the files that are there: a folder that is left half done cannot pass for a whole one.
    fs::create_dir_all(folder).context(ErrorKind::Download, || unwritable(folder))?;
    manifest.write(folder)?;
    manifest.files.clear();
    for name in &model.files {
        let entry = copy(&model.folder.join(name), &folder.join(name), cancel)?;
        manifest.files.insert(name.clone(), entry);
    }
    for name in old.iter().flat_map(|old| old.files.keys()) {
        if let (false, Some(path)) = (manifest.files.contains_key(name), files::relative(name)) {
            let _ = fs::remove_file(folder.join(path));
        }
    }
    Ok(manifest)
}

/// `path` without links, as far as it exists.
fn resolve_links(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut resolved = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            Component::Normal(name) => {
                resolved.push(name);
                resolved = fs::canonicalize(&resolved).unwrap_or(resolved);
            }
            root => resolved.push(root),
        }
    }
    resolved
}

impl Manifest {
    /// Bytes in all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }

    /// Makes `folder` a model: all its files are there.
    ///
    /// # Errors
    /// [`ErrorKind::Download`] when the manifest cannot be written.
    pub fn finish(&mut self, folder: &Path) -> Result<()> {
        self.unfinished = false;
        self.write(folder)
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let file = folder.join(FILE);
        let text = serde_json::to_string_pretty(self)
            .context(ErrorKind::Internal, || "The manifest cannot be written as JSON")?;
        fs::write(&file, text + "\n").context(ErrorKind::Download, || unwritable(&file))
    }

    /// Lists the files of `folder`'s folder `inner`, which were not copied but made there.
    ///
    /// # Errors
    /// [`ErrorKind::Download`] when a file cannot be read, [`ErrorKind::Aborted`].
    pub fn add(&mut self, folder: &Path, inner: &str, cancel: &Cancel) -> Result<()> {
        let unreadable = || format!("{} cannot be read", folder.join(inner).display());
        for entry in fs::read_dir(folder.join(inner)).context(ErrorKind::Download, unreadable)? {
            let entry = entry.context(ErrorKind::Download, unreadable)?;
            let mut file = File::open(entry.path()).context(ErrorKind::Download, unreadable)?;
            let mut hasher = Hasher::new(&Digest::Sha256(String::new()), 0);
            let size = hasher.update_from(&mut file, cancel)?;
            let name = format!("{inner}/{}", entry.file_name().to_string_lossy());
            let sha256 = hasher.sha256();
            self.files.insert(name, Entry { size, sha256 });
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path, cancel: &Cancel) -> Result<Entry> {
    let failed = || unwritable(to);
    let mut source = File::open(from).context(ErrorKind::Download, || {
        format!("{} cannot be read", from.display())
    })?;
    create_parent(to).context(ErrorKind::Download, failed)?;
    // A new file each time: an old one could be a link to something else.
    let _ = fs::remove_file(to);
    let mut target = File::create(to).context(ErrorKind::Download, failed)?;
    let mut hasher = Hasher::new(&Digest::Sha256(String::new()), 0);
    let mut buffer = vec![0; CHUNK];
    let mut size = 0;
    loop {
        cancel.check()?;
        let read = std::io::Read::read(&mut source, &mut buffer).context(ErrorKind::Download, || {
            format!("{} cannot be read", from.display())
        })?;
        if read == 0 {
            break;
        }
        let bytes = buffer.get(..read).unwrap_or_default();
        target.write_all(bytes).context(ErrorKind::Download, failed)?;
        hasher.update(bytes);
        size += read as u64;
    }
    target.sync_all().context(ErrorKind::Download, failed)?;
    Ok(Entry {
        size,
        sha256: hasher.sha256(),
    })
}

/// The manifest of `folder`, if it has one.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] when it is malformed, or says that the folder is unfinished.
pub fn read(folder: &Path) -> Result<Option<Manifest>> {
    match read_any(folder)? {
        Some(manifest) if manifest.unfinished => Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} was left unfinished: run the command with --out again",
                folder.display()
            ),
        )),
        manifest => Ok(manifest),
    }
}

fn read_any(folder: &Path) -> Result<Option<Manifest>> {
    let file = folder.join(FILE);
    // A pipe or a device would never end.
    if !file.is_file() {
        return Ok(None);
    }
    let Ok(text) = fs::read(&file) else {
        return Ok(None);
    };
    serde_json::from_slice(&text)
        .map(Some)
        .context(ErrorKind::ModelInvalid, || {
            format!("{} is not a manifest of a model", file.display())
        })
}

/// Compares every file of `folder` with its manifest, and sees that it lists all that a load could read instead.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] when there is no manifest, a file differs from it or is missing in it; [`ErrorKind::Download`]
/// when one cannot be read; [`ErrorKind::Aborted`].
pub fn verify(folder: &Path, cancel: &Cancel) -> Result<()> {
    let invalid = |sentence: String| Error::new(ErrorKind::ModelInvalid, sentence);
    let manifest = read(folder)?.ok_or_else(|| {
        invalid(format!(
            "{} has no {FILE} to verify it against; `npx sentence-embedder pull --out` writes one",
            folder.display()
        ))
    })?;
    for (name, entry) in &manifest.files {
        let path = files::relative(name)
            .ok_or_else(|| invalid(format!("{FILE} names {name:?}, which is outside the folder")))?;
        let path = folder.join(path);
        let mut file = File::open(&path).context(ErrorKind::ModelInvalid, || {
            format!("{} cannot be read", path.display())
        })?;
        let mut hasher = Hasher::new(&Digest::Sha256(String::new()), 0);
        let size = hasher.update_from(&mut file, cancel)?;
        if size != entry.size || hasher.sha256() != entry.sha256 {
            return Err(invalid(format!(
                "{} differs from what {FILE} lists",
                path.display()
            )));
        }
    }
    for name in graphs_and_settings(folder, Path::new("")) {
        if !manifest.files.contains_key(&name) && name != FILE {
            return Err(invalid(format!("{FILE} does not list {name}")));
        }
    }
    Ok(())
}

/// The files of which a load takes the first that it finds, below `folder`'s folder `inner`.
fn graphs_and_settings(folder: &Path, inner: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join(inner)).into_iter().flatten().flatten() {
        let name = inner.join(entry.file_name());
        let is_link = entry.file_type().is_ok_and(|it| it.is_symlink());
        if entry.path().is_dir() && !is_link {
            names.extend(graphs_and_settings(folder, &name));
        } else if entry.path().is_dir() || name.extension().is_some_and(|it| it == "onnx" || it == "json") {
            let parts = name.iter().map(|part| part.to_string_lossy());
            names.push(parts.collect::<Vec<_>>().join("/"));
        }
    }
    names
}
