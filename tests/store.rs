//! The model store against a hub of the project's own: what goes wrong on the way, and what is left afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod hub;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hub::{COMMIT, Fault, Hub, On};
use prost::Message;
use sentence_embedder::config::EmbedderConfig;
use sentence_embedder::error::{Error, ErrorKind, Result};
use sentence_embedder::model::events::{Cancel, LoadEvent, Watch};
use sentence_embedder::model::folder;
use sentence_embedder::model::onnx::ModelProto;
use sentence_embedder::model::source::Source;
use sentence_embedder::model::store::settings::{Patience, Settings};
use sentence_embedder::model::store::{Request, ResolvedModel, Store, inventory, manifest};
use tempfile::TempDir;

const MODEL: &str = "tiny/bert";
const ONNX: &str = "onnx/model.onnx";
const ODD: &str = "onnx/sub/Constant_7_attr__value";
const NEWER: &str = "89abcdef0123456789abcdef0123456789abcdef";
const TOKEN: &str = "hf_neverShownAnywhere";
const NEEDED: [&str; 8] = [
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "onnx/model.onnx",
];

/// A hub and an empty cache.
struct Bench {
    hub: Hub,
    cache: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            hub: Hub::start(),
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn settings(&self) -> Settings {
        settings(&self.hub.url, self.cache.path(), false)
    }

    fn request(&self) -> Request {
        Request {
            id: MODEL.to_owned(),
            ..Request::default()
        }
    }

    fn fetch(&self) -> Result<ResolvedModel> {
        self.fetch_with(&self.request(), &Watch::unwatched())
    }

    fn fetch_with(&self, request: &Request, watch: &Watch) -> Result<ResolvedModel> {
        Store::new(self.settings()).resolve(request, watch)
    }

    fn offline(&self) -> Result<ResolvedModel> {
        Store::new(settings(&self.hub.url, self.cache.path(), true))
            .resolve(&self.request(), &Watch::unwatched())
    }

    /// The file of `path` in `blobs`, or its part.
    fn blob(&self, path: &str) -> PathBuf {
        let name = self.hub.file(MODEL, path).etag();
        self.cache.path().join("models--tiny--bert/blobs").join(name)
    }

    fn part(&self, path: &str) -> PathBuf {
        let mut name = self.blob(path).into_os_string();
        name.push(".incomplete");
        PathBuf::from(name)
    }

    /// The model is whole, byte for byte, and nothing else was fetched.
    fn assert_whole(&self, model: &ResolvedModel) {
        for path in NEEDED {
            let found = fs::read(model.folder.join(path)).unwrap();
            assert_eq!(found, self.hub.file(MODEL, path).bytes, "{path}");
        }
        assert!(!model.folder.join("README.md").exists());
        assert!(!model.folder.join("pytorch_model.bin").exists());
        assert_eq!(model.revision.as_deref(), Some(COMMIT));
        assert_eq!(parts(self.cache.path()), Vec::<PathBuf>::new());
    }

    /// No file of the cache has a name that it does not deserve.
    fn assert_valid(&self) {
        let blobs = self.cache.path().join("models--tiny--bert/blobs");
        for blob in fs::read_dir(blobs).into_iter().flatten().flatten() {
            let name = blob.file_name().into_string().unwrap();
            let known = NEEDED
                .iter()
                .map(|path| self.hub.file(MODEL, path))
                .find(|file| name == file.etag());
            match known {
                Some(file) => assert_eq!(fs::read(blob.path()).unwrap(), file.bytes, "{name}"),
                None => assert!(name.ends_with(".incomplete"), "{name}"),
            }
        }
    }
}

fn settings(url: &str, cache: &Path, offline: bool) -> Settings {
    let variables = BTreeMap::from([("HF_ENDPOINT", url), ("HF_TOKEN", TOKEN)]);
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Settings {
        patience: Patience {
            connect: Duration::from_secs(2),
            stall: Duration::from_millis(400),
            attempts: 4,
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_secs(3),
        },
        ..Settings::read(Some(cache), Some(offline), &variable).unwrap()
    }
}

