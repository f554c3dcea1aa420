//! Every model folder of the fixtures: those that load give the reference vectors, the others say why they do not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::error::Error as StdError;

use common::{config, embed, expand, fixture_json, fixtures, load, load_config};
use proptest::prelude::*;
use sentence_embedder::error::{Error, ErrorKind};
use sentence_embedder::pipeline::embedder::Embedder;
use sentence_embedder::pipeline::session::Readout;
use serde_json::Value;

fn texts(reference: &Value) -> Vec<String> {
    reference["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn whole_chain(error: &Error) -> String {
    let mut sentences = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        sentences += &format!(" <- {cause}");
        next = cause.source();
    }
    sentences
}

fn largest_difference(vectors: &[Vec<f32>], expected: &[&Value]) -> f64 {
    assert_eq!(vectors.len(), expected.len());
    let pairs = vectors.iter().zip(expected).flat_map(|(vector, expected)| {
        let expected = expected.as_array().unwrap();
        assert_eq!(vector.len(), expected.len());
        vector.iter().zip(expected)
    });
    pairs
        .map(|(got, expected)| (f64::from(*got) - expected.as_f64().unwrap()).abs())
        .fold(0.0, f64::max)
}

#[test]
fn folders_that_load_give_the_reference_vectors() {
    let parent = tempfile::tempdir().unwrap();
    let reference = fixture_json("reference.json");
    let texts = texts(&reference);
    let mut loaded = 0;
    for (name, variant) in fixture_json("variants.json").as_object().unwrap() {
        let Some(expected) = variant.get("loads") else {
            continue;
        };
        let folder = expand(name, variant, parent.path());
        let embedder = load_config(&config(&folder, &expected["options"]))
            .unwrap_or_else(|error| panic!("{name}: {}", whole_chain(&error)));
        let info = embedder.info();
        assert_eq!(
            info.dimension as u64,
            expected["info"]["dimension"].as_u64().unwrap(),
            "{name}"
        );
        assert_eq!(
            info.spec.max_tokens.value as u64,
            expected["info"]["maxTokens"].as_u64().unwrap(),
            "{name}"
        );
        if let (Some(pooling), Readout::Pool(used)) = (expected["info"]["pooling"].as_str(), info.readout) {
            assert_eq!(used.name(), pooling, "{name}");
        }
        if let Some(normalize) = expected["info"]["normalize"].as_bool() {
            assert_eq!(info.spec.normalize.value, normalize, "{name}");
        }
        loaded += 1;
        let Some(reference_name) = expected["reference"].as_str() else {
            continue;
        };
        let wanted = &reference["references"][reference_name];
        let vectors: Vec<&Value> = wanted["vectors"].as_array().unwrap().iter().collect();
        let kind = if info.spec.normalize.value {
            "normalized"
        } else {
            "raw"
        };
        let tolerance = reference["tolerance"][kind]["max_abs"].as_f64().unwrap();
        for size in [1, 7, texts.len()] {
            let mut got = Vec::new();
            for chunk in texts.chunks(size) {
                got.extend(embed(&embedder, chunk).unwrap());
            }
            let difference = largest_difference(&got, &vectors);
            assert!(
                difference <= tolerance,
                "{name} in batches of {size}: {difference:e}"
            );
        }
        let (reversed, backwards): (Vec<_>, Vec<_>) = texts.iter().cloned().zip(vectors).rev().unzip();
        let difference = largest_difference(&embed(&embedder, &reversed).unwrap(), &backwards);
        assert!(difference <= tolerance, "{name} reversed: {difference:e}");

        let counts =
            &reference["encodings"][wanted["encoding"].as_str().unwrap()]["token_counts_before_truncation"];
        let result = embedder
            .embed_blocking(texts.clone(), &Default::default())
            .unwrap();
        let limit = info.spec.max_tokens.value as u64;
        for (index, count) in counts.as_array().unwrap().iter().enumerate() {
            let count = count.as_u64().unwrap();
            assert_eq!(
                u64::from(result.token_counts[index]),
                count,
                "{name}: texts[{index}]"
            );
            assert_eq!(result.truncated[index], count > limit, "{name}: texts[{index}]");
        }
    }
    assert!(loaded >= 17, "variants.json lost folders that load: {loaded}");
}

