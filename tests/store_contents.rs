//! What the model store fetches of a model and keeps of it: which files, of which commit, verified, exported, listed and removed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod hub;

use std::fs;
use std::path::Path;

use hub::bench::{Bench, MODEL, NEEDED, ONNX, failed, settings};
use hub::{COMMIT, Fault, On};
use prost::Message;
use sentence_embedder::config::EmbedderConfig;
use sentence_embedder::error::ErrorKind;
use sentence_embedder::model::events::{Cancel, LoadEvent, Watch};
use sentence_embedder::model::folder;
use sentence_embedder::model::onnx::ModelProto;
use sentence_embedder::model::source::Source;
use sentence_embedder::model::store::{Request, Store, inventory, manifest};

const ODD: &str = "onnx/sub/Constant_7_attr__value";
const NEWER: &str = "89abcdef0123456789abcdef0123456789abcdef";

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
        let (found, events) = bench.fetch_heard();
        assert!(!found.from_cache);
        Source::open(&found.folder.join(ONNX)).unwrap();
        assert!(found.files.contains(&ODD.to_owned()), "{:?}", found.files);
        assert!(!found.folder.join("onnx/model.onnx_data").exists());
        let rounds = events
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
