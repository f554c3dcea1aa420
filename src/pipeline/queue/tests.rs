//! The rule driven one step at a time: in any order no call is left, and what is to run where does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::super::call::Purpose;
use super::super::lane::{Entry, Row};
use super::*;
use crate::config::{MICRO_BATCH_TOKENS, WINDOW_TEXTS};
use crate::error::{Error, ErrorKind};

/// What happens next; numbers are taken modulo what there is to choose from.
#[derive(Debug, Clone)]
enum Step {
    /// A call of so many texts arrives.
    Arrive { interactive: bool, texts: usize },
    /// A call is cancelled.
    Cancel(usize),
    /// A worker that is awake looks for work and sleeps if there is none for it.
    Look(usize),
    /// A busy worker is done.
    Finish(usize),
    /// So many microseconds go by.
    Wait(u64),
}

enum Doing {
    Asleep,
    Awake,
    Busy(Priority, Work),
    /// Told to end at once, which may come too late.
    GivingWay(Priority, Work),
}

/// The workers as the scheduler drives them, one step at a time and in any order.
struct Machine {
    queue: Queue,
    workers: Vec<(Role, Doing)>,
    calls: Vec<(Arc<Call>, Arc<AtomicUsize>)>,
    /// Runs of each text, by call.
    runs: Vec<Vec<usize>>,
    now: Instant,
}

impl Machine {
    fn new(narrow: usize, pack: bool) -> Self {
        let roles = std::iter::once(Role::Wide).chain(std::iter::repeat_n(Role::Narrow, narrow));
        Self {
            queue: Queue::new(narrow, pack),
            workers: roles.map(|role| (role, Doing::Awake)).collect(),
            calls: Vec::new(),
            runs: Vec::new(),
            now: Instant::now(),
        }
    }

    /// `Condvar::notify_all`.
    fn wake(&mut self) {
        for (_, doing) in &mut self.workers {
            if matches!(doing, Doing::Asleep) {
                *doing = Doing::Awake;
            }
        }
    }

