//! Model folders that were damaged or made to do harm: a typed error or vectors of the right shape, and never a crash, a
//! hang, or a file that is read outside the folder.

#![allow(unsafe_code, reason = "makes a pipe")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::children::{each_case, is_thorough};
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

#[test]
fn files_that_are_removed_emptied_cut_or_of_another_model() {
    let whole = ["bert", "xlmr", "external-data"];
    let cases: Vec<_> = whole
        .into_iter()
        .flat_map(|variant| {
            let (_parent, folder) = folder_of(variant);
            let damages = [
                "removed",
                "emptied",
                "half",
                "one byte short",
                "swapped",
                "a folder",
            ];
            files(&folder)
                .into_iter()
                .flat_map(move |file| damages.map(|damage| (variant, file.clone(), damage)))
        })
        .collect();
    each_case(
        "files_that_are_removed_emptied_cut_or_of_another_model",
        cases.len(),
        |index| {
            let (variant, file, damage) = &cases[index];
            let (_parent, folder) = folder_of(variant);
            let path = folder.join(file);
            let content = fs::read(&path).unwrap();
            let shorten = |length: usize| fs::write(&path, &content[..length]).unwrap();
            match *damage {
                "removed" => fs::remove_file(&path).unwrap(),
                "emptied" => shorten(0),
                "half" => shorten(content.len() / 2),
                "one byte short" => shorten(content.len() - 1),
                "swapped" => {
                    let other = if *variant == "xlmr" { "mpnet" } else { "xlmr" };
                    let other = fixtures().join(other).join(file);
                    if other.is_file() {
                        fs::copy(other, &path).unwrap();
                    }
                }
                _ => {
                    fs::remove_file(&path).unwrap();
                    fs::create_dir(&path).unwrap();
                }
            }
            let is_needed = file.ends_with("model.onnx")
                || file.ends_with("model.onnx_data")
                || file.ends_with("tokenizer.json");
            let usable = usable(&folder);
            assert!(
                !usable || !is_needed || *damage == "swapped" || *damage == "one byte short",
                "{variant} was loaded with {} {damage}",
                file.display()
            );
        },
    );
}

#[test]
fn a_real_model_that_is_cut() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/models/all-MiniLM-L6-v2");
    let whole = fs::read(model.join(ONNX)).expect("run `npm run fetch`, which brings the model");
    let parent = tempfile::tempdir().unwrap();
    fs::create_dir(parent.path().join("onnx")).unwrap();
    for file in files(&model).iter().filter(|file| !file.ends_with("model.onnx")) {
        let to = parent.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(model.join(file), to).unwrap();
    }
    for length in [1, 1000, whole.len() / 2, whole.len() - 1] {
        fs::write(parent.path().join(ONNX), &whole[..length]).unwrap();
        assert!(!usable(parent.path()), "{length} bytes of the model were loaded");
    }
}

/// Positions of an ONNX file outside the bytes of its weights, where every byte means something.
fn structure(bytes: &Bytes) -> Vec<usize> {
    let model = ModelProto::decode(bytes.clone()).unwrap();
    let mut is_weight = vec![false; bytes.len()];
    for tensor in &model.graph.unwrap().initializer {
        let raw = &tensor.raw_data;
        if raw.len() > 64 {
            let start = raw.as_ptr() as usize - bytes.as_ptr() as usize;
            is_weight[start..start + raw.len()].fill(true);
        }
    }
    (0..bytes.len())
        .filter(|&position| !is_weight[position])
        .collect()
}

/// Flips a byte of `file` at each of 1,000 positions, or a sample of them, and loads the folder, each time in another way.
fn flip(test: &str, variant: &str, file: &str) {
    let (_parent, folder) = folder_of(variant);
    let whole = Bytes::from(fs::read(folder.join(file)).unwrap());
    let positions = if file == ONNX {
        structure(&whole)
    } else {
        (0..whole.len()).collect()
    };
    let flips = if is_thorough() { 1000 } else { 90 };
    each_case(test, flips, |index| {
        let (_parent, folder) = folder_of(variant);
        let mut bytes = whole.to_vec();
        let random = random(index) as usize;
        // Every fifth one anywhere in the file, weights included.
        let position = if index % 5 == 0 {
            (random >> 8) % bytes.len()
        } else {
            positions[(random >> 8) % positions.len()]
        };
        let change = (random as u8).max(1);
        bytes[position] ^= change;
        fs::write(folder.join(file), bytes).unwrap();
        let way = WAYS[index % WAYS.len()];
        eprintln!("byte {position} of {file} xor {change:#x} in {way:?}");
        drop(try_way(&folder, way));
    });
}

