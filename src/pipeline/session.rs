//! One ONNX session: its inputs and outputs resolved at load, then micro-batches in and vectors out.

#![allow(unsafe_code, reason = "a handle of ONNX Runtime goes between threads")]

use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, s};
use ort::environment::Environment;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{
    HasSelectedOutputs, NoSelectedOutputs, OutputSelector, RunOptions, Session as OrtSession,
};
use ort::value::{Outlet, Tensor, TensorElementType, ValueType};

use super::pooling;
use super::tokenizer::Sequence;
use super::weights::Weights;
use crate::config::Pooling;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::model::events::Cancel;
use crate::model::folder::{ModelSpec, OPTION_POOLING};
use crate::model::prepare::{DATA_FILE, GRAPH_FILE};
use crate::operators::{self, Packing};
use crate::runtime;

/// What a graph input is fed with. All are `[batch_size, sequence_length]` of int64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feed {
    InputIds,
    AttentionMask,
    TokenTypeIds,
}

impl Feed {
    fn of(name: &str) -> Option<Self> {
        match name {
            "input_ids" => Some(Self::InputIds),
            "attention_mask" => Some(Self::AttentionMask),
            "token_type_ids" => Some(Self::TokenTypeIds),
            _ => None,
        }
    }
}

/// How vectors come out of the graph's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readout {
    /// `token_embeddings [batch_size, sequence_length, hidden_size]`, to be pooled.
    Pool(Pooling),
    /// `sentence_embedding [batch_size, hidden_size]`, pooled by the graph.
    Ready,
}

/// The file of a graph, and what is left to do with it at load.
#[derive(Debug, Clone, Copy)]
pub enum Graph<'a> {
    /// As it was published: optimised by each session, which keeps weights of its own.
    Plain(&'a Path),
    /// The same, and what it was optimised to is written into the folder for [`Graph::Optimised`].
    Saved(&'a Path, &'a Path),
    /// Optimised before by ONNX Runtime: each session maps the weights.
    Optimised(&'a Path),
    /// Made of our operators by [`rewrite`](crate::model::rewrite): all sessions are lent the same map of the weights.
    Rewritten(&'a Path, &'a Arc<Weights>),
    /// The skeleton of a published graph, lent its weights where they lie: quick to open and slow to run.
    Reference(&'a Path, &'a Arc<Weights>),
}

impl<'a> Graph<'a> {
    fn file(self) -> &'a Path {
        let (Self::Plain(file)
        | Self::Saved(file, _)
        | Self::Optimised(file)
        | Self::Rewritten(file, _)
        | Self::Reference(file, _)) = self;
        file
    }

    fn weights(self) -> Option<&'a Arc<Weights>> {
        match self {
            Self::Rewritten(_, weights) | Self::Reference(_, weights) => Some(weights),
            _ => None,
        }
    }
}

/// Names of outputs with token embeddings, the better first.
const TOKEN_OUTPUTS: [&str; 2] = ["last_hidden_state", "token_embeddings"];

/// Name of the output with a text's embedding.
const READY_OUTPUT: &str = "sentence_embedding";

/// The outputs that vectors can come from, the one that would be read first.
#[must_use]
pub fn wanted_outputs(spec: &ModelSpec) -> [&'static str; 3] {
    let [first, second] = TOKEN_OUTPUTS;
    if spec.pooling_is_guess {
        [READY_OUTPUT, first, second]
    } else {
        [first, second, READY_OUTPUT]
    }
}

impl Readout {
    /// The pooling's name, or `model` where the graph pools by itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pool(pooling) => pooling.name(),
            Self::Ready => "model",
        }
    }
}

/// What turns sequences into vectors.
pub trait Model: Send + 'static {
    /// A handle that can end a run from another thread.
    type Stop: Clone + Send + Sync + 'static;

    /// A handle that can end the run that is given it.
    ///
    /// # Errors
    /// When there is none to be had.
    fn stop_handle(&self) -> Result<Self::Stop>;

    /// Ends the run that was given this handle, which then fails.
    fn stop(handle: &Self::Stop);

    /// Whether sequences of different lengths can run together.
    fn packs(&self) -> bool;

    /// Runs `sequences`, all of one length unless it [`packs`](Self::packs), and gives `vectors [batch_size, dimension]`,
    /// row-major, and `dimension`.
    ///
    /// # Errors
    /// When the run fails or was stopped.
    fn run(&mut self, sequences: &[&Sequence], stop: &Self::Stop) -> Result<(Vec<f32>, usize)>;
}

