//! Copies of tiny BERT, XLM-R and MPNet models, in f32 and 8 bits, against the models themselves, on ONNX Runtime.
//!
//! Needs `ORT_DYLIB_PATH`, which `npm run test:rust` sets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::{Path, PathBuf};

use ort::session::Session;
use ort::value::Tensor;
use sentence_embedder::error::ErrorKind;
use sentence_embedder::model::events::Cancel;
use sentence_embedder::model::packing::is_packable;
use sentence_embedder::model::prepare::{DATA_FILE, GRAPH_FILE};
use sentence_embedder::model::rewrite::{Form, REWRITER_VERSION, Summary, rewrite};
use sentence_embedder::model::source::Source;
use sentence_embedder::operators::{self, Packing};
use sentence_embedder::runtime;
use xxhash_rust::xxh3::Xxh3;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("__test__/fixtures")
        .join(name)
}

fn open(file: &Path, threads: usize) -> Session {
    open_packed(file, threads, &Packing::default())
}

fn open_packed(file: &Path, threads: usize, packing: &Packing) -> Session {
    let builder = Session::builder(runtime::environment().unwrap())
        .unwrap()
        .with_intra_threads(threads)
        .unwrap();
    operators::register(builder, threads, packing)
        .unwrap()
        .commit_from_file(file)
        .unwrap()
}

/// Token embeddings of texts that are padded to the longest, without the padding.
fn run(session: &mut Session, rows: &[Vec<i64>], pad_id: i64) -> Vec<Vec<f32>> {
    let longest = rows.iter().map(Vec::len).max().unwrap();
    run_from(session, rows, pad_id, |text| text * longest)
}

/// The same of texts that are packed.
fn run_packed(session: &mut Session, packing: &Packing, rows: &[Vec<i64>]) -> Vec<Vec<f32>> {
    packing.set(Some(rows.iter().map(Vec::len).collect()));
    let first = |text: usize| rows[..text].iter().map(Vec::len).sum();
    let values = run_from(session, rows, 0, first);
    packing.set(None);
    values
}

/// Token embeddings of texts of which each has the rows from `first` on.
fn run_from(
    session: &mut Session,
    rows: &[Vec<i64>],
    pad_id: i64,
    first: impl Fn(usize) -> usize,
) -> Vec<Vec<f32>> {
    let (batch, longest) = (rows.len(), rows.iter().map(Vec::len).max().unwrap());
    let padded = |fill: i64, value: fn(i64) -> i64| {
        rows.iter()
            .flat_map(|row| (0..longest).map(move |i| row.get(i).map_or(fill, |&id| value(id))))
            .collect::<Vec<_>>()
    };
    let inputs: Vec<_> = session
        .inputs()
        .iter()
        .map(|input| {
            let values = match input.name() {
                "input_ids" => padded(pad_id, |id| id),
                "attention_mask" => padded(0, |_| 1),
                _ => vec![0; batch * longest],
            };
            (
                input.name().to_owned(),
                Tensor::from_array(([batch, longest], values)).unwrap(),
            )
        })
        .collect();
    let outputs = session.run(inputs).unwrap();
    let (shape, values) = outputs["last_hidden_state"].try_extract_tensor::<f32>().unwrap();
    let hidden = shape[2] as usize;
    rows.iter()
        .enumerate()
        .map(|(i, row)| values[first(i) * hidden..][..row.len() * hidden].to_vec())
        .collect()
}

