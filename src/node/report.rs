//! What `doctor` reports of this machine: facts for a bug report, without a token or a password.

use std::env;
use std::path::PathBuf;

use napi::Env;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use serde_json::{Value, json};

use super::embedder::to_js;
use crate::config::{self, DEFAULT_MODEL, EmbedderConfig};
use crate::environment::{self, TELEMETRY_VARIABLE};
use crate::error::Error;
use crate::model::store::settings::Settings;
use crate::runtime;

/// Platform, processor, ONNX Runtime, cache and network settings.
#[napi(ts_return_type = "SystemReport")]
pub fn system_report(env: Env, cache_dir: Option<String>) -> napi::Result<Unknown<'static>> {
    environment::note();
    let config = EmbedderConfig {
        cache_dir: cache_dir.map(PathBuf::from),
        ..EmbedderConfig::default()
    };
    let store = match Settings::of(&config) {
        Ok(settings) => store(&settings),
        Err(error) => json!({ "problem": problem(&error) }),
    };
    to_js(
        env,
        &json!({
            "version": env!("CARGO_PKG_VERSION"),
            "platform": format!("{}-{}", env::consts::OS, env::consts::ARCH),
            "features": features(),
            "cores": num_cpus::get_physical(),
            "threads": config::default_threads(),
            "defaultModel": DEFAULT_MODEL,
            "runtime": runtime_facts(),
            "store": store,
            "proxies": proxies(),
        }),
    )
}

fn runtime_facts() -> Value {
    let loaded = runtime::environment();
    json!({
        "wanted": runtime::VERSION,
        "library": runtime::library_path().ok(),
        "loaded": loaded.is_ok(),
        "problem": loaded.err().map(|error| problem(&error)),
        // Read back rather than promised: the library looks at the variable itself.
        "telemetryOff": environment::noted().get(TELEMETRY_VARIABLE).is_some_and(|value| value == "1"),
    })
}

fn store(settings: &Settings) -> Value {
    let existing = settings.cache.ancestors().find(|folder| folder.is_dir());
    let writable = existing.is_some_and(|folder| {
        let probe = folder.join(format!(".sentence-embedder-{}", std::process::id()));
        let written = std::fs::write(&probe, "").is_ok();
        written && std::fs::remove_file(&probe).is_ok()
    });
    json!({
        "cache": settings.cache,
        "exists": settings.cache.is_dir(),
        "writable": writable,
        "freeBytes": existing.and_then(|folder| fs4::available_space(folder).ok()).map(|free| free as f64),
        "endpoint": settings.endpoint,
        "token": settings.token.is_some(),
        "offline": settings.offline,
    })
}

/// Each proxy variable that is set, without user name and password.
fn proxies() -> Value {
    let names = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"];
    names
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()])
        .filter_map(|name| {
            let value = environment::noted().text(&name)?;
            let bare = match (value.rsplit_once('@'), value.split_once("://")) {
                (Some((_, address)), Some((scheme, _))) => format!("{scheme}://{address}"),
                (Some((_, address)), None) => address.to_owned(),
                (None, _) => value,
            };
            Some((name, json!(bare)))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The instructions that decide how fast the model runs, as far as this processor has them.
fn features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let known = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512vnni", std::arch::is_x86_feature_detected!("avx512vnni")),
        ("avxvnni", std::arch::is_x86_feature_detected!("avxvnni")),
        ("amx", crate::kernels::Isa::detect() == crate::kernels::Isa::Amx),
    ];
    #[cfg(target_arch = "aarch64")]
    let known = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let known: [(&str, bool); 0] = [];
    known
        .into_iter()
        .filter_map(|(name, there)| there.then_some(name))
        .collect()
}

fn problem(error: &Error) -> String {
    format!("{}: {}", error.code(), error.with_causes())
}
