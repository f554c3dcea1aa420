//! A sentence-transformers folder, read as sentence-transformers reads it, into one [`ModelSpec`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::catalog::{self, KnownModel};
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
    let modules = read_modules(folder)?;
    let transformer = modules
        .as_ref()
        .map_or_else(|| folder.to_path_buf(), |it| folder.join(&it.transformer));
    let hugging_face: HuggingFaceConfig =
        optional_json(&transformer.join("config.json"))?.unwrap_or_default();
    let known = hugging_face.name_or_path.as_deref().and_then(catalog::find);

    let pooling = resolve_pooling(folder, modules.as_ref(), known, config.pooling)?;
    let sentence_bert = sentence_bert_config(&transformer)?;
    let sentence_transformers: SentenceTransformersConfig =
        optional_json(&folder.join("config_sentence_transformers.json"))?.unwrap_or_default();
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
        max_tokens: resolve_max_tokens(
            &transformer,
            &hugging_face,
            &sentence_bert,
            known,
            config.max_tokens,
        )?,
        pooling: pooling.pooling,
        pooling_is_guess: pooling.is_guess,
        stated_dimension: pooling.dimension,
        normalize: resolve_normalize(modules.as_ref(), known, config.normalize),
        lower_case: sentence_bert
            .and_then(|(it, _)| it.do_lower_case)
            .unwrap_or(false),
        prompt: sentence_transformers.default_prompt()?,
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
                "Expected '{stated}' or nothing for options.precision, as {} was prepared so, but received '{}'",
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

/// modules.json: one entry a step of the sentence-transformers pipeline.
#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The steps that this library knows, by where their files are.
struct Modules {
    transformer: String,
    pooling: Option<String>,
    normalize: bool,
}

fn read_modules(folder: &Path) -> Result<Option<Modules>> {
    let file = folder.join("modules.json");
    let Some(entries) = optional_json::<Vec<Module>>(&file)? else {
        return Ok(None);
    };
    let refused = |what: String| {
        Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} {what}; supported are a Transformer, then Pooling, then Normalize, found: {}",
                file.display(),
                entries
                    .iter()
                    .map(|entry| entry.kind.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        ))
    };
    let mut modules = Modules {
        transformer: String::new(),
        pooling: None,
        normalize: false,
    };
    for (position, entry) in entries.iter().enumerate() {
        if Path::new(&entry.path)
            .components()
            .any(|part| !matches!(part, std::path::Component::Normal(_)))
        {
            return refused(format!("names a path outside the folder ({:?})", entry.path));
        }
        // The Python module path differs between versions of sentence-transformers; the class name does not.
        match (position, entry.kind.rsplit('.').next()) {
            (0, Some("Transformer")) => modules.transformer.clone_from(&entry.path),
            (1, Some("Pooling")) => modules.pooling = Some(entry.path.clone()),
            (2, Some("Normalize")) => modules.normalize = true,
            _ => {
                return refused(format!(
                    "has a step that cannot be honoured ({} as step {position})",
                    entry.kind
                ));
            }
        }
    }
    if modules.pooling.is_none() {
        return refused("has no Pooling step".to_owned());
    }
    Ok(Some(modules))
}

/// 1_Pooling/config.json: a switch for each mode, or, since sentence-transformers 6, their names.
#[derive(Deserialize)]
struct PoolingConfig {
    pooling_mode: Option<OneOrMany>,
    #[serde(alias = "embedding_dimension")]
    word_embedding_dimension: Option<usize>,
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
struct PoolingStep {
    pooling: Sourced<Pooling>,
    /// Nobody said it: a guess.
    is_guess: bool,
    /// Numbers in one vector, where the file says it.
    dimension: Option<usize>,
}

fn read_pooling(file: &Path) -> Result<(Pooling, Option<usize>)> {
    let config: PoolingConfig = optional_json(file)?.ok_or_else(|| {
        Error::new(
            ErrorKind::ModelInvalid,
            format!("The model has no {}", file.display()),
        )
    })?;
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
                "of no kind".to_owned()
            } else {
                other.join(" + ")
            };
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!(
                    "{} asks for pooling {named}; supported is exactly one of mean, cls and max",
                    file.display()
                ),
            ));
        }
    };
    Ok((pooling, config.word_embedding_dimension))
}

