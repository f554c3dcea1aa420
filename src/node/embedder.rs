//! `NativeEmbedder`, the class that lib/ wraps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use napi::bindgen_prelude::{
    Float32ArraySlice, FnArgs, Function, JavaScriptClassExt, JsObjectValue, Object, Uint32ArraySlice, Unknown,
};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, ValueType};
use napi_derive::napi;
use serde_json::{Value, json};

use super::arguments::{self, Refusal};
use super::job::{Promised, job, on_thread, returned};
use super::{arrays, errors, events, teardown};
use crate::config::EmbedOptions;
use crate::environment;
use crate::error::{Error, ErrorKind, Result};
use crate::model::events::{Cancel, OnEvent, Watch};
use crate::pipeline::call::{Embeddings, Progress};
use crate::pipeline::embedder::{Embedder, ModelInfo};
use crate::pipeline::session::Readout;
use crate::pipeline::stats::LaneStats;

/// A loaded model, for lib/ only: its methods take what JavaScript was given and check it.
#[napi]
pub struct NativeEmbedder {
    embedder: Arc<Embedder>,
}

#[napi]
impl NativeEmbedder {
    /// Starts to load a model on a thread of its own.
    #[napi(ts_return_type = "NativeJob<NativeEmbedder>")]
    pub fn load(
        env: Env,
        options: Unknown<'_>,
        #[napi(ts_arg_type = "((event: Record<string, unknown>) => void) | undefined")] on_event: Unknown<'_>,
    ) -> napi::Result<Unknown<'static>> {
        let config = arguments::load_options(options).map_err(|refusal| refused(env, refusal))?;
        environment::note();
        let on_event = event_sink(&on_event)?;
        let cancel = Cancel::default();
        let watch = Watch::new(on_event, cancel.clone());
        let (promised, promise) = Promised::new(env)?;
        let loading = promised.clone();
        let thread = on_thread("embedder-load", &promised, move || {
            let loaded = guarded("loading a model", || Embedder::load(&config, &watch));
            let kept = loaded.as_ref().ok().cloned();
            let delivered = loading.settle(loaded, |env, embedder| {
                teardown::register(env, &embedder)?;
                returned(env, Self { embedder }.into_instance(&env)?)
            });
            if let (false, Some(embedder)) = (delivered, kept) {
                embedder.close();
            }
        });
        if let Some(thread) = thread {
            teardown::register_load(env, thread, cancel.clone())?;
        }
        job(env, promise, move || {
            promised.reject(aborted());
            cancel.cancel();
        })
    }

    /// Embeds `texts`; with `single`, messages speak of `text`.
    #[napi(ts_return_type = "NativeJob<NativeEmbeddings>")]
    pub fn embed(
        &self,
        env: Env,
        texts: Unknown<'_>,
        options: Unknown<'_>,
        defaults: EmbedDefaults,
    ) -> napi::Result<Unknown<'static>> {
        let (texts, embed_options) = checked(env, texts, options, &defaults)?;
        let progress = progress_callback(&options)?;
        let (promised, promise) = Promised::new(env)?;
        let settle = Box::new(move |result| {
            promised.settle(result, embeddings);
        });
        let call = self.embedder.embed(texts, &embed_options, progress, settle);
        job(env, promise, move || call.cancel(aborted()))
    }

    /// Counts tokens, special tokens included, before truncation.
    #[napi(ts_return_type = "Promise<Uint32Array>")]
    pub fn count_tokens(&self, env: Env, texts: Unknown<'_>) -> napi::Result<Unknown<'static>> {
        let texts = arguments::texts(texts, false).map_err(|refusal| refused(env, refusal))?;
        let (promised, promise) = Promised::new(env)?;
        let settle = Box::new(move |result| {
            promised.settle(result, |env, counted: Embeddings| {
                returned(
                    env,
                    arrays::copied::<Uint32ArraySlice<'_>>(env, &counted.token_counts)?,
                )
            });
        });
        self.embedder.count_tokens(texts, settle);
        Ok(promise)
    }

    /// What was loaded.
    #[napi(ts_return_type = "ModelInfo")]
    pub fn info(&self, env: Env) -> napi::Result<Unknown<'static>> {
        to_js(env, &info(self.embedder.info()))
    }

    /// What was done so far.
    #[napi(ts_return_type = "EmbedderStats")]
    pub fn stats(&self, env: Env) -> napi::Result<Unknown<'static>> {
        to_js(env, &stats(&self.embedder))
    }

    /// Rejects what is not answered yet; resolves when all threads have ended and the model is freed.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close(&self, env: Env) -> napi::Result<Unknown<'static>> {
        let (promised, promise) = Promised::new(env)?;
        self.embedder.begin_close();
        let embedder = Arc::clone(&self.embedder);
        let closing = promised.clone();
        let thread = on_thread("embedder-close", &promised, move || {
            closing.settle(
                guarded("closing", || {
                    embedder.close();
                    Ok(())
                }),
                |env, ()| returned(env, ()),
            );
        });
        if let Some(thread) = thread {
            teardown::register_thread(env, thread)?;
        }
        Ok(promise)
    }
}

/// Checks the arguments of a call that has to wait for its embedder: nothing is loaded for a call that cannot be made.
#[napi]
pub fn check_call(
    env: Env,
    texts: Unknown<'_>,
    options: Unknown<'_>,
    defaults: EmbedDefaults,
) -> napi::Result<()> {
    checked(env, texts, options, &defaults).map(drop)
}

