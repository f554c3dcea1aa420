//! The model store among processes: ten that want one model, and one that is killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod hub;
mod processes;

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

use hub::{Fault, Hub, On};
use processes::{MODEL, told};

const ONNX: &str = "onnx/model.onnx";

fn start(hub: &Hub, cache: &Path, limit: Option<u64>) -> Child {
    let limit = limit.map(|bytes| bytes.to_string());
    let mut variables = vec![("HF_ENDPOINT", hub.url.as_str())];
    variables.extend(
        limit
            .iter()
            .map(|bytes| ("STORE_CHILD_FILE_LIMIT", bytes.as_str())),
    );
    processes::start(cache, &variables)
}

/// Every blob has the name that its bytes deserve.
fn assert_valid(cache: &Path) {
    for blob in fs::read_dir(cache.join("models--tiny--bert/blobs"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = blob.file_name().into_string().unwrap();
        if !name.ends_with(".incomplete") {
            let bytes = fs::read(blob.path()).unwrap();
            let large = hub::Stored {
                bytes: bytes.clone(),
                large: true,
            };
            let small = hub::Stored { bytes, large: false };
            assert!([large.etag(), small.etag()].contains(&name), "{name}");
        }
    }
}

#[test]
fn ten_processes_at_once_fetch_a_model_once() {
    let (hub, cache) = (Hub::start(), tempfile::tempdir().unwrap());
    hub.fail(On::Content, 100, Fault::Drip(10_000, 30));
    let children: Vec<_> = (0..10).map(|_| start(&hub, cache.path(), None)).collect();
    for child in children {
        let text = told(child);
        assert!(text.contains("fetched"), "{text}");
    }
    let seen = hub.seen();
    let mut fetched: Vec<_> = seen
        .iter()
        .filter(|seen| seen.at_content || seen.path.contains("/resolve/"))
        .map(|seen| &seen.path)
        .collect();
    let all = fetched.len();
    fetched.sort();
    fetched.dedup();
    assert_eq!(fetched.len(), all, "a file was fetched twice");
    assert_valid(cache.path());
}

#[test]
fn a_process_killed_at_any_moment_leaves_a_cache_that_the_next_one_completes() {
    for moment in 0..10 {
        let (hub, cache) = (Hub::start(), tempfile::tempdir().unwrap());
        hub.fail(On::Content, 100, Fault::Drip(10_000, 20));
        let mut child = start(&hub, cache.path(), None);
        thread::sleep(Duration::from_millis(20 + 40 * moment));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_valid(cache.path());
        hub.mend();
        let text = told(start(&hub, cache.path(), None));
        assert!(text.contains("fetched"), "{text}");
        assert_valid(cache.path());
        let onnx = cache
            .path()
            .join("models--tiny--bert/snapshots")
            .join(hub::COMMIT)
            .join(ONNX);
        assert_eq!(fs::read(onnx).unwrap(), hub.file(MODEL, ONNX).bytes);
    }
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_is_a_typed_error_and_the_cache_stays_valid() {
    let (hub, cache) = (Hub::start(), tempfile::tempdir().unwrap());
    let half = hub.file(MODEL, ONNX).bytes.len() as u64 / 2;
    let text = told(start(&hub, cache.path(), Some(half)));
    assert!(text.contains("ERR_EMBED_DOWNLOAD"), "{text}");
    assert!(text.contains("no space left"), "{text}");
    assert_valid(cache.path());
    let blobs = cache.path().join("models--tiny--bert/blobs");
    assert!(
        fs::read_dir(blobs)
            .unwrap()
            .flatten()
            .all(|blob| blob.path().extension().is_none()),
        "the part gives its room back"
    );
    let text = told(start(&hub, cache.path(), None));
    assert!(text.contains("fetched"), "{text}");
}
