//! Known models: what sentence-transformers does with them, for copies that lack its files.

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
}

const fn known(id: &'static str, pooling: Pooling, normalize: bool, max_tokens: usize) -> KnownModel {
    KnownModel {
        id,
        pooling,
        normalize,
        max_tokens,
    }
}

/// From each model's own modules.json, 1_Pooling/config.json and sentence_bert_config.json on the hub.
const KNOWN: [KnownModel; 9] = [
    known(
        "sentence-transformers/paraphrase-multilingual-mpnet-base-v2",
        Pooling::Mean,
        false,
        128,
    ),
    known(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        Pooling::Mean,
        false,
        128,
    ),
    known("sentence-transformers/all-MiniLM-L6-v2", Pooling::Mean, true, 256),
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
}
