//! The sessions of a model: from a prepared copy where that can be had, else from the model as it is.

use std::thread;

use super::scheduler::Sessions;
use super::session::{Graph, Session};
use super::tokenizer::{Sequence, Tokenizer};
use crate::config::EmbedderConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::model::events::{LoadEvent, Watch};
use crate::model::folder::ModelSpec;
use crate::model::prepare::{Cache, Copy, Recipe};

/// Changes whenever the same model gives another fp32 copy.
const FP32_MAKER: u32 = 1;

/// Largest difference of a number of the known text's vector in a copy from the model's, as a share of the vector's
/// largest number. Fused operators add in another order, and do nothing else.
const FP32_TOLERANCE: f32 = 1e-4;

/// Embedded by a model and by its new copy, which is only used if both agree.
const KNOWN_TEXT: &str = "The quick brown fox jumps over the lazy dog; 敏捷的棕色狐狸跳过懒狗。";

/// What loading a model gives.
pub struct Loaded {
    pub sessions: Sessions,
    pub tokenizer: Tokenizer,
    /// Numbers in one vector.
    pub dimension: usize,
}

/// Loads the tokenizer of `spec` and opens its sessions, making a prepared copy first if there is none.
///
/// A copy that cannot be made, or gives other vectors than the model, is told as a warning, and the model is loaded as
/// it is.
///
/// # Errors
/// As [`Tokenizer::load`] and [`Session::open`], [`ErrorKind::ModelInvalid`] also when the two do not fit together.
pub fn load(spec: &ModelSpec, config: &EmbedderConfig, watch: &Watch) -> Result<Loaded> {
    let copy = config.prepare.then(|| known_copy(spec, config)).flatten();
    let (tokenizer, opened) = thread::scope(|scope| {
        let tokenizer = scope.spawn(|| Tokenizer::load(spec));
        let verified = copy
            .as_ref()
            .map(|copy| scope.spawn(|| copy.verify(watch.cancel())));
        let opened = copy.as_ref().map(|copy| open_copy(spec, copy, config, watch));
        let verified = verified.map(|it| it.join().unwrap_or_else(|_| Err(panicked())));
        let opened = verified.and_then(Result::ok).and(opened).and_then(Result::ok);
        (tokenizer.join().unwrap_or_else(|_| Err(panicked())), opened)
    });
    let tokenizer = tokenizer?;
    watch.cancel().check()?;
    let mut sessions = match opened {
        Some(sessions) => sessions,
        None if config.prepare => {
            watch.tell(LoadEvent::Preparing {
                model: config.model.clone(),
            });
            match prepare(spec, &tokenizer, copy, config, watch) {
                Ok(sessions) => sessions,
                Err(Unprepared::Unusable(error)) => return Err(error),
                Err(Unprepared::Copy(error)) => {
                    watch.tell(LoadEvent::Warning {
                        message: format!("The model is loaded without a prepared copy: {error}"),
                    });
                    open_plain(spec, config, watch)?
                }
            }
        }
        None => open_plain(spec, config, watch)?,
    };
    let dimension = probe(&mut sessions.wide, &tokenizer, spec)?;
    Ok(Loaded {
        sessions,
        tokenizer,
        dimension,
    })
}

/// Why there is no prepared copy.
enum Unprepared {
    /// The model itself cannot be used, nor can a copy of it.
    Unusable(Error),
    /// Only the copy cannot be made or used.
    Copy(Error),
}

fn recipe(spec: &ModelSpec, config: &EmbedderConfig) -> Result<Recipe> {
    Recipe::new(&spec.onnx_file, config.precision, FP32_MAKER)
}

/// The copy that an earlier load made. Without a cache or a readable model there is none, which the rest of the load
/// will say better.
fn known_copy(spec: &ModelSpec, config: &EmbedderConfig) -> Option<Copy> {
    Cache::of(config).ok()?.find(&recipe(spec, config).ok()?)
}