fn checked(
    env: Env,
    texts: Unknown<'_>,
    options: Unknown<'_>,
    defaults: &EmbedDefaults,
) -> napi::Result<(Vec<String>, EmbedOptions)> {
    let check = || {
        let priority = arguments::priority(&defaults.priority)?;
        Ok((
            arguments::texts(texts, defaults.single)?,
            arguments::embed_options(options, priority)?,
        ))
    };
    check().map_err(|refusal| refused(env, refusal))
}

/// What the method that was called implies.
#[napi(object, object_to_js = false)]
pub struct EmbedDefaults {
    /// Lane unless the options name one.
    #[napi(ts_type = "'interactive' | 'bulk'")]
    pub priority: String,
    /// The one text of `embedOne`.
    pub single: bool,
}

pub(super) fn aborted() -> Error {
    Error::new(ErrorKind::Aborted, "The call was aborted by its signal")
}

pub(super) fn refused(env: Env, refusal: Refusal) -> napi::Error {
    match refusal {
        Refusal::Argument(error) => errors::to_js(env, &error),
        Refusal::Exception(exception) => exception,
    }
}

/// No panic crosses into JavaScript: here it becomes a rejection.
pub(super) fn guarded<T>(doing: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Internal,
            format!("A panic stopped {doing}"),
        ))
    })
}

/// `{ data, dimension, tokenCounts, truncated }`. Copied rather than lent: Electron forbids external buffers.
fn embeddings(env: Env, result: Embeddings) -> napi::Result<Unknown<'static>> {
    let mut object = Object::new(&env)?;
    object.set_named_property(
        "data",
        arrays::copied::<Float32ArraySlice<'_>>(env, &result.vectors)?,
    )?;
    object.set_named_property("dimension", result.dimension as u32)?;
    object.set_named_property(
        "tokenCounts",
        arrays::copied::<Uint32ArraySlice<'_>>(env, &result.token_counts)?,
    )?;
    object.set_named_property("truncated", result.truncated)?;
    returned(env, object)
}

type EventCallback = ThreadsafeFunction<Value, Unknown<'static>, Value, Status, false, true>;

/// Where the events of a load go: `value`, if it is a function.
pub(super) fn event_sink(value: &Unknown<'_>) -> napi::Result<Option<OnEvent>> {
    if value.get_type()? != ValueType::Function {
        return Ok(None);
    }
    // SAFETY: `value` is a function.
    let function: Function<'_, Value, Unknown<'static>> = unsafe { value.cast()? };
    let builder = function
        .build_threadsafe_function::<Value>()
        .callee_handled::<false>()
        .weak::<true>();
    let callback: EventCallback = builder.build()?;
    Ok(Some(Box::new(move |event| {
        // A closing queue drops the event: nobody is left who could want it.
        callback.call(events::to_json(&event), ThreadsafeFunctionCallMode::NonBlocking);
    })))
}

/// `options.onProgress`, which was checked to be a function if it is there.
fn progress_callback(options: &Unknown<'_>) -> napi::Result<Option<Progress>> {
    if options.get_type()? != ValueType::Object {
        return Ok(None);
    }
    // SAFETY: `options` is an object.
    let options: Object<'_> = unsafe { options.cast()? };
    let value: Unknown<'_> = options.get_named_property("onProgress")?;
    if value.get_type()? != ValueType::Function {
        return Ok(None);
    }
    type Counts = FnArgs<(u32, u32)>;
    // SAFETY: `value` is a function.
    let function: Function<'_, Counts, Unknown<'static>> = unsafe { value.cast()? };
    let callback = function
        .build_threadsafe_function::<Counts>()
        .callee_handled::<false>()
        .weak::<true>()
        .build()?;
    Ok(Some(Box::new(move |done, total| {
        // A full or closing queue drops the report: the next one, or the result, makes up for it.
        callback.call(
            FnArgs::from((done as u32, total as u32)),
            ThreadsafeFunctionCallMode::NonBlocking,
        );
    })))
}

pub(super) fn to_js(env: Env, value: &Value) -> napi::Result<Unknown<'static>> {
    returned(env, env.to_js_value(value)?)
}

fn info(info: &ModelInfo) -> Value {
    let spec = &info.spec;
    let pooling_source = match info.readout {
        Readout::Pool(_) => spec.pooling.source.as_str(),
        Readout::Ready => "ONNX output sentence_embedding",
    };
    json!({
        "model": spec.name,
        "revision": info.revision,
        "path": spec.folder,
        "modelFile": spec.onnx_file,
        "dimension": info.dimension,
        "matryoshkaDimensions": spec.matryoshka_dimensions,
        "maxTokens": spec.max_tokens.value,
        "pooling": info.readout.name(),
        "normalize": spec.normalize.value,
        "precision": info.precision.name(),
        "threads": info.threads,
        "fingerprint": info.fingerprint,
        "sources": {
            "maxTokens": spec.max_tokens.source,
            "pooling": pooling_source,
            "normalize": spec.normalize.source,
        },
    })
}

fn stats(embedder: &Embedder) -> Value {
    let stats = embedder.stats();
    let lane = |lane: &LaneStats| {
        json!({
            "queueDepth": lane.queue_depth,
            "latencyMs": { "p50": lane.latency_p50, "p95": lane.latency_p95, "p99": lane.latency_p99 },
            "textsPerSecond": lane.texts_per_second,
        })
    };
    json!({
        "texts": stats.texts,
        "tokens": stats.tokens,
        "truncated": stats.truncated,
        "failures": stats.failures,
        "lanes": { "interactive": lane(&stats.interactive), "bulk": lane(&stats.bulk) },
        "memory": { "residentBytes": memory_stats::memory_stats().map(|memory| memory.physical_mem) },
    })
}
