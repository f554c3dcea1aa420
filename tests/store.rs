//! The model store against a hub of the project's own: what goes wrong on the way, and what is left afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod hub;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use hub::bench::{Bench, MODEL, ONNX, TOKEN, failed, parts, told};
use hub::{Fault, On};
use sentence_embedder::error::ErrorKind;
use sentence_embedder::model::events::{Cancel, LoadEvent, Watch};
use sentence_embedder::model::store::settings::Settings;
use sentence_embedder::model::store::{Request, Store};

#[test]
fn a_model_is_fetched_once_and_then_found_without_a_request() {
    let bench = Bench::new();
    let (fetched, events) = bench.fetch_heard();
    bench.assert_whole(&fetched);
    assert!(!fetched.from_cache);

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
fn what_cannot_fit_is_not_begun() {
    let bench = Bench::new();
    bench.hub.set_false_size(Some(1 << 60));
    let text = failed(bench.fetch(), ErrorKind::Download);
    assert!(text.contains("MB are free"), "{text}");
    assert!(!bench.hub.seen().iter().any(|seen| seen.at_content));
    bench.hub.set_false_size(None);
    bench.assert_whole(&bench.fetch().unwrap());
}
