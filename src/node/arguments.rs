//! What JavaScript passed, checked and converted. Every refusal says what was expected, for what, and what came.

pub mod vectors;

use std::collections::TryReserveError;
use std::path::PathBuf;
use std::time::Duration;

use napi::bindgen_prelude::{Array, JsObjectValue, Object, Unknown};
use napi::{JsString, JsValue, ValueType, sys};

use crate::config::{
    EmbedOptions, EmbedderConfig, MAX_THREADS, MAX_TIMEOUT, Overflow, Pooling, Precision, Priority,
};
use crate::error::{Error, ErrorKind};

/// A refused argument, or an exception of the caller's own code (a getter, a proxy) while it was read.
pub enum Refusal {
    Argument(Error),
    Exception(napi::Error),
}

impl From<napi::Error> for Refusal {
    fn from(exception: napi::Error) -> Self {
        Self::Exception(exception)
    }
}

type Checked<T> = Result<T, Refusal>;

/// `texts` of `embedBatch`, or `[text]` of `embedOne`, whose messages then speak of `text`.
pub fn texts(value: Unknown<'_>, single: bool) -> Checked<Vec<String>> {
    if !value.is_array()? {
        return refuse("an array of strings", "texts", &value);
    }
    // SAFETY: `value` is an array, and stays alive for the duration of this call into the addon.
    let array: Array<'_> = unsafe { value.cast()? };
    // Grows with what is there: an array can have four thousand million holes.
    let mut texts = Vec::new();
    for index in 0..array.len() {
        let item: Unknown<'_> = match array.get(index)? {
            Some(item) => item,
            None => {
                return Err(invalid(&format!(
                    "Expected a string for texts[{index}] but received nothing (a hole)"
                )));
            }
        };
        let name = || {
            if single {
                "text".to_owned()
            } else {
                format!("texts[{index}]")
            }
        };
        let text = string(&item, name)?;
        texts.try_reserve(1).map_err(|cause| no_memory(&name(), cause))?;
        texts.push(text);
    }
    Ok(texts)
}

