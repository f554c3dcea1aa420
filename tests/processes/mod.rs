//! A process of its own that fetches a model: what tests kill, starve or give an environment.

#![allow(unsafe_code, reason = "limits a process's files before it starts")]

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sentence_embedder::config::EmbedderConfig;
use sentence_embedder::model::events::Watch;
use sentence_embedder::model::store;

/// The model that it fetches.
pub const MODEL: &str = "tiny/bert";

/// Variables that decide the way to the hub. None of the machine's reaches the process.
const NETWORK: [&str; 11] = [
    "HF_HUB_OFFLINE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Not a test of its own: what the process does that [`start`] starts.
#[test]
fn child() {
    let Ok(cache) = env::var("STORE_CHILD_CACHE") else {
        return;
    };
    #[cfg(unix)]
    if let Ok(limit) = env::var("STORE_CHILD_FILE_LIMIT") {
        limit_files(limit.parse().unwrap());
    }
    let config = EmbedderConfig {
        model: MODEL.to_owned(),
        cache_dir: Some(cache.into()),
        ..EmbedderConfig::default()
    };
    match store::resolve(&config, &Watch::unwatched()) {
        Ok(_) => println!("fetched"),
        Err(error) => println!("{} {error}", error.code()),
    }
}

/// A write beyond `bytes` fails, as on a full disk.
#[cfg(unix)]
fn limit_files(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: both calls take plain values, and this process has nothing else to do.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
}

/// Starts it with an empty environment as far as the network is concerned, but for `variables`.
pub fn start(cache: &Path, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "processes::child", "--nocapture"])
        .stdout(Stdio::piped())
        .env("STORE_CHILD_CACHE", cache);
    for name in NETWORK {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).spawn().unwrap()
}

/// What it printed: "fetched", or the code and the sentence of its error.
pub fn told(child: Child) -> String {
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}
