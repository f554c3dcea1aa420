//! What a call promises: one answer, in order, early when asked, and an embedder that goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::{embed, load, load_config};
use sentence_embedder::config::{EmbedOptions, Overflow, Priority};
use sentence_embedder::error::{Error, ErrorKind, Result};
use sentence_embedder::pipeline::call::Embeddings;
use sentence_embedder::pipeline::embedder::{CallHandle, Embedder};

type Answer = mpsc::Receiver<Result<Embeddings>>;

/// Starts a call whose answer can be waited for.
fn start(embedder: &Arc<Embedder>, texts: Vec<String>, options: &EmbedOptions) -> (CallHandle, Answer) {
    let (sender, receiver) = mpsc::channel();
    let handle = embedder.embed(
        texts,
        options,
        None,
        Box::new(move |result| drop(sender.send(result))),
    );
    (handle, receiver)
}

fn answer(receiver: &Answer) -> Result<Embeddings> {
    receiver
        .recv_timeout(Duration::from_secs(60))
        .expect("a call hangs")
}

/// More work than any test waits for.
fn endless() -> Vec<String> {
    (0..200_000)
        .map(|index| format!("text number {index} of a long list"))
        .collect()
}

#[test]
fn fifty_calls_at_once_keep_their_own_order() {
    let embedder = load("xlmr");
    let texts = |call: usize| {
        (0..40)
            .map(|index| format!("{} {call}", "word ".repeat(index % 9)))
            .collect::<Vec<_>>()
    };
    let calls: Vec<_> = (0..50)
        .map(|call| start(&embedder, texts(call), &EmbedOptions::default()))
        .collect();
    for (call, (_, receiver)) in calls.iter().enumerate() {
        let got = answer(receiver).unwrap();
        let expected = embed(&embedder, &texts(call)).unwrap().concat();
        let difference = got
            .vectors
            .iter()
            .zip(&expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert_eq!(got.vectors.len(), expected.len());
        assert!(difference <= 2e-6, "call {call}: {difference:e}");
    }
}

#[test]
fn an_empty_list_is_answered_and_an_empty_string_is_a_text() {
    let embedder = load("bert");
    assert!(embed(&embedder, &[]).unwrap().is_empty());
    assert_eq!(embed(&embedder, &[String::new()]).unwrap().len(), 1);
}

#[test]
fn a_cancelled_call_is_rejected_at_once_and_others_go_on() {
    let embedder = load("bert");
    let (handle, cancelled) = start(&embedder, endless(), &EmbedOptions::default());
    let (_, other) = start(&embedder, vec!["another".to_owned()], &EmbedOptions::default());
    thread::sleep(Duration::from_millis(20));
    handle.cancel(Error::new(ErrorKind::Aborted, "enough"));
    handle.cancel(Error::new(ErrorKind::Aborted, "twice is once"));
    assert_eq!(answer(&cancelled).unwrap_err().kind(), ErrorKind::Aborted);
    assert!(answer(&other).is_ok());
    assert!(cancelled.try_recv().is_err(), "a call was answered twice");
    let stats = embedder.stats();
    assert_eq!((stats.bulk.queue_depth, stats.failures), (0, 0), "{stats:?}");
}

#[test]
fn a_call_that_is_not_done_in_time_is_rejected_and_others_go_on() {
    let embedder = load("bert");
    let options = EmbedOptions {
        timeout: Some(Duration::from_millis(30)),
        ..EmbedOptions::default()
    };
    let (_, late) = start(&embedder, endless(), &options);
    let error = answer(&late).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("30"), "{error}");
    assert_eq!(embed(&embedder, &["next".to_owned()]).unwrap().len(), 1);
    assert_eq!(embedder.stats().failures, 1);
}

#[test]
fn a_call_that_must_be_done_sooner_than_an_earlier_one_is_rejected_in_time() {
    let embedder = load("bert");
    let within = |ms| EmbedOptions {
        timeout: Some(Duration::from_millis(ms)),
        ..EmbedOptions::default()
    };
    let (patient, _answer) = start(&embedder, endless(), &within(600_000));
    // So that the clock sleeps until then.
    thread::sleep(Duration::from_millis(20));
    let (_, late) = start(&embedder, endless(), &within(30));
    assert_eq!(answer(&late).unwrap_err().kind(), ErrorKind::Timeout);
    // And the other way round: the clock goes on to the later one.
    let (_, later) = start(&embedder, endless(), &within(60));
    let (_, sooner) = start(&embedder, endless(), &within(30));
    for late in [sooner, later] {
        assert_eq!(answer(&late).unwrap_err().kind(), ErrorKind::Timeout);
    }
    patient.cancel(Error::new(ErrorKind::Aborted, "enough"));
}