/// A model that is ready to run.
pub struct Session {
    inner: OrtSession,
    feeds: Vec<(String, Feed)>,
    output: String,
    readout: Readout,
    /// Tells the operators how texts of different lengths lie; `None` if they cannot.
    packing: Option<Packing>,
    /// After `inner`, which reads them to its end.
    _weights: Option<Arc<Weights>>,
}

/// Lets another thread end a run early; the run then fails.
#[derive(Clone)]
pub struct Stop(Arc<RunOptions<HasSelectedOutputs>>);

// SAFETY: ort withholds `Sync` because selected outputs may hold preallocated values, which two runs could write at
// once. None are preallocated here, and the only thing that another thread does is to set the atomic terminate flag.
unsafe impl Sync for Stop {}
// SAFETY: as above; the handle itself may move between threads (`RunOptions` is `Send`).
unsafe impl Send for Stop {}

impl Session {
    /// Opens the graph of `spec` for runs on `threads` threads, the calling one included.
    ///
    /// # Errors
    /// [`ErrorKind::RuntimeNotFound`] without the library; [`ErrorKind::ModelInvalid`] when the file is no usable
    /// model, needs an input that is not known, or has no output that vectors can be made from; [`ErrorKind::Inference`]
    /// for want of memory; [`ErrorKind::Aborted`].
    pub fn open(spec: &ModelSpec, graph: Graph<'_>, threads: usize, cancel: &Cancel) -> Result<Self> {
        let packing = Packing::default();
        let inner = build(graph, threads, &packing, cancel)?;
        let feeds = resolve_inputs(inner.inputs(), graph.file())?;
        let (output, readout) = resolve_output(inner.outputs(), spec)?;
        let weights = graph.weights();
        let packs = readout != Readout::Ready && weights.is_some_and(|weights| weights.packs(&output));
        Ok(Self {
            inner,
            feeds,
            output,
            readout,
            packing: packs.then_some(packing),
            _weights: weights.map(Arc::clone),
        })
    }

    /// How vectors come out of this graph.
    #[must_use]
    pub fn readout(&self) -> Readout {
        self.readout
    }
}

impl Model for Session {
    type Stop = Stop;

    /// # Errors
    /// [`ErrorKind::Inference`] when ONNX Runtime cannot make one.
    fn stop_handle(&self) -> Result<Stop> {
        let options: RunOptions<NoSelectedOutputs> =
            RunOptions::new().context(ErrorKind::Inference, || "ONNX Runtime could not prepare a run")?;
        // `Stop` is what makes this `Arc` safe to share.
        #[allow(clippy::arc_with_non_send_sync)]
        Ok(Stop(Arc::new(options.with_outputs(
            OutputSelector::no_default().with(self.output.as_str()),
        ))))
    }

    /// Ends the run at its next operator.
    fn stop(handle: &Stop) {
        // Only an invalid handle can fail here, and this one is alive.
        drop(handle.0.terminate());
    }

    fn packs(&self) -> bool {
        self.packing.is_some()
    }

