//! How a folder says that token embeddings become one vector.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::files::optional_json;
use super::modules::Modules;
use super::{OPTION_POOLING, Sourced, catalogue_source};
use crate::config::Pooling;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::KnownModel;

/// 1_Pooling/config.json: a switch for each mode, or, since sentence-transformers 6, their names.
#[derive(Deserialize)]
struct PoolingConfig {
    pooling_mode: Option<OneOrMany>,
    #[serde(alias = "embedding_dimension")]
    word_embedding_dimension: Option<usize>,
    /// Whether the tokens of a prompt count.
    include_prompt: Option<bool>,
    #[serde(flatten)]
    switches: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What the folder says of pooling.
pub(super) struct PoolingStep {
    pub(super) pooling: Sourced<Pooling>,
    /// Nobody said it: a guess.
    pub(super) is_guess: bool,
    /// Numbers in one vector, where the file says it.
    pub(super) dimension: Option<usize>,
}

fn read_pooling(file: &Path, has_prompt: bool) -> Result<(Pooling, Option<usize>)> {
    let config: PoolingConfig = optional_json(file)?.ok_or_else(|| {
        Error::new(
            ErrorKind::ModelInvalid,
            format!("The model has no {}", file.display()),
        )
    })?;
    if has_prompt && config.include_prompt == Some(false) {
        return Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} has include_prompt false, which is not supported: the tokens of the default prompt would have to be \
                 left out of the vectors",
                file.display()
            ),
        ));
    }
    let prefix = "pooling_mode_";
    let mut modes: Vec<&str> = config
        .switches
        .iter()
        .filter(|(key, value)| key.starts_with(prefix) && value.as_bool() == Some(true))
        .map(|(key, _)| key.trim_start_matches(prefix))
        .collect();
    match &config.pooling_mode {
        Some(OneOrMany::One(mode)) => modes.push(mode),
        Some(OneOrMany::Many(names)) => modes.extend(names.iter().map(String::as_str)),
        None => {}
    }
    let pooling = match modes.as_slice() {
        ["mean_tokens" | "mean"] => Pooling::Mean,
        ["cls_token" | "cls"] => Pooling::Cls,
        ["max_tokens" | "max"] => Pooling::Max,
        other => {
            let named = if other.is_empty() {
                "none".to_owned()
            } else {
                other.join(" + ")
            };
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!(
                    "{} has the pooling mode {named}; exactly one of mean, cls and max is supported",
                    file.display()
                ),
            ));
        }
    };
    Ok((pooling, config.word_embedding_dimension))
}

/// The pooling that is asked for, else what the folder or the catalogue says.
pub(super) fn resolve_pooling(
    folder: &Path,
    modules: Option<&Modules>,
    known: Option<KnownModel>,
    option: Option<Pooling>,
    has_prompt: bool,
) -> Result<PoolingStep> {
    // A folder without modules.json may still carry the pooling file of the model that it was made from.
    let relative = modules
        .and_then(|it| it.pooling.clone())
        .unwrap_or_else(|| "1_Pooling".to_owned());
    let file = folder.join(&relative).join("config.json");
    let stated = if modules.is_some() || file.is_file() {
        Some(read_pooling(&file, has_prompt)?)
    } else {
        None
    };
    let dimension = stated.and_then(|(_, dimension)| dimension);
    let (pooling, is_guess) = match (option, stated, known) {
        (Some(asked), ..) => (Sourced::new(asked, OPTION_POOLING), false),
        (None, Some((stated, _)), _) => (Sourced::new(stated, format!("{relative}/config.json")), false),
        (None, None, Some(model)) => (Sourced::new(model.pooling, catalogue_source(model)), false),
        (None, None, None) => (
            Sourced::new(Pooling::Mean, "rule: mean unless the model says otherwise"),
            true,
        ),
    };
    Ok(PoolingStep {
        pooling,
        is_guess,
        dimension,
    })
}
