//! Who is served next: two lanes, workers of one thread and one of all threads, and the rule between them. No threads here.

use std::sync::Arc;
use std::time::Instant;

use super::call::Call;
use super::estimate::Estimate;
use super::lane::{Chunk, Lane, Row, Work};
use super::tokenizer::Sequence;
use crate::config::{JOINED_TOKENS, MAX_OVERTAKES, Priority};

/// Which session a worker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A session of one thread: many of these side by side have the best throughput.
    Narrow,
    /// The session of all threads: the best latency when there is nothing else to do.
    Wide,
}

/// What a worker is busy with.
#[derive(Clone, Copy)]
struct Busy {
    role: Role,
    priority: Priority,
    /// Of a run; nothing for what is being tokenised.
    cost: f64,
    since: Instant,
    /// Was told to end at once, and is put back.
    gives_way: bool,
}

/// All work that waits, and what is known of the work that runs.
pub struct Queue {
    lanes: [Lane; 2],
    /// Narrow workers: as many as the embedder has threads, or none.
    narrow: usize,
    /// Whether texts of different lengths run together.
    pack: bool,
    /// By the place of the worker.
    busy: Vec<Option<Busy>>,
    estimate: Estimate,
    /// Whether a call may wait that is settled already.
    holds_settled: bool,
    /// Interactive work served since bulk work last was, while bulk work waited.
    overtakes: u32,
    /// Whether a bulk run has given way since one was last done. It must not for ever.
    gave_way: bool,
    last_window: u64,
}

impl Queue {
    /// For `narrow` narrow workers and a wide one, whose models run different lengths together if they `pack`.
    pub fn new(narrow: usize, pack: bool) -> Self {
        Self {
            lanes: [Lane::default(), Lane::default()],
            narrow,
            pack,
            busy: vec![None; narrow + 1],
            estimate: Estimate::new(narrow),
            holds_settled: false,
            overtakes: 0,
            gave_way: false,
            last_window: 0,
        }
    }

    /// Tells that a call may wait here which is settled already: what of it waits is then dropped before the next work is taken.
    pub fn settled(&mut self) {
        self.holds_settled = true;
    }

    /// Puts a call at the end of its lane.
    pub fn push(&mut self, call: Arc<Call>) {
        self.lane(call.lane).push(call);
    }

    /// The next piece of work for the idle worker at `place`, which is then busy until [`release`](Self::release).
    pub fn next(&mut self, place: usize, role: Role, now: Instant) -> Option<(Priority, Work)> {
        if std::mem::take(&mut self.holds_settled) {
            self.lanes.iter_mut().for_each(Lane::drop_settled);
        }
        let order = if self.overtakes >= MAX_OVERTAKES {
            [Priority::Bulk, Priority::Interactive]
        } else {
            [Priority::Interactive, Priority::Bulk]
        };
        let (priority, work) = order.into_iter().find_map(|priority| {
            let allowed = self.may_serve(role, priority, now);
            let window = self.last_window + 1;
            let threads = self.narrow.max(1);
            let joined = self.pack && role == Role::Wide && priority == Priority::Bulk;
            let work = if allowed {
                self.lane(priority).take(window, threads, joined)
            } else {
                None
            };
            work.map(|work| (priority, work))
        })?;
        self.last_window += 1;
        match priority {
            Priority::Bulk => self.overtakes = 0,
            Priority::Interactive if self.lane(Priority::Bulk).is_empty() => self.overtakes = 0,
            Priority::Interactive => self.overtakes += 1,
        }
        let cost = match (work.tokens(), role) {
            (0, _) => 0.0,
            (tokens, Role::Narrow) => self.estimate.narrow(tokens),
            (tokens, Role::Wide) => self.estimate.wide(1, tokens),
        };
        if let Some(busy) = self.busy.get_mut(place) {
            *busy = Some(Busy {
                role,
                priority,
                cost,
                since: now,
                gives_way: false,
            });
        }
        Some((priority, work))
    }

    /// The worker at `place` is idle again. How fast it was counts if it did all that it took.
    pub fn release(&mut self, place: usize, is_done: bool, now: Instant) {
        let Some(done) = self.busy.get_mut(place).and_then(Option::take) else {
            return;
        };
        // What did not run was cancelled or failed, and with it what else of its call waits.
        self.holds_settled |= !is_done;
        if is_done && done.priority == Priority::Bulk && done.cost > 0.0 {
            self.gave_way = false;
        }
        if is_done && done.role == Role::Narrow {
            let seconds = now.saturating_duration_since(done.since).as_secs_f64();
            self.estimate.learn(done.cost, seconds);
        }
    }

