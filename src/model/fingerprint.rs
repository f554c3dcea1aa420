//! Names the vector space of a loaded model: two embedders with the same fingerprint give the same vectors.
//!
//! The weights are identified by their content, not by a name or a date, so that a copy of a folder is the same space
//! and another export of the same model is another. A file of up to [`WHOLE`] bytes is hashed in full; of a larger one
//! its length and [`BLOCKS`] blocks, spread evenly from its first byte to its last: 16 MB are read of any file. In 1.1 GB
//! there is a block every 4.3 MB, so every feed-forward matrix of the larger models is sampled. Training changes all
//! of them; two files that differ in a few bytes between the blocks are not told apart.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::folder::ModelSpec;
use super::source;
use super::store::manifest::{self, MadeFrom};
use crate::config::Precision;
use crate::error::{Context, ErrorKind, Result};

/// Blocks that are read of a large file.
const BLOCKS: u64 = 256;

/// Bytes in a block.
const BLOCK: u64 = 64 << 10;

/// Longest file that is hashed in full.
const WHOLE: u64 = BLOCKS * BLOCK;

/// Changes when the way in which a fingerprint is made does, or when a release gives other vectors for the same files.
const VERSION: &str = "sentence-embedder vector space 1";

/// What identifies the files of a model: the part of its fingerprint that takes reading.
pub struct Contents {
    weights: Vec<String>,
    tokenizer: [u8; 32],
}

impl Contents {
    /// Reads the files of `spec`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelNotFound`] when one of the files cannot be read.
    pub fn of(spec: &ModelSpec) -> Result<Self> {
        let tokenizer = fs::read(&spec.tokenizer_file)
            .context(ErrorKind::ModelNotFound, || unreadable(&spec.tokenizer_file))?;
        Ok(Self {
            weights: published_weights(spec)?,
            tokenizer: Sha256::digest(&tokenizer).into(),
        })
    }

    /// The fingerprint of `spec` as it is run: 64 hexadecimal digits. `pooling` is the one that is applied.
    #[must_use]
    pub fn fingerprint(&self, spec: &ModelSpec, pooling: &str, precision: Precision) -> String {
        let mut space = Sha256::new();
        let mut add = |name: &str, value: &[u8]| {
            // Lengths keep neighbours apart: no two lists of parts give the same bytes.
            space.update((name.len() as u64).to_le_bytes());
            space.update(name);
            space.update((value.len() as u64).to_le_bytes());
            space.update(value);
        };
        add("version", VERSION.as_bytes());
        for digest in &self.weights {
            add("weights", &unhex(digest));
        }
        add("tokenizer", &self.tokenizer);
        add("pooling", pooling.as_bytes());
        add("normalize", &[u8::from(spec.normalize.value)]);
        add("max tokens", &(spec.max_tokens.value as u64).to_le_bytes());
        add("precision", precision.name().as_bytes());
        add("lower case", &[u8::from(spec.lower_case)]);
        add("prompt", spec.prompt.as_deref().unwrap_or_default().as_bytes());
        hex(&space.finalize())
    }
}

/// Digests of the weights in a graph and in the files beside it: 64 hexadecimal digits each.
///
/// # Errors
/// [`ErrorKind::ModelNotFound`] when one of the files cannot be read.
pub fn weights(onnx_file: &Path) -> Result<Vec<String>> {
    let files = weight_files(onnx_file).context(ErrorKind::ModelNotFound, || unreadable(onnx_file))?;
    files
        .iter()
        .map(|file| {
            let digest = sample(file).context(ErrorKind::ModelNotFound, || unreadable(file))?;
            Ok(hex(&digest))
        })
        .collect()
}

/// Digests of the published weights of `spec`: its own, unless its manifest tells what these were made from.
fn published_weights(spec: &ModelSpec) -> Result<Vec<String>> {
    let found = weights(&spec.onnx_file)?;
    match manifest::read(&spec.folder)?.and_then(|manifest| manifest.made_from) {
        // Of other weights than those that are there, it tells nothing.
        Some(MadeFrom { published, made }) if made == found => Ok(published),
        _ => Ok(found),
    }
}

fn unreadable(file: &Path) -> String {
    format!("{} cannot be read", file.display())
}