/// Files that are not whole yet.
fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(parts(&path));
        } else if path
            .extension()
            .is_some_and(|it| it == "incomplete" || it == "tmp")
        {
            found.push(path);
        }
    }
    found
}

/// The error and all its causes, as a log would show them.
fn told(error: &Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text += &format!(" / {cause}");
        next = cause.source();
    }
    text
}

fn failed(outcome: Result<ResolvedModel>, kind: ErrorKind) -> String {
    let error = outcome.expect_err("it should have failed");
    let text = told(&error);
    assert_eq!(error.kind(), kind, "{text}");
    for secret in [TOKEN, "secret-signature"] {
        assert!(!text.contains(secret), "{text}");
    }
    text
}

/// A hub whose model has its weights in another file, of a name that only the graph knows.
fn with_odd_weights(documentation: usize) -> Bench {
    let bench = Bench::new();
    let graphs = Path::new(env!("CARGO_MANIFEST_DIR")).join("__test__/fixtures/graphs");
    let graph = fs::read(graphs.join("external.onnx")).unwrap();
    let mut model = ModelProto::decode(&*graph).unwrap();
    for tensor in &mut model.graph.as_mut().unwrap().initializer {
        for entry in tensor.external_data.iter_mut().filter(|it| it.key == "location") {
            entry.value = "sub/Constant_7_attr__value".to_owned();
        }
    }
    model.producer_name = "x".repeat(documentation);
    bench.hub.put(MODEL, ONNX, &model.encode_to_vec());
    let data = fs::read(graphs.join("external.onnx_data")).unwrap();
    bench.hub.put(MODEL, ODD, &data);
    bench
}

#[test]
fn a_model_is_fetched_once_and_then_found_without_a_request() {
    let bench = Bench::new();
    let events = Arc::new(Mutex::new(Vec::new()));
    let watch = Watch::new(
        Some(Box::new({
            let events = Arc::clone(&events);
            move |event| events.lock().unwrap().push(event)
        })),
        Cancel::default(),
    );
    let fetched = bench.fetch_with(&bench.request(), &watch).unwrap();
    bench.assert_whole(&fetched);
    assert!(!fetched.from_cache);

    let events = std::mem::take(&mut *events.lock().unwrap());
    assert!(
        matches!(&events[0], LoadEvent::DownloadStarted { model, files: 7, .. } if model == MODEL),
        "{events:?}"
    );
    assert_eq!(
        events.last(),
        Some(&LoadEvent::ModelCached {
            model: MODEL.to_owned()
        })
    );
    let shares: Vec<f64> = events
        .iter()
        .filter_map(|event| match event {
            LoadEvent::DownloadProgress { overall, .. } => Some(*overall),
            _ => None,
        })
        .collect();
    assert!(shares.is_sorted(), "{shares:?}");
    assert_eq!(shares.last(), Some(&1.0));

    bench.hub.forget();
    let again = bench.fetch().unwrap();
    assert!(again.from_cache);
    assert_eq!(again.folder, fetched.folder);
    bench.assert_whole(&bench.offline().unwrap());
    assert!(bench.hub.seen().is_empty(), "a model that is there needs no hub");

    let refresh = Request {
        refresh: true,
        ..bench.request()
    };
    assert!(
        bench
            .fetch_with(&refresh, &Watch::unwatched())
            .unwrap()
            .from_cache
    );
    assert_eq!(bench.hub.seen().len(), 1, "only the listing is asked for");
}

#[test]
fn a_cut_connection_is_resumed_at_every_tenth_of_the_file() {
    let bench = Bench::new();
    let size = bench.hub.file(MODEL, ONNX).bytes.len();
    // The first answers bring the tokenizer.
    bench.hub.fail(On::Content, 1, Fault::CutAfter(0));
    for _ in 0..10 {
        bench.hub.fail(On::Content, 1, Fault::CutAfter(size / 10));
    }
    bench.assert_whole(&bench.fetch().unwrap());
    let ranges = bench
        .hub
        .seen()
        .iter()
        .filter(|seen| seen.at_content && seen.range.is_some())
        .count();
    assert!(ranges >= 8, "{ranges} resumptions");
}

