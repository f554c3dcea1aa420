//! The model store for the command line: fetch, list, remove.

use std::path::PathBuf;

use napi::Env;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use serde_json::{Value, json};

use super::arguments::{self, PullOptions};
use super::embedder::{aborted, event_sink, guarded, refused, to_js};
use super::job::{Promised, job, on_thread};
use super::{errors, teardown};
use crate::config::{EmbedderConfig, Precision};
use crate::environment;
use crate::error::{Error, ErrorKind, Result};
use crate::model::events::{Cancel, Watch};
use crate::model::store::settings::Settings;
use crate::model::store::{self, Request, Store, inventory, manifest};
use crate::pipeline::export::export;

/// Fetches a model, and copies it into a plain folder if `options.out` names one.
#[napi(ts_return_type = "NativeJob<PulledModel>")]
pub fn pull_model(
    env: Env,
    options: Unknown<'_>,
    #[napi(ts_arg_type = "((event: Record<string, unknown>) => void) | undefined")] on_event: Unknown<'_>,
) -> napi::Result<Unknown<'static>> {
    work(env, options, on_event, "downloading a model", pull)
}

/// Writes a copy of a model in another precision into the plain folder `options.out`.
#[napi(ts_return_type = "NativeJob<PreparedModel>")]
pub fn prepare_model(
    env: Env,
    options: Unknown<'_>,
    #[napi(ts_arg_type = "((event: Record<string, unknown>) => void) | undefined")] on_event: Unknown<'_>,
) -> napi::Result<Unknown<'static>> {
    work(env, options, on_event, "preparing a model", prepare)
}

/// Does `body` on a thread of its own.
fn work(
    env: Env,
    options: Unknown<'_>,
    on_event: Unknown<'_>,
    doing: &'static str,
    body: fn(&PullOptions, &Watch) -> Result<Value>,
) -> napi::Result<Unknown<'static>> {
    let options = arguments::pull_options(options).map_err(|refusal| refused(env, refusal))?;
    environment::note();
    let on_event = event_sink(&on_event)?;
    let cancel = Cancel::default();
    let watch = Watch::new(on_event, cancel.clone());
    let (promised, promise) = Promised::new(env)?;
    let working = promised.clone();
    let thread = on_thread("embedder-store", &promised, move || {
        let done = guarded(doing, || body(&options, &watch));
        working.settle(done, |env, done| to_js(env, &done));
    });
    if let Some(thread) = thread {
        teardown::register_load(env, thread, cancel.clone())?;
    }
    job(env, promise, move || {
        promised.reject(aborted());
        cancel.cancel();
    })
}

fn prepare(options: &PullOptions, watch: &Watch) -> Result<Value> {
    let out = options.out.as_ref().ok_or_else(|| {
        let sentence = "Expected a folder for options.out but received nothing";
        Error::new(ErrorKind::InvalidArgument, sentence)
    })?;
    let manifest = export(&options.config, out, watch)?;
    Ok(json!({
        "model": manifest.model,
        "precision": manifest.precision,
        "path": out,
        "files": manifest.files.len(),
        "bytes": manifest.size() as f64,
    }))
}

fn pull(options: &PullOptions, watch: &Watch) -> Result<Value> {
    let config = &options.config;
    if store::is_folder(&config.model) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "Expected the id of a model on the hub, like owner/name, but received {:?}",
                config.model
            ),
        ));
    }
    let request = Request {
        id: config.model.clone(),
        revision: config.revision.clone(),
        model_file: config.model_file.clone(),
        // The manifest of a copy must not vouch for bytes that rotted in the cache.
        verify: options.out.is_some(),
        refresh: true,
    };
    let model = Store::new(Settings::of(config)?).resolve(&request, watch)?;
    let size = |file: &String| model.folder.join(file).metadata().map_or(0, |found| found.len());
    let (files, bytes) = match &options.out {
        Some(out) => {
            let written = match config.precision {
                Some(Precision::Int8) => export(config, out, watch)?,
                Some(Precision::Fp32) | None => manifest::export(&model, out, watch.cancel())?,
            };
            (written.files.len(), written.size())
        }
        None => (model.files.len(), model.files.iter().map(size).sum()),
    };
    Ok(json!({
        "model": model.id,
        "revision": model.revision,
        "path": options.out.as_ref().unwrap_or(&model.folder),
        "files": files,
        "bytes": bytes as f64,
        "fromCache": model.from_cache,
    }))
}

/// The models in the cache.
#[napi(ts_return_type = "CachedModel[]")]
pub fn cached_models(env: Env, cache_dir: Option<String>) -> napi::Result<Unknown<'static>> {
    let settings = Settings::of(&config(cache_dir)).map_err(|error| errors::to_js(env, &error))?;
    let models: Vec<_> = inventory::list(&settings.cache)
        .into_iter()
        .map(|model| {
            json!({
                "model": model.id,
                "path": model.folder,
                "bytes": model.size as f64,
                "revisions": model.revisions,
                "partial": model.partial,
            })
        })
        .collect();
    to_js(env, &json!(models))
}

/// Deletes a model and its prepared copies from the cache and answers how many bytes that freed.
#[napi]
pub fn remove_model(env: Env, model: String, cache_dir: Option<String>) -> napi::Result<f64> {
    let freed = inventory::remove(&config(cache_dir), &model).map_err(|error| errors::to_js(env, &error))?;
    Ok(freed as f64)
}

fn config(cache_dir: Option<String>) -> EmbedderConfig {
    environment::note();
    EmbedderConfig {
        cache_dir: cache_dir.map(PathBuf::from),
        ..EmbedderConfig::default()
    }
}
