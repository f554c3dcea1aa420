//! Whatever comes in: folders, texts and graphs that nobody would write. PROPTEST_CASES says how many of each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::HashSet;
use std::fs;
use std::sync::{Arc, mpsc};

use common::{config, embed, expand, fixtures, load, load_config};
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;
use sentence_embedder::config::{EmbedderConfig, Precision};
use sentence_embedder::error::ErrorKind;
use sentence_embedder::model::events::Cancel;
use sentence_embedder::model::graph::{Graph, needed};
use sentence_embedder::model::onnx::{ModelProto, NodeProto, TensorProto};
use sentence_embedder::model::prepare::GRAPH_FILE;
use sentence_embedder::model::rewrite::{Form, rewrite};
use sentence_embedder::model::source::Source;
use sentence_embedder::model::writer::write_model;
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

const NAMES: [&str; 3] = ["bert", "xlmr", "mpnet"];

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
    static EMBEDDERS: [Arc<Embedder>; 3] = NAMES.map(load);
    static MODELS: [ModelProto; 3] = NAMES
        .map(|name| {
            let bytes = fs::read(fixtures().join(name).join("onnx/model.onnx")).unwrap();
            ModelProto::decode(prost::bytes::Bytes::from(bytes)).unwrap()
        });
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
    fn whatever_a_graph_is_its_parts_are_found(model in any::<Index>(), changes in changes()) {
        let model = changed(&model, changes);
        let graph = model.graph.as_ref().unwrap();
        let output = &graph.output[0].name;
        let indexed = Graph::new(graph);
        for value in parts::divide(&indexed, output).keys() {
            prop_assert!(indexed.maker(value).is_some(), "{value} is not of the graph");
        }
        let mut made = HashSet::new();
        for node in needed(graph.node.clone(), &[output]) {
            prop_assert!(!node.output.iter().any(|output| made.contains(output)), "{} twice", node.name);
            made.extend(node.output);
        }
    }

    #[test]
    fn whatever_a_graph_is_its_copy_is_whole(
        model in any::<Index>(), changes in changes(), eight_bits in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let model = changed(&model, changes);
        let output = model.graph.as_ref().unwrap().output[0].name.clone();
        let original = folder.path().join("original.onnx");
        write_model(&model, &original).unwrap();
        let form = if eight_bits { Form::Int8 { examples: &[], threads: 1 } } else { Form::Fp32 };
        match rewrite(&original, &output, form, folder.path(), &Cancel::default()) {
            // Opening checks every tensor against the file of weights.
            Ok(summary) => {
                prop_assert!(summary.products > 0);
                let copy = Source::open(&folder.path().join(GRAPH_FILE)).unwrap().model.graph.unwrap();
                let reads: HashSet<&str> = copy.node.iter().flat_map(NodeProto::reads).collect();
                let known: HashSet<&str> = copy.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
                let old = model.graph.as_ref().unwrap();
                for tensor in old.initializer.iter().filter(|tensor| reads.contains(tensor.name.as_str())) {
                    prop_assert!(known.contains(tensor.name.as_str()), "{} is lost", tensor.name);
                }
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::ModelInvalid, "{}", error),
        }
    }
}

proptest! {
    // A hundred times as dear as the others: it opens each model, mostly several ways, and embeds with it.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.div_ceil(100)))]

    #[test]
    fn whatever_a_graph_is_it_embeds_or_says_why_not(
        model in any::<Index>(), changes in changes(), eight_bits in any::<bool>(),
    ) {
        let parent = tempfile::tempdir().unwrap();
        let folder = expand("any", &json!({ "base": model.get(&NAMES) }), parent.path());
        write_model(&changed(&model, changes), &folder.join("onnx/model.onnx")).unwrap();
        let config = EmbedderConfig {
            precision: Some(if eight_bits { Precision::Int8 } else { Precision::Fp32 }),
            cache_dir: Some(parent.path().join("cache")),
            ..config(&folder, &Value::Null)
        };
        let kinds = [ErrorKind::ModelInvalid, ErrorKind::Inference];
        match load_config(&config).and_then(|embedder| embed(&embedder, &["Two words.".to_owned()])) {
            Ok(vectors) => prop_assert_eq!(vectors.len(), 1),
            Err(error) => prop_assert!(kinds.contains(&error.kind()), "{:?}: {}", error.kind(), error),
        }
    }
}

/// Places in a graph, and what happens there.
type Changes = Vec<(Index, Index, u8)>;

fn changes() -> impl Strategy<Value = Changes> {
    prop::collection::vec((any::<Index>(), any::<Index>(), 0..8_u8), 1..6)
}

/// A model with nodes that read, make or are something else, and tensors of another shape or type.
fn changed(model: &Index, changes: Changes) -> ModelProto {
    let mut model = MODELS.with(|models| model.get(models).clone());
    let graph = model.graph.as_mut().unwrap();
    for (at, from, kind) in changes {
        let place = at.index(graph.node.len());
        let other = graph.node[from.index(graph.node.len())].clone();
        let node = &mut graph.node[place];
        match kind {
            0 if !node.input.is_empty() => *node.input.last_mut().unwrap() = from.get(&other.output).clone(),
            1 if !node.input.is_empty() => node.input[0] = from.get(&other.output).clone(),
            2 if !node.output.is_empty() => node.output[0] = from.get(&other.output).clone(),
            3 => node.op_type = other.op_type,
            4 => node.input.truncate(from.index(node.input.len() + 1)),
            5 => at.get_mut(&mut graph.initializer).dims.reverse(),
            6 => {
                *at.get_mut(&mut graph.initializer) = TensorProto {
                    name: at.get(&graph.initializer).name.clone(),
                    ..from.get(&graph.initializer).clone()
                }
            }
            _ => node.attribute.clear(),
        }
    }
    model
}