#[test]
fn a_download_that_was_given_up_is_resumed_by_the_next_call() {
    for tenth in 1..10 {
        let bench = Bench::new();
        let size = bench.hub.file(MODEL, ONNX).bytes.len();
        bench.hub.put(MODEL, "tokenizer.json", b"{}");
        bench.hub.fail(On::Content, 1, Fault::CutAfter(size * tenth / 10));
        bench.hub.fail(On::Content, 100, Fault::Reset);
        failed(bench.fetch(), ErrorKind::Download);
        assert_eq!(
            fs::metadata(bench.part(ONNX)).unwrap().len(),
            (size * tenth / 10) as u64
        );
        bench.assert_valid();
        bench.hub.mend();
        bench.hub.forget();
        bench.assert_whole(&bench.fetch().unwrap());
        let range = format!("bytes={}-", size * tenth / 10);
        assert!(
            bench
                .hub
                .seen()
                .iter()
                .any(|seen| seen.range.as_ref() == Some(&range))
        );
    }
}

#[test]
fn every_fault_ends_in_the_right_files_or_in_a_typed_error_and_the_next_call_works() {
    let retry_after = |value: &str| vec![("Retry-After", value.to_owned())];
    let passing = [
        (On::Content, 3, Fault::Status(500, vec![])),
        (On::Listing, 3, Fault::Status(503, vec![])),
        (On::Resolve(ONNX), 3, Fault::Status(502, vec![])),
        (On::Content, 2, Fault::Status(429, retry_after("1"))),
        (
            On::Listing,
            1,
            Fault::Status(429, retry_after("Sun, 06 Nov 1994 08:49:37 GMT")),
        ),
        (On::Content, 3, Fault::Reset),
        (On::Listing, 3, Fault::Reset),
        (On::Content, 1, Fault::Hang),
        (On::Listing, 1, Fault::Hang),
        (On::Content, 1, Fault::HangHalfway),
        (On::Content, 2, Fault::Drip(20_000, 20)),
        // A signed address that has run out: the hub gives a new one.
        (On::Content, 1, Fault::Status(403, vec![])),
        (On::Content, 2, Fault::Length(-10)),
        (On::Content, 2, Fault::Length(10)),
        (On::Listing, 2, Fault::CutAfter(100)),
    ];
    for (on, times, fault) in passing {
        let bench = Bench::new();
        bench.hub.fail(on, times, fault.clone());
        let fetched = bench.fetch();
        bench.assert_whole(&fetched.unwrap_or_else(|error| panic!("{on:?} {fault:?}: {}", told(&error))));
    }
    let lasting = [
        (On::Content, Fault::Status(500, vec![])),
        (On::Content, Fault::Status(429, retry_after("3600"))),
        (On::Content, Fault::Hang),
        (On::Content, Fault::HangHalfway),
        (On::Content, Fault::WrongByte),
        (On::Content, Fault::Overlong),
        (On::Content, Fault::Length(-10)),
        (On::Content, Fault::Length(10)),
        (On::Content, Fault::RedirectLoop),
        (On::Content, Fault::Status(403, vec![])),
        (On::Content, Fault::Status(302, vec![])),
        (
            On::Content,
            Fault::Status(302, vec![("Location", "gopher://x".to_owned())]),
        ),
        (On::Resolve(ONNX), Fault::Status(401, vec![])),
        (On::Resolve(ONNX), Fault::Status(404, vec![])),
        (On::Resolve("config.json"), Fault::WrongByte),
        (On::Resolve("config.json"), Fault::RedirectLoop),
        (On::Listing, Fault::Status(401, vec![])),
        (On::Listing, Fault::Status(404, vec![])),
        (On::Listing, Fault::Status(418, vec![])),
        (On::Listing, Fault::RedirectLoop),
        (On::Listing, Fault::WrongByte),
        (On::Listing, Fault::CutAfter(100)),
    ];
    for (on, fault) in lasting {
        let bench = Bench::new();
        bench.hub.fail(on, 1000, fault.clone());
        let started = Instant::now();
        let text = failed(bench.fetch(), ErrorKind::Download);
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{on:?} {fault:?}: {text}"
        );
        bench.assert_valid();
        if matches!(fault, Fault::WrongByte | Fault::Overlong) {
            assert_eq!(
                parts(bench.cache.path()),
                Vec::<PathBuf>::new(),
                "wrong bytes are deleted"
            );
        }
        bench.hub.mend();
        bench.assert_whole(&bench.fetch().unwrap());
    }
}