/// The graph and the files beside it that it names, or whose names continue its own, where exporters put weights:
/// `model.onnx_data`, `model.onnx.data`, `model.onnx_data_1`.
fn weight_files(onnx_file: &Path) -> io::Result<Vec<PathBuf>> {
    let name = onnx_file.file_name().unwrap_or_default();
    let folder = match onnx_file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // What is no graph names nothing, and is refused where it is loaded.
    let named = source::locations(onnx_file).unwrap_or_default();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?.file_name();
        if is_data_of(name, &entry) || named.iter().any(|location| entry == location.as_str()) {
            files.push(onnx_file.with_file_name(entry));
        }
    }
    files.sort();
    files.insert(0, onnx_file.to_path_buf());
    Ok(files)
}

fn is_data_of(graph: &OsStr, other: &OsStr) -> bool {
    let (graph, other) = (graph.to_string_lossy(), other.to_string_lossy());
    other
        .strip_prefix(graph.as_ref())
        .is_some_and(|rest| rest.starts_with("_data") || rest.starts_with(".data"))
}

/// The digest of a file's length and content, or of samples of it.
fn sample(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut digest = Sha256::new();
    digest.update(length.to_le_bytes());
    if length <= WHOLE {
        io::copy(&mut file, &mut Sink(&mut digest))?;
    } else {
        let last = length - BLOCK;
        for block in 0..BLOCKS {
            // In two steps, because the product of the two could overflow.
            let (step, rest) = (last / (BLOCKS - 1), last % (BLOCKS - 1));
            file.seek(SeekFrom::Start(block * step + block * rest / (BLOCKS - 1)))?;
            io::copy(&mut (&mut file).take(BLOCK), &mut Sink(&mut digest))?;
        }
    }
    Ok(digest.finalize().into())
}

/// Feeds what is written to a digest.
struct Sink<'a>(&'a mut Sha256);

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that [`hex`] wrote.
fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::onnx::{GraphProto, TensorProto, data_type};
    use super::*;

    fn file_of(length: u64, changes: &[(u64, u8)]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(length).unwrap();
        for (position, byte) in changes {
            file.seek(SeekFrom::Start(*position)).unwrap();
            file.write_all(&[*byte]).unwrap();
        }
        file
    }

    #[test]
    fn a_small_file_is_told_apart_by_any_byte_and_by_its_length() {
        let digest = |length, changes: &[_]| sample(file_of(length, changes).path()).unwrap();
        let plain = digest(1000, &[]);
        assert_eq!(plain, digest(1000, &[]));
        assert_ne!(plain, digest(1001, &[]));
        for position in [0, 499, 999] {
            assert_ne!(plain, digest(1000, &[(position, 1)]));
        }
    }

    #[test]
    fn a_large_file_is_told_apart_by_its_ends_its_length_and_every_stretch() {
        let length = 5 * WHOLE + 12_345;
        let digest = |length, changes: &[_]| sample(file_of(length, changes).path()).unwrap();
        let plain = digest(length, &[]);
        assert_ne!(plain, digest(length + 1, &[]));
        assert_ne!(plain, digest(length, &[(0, 1)]));
        assert_ne!(plain, digest(length, &[(length - 1, 1)]));
        // A change as long as the distance of two blocks meets a block wherever it begins.
        let distance = length / (BLOCKS - 1) + 1;
        for start in [BLOCK, length / 3, length - 2 * distance] {
            let changes: Vec<_> = (start..start + distance).step_by(997).map(|at| (at, 1)).collect();
            assert_ne!(plain, digest(length, &changes), "from {start}");
        }
    }

    #[test]
    fn weights_in_a_file_of_any_name_count() {
        let graph = GraphProto {
            initializer: vec![TensorProto::outside("t", data_type::FLOAT, &[1], "odd", 0, 4)],
            ..GraphProto::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.onnx");
        fs::write(&file, graph.into_file()).unwrap();
        let with = |odd: &[u8]| {
            fs::write(folder.path().join("odd"), odd).unwrap();
            fs::write(folder.path().join("other"), odd).unwrap();
            weights(&file).unwrap()
        };
        assert_eq!(with(b"1234").len(), 2);
        assert_ne!(with(b"1234"), with(b"1235"));
    }

    #[test]
    fn data_of_a_graph_is_known_by_its_name() {
        let is_data = |other: &str| is_data_of(OsStr::new("model.onnx"), OsStr::new(other));
        assert!(is_data("model.onnx_data") && is_data("model.onnx.data") && is_data("model.onnx_data_1"));
        assert!(!is_data("model.onnx") && !is_data("model_fp16.onnx_data") && !is_data("model.onnx.part"));
    }
}
