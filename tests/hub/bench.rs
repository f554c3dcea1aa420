//! A hub and an empty cache, for the tests of the model store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sentence_embedder::error::{Error, ErrorKind, Result};
use sentence_embedder::model::events::{Cancel, LoadEvent, Watch};
use sentence_embedder::model::store::settings::{Patience, Settings};
use sentence_embedder::model::store::{Request, ResolvedModel, Store};
use tempfile::TempDir;

use super::{COMMIT, Hub};

pub const MODEL: &str = "tiny/bert";
pub const ONNX: &str = "onnx/model.onnx";
pub const TOKEN: &str = "hf_neverShownAnywhere";
pub const NEEDED: [&str; 8] = [
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "onnx/model.onnx",
];

/// A hub and an empty cache.
pub struct Bench {
    pub hub: Hub,
    pub cache: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            hub: Hub::start(),
            cache: tempfile::tempdir().unwrap(),
        }
    }

    pub fn settings(&self) -> Settings {
        settings(&self.hub.url, self.cache.path(), false)
    }

    pub fn request(&self) -> Request {
        Request {
            id: MODEL.to_owned(),
            ..Request::default()
        }
    }

    pub fn fetch(&self) -> Result<ResolvedModel> {
        self.fetch_with(&self.request(), &Watch::unwatched())
    }

    pub fn fetch_with(&self, request: &Request, watch: &Watch) -> Result<ResolvedModel> {
        Store::new(self.settings()).resolve(request, watch)
    }

    /// Fetches, and what was told meanwhile.
    pub fn fetch_heard(&self) -> (ResolvedModel, Vec<LoadEvent>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&events);
        let watch = Watch::new(
            Some(Box::new(move |event| listener.lock().unwrap().push(event))),
            Cancel::default(),
        );
        let found = self.fetch_with(&self.request(), &watch).unwrap();
        let heard = std::mem::take(&mut *events.lock().unwrap());
        (found, heard)
    }

    pub fn offline(&self) -> Result<ResolvedModel> {
        Store::new(settings(&self.hub.url, self.cache.path(), true))
            .resolve(&self.request(), &Watch::unwatched())
    }

    /// The file of `path` in `blobs`, or its part.
    pub fn blob(&self, path: &str) -> PathBuf {
        let name = self.hub.file(MODEL, path).etag();
        self.cache.path().join("models--tiny--bert/blobs").join(name)
    }

    pub fn part(&self, path: &str) -> PathBuf {
        let mut name = self.blob(path).into_os_string();
        name.push(".incomplete");
        PathBuf::from(name)
    }

    /// The model is whole, byte for byte, and nothing else was fetched.
    pub fn assert_whole(&self, model: &ResolvedModel) {
        for path in NEEDED {
            let found = fs::read(model.folder.join(path)).unwrap();
            assert_eq!(found, self.hub.file(MODEL, path).bytes, "{path}");
        }
        assert!(!model.folder.join("README.md").exists());
        assert!(!model.folder.join("pytorch_model.bin").exists());
        assert_eq!(model.revision.as_deref(), Some(COMMIT));
        assert_eq!(parts(self.cache.path()), Vec::<PathBuf>::new());
    }

    /// No file of the cache has a name that it does not deserve.
    pub fn assert_valid(&self) {
        let blobs = self.cache.path().join("models--tiny--bert/blobs");
        for blob in fs::read_dir(blobs).into_iter().flatten().flatten() {
            let name = blob.file_name().into_string().unwrap();
            let known = NEEDED
                .iter()
                .map(|path| self.hub.file(MODEL, path))
                .find(|file| name == file.etag());
            match known {
                Some(file) => assert_eq!(fs::read(blob.path()).unwrap(), file.bytes, "{name}"),
                None => assert!(name.ends_with(".incomplete"), "{name}"),
            }
        }
    }
}

pub fn settings(url: &str, cache: &Path, offline: bool) -> Settings {
    let variables = BTreeMap::from([("HF_ENDPOINT", url), ("HF_TOKEN", TOKEN)]);
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Settings {
        patience: Patience {
            connect: Duration::from_secs(2),
            stall: Duration::from_millis(400),
            attempts: 4,
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_secs(3),
        },
        ..Settings::read(Some(cache), Some(offline), &variable).unwrap()
    }
}

/// Files that are not whole yet.
pub fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(parts(&path));
        } else if path
            .extension()
            .is_some_and(|it| it == "incomplete" || it == "tmp")
        {
            found.push(path);
        }
    }
    found
}

/// The error and all its causes, as a log would show them.
pub fn told(error: &Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text += &format!(" / {cause}");
        next = cause.source();
    }
    text
}

pub fn failed(outcome: Result<ResolvedModel>, kind: ErrorKind) -> String {
    let error = outcome.expect_err("it should have failed");
    let text = told(&error);
    assert_eq!(error.kind(), kind, "{text}");
    for secret in [TOKEN, "secret-signature"] {
        assert!(!text.contains(secret), "{text}");
    }
    text
}