#[test]
fn a_server_without_ranges_and_a_part_of_other_bytes_only_cost_time() {
    let bench = Bench::new();
    let size = bench.hub.file(MODEL, ONNX).bytes.len();
    for (part, fault) in [
        (vec![0; size / 2], None),
        (vec![0; size], None),
        (vec![0; size + 5], None),
        (bench.hub.file(MODEL, ONNX).bytes[..size / 2].to_vec(), None),
        (
            bench.hub.file(MODEL, ONNX).bytes[..size / 2].to_vec(),
            Some(Fault::IgnoreRange),
        ),
        (
            bench.hub.file(MODEL, ONNX).bytes[..size / 2].to_vec(),
            Some(Fault::WrongRange),
        ),
    ] {
        let bench = Bench::new();
        fs::create_dir_all(bench.part(ONNX).parent().unwrap()).unwrap();
        fs::write(bench.part(ONNX), part).unwrap();
        if let Some(fault) = fault {
            bench.hub.fail(On::Content, 10, fault);
        }
        bench.assert_whole(&bench.fetch().unwrap());
    }
}

#[test]
fn a_server_that_time_and_again_loses_what_it_sent_is_given_up() {
    for lost in [Fault::WrongRange, Fault::Status(416, vec![])] {
        let bench = Bench::new();
        bench.hub.put(MODEL, "tokenizer.json", b"{}");
        for _ in 0..20 {
            bench.hub.fail(On::Content, 1, Fault::CutAfter(100));
            bench.hub.fail(On::Content, 1, lost.clone());
        }
        failed(bench.fetch(), ErrorKind::Download);
        let asked = bench.hub.seen().iter().filter(|seen| seen.at_content).count();
        assert_eq!(
            asked, 5,
            "one attempt that brought something, and four that did not"
        );
        bench.hub.mend();
        bench.assert_whole(&bench.fetch().unwrap());
    }
}

#[test]
fn a_cancel_ends_a_download_within_a_second_and_keeps_the_part() {
    for fault in [Fault::HangHalfway, Fault::Drip(2000, 50), Fault::Hang] {
        let bench = Bench::new();
        bench.hub.put(MODEL, "tokenizer.json", b"{}");
        bench.hub.fail(On::Content, 100, fault.clone());
        let cancel = Cancel::default();
        let watch = Watch::new(None, cancel.clone());
        let mut settings = bench.settings();
        settings.patience.stall = Duration::from_secs(600);
        let request = bench.request();
        let loading = thread::spawn(move || Store::new(settings).resolve(&request, &watch));
        let begun = |bench: &Bench| {
            let bytes = fs::metadata(bench.part(ONNX)).map_or(0, |found| found.len());
            bytes > 0 || (fault == Fault::Hang && bench.hub.seen().iter().any(|seen| seen.at_content))
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !begun(&bench) {
            assert!(Instant::now() < deadline, "nothing came");
            thread::sleep(Duration::from_millis(10));
        }
        let cancelled = Instant::now();
        cancel.cancel();
        failed(loading.join().unwrap(), ErrorKind::Aborted);
        assert!(cancelled.elapsed() < Duration::from_secs(1), "{fault:?}");
        if fault != Fault::Hang {
            assert!(fs::metadata(bench.part(ONNX)).unwrap().len() > 0);
        }
        bench.hub.mend();
        bench.assert_whole(&bench.fetch().unwrap());
    }
}

#[test]
fn offline_opens_no_socket_and_names_the_files_and_the_command() {
    let bench = Bench::new();
    let text = failed(bench.offline(), ErrorKind::Offline);
    for part in [
        "modules.json",
        "tokenizer.json",
        "onnx/model.onnx",
        "npx sentence-embedder pull tiny/bert",
    ] {
        assert!(text.contains(part), "{text}");
    }
    bench.fetch().unwrap();
    bench.hub.forget();
    fs::remove_file(bench.blob(ONNX)).unwrap();
    let text = failed(bench.offline(), ErrorKind::Offline);
    assert!(
        text.contains("onnx/model.onnx") && !text.contains("tokenizer.json"),
        "{text}"
    );
    assert!(bench.hub.seen().is_empty());
    bench.assert_whole(&bench.fetch().unwrap());
}

#[test]
fn the_command_for_missing_files_names_a_cache_that_an_option_named() {
    let bench = Bench::new();
    let offline = |cache_dir: Option<&Path>, variables: &[(&str, &Path)]| {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, folder)| folder.display().to_string())
        };
        let settings = Settings::read(cache_dir, Some(true), &variable).unwrap();
        let request = Request {
            revision: Some("v1".to_owned()),
            ..bench.request()
        };
        let told = Store::new(settings).resolve(&request, &Watch::unwatched());
        let error = told.unwrap_err().to_string();
        error.split_once("once with: ").unwrap().1.to_owned()
    };
    let plain = bench.cache.path();
    let spaced = plain.join("my models");
    let command = format!("npx sentence-embedder pull {MODEL} --revision v1");
    assert_eq!(
        offline(Some(plain), &[]),
        format!("{command} --cache-dir {}", plain.display())
    );
    assert_eq!(
        offline(Some(&spaced), &[]),
        format!("{command} --cache-dir \"{}\"", spaced.display())
    );
    assert_eq!(offline(None, &[("HF_HUB_CACHE", plain)]), command);
}

