//! Model folders for tests: the committed tiny models and the variants that are made of them.

#![allow(dead_code)] // Each test program uses some of these.

pub mod children;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sentence_embedder::config::{EmbedOptions, EmbedderConfig, Pooling};
use sentence_embedder::error::Result;
use sentence_embedder::model::events::Watch;
use sentence_embedder::pipeline::embedder::Embedder;
use serde_json::Value;

/// Where the tiny models are.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("__test__/fixtures")
}

/// A JSON file of the fixtures.
pub fn fixture_json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(fixtures().join(name)).unwrap()).unwrap()
}

/// Makes the folder of a variant below `parent`, as variants.json describes it; see the fixtures' README.
pub fn expand(name: &str, variant: &Value, parent: &Path) -> PathBuf {
    let folder = parent.join(name);
    copy_folder(&fixtures().join(variant["base"].as_str().unwrap()), &folder);
    for path in variant["remove"].as_array().into_iter().flatten() {
        let path = folder.join(path.as_str().unwrap());
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
    }
    for (path, from) in variant["copy"].as_object().into_iter().flatten() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(fixtures().join(from.as_str().unwrap()), path).unwrap();
    }
    for (path, content) in variant["write"].as_object().into_iter().flatten() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = content
            .as_str()
            .map_or_else(|| content.to_string(), str::to_owned);
        fs::write(path, text).unwrap();
    }
    for (path, length) in variant["truncate"].as_object().into_iter().flatten() {
        let file = fs::File::options().write(true).open(folder.join(path)).unwrap();
        file.set_len(length.as_u64().unwrap()).unwrap();
    }
    folder
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The configuration for a folder, with a variant's `options` over two threads.
pub fn config(folder: &Path, options: &Value) -> EmbedderConfig {
    EmbedderConfig {
        model: folder.display().to_string(),
        model_file: options["modelFile"].as_str().map(str::to_owned),
        normalize: options["normalize"].as_bool(),
        pooling: options["pooling"]
            .as_str()
            .map(|name| Pooling::ALL.into_iter().find(|it| it.name() == name).unwrap()),
        threads: 2,
        cache_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")),
        ..EmbedderConfig::default()
    }
}

/// Loads what `config` says, unwatched.
pub fn load_config(config: &EmbedderConfig) -> Result<Arc<Embedder>> {
    Embedder::load(config, &Watch::unwatched())
}

/// Loads one of the tiny models.
pub fn load(name: &str) -> Arc<Embedder> {
    load_config(&config(&fixtures().join(name), &Value::Null)).unwrap()
}

/// The vectors of `texts`, one a text.
pub fn embed(embedder: &Arc<Embedder>, texts: &[String]) -> Result<Vec<Vec<f32>>> {
    let result = embedder.embed_blocking(texts.to_vec(), &EmbedOptions::default())?;
    Ok(result
        .vectors
        .chunks(result.dimension)
        .map(<[f32]>::to_vec)
        .collect())
}
