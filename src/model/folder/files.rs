//! Finding the files of a model, and reading those of JSON.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// The graph: the file that is `named`, or the one at a usual place.
pub(super) fn find_onnx(folder: &Path, transformer: &Path, named: Option<&str>) -> Result<PathBuf> {
    if let Some(named) = named {
        let inside = Path::new(named)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "Expected a path inside the model's folder for options.modelFile but received {named:?}"
                ),
            ));
        }
    }
    let mut candidates = match named {
        Some(named) => vec![folder.join(named)],
        None => vec![folder.join("onnx/model.onnx"), folder.join("model.onnx")],
    };
    if named.is_none() && transformer != folder {
        candidates.extend([
            transformer.join("onnx/model.onnx"),
            transformer.join("model.onnx"),
        ]);
    }
    let onnx_file = existing(&candidates, "ONNX model")?;
    let beside = onnx_file.parent().map(fs::read_dir).and_then(io::Result::ok);
    for entry in beside.into_iter().flatten().flatten() {
        // The graph can name it as external data, and whoever opened it would wait, or read without end.
        if fs::metadata(entry.path()).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!(
                    "Expected only files and folders beside {} but {} is neither",
                    onnx_file.display(),
                    entry.path().display()
                ),
            ));
        }
    }
    Ok(onnx_file)
}

/// The first of `candidates` that is a file.
pub(super) fn existing(candidates: &[PathBuf], what: &str) -> Result<PathBuf> {
    candidates
        .iter()
        .find(|path| path.is_file())
        .cloned()
        .ok_or_else(|| {
            let looked: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
            Error::new(
                ErrorKind::ModelNotFound,
                format!("The {what} file is missing: looked for {}", looked.join(", ")),
            )
        })
}

/// The parsed file, or `None` where there is none.
pub(super) fn optional_json<T: DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    let text = match fs::metadata(file).and_then(|found| {
        // Reading a pipe or a device would not end.
        if found.is_file() {
            fs::read(file)
        } else {
            Err(io::Error::other("it is not a file"))
        }
    }) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => {
            let sentence = format!("The model's file {} cannot be read", file.display());
            return Err(Error::new(ErrorKind::ModelNotFound, sentence).with_source(cause));
        }
    };
    let parsed = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(&text));
    parsed.map(Some).map_err(|cause| {
        let place = Some(cause.path().to_string()).filter(|place| place != ".");
        let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
        let sentence = format!("{} is not JSON of the expected form{place}", file.display());
        Error::new(ErrorKind::ModelInvalid, sentence).with_source(cause.into_inner())
    })
}