/// Options of `Embedder.load`, over the core's defaults.
pub fn load_options(value: Unknown<'_>) -> Checked<EmbedderConfig> {
    let mut config = EmbedderConfig::default();
    each_option(value, |name, value| {
        let path = || format!("options.{name}");
        match name {
            "model" => config.model = filled_string(value, path)?,
            "revision" => config.revision = Some(filled_string(value, path)?),
            "precision" => {
                config.precision = Some(word(value, path, Precision::ALL.map(|it| (it.name(), it)))?)
            }
            "modelFile" => config.model_file = Some(filled_string(value, path)?),
            "cacheDir" => config.cache_dir = Some(PathBuf::from(filled_string(value, path)?)),
            "offline" => config.offline = Some(boolean(value, path)?),
            "verify" => config.verify = boolean(value, path)?,
            "prepare" => config.prepare = boolean(value, path)?,
            "threads" => config.threads = whole_number(value, path, MAX_THREADS)?,
            // The model's own limit is checked when the model is known.
            "maxTokens" => config.max_tokens = Some(whole_number(value, path, u32::MAX as usize)?),
            "pooling" => config.pooling = Some(word(value, path, Pooling::ALL.map(|it| (it.name(), it)))?),
            "normalize" => config.normalize = Some(boolean(value, path)?),
            "onProgress" => function(value, path)?,
            "signal" => abort_signal(value, path)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(config)
}

/// What `pull` is asked for.
pub struct PullOptions {
    /// The model, its files and the cache.
    pub config: EmbedderConfig,
    /// Where a plain copy goes.
    pub out: Option<PathBuf>,
}

/// Options of `pull`, over the core's defaults.
pub fn pull_options(value: Unknown<'_>) -> Checked<PullOptions> {
    let mut config = EmbedderConfig::default();
    let mut out = None;
    each_option(value, |name, value| {
        let path = || format!("options.{name}");
        match name {
            "model" => config.model = filled_string(value, path)?,
            "revision" => config.revision = Some(filled_string(value, path)?),
            "precision" => {
                config.precision = Some(word(value, path, Precision::ALL.map(|it| (it.name(), it)))?)
            }
            "modelFile" => config.model_file = Some(filled_string(value, path)?),
            "cacheDir" => config.cache_dir = Some(PathBuf::from(filled_string(value, path)?)),
            "out" => out = Some(PathBuf::from(filled_string(value, path)?)),
            "signal" => abort_signal(value, path)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(PullOptions { config, out })
}

/// Options of one call, over the core's defaults and the method's own priority.
pub fn embed_options(value: Unknown<'_>, priority: Priority) -> Checked<EmbedOptions> {
    let mut options = EmbedOptions {
        priority,
        ..EmbedOptions::default()
    };
    each_option(value, |name, value| {
        let path = || format!("options.{name}");
        match name {
            "priority" => options.priority = word(value, path, Priority::ALL.map(|it| (it.name(), it)))?,
            "timeoutMs" => {
                let most = MAX_TIMEOUT.as_millis() as usize;
                options.timeout = Some(Duration::from_millis(whole_number(value, path, most)? as u64));
            }
            "overflow" => options.overflow = word(value, path, Overflow::ALL.map(|it| (it.name(), it)))?,
            "normalize" => options.normalize = Some(boolean(value, path)?),
            "onProgress" => function(value, path)?,
            "signal" => abort_signal(value, path)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(options)
}

/// One of [`Priority`]'s names, as the binding's own callers pass it.
pub fn priority(name: &str) -> Checked<Priority> {
    let found = Priority::ALL.into_iter().find(|priority| priority.name() == name);
    found.ok_or_else(|| {
        invalid(&format!(
            "Expected 'interactive' or 'bulk' for priority but received '{name}'"
        ))
    })
}

/// Calls `take` for each option that is not undefined; it answers whether it knows the name.
fn each_option(value: Unknown<'_>, mut take: impl FnMut(&str, &Unknown<'_>) -> Checked<bool>) -> Checked<()> {
    match value.get_type()? {
        ValueType::Undefined => return Ok(()),
        ValueType::Object if !value.is_array()? => {}
        _ => return refuse("an object", "options", &value),
    }
    // SAFETY: `value` is an object, and stays alive for the duration of this call into the addon.
    let object: Object<'_> = unsafe { value.cast()? };
    for name in Object::keys(&object)? {
        let value: Unknown<'_> = object.get_named_property(&name)?;
        if value.get_type()? != ValueType::Undefined && !take(&name, &value)? {
            return Err(invalid(&format!(
                "Expected only known names in options but received options.{name} ({})",
                describe(&value)
            )));
        }
    }
    Ok(())
}

/// A lone surrogate becomes U+FFFD.
fn string(value: &Unknown<'_>, path: impl FnOnce() -> String) -> Checked<String> {
    if value.get_type()? != ValueType::String {
        return refuse("a string", &path(), value);
    }
    // SAFETY: `value` is a string.
    let text: JsString<'_> = unsafe { value.cast()? };
    // One for the NUL that Node-API ends it with.
    let room = text.utf8_len()? + 1;
    let mut bytes: Vec<u8> = Vec::new();
    if let Err(cause) = bytes.try_reserve_exact(room) {
        return Err(no_memory(&path(), cause));
    }
    let value = text.value();
    let mut written = 0;
    // SAFETY: on the JavaScript thread of the environment that the string is of; `bytes` has the room that is said.
    let status = unsafe {
        sys::napi_get_value_string_utf8(
            value.env,
            value.value,
            bytes.as_mut_ptr().cast(),
            room,
            &raw mut written,
        )
    };
    napi::check_status!(status)?;
    // SAFETY: so many bytes were written.
    unsafe { bytes.set_len(written) };
    String::from_utf8(bytes).map_err(|_| invalid("JavaScript gave a string that is not UTF-8"))
}

fn no_memory(path: &str, cause: TryReserveError) -> Refusal {
    let sentence = format!("Not enough memory for {path}");
    Refusal::Argument(Error::new(ErrorKind::Inference, sentence).with_source(cause))
}

fn filled_string(value: &Unknown<'_>, path: impl Fn() -> String) -> Checked<String> {
    let text = string(value, &path)?;
    // A NUL would end a path early on its way through the operating system.
    if text.is_empty() || text.contains('\0') {
        return refuse("a non-empty string without NUL", &path(), value);
    }
    Ok(text)
}

fn boolean(value: &Unknown<'_>, path: impl FnOnce() -> String) -> Checked<bool> {
    if value.get_type()? != ValueType::Boolean {
        return refuse("true or false", &path(), value);
    }
    // SAFETY: `value` is a boolean.
    Ok(unsafe { value.cast()? })
}

fn whole_number(value: &Unknown<'_>, path: impl FnOnce() -> String, most: usize) -> Checked<usize> {
    if value.get_type()? == ValueType::Number {
        // SAFETY: `value` is a number.
        let number: f64 = unsafe { value.cast()? };
        if number.fract() == 0.0 && (1.0..=most as f64).contains(&number) {
            return Ok(number as usize);
        }
    }
    refuse(&format!("a whole number from 1 to {most}"), &path(), value)
}

fn word<T: Copy, const N: usize>(
    value: &Unknown<'_>,
    path: impl FnOnce() -> String,
    words: [(&str, T); N],
) -> Checked<T> {
    if value.get_type()? == ValueType::String {
        // SAFETY: `value` is a string.
        let given: String = unsafe { value.cast()? };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given) {
            return Ok(*meaning);
        }
    }
    let all: Vec<_> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
    refuse(&all.join(" or "), &path(), value)
}

fn function(value: &Unknown<'_>, path: impl FnOnce() -> String) -> Checked<()> {
    if value.get_type()? == ValueType::Function {
        Ok(())
    } else {
        refuse("a function", &path(), value)
    }
}

/// Structural, so that a signal of another realm or of a polyfill will do.
fn abort_signal(value: &Unknown<'_>, path: impl FnOnce() -> String) -> Checked<()> {
    if value.get_type()? == ValueType::Object {
        // SAFETY: `value` is an object.
        let object: Object<'_> = unsafe { value.cast()? };
        let aborted: Unknown<'_> = object.get_named_property("aborted")?;
        let listen: Unknown<'_> = object.get_named_property("addEventListener")?;
        let forget: Unknown<'_> = object.get_named_property("removeEventListener")?;
        if aborted.get_type()? == ValueType::Boolean
            && listen.get_type()? == ValueType::Function
            && forget.get_type()? == ValueType::Function
        {
            return Ok(());
        }
    }
    refuse("an AbortSignal", &path(), value)
}

fn refuse<T>(expected: &str, path: &str, value: &Unknown<'_>) -> Checked<T> {
    Err(invalid(&format!(
        "Expected {expected} for {path} but received {}",
        describe(value)
    )))
}

fn invalid(sentence: &str) -> Refusal {
    Refusal::Argument(Error::new(ErrorKind::InvalidArgument, sentence))
}

/// A value in a few words, with a short value shown.
fn describe(value: &Unknown<'_>) -> String {
    /// Characters of a string that are shown.
    const SHOWN: usize = 40;
    let kind = match value.get_type() {
        Ok(kind) => kind,
        Err(_) => return "a value that cannot be read".to_owned(),
    };
    match kind {
        ValueType::Null => "null".to_owned(),
        ValueType::Undefined => "undefined".to_owned(),
        ValueType::Function => "a function".to_owned(),
        ValueType::Symbol => "a symbol".to_owned(),
        ValueType::Object if value.is_array().unwrap_or(false) => "an array".to_owned(),
        ValueType::Object => "an object".to_owned(),
        ValueType::String => {
            // SAFETY: `value` is a string.
            let text: String = unsafe { value.cast() }.unwrap_or_default();
            let mut shown: String = text.chars().take(SHOWN).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            format!("string {shown:?}")
        }
        other => {
            let text = value
                .coerce_to_string()
                .and_then(|text| text.into_utf8())
                .and_then(|text| text.into_owned());
            let name = match other {
                ValueType::Number => "number",
                ValueType::Boolean => "boolean",
                ValueType::BigInt => "bigint",
                _ => "value",
            };
            text.map_or_else(|_| name.to_owned(), |text| format!("{name} {text}"))
        }
    }
}