#[test]
fn a_hub_out_of_reach_is_no_reason_to_refuse_what_is_here() {
    let bench = Bench::new();
    let fetched = bench.fetch().unwrap();
    // As another tool leaves it, which did not look for every file.
    fs::remove_dir_all(bench.cache.path().join("models--tiny--bert/.no_exist")).unwrap();
    bench.hub.fail(On::Listing, 100, Fault::Reset);
    let found = bench.fetch().unwrap();
    assert_eq!(found.folder, fetched.folder);
    let refresh = Request {
        refresh: true,
        ..bench.request()
    };
    failed(
        bench.fetch_with(&refresh, &Watch::unwatched()),
        ErrorKind::Download,
    );
}

#[test]
fn a_model_stays_at_the_commit_of_its_first_download_until_a_newer_one_is_asked_for() {
    let bench = Bench::new();
    bench.hub.put(MODEL, "onnx/model_O4.onnx", b"old");
    let first = bench.hub.file(MODEL, ONNX).bytes;
    let blob = bench.blob(ONNX);
    let branch = bench.cache.path().join("models--tiny--bert/refs/main");
    bench.fetch().unwrap();
    bench.hub.advance(NEWER);
    bench.hub.put(MODEL, ONNX, b"newer");
    bench.hub.put(MODEL, "onnx/model_O4.onnx", b"newer");

    fs::remove_file(&blob).unwrap();
    let repaired = bench.fetch().unwrap();
    assert_eq!(repaired.revision.as_deref(), Some(COMMIT));
    assert_eq!(fs::read(repaired.folder.join(ONNX)).unwrap(), first);
    let request = Request {
        model_file: Some("onnx/model_O4.onnx".to_owned()),
        ..bench.request()
    };
    let another = bench.fetch_with(&request, &Watch::unwatched()).unwrap();
    assert_eq!(another.revision.as_deref(), Some(COMMIT));
    assert_eq!(
        fs::read(another.folder.join("onnx/model_O4.onnx")).unwrap(),
        b"old"
    );
    assert_eq!(fs::read_to_string(&branch).unwrap(), COMMIT);

    let refresh = Request {
        refresh: true,
        ..bench.request()
    };
    let newer = bench.fetch_with(&refresh, &Watch::unwatched()).unwrap();
    assert_eq!(newer.revision.as_deref(), Some(NEWER));
    assert_eq!(fs::read(newer.folder.join(ONNX)).unwrap(), b"newer");
    assert_eq!(fs::read_to_string(&branch).unwrap(), NEWER);
}

