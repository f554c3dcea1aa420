//! A sentence-transformers folder, read as sentence-transformers reads it, into one [`ModelSpec`].

mod configs;
mod files;
mod limit;
mod modules;
mod pooling;

use std::fs;
use std::path::{Path, PathBuf};

use self::configs::{HuggingFaceConfig, SentenceBertConfig, SentenceTransformersConfig};
use self::files::{existing, find_onnx, optional_json};
use self::limit::resolve_max_tokens;
use self::modules::Modules;
use self::pooling::resolve_pooling;
use super::catalog::{self, KnownModel};
use super::store::files::SENTENCE_BERT_CONFIGS;
use super::store::manifest::{self, Manifest};
use crate::config::{EmbedderConfig, Pooling, Precision};
use crate::error::{Error, ErrorKind, Result};

/// The source of a pooling that the caller chose.
pub const OPTION_POOLING: &str = "option pooling";

/// The source of a limit that the caller chose.
pub const OPTION_MAX_TOKENS: &str = "option maxTokens";

/// A value and where it came from: a file of the folder, the catalogue, an option, or a documented rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from, as `info.sources` shows it.
    pub source: String,
}

impl<T> Sourced<T> {
    fn new(value: T, source: impl Into<String>) -> Self {
        Self {
            value,
            source: source.into(),
        }
    }
}

/// All that the pipeline needs to know of a model's files.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// The folder that was asked for.
    pub folder: PathBuf,
    /// The hub id where it is known, else the folder's name.
    pub name: String,
    /// The ONNX graph.
    pub onnx_file: PathBuf,
    /// The tokenizer of the `tokenizers` library.
    pub tokenizer_file: PathBuf,
    /// Longest sequence in tokens, special tokens included.
    pub max_tokens: Sourced<usize>,
    /// The model's own limit: that of `max_tokens` unless the caller chose another.
    pub own_max_tokens: usize,
    /// How token embeddings become one vector.
    pub pooling: Sourced<Pooling>,
    /// Whether pooling is only a rule's guess, which a ready-made sentence embedding of the graph overrides.
    pub pooling_is_guess: bool,
    /// Numbers in one vector, where the pooling step says it.
    pub stated_dimension: Option<usize>,
    /// Whether vectors are scaled to unit length.
    pub normalize: Sourced<bool>,
    /// Texts are lower-cased before the tokenizer sees them.
    pub lower_case: bool,
    /// Put before each text, as `default_prompt_name` asks.
    pub prompt: Option<String>,
    /// Rows of the token table, where config.json says it.
    pub vocabulary: Option<usize>,
    /// Lengths that the vectors were trained to be cut to, where config.json says it.
    pub matryoshka_dimensions: Vec<usize>,
    /// The files that were read or will be, other than the ONNX file, relative to the folder.
    pub description: Vec<String>,
    /// Precision to load the model in.
    pub precision: Precision,
    /// Whether the files have that precision already: a folder that `prepare --out` made.
    pub is_prepared: bool,
}

