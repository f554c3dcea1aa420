//! The sessions of a model: from a prepared copy where that can be had, else from the model as it is.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, Scope, ScopedJoinHandle};

use super::scheduler::Sessions;
use super::session::{Graph, Model, Session, is_want, wanted_outputs};
use super::tokenizer::{Sequence, Tokenizer};
use super::weights::Weights;
use crate::config::{EmbedderConfig, Precision};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::kernels::Isa;
use crate::model::calibration::SENTENCES;
use crate::model::events::{Cancel, LoadEvent, Watch};
use crate::model::fingerprint::Contents;
use crate::model::folder::ModelSpec;
use crate::model::prepare::{Cache, Copy, GRAPH_FILE};
use crate::model::recipe::Recipe;
use crate::model::rewrite::{Form, REWRITER_VERSION, rewrite};
use crate::model::source::Source;

/// Smallest cosine of the known text's vector in a copy to the model's. An fp32 copy only adds in another order; an
/// 8-bit one has .998 and more on real models.
const fn smallest_cosine(precision: Precision) -> f64 {
    match precision {
        Precision::Fp32 => 0.999_999,
        Precision::Int8 => 0.98,
    }
}

/// Embedded by a model and by its new copy, beside the same backwards: the copy is only used if both agree.
const KNOWN_TEXT: &str = "The quick brown fox jumps over the lazy dog; 敏捷的棕色狐狸跳过懒狗。";

/// What loading a model gives.
pub struct Loaded {
    pub sessions: Sessions<Session>,
    pub tokenizer: Tokenizer,
    /// Names the vector space.
    pub fingerprint: String,
    /// Numbers in one vector.
    pub dimension: usize,
    /// The precision that the sessions have: not the one that was asked for when a copy could not be made.
    pub precision: Precision,
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
    let (tokenizer, contents, opened) = thread::scope(|scope| {
        let tokenizer = beside(scope, || Tokenizer::load(spec))?;
        let contents = beside(scope, || Contents::of(spec))?;
        let verified = copy
            .as_ref()
            .map(|copy| beside(scope, || copy.verify(watch.cancel())))
            .transpose()?;
        let opened = copy
            .as_ref()
            .map(|copy| open_shared(spec, &copy.graph(), config, watch));
        let opened = verified
            .zip(opened)
            .map(|(verified, opened)| finished(verified).and(opened));
        Ok((finished(tokenizer)?, finished(contents)?, opened))
    })?;
    watch.cancel().check()?;
    let (mut sessions, precision) = match opened {
        Some(Ok(sessions)) => (sessions, spec.precision),
        // Only what is wrong with its files is a reason to make a copy again: not a library or memory that is missing. One
        // whose files cannot be opened may have been removed by another process: it is looked for again.
        Some(Err(error)) if error.kind() == ErrorKind::ModelNotFound => {
            prepare_or_plain(spec, &tokenizer, None, config, watch)?
        }
        Some(Err(error)) if error.kind() != ErrorKind::ModelInvalid => return Err(error),
        None if spec.is_prepared => (open_shared(spec, &spec.onnx_file, config, watch)?, spec.precision),
        _ => prepare_or_plain(spec, &tokenizer, copy, config, watch)?,
    };
    let dimension = probe(&mut sessions.wide, &tokenizer, spec)?;
    let readout = sessions.wide.readout();
    Ok(Loaded {
        sessions,
        tokenizer,
        fingerprint: contents.fingerprint(spec, readout.name(), precision),
        dimension,
        precision,
    })
}

/// Makes a copy and opens it, or tells why not and opens the model as it is.
fn prepare_or_plain(
    spec: &ModelSpec,
    tokenizer: &Tokenizer,
    broken: Option<Copy>,
    config: &EmbedderConfig,
    watch: &Watch,
) -> Result<(Sessions<Session>, Precision)> {
    if config.prepare {
        watch.tell(LoadEvent::Preparing {
            model: config.model.clone(),
        });
        match prepare(spec, tokenizer, broken.as_ref(), config, watch) {
            Ok(sessions) => return Ok((sessions, spec.precision)),
            Err(Unprepared::Unusable(error)) => return Err(error),
            Err(Unprepared::Copy(error)) => {
                watch.cancel().check()?;
                watch.tell(LoadEvent::Warning {
                    message: format!(
                        "The model is loaded as it is, without a prepared copy: {}",
                        error.with_causes()
                    ),
                });
            }
        }
    } else if spec.precision != Precision::Fp32 {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "Expected prepare: true for options.precision '{}', which is made by preparing, but received false; \
                 a folder made by `sentence-embedder prepare --out` needs no preparing",
                spec.precision.name(),
            ),
        ));
    }
    tell_loading(config, watch);
    let plain = Sessions {
        wide: Session::open(
            spec,
            Graph::Plain(&spec.onnx_file),
            config.threads,
            watch.cancel(),
        )?,
        // Every further session would hold its own copy of the weights.
        narrow: Vec::new(),
    };
    Ok((plain, Precision::Fp32))
}

