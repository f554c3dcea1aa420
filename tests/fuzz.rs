//! Whatever comes in: folders, texts and graphs that nobody would write. PROPTEST_CASES says how many of each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs;
use std::sync::{Arc, mpsc};

use common::{config, expand, fixtures, load};
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;
use sentence_embedder::error::ErrorKind;
use sentence_embedder::model::graph::{Graph, needed};
use sentence_embedder::model::onnx::ModelProto;
use sentence_embedder::model::{folder, parts};
use sentence_embedder::pipeline::embedder::Embedder;
use serde_json::{Map, Number, Value, json};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|it| Number::from_f64(it).map_or(Value::Null, Value::Number)),
        ".{0,20}".prop_map(Value::String),
        "[./\\\\a-z]{0,12}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec(("[a-z_]{0,12}", inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Files that say what a folder is, with the places that are read of them.
const PLACES: [(&str, &[&str]); 6] = [
    (
        "config.json",
        &[
            "/_name_or_path",
            "/model_type",
            "/max_position_embeddings",
            "/pad_token_id",
            "/vocab_size",
        ],
    ),
    (
        "modules.json",
        &["/0", "/0/path", "/0/type", "/1/path", "/2/type"],
    ),
    (
        "1_Pooling/config.json",
        &[
            "/pooling_mode",
            "/word_embedding_dimension",
            "/pooling_mode_mean_tokens",
        ],
    ),
    (
        "sentence_bert_config.json",
        &["/max_seq_length", "/do_lower_case"],
    ),
    (
        "config_sentence_transformers.json",
        &["/prompts", "/default_prompt_name"],
    ),
    ("tokenizer_config.json", &["/model_max_length"]),
];

fn count(embedder: &Arc<Embedder>, texts: Vec<String>) -> Vec<u32> {
    let (sender, receiver) = mpsc::channel();
    embedder.count_tokens(texts, Box::new(move |result| drop(sender.send(result))));
    receiver.recv().unwrap().unwrap().token_counts
}

thread_local! {
    static FOLDER: tempfile::TempDir = {
        let parent = tempfile::tempdir().unwrap();
        expand("any", &json!({ "base": "bert" }), parent.path());
        parent
    };
    static EMBEDDERS: [Arc<Embedder>; 3] = ["bert", "xlmr", "mpnet"].map(load);
    static MODELS: Vec<ModelProto> = ["bert", "xlmr", "mpnet"]
        .map(|name| {
            let bytes = fs::read(fixtures().join(name).join("onnx/model.onnx")).unwrap();
            ModelProto::decode(prost::bytes::Bytes::from(bytes)).unwrap()
        })
        .to_vec();
}

proptest! {
    #[test]
    fn a_folder_says_what_it_is_or_why_not(file in any::<Index>(), place in any::<Index>(), value in any_json()) {
        FOLDER.with(|parent| {
            let folder = parent.path().join("any");
            let (file, places) = file.get(&PLACES);
            let path = folder.join(file);
            let whole = fs::read(&path).unwrap();
            let mut json: Value = serde_json::from_slice(&whole).unwrap();
            let place = place.get(places);
            match json.pointer_mut(place) {
                Some(at) => *at = value,
                None => json[place.trim_start_matches('/')] = value,
            }
            fs::write(&path, json.to_string()).unwrap();
            let outcome = folder::read(&folder, &config(&folder, &Value::Null));
            fs::write(&path, whole).unwrap();
            if let Err(error) = outcome {
                prop_assert!(matches!(error.kind(), ErrorKind::ModelInvalid | ErrorKind::ModelNotFound), "{error}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn every_text_has_tokens_and_as_many_in_any_company(texts in prop::collection::vec(any::<String>(), 1..8)) {
        EMBEDDERS.with(|embedders| {
            for embedder in embedders {
                let together = count(embedder, texts.clone());
                let alone: Vec<u32> = texts.iter().map(|text| count(embedder, vec![text.clone()])[0]).collect();
                prop_assert_eq!(together, alone);
            }
            Ok(())
        })?;
    }

    #[test]
    fn whatever_a_graph_is_it_is_divided(
        model in any::<Index>(), changes in prop::collection::vec((any::<Index>(), any::<Index>(), 0..6_u8), 1..6),
    ) {
        let mut model = MODELS.with(|models| model.get(models).clone());
        let graph = model.graph.as_mut().unwrap();
        for (at, from, kind) in changes {
            let values: Vec<String> = graph.node.iter().flat_map(|node| node.output.clone()).collect();
            let kinds: Vec<String> = graph.node.iter().map(|node| node.op_type.clone()).collect();
            let place = at.index(graph.node.len());
            let node = &mut graph.node[place];
            match kind {
                0 if !node.input.is_empty() => *node.input.last_mut().unwrap() = from.get(&values).clone(),
                1 if !node.input.is_empty() => node.input[0] = from.get(&values).clone(),
                2 if !node.output.is_empty() => node.output[0] = from.get(&values).clone(),
                3 => node.op_type = from.get(&kinds).clone(),
                4 => node.input.truncate(from.index(node.input.len() + 1)),
                _ => node.attribute.clear(),
            }
        }
        let output = graph.output[0].name.clone();
        let indexed = Graph::new(graph);
        drop(parts::divide(&indexed, &output));
        drop(needed(graph.node.clone(), &[&output]));
    }
}