/// Reads the folder at `folder`.
///
/// `config` supplies the options that override the folder's own values.
///
/// # Errors
/// [`ErrorKind::ModelNotFound`] when the folder or a needed file is missing or unreadable,
/// [`ErrorKind::ModelInvalid`] when a file is malformed or asks for what this library does not do,
/// [`ErrorKind::InvalidArgument`] when an option is beyond the model.
pub fn read(folder: &Path, config: &EmbedderConfig) -> Result<ModelSpec> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            return Err(Error::new(
                ErrorKind::ModelNotFound,
                format!(
                    "Expected a folder for the model but {} is a file",
                    folder.display()
                ),
            ));
        }
        Err(cause) => {
            return Err(Error::new(
                ErrorKind::ModelNotFound,
                format!("The model folder {} cannot be read", folder.display()),
            )
            .with_source(cause));
        }
    }
    let manifest = manifest::read(folder)?;
    let (precision, is_prepared) = resolve_precision(folder, manifest.as_ref(), config.precision)?;
    let modules = Modules::read(folder)?;
    let transformer = modules
        .as_ref()
        .map_or_else(|| folder.to_path_buf(), |it| folder.join(&it.transformer));
    let hugging_face: HuggingFaceConfig =
        optional_json(&transformer.join("config.json"))?.unwrap_or_default();
    let known = hugging_face.name_or_path.as_deref().and_then(catalog::find);

    let sentence_transformers: SentenceTransformersConfig =
        optional_json(&folder.join("config_sentence_transformers.json"))?.unwrap_or_default();
    let prompt = sentence_transformers.default_prompt()?;
    let pooling = resolve_pooling(folder, modules.as_ref(), known, config.pooling, prompt.is_some())?;
    let sentence_bert = SentenceBertConfig::read(&transformer)?;
    let (own_max_tokens, max_tokens) = resolve_max_tokens(
        &transformer,
        &hugging_face,
        &sentence_bert,
        known,
        config.max_tokens,
    )?;
    Ok(ModelSpec {
        name: known
            .map(|model| model.id.to_owned())
            .or_else(|| manifest.map(|it| it.model).filter(|id| !id.is_empty()))
            .unwrap_or_else(|| folder_name(folder)),
        onnx_file: find_onnx(folder, &transformer, config.model_file.as_deref())?,
        tokenizer_file: existing(
            &[transformer.join("tokenizer.json"), folder.join("tokenizer.json")],
            "tokenizer",
        )?,
        max_tokens,
        own_max_tokens,
        pooling: pooling.pooling,
        pooling_is_guess: pooling.is_guess,
        stated_dimension: pooling.dimension,
        normalize: resolve_normalize(modules.as_ref(), known, config.normalize),
        lower_case: sentence_bert
            .and_then(|(it, _)| it.do_lower_case)
            .unwrap_or(false),
        prompt,
        vocabulary: hugging_face.vocab_size,
        matryoshka_dimensions: hugging_face.matryoshka_dimensions.unwrap_or_default(),
        description: description(folder, modules.as_ref()),
        precision,
        is_prepared,
        folder: folder.to_path_buf(),
    })
}

/// The files of `folder` that say what a model is and how its texts are tokenised.
fn description(folder: &Path, modules: Option<&Modules>) -> Vec<String> {
    let transformer = modules.map_or("", |modules| modules.transformer.as_str());
    let pooling = modules
        .and_then(|modules| modules.pooling.as_deref())
        .unwrap_or("1_Pooling");
    let of_transformer = [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    ]
    .into_iter()
    .chain(SENTENCE_BERT_CONFIGS)
    .map(|name| {
        if transformer.is_empty() {
            name.to_owned()
        } else {
            format!("{transformer}/{name}")
        }
    });
    let mut files: Vec<_> = [
        "modules.json",
        "config_sentence_transformers.json",
        "tokenizer.json",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!("{pooling}/config.json")])
    .chain(of_transformer)
    .filter(|name| folder.join(name).is_file())
    .collect();
    files.sort();
    files.dedup();
    files
}

/// The precision that the folder's manifest states, else the one that is asked for, and whether the folder has it.
fn resolve_precision(
    folder: &Path,
    manifest: Option<&Manifest>,
    asked: Option<Precision>,
) -> Result<(Precision, bool)> {
    let Some(stated) = manifest.and_then(|manifest| manifest.precision.as_deref()) else {
        return Ok((asked.unwrap_or_default(), false));
    };
    let known = Precision::ALL
        .into_iter()
        .find(|precision| precision.name() == stated);
    match (known, asked) {
        (Some(known), None) => Ok((known, true)),
        (Some(known), Some(asked)) if known == asked => Ok((known, true)),
        (_, Some(asked)) => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "Expected '{stated}', which {} was prepared in, or nothing for options.precision but received '{}'",
                folder.display(),
                asked.name(),
            ),
        )),
        (None, None) => Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} was prepared in an unknown precision, {stated}",
                folder.display()
            ),
        )),
    }
}

fn resolve_normalize(
    modules: Option<&Modules>,
    known: Option<KnownModel>,
    option: Option<bool>,
) -> Sourced<bool> {
    match (option, modules, known) {
        (Some(normalize), ..) => Sourced::new(normalize, "option normalize"),
        (None, Some(modules), _) => Sourced::new(modules.normalize, "modules.json"),
        (None, None, Some(model)) => Sourced::new(model.normalize, catalogue_source(model)),
        (None, None, None) => Sourced::new(false, "rule: as the model gives them unless it says otherwise"),
    }
}

fn catalogue_source(model: KnownModel) -> String {
    format!("catalogue: {}", model.id)
}

fn folder_name(folder: &Path) -> String {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    absolute.file_name().map_or_else(
        || absolute.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
