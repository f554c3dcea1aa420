//! Model folders that were damaged or made to do harm: a typed error or vectors of the right shape, and never a crash, a
//! hang, or a file that is read outside the folder.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../common/mod.rs"]
mod common;
mod damaged;
mod external;
mod graphs;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};

use common::children::each_case;
use common::{config, expand, fixture_json, fixtures, load_config};
use prost::Message;
use prost::bytes::Bytes;
use sentence_embedder::config::{EmbedOptions, EmbedderConfig, Precision};
use sentence_embedder::error::{Error, ErrorKind};
use sentence_embedder::model::onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, attribute_type, data_type,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Every way to load a folder: as it is, by an fp32 copy, by an 8-bit copy.
const WAYS: [(bool, Precision); 3] = [
    (false, Precision::Fp32),
    (true, Precision::Fp32),
    (true, Precision::Int8),
];

const ONNX: &str = "onnx/model.onnx";
const DATA: &str = "onnx/model.onnx_data";

/// Loads `folder` in one of the [`WAYS`] and embeds with it.
///
/// Answers the number of the vectors' dimensions or the error; whatever it is, it must be one that a bad model may have.
fn try_way(folder: &Path, (prepare, precision): (bool, Precision)) -> Result<usize, Error> {
    let cache = tempfile::tempdir().unwrap();
    let asked = EmbedderConfig {
        prepare,
        precision: Some(precision),
        threads: 1,
        cache_dir: Some(cache.path().to_path_buf()),
        ..config(folder, &Value::Null)
    };
    let outcome = load_config(&asked).and_then(|embedder| {
        let texts = [
            "",
            "some text",
            "a longer text of several words, and then more",
            "some text",
        ];
        let result = embedder.embed_blocking(texts.map(str::to_owned).to_vec(), &EmbedOptions::default())?;
        assert_eq!(result.vectors.len(), result.dimension * texts.len());
        assert!(result.vectors.iter().all(|value| value.is_finite()));
        Ok(result.dimension)
    });
    if let Err(error) = &outcome {
        use ErrorKind::{Inference, ModelInvalid, ModelNotFound};
        assert!(
            matches!(error.kind(), ModelInvalid | ModelNotFound | Inference),
            "{prepare} {precision:?}: {} {error}: {:?}",
            error.code(),
            std::error::Error::source(error).map(ToString::to_string),
        );
    }
    outcome
}

/// Loads `folder` in all ways, which must all say the same: usable or not.
fn usable(folder: &Path) -> bool {
    let outcomes = WAYS.map(|way| try_way(folder, way));
    let usable = outcomes[0].is_ok();
    for (outcome, way) in outcomes.iter().zip(WAYS) {
        assert_eq!(
            outcome.is_ok(),
            usable,
            "{way:?} unlike {:?}: {outcome:?}",
            WAYS[0]
        );
    }
    usable
}

fn folder_of(variant: &str) -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = expand(variant, &fixture_json("variants.json")[variant], parent.path());
    (parent, folder)
}

/// The paths of all files of `folder`, relative to it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// The `index`-th of a series of numbers that look random (SplitMix64).
fn random(index: usize) -> u64 {
    let mut z = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Writes the graph of `variant` as `change` leaves it.
fn with_graph(variant: &str, change: impl FnOnce(&mut ModelProto)) -> (TempDir, PathBuf) {
    let (parent, folder) = folder_of(variant);
    change_graph(&folder, change);
    (parent, folder)
}

/// Changes the graph of a model's folder.
fn change_graph(folder: &Path, change: impl FnOnce(&mut ModelProto)) {
    let mut model = ModelProto::decode(Bytes::from(fs::read(folder.join(ONNX)).unwrap())).unwrap();
    change(&mut model);
    fs::write(folder.join(ONNX), model.encode_to_vec()).unwrap();
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}