/// Why there is no prepared copy.
enum Unprepared {
    /// The model itself cannot be used, nor can a copy of it.
    Unusable(Error),
    /// Only the copy cannot be made or used.
    Copy(Error),
}

fn recipe(spec: &ModelSpec) -> Result<Recipe> {
    Recipe::new(spec, &wanted_outputs(spec), REWRITER_VERSION)
}

/// The copy that an earlier load made. Without a cache or a readable model there is none, which the rest of the load
/// will say better.
fn known_copy(spec: &ModelSpec, config: &EmbedderConfig) -> Option<Copy> {
    if spec.is_prepared {
        return None;
    }
    Cache::of(config).ok()?.find(&recipe(spec).ok()?)
}

/// Makes a copy in place of `broken` and opens it.
fn prepare(
    spec: &ModelSpec,
    tokenizer: &Tokenizer,
    broken: Option<&Copy>,
    config: &EmbedderConfig,
    watch: &Watch,
) -> std::result::Result<Sessions<Session>, Unprepared> {
    let recipe = recipe(spec).map_err(Unprepared::Unusable)?;
    let cache = Cache::of(config).map_err(Unprepared::Copy)?;
    let make = |folder: &Path| make_copy(spec, tokenizer, folder, config.threads, watch.cancel());
    let copy = cache
        .find_or_make(&spec.onnx_file, &recipe, broken, watch.cancel(), make)
        .map_err(Unprepared::Copy)?;
    open_shared(spec, &copy.graph(), config, watch).map_err(Unprepared::Copy)
}

/// Writes a copy of `spec` into `folder`, which is empty, and sees that it gives the vectors that the model gives.
///
/// # Errors
/// As [`rewrite`] and [`Session::open`]; [`ErrorKind::ModelInvalid`] for other vectors.
pub fn make_copy(
    spec: &ModelSpec,
    tokenizer: &Tokenizer,
    folder: &Path,
    threads: usize,
    cancel: &Cancel,
) -> Result<()> {
    // With the model's own limit, also below: a copy is shared by all callers, whatever theirs is.
    let known = tokenizer.encode_within(KNOWN_TEXT, spec.own_max_tokens)?;
    let check = |mut model: Session| {
        let expected = vectors(&mut model, &known)?;
        drop(model);
        let mut copy = open_copy(spec, &folder.join(GRAPH_FILE), threads, cancel)?;
        agree(
            &expected,
            &vectors(&mut copy, &known)?,
            smallest_cosine(spec.precision),
        )
    };
    let made = match spec.precision {
        Precision::Fp32 if Isa::detect().has_fast_floats() => output(spec)
            .and_then(|output| rewrite(&spec.onnx_file, &output, Form::Fp32, folder, cancel))
            .map(drop),
        Precision::Fp32 => Err(Error::new(
            ErrorKind::ModelInvalid,
            "There is no fp32 copy for this processor",
        )),
        Precision::Int8 => quantize(spec, tokenizer, folder, threads, cancel),
    };
    let checked = made.and_then(|()| {
        // The model as it was published, without loading it: its weights are read where they lie.
        let skeleton = folder.join("skeleton.onnx");
        let weights = Arc::new(Weights::of_model(&spec.onnx_file, &skeleton)?);
        let checked =
            Session::open(spec, Graph::Reference(&skeleton, &weights), threads, cancel).and_then(check);
        fs::remove_file(&skeleton).context(ErrorKind::Internal, || {
            format!("{} cannot be removed", skeleton.display())
        })?;
        checked
    });
    match checked {
        // What we cannot rewrite, ONNX Runtime can still optimise.
        Err(error)
            if spec.precision == Precision::Fp32
                && matches!(error.kind(), ErrorKind::ModelInvalid | ErrorKind::Inference) =>
        {
            empty(folder)?;
            check(Session::open(
                spec,
                Graph::Saved(&spec.onnx_file, folder),
                threads,
                cancel,
            )?)
        }
        checked => checked,
    }
}

fn empty(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder)
        .and_then(|()| fs::create_dir(folder))
        .context(ErrorKind::Internal, || {
            format!("{} cannot be emptied", folder.display())
        })
}

/// Writes the 8-bit copy of `spec` into `folder`, calibrated with the built-in sentences.
fn quantize(
    spec: &ModelSpec,
    tokenizer: &Tokenizer,
    folder: &Path,
    threads: usize,
    cancel: &Cancel,
) -> Result<()> {
    let examples = SENTENCES
        .iter()
        .map(|sentence| {
            Ok(tokenizer
                .encode_within(sentence, spec.own_max_tokens)?
                .ids
                .into_iter()
                .map(i64::from)
                .collect())
        })
        .collect::<Result<Vec<_>>>()?;
    let form = Form::Int8 {
        examples: &examples,
        threads,
    };
    rewrite(&spec.onnx_file, &output(spec)?, form, folder, cancel).map(drop)
}

