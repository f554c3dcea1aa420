//! What is read of a model's JSON files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::files::optional_json;
use crate::error::{Error, ErrorKind, Result};
use crate::model::store::files::SENTENCE_BERT_CONFIGS;

/// The Transformer step's own configuration.
#[derive(Deserialize)]
pub(super) struct SentenceBertConfig {
    pub(super) max_seq_length: Option<usize>,
    pub(super) do_lower_case: Option<bool>,
}

impl SentenceBertConfig {
    /// The one of `transformer` and its name, if there is one.
    pub(super) fn read(transformer: &Path) -> Result<Option<(Self, &'static str)>> {
        for name in SENTENCE_BERT_CONFIGS {
            if let Some(config) = optional_json(&transformer.join(name))? {
                return Ok(Some((config, name)));
            }
        }
        Ok(None)
    }
}

/// config.json of the transformers library.
#[derive(Deserialize, Default)]
pub(super) struct HuggingFaceConfig {
    #[serde(rename = "_name_or_path")]
    pub(super) name_or_path: Option<String>,
    model_type: Option<String>,
    max_position_embeddings: Option<usize>,
    pad_token_id: Option<usize>,
    pub(super) vocab_size: Option<usize>,
    pub(super) matryoshka_dimensions: Option<Vec<usize>>,
}

impl HuggingFaceConfig {
    /// Tokens that the position table has room for. RoBERTa and its kin count positions from `pad_token_id + 1`.
    pub(super) fn positions(&self) -> Option<usize> {
        let from_pad = matches!(
            self.model_type.as_deref(),
            Some("roberta" | "xlm-roberta" | "camembert" | "mpnet" | "xlm-roberta-xl")
        );
        let taken = if from_pad {
            self.pad_token_id.unwrap_or(1).saturating_add(1)
        } else {
            0
        };
        self.max_position_embeddings
            .map(|positions| positions.saturating_sub(taken))
    }
}

/// tokenizer_config.json.
#[derive(Deserialize)]
pub(super) struct TokenizerConfig {
    /// A float in some models: 1e30 stands for no limit.
    pub(super) model_max_length: Option<f64>,
}

/// config_sentence_transformers.json.
#[derive(Deserialize, Default)]
pub(super) struct SentenceTransformersConfig {
    default_prompt_name: Option<String>,
    #[serde(default)]
    prompts: BTreeMap<String, String>,
}

impl SentenceTransformersConfig {
    /// The prompt that is put before each text, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the one that is named is missing.
    pub(super) fn default_prompt(self) -> Result<Option<String>> {
        let Some(name) = self.default_prompt_name else {
            return Ok(None);
        };
        match self.prompts.get(&name) {
            Some(prompt) => Ok(Some(prompt.clone()).filter(|prompt| !prompt.is_empty())),
            None => Err(Error::new(
                ErrorKind::ModelInvalid,
                format!(
                    "config_sentence_transformers.json has default_prompt_name {name:?} but prompts only for: {}",
                    self.prompts.into_keys().collect::<Vec<_>>().join(", "),
                ),
            )),
        }
    }
}
