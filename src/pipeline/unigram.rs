//! The Unigram model of SentencePiece tokenizers, loaded fast and kept small.
//!
//! The most probable split of a word into pieces (Kudo 2018, "Subword Regularization", section 3.2) by Viterbi's
//! algorithm, giving the ids that `encode_optimized` and `tokenize` of the `tokenizers` crate give
//! (`models/unigram/model.rs`, after `EncodeOptimized` of SentencePiece's `unigram_model.cc`). That crate keeps the
//! vocabulary in two hash maps and a trie of hash maps: 320 MB and 0.9 s for 250,000 pieces, which is why this exists.
//! What this model does not do exactly alike it refuses to load, and then the crate's own is used.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tokenizers::models::unigram::UnigramTrainer;
use tokenizers::{Model, PreTokenizedString, Token, TruncationDirection};

use super::trie::Trie;

/// What an unknown character costs more than the least probable piece.
const UNKNOWN_PENALTY: f64 = 10.0;

/// A position that no piece was found to end at.
const UNREACHED: u32 = u32::MAX;

/// A vocabulary of pieces with the logarithms of their probabilities.
///
/// Its tokens carry ids only, no text and no offsets: nothing here reads them.
#[derive(Deserialize)]
#[serde(try_from = "Definition")]
pub struct Unigram {
    /// The id of each piece; of the last one where a piece is listed twice, as in the original.
    trie: Trie,
    /// By id.
    scores: Vec<f64>,
    unknown: u32,
    unknown_score: f64,
}

/// The model of a tokenizer.json. Fields that are missing here could change the ids, so they are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    #[serde(rename = "type")]
    _kind: Kind,
    unk_id: Option<usize>,
    vocab: Vocabulary,
    #[serde(default)]
    byte_fallback: bool,
}

#[derive(Deserialize)]
enum Kind {
    Unigram,
}

/// The pieces by id, their bytes in one string.
#[derive(Default)]
struct Vocabulary {
    bytes: Vec<u8>,
    /// Where each piece ends in `bytes`; it begins where the one before ends.
    ends: Vec<usize>,
    scores: Vec<f64>,
}

/// A piece as it stands in the file, copied only when it has escapes.
#[derive(Deserialize)]
struct Piece<'file>(#[serde(borrow)] Cow<'file, str>);

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pieces;
        impl<'de> Visitor<'de> for Pieces {
            type Value = Vocabulary;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of pieces with their scores")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocabulary, A::Error> {
                let mut vocabulary = Vocabulary::default();
                while let Some((Piece(piece), score)) = list.next_element::<(Piece<'de>, f64)>()? {
                    vocabulary.bytes.extend_from_slice(piece.as_bytes());
                    vocabulary.ends.push(vocabulary.bytes.len());
                    vocabulary.scores.push(score);
                }
                Ok(vocabulary)
            }
        }
        deserializer.deserialize_seq(Pieces)
    }
}

impl Vocabulary {
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let piece = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            piece
        })
    }

    /// Every piece once, with its last id, sorted.
    fn sorted(&self) -> Vec<(&[u8], u32)> {
        // Sixteen bytes decide nearly every comparison without a look at the pieces, which are all over memory.
        let mut keyed: Vec<_> = self
            .pieces()
            .zip(0_u32..)
            .map(|(piece, id)| {
                let mut head = [0; 16];
                for (to, from) in head.iter_mut().zip(piece) {
                    *to = *from;
                }
                (u128::from_be_bytes(head), piece, id)
            })
            .collect();
        keyed.sort_unstable_by(|(head, piece, id), (other_head, other, other_id)| {
            head.cmp(other_head)
                .then_with(|| piece.cmp(other))
                // The last id first: it is the one that stays.
                .then_with(|| other_id.cmp(id))
        });
        keyed.dedup_by_key(|(_, piece, _)| *piece);
        keyed.into_iter().map(|(_, piece, id)| (piece, id)).collect()
    }
}

/// Why a model is left to the `tokenizers` crate.
#[derive(Debug)]
enum Refusal {
    ByteFallback,
    UnknownId,
    Pieces,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::ByteFallback => "byte_fallback is not done here",
            Self::UnknownId => "unk_id is missing or not in the vocabulary",
            Self::Pieces => "an empty piece, a piece with a NUL, or too many pieces",
        })
    }
}

impl TryFrom<Definition> for Unigram {
    type Error = Refusal;