/// The name of the output that vectors are made from.
fn output(spec: &ModelSpec) -> Result<String> {
    let names = Source::open(&spec.onnx_file)?.outputs();
    let wanted = wanted_outputs(spec)
        .into_iter()
        .find(|wanted| names.iter().any(|name| name == wanted));
    wanted.map(str::to_owned).ok_or_else(|| {
        Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} has no output that a copy could keep, found: {}",
                spec.onnx_file.display(),
                names.join(", ")
            ),
        )
    })
}

/// A session of all threads and one for each, all on the same pages of a copy's weights.
fn open_shared(
    spec: &ModelSpec,
    graph: &Path,
    config: &EmbedderConfig,
    watch: &Watch,
) -> Result<Sessions<Session>> {
    tell_loading(config, watch);
    let weights = Weights::of_copy(graph)?.map(Arc::new);
    let graph = copied(graph, weights.as_ref());
    let open = |threads| Session::open(spec, graph, threads, watch.cancel());
    Ok(Sessions {
        wide: open(config.threads)?,
        narrow: (0..config.threads).map(|_| open(1)).collect::<Result<_>>()?,
    })
}

fn tell_loading(config: &EmbedderConfig, watch: &Watch) {
    watch.tell(LoadEvent::Loading {
        model: config.model.clone(),
    });
}

/// One session of a copy.
fn open_copy(spec: &ModelSpec, graph: &Path, threads: usize, cancel: &Cancel) -> Result<Session> {
    let weights = Weights::of_copy(graph)?.map(Arc::new);
    Session::open(spec, copied(graph, weights.as_ref()), threads, cancel)
}

fn copied<'a>(graph: &'a Path, weights: Option<&'a Arc<Weights>>) -> Graph<'a> {
    match weights {
        Some(weights) => Graph::Rewritten(graph, weights),
        None => Graph::Optimised(graph),
    }
}

/// The vectors of a sequence and of the same backwards, together.
fn vectors(session: &mut Session, sequence: &Sequence) -> Result<Vec<f32>> {
    let mut backwards = sequence.clone();
    backwards.ids.reverse();
    let stop = session.stop_handle()?;
    Ok(session.run(&[sequence, &backwards], &stop)?.0)
}

fn agree(expected: &[f32], got: &[f32], smallest: f64) -> Result<()> {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    let cosine = dot(expected, got) / (dot(expected, expected) * dot(got, got)).sqrt();
    if expected.len() == got.len() && cosine >= smallest {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::ModelInvalid,
        format!(
            "Expected the copy's vectors to have a cosine of at least {smallest} to the model's but found {cosine:.6}"
        ),
    ))
}

/// Starts a part of a load on a thread of its own.
fn beside<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    part: impl FnOnce() -> Result<T> + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, Result<T>>> {
    thread::Builder::new()
        .name("embedder-part".to_owned())
        .spawn_scoped(scope, part)
        .context(
            ErrorKind::Internal,
            || "A thread that loads a part of the model could not be started",
        )
}

fn finished<T>(part: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    let panicked = |_| {
        Err(Error::new(
            ErrorKind::Internal,
            "A panic stopped loading the model",
        ))
    };
    part.join().unwrap_or_else(panicked)
}

/// Runs the model on two short sequences, so that a model that cannot work is refused now and not by the first call:
/// it must give vectors, and take every id that its tokenizer can give.
fn probe(session: &mut Session, tokenizer: &Tokenizer, spec: &ModelSpec) -> Result<usize> {
    let stop = session.stop_handle()?;
    let invalid = |sentence: String| {
        move |cause: Error| match std::error::Error::source(&cause) {
            Some(said) if is_want(said) => cause,
            _ => Error::new(ErrorKind::ModelInvalid, sentence).with_source(cause),
        }
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
    let (_, again) = run(&largest).map_err(invalid(format!(
        "{} fails on token id {}, the largest that {} gives: they belong to different models",
        spec.onnx_file.display(),
        tokenizer.largest_id(),
        spec.tokenizer_file.display(),
    )))?;
    if again != dimension {
        return Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} gives {dimension} dimensions for one text and {again} for another",
                spec.onnx_file.display()
            ),
        ));
    }
    match spec.stated_dimension {
        Some(stated) if stated != dimension => Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} gives {dimension} dimensions but {} says {stated}: they belong to different models",
                spec.onnx_file.display(),
                spec.pooling.source,
            ),
        )),
        _ => Ok(dimension),
    }
}
