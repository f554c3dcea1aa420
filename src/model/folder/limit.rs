//! How many tokens of a text a model reads.

use std::path::Path;

use super::configs::{HuggingFaceConfig, SentenceBertConfig, TokenizerConfig};
use super::files::optional_json;
use super::{OPTION_MAX_TOKENS, Sourced, catalogue_source};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::KnownModel;

/// The model's own limit, which the files or the catalogue say, and the one that is asked for, else again its own.
pub(super) fn resolve_max_tokens(
    transformer: &Path,
    hugging_face: &HuggingFaceConfig,
    sentence_bert: &Option<(SentenceBertConfig, &'static str)>,
    known: Option<KnownModel>,
    option: Option<usize>,
) -> Result<(usize, Sourced<usize>)> {
    let positions = hugging_face.positions();
    let stated = sentence_bert
        .as_ref()
        .and_then(|(config, name)| {
            Some(Sourced::new(
                config.max_seq_length?,
                format!("max_seq_length of {name}"),
            ))
        })
        .or_else(|| known.map(|model| Sourced::new(model.max_tokens, catalogue_source(model))));
    let own = match stated {
        Some(stated) => stated,
        None => {
            let tokenizer: Option<TokenizerConfig> =
                optional_json(&transformer.join("tokenizer_config.json"))?;
            // As in Python: anything beyond a million is "no limit" there.
            let limit = tokenizer
                .and_then(|it| it.model_max_length)
                .filter(|limit| (1.0..1e6).contains(limit));
            match (limit.map(|limit| limit as usize), positions) {
                (Some(limit), positions) if positions.is_none_or(|positions| limit <= positions) => {
                    Sourced::new(limit, "model_max_length of tokenizer_config.json")
                }
                (_, Some(positions)) => Sourced::new(positions, "max_position_embeddings of config.json"),
                _ => Sourced::new(512, "rule: 512 unless the model says otherwise"),
            }
        }
    };
    // The model reads as far as its position table goes; without one, as far as its files say.
    let most = positions.unwrap_or(own.value);
    if own.value == 0 || own.value > most {
        return Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} says {} tokens but config.json has positions for 1 to {most}",
                own.source, own.value
            ),
        ));
    }
    match option {
        None => Ok((own.value, own)),
        Some(asked) if asked <= most => Ok((own.value, Sourced::new(asked, OPTION_MAX_TOKENS))),
        Some(asked) => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "Expected at most {most} for options.maxTokens, the limit of this model, but received {asked}"
            ),
        )),
    }
}
