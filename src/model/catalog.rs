//! Known models: what sentence-transformers does with them, for copies that lack its files, and what their files are.
//!
//! A pin is set only where it is known that the commit has the ONNX file, and a hash only where independent users of
//! the model publish the same one. For all other files, the hash that the hub gives is what is checked: SHA-256 of
//! files in large-file storage, git's SHA-1 of the others.

use crate::config::Pooling;

/// How sentence-transformers uses a model of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownModel {
    /// The id on the hub.
    pub id: &'static str,
    /// How token embeddings become one vector.
    pub pooling: Pooling,
    /// Whether its vectors are scaled to unit length.
    pub normalize: bool,
    /// Longest sequence in tokens, special tokens included.
    pub max_tokens: usize,
    /// What is fetched unless a revision is named.
    pub pin: Option<Pin>,
}

/// A commit that this library was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// The commit.
    pub commit: &'static str,
    /// Those of its files whose hashes are known.
    pub files: &'static [PinnedFile],
}

/// A file that is known byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinnedFile {
    /// Its path in the repository.
    pub path: &'static str,
    /// Bytes in it.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: &'static str,
}

const fn known(id: &'static str, pooling: Pooling, normalize: bool, max_tokens: usize) -> KnownModel {
    KnownModel {
        id,
        pooling,
        normalize,
        max_tokens,
        pin: None,
    }
}

const fn pinned(model: KnownModel, commit: &'static str, files: &'static [PinnedFile]) -> KnownModel {
    KnownModel {
        pin: Some(Pin { commit, files }),
        ..model
    }
}

const fn file(path: &'static str, size: u64, sha256: &'static str) -> PinnedFile {
    PinnedFile { path, size, sha256 }
}

const MULTILINGUAL_MPNET: [PinnedFile; 2] = [
    file(
        "onnx/model_qint8_avx512_vnni.onnx",
        278_719_559,
        "88784a4b95fd6a28e3b3b307578e2c4d12d8d550bf55d68257c8e2283f1ee901",
    ),
    file(
        "onnx/model_qint8_arm64.onnx",
        278_719_559,
        "88784a4b95fd6a28e3b3b307578e2c4d12d8d550bf55d68257c8e2283f1ee901",
    ),
];

const MULTILINGUAL_MINILM: [PinnedFile; 2] = [
    file(
        "onnx/model.onnx",
        470_301_610,
        "10f7a088420252b26caf819236ca2c9d2987afd0fc06fec7553b542a5655a05a",
    ),
    file(
        "tokenizer.json",
        9_081_518,
        "2c3387be76557bd40970cec13153b3bbf80407865484b209e655e5e4729076b8",
    ),
];

const ALL_MINILM: [PinnedFile; 2] = [
    file(
        "onnx/model.onnx",
        90_405_214,
        "6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452",
    ),
    file(
        "tokenizer.json",
        466_247,
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
];

/// From each model's own modules.json, 1_Pooling/config.json and sentence_bert_config.json on the hub.
const KNOWN: [KnownModel; 9] = [
    pinned(
        known(
            "sentence-transformers/paraphrase-multilingual-mpnet-base-v2",
            Pooling::Mean,
            false,
            128,
        ),
        "4328cf26390c98c5e3c738b4460a05b95f4911f5",
        &MULTILINGUAL_MPNET,
    ),
    pinned(
        known(
            "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
            Pooling::Mean,
            false,
            128,
        ),
        "e8f8c211226b894fcb81acc59f3b34ba3efd5f42",
        &MULTILINGUAL_MINILM,
    ),
    pinned(
        known("sentence-transformers/all-MiniLM-L6-v2", Pooling::Mean, true, 256),
        "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        &ALL_MINILM,
    ),
    known(
        "sentence-transformers/all-MiniLM-L12-v2",
        Pooling::Mean,
        true,
        128,
    ),
    known(
        "sentence-transformers/all-mpnet-base-v2",
        Pooling::Mean,
        true,
        384,
    ),
    known(
        "sentence-transformers/multi-qa-MiniLM-L6-cos-v1",
        Pooling::Mean,
        true,
        512,
    ),
    known("BAAI/bge-small-en-v1.5", Pooling::Cls, true, 512),
    known("BAAI/bge-base-en-v1.5", Pooling::Cls, true, 512),
    known("intfloat/multilingual-e5-small", Pooling::Mean, true, 512),
];

/// The known model with this hub id.
#[must_use]
pub fn find(id: &str) -> Option<KnownModel> {
    KNOWN.into_iter().find(|model| model.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_is_known_with_the_limit_of_its_sentence_transformers_files() {
        let model = find(crate::config::DEFAULT_MODEL).unwrap();
        assert_eq!(
            (model.pooling, model.normalize, model.max_tokens),
            (Pooling::Mean, false, 128)
        );
        assert!(
            find("all-MiniLM-L6-v2").is_none(),
            "an id without its owner could be anyone's"
        );
    }

    #[test]
    fn every_pin_is_a_commit_and_every_hash_a_hash() {
        let hex = |text: &str, length| text.len() == length && text.bytes().all(|it| it.is_ascii_hexdigit());
        for pin in KNOWN.iter().filter_map(|model| model.pin) {
            assert!(hex(pin.commit, 40));
            for file in pin.files {
                assert!(hex(file.sha256, 64) && file.size > 0, "{}", file.path);
            }
        }
    }
}
