//! Orders in which the scheduler's threads can run, tried out by shuttle: no call is left, and every thread ends.
//!
//! `SCHEDULES` is how many each test tries with each of shuttle's two ways to choose them. A failure prints its schedule.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, OnceLock};

use shuttle::rand::Rng;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler as Chooser};
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::sync::mpsc::{Receiver, channel};
use shuttle::{Config, Runner, thread};

use super::call::{Call, Embeddings, Purpose};
use super::scheduler::{Scheduler, Sessions};
use super::session::Model;
use super::tokenizer::{Sequence, Tokenizer};
use crate::config::{EmbedderConfig, Overflow, Priority};
use crate::error::{Error, ErrorKind, Result};
use crate::model::folder;

/// Threads that a tokenizer's regular expressions run on need more than shuttle's default of stack.
const STACK: usize = 1 << 20;
/// Preemptions of a schedule of the second way.
const DEPTH: usize = 3;

/// A model whose vectors are the lengths of the sequences; a run can be stopped in its middle.
struct Lengths;

impl Model for Lengths {
    type Stop = Arc<AtomicBool>;

    fn stop_handle(&self) -> Result<Self::Stop> {
        Ok(Arc::new(AtomicBool::new(false)))
    }

    fn stop(handle: &Self::Stop) {
        handle.store(true, Ordering::SeqCst);
    }

    fn packs(&self) -> bool {
        true
    }

    fn run(&mut self, sequences: &[&Sequence], stop: &Self::Stop) -> Result<(Vec<f32>, usize)> {
        thread::yield_now();
        if stop.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Inference, "stopped"));
        }
        Ok((sequences.iter().map(|it| it.ids.len() as f32).collect(), 1))
    }
}

fn tokenizer() -> Arc<Tokenizer> {
    static LOADED: OnceLock<Arc<Tokenizer>> = OnceLock::new();
    let load = || {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("__test__/fixtures/bert");
        let spec = folder::read(&model, &EmbedderConfig::default()).unwrap();
        Arc::new(Tokenizer::load(&spec).unwrap())
    };
    Arc::clone(LOADED.get_or_init(load))
}

fn start() -> Arc<Scheduler> {
    let sessions = Sessions {
        wide: Lengths,
        narrow: vec![Lengths, Lengths],
    };
    Arc::new(Scheduler::start(sessions, tokenizer()).unwrap())
}

/// Submits a call for texts of so many words.
fn submit(
    scheduler: &Scheduler,
    lane: Priority,
    words: &[usize],
) -> (Arc<Call>, Receiver<Result<Embeddings>>) {
    let (sender, receiver) = channel();
    let texts = words.iter().map(|&count| "a ".repeat(count)).collect();
    let purpose = Purpose::Embed {
        overflow: Overflow::Truncate,
        normalize: false,
    };
    let settle = Box::new(move |result| drop(sender.send(result)));
    let call = Arc::new(Call::new(texts, lane, purpose, 1, None, settle).ok().unwrap());
    scheduler.submit(Arc::clone(&call), None);
    (call, receiver)
}

/// What a call was settled with. One that is not makes shuttle report a deadlock.
fn answer((_, receiver): (Arc<Call>, Receiver<Result<Embeddings>>)) -> Result<Vec<f32>> {
    receiver.recv().unwrap().map(|embeddings| embeddings.vectors)
}

fn try_out(scenario: fn()) {
    tokenizer();
    let schedules = std::env::var("SCHEDULES").map_or(500, |count| count.parse().unwrap());
    let run = |chooser: Box<dyn Chooser + Send>| {
        let mut config = Config::new();
        config.stack_size = STACK;
        assert_eq!(Runner::new(chooser, config).run(scenario), schedules);
    };
    run(Box::new(RandomScheduler::new(schedules)));
    run(Box::new(PctScheduler::new(DEPTH, schedules)));
}

#[test]
fn every_call_is_answered_beside_others_and_one_that_is_cancelled() {
    try_out(|| {
        let scheduler = start();
        let asking = |lane, words: &'static [usize]| {
            let scheduler = Arc::clone(&scheduler);
            thread::spawn(move || answer(submit(&scheduler, lane, words)).unwrap())
        };
        let (bulk, query) = (
            asking(Priority::Bulk, &[1, 3, 1]),
            asking(Priority::Interactive, &[2]),
        );
        let cancelled = submit(&scheduler, Priority::Bulk, &[1, 2]);
        scheduler.cancel(&cancelled.0, Error::new(ErrorKind::Aborted, "cancelled"));
        // Two special tokens a text.
        match answer(cancelled) {
            Ok(vectors) => assert_eq!(vectors, [3.0, 4.0]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Aborted),
        }
        assert_eq!(bulk.join().unwrap(), [3.0, 5.0, 3.0]);
        assert_eq!(query.join().unwrap(), [4.0]);
        scheduler.close();
        scheduler.join();
    });
}

#[test]
fn whatever_is_asked_and_cancelled_what_is_left_is_answered() {
    try_out(|| {
        let scheduler = start();
        let mut random = shuttle::rand::thread_rng();
        let mut asked = Vec::new();
        for _ in 0..random.gen_range(2..6) {
            let lane = Priority::ALL[random.gen_range(0..2)];
            let words = vec![1; random.gen_range(1..3)];
            asked.push((submit(&scheduler, lane, &words), random.gen_bool(0.4)));
        }
        for ((call, _), is_cancelled) in &asked {
            if *is_cancelled {
                scheduler.cancel(call, Error::new(ErrorKind::Aborted, "cancelled"));
            }
        }
        for (call, is_cancelled) in asked {
            let answered = answer(call);
            assert!(is_cancelled || answered.is_ok(), "{answered:?}");
        }
        scheduler.close();
        scheduler.join();
    });
}

#[test]
fn closing_settles_every_call_and_ends_every_thread() {
    try_out(|| {
        let scheduler = start();
        // One text runs on all threads, and gives way to the other call.
        let asking = [(Priority::Bulk, &[1][..]), (Priority::Interactive, &[1, 2])].map(|(lane, words)| {
            let scheduler = Arc::clone(&scheduler);
            thread::spawn(move || answer(submit(&scheduler, lane, words)))
        });
        thread::yield_now();
        scheduler.close();
        scheduler.join();
        for (asked, expected) in asking.into_iter().zip([&[3.0][..], &[3.0, 4.0]]) {
            match asked.join().unwrap() {
                Ok(vectors) => assert_eq!(vectors, expected),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
            }
        }
    });
}