fn resolve_pooling(
    folder: &Path,
    modules: Option<&Modules>,
    known: Option<KnownModel>,
    option: Option<Pooling>,
) -> Result<PoolingStep> {
    // A folder without modules.json may still carry the pooling file of the model that it was made from.
    let relative = modules
        .and_then(|it| it.pooling.clone())
        .unwrap_or_else(|| "1_Pooling".to_owned());
    let file = folder.join(&relative).join("config.json");
    let stated = if modules.is_some() || file.is_file() {
        Some(read_pooling(&file)?)
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

#[derive(Deserialize)]
struct SentenceBertConfig {
    max_seq_length: Option<usize>,
    do_lower_case: Option<bool>,
}

/// Names of the Transformer step's own configuration.
const SENTENCE_BERT_CONFIGS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// The Transformer step's own configuration, which older models named after their architecture.
fn sentence_bert_config(transformer: &Path) -> Result<Option<(SentenceBertConfig, &'static str)>> {
    for name in SENTENCE_BERT_CONFIGS {
        if let Some(config) = optional_json(&transformer.join(name))? {
            return Ok(Some((config, name)));
        }
    }
    Ok(None)
}

#[derive(Deserialize, Default)]
struct HuggingFaceConfig {
    #[serde(rename = "_name_or_path")]
    name_or_path: Option<String>,
    model_type: Option<String>,
    max_position_embeddings: Option<usize>,
    pad_token_id: Option<usize>,
    vocab_size: Option<usize>,
    matryoshka_dimensions: Option<Vec<usize>>,
}

impl HuggingFaceConfig {
    /// Tokens that the position table has room for. RoBERTa and its kin count positions from `pad_token_id + 1`.
    fn positions(&self) -> Option<usize> {
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

#[derive(Deserialize)]
struct TokenizerConfig {
    /// A float in some models: 1e30 stands for no limit.
    model_max_length: Option<f64>,
}

fn resolve_max_tokens(
    transformer: &Path,
    hugging_face: &HuggingFaceConfig,
    sentence_bert: &Option<(SentenceBertConfig, &'static str)>,
    known: Option<KnownModel>,
    option: Option<usize>,
) -> Result<Sourced<usize>> {
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
        None => Ok(own),
        Some(asked) if asked <= most => Ok(Sourced::new(asked, OPTION_MAX_TOKENS)),
        Some(asked) => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "Expected at most {most} for options.maxTokens, which is what this model reads, but received {asked}"
            ),
        )),
    }
}

#[derive(Deserialize, Default)]
struct SentenceTransformersConfig {
    default_prompt_name: Option<String>,
    #[serde(default)]
    prompts: BTreeMap<String, String>,
}

impl SentenceTransformersConfig {
    fn default_prompt(self) -> Result<Option<String>> {
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

fn find_onnx(folder: &Path, transformer: &Path, named: Option<&str>) -> Result<PathBuf> {
    if let Some(named) = named {
        let inside = Path::new(named)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "Expected a path inside the model's folder for options.modelFile but received {named:?}"
                ),
            ));
        }
    }
    let mut candidates = match named {
        Some(named) => vec![folder.join(named)],
        None => vec![folder.join("onnx/model.onnx"), folder.join("model.onnx")],
    };
    if named.is_none() && transformer != folder {
        candidates.extend([
            transformer.join("onnx/model.onnx"),
            transformer.join("model.onnx"),
        ]);
    }
    let onnx_file = existing(&candidates, "ONNX model")?;
    let beside = onnx_file.parent().map(fs::read_dir).and_then(io::Result::ok);
    for entry in beside.into_iter().flatten().flatten() {
        // The graph can name it as external data, and whoever opened it would wait, or read without end.
        if fs::metadata(entry.path()).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!(
                    "Expected files beside {} but {} is none",
                    onnx_file.display(),
                    entry.path().display()
                ),
            ));
        }
    }
    Ok(onnx_file)
}

/// The first of `candidates` that is a file.
fn existing(candidates: &[PathBuf], what: &str) -> Result<PathBuf> {
    candidates
        .iter()
        .find(|path| path.is_file())
        .cloned()
        .ok_or_else(|| {
            let looked: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
            Error::new(
                ErrorKind::ModelNotFound,
                format!("The {what} file is missing: looked for {}", looked.join(", ")),
            )
        })
}

/// The parsed file, or `None` where there is none.
fn optional_json<T: DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    let text = match fs::metadata(file).and_then(|found| {
        // Reading a pipe or a device would not end.
        if found.is_file() {
            fs::read(file)
        } else {
            Err(io::Error::other("it is not a file"))
        }
    }) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => {
            let sentence = format!("The model's file {} cannot be read", file.display());
            return Err(Error::new(ErrorKind::ModelNotFound, sentence).with_source(cause));
        }
    };
    let parsed = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(&text));
    parsed.map(Some).map_err(|cause| {
        let place = Some(cause.path().to_string()).filter(|place| place != ".");
        let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
        let sentence = format!("{} is not the JSON that was expected{place}", file.display());
        Error::new(ErrorKind::ModelInvalid, sentence).with_source(cause.into_inner())
    })
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