/// Makes a copy in place of `broken`, and opens it if it gives the same vector as the model.
fn prepare(
    spec: &ModelSpec,
    tokenizer: &Tokenizer,
    broken: Option<Copy>,
    config: &EmbedderConfig,
    watch: &Watch,
) -> std::result::Result<Sessions, Unprepared> {
    let known = tokenizer.encode(KNOWN_TEXT).map_err(Unprepared::Unusable)?;
    let recipe = recipe(spec, config).map_err(Unprepared::Unusable)?;
    let cache = Cache::of(config).map_err(Unprepared::Copy)?;
    if let Some(broken) = broken {
        cache.discard(broken);
    }
    let mut expected = None;
    let copy = cache
        .find_or_make(&recipe, watch.cancel(), |folder| {
            let mut model = Session::open(
                spec,
                Graph::Saved(&spec.onnx_file, folder),
                config.threads,
                watch.cancel(),
            )?;
            expected = Some(vector(&mut model, &known)?);
            Ok(())
        })
        .map_err(Unprepared::Copy)?;
    let checked = open_copy(spec, &copy, config, watch).and_then(|mut sessions| {
        // Another process may have been faster; it has checked its copy.
        if let Some(expected) = expected {
            let got = vector(&mut sessions.wide, &known)?;
            agree(&expected, &got, FP32_TOLERANCE)?;
        }
        Ok(sessions)
    });
    checked.map_err(|error| {
        cache.discard(copy);
        Unprepared::Copy(error)
    })
}

/// One session of the model as it is: every further one would hold its own copy of the weights.
fn open_plain(spec: &ModelSpec, config: &EmbedderConfig, watch: &Watch) -> Result<Sessions> {
    Ok(Sessions {
        wide: Session::open(
            spec,
            Graph::Plain(&spec.onnx_file),
            config.threads,
            watch.cancel(),
        )?,
        narrow: Vec::new(),
    })
}

/// A session of all threads and one for each, all on the same pages.
fn open_copy(spec: &ModelSpec, copy: &Copy, config: &EmbedderConfig, watch: &Watch) -> Result<Sessions> {
    let graph = copy.graph();
    let open = |threads| Session::open(spec, Graph::Prepared(&graph), threads, watch.cancel());
    Ok(Sessions {
        wide: open(config.threads)?,
        narrow: (0..config.threads).map(|_| open(1)).collect::<Result<_>>()?,
    })
}

fn vector(session: &mut Session, sequence: &Sequence) -> Result<Vec<f32>> {
    let stop = session.stop_handle()?;
    Ok(session.run(&[sequence], &stop)?.0)
}

fn agree(expected: &[f32], got: &[f32], tolerance: f32) -> Result<()> {
    let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let apart = expected
        .iter()
        .zip(got)
        .fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    if expected.len() == got.len() && apart <= tolerance * largest {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::ModelInvalid,
        format!(
            "the copy gave another vector than the model for a known text ({apart:e} apart, largest {largest:e})"
        ),
    ))
}

fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "A panic stopped loading the model")
}

/// Runs the model on two short sequences, so that a model that cannot work is refused now and not by the first call:
/// it must give vectors, and take every id that its tokenizer can give.
fn probe(session: &mut Session, tokenizer: &Tokenizer, spec: &ModelSpec) -> Result<usize> {
    let stop = session.stop_handle()?;
    let invalid = |sentence: String| {
        move |cause: Error| Error::new(ErrorKind::ModelInvalid, sentence).with_source(cause)
    };
    let mut run = |sequence: &Sequence| session.run(&[sequence], &stop);
    let empty = tokenizer.encode("")?;
    let (_, dimension) = run(&empty).map_err(invalid(format!(
        "{} fails on an empty text",
        spec.onnx_file.display()
    )))?;
    let largest = Sequence {
        ids: vec![tokenizer.largest_id()],
        type_ids: vec![0],
        count: 1,
    };
    run(&largest).map_err(invalid(format!(
        "{} fails on token id {}, the largest that {} gives: they are not of one model",
        spec.onnx_file.display(),
        tokenizer.largest_id(),
        spec.tokenizer_file.display(),
    )))?;
    match spec.stated_dimension {
        Some(stated) if stated != dimension => Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} gives {dimension} dimensions but {} says {stated}: they are not of one model",
                spec.onnx_file.display(),
                spec.pooling.source,
            ),
        )),
        _ => Ok(dimension),
    }
}