#[test]
fn interactive_calls_overtake_bulk_calls_and_bulk_calls_are_not_starved() {
    let embedder = load("bert");
    let (bulk, _bulk_answer) = start(&embedder, endless(), &EmbedOptions::default());
    let interactive = EmbedOptions {
        priority: Priority::Interactive,
        ..EmbedOptions::default()
    };
    for _ in 0..20 {
        embedder
            .embed_blocking(vec!["a query".to_owned()], &interactive)
            .unwrap();
    }
    assert!(
        embedder.stats().bulk.queue_depth > 0,
        "the bulk call was over before the queries were answered"
    );
    // A flood of interactive work must not stop the bulk call: it goes on until bulk texts are seen to be embedded.
    let before = embedder.stats().texts;
    let mut flooded = 0;
    let deadline = Instant::now() + Duration::from_secs(60);
    while embedder.stats().texts <= before + flooded {
        assert!(
            Instant::now() < deadline,
            "no bulk text was embedded during a flood of {flooded} interactive ones"
        );
        let flood: Vec<_> = (0..500)
            .map(|_| start(&embedder, vec!["flood".to_owned()], &interactive))
            .collect();
        flooded += flood.len() as u64;
        for (_, receiver) in flood.iter().take(400) {
            answer(receiver).unwrap();
        }
    }
    bulk.cancel(Error::new(ErrorKind::Aborted, "enough"));
}

#[test]
fn too_long_texts_are_refused_when_asked_and_named() {
    let embedder = load("bert");
    let options = EmbedOptions {
        overflow: Overflow::Error,
        ..EmbedOptions::default()
    };
    let texts = vec!["short".to_owned(), "word ".repeat(100)];
    let error = embedder.embed_blocking(texts.clone(), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLong);
    assert!(
        error.to_string().contains("texts[1]") && error.to_string().contains("24"),
        "{error}"
    );
    let result = embedder.embed_blocking(texts, &EmbedOptions::default()).unwrap();
    assert_eq!(result.truncated, [false, true]);
}

#[test]
fn normalising_can_be_chosen_for_one_call() {
    let embedder = load("xlmr");
    let text = vec!["some text".to_owned()];
    let length = |normalize| {
        let options = EmbedOptions {
            normalize,
            ..EmbedOptions::default()
        };
        let result = embedder.embed_blocking(text.clone(), &options).unwrap();
        result
            .vectors
            .iter()
            .map(|value| value * value)
            .sum::<f32>()
            .sqrt()
    };
    assert!((length(Some(true)) - 1.0).abs() < 1e-6);
    assert!((length(None) - length(Some(false))).abs() < 1e-6 && (length(None) - 1.0).abs() > 1e-3);
}

#[test]
fn counting_gives_no_vectors_and_does_not_truncate() {
    let embedder = load("bert");
    let (sender, receiver) = mpsc::channel();
    let texts = vec![String::new(), "word ".repeat(100)];
    embedder.count_tokens(texts, Box::new(move |result| drop(sender.send(result))));
    let counted = answer(&receiver).unwrap();
    assert!(counted.vectors.is_empty());
    assert_eq!(counted.token_counts[0], 2);
    assert!(counted.token_counts[1] >= 102);
}

#[test]
fn progress_grows_at_a_bounded_rate_and_ends_before_the_answer() {
    let embedder = load("bert");
    let reports = Arc::new(AtomicUsize::new(0));
    let last = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = mpsc::channel();
    let (counter, most) = (Arc::clone(&reports), Arc::clone(&last));
    let progress = Box::new(move |done, total| {
        assert!(done < total);
        assert!(most.swap(done, Ordering::SeqCst) < done, "progress went back");
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let texts: Vec<_> = endless().into_iter().take(6_000).collect();
    let started = Instant::now();
    embedder.embed(
        texts,
        &EmbedOptions::default(),
        Some(progress),
        Box::new(move |it| drop(sender.send(it))),
    );
    answer(&receiver).unwrap();
    let after = reports.load(Ordering::SeqCst);
    assert!(
        after as u128 <= started.elapsed().as_millis() / 50 + 1,
        "{after} reports"
    );
    thread::sleep(Duration::from_millis(60));
    assert_eq!(reports.load(Ordering::SeqCst), after, "progress after the answer");
}

#[test]
fn closing_rejects_what_is_not_answered_and_everything_later() {
    let embedder = load("bert");
    let calls: Vec<_> = (0..3)
        .map(|_| start(&embedder, endless(), &EmbedOptions::default()))
        .collect();
    thread::sleep(Duration::from_millis(10));
    embedder.close();
    embedder.close();
    for (_, receiver) in &calls {
        assert_eq!(answer(receiver).unwrap_err().kind(), ErrorKind::Closed);
    }
    for late in [vec!["late".to_owned()], vec![]] {
        assert_eq!(embed(&embedder, &late).unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[test]
fn a_run_that_fails_rejects_its_call_only() {
    let parent = tempfile::tempdir().unwrap();
    let variant = common::fixture_json("variants.json")["fails-at-run"].clone();
    let folder = common::expand("fails-at-run", &variant, parent.path());
    let embedder = load_config(&common::config(&folder, &serde_json::Value::Null)).unwrap();
    let (_, good) = start(&embedder, vec!["a".to_owned()], &EmbedOptions::default());
    let (_, bad) = start(
        &embedder,
        vec!["a".to_owned(), "word ".repeat(30)],
        &EmbedOptions::default(),
    );
    let error = answer(&bad).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Inference);
    assert!(std::error::Error::source(&error).is_some(), "the cause was lost");
    assert!(answer(&good).is_ok());
    assert!(embed(&embedder, &["b".to_owned()]).is_ok());
    assert_eq!(embedder.stats().failures, 1);
}