    /// Whether the run of the worker at `place` is to end now and be [put back](Self::put_back), for interactive work that has just
    /// come: if it is bulk work on all threads, which narrow workers can take over, and the last that gave way has been done.
    pub fn make_way(&mut self, place: usize) -> bool {
        if self.narrow == 0 || self.gave_way {
            return false;
        }
        let running = self.busy.get_mut(place).and_then(Option::as_mut);
        let gives_way = running
            .filter(|busy| busy.role == Role::Wide && busy.priority == Priority::Bulk && busy.cost > 0.0);
        let Some(busy) = gives_way else {
            return false;
        };
        busy.gives_way = true;
        self.gave_way = true;
        true
    }

    /// Whether what the worker at `place` runs was told to make way.
    pub fn gives_way(&self, place: usize) -> bool {
        let running = self.busy.get(place).and_then(Option::as_ref);
        running.is_some_and(|busy| busy.gives_way)
    }

    /// Takes back a run that gave way, before all others.
    pub fn put_back(&mut self, priority: Priority, rows: Vec<Row>) {
        let (threads, pack) = (self.narrow.max(1), self.pack);
        self.lane(priority).put_back(rows, threads, pack);
    }

    /// Takes back a chunk with what became of each text; `None` for one whose call is settled.
    pub fn tokenized(&mut self, priority: Priority, chunk: &Chunk, sequences: Vec<Option<Sequence>>) {
        let (threads, pack) = (self.narrow.max(1), self.pack);
        // One that was refused for a text of it waits no more with the others.
        self.holds_settled |= sequences.iter().any(Option::is_none);
        self.lane(priority).tokenized(chunk, sequences, threads, pack);
    }

    /// Texts in this lane that no worker has started to run.
    pub fn depth(&self, priority: Priority) -> usize {
        let [interactive, bulk] = &self.lanes;
        match priority {
            Priority::Interactive => interactive.depth(),
            Priority::Bulk => bulk.depth(),
        }
    }

    /// Whether nothing waits here or is on loan.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(Lane::is_empty)
    }

    /// Every call that waits, for rejecting them all.
    pub fn drain(&mut self) -> Vec<Arc<Call>> {
        self.lanes
            .iter_mut()
            .flat_map(|lane| std::mem::take(lane).into_calls())
            .collect()
    }

    /// The rule for who may take what. It keeps the machine's cores busy without ever crowding them for long:
    ///
    /// - Interactive work goes to the wide worker, at once, also beside running bulk work, and in place of bulk work that it runs;
    ///   to narrow ones when the wide one is busy with what does not give way.
    /// - Bulk work goes to the narrow workers, but the last of it to the wide one where that is done sooner, for which
    ///   idle narrow ones wait.
    fn may_serve(&self, role: Role, priority: Priority, now: Instant) -> bool {
        if self.narrow == 0 {
            return true;
        }
        let wide = self.busy.iter().flatten().find(|busy| busy.role == Role::Wide);
        match (role, priority) {
            (Role::Wide, Priority::Interactive) => true,
            (Role::Narrow, Priority::Interactive) => wide.is_some_and(|busy| !busy.gives_way),
            (Role::Wide, Priority::Bulk) => {
                let mut busy = self.busy.iter().flatten();
                busy.all(|busy| busy.role != Role::Narrow) && self.ends_sooner_wide(now)
            }
            (Role::Narrow, Priority::Bulk) => {
                wide.is_some_and(|busy| busy.priority == Priority::Interactive) || !self.ends_sooner_wide(now)
            }
        }
    }

    /// Whether the bulk work that waits is done sooner one run after the other on all threads, once they are free, than side
    /// by side on one thread each.
    fn ends_sooner_wide(&self, now: Instant) -> bool {
        let [interactive, bulk] = &self.lanes;
        if !interactive.is_empty() {
            return false;
        }
        if bulk.is_one_text() {
            return self.busy.iter().all(Option::is_none);
        }
        let Some(rest) = bulk.rest() else {
            return false;
        };
        let runs = if self.pack {
            rest.runs.min(rest.tokens.div_ceil(JOINED_TOKENS))
        } else {
            rest.runs
        };
        let until_free = self
            .busy
            .iter()
            .flatten()
            .map(|busy| {
                let seconds = now.saturating_duration_since(busy.since).as_secs_f64();
                self.estimate.left(busy.cost, seconds)
            })
            .fold(0.0, f64::max);
        until_free + self.estimate.wide(runs, rest.tokens) < self.estimate.narrow(rest.largest)
    }

    fn lane(&mut self, priority: Priority) -> &mut Lane {
        let [interactive, bulk] = &mut self.lanes;
        match priority {
            Priority::Interactive => interactive,
            Priority::Bulk => bulk,
        }
    }
}

#[cfg(test)]
mod tests;
