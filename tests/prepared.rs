//! Prepared copies: made once, verified, and whatever happens to them, right vectors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{embed, expand, fixture_json, fixtures};
use sentence_embedder::config::{EmbedderConfig, PREPARED_COPIES, PREPARED_FOR, Pooling, Precision};
use sentence_embedder::error::ErrorKind;
use sentence_embedder::model::events::{Cancel, LoadEvent, Watch};
use sentence_embedder::model::prepare::{DATA_FILE, GRAPH_FILE};
use sentence_embedder::pipeline::embedder::Embedder;
use sentence_embedder::pipeline::export::export;
use serde_json::Value;

/// A load's embedder and what it told, `P` for preparing, `O` for opening, `W` for a warning, `L` for loaded.
fn load(model: &Path, cache: &Path, precision: Precision) -> (Arc<Embedder>, String) {
    let told = Arc::new(Mutex::new(String::new()));
    let events = Arc::clone(&told);
    let on_event = Box::new(move |event| {
        events.lock().unwrap().push(match event {
            LoadEvent::Preparing { .. } => 'P',
            LoadEvent::Loading { .. } => 'O',
            LoadEvent::Warning { message } => {
                eprintln!("{message}");
                'W'
            }
            LoadEvent::ModelLoaded { .. } => 'L',
            _ => '?',
        });
    });
    let config = EmbedderConfig {
        cache_dir: Some(cache.to_path_buf()),
        precision: Some(precision),
        ..common::config(model, &Value::Null)
    };
    let embedder = Embedder::load(&config, &Watch::new(Some(on_event), Cancel::default())).unwrap();
    let told = told.lock().unwrap().clone();
    (embedder, told)
}

/// Least cosine of the embedder's vectors to the fp32 reference of `model`.
fn least_cosine(embedder: &Arc<Embedder>, model: &str) -> f64 {
    let reference = fixture_json("reference.json");
    let texts: Vec<String> = reference["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect();
    let vectors = reference["references"][model]["vectors"].as_array().unwrap();
    let cosines = embed(embedder, &texts)
        .unwrap()
        .into_iter()
        .zip(vectors)
        .map(|(got, expected)| {
            let expected: Vec<f64> = expected
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it.as_f64().unwrap())
                .collect();
            let dot: f64 = got.iter().zip(&expected).map(|(a, b)| f64::from(*a) * b).sum();
            let norm = |squares: f64| squares.sqrt();
            let own: f64 = got.iter().map(|it| f64::from(*it) * f64::from(*it)).sum();
            dot / (norm(own) * norm(expected.iter().map(|it| it * it).sum()))
        });
    cosines.fold(1.0, f64::min)
}

