//! The cache is one with that of the Python package huggingface_hub: what either fetched, the other finds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod hub;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hub::{COMMIT, Hub};
use sentence_embedder::model::events::Watch;
use sentence_embedder::model::store::settings::Settings;
use sentence_embedder::model::store::{Request, ResolvedModel, Store};

const MODEL: &str = "tiny/bert";

/// A Python that has the package: that of .cache/venv, else the system's.
fn python() -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/venv");
    let candidates = [
        venv.join("bin/python"),
        venv.join("Scripts/python.exe"),
        PathBuf::from("python3"),
    ];
    let has_package = |python: &PathBuf| {
        Command::new(python)
            .args(["-c", "import huggingface_hub"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    candidates.into_iter().find(has_package).expect(
        "This test runs the Python package huggingface_hub, which no Python here has. Install it with: npm run fetch",
    )
}

fn command(hub: &Hub, cache: &Path, script: &str) -> Command {
    let mut command = Command::new(python());
    command
        .args(["-c", script])
        .env("HF_ENDPOINT", &hub.url)
        .env("HF_HOME", cache)
        .env("HF_HUB_CACHE", cache)
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env("NO_PROXY", "*")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(hub: &Hub, cache: &Path, script: &str) {
    let output = command(hub, cache, script).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn resolve(hub: &Hub, cache: &Path, offline: bool) -> ResolvedModel {
    let variable = |name: &str| (name == "HF_ENDPOINT").then(|| hub.url.clone());
    let settings = Settings::read(Some(cache), Some(offline), &variable).unwrap();
    let request = Request {
        id: MODEL.to_owned(),
        ..Request::default()
    };
    Store::new(settings)
        .resolve(&request, &Watch::unwatched())
        .unwrap()
}

#[test]
fn python_finds_what_this_library_fetched() {
    let (hub, cache) = (Hub::start(), tempfile::tempdir().unwrap());
    resolve(&hub, cache.path(), false);
    hub.forget();
    run(
        &hub,
        cache.path(),
        r#"
import os
os.environ["HF_HUB_OFFLINE"] = "1"
from huggingface_hub import hf_hub_download, try_to_load_from_cache, scan_cache_dir, _CACHED_NO_EXIST
for name in ["modules.json", "config.json", "tokenizer.json", "1_Pooling/config.json", "onnx/model.onnx"]:
    path = hf_hub_download("tiny/bert", name)
    assert os.path.isfile(path) and os.path.islink(path), path
assert try_to_load_from_cache("tiny/bert", "special_tokens_map.json") is _CACHED_NO_EXIST
assert try_to_load_from_cache("tiny/bert", "README.md") is None
report = scan_cache_dir()
assert not report.warnings, report.warnings
(repo,) = report.repos
(revision,) = repo.revisions
assert (repo.repo_id, set(revision.refs)) == ("tiny/bert", {"main"}), report
assert len(revision.files) == 8, revision.files
"#,
    );
    assert!(hub.seen().is_empty());
    // Online, it only asks whether the files are still the same.
    run(
        &hub,
        cache.path(),
        r#"
from huggingface_hub import hf_hub_download
hf_hub_download("tiny/bert", "onnx/model.onnx")
"#,
    );
    assert!(
        hub.seen()
            .iter()
            .all(|seen| seen.method == "HEAD" && !seen.at_content)
    );
}

#[test]
fn this_library_finds_what_python_fetched() {
    let (hub, cache) = (Hub::start(), tempfile::tempdir().unwrap());
    run(
        &hub,
        cache.path(),
        r#"
from huggingface_hub import snapshot_download
snapshot_download("tiny/bert")
"#,
    );
    hub.forget();
    let found = resolve(&hub, cache.path(), true);
    assert!(found.from_cache);
    assert_eq!(found.revision.as_deref(), Some(COMMIT));
    assert!(found.files.contains(&"onnx/model.onnx".to_owned()));
    assert!(hub.seen().is_empty());
    // Online, one listing tells which of the files that Python did not look for are there; nothing is fetched again.
    assert!(resolve(&hub, cache.path(), false).from_cache);
    assert_eq!(hub.seen().len(), 1);
    hub.forget();
    assert!(resolve(&hub, cache.path(), false).from_cache);
    assert!(hub.seen().is_empty());
}

#[test]
fn this_library_waits_for_the_lock_that_python_holds() {
    let (hub, cache) = (Hub::start(), tempfile::tempdir().unwrap());
    let name = hub.file(MODEL, "onnx/model.onnx").etag();
    let script = format!(
        r#"
import os, time
from huggingface_hub import constants
from huggingface_hub.utils import WeakFileLock
path = os.path.join(constants.HF_HUB_CACHE, ".locks", "models--tiny--bert", "{name}.lock")
os.makedirs(os.path.dirname(path))
with WeakFileLock(path):
    print("held", flush=True)
    time.sleep(1.5)
"#
    );
    let mut holder = command(&hub, cache.path(), &script).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line.trim(), "held");
    let started = Instant::now();
    resolve(&hub, cache.path(), false);
    assert!(started.elapsed() > Duration::from_millis(1000));
    holder.wait().unwrap();
}
