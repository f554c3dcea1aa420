//! Text to token ids, counting the tokens before anything is cut off.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::{
    DecoderWrapper, Encoding, Model, ModelWrapper, NormalizerWrapper, PostProcessor, PostProcessorWrapper,
    PreTokenizerWrapper, Tokenizer as HuggingFaceTokenizer, TokenizerImpl, TruncationDirection,
};

use super::unigram::Unigram;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::model::folder::{ModelSpec, OPTION_MAX_TOKENS};

/// The tokens of one text, ready for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// `input_ids [sequence_length]`, special tokens included, at most the model's maximum.
    pub ids: Vec<u32>,
    /// `token_type_ids [sequence_length]`.
    pub type_ids: Vec<u32>,
    /// Tokens before truncation, special tokens included.
    pub count: usize,
}

impl Sequence {
    /// Whether the text had more tokens than `ids` holds.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.count > self.ids.len()
    }
}

/// The library's tokenizer around a model.
type Around<M> =
    TokenizerImpl<M, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

enum Inner {
    /// A plain Unigram model, in our own form: an eighth of the time to load, a thirtieth of the memory.
    Unigram(Box<Around<Unigram>>),
    /// Any other model.
    Library(Box<Around<ModelWrapper>>),
}

/// A model's tokenizer with its limits.
pub struct Tokenizer {
    inner: Inner,
    max_tokens: usize,
    /// Tokens that the post-processor adds around every text.
    special_tokens: usize,
    largest_id: u32,
    lower_case: bool,
    prompt: Option<String>,
}

impl Tokenizer {
    /// Reads the tokenizer of `spec`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelNotFound`] when the file cannot be read, [`ErrorKind::ModelInvalid`] when it cannot be used,
    /// [`ErrorKind::InvalidArgument`] when the limit leaves no room for the special tokens.
    pub fn load(spec: &ModelSpec) -> Result<Self> {
        let file = &spec.tokenizer_file;
        let bytes = fs::read(file).context(ErrorKind::ModelNotFound, || {
            format!("The tokenizer {} cannot be read", file.display())
        })?;
        let unusable = || format!("{} cannot be used as a tokenizer", file.display());
        // The tokenizers crate indexes into what it parses: a malformed file can make it panic.
        let inner = catch_unwind(|| Inner::parse(&bytes))
            .map_err(|_| Error::new(ErrorKind::ModelInvalid, unusable()))?
            .context(ErrorKind::ModelInvalid, unusable)?;
        let special_tokens = inner.special_tokens();
        let max_tokens = spec.max_tokens.value;
        if max_tokens <= special_tokens {
            let limit = &spec.max_tokens;
            let kind = if limit.source == OPTION_MAX_TOKENS {
                ErrorKind::InvalidArgument
            } else {
                ErrorKind::ModelInvalid
            };
            let sentence = format!(
                "Expected more than {special_tokens} tokens for {}, as special tokens alone take that many, but it is {}",
                limit.source, limit.value,
            );
            return Err(Error::new(kind, sentence));
        }
        let tokenizer = Self {
            largest_id: inner.largest_id(),
            inner,
            max_tokens,
            special_tokens,
            lower_case: spec.lower_case,
            prompt: spec.prompt.clone(),
        };
        match spec.vocabulary {
            Some(rows) if tokenizer.largest_id() as usize >= rows => Err(Error::new(
                ErrorKind::ModelInvalid,
                format!(
                    "{} gives {} ids but config.json says that the model's table has {rows}: they belong to different models",
                    file.display(),
                    u64::from(tokenizer.largest_id()) + 1,
                ),
            )),
            _ => Ok(tokenizer),
        }
    }

    /// Longest sequence in tokens, special tokens included.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The largest id that this tokenizer can give.
    #[must_use]
    pub fn largest_id(&self) -> u32 {
        self.largest_id
    }

    /// The tokens of `text`.
    ///
    /// # Errors
    /// [`ErrorKind::Inference`] when the tokenizer refuses the text, which no known tokenizer does.
    pub fn encode(&self, text: &str) -> Result<Sequence> {
        self.encode_within(text, self.max_tokens)
    }