fn copies(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache.join("prepared"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

#[test]
fn a_copy_is_made_once_and_gives_the_models_vectors() {
    for (precision, least) in [(Precision::Fp32, 0.999_999), (Precision::Int8, 0.99)] {
        for model in ["bert", "xlmr", "mpnet"] {
            let cache = tempfile::tempdir().unwrap();
            let folder = fixtures().join(model);
            for expected in ["POL", "OL"] {
                let (embedder, told) = load(&folder, cache.path(), precision);
                assert_eq!(told, expected, "{model}");
                assert_eq!(embedder.info().precision, precision);
                let cosine = least_cosine(&embedder, model);
                assert!(cosine >= least, "{model} in {}: {cosine}", precision.name());
            }
            assert_eq!(copies(cache.path()).len(), 1);
        }
    }
}

#[test]
fn a_model_of_which_nothing_is_recognised_gets_a_copy_from_onnx_runtime() {
    let (cache, models) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let variant = &fixture_json("variants.json")["token-embeddings"];
    let folder = expand("token-embeddings", variant, models.path());
    for expected in ["POL", "OL"] {
        let (embedder, told) = load(&folder, cache.path(), Precision::Fp32);
        assert_eq!(told, expected);
        assert!(least_cosine(&embedder, "token_embeddings") > 0.999_999);
    }
    let graph = fs::read(copies(cache.path())[0].join(GRAPH_FILE)).unwrap();
    // An operator of ours would be named after what it makes.
    for ours in ["/Product", "/Embed", "/Attention"] {
        assert!(!graph.windows(ours.len()).any(|bytes| bytes == ours.as_bytes()));
    }
}

#[test]
fn loads_that_read_another_output_get_a_copy_of_their_own() {
    // Without the pooling's configuration, the graph's own sentence_embedding is read unless a pooling is asked for.
    let models = tempfile::tempdir().unwrap();
    let variant = &fixture_json("variants.json")["sentence-embedding"];
    let folder = expand("sentence-embedding", variant, models.path());
    fs::remove_file(folder.join("modules.json")).unwrap();
    fs::remove_dir_all(folder.join("1_Pooling")).unwrap();
    let vector = |pooling: Option<Pooling>, prepare: bool, cache: &Path| {
        let config = EmbedderConfig {
            pooling,
            prepare,
            cache_dir: Some(cache.to_path_buf()),
            ..common::config(&folder, &Value::Null)
        };
        let embedder = common::load_config(&config).unwrap();
        embed(&embedder, &["some words".to_owned()]).unwrap().remove(0)
    };
    let poolings = [Some(Pooling::Cls), None];
    for order in [[0, 1], [1, 0]] {
        let cache = tempfile::tempdir().unwrap();
        let [first, second] = order.map(|which| {
            let expected = vector(poolings[which], false, cache.path());
            let got = vector(poolings[which], true, cache.path());
            let furthest = expected.iter().zip(&got).map(|(a, b)| (a - b).abs());
            assert!(furthest.fold(0.0, f32::max) < 1e-5, "{:?}", poolings[which]);
            got
        });
        assert_ne!(first, second);
        assert_eq!(copies(cache.path()).len(), 2);
    }
}

#[test]
fn a_copy_does_not_depend_on_the_limit_of_the_caller_that_made_it() {
    for model in ["bert", "xlmr", "mpnet"] {
        let [own, least] = [None, Some(3)].map(|max_tokens| {
            let cache = tempfile::tempdir().unwrap();
            let config = EmbedderConfig {
                max_tokens,
                precision: Some(Precision::Int8),
                cache_dir: Some(cache.path().to_path_buf()),
                ..common::config(&fixtures().join(model), &Value::Null)
            };
            common::load_config(&config).unwrap();
            let copy = &copies(cache.path())[0];
            [GRAPH_FILE, DATA_FILE].map(|file| fs::read(copy.join(file)).unwrap())
        });
        assert!(own == least, "{model}");
    }
}

#[test]
fn an_int8_copy_belongs_to_how_its_examples_became_tokens() {
    let (cache, parent) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = expand("model", &serde_json::json!({ "base": "bert" }), parent.path());
    let prompt = r#"{ "prompts": { "query": "query: " }, "default_prompt_name": "query" }"#;
    let changes: [&dyn Fn(); 3] = [
        &|| fs::write(folder.join("config_sentence_transformers.json"), prompt).unwrap(),
        &|| {
            fs::write(
                folder.join("sentence_bert_config.json"),
                r#"{ "max_seq_length": 4 }"#,
            )
            .unwrap()
        },
        &|| {
            let other = fixtures().join("mpnet/tokenizer.json");
            fs::copy(other, folder.join("tokenizer.json")).unwrap();
        },
    ];
    for precision in Precision::ALL {
        assert_eq!(load(&folder, cache.path(), precision).1, "POL");
    }
    for (number, change) in changes.iter().enumerate() {
        change();
        assert_eq!(
            load(&folder, cache.path(), Precision::Fp32).1,
            "OL",
            "change {number}"
        );
        assert_eq!(
            load(&folder, cache.path(), Precision::Int8).1,
            "POL",
            "change {number}"
        );
    }
}

#[test]
fn a_copy_that_was_changed_is_made_again() {
    for precision in Precision::ALL {
        let cache = tempfile::tempdir().unwrap();
        let model = fixtures().join("xlmr");
        load(&model, cache.path(), precision);
        let damage: [&dyn Fn(&Path); 6] = [
            &|copy| flip(&copy.join(DATA_FILE), 0.5),
            &|copy| flip(&copy.join(DATA_FILE), 0.99),
            &|copy| flip(&copy.join(GRAPH_FILE), 0.3),
            &|copy| {
                fs::File::options()
                    .write(true)
                    .open(copy.join(DATA_FILE))
                    .unwrap()
                    .set_len(1000)
                    .unwrap()
            },
            &|copy| fs::remove_file(copy.join(GRAPH_FILE)).unwrap(),
            &|copy| fs::write(copy.join("prepared.json"), "{}").unwrap(),
        ];
        for (number, damage) in damage.iter().enumerate() {
            damage(&copies(cache.path())[0]);
            let (embedder, told) = load(&model, cache.path(), precision);
            // Damage to the bytes shows while they are opened, what is missing before that.
            let expected = if number < 3 { "OPOL" } else { "POL" };
            assert_eq!(told, expected, "damage {number} in {}", precision.name());
            assert!(least_cosine(&embedder, "xlmr") > 0.99, "damage {number}");
            drop(embedder);
            assert_eq!(
                load(&model, cache.path(), precision).1,
                "OL",
                "damage {number} was not mended"
            );
        }
    }
}

fn flip(file: &Path, place: f64) {
    let mut bytes = fs::read(file).unwrap();
    let at = (bytes.len() as f64 * place) as usize;
    bytes[at] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_copy_of_another_processor_or_version_is_not_used() {
    let cache = tempfile::tempdir().unwrap();
    let model = fixtures().join("bert");
    load(&model, cache.path(), Precision::Fp32);
    let manifest = copies(cache.path())[0].join("prepared.json");
    let mut changed: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    changed["recipe"]["processor"] = "z80".into();
    fs::write(&manifest, changed.to_string()).unwrap();
    let (embedder, told) = load(&model, cache.path(), Precision::Fp32);
    assert_eq!(told, "POL");
    assert!(least_cosine(&embedder, "bert") > 0.999_999);
}

#[test]
fn a_model_that_is_replaced_under_its_name_gets_a_new_copy() {
    let (cache, parent) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let variants = fixture_json("variants.json");
    let folder = expand("token-embeddings", &variants["token-embeddings"], parent.path());
    let text = ["some text".to_owned()];
    let before = embed(&load(&folder, cache.path(), Precision::Fp32).0, &text).unwrap();
    fs::copy(folder.join("onnx/model_alt.onnx"), folder.join("onnx/model.onnx")).unwrap();
    let (embedder, told) = load(&folder, cache.path(), Precision::Fp32);
    assert_eq!(told, "POL");
    assert_ne!(embed(&embedder, &text).unwrap(), before);
    assert_eq!(copies(cache.path()).len(), 1, "the old copy was kept");
}

#[test]
fn a_model_that_lies_elsewhere_at_each_start_has_one_copy() {
    let (cache, parent) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let variants = fixture_json("variants.json");
    let mut folder = expand("start-0", &variants["token-embeddings"], parent.path());
    let text = ["some text".to_owned()];
    let before = embed(&load(&folder, cache.path(), Precision::Fp32).0, &text).unwrap();
    for start in 1..4 {
        let moved = parent.path().join(format!("start-{start}"));
        fs::rename(&folder, &moved).unwrap();
        folder = moved;
        let (embedder, told) = load(&folder, cache.path(), Precision::Fp32);
        assert_eq!(told, "OL");
        assert_eq!(embed(&embedder, &text).unwrap(), before);
    }
    assert_eq!(copies(cache.path()).len(), 1);

    let (old, new) = (folder.join("onnx/model.onnx"), folder.join("onnx/model_alt.onnx"));
    let changed = fs::metadata(&old).unwrap().modified().unwrap();
    assert_eq!(
        fs::metadata(&old).unwrap().len(),
        fs::metadata(&new).unwrap().len()
    );
    fs::copy(new, &old).unwrap();
    set_changed(&old, changed);
    let (embedder, told) = load(&folder, cache.path(), Precision::Fp32);
    assert_eq!(told, "POL", "only the content tells that it is another model");
    assert_ne!(embed(&embedder, &text).unwrap(), before);
}

fn set_changed(file: &Path, time: SystemTime) {
    let file = File::options().append(true).open(file).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn a_cache_that_cannot_be_written_is_told_and_done_without() {
    let parent = tempfile::tempdir().unwrap();
    // Root may write anywhere, but nobody makes a folder inside a file.
    let cache = parent.path().join("file");
    fs::write(&cache, "").unwrap();
    for precision in Precision::ALL {
        let (embedder, told) = load(&fixtures().join("xlmr"), &cache, precision);
        assert_eq!(told, "PWOL");
        assert_eq!(
            embedder.info().precision,
            Precision::Fp32,
            "info must say what is run"
        );
        assert!(least_cosine(&embedder, "xlmr") > 0.999_999);
    }
}

#[test]
fn without_preparing_nothing_is_written_and_int8_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let mut config = EmbedderConfig {
        cache_dir: Some(cache.path().to_path_buf()),
        prepare: false,
        ..common::config(&fixtures().join("bert"), &Value::Null)
    };
    let embedder = common::load_config(&config).unwrap();
    assert!(least_cosine(&embedder, "bert") > 0.999_999);
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
    config.precision = Some(Precision::Int8);
    assert_eq!(
        common::load_config(&config).err().unwrap().kind(),
        ErrorKind::InvalidArgument
    );
}

#[test]
fn the_number_of_copies_is_bounded() {
    let (cache, parent) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let load_another = |number: usize| {
        let folder = expand(
            &format!("model-{number}"),
            &serde_json::json!({ "base": "bert" }),
            parent.path(),
        );
        // Another model: the same one would share its copy, wherever it lies.
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64);
        set_changed(&folder.join("onnx/model.onnx"), changed);
        load(&folder, cache.path(), Precision::Fp32);
        copies(cache.path())
    };
    for number in 0..PREPARED_COPIES + 2 {
        // All were used a moment ago.
        assert_eq!(load_another(number).len(), number + 1);
    }
    for copy in copies(cache.path()) {
        let long_ago = SystemTime::now() - PREPARED_FOR - Duration::from_secs(60);
        set_changed(&copy.join("prepared.json"), long_ago);
    }
    assert_eq!(load_another(PREPARED_COPIES + 2).len(), PREPARED_COPIES);
}

#[test]
fn loads_at_once_make_one_copy() {
    let cache = tempfile::tempdir().unwrap();
    let loads: Vec<_> = (0..6)
        .map(|_| {
            let cache = cache.path().to_path_buf();
            thread::spawn(move || {
                least_cosine(
                    &load(&fixtures().join("mpnet"), &cache, Precision::Int8).0,
                    "mpnet",
                )
            })
        })
        .collect();
    for load in loads {
        assert!(load.join().unwrap() > 0.99);
    }
    assert_eq!(copies(cache.path()).len(), 1);
}

#[test]
fn a_portable_copy_is_a_model_folder_of_its_own() {
    for model in ["bert", "xlmr", "mpnet"] {
        let (out, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let config = EmbedderConfig {
            precision: Some(Precision::Int8),
            ..common::config(&fixtures().join(model), &Value::Null)
        };
        let manifest = export(&config, out.path(), &Watch::unwatched()).unwrap();
        assert_eq!(manifest.precision.as_deref(), Some("int8"));
        export(&config, out.path(), &Watch::unwatched()).expect("an earlier export is replaced");

        let copy = EmbedderConfig {
            precision: None,
            verify: true,
            cache_dir: Some(cache.path().to_path_buf()),
            ..common::config(out.path(), &Value::Null)
        };
        let embedder = common::load_config(&copy).unwrap();
        assert_eq!(embedder.info().precision, Precision::Int8);
        assert!(least_cosine(&embedder, model) > 0.99);
        let (here, _) = load(
            &fixtures().join(model),
            &cache.path().join("here"),
            Precision::Int8,
        );
        assert_eq!(
            (&embedder.info().fingerprint, &embedder.info().spec.name),
            (&here.info().fingerprint, &here.info().spec.name),
            "an index would have to be made anew for the app that bundles the copy"
        );
        fs::remove_dir_all(cache.path().join("here")).unwrap();
        assert_eq!(
            fs::read_dir(cache.path()).unwrap().count(),
            0,
            "a portable copy was prepared again"
        );
        let fp32 = EmbedderConfig {
            precision: Some(Precision::Fp32),
            ..copy.clone()
        };
        assert_eq!(
            common::load_config(&fp32).err().unwrap().kind(),
            ErrorKind::InvalidArgument
        );
        flip(&out.path().join("onnx").join(DATA_FILE), 0.5);
        let unverified = EmbedderConfig {
            verify: false,
            ..copy.clone()
        };
        assert_ne!(
            common::load_config(&unverified).unwrap().info().fingerprint,
            here.info().fingerprint,
            "the manifest must not speak for weights that it was not written for"
        );
        assert_eq!(
            common::load_config(&copy).err().unwrap().kind(),
            ErrorKind::ModelInvalid
        );
    }
}

#[test]
fn a_portable_copy_never_overwrites_the_model_that_it_is_made_of() {
    let parent = tempfile::tempdir().unwrap();
    let folder = expand("model", &serde_json::json!({ "base": "bert" }), parent.path());
    // Both look like earlier exports, which may be replaced.
    let manifest =
        r#"{ "model": "", "revision": "", "files": { "onnx/model.onnx": { "size": 0, "sha256": "" } } }"#;
    for like_an_export in [&folder, parent.path()] {
        fs::write(like_an_export.join("sentence-embedder.json"), manifest).unwrap();
    }
    let content = || {
        ["onnx/model.onnx", "tokenizer.json", "sentence-embedder.json"]
            .map(|file| fs::read(folder.join(file)).unwrap())
    };
    let before = content();
    let config = EmbedderConfig {
        precision: Some(Precision::Int8),
        ..common::config(&folder, &Value::Null)
    };
    let mut outs = vec![
        folder.clone(),
        parent.path().join("new/../model"),
        parent.path().to_path_buf(),
        folder.join("new/copy"),
    ];
    #[cfg(unix)]
    {
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        outs.extend([link.join("new"), link]);
    }
    for out in outs {
        let error = export(&config, &out, &Watch::unwatched()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        for path in [&folder, &out] {
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
        assert!(content() == before, "{} was changed", out.display());
        assert!(!folder.join("new").exists() && !parent.path().join("new").exists());
    }
    export(&config, &parent.path().join("model-int8"), &Watch::unwatched()).unwrap();
}

/// Where a child process of the next tests keeps its copies.
const CHILD_CACHE: &str = "SENTENCE_EMBEDDER_TEST_CHILD_CACHE";

/// A process that prepares a model into `cache`.
fn preparing_process(cache: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "a_process_that_is_killed_while_it_prepares_leaves_nothing_that_is_loaded",
        ])
        .env(CHILD_CACHE, cache)
        .stdout(std::process::Stdio::null());
    command
}

#[test]
fn processes_that_prepare_at_once_make_one_copy() {
    let cache = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..4)
        .map(|_| preparing_process(cache.path()).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(copies(cache.path()).len(), 1);
    let (_, told) = load(&fixtures().join("xlmr"), cache.path(), Precision::Int8);
    assert_eq!(told, "OL");
}

#[test]
fn a_process_that_is_killed_while_it_prepares_leaves_nothing_that_is_loaded() {
    if let Some(cache) = std::env::var_os(CHILD_CACHE) {
        let (embedder, _) = load(&fixtures().join("xlmr"), Path::new(&cache), Precision::Int8);
        assert!(least_cosine(&embedder, "xlmr") > 0.99);
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    for moment in 0..10 {
        drop(fs::remove_dir_all(cache.path().join("prepared")));
        let mut child = preparing_process(cache.path()).spawn().unwrap();
        thread::sleep(Duration::from_millis(15 * moment));
        child.kill().unwrap();
        child.wait().unwrap();
        let (embedder, _) = load(&fixtures().join("xlmr"), cache.path(), Precision::Int8);
        assert!(
            least_cosine(&embedder, "xlmr") > 0.99,
            "killed at moment {moment}"
        );
        assert_eq!(copies(cache.path()).len(), 1, "killed at moment {moment}");
    }
}

/// A small file system of its own that a child process of the next test keeps its copies on.
#[cfg(target_os = "linux")]
const CHILD_DISK: &str = "SENTENCE_EMBEDDER_TEST_CHILD_DISK";

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_and_the_model_is_loaded_as_it_is() {
    if let Some(disk) = std::env::var_os(CHILD_DISK) {
        return prepare_on_full_disk(Path::new(&disk));
    }
    let disk = tempfile::tempdir().unwrap();
    // A mount that only the child sees, and that needs no rights beyond those of a user.
    let script = "mount -t tmpfs -o size=1m tmpfs \"$0\" && exec \"$1\" --exact \
                  a_full_disk_leaves_nothing_and_the_model_is_loaded_as_it_is --nocapture";
    let child = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(disk.path())
        .arg(std::env::current_exe().unwrap())
        .env(CHILD_DISK, disk.path())
        .output()
        .expect("this test needs unshare of util-linux");
    let told = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(
        child.status.success(),
        "this test needs to be allowed a user name space with a mount of its own: {told}"
    );
    assert!(
        told.contains("No space left on device"),
        "the disk was never full: {told}"
    );
}

#[cfg(target_os = "linux")]
fn prepare_on_full_disk(disk: &Path) {
    let filler = disk.join("filler");
    for precision in Precision::ALL {
        for left in [0, 4, 16, 64, 128].map(|blocks| blocks << 10) {
            fill(&filler, left);
            let (embedder, told) = load(&fixtures().join("xlmr"), disk, precision);
            assert!(least_cosine(&embedder, "xlmr") > 0.99, "{left} bytes left");
            // Whatever there was room for: either a whole copy or none.
            assert_eq!(
                copies(disk).len(),
                usize::from(!told.contains('W')),
                "{left} bytes left: {told}"
            );
            fs::remove_file(&filler).unwrap();
            let (embedder, told) = load(&fixtures().join("xlmr"), disk, precision);
            assert!(!told.contains('W'), "{told}");
            assert!(least_cosine(&embedder, "xlmr") > 0.99);
            drop(fs::remove_dir_all(disk.join("prepared")));
        }
    }
}

/// Fills the disk but for `left` bytes.
#[cfg(target_os = "linux")]
fn fill(filler: &Path, left: u64) {
    use std::io::Write;
    let mut file = fs::File::create(filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length - left).unwrap();
}