#[test]
fn a_commit_that_the_hub_has_lost_is_followed_by_what_its_branch_has_now() {
    let bench = Bench::new();
    bench.fetch().unwrap();
    fs::remove_file(bench.blob(ONNX)).unwrap();
    bench.hub.advance(NEWER);
    bench.hub.rewrite_history();
    // Out of reach, it has not lost anything.
    bench.hub.fail(On::Listing, 4, Fault::Status(503, vec![]));
    failed(bench.fetch(), ErrorKind::Download);
    assert_eq!(bench.fetch().unwrap().revision.as_deref(), Some(NEWER));
}

#[test]
fn the_token_reaches_the_hub_and_no_other_host() {
    let bench = Bench::new();
    bench.hub.require_token(TOKEN);
    bench.assert_whole(&bench.fetch().unwrap());
    let seen = bench.hub.seen();
    assert!(seen.iter().any(|seen| seen.at_content));
    for seen in seen {
        assert_eq!(seen.authorization.is_some(), !seen.at_content, "{seen:?}");
    }
    let denied = Bench::new();
    denied.hub.require_token("hf_another");
    let text = failed(denied.fetch(), ErrorKind::Download);
    assert!(text.contains("token has no access"), "{text}");
}

#[test]
fn names_and_commits_of_the_hub_stay_in_the_cache() {
    let outside = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    for stray in [
        "../../../escaped.json",
        "/tmp/escaped.json",
        "onnx/model.onnx/../../../x",
    ] {
        bench.hub.add_stray(stray);
    }
    bench.hub.put(
        MODEL,
        "modules.json",
        br#"[{"idx":0,"name":"0","path":"","type":"a.Transformer"},
             {"idx":1,"name":"1","path":"../../../../../escaped","type":"a.Pooling"}]"#,
    );
    let found = bench.fetch().unwrap();
    assert!(found.files.iter().all(|file| !file.contains("..")));
    bench.hub.set_false_commit(Some("../../../escaped"));
    let fresh = tempfile::tempdir_in(outside.path()).unwrap();
    let store = Store::new(settings(&bench.hub.url, fresh.path(), false));
    failed(
        store.resolve(&bench.request(), &Watch::unwatched()),
        ErrorKind::Download,
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert!(!bench.cache.path().parent().unwrap().join("escaped").exists());

    for revision in ["../x", "/etc", "a\\b"] {
        let request = Request {
            revision: Some(revision.to_owned()),
            ..bench.request()
        };
        failed(
            bench.fetch_with(&request, &Watch::unwatched()),
            ErrorKind::InvalidArgument,
        );
    }
    let request = Request {
        model_file: Some("../model.onnx".to_owned()),
        ..bench.request()
    };
    failed(
        bench.fetch_with(&request, &Watch::unwatched()),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn what_cannot_fit_is_not_begun() {
    let bench = Bench::new();
    bench.hub.set_false_size(Some(1 << 60));
    let text = failed(bench.fetch(), ErrorKind::Download);
    assert!(text.contains("MB are free"), "{text}");
    assert!(!bench.hub.seen().iter().any(|seen| seen.at_content));
    bench.hub.set_false_size(None);
    bench.assert_whole(&bench.fetch().unwrap());
}

#[test]
fn a_listing_without_hashes_is_completed_file_by_file() {
    let bench = Bench::new();
    bench.hub.set_bare(true);
    bench.assert_whole(&bench.fetch().unwrap());
    assert!(bench.hub.seen().iter().any(|seen| seen.method == "HEAD"));
}

#[test]
fn the_files_come_along_that_the_graph_says_its_weights_are_in() {
    // Its documentation makes a graph large: it comes among the others, not ahead of them.
    for documentation in [0, 5 << 20] {
        let bench = with_odd_weights(documentation);
        bench.hub.put(MODEL, "onnx/model.onnx_data", b"of another graph");
        let events = Arc::new(Mutex::new(Vec::new()));
        let watch = Watch::new(
            Some(Box::new({
                let events = Arc::clone(&events);
                move |event| events.lock().unwrap().push(event)
            })),
            Cancel::default(),
        );
        let found = bench.fetch_with(&bench.request(), &watch).unwrap();
        assert!(!found.from_cache);
        Source::open(&found.folder.join(ONNX)).unwrap();
        assert!(found.files.contains(&ODD.to_owned()), "{:?}", found.files);
        assert!(!found.folder.join("onnx/model.onnx_data").exists());
        let rounds = events
            .lock()
            .unwrap()
            .iter()
            .filter(|event| matches!(event, LoadEvent::DownloadStarted { .. }))
            .count();
        assert_eq!(rounds, if documentation == 0 { 1 } else { 2 });

        bench.hub.forget();
        assert!(bench.fetch().unwrap().from_cache);
        assert_eq!(bench.offline().unwrap().files, found.files);
        assert!(bench.hub.seen().is_empty());
        let out = tempfile::tempdir().unwrap();
        manifest::export(&found, out.path(), &Cancel::default()).unwrap();
        Source::open(&out.path().join(ONNX)).unwrap();
    }
}

#[test]
fn weights_that_were_cut_off_are_missing_files_and_are_resumed() {
    let bench = with_odd_weights(0);
    bench.hub.put(MODEL, "tokenizer.json", b"{}");
    // The graph comes whole.
    bench.hub.fail(On::Content, 1, Fault::Drip(1 << 20, 0));
    bench.hub.fail(On::Content, 1, Fault::CutAfter(100));
    bench.hub.fail(On::Content, 100, Fault::Reset);
    failed(bench.fetch(), ErrorKind::Download);
    assert_eq!(fs::metadata(bench.part(ODD)).unwrap().len(), 100);
    // As another tool leaves it, which remembers the branch first.
    let refs = bench.cache.path().join("models--tiny--bert/refs");
    fs::create_dir_all(&refs).unwrap();
    fs::write(refs.join("main"), COMMIT).unwrap();
    failed(bench.fetch(), ErrorKind::Download);
    let text = failed(bench.offline(), ErrorKind::Offline);
    assert!(text.contains(ODD) && !text.contains(ONNX), "{text}");
    bench.hub.mend();
    let found = bench.fetch().unwrap();
    Source::open(&found.folder.join(ONNX)).unwrap();
}

#[test]
fn missing_weights_and_a_missing_graph_are_named() {
    let bench = with_odd_weights(0);
    bench.hub.remove(MODEL, ODD);
    let text = failed(bench.fetch(), ErrorKind::ModelNotFound);
    assert!(text.contains(ODD), "{text}");

    let bench = Bench::new();
    bench.hub.remove(MODEL, ONNX);
    bench.hub.put(MODEL, "onnx/model_O4.onnx", b"x");
    let text = failed(bench.fetch(), ErrorKind::ModelNotFound);
    assert!(
        text.contains("onnx/model.onnx") && text.contains("onnx/model_O4.onnx"),
        "{text}"
    );
    let request = Request {
        model_file: Some("onnx/model_O4.onnx".to_owned()),
        ..bench.request()
    };
    assert!(bench.fetch_with(&request, &Watch::unwatched()).is_ok());
}

#[test]
fn a_changed_file_of_the_cache_is_found_on_request_deleted_and_fetched_again() {
    let bench = Bench::new();
    bench.fetch().unwrap();
    let verify = Request {
        verify: true,
        ..bench.request()
    };
    bench.fetch_with(&verify, &Watch::unwatched()).unwrap();
    let mut bytes = fs::read(bench.blob(ONNX)).unwrap();
    bytes[1000] ^= 1;
    fs::write(bench.blob(ONNX), bytes).unwrap();
    let text = failed(
        bench.fetch_with(&verify, &Watch::unwatched()),
        ErrorKind::ModelInvalid,
    );
    assert!(text.contains(ONNX), "{text}");
    assert!(!bench.blob(ONNX).exists());
    bench.assert_whole(&bench.fetch_with(&verify, &Watch::unwatched()).unwrap());
}

#[test]
fn a_file_that_is_no_link_is_verified_as_a_copy_of_what_the_cache_has() {
    let bench = Bench::new();
    let model = bench.fetch().unwrap();
    let verify = Request {
        verify: true,
        ..bench.request()
    };
    let file = model.folder.join(ONNX);
    let mut bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(&file, &bytes).unwrap();
    bench.fetch_with(&verify, &Watch::unwatched()).unwrap();
    bytes[1000] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let text = failed(
        bench.fetch_with(&verify, &Watch::unwatched()),
        ErrorKind::ModelInvalid,
    );
    assert!(text.contains("cannot be verified"), "{text}");
    assert!(file.exists(), "it may be another program's");
}

#[test]
fn an_export_is_a_plain_folder_that_can_be_verified() {
    let bench = Bench::new();
    let model = bench.fetch().unwrap();
    let out = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    for _ in 0..2 {
        let written = manifest::export(&model, out.path(), &cancel).unwrap();
        assert_eq!(written.files.len(), NEEDED.len());
        assert_eq!(written.revision, COMMIT);
        manifest::verify(out.path(), &cancel).unwrap();
    }
    assert!(!fs::symlink_metadata(out.path().join(ONNX)).unwrap().is_symlink());
    let mut bytes = fs::read(out.path().join(ONNX)).unwrap();
    bytes[7] ^= 1;
    fs::write(out.path().join(ONNX), bytes).unwrap();
    let refused = manifest::verify(out.path(), &cancel).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ModelInvalid);
    assert!(refused.to_string().contains("model.onnx"), "{refused}");

    manifest::export(&model, out.path(), &cancel).unwrap();
    fs::write(out.path().join("another.onnx"), "x").unwrap();
    let refused = manifest::verify(out.path(), &cancel).unwrap_err();
    assert!(refused.to_string().contains("does not list"), "{refused}");

    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("mine.txt"), "precious").unwrap();
    let refused = manifest::export(&model, other.path(), &cancel).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    let refused = manifest::verify(other.path(), &cancel).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ModelInvalid);
}