    /// The tokens of `text`, at most `max_tokens` of them.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_within(&self, text: &str, max_tokens: usize) -> Result<Sequence> {
        catch_unwind(AssertUnwindSafe(|| self.encode_unguarded(text, max_tokens)))
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Inference, refused(text))))
    }

    fn encode_unguarded(&self, text: &str, max_tokens: usize) -> Result<Sequence> {
        let prepared = self.prepare(text);
        let room = max_tokens.saturating_sub(self.special_tokens);
        let (encoding, count) = self
            .inner
            .encode(&prepared, room)
            .context(ErrorKind::Inference, || refused(text))?;
        Ok(Sequence {
            ids: encoding.get_ids().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
            count: count + self.special_tokens,
        })
    }

    /// What sentence-transformers does to a text before it tokenises it: strip, prompt, lower case.
    fn prepare<'text>(&self, text: &'text str) -> std::borrow::Cow<'text, str> {
        let stripped = text.trim_matches(is_python_space);
        match (&self.prompt, self.lower_case) {
            (None, false) => stripped.into(),
            (None, true) => stripped.to_lowercase().into(),
            (Some(prompt), lower) => {
                let whole = format!("{prompt}{text}");
                let whole = whole.trim_matches(is_python_space);
                if lower {
                    whole.to_lowercase().into()
                } else {
                    whole.to_owned().into()
                }
            }
        }
    }
}

impl Inner {
    fn parse(bytes: &[u8]) -> tokenizers::Result<Self> {
        // Whatever is not a plain Unigram, and whatever is malformed, the library is asked about: its answer counts.
        if let Ok(mut unigram) = serde_json::from_slice::<Around<Unigram>>(bytes) {
            lift_limits(&mut unigram)?;
            return Ok(Self::Unigram(Box::new(unigram)));
        }
        let mut library = HuggingFaceTokenizer::from_bytes(bytes)?.into_inner();
        lift_limits(&mut library)?;
        Ok(Self::Library(Box::new(library)))
    }

    /// Tokens that the post-processor adds around one text.
    fn special_tokens(&self) -> usize {
        let processor = match self {
            Self::Unigram(inner) => inner.get_post_processor(),
            Self::Library(inner) => inner.get_post_processor(),
        };
        processor.map_or(0, |it| it.added_tokens(false))
    }

    fn largest_id(&self) -> u32 {
        let (added, own) = match self {
            Self::Unigram(inner) => (inner.get_added_vocabulary(), inner.get_model().largest_id()),
            Self::Library(inner) => (inner.get_added_vocabulary(), largest_id(inner.get_model())),
        };
        own.max(added.get_vocab().values().copied().max()).unwrap_or(0)
    }

    /// The tokens of `text`, `room` of them and special tokens around them, and how many there were without those.
    fn encode(&self, text: &str, room: usize) -> tokenizers::Result<(Encoding, usize)> {
        match self {
            Self::Unigram(inner) => encode(inner, text, room),
            Self::Library(inner) => encode(inner, text, room),
        }
    }
}

fn largest_id(model: &ModelWrapper) -> Option<u32> {
    let tokens = u32::try_from(model.get_vocab_size()).ok()?;
    // When every id below the number of tokens has one, none is left for a larger id: that spares a copy of the vocabulary.
    if (0..tokens).all(|id| model.id_to_token(id).is_some()) {
        tokens.checked_sub(1)
    } else {
        model.get_vocab().into_values().max()
    }
}

/// sentence-transformers sets its own limit and pads by batch: what tokenizer.json says of both is overridden.
fn lift_limits<M: Model>(inner: &mut Around<M>) -> tokenizers::Result<()> {
    inner.with_padding(None).with_truncation(None)?;
    Ok(())
}

fn encode<M: Model>(inner: &Around<M>, text: &str, room: usize) -> tokenizers::Result<(Encoding, usize)> {
    let mut encoding = inner.encode_fast(text, false)?;
    let count = encoding.len();
    if count > room {
        encoding.truncate(room, 0, TruncationDirection::Right);
        // What was cut off is kept there, and would get special tokens of its own.
        encoding.take_overflowing();
    }
    Ok((inner.post_process(encoding, None, true)?, count))
}

/// Python's `str.strip` also takes the four separators that Unicode does not call white space.
fn is_python_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

fn refused(text: &str) -> String {
    format!(
        "The tokenizer failed on a text of {} characters",
        text.chars().count()
    )
}