#[test]
fn folders_that_cannot_be_honoured_are_refused_with_what_was_found() {
    let parent = tempfile::tempdir().unwrap();
    let mut refused = 0;
    for (name, variant) in fixture_json("variants.json").as_object().unwrap() {
        let Some(expected) = variant.get("refused") else {
            continue;
        };
        let folder = expand(name, variant, parent.path());
        let Err(error) = load_config(&config(&folder, &expected["options"])) else {
            panic!("{name} was loaded");
        };
        let said = whole_chain(&error);
        assert_eq!(error.code(), expected["code"].as_str().unwrap(), "{name}: {said}");
        for part in expected["names"].as_array().unwrap() {
            assert!(
                said.contains(part.as_str().unwrap()),
                "{name}: no {part} in: {said}"
            );
        }
        refused += 1;
    }
    assert!(
        refused >= 30,
        "variants.json lost folders that are refused: {refused}"
    );
    assert_eq!(
        embed(&load("bert"), &["the next load works".to_owned()])
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_default_prompt_is_put_before_every_text() {
    let parent = tempfile::tempdir().unwrap();
    let variant = fixture_json("variants.json")["default-prompt"].clone();
    let prompt = "query: ";
    let mut prompted = variant.clone();
    prompted["write"] = serde_json::json!({ "config_sentence_transformers.json":
        { "prompts": { "query": prompt }, "default_prompt_name": "query" } });
    let folder = expand("prompted", &prompted, parent.path());
    let with = load_config(&config(&folder, &Value::Null)).unwrap();
    let text = "hello world".to_owned();
    let expected = embed(&load("bert"), &[format!("{prompt}{text}")]).unwrap();
    assert_eq!(embed(&with, std::slice::from_ref(&text)).unwrap(), expected);
    assert_ne!(embed(&load("bert"), &[text]).unwrap(), expected);

    prompted["write"]["config_sentence_transformers.json"]["default_prompt_name"] = "passage".into();
    let folder = expand("unknown-prompt", &prompted, parent.path());
    let error = load_config(&config(&folder, &Value::Null)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ModelInvalid);
    assert!(error.to_string().contains("passage"), "{error}");
}

#[test]
fn a_default_prompt_that_pooling_should_leave_out_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let load_with = |name: &str, default: Value, include: bool| {
        let folder = serde_json::json!({ "base": "bert", "write": {
            "config_sentence_transformers.json": {
                "prompts": { "query": "query: ", "none": "" }, "default_prompt_name": default },
            "1_Pooling/config.json": { "pooling_mode_mean_tokens": true, "include_prompt": include } } });
        load_config(&config(&expand(name, &folder, parent.path()), &Value::Null))
    };
    let error = load_with("left-out", "query".into(), false).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ModelInvalid);
    assert!(error.to_string().contains("include_prompt"), "{error}");
    load_with("included", "query".into(), true).unwrap();
    load_with("empty", "none".into(), false).unwrap();
    load_with("no-prompt", Value::Null, false).unwrap();
}

#[test]
fn a_folder_of_another_kind_or_none_is_not_found() {
    for model in [fixtures().join("nowhere"), fixtures().join("README.md")] {
        let error = load_config(&config(&model, &Value::Null)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::ModelNotFound, "{error}");
        assert!(
            error.to_string().contains(&model.display().to_string()),
            "{error}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_not_found_with_the_cause() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = expand("locked", &serde_json::json!({ "base": "bert" }), parent.path());
    let file = folder.join("config.json");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&file).is_ok() {
        // This user may read everything (root does): a directory in the file's place cannot be read by anyone.
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
    }
    let error = load_config(&config(&folder, &Value::Null)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ModelNotFound, "{error}");
    assert!(error.source().is_some());
}

#[test]
fn options_beyond_the_model_are_refused_with_its_limit() {
    let mut asked = config(&fixtures().join("bert"), &Value::Null);
    asked.max_tokens = Some(65);
    let error = load_config(&asked).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(
        error.to_string().contains("64") && error.to_string().contains("65"),
        "{error}"
    );
    asked.max_tokens = Some(2);
    let error = load_config(&asked).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    asked.max_tokens = Some(64);
    assert_eq!(load_config(&asked).unwrap().info().spec.max_tokens.value, 64);
    asked.model_file = Some("../bert/onnx/model.onnx".to_owned());
    assert_eq!(
        load_config(&asked).err().unwrap().kind(),
        ErrorKind::InvalidArgument
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_text_has_the_same_vector_alone_and_in_any_company(
        texts in prop::collection::vec("\\PC{0,60}", 1..12),
    ) {
        thread_local! { static EMBEDDER: std::sync::Arc<Embedder> = load("bert"); }
        EMBEDDER.with(|embedder| {
            let together = embed(embedder, &texts).unwrap();
            for (text, vector) in texts.iter().zip(&together) {
                let alone = embed(embedder, std::slice::from_ref(text)).unwrap();
                let difference = alone[0].iter().zip(vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                prop_assert!(difference <= 1e-6, "{text:?}: {difference:e}");
            }
            Ok(())
        })?;
    }
}