fn texts() -> Vec<Vec<i64>> {
    let length = |i: i64| [1, 2, 5, 7, 16, 17, 30, 33, 40][i as usize % 9];
    (0..18)
        .map(|i| {
            (0..length(i))
                .map(|t| 5 + (i * 31 + t * 17 + t * t) % 240)
                .collect()
        })
        .collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Rewrites, compares, and checks that a text has the same bits alone, in a padded batch, packed, and on any number of threads.
fn check(source: &str, pad_id: i64, expected: Summary) {
    let examples = &texts()[..9];
    check_form(source, pad_id, expected, Form::Fp32, 0.999_999_9);
    check_form(
        source,
        pad_id,
        expected,
        Form::Int8 { examples, threads: 2 },
        0.999,
    );
}

fn check_form(source: &str, pad_id: i64, expected: Summary, form: Form<'_>, least: f64) {
    let folder = tempfile::tempdir().unwrap();
    let source = fixture(source);
    let summary = rewrite(
        &source,
        "last_hidden_state",
        form,
        folder.path(),
        &Cancel::default(),
    )
    .unwrap();
    assert_eq!(summary, expected);
    let mut original = open(&source, 1);
    let mut narrow = open(&folder.path().join(GRAPH_FILE), 1);
    let mut wide = open(&folder.path().join(GRAPH_FILE), 2);
    let texts = texts();
    let together = run(&mut narrow, &texts, pad_id);
    let threaded = run(&mut wide, &texts, pad_id);
    for (text, together) in texts.iter().zip(&together) {
        let text = std::slice::from_ref(text);
        let reference = &run(&mut original, text, pad_id)[0];
        let similarity = cosine(together, reference);
        assert!(similarity > least, "{}: {similarity}", source.display());
        assert_eq!(together, &run(&mut narrow, text, pad_id)[0]);
        assert_eq!(together, &run(&mut wide, text, pad_id)[0]);
    }
    assert_eq!(together, threaded);
    let file = folder.path().join(GRAPH_FILE);
    let graph = Source::open(&file).unwrap().model.graph.unwrap();
    let packs = is_packable(&graph, "last_hidden_state");
    assert_eq!(packs, expected.attentions > 0);
    for threads in [1, 2, 5, 16].into_iter().filter(|_| packs) {
        let packing = Packing::default();
        let mut session = open_packed(&file, threads, &packing);
        // Backwards as well, so that what an earlier run left in memory is another text's.
        let backwards: Vec<_> = texts.iter().rev().cloned().collect();
        let mut turned = run_packed(&mut session, &packing, &backwards);
        turned.reverse();
        assert_eq!(turned, together);
        assert_eq!(run_packed(&mut session, &packing, &texts), together);
        assert_eq!(run(&mut session, &texts, pad_id), together);
        // 63 tokens: sixteen threads share rows and columns at once.
        assert_eq!(run_packed(&mut session, &packing, &texts[6..8]), together[6..8]);
        for (text, together) in texts.iter().zip(&together) {
            assert_eq!(
                &run(&mut session, std::slice::from_ref(text), pad_id)[0],
                together
            );
        }
    }
}

#[test]
fn bert() {
    check(
        "graphs/wide_bert.onnx",
        0,
        Summary {
            products: 4,
            attentions: 1,
            tables: 1,
        },
    );
}

#[test]
fn xlm_roberta() {
    check(
        "graphs/wide_xlmr.onnx",
        1,
        Summary {
            products: 4,
            attentions: 1,
            tables: 1,
        },
    );
}

#[test]
fn mpnet() {
    check(
        "graphs/wide_mpnet.onnx",
        1,
        Summary {
            products: 4,
            attentions: 1,
            tables: 1,
        },
    );
}

#[test]
fn narrow_heads_keep_their_attention_and_lose_only_speed() {
    // Heads of eight columns: the projections are products each for itself, the rest of attention stays as it was.
    for (source, pad_id) in [
        ("bert/onnx/model.onnx", 0),
        ("xlmr/onnx/model.onnx", 1),
        ("mpnet/onnx/model.onnx", 1),
    ] {
        check(
            source,
            pad_id,
            Summary {
                products: 12,
                attentions: 0,
                tables: 1,
            },
        );
    }
}

#[test]
fn what_is_not_recognised_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |source: &Path, output: &str| {
        let form = Form::Int8 {
            examples: &[],
            threads: 1,
        };
        rewrite(source, output, form, folder.path(), &Cancel::default())
            .unwrap_err()
            .kind()
    };
    let text = folder.path().join("not-onnx");
    std::fs::write(&text, "not a model").unwrap();
    assert_eq!(refused(&text, "last_hidden_state"), ErrorKind::ModelInvalid);
    assert_eq!(
        refused(&folder.path().join("missing"), "last_hidden_state"),
        ErrorKind::ModelNotFound
    );
    assert_eq!(
        refused(&fixture("graphs/wide_bert.onnx"), "no_such_output"),
        ErrorKind::ModelInvalid
    );
    assert_eq!(
        refused(&fixture("graphs/token_embeddings.onnx"), "token_embeddings"),
        ErrorKind::ModelInvalid
    );
    assert!(!folder.path().join(DATA_FILE).exists());
}

/// Copies that users have are found by their sources and this version: one that an older rewriter made would be run as if
/// the present one had made it. In 8 bits without examples, whose sums may differ between CPUs.
#[test]
fn other_files_are_another_version() {
    let mut files = Xxh3::new();
    for source in [
        "graphs/wide_bert.onnx",
        "graphs/wide_xlmr.onnx",
        "graphs/wide_mpnet.onnx",
        "bert/onnx/model.onnx",
    ] {
        let examples = &[];
        for form in [Form::Fp32, Form::Int8 { examples, threads: 1 }] {
            let folder = tempfile::tempdir().unwrap();
            let output = "last_hidden_state";
            rewrite(&fixture(source), output, form, folder.path(), &Cancel::default()).unwrap();
            for name in [GRAPH_FILE, DATA_FILE] {
                files.update(&std::fs::read(folder.path().join(name)).unwrap());
            }
        }
    }
    assert_eq!(
        (REWRITER_VERSION, format!("{:016x}", files.digest())),
        (3, "55b4f893099890af".to_owned()),
        "The same model gives other files: raise REWRITER_VERSION, then write both values here"
    );
}