    /// # Errors
    /// [`ErrorKind::Inference`] when the run fails or was stopped, or gives a value that is not finite.
    fn run(&mut self, sequences: &[&Sequence], stop: &Stop) -> Result<(Vec<f32>, usize)> {
        let batch = sequences.len();
        let lengths: Arc<[usize]> = sequences.iter().map(|sequence| sequence.ids.len()).collect();
        let length = lengths.iter().copied().max().unwrap_or(0);
        let failed = || format!("ONNX Runtime failed on {batch} sequences of up to {length} tokens");
        let packed = lengths.iter().any(|&one| one != length);
        match &self.packing {
            Some(packing) => packing.set(packed.then(|| Arc::clone(&lengths))),
            None if packed => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "Expected sequences of one length for this model",
                ));
            }
            None => {}
        }
        let mut inputs = Vec::with_capacity(self.feeds.len());
        for (name, feed) in &self.feeds {
            let values = feed_values(*feed, sequences, length);
            let tensor =
                Tensor::from_array(([batch, length], values)).context(ErrorKind::Inference, failed)?;
            inputs.push((name.as_str(), tensor));
        }
        let outputs = self
            .inner
            .run_with_options(inputs, &*stop.0)
            .context(ErrorKind::Inference, failed)?;
        let value = outputs.get(&self.output).ok_or_else(|| {
            Error::new(
                ErrorKind::Inference,
                format!("The run gave no output {}", self.output),
            )
        })?;
        let (shape, data) = value
            .try_extract_tensor::<f32>()
            .context(ErrorKind::Inference, failed)?;
        let shape: Vec<usize> = shape
            .iter()
            .map(|&size| usize::try_from(size).unwrap_or(0))
            .collect();
        let vectors = read_out(self.readout, &shape, data, &lengths)?;
        if vectors.0.iter().all(|value| value.is_finite()) {
            Ok(vectors)
        } else {
            Err(Error::new(
                ErrorKind::Inference,
                "The model gave a value that is not a finite number",
            ))
        }
    }
}

fn read_out(readout: Readout, shape: &[usize], data: &[f32], lengths: &[usize]) -> Result<(Vec<f32>, usize)> {
    let (batch, length) = (lengths.len(), lengths.iter().copied().max().unwrap_or(0));
    let unexpected = || {
        format!("Expected {batch} sequences of {length} tokens from the model but got the shape {shape:?}")
    };
    match (readout, shape) {
        (Readout::Ready, &[rows, hidden]) if rows == batch && hidden > 0 => Ok((data.to_vec(), hidden)),
        (Readout::Pool(pooling), &[rows, tokens, hidden])
            if rows == batch && tokens == length && hidden > 0 =>
        {
            let embeddings = ArrayView2::from_shape((rows * tokens, hidden), data)
                .context(ErrorKind::Inference, unexpected)?;
            let mut vectors = Array2::zeros((rows, hidden));
            let mut start = 0;
            for (&length, vector) in lengths.iter().zip(vectors.outer_iter_mut()) {
                let text = embeddings.slice(s![start..start + length, ..]);
                pooling::pool(pooling, text, vector);
                start += length;
            }
            Ok((vectors.into_raw_vec_and_offset().0, hidden))
        }
        _ => Err(Error::new(ErrorKind::Inference, unexpected())),
    }
}

fn build(graph: Graph<'_>, threads: usize, packing: &Packing, cancel: &Cancel) -> Result<OrtSession> {
    let environment = runtime::environment()?;
    let failed = || format!("{} cannot be loaded as an ONNX model", graph.file().display());
    let builder = options(environment, graph, threads).context(ErrorKind::ModelInvalid, failed)?;
    let mut builder = operators::register(builder, threads, packing)?;
    let canceler = builder.canceler();
    let _guard = cancel.on_cancel(move || drop(canceler.cancel()));
    builder.commit_from_file(graph.file()).map_err(|cause| {
        // A model is not to blame for what the system does not give.
        let kind = if is_want(&cause) {
            ErrorKind::Inference
        } else {
            ErrorKind::ModelInvalid
        };
        Error::new(kind, failed()).with_source(cause)
    })
}

/// Whether memory or threads ran out, for which ONNX Runtime has no code: it passes on what C++ (in two ways), its own
/// allocator and the system said.
pub fn is_want(cause: &dyn std::error::Error) -> bool {
    const SAID: [&str; 4] = [
        "bad_alloc",
        "bad allocation",
        "Failed to allocate memory",
        "pthread_create failed",
    ];
    let sentence = cause.to_string();
    SAID.iter().any(|said| sentence.contains(said))
}