    fn arrive(&mut self, lane: Priority, texts: Vec<String>) {
        let settled = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&settled);
        let settle = Box::new(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let purpose = Purpose::Embed {
            overflow: crate::config::Overflow::Truncate,
            normalize: false,
        };
        self.runs.push(vec![0; texts.len()]);
        let call = Call::new(texts, lane, purpose, 1, None, settle).ok().unwrap();
        let call = Arc::new(call);
        self.calls.push((Arc::clone(&call), settled));
        self.queue.push(call);
        if lane == Priority::Interactive {
            for (place, (_, doing)) in self.workers.iter_mut().enumerate() {
                if !matches!(doing, Doing::Busy(_, Work::Run(_))) || !self.queue.make_way(place) {
                    continue;
                }
                if let Doing::Busy(priority, work) = std::mem::replace(doing, Doing::Awake) {
                    *doing = Doing::GivingWay(priority, work);
                }
            }
        }
        self.wake();
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Arrive { interactive, texts } => {
                let lane = Priority::ALL[usize::from(!interactive)];
                self.arrive(
                    lane,
                    (0..texts).map(|i| "x".repeat(1 + (i * 7 + texts) % 40)).collect(),
                );
            }
            Step::Cancel(which) => {
                if let Some((call, _)) = self.calls.get(which % self.calls.len().max(1)) {
                    call.reject(Error::new(ErrorKind::Aborted, "cancelled"));
                    self.queue.settled();
                    self.wake();
                }
            }
            Step::Look(which) => {
                let count = self.workers.len();
                let (role, doing) = &mut self.workers[which % count];
                if matches!(doing, Doing::Awake) {
                    match self.queue.next(which % count, *role, self.now) {
                        Some((priority, work)) => {
                            *doing = Doing::Busy(priority, work);
                            if !self.queue.is_empty() {
                                self.wake();
                            }
                        }
                        None => *doing = Doing::Asleep,
                    }
                }
            }
            Step::Finish(which) => {
                let count = self.workers.len();
                let is_late = (which / count) % 2 == 1;
                let (role, doing) = &mut self.workers[which % count];
                if matches!(doing, Doing::Asleep | Doing::Awake) {
                    return;
                }
                let is_done = match std::mem::replace(doing, Doing::Awake) {
                    Doing::GivingWay(priority, Work::Run(rows)) if !is_late => {
                        self.queue.put_back(priority, rows);
                        false
                    }
                    Doing::Busy(priority, work) | Doing::GivingWay(priority, work) => {
                        let most = if *role == Role::Wide {
                            JOINED_TOKENS
                        } else {
                            MICRO_BATCH_TOKENS
                        };
                        self.finish(priority, work, most);
                        true
                    }
                    Doing::Asleep | Doing::Awake => unreachable!(),
                };
                self.queue.release(which % count, is_done, self.now);
                self.wake();
            }
            Step::Wait(microseconds) => self.now += Duration::from_micros(microseconds),
        }
    }

    /// Does what a worker does that runs `most` tokens at a time.
    fn finish(&mut self, priority: Priority, work: Work, most: usize) {
        match work {
            Work::Tokenize(chunk) => {
                let sequence = |entry: &Entry| {
                    let ids = vec![0; entry.call.texts[entry.index].len()];
                    Sequence {
                        type_ids: ids.clone(),
                        count: ids.len(),
                        ids,
                    }
                };
                let live = |entry: &Entry| (!entry.call.is_settled()).then(|| sequence(entry));
                let sequences = chunk.entries.iter().map(live).collect();
                self.queue.tokenized(priority, &chunk, sequences);
            }
            Work::Run(rows) => {
                let lengths = || rows.iter().map(|row| row.sequence.ids.len());
                let room = lengths().max().unwrap() * rows.len();
                let is_small = lengths().sum::<usize>() <= most && room <= most * 3 / 2;
                assert!(rows.len() == 1 || is_small, "{:?}", lengths().collect::<Vec<_>>());
                for Row { entry, sequence } in rows {
                    let call = self
                        .calls
                        .iter()
                        .position(|(call, _)| Arc::ptr_eq(call, &entry.call));
                    self.runs[call.unwrap()][entry.index] += 1;
                    entry.call.embedded(entry.index, &sequence, &[1.0], |_| {});
                }
            }
        }
    }

    /// Lets every worker go on until all sleep.
    fn settle(&mut self) {
        while !self
            .workers
            .iter()
            .all(|(_, doing)| matches!(doing, Doing::Asleep))
        {
            for which in 0..self.workers.len() {
                self.step(&Step::Look(which));
                self.step(&Step::Finish(which));
            }
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (any::<bool>(), 1_usize..80).prop_map(|(interactive, texts)| Step::Arrive { interactive, texts }),
        1 => any::<usize>().prop_map(Step::Cancel),
        4 => any::<usize>().prop_map(Step::Look),
        3 => any::<usize>().prop_map(Step::Finish),
        2 => (0_u64..3000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn in_whatever_order_threads_run_no_call_is_left_and_no_text_runs_twice(
        narrow in 0_usize..5, pack: bool, steps in prop::collection::vec(step(), 0..150),
    ) {
        let mut machine = Machine::new(narrow, pack);
        steps.iter().for_each(|step| machine.step(step));
        machine.settle();
        prop_assert!(machine.queue.is_empty(), "everybody sleeps and work is left");
        for ((call, settled), runs) in machine.calls.iter().zip(&machine.runs) {
            prop_assert!(call.is_settled());
            prop_assert_eq!(settled.load(Ordering::SeqCst), 1);
            prop_assert!(runs.iter().all(|&times| times <= 1));
        }
    }
}

/// A machine with this call, whose texts are tokenised and whose workers all sleep or are about to look.
fn tokenised(narrow: usize, pack: bool, texts: &[usize]) -> Machine {
    let mut machine = Machine::new(narrow, pack);
    machine.arrive(
        Priority::Bulk,
        texts.iter().map(|&length| "x".repeat(length)).collect(),
    );
    tokenise(&mut machine);
    machine
}

/// Lets those who are free tokenise all that waits.
fn tokenise(machine: &mut Machine) {
    while machine.queue.lanes[1].rest().is_none() {
        for which in 0..machine.workers.len() {
            if !is_running(machine, which) {
                machine.step(&Step::Look(which));
            }
        }
        for which in 0..machine.workers.len() {
            if !is_running(machine, which) {
                machine.step(&Step::Finish(which));
            }
        }
    }
}

fn is_busy(machine: &Machine, which: usize) -> bool {
    matches!(machine.workers[which].1, Doing::Busy(..))
}

fn is_running(machine: &Machine, which: usize) -> bool {
    matches!(machine.workers[which].1, Doing::Busy(_, Work::Run(_)))
}

#[test]
fn a_last_run_of_equal_length_waits_for_all_threads() {
    let mut machine = tokenised(2, false, &[128; 3]);
    for which in 0..3 {
        machine.step(&Step::Look(which));
    }
    assert!(!is_running(&machine, 0) && is_running(&machine, 1) && is_running(&machine, 2));
    machine.step(&Step::Wait(100_000));
    machine.step(&Step::Finish(1));
    machine.step(&Step::Look(1));
    assert!(!is_running(&machine, 1), "the other is about to end");
    machine.step(&Step::Finish(2));
    machine.step(&Step::Look(2));
    assert!(!is_running(&machine, 2));
    machine.step(&Step::Look(0));
    assert!(is_running(&machine, 0));
}

#[test]
fn a_last_run_does_not_wait_for_a_long_one() {
    let mut machine = tokenised(2, false, &[128, 60, 61]);
    machine.step(&Step::Look(1));
    machine.step(&Step::Look(2));
    machine.step(&Step::Wait(10_000));
    machine.step(&Step::Finish(2));
    machine.step(&Step::Look(2));
    assert!(is_running(&machine, 1) && is_running(&machine, 2));
}

#[test]
fn a_run_that_outweighs_all_others_gets_all_threads_from_the_start() {
    let mut machine = tokenised(2, false, &[128, 20, 21]);
    for which in [1, 2, 0] {
        machine.step(&Step::Look(which));
    }
    assert!(is_running(&machine, 0) && !is_running(&machine, 1) && !is_running(&machine, 2));
}

#[test]
fn two_last_runs_of_four_threads_go_to_the_wide_worker_one_after_the_other() {
    let mut machine = tokenised(4, false, &[128; 6]);
    for which in 0..5 {
        machine.step(&Step::Look(which));
    }
    machine.step(&Step::Wait(100_000));
    for which in 1..5 {
        machine.step(&Step::Finish(which));
        machine.step(&Step::Look(which));
        assert!(!is_running(&machine, which));
    }
    machine.step(&Step::Look(0));
    assert!(is_running(&machine, 0));
    machine.step(&Step::Look(1));
    assert!(!is_running(&machine, 1), "nothing runs beside all threads");
    machine.step(&Step::Finish(0));
    machine.step(&Step::Look(0));
    assert!(is_running(&machine, 0));
}

#[test]
fn fewer_texts_than_threads_run_together_on_all_of_them_where_they_pack() {
    let mut machine = tokenised(8, true, &[128, 120, 126, 100]);
    for which in (1..9).chain([0]) {
        machine.step(&Step::Look(which));
        assert_eq!(is_running(&machine, which), which == 0);
    }
    let Doing::Busy(_, Work::Run(rows)) = &machine.workers[0].1 else {
        panic!("all threads have nothing to run")
    };
    assert_eq!(rows.len(), 4);
}

#[test]
fn bulk_work_of_all_threads_makes_way_for_a_query_and_goes_on_beside_it() {
    let mut machine = tokenised(2, true, &[128]);
    machine.step(&Step::Look(0));
    assert!(is_running(&machine, 0));
    machine.arrive(Priority::Interactive, vec!["a query".to_owned()]);
    machine.step(&Step::Look(1));
    assert!(
        !is_busy(&machine, 1),
        "the query waits for the threads that are freed for it"
    );
    machine.step(&Step::Finish(0));
    machine.step(&Step::Look(0));
    assert_eq!(
        machine.queue.depth(Priority::Interactive),
        1,
        "it is being tokenised"
    );
    machine.step(&Step::Look(1));
    assert!(is_busy(&machine, 0) && is_running(&machine, 1));
    machine.settle();
    assert_eq!(machine.runs, [[1], [1]]);
}

#[test]
fn bulk_work_that_has_made_way_is_done_before_any_does_so_again() {
    let mut machine = tokenised(2, true, &[128]);
    machine.step(&Step::Look(0));
    let ask = |machine: &mut Machine| machine.arrive(Priority::Interactive, vec!["a query".to_owned()]);
    ask(&mut machine);
    // All threads go on by themselves, while the narrow workers are slow to wake.
    while machine.queue.depth(Priority::Interactive) > 0 || !is_running(&machine, 0) {
        machine.step(&Step::Finish(0));
        machine.step(&Step::Look(0));
    }
    machine.step(&Step::Finish(0));
    machine.step(&Step::Look(0));
    assert!(is_running(&machine, 0) && machine.queue.depth(Priority::Bulk) == 0);
    ask(&mut machine);
    machine.step(&Step::Look(1));
    assert!(
        is_running(&machine, 0) && is_busy(&machine, 1),
        "a narrow worker has the query"
    );
}

/// The calls of the texts that are tokenised next, each once, until nothing is left.
fn order_of_calls(machine: &mut Machine) -> Vec<usize> {
    let mut order = Vec::new();
    while let Some(work) = machine.queue.lanes[1].take(machine.queue.last_window, 1, false) {
        machine.queue.last_window += 1;
        if let Work::Tokenize(chunk) = &work {
            let calls = chunk.entries.iter().map(|entry| {
                let same = |(call, _): &(Arc<Call>, _)| Arc::ptr_eq(call, &entry.call);
                machine.calls.iter().position(same).unwrap()
            });
            order.extend(calls);
            order.dedup();
        }
        machine.finish(Priority::Bulk, work, MICRO_BATCH_TOKENS);
    }
    order
}

#[test]
fn calls_are_served_in_their_order_also_where_a_window_ends() {
    for (calls, texts) in [(40, 32), (40, 100), (5, 1000)] {
        let mut machine = Machine::new(2, true);
        for _ in 0..calls {
            machine.arrive(Priority::Bulk, vec!["x".to_owned(); texts]);
        }
        assert_eq!(
            order_of_calls(&mut machine),
            (0..calls).collect::<Vec<_>>(),
            "{texts} texts"
        );
    }
}

#[test]
fn a_call_of_many_windows_lets_later_ones_in_between() {
    let mut machine = Machine::new(2, true);
    for texts in [1, 3 * WINDOW_TEXTS, 5, 7] {
        machine.arrive(Priority::Bulk, vec!["x".to_owned(); texts]);
    }
    assert_eq!(order_of_calls(&mut machine), [0, 1, 2, 3, 1]);
}

#[test]
fn bulk_work_is_served_after_so_much_interactive_work_as_may_overtake_it() {
    let mut machine = Machine::new(0, true);
    machine.arrive(Priority::Bulk, vec!["x".to_owned()]);
    let mut served = Vec::new();
    while served.len() < 40 {
        machine.arrive(Priority::Interactive, vec!["a query".to_owned()]);
        machine.step(&Step::Look(0));
        let Doing::Busy(priority, _) = machine.workers[0].1 else {
            panic!("nothing to do")
        };
        served.push(priority);
        machine.step(&Step::Finish(0));
    }
    let places = served
        .iter()
        .enumerate()
        .filter(|(_, priority)| **priority == Priority::Bulk);
    let places: Vec<_> = places.map(|(place, _)| place).collect();
    let overtakes = MAX_OVERTAKES as usize;
    // It is tokenised and run.
    assert_eq!(places, [overtakes, 2 * overtakes + 1]);
}

#[test]
fn as_many_long_texts_as_threads_run_side_by_side() {
    for pack in [false, true] {
        let mut machine = tokenised(8, pack, &[128; 8]);
        for which in (0..9).chain([0]) {
            machine.step(&Step::Look(which));
            assert_eq!(is_running(&machine, which), which > 0);
        }
    }
}

#[test]
fn a_text_that_comes_while_all_threads_run_waits_only_if_they_are_about_to_end() {
    for (milliseconds, waits) in [(0, false), (80, true)] {
        let mut machine = tokenised(4, true, &[128; 4]);
        for which in 1..5 {
            machine.step(&Step::Look(which));
            assert!(is_running(&machine, which));
        }
        machine.step(&Step::Wait(100_000));
        for which in 1..5 {
            machine.step(&Step::Finish(which));
        }
        machine.arrive(Priority::Bulk, vec!["x".repeat(128); 3]);
        tokenise(&mut machine);
        machine.step(&Step::Look(0));
        assert!(is_running(&machine, 0));
        machine.arrive(Priority::Bulk, vec!["x".repeat(20)]);
        tokenise(&mut machine);
        machine.step(&Step::Wait(1000 * milliseconds));
        machine.step(&Step::Look(1));
        assert_ne!(is_running(&machine, 1), waits);
    }
}

#[test]
fn one_text_of_any_length_runs_on_all_threads() {
    for (threads, length) in [(2, 1), (2, 10), (2, 128), (4, 1), (4, 60), (16, 3), (16, 512)] {
        let mut machine = tokenised(threads, true, &[length]);
        for which in (1..=threads).chain([0]) {
            machine.step(&Step::Look(which));
            assert_eq!(
                is_running(&machine, which),
                which == 0,
                "{length} tokens, {threads} threads"
            );
        }
    }
}

/// The table "Many threads" of bench/notes.md; texts of 200 characters have some 50 tokens.
#[test]
fn the_rule_takes_what_was_measured_to_be_faster() {
    for (threads, texts, length, is_wide) in [
        (1, 4, 50, false),
        (2, 2, 128, false),
        (2, 4, 50, false),
        (4, 2, 128, true),
        (4, 4, 128, false),
        (8, 4, 128, true),
        (8, 8, 128, false),
        (8, 12, 128, false),
        (8, 8, 50, true),
        (8, 16, 50, false),
        (16, 8, 128, true),
        (16, 12, 128, false),
        (16, 8, 50, true),
        (16, 16, 50, false),
        (16, 32, 50, false),
    ] {
        let mut machine = tokenised(threads, true, &vec![length; texts]);
        machine.step(&Step::Look(0));
        assert_eq!(
            is_running(&machine, 0),
            is_wide,
            "{threads} threads, {texts} x {length}"
        );
    }
}