#[test]
fn flipped_bytes_of_a_graph() {
    flip("flipped_bytes_of_a_graph", "bert", ONNX);
}

#[test]
fn flipped_bytes_of_external_data() {
    flip("flipped_bytes_of_external_data", "external-data", DATA);
}

#[test]
fn flipped_bytes_of_a_word_piece_tokenizer() {
    flip(
        "flipped_bytes_of_a_word_piece_tokenizer",
        "bert",
        "tokenizer.json",
    );
}

#[test]
fn flipped_bytes_of_a_unigram_tokenizer() {
    flip("flipped_bytes_of_a_unigram_tokenizer", "xlmr", "tokenizer.json");
}

/// Writes the graph of `variant` as `change` leaves it.
fn with_graph(variant: &str, change: impl FnOnce(&mut ModelProto)) -> (TempDir, PathBuf) {
    let (parent, folder) = folder_of(variant);
    let mut model = ModelProto::decode(Bytes::from(fs::read(folder.join(ONNX)).unwrap())).unwrap();
    change(&mut model);
    fs::write(folder.join(ONNX), model.encode_to_vec()).unwrap();
    (parent, folder)
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

/// Sets an entry of every external tensor's place.
fn place(model: &mut ModelProto, key: &str, value: &str) {
    let external = graph(model).initializer.iter_mut();
    for tensor in external.filter(|tensor| tensor.data_location == 1) {
        tensor.external_data.retain(|entry| entry.key != key);
        tensor.external_data.push(StringStringEntryProto {
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }
}

#[test]
fn external_data_is_never_read_from_outside_the_folder() {
    let secret = tempfile::tempdir().unwrap();
    // Just what the graph wants: whoever reads it gets a working model.
    fs::copy(
        fixtures().join("graphs/external.onnx_data"),
        secret.path().join("data"),
    )
    .unwrap();
    let absolute = secret.path().join("data").display().to_string();
    let hop = format!("sub/../../../{}", absolute.trim_start_matches('/'));
    let locations = [
        absolute.clone(),
        format!("../../../../../../../../../..{absolute}"),
        "../beside".to_owned(),
        "../../beside".to_owned(),
        "./../../beside".to_owned(),
        "sub/../../../beside".to_owned(),
        "..\\..\\beside".to_owned(),
        hop,
        format!("file://{absolute}"),
        "link-to-file".to_owned(),
        "link-to-folder/data".to_owned(),
        "/dev/zero".to_owned(),
        "/proc/self/mem".to_owned(),
        "*/_ORT_MEM_ADDR_/*".to_owned(),
        "nowhere".to_owned(),
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "model.onnx_data\0".to_owned(),
        "x".repeat(100_000),
    ];
    each_case(
        "external_data_is_never_read_from_outside_the_folder",
        locations.len(),
        |index| {
            let location = &locations[index];
            let (parent, folder) = with_graph("external-data", |model| place(model, "location", location));
            fs::remove_file(folder.join(DATA)).unwrap();
            for beside in [folder.join("beside"), parent.path().join("beside")] {
                fs::copy(secret.path().join("data"), beside).unwrap();
            }
            fs::create_dir(folder.join("onnx/sub")).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::symlink;
                symlink(secret.path().join("data"), folder.join("onnx/link-to-file")).unwrap();
                symlink(secret.path(), folder.join("onnx/link-to-folder")).unwrap();
            }
            for way in WAYS {
                let outcome = try_way(&folder, way);
                assert!(outcome.is_err(), "{location} was read in {way:?}");
            }
        },
    );
}

#[cfg(unix)]
#[test]
fn external_data_behind_the_links_of_a_hub_cache_is_read() {
    use std::os::unix::fs::symlink;
    let (parent, folder) = folder_of("external-data");
    let repository = parent.path().join("cache/models--some--model");
    let snapshot = repository.join("snapshots/0123456789012345678901234567890123456789");
    fs::create_dir_all(repository.join("blobs")).unwrap();
    for (number, file) in files(&folder).into_iter().enumerate() {
        let blob = repository.join(format!("blobs/{number:064x}"));
        fs::copy(folder.join(&file), &blob).unwrap();
        let link = snapshot.join(&file);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        let up = "../".repeat(file.components().count() + 1);
        symlink(format!("{up}blobs/{number:064x}"), link).unwrap();
    }
    for way in WAYS {
        try_way(&snapshot, way).unwrap();
    }
}

#[test]
fn places_of_external_data_that_are_not_in_the_file() {
    let places = [
        ("offset", "12800"),
        ("offset", "12801"),
        ("offset", "-1"),
        ("offset", "9223372036854775807"),
        ("offset", "18446744073709551615"),
        ("offset", "99999999999999999999999"),
        ("offset", "1e3"),
        ("offset", "0x10"),
        ("offset", ""),
        ("offset", "words"),
        ("length", "0"),
        ("length", "1"),
        ("length", "-1"),
        ("length", "12801"),
        ("length", "9223372036854775807"),
        ("length", "18446744073709551615"),
        ("length", "words"),
        ("checksum", "no such"),
        ("unknown", "key"),
    ];
    each_case(
        "places_of_external_data_that_are_not_in_the_file",
        places.len(),
        |index| {
            let (key, value) = places[index];
            let (_parent, folder) = with_graph("external-data", |model| place(model, key, value));
            // ONNX Runtime takes a length of 0 for one that is not given.
            let harmless = ["checksum", "unknown"].contains(&key) || (key, value) == ("length", "0");
            for way in WAYS {
                let outcome = try_way(&folder, way);
                assert!(outcome.is_err() || harmless, "{key} {value} was taken in {way:?}");
            }
        },
    );
}

#[cfg(unix)]
#[test]
fn files_that_never_end_or_never_answer() {
    let (_parent, folder) = folder_of("external-data");
    let files = files(&folder);
    each_case("files_that_never_end_or_never_answer", files.len() * 2, |index| {
        let (_parent, folder) = folder_of("external-data");
        let path = folder.join(&files[index / 2]);
        fs::remove_file(&path).unwrap();
        if index % 2 == 0 {
            let name = std::ffi::CString::new(path.display().to_string()).unwrap();
            // SAFETY: the name is a C string.
            assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        } else {
            std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        }
        eprintln!("{}", path.display());
        for way in WAYS {
            drop(try_way(&folder, way));
        }
    });
}

#[test]
fn json_bombs() {
    let names = [
        "config.json",
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "tokenizer_config.json",
        "tokenizer.json",
        "sentence-embedder.json",
    ];
    let nested = |open: &str, close: &str| open.repeat(200_000) + "1" + &close.repeat(200_000);
    let bombs: [(&str, String); 16] = [
        ("arrays in arrays", nested("[", "]")),
        ("objects in objects", nested("{\"version\":", "}")),
        ("arrays that never close", "[".repeat(1_000_000)),
        ("objects that never close", "{\"model\":".repeat(500_000)),
        (
            "a number with a million digits",
            format!("{{\"model_max_length\":{}}}", "9".repeat(1_000_000)),
        ),
        (
            "a number beyond all ranges",
            "{\"model_max_length\":1e999999999,\"vocab_size\":-1e400}".to_owned(),
        ),
        ("a giant array", format!("[{}0]", "0,".repeat(3_000_000))),
        (
            "a giant text",
            format!("{{\"_name_or_path\":\"{}\"}}", "x".repeat(5_000_000)),
        ),
        (
            "one key a hundred thousand times",
            format!("{{{}\"z\":1}}", "\"max_seq_length\":1,".repeat(100_000)),
        ),
        ("half a surrogate pair", "{\"model_type\":\"\\ud800\"}".to_owned()),
        ("null", "null".to_owned()),
        ("a number", "1".to_owned()),
        ("a text", "\"text\"".to_owned()),
        ("nothing but space", " ".repeat(1_000_000)),
        ("zero bytes", "\0".repeat(1000)),
        ("an array of arrays", format!("[{}[]]", "[],".repeat(1_000_000))),
    ];
    each_case("json_bombs", names.len() * bombs.len(), |index| {
        let (name, (about, bomb)) = (names[index % names.len()], &bombs[index / names.len()]);
        eprintln!("{name}: {about}");
        let (_parent, folder) = folder_of("bert");
        fs::write(folder.join(name), bomb).unwrap();
        drop(try_way(&folder, WAYS[index % WAYS.len()]));
    });
}

#[test]
fn numbers_at_the_ends_of_their_ranges() {
    let numbers = [
        json!(0),
        json!(1),
        json!(-1),
        json!(u32::MAX),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!(null),
        json!("8"),
        json!([8]),
    ];
    let places = [
        ("config.json", "/max_position_embeddings"),
        ("config.json", "/pad_token_id"),
        ("config.json", "/vocab_size"),
        ("sentence_bert_config.json", "/max_seq_length"),
        ("tokenizer_config.json", "/model_max_length"),
        ("1_Pooling/config.json", "/word_embedding_dimension"),
        ("tokenizer.json", "/added_tokens/0/id"),
        ("tokenizer.json", "/model/vocab/0/1"),
        ("tokenizer.json", "/model/unk_id"),
        ("tokenizer.json", "/model/max_input_chars_per_word"),
        ("tokenizer.json", "/model/vocab/[UNK]"),
        ("tokenizer.json", "/truncation"),
    ];
    let cases = numbers.len() * places.len() * 2;
    each_case("numbers_at_the_ends_of_their_ranges", cases, |index| {
        let (file, place) = places[index % places.len()];
        let number = &numbers[index / places.len() % numbers.len()];
        let variant = ["bert", "xlmr"][index / places.len() / numbers.len()];
        eprintln!("{variant} {file} {place}: {number}");
        let (_parent, folder) = folder_of(variant);
        let mut value: Value = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
        match value.pointer_mut(place) {
            Some(at) => *at = number.clone(),
            None => value[place.trim_start_matches('/')] = number.clone(),
        }
        fs::write(folder.join(file), value.to_string()).unwrap();
        drop(try_way(&folder, WAYS[index % WAYS.len()]));
    });
}

#[test]
fn tokenizers_that_are_bombs() {
    let replace =
        |content: &str| json!({ "type": "Replace", "pattern": { "String": "e" }, "content": content });
    let split = |pattern: &str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let special = |count: usize| {
        let one = json!({ "SpecialToken": { "id": "[CLS]", "type_id": 0 } });
        json!({ "type": "TemplateProcessing", "single": vec![one; count], "pair": [],
            "special_tokens": { "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] } } })
    };
    let bombs: [(&str, Value); 14] = [
        (
            "normalizer",
            json!({ "type": "Sequence", "normalizers": vec![replace("ee"); 10] }),
        ),
        ("normalizer", replace("")),
        (
            "normalizer",
            json!({ "type": "Replace", "pattern": { "Regex": "(" }, "content": "" }),
        ),
        (
            "normalizer",
            json!({ "type": "Replace", "pattern": { "Regex": "(e|e)*$" }, "content": "x" }),
        ),
        (
            "normalizer",
            json!({ "type": "Precompiled", "precompiled_charsmap": "////////" }),
        ),
        (
            "normalizer",
            json!({ "type": "Precompiled", "precompiled_charsmap": "" }),
        ),
        ("pre_tokenizer", split("([a-z]+)+[A-Z]$")),
        ("pre_tokenizer", split("")),
        ("pre_tokenizer", split("(?R)")),
        ("post_processor", special(100)),
        (
            "post_processor",
            json!({ "type": "TemplateProcessing", "single": [{ "Sequence": { "id": "A", "type_id": 4_000_000_000_u32 } }], "pair": [], "special_tokens": {} }),
        ),
        (
            "post_processor",
            json!({ "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "none", "type_id": 0 } }], "pair": [], "special_tokens": {} }),
        ),
        ("post_processor", json!({ "type": "Sequence", "processors": [] })),
        (
            "model",
            json!({ "type": "BPE", "vocab": { "a": 0, "b": 0 }, "merges": [["a", "b"]] }),
        ),
    ];
    each_case("tokenizers_that_are_bombs", bombs.len() * 2, |index| {
        let (part, bomb) = &bombs[index / 2];
        let (_parent, folder) = folder_of(["bert", "xlmr"][index % 2]);
        let file = folder.join("tokenizer.json");
        let mut value: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        value[part] = bomb.clone();
        eprintln!("{part}: {bomb}");
        fs::write(file, value.to_string()).unwrap();
        drop(try_way(&folder, WAYS[index % WAYS.len()]));
    });
}

/// A change that keeps nothing from outside.
type Change = fn(&mut ModelProto);

/// A change to a graph that makes it absurd.
type Absurdity = (&'static str, Box<dyn Fn(&mut ModelProto)>);

/// Puts a node between the last one and the graph's output.
fn append(model: &mut ModelProto, node: impl FnOnce(String, &str) -> Vec<NodeProto>) {
    let graph = graph(model);
    let output = graph.output[0].name.clone();
    let inner = format!("{output}/inner");
    for made in graph.node.iter_mut().flat_map(|node| &mut node.output) {
        if *made == output {
            made.clone_from(&inner);
        }
    }
    graph.node.extend(node(inner, &output));
}

fn constant(name: &str, dims: Vec<i64>, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims,
        data_type: data_type::INT64,
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// The graph's largest weight.
fn largest(model: &mut ModelProto) -> &mut TensorProto {
    let weights = graph(model).initializer.iter_mut();
    weights.max_by_key(|tensor| tensor.raw_data.len()).unwrap()
}

#[test]
fn widths_that_are_nothing_or_change_with_the_text() {
    let nothing: Change = |model| {
        let bounds = [constant("zero", vec![1], &[0]), constant("axis", vec![1], &[2])];
        graph(model).initializer.extend(bounds);
        append(model, |inner, output| {
            let inputs = [&inner, "zero", "zero", "axis"].map(str::to_owned);
            vec![NodeProto::new("Slice", "", inputs.to_vec(), output)]
        });
    };
    let tokens: Change = |model| {
        append(model, |inner, output| {
            let mut turned = NodeProto::new("Transpose", "", vec![inner.clone()], "turned");
            turned.attribute.push(AttributeProto {
                name: "perm".to_owned(),
                r#type: attribute_type::INTS,
                ints: vec![0, 2, 1],
                ..AttributeProto::default()
            });
            let inputs = vec![inner, "turned".to_owned()];
            vec![turned, NodeProto::new("MatMul", "", inputs, output)]
        });
    };
    for change in [nothing, tokens] {
        let (_parent, folder) = with_graph("bert", change);
        for way in WAYS {
            let refused = try_way(&folder, way).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ModelInvalid, "{way:?}: {refused}");
        }
    }
}

fn absurdities() -> Vec<Absurdity> {
    let mut all: Vec<Absurdity> = Vec::new();
    let shapes: [&[i64]; 12] = [
        &[i64::MAX],
        &[1 << 62, 32],
        &[1 << 40, 1 << 40],
        &[1 << 32, 1 << 32],
        &[-1, 32],
        &[i64::MIN, 32],
        &[0],
        &[256, 0],
        &[1 << 33, 0],
        &[0, 1 << 62],
        &[],
        &[1; 200],
    ];
    for dims in shapes {
        all.push((
            "a weight of this shape",
            Box::new(|model| largest(model).dims = dims.to_vec()),
        ));
        all.push((
            "every weight of this shape",
            Box::new(|model| {
                for tensor in &mut graph(model).initializer {
                    tensor.dims = dims.to_vec();
                }
            }),
        ));
        // As the next two weights in size, which are layers and not tables.
        all.push((
            "a layer of this shape",
            Box::new(|model| {
                let mut weights: Vec<_> = graph(model).initializer.iter_mut().collect();
                weights.sort_by_key(|tensor| std::cmp::Reverse(tensor.raw_data.len()));
                for tensor in weights.into_iter().skip(1).take(2) {
                    tensor.dims = dims.to_vec();
                }
            }),
        ));
        all.push((
            "an output of this shape",
            Box::new(|model| {
                graph(model)
                    .initializer
                    .push(constant("absurd", vec![dims.len() as i64], dims));
                append(model, |inner, output| {
                    vec![NodeProto::new(
                        "Reshape",
                        "",
                        vec![inner, "absurd".to_owned()],
                        output,
                    )]
                });
            }),
        ));
        all.push((
            "an output grown to this shape",
            Box::new(|model| {
                graph(model)
                    .initializer
                    .push(constant("absurd", vec![dims.len() as i64], dims));
                append(model, |inner, output| {
                    vec![NodeProto::new(
                        "Expand",
                        "",
                        vec![inner, "absurd".to_owned()],
                        output,
                    )]
                });
            }),
        ));
    }
    let unknown = |op_type: &'static str, domain: &'static str| -> Absurdity {
        (
            "an unknown operator",
            Box::new(move |model| {
                append(model, |inner, output| {
                    vec![NodeProto::new(op_type, domain, vec![inner], output)]
                });
                model.opset_import.push(OperatorSetIdProto {
                    domain: domain.to_owned(),
                    version: 1,
                });
            }),
        )
    };
    all.push(unknown("StealFiles", "evil.operators"));
    all.push(unknown("StealFiles", ""));
    all.push(unknown("Product", "sentence_embedder"));
    all.push(unknown("Attention", "sentence_embedder"));
    all.push(unknown("Embed", "sentence_embedder"));
    all.push(unknown("NoSuchOperator", "sentence_embedder"));
    for head_size in [0, 16, 32, 1 << 20, i64::MAX, -16] {
        all.push((
            "our attention over what is no projection",
            Box::new(move |model| {
                append(model, |inner, output| {
                    let node = NodeProto::new(
                        "Attention",
                        "sentence_embedder",
                        vec![inner.clone(), inner],
                        output,
                    );
                    vec![
                        node.with_int("head_size", head_size)
                            .with_float("scale", f32::NAN),
                    ]
                });
                model.opset_import.push(OperatorSetIdProto {
                    domain: "sentence_embedder".to_owned(),
                    version: 1,
                });
            }),
        ));
    }
    for alias in ["Identity", "Dropout", "Mul", "Add", "Cast"] {
        all.push((
            "a value that is made of itself",
            Box::new(move |model| {
                let graph = graph(model);
                let at = graph
                    .node
                    .iter()
                    .position(|node| node.op_type == "Softmax")
                    .unwrap_or(3);
                let target = graph.node[at].input[0].clone();
                let other = graph
                    .node
                    .iter()
                    .flat_map(|node| &node.output)
                    .next()
                    .unwrap()
                    .clone();
                for made in graph.node.iter_mut().flat_map(|node| &mut node.output) {
                    if *made == target {
                        *made = "orphan".to_owned();
                    }
                }
                let inputs = |of: &str| match alias {
                    "Mul" | "Add" => vec![of.to_owned(), "half".to_owned()],
                    _ => vec![of.to_owned()],
                };
                graph.initializer.push(TensorProto::inline(
                    "half",
                    data_type::FLOAT,
                    &[],
                    vec![0, 0, 0, 63],
                ));
                graph
                    .node
                    .push(NodeProto::new(alias, "", inputs("circle"), &target));
                graph
                    .node
                    .push(NodeProto::new(alias, "", inputs(&target), "circle"));
                graph
                    .node
                    .push(NodeProto::new(alias, "", inputs(&other), "spare"));
            }),
        ));
    }
    let simple: [(&'static str, Change); 14] = [
        ("no nodes", |model| graph(model).node.clear()),
        ("no inputs", |model| graph(model).input.clear()),
        ("no outputs", |model| graph(model).output.clear()),
        ("no weights", |model| graph(model).initializer.clear()),
        ("no versions of operators", |model| model.opset_import.clear()),
        ("operators of the far future", |model| {
            model.opset_import.iter_mut().for_each(|it| it.version = i64::MAX);
        }),
        ("operators of before all time", |model| {
            model.opset_import.iter_mut().for_each(|it| it.version = i64::MIN);
        }),
        ("a format of the far future", |model| model.ir_version = i64::MAX),
        ("the nodes backwards", |model| graph(model).node.reverse()),
        ("every node twice", |model| {
            let again = graph(model).node.clone();
            graph(model).node.extend(again);
        }),
        ("one name for all values", |model| {
            for node in &mut graph(model).node {
                node.output
                    .iter_mut()
                    .for_each(|output| *output = "same".to_owned());
            }
        }),
        ("a chain of twenty thousand", |model| {
            append(model, |inner, output| {
                let name = |i: usize| {
                    if i == 0 {
                        inner.clone()
                    } else {
                        format!("link {i}")
                    }
                };
                let mut chain: Vec<_> = (0..20_000)
                    .map(|i| NodeProto::new("Identity", "", vec![name(i)], &name(i + 1)))
                    .collect();
                chain.push(NodeProto::new("Identity", "", vec![name(20_000)], output));
                chain
            });
        }),
        ("graphs in graphs", |model| {
            let mut inner = GraphProto::default();
            for _ in 0..300 {
                let node = NodeProto {
                    op_type: "If".to_owned(),
                    attribute: vec![AttributeProto {
                        name: "then_branch".to_owned(),
                        g: Some(inner),
                        r#type: 5,
                        ..AttributeProto::default()
                    }],
                    ..NodeProto::default()
                };
                inner = GraphProto {
                    node: vec![node],
                    ..GraphProto::default()
                };
            }
            graph(model).node.extend(inner.node);
        }),
        ("attributes of other types", |model| {
            for attribute in graph(model).node.iter_mut().flat_map(|node| &mut node.attribute) {
                attribute.r#type = if attribute.r#type == attribute_type::INTS {
                    attribute_type::STRING
                } else {
                    attribute_type::INTS
                };
            }
        }),
    ];
    all.extend(simple.map(|(about, change)| (about, Box::new(change) as Box<dyn Fn(&mut ModelProto)>)));
    for size in [0, 1, -1, i64::MAX, i64::MIN] {
        all.push((
            "every whole-number constant the same",
            Box::new(move |model| {
                for tensor in &mut graph(model).initializer {
                    if tensor.data_type == data_type::INT64 {
                        let count = tensor.raw_data.len() / 8 + tensor.int64_data.len();
                        tensor.int64_data.clear();
                        tensor.raw_data = size.to_le_bytes().repeat(count).into();
                    }
                }
            }),
        ));
        all.push((
            "every attribute the same",
            Box::new(move |model| {
                for attribute in graph(model).node.iter_mut().flat_map(|node| &mut node.attribute) {
                    attribute.i = size;
                    attribute.ints.iter_mut().for_each(|it| *it = size);
                }
            }),
        ));
    }
    for kind in [0, 2, 7, 8, 10, 16, 21, 99, -1] {
        all.push((
            "weights of another type",
            Box::new(move |model| {
                for tensor in &mut graph(model).initializer {
                    tensor.data_type = kind;
                }
            }),
        ));
    }
    all
}

#[test]
fn graphs_that_are_absurd() {
    let absurdities = absurdities();
    let variants = ["bert", "mpnet"];
    let cases = absurdities.len() * variants.len();
    each_case("graphs_that_are_absurd", cases, |index| {
        let (about, change) = &absurdities[index / variants.len()];
        eprintln!("{about}");
        let (_parent, folder) = with_graph(variants[index % variants.len()], change);
        let first = index / variants.len() % WAYS.len();
        let ways = if is_thorough() {
            0..WAYS.len()
        } else {
            first..first + 1
        };
        for &way in &WAYS[ways] {
            eprintln!("{way:?}");
            drop(try_way(&folder, way));
        }
    });
}