fn options(environment: &Environment, graph: Graph<'_>, threads: usize) -> ort::Result<SessionBuilder> {
    let level = match graph {
        Graph::Plain(_) | Graph::Saved(..) => GraphOptimizationLevel::All,
        // Only what folds constants: the operators are ours.
        Graph::Rewritten(..) => GraphOptimizationLevel::Level1,
        Graph::Optimised(_) | Graph::Reference(..) => GraphOptimizationLevel::Disable,
    };
    let mut builder = OrtSession::builder(environment)?
        .with_optimization_level(level)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        // A desktop app that embeds nothing must use no processor time.
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        // Shapes change from run to run: remembering an allocation pattern for each only makes memory grow.
        .with_memory_pattern(false)?
        // KleidiAI keeps a second copy of all weights on Apple Silicon (onnxruntime #29538).
        .with_config_entry("mlas.disable_kleidiai", "1")?;
    if let Some(weights) = graph.weights() {
        builder = weights.lend(builder)?;
    }
    if let Graph::Reference(..) = graph {
        // Packing is a second copy of the weights, for a run or two.
        builder = builder.with_config_entry("session.disable_prepacking", "1")?;
    }
    if let Graph::Saved(_, folder) = graph {
        let prefix = "session.optimized_model_external_initializers";
        builder = builder
            .with_optimized_model_path(folder.join(GRAPH_FILE))?
            .with_config_entry(format!("{prefix}_file_name"), DATA_FILE)?
            .with_config_entry(format!("{prefix}_min_size_in_bytes"), "1024")?
            // In the layout that the products of this processor read, so that no session packs weights of its own.
            .with_config_entry("session.save_external_prepacked_constant_initializers", "1")?;
    }
    Ok(builder)
}

fn resolve_inputs(inputs: &[Outlet], file: &Path) -> Result<Vec<(String, Feed)>> {
    let names = || inputs.iter().map(Outlet::name).collect::<Vec<_>>().join(", ");
    let feeds: Option<Vec<_>> = inputs
        .iter()
        .map(|input| Some((input.name().to_owned(), Feed::of(input.name())?)))
        .collect();
    let whole_numbers = inputs.iter().all(|input| {
        matches!(input.dtype(), ValueType::Tensor { ty: TensorElementType::Int64, shape, .. } if shape.len() == 2)
    });
    match feeds {
        Some(feeds) if whole_numbers && feeds.iter().any(|(_, feed)| *feed == Feed::InputIds) => Ok(feeds),
        _ => Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} needs inputs that cannot be supplied; supported are int64 input_ids, attention_mask and \
                 token_type_ids [batch_size, sequence_length], found: {}",
                file.display(),
                names(),
            ),
        )),
    }
}

fn resolve_output(outputs: &[Outlet], spec: &ModelSpec) -> Result<(String, Readout)> {
    let has = |name: &str, rank: usize| {
        outputs.iter().any(|output| {
            output.name() == name
                && matches!(output.dtype(), ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } if shape.len() == rank)
        })
    };
    let tokens = TOKEN_OUTPUTS.into_iter().find(|name| has(name, 3));
    let ready = Some(READY_OUTPUT).filter(|name| has(name, 2));
    let asked_for = spec.pooling.source == OPTION_POOLING;
    match (tokens, ready) {
        // The graph's own pooling is better than a guess; what the folder or the caller says is better than both.
        (_, Some(name)) if spec.pooling_is_guess => Ok((name.to_owned(), Readout::Ready)),
        (Some(name), _) => Ok((name.to_owned(), Readout::Pool(spec.pooling.value))),
        (None, Some(name)) if !asked_for => Ok((name.to_owned(), Readout::Ready)),
        _ => Err(Error::new(
            ErrorKind::ModelInvalid,
            format!(
                "{} has no output that can be {}; supported are float32 last_hidden_state or token_embeddings \
                 [batch_size, sequence_length, hidden_size] and sentence_embedding [batch_size, hidden_size], found: {}",
                spec.onnx_file.display(),
                if asked_for {
                    "pooled as options.pooling asks"
                } else {
                    "made into vectors"
                },
                outputs
                    .iter()
                    .map(|output| format!("{} {}", output.name(), output.dtype()))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        )),
    }
}

fn feed_values(feed: Feed, sequences: &[&Sequence], length: usize) -> Vec<i64> {
    let mut values = Vec::with_capacity(sequences.len() * length);
    for (text, sequence) in sequences.iter().enumerate() {
        match feed {
            Feed::InputIds => values.extend(sequence.ids.iter().map(|&id| i64::from(id))),
            Feed::TokenTypeIds => values.extend(sequence.type_ids.iter().map(|&id| i64::from(id))),
            Feed::AttentionMask => values.extend(sequence.ids.iter().map(|_| 1)),
        }
        // What follows a packed text is not read; any id will do.
        values.resize((text + 1) * length, 0);
    }
    values
}