    fn try_from(definition: Definition) -> Result<Self, Refusal> {
        let Definition {
            unk_id,
            vocab,
            byte_fallback,
            ..
        } = definition;
        if byte_fallback {
            return Err(Refusal::ByteFallback);
        }
        // Without an unknown token some texts are errors and others are not: that is left to the original.
        let unknown = unk_id
            .filter(|&id| id < vocab.scores.len())
            .ok_or(Refusal::UnknownId)?;
        let unknown = u32::try_from(unknown).map_err(|_| Refusal::UnknownId)?;
        let least = vocab.scores.iter().copied().fold(f64::INFINITY, f64::min);
        Ok(Self {
            trie: Trie::build(&vocab.sorted()).ok_or(Refusal::Pieces)?,
            scores: vocab.scores,
            unknown,
            unknown_score: least - UNKNOWN_PENALTY,
        })
    }
}

/// The best way to a position in a word.
#[derive(Clone, Copy)]
struct Step {
    /// Its score, from the word's beginning.
    score: f64,
    /// Where its last piece starts.
    start: u32,
    /// Its last piece.
    id: u32,
}

impl Unigram {
    /// The largest id of a piece.
    pub fn largest_id(&self) -> Option<u32> {
        u32::try_from(self.scores.len()).ok()?.checked_sub(1)
    }

    /// The tokens of `word`, using `steps` as scratch space.
    fn split(&self, word: &str, steps: &mut Vec<Step>) -> tokenizers::Result<Vec<Token>> {
        // Pieces are never as long as the 4 GiB that would not fit.
        let length = u32::try_from(word.len())?;
        steps.clear();
        steps.resize(
            word.len() + 1,
            Step {
                score: 0.0,
                start: UNREACHED,
                id: 0,
            },
        );
        let mut from = 0_u32;
        for character in word.chars() {
            let (Some(rest), Some(here)) = (
                word.as_bytes().get(from as usize..),
                steps.get_mut(from as usize..),
            ) else {
                break;
            };
            let width = character.len_utf8();
            let so_far = here.first().map_or(0.0, |step| step.score);
            let mut offer = |length: usize, id: u32, score: f64| {
                if let Some(target) = here.get_mut(length) {
                    let score = score + so_far;
                    if target.start == UNREACHED || score > target.score {
                        *target = Step {
                            score,
                            start: from,
                            id,
                        };
                    }
                }
            };
            let mut is_piece = false;
            for (length, id) in self.trie.prefixes(rest) {
                is_piece |= length == width;
                offer(length, id, self.scores.get(id as usize).copied().unwrap_or(0.0));
            }
            if !is_piece {
                offer(width, self.unknown, self.unknown_score);
            }
            from += width as u32;
        }
        let mut tokens = Vec::new();
        let mut end = length;
        while end > 0 {
            let Some(step) = steps.get(end as usize).filter(|step| step.start < end) else {
                return Err("A word has no way through it".into());
            };
            let mut start = step.start;
            let mut id = step.id;
            if id == self.unknown {
                // Unknown neighbours are one token; what they spell together may be a piece after all.
                while let Some(before) = steps.get(start as usize)
                    && start > 0
                    && before.id == self.unknown
                {
                    start = before.start;
                }
                let spelt = word.as_bytes().get(start as usize..end as usize);
                id = spelt.and_then(|bytes| self.trie.get(bytes)).unwrap_or(id);
            }
            tokens.push(Token::new(id, String::new(), (0, 0)));
            end = start;
        }
        tokens.reverse();
        Ok(tokens)
    }
}

impl Model for Unigram {
    type Trainer = UnigramTrainer;

    fn tokenize(&self, word: &str) -> tokenizers::Result<Vec<Token>> {
        self.split(word, &mut Vec::new())
    }

    fn tokenize_in_pretokenized(
        &self,
        words: &mut PreTokenizedString,
        truncation: Option<(usize, TruncationDirection)>,
    ) -> tokenizers::Result<()> {
        // One scratch space for all words of a text.
        let steps = RefCell::new(Vec::new());
        let split = |word: &tokenizers::NormalizedString| self.split(word.get(), &mut steps.borrow_mut());
        match truncation {
            Some((limit, direction)) => words.tokenize_with_limit(split, limit, direction),
            None => words.tokenize(split),
        }
    }

    fn token_to_id(&self, piece: &str) -> Option<u32> {
        self.trie.get(piece.as_bytes())
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        // Nothing here turns ids into text, so the pieces are not kept in a form that would make this fast.
        let (piece, _) = self.trie.entries().find(|(_, other)| *other == id)?;
        String::from_utf8(piece).ok()
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        self.trie
            .entries()
            .filter_map(|(piece, id)| Some((String::from_utf8(piece).ok()?, id)))
            .collect()
    }

    fn get_vocab_size(&self) -> usize {
        self.scores.len()
    }

    fn save(&self, _: &Path, _: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        Err("A loaded model is not written back".into())
    }

    fn get_trainer(&self) -> UnigramTrainer {
        UnigramTrainer::default()
    }
}