#[test]
fn an_export_that_did_not_end_is_no_model_and_is_taken_up_by_the_next() {
    let bench = Bench::new();
    let model = bench.fetch().unwrap();
    let out = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    let mut more = model.clone();
    more.files.push("that is not there".to_owned());
    for _ in 0..2 {
        let failure = manifest::export(&more, out.path(), &cancel).unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::Download);
        for refused in [
            manifest::verify(out.path(), &cancel).unwrap_err(),
            folder::read(out.path(), &EmbedderConfig::default()).unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::ModelInvalid);
            assert!(refused.to_string().contains("left unfinished"), "{refused}");
        }
    }
    manifest::export(&model, out.path(), &cancel).unwrap();
    manifest::verify(out.path(), &cancel).unwrap();
    // One that fails over a good one makes it unfinished as well: some of its files may be new.
    manifest::export(&more, out.path(), &cancel).unwrap_err();
    manifest::export(&model, out.path(), &cancel).unwrap();
    manifest::verify(out.path(), &cancel).unwrap();
}

#[test]
fn the_inventory_lists_what_is_cached_and_removes_it() {
    let bench = Bench::new();
    assert!(inventory::list(bench.cache.path()).is_empty());
    bench.fetch().unwrap();
    fs::create_dir_all(
        bench
            .cache
            .path()
            .join("models--some--chat/snapshots")
            .join(COMMIT),
    )
    .unwrap();
    let config = EmbedderConfig {
        cache_dir: Some(bench.cache.path().to_path_buf()),
        ..EmbedderConfig::default()
    };
    let models = inventory::list(bench.cache.path());
    assert_eq!(models.len(), 1, "{models:?}");
    assert_eq!(models[0].id, MODEL);
    assert_eq!(models[0].revisions, [COMMIT]);
    assert!(!models[0].partial);
    let bytes: usize = NEEDED
        .iter()
        .map(|path| bench.hub.file(MODEL, path).bytes.len())
        .sum();
    assert_eq!(models[0].size, bytes as u64);
    assert_eq!(inventory::remove(&config, MODEL).unwrap(), bytes as u64);
    assert!(inventory::list(bench.cache.path()).is_empty());
    assert_eq!(
        inventory::remove(&config, MODEL).unwrap_err().kind(),
        ErrorKind::ModelNotFound
    );
    assert_eq!(
        inventory::remove(&config, "../x").unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
    bench.assert_whole(&bench.fetch().unwrap());
}
