//! Who is served next: two lanes of calls, cut into windows, tokenised in chunks, run in micro-batches. No threads here.

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch;
use super::call::{Call, Purpose};
use super::tokenizer::Sequence;
use crate::config::{
    CHUNK_BYTES, CHUNK_TEXTS, MAX_OVERTAKES, MICRO_BATCH_TOKENS, Priority, WINDOW_BYTES, WINDOW_TEXTS,
};

/// One text of a call.
#[derive(Clone)]
pub struct Entry {
    pub call: Arc<Call>,
    pub index: usize,
}

/// A tokenised text of a call.
pub struct Row {
    pub entry: Entry,
    pub sequence: Sequence,
}

/// A piece of work for one worker.
pub enum Work {
    Tokenize(Chunk),
    Run(Vec<Row>),
}

/// Texts to tokenise, on loan from a window.
pub struct Chunk {
    window: u64,
    first: usize,
    pub entries: Vec<Entry>,
}

/// Which session a worker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A session of one thread: many of these side by side have the best throughput.
    Narrow,
    /// The session of all threads: the best latency when there is nothing else to do.
    Wide,
}

/// All work that waits, and what is known of the work that runs.
pub struct Queue {
    lanes: [Lane; 2],
    /// Narrow workers: as many as the embedder has threads, or none.
    narrow: usize,
    running_narrow: usize,
    running_wide: bool,
    /// Interactive work served since bulk work last was, while bulk work waited.
    overtakes: u32,
    last_window: u64,
}

impl Queue {
    pub fn new(narrow: usize) -> Self {
        Self {
            lanes: [Lane::default(), Lane::default()],
            narrow,
            running_narrow: 0,
            running_wide: false,
            overtakes: 0,
            last_window: 0,
        }
    }

    /// Puts a call at the end of its lane.
    pub fn push(&mut self, call: Arc<Call>) {
        self.lane(call.lane).calls.push_back(Waiting { call, next: 0 });
    }

    /// The next piece of work for an idle worker, which is then counted as busy until [`release`](Self::release).
    pub fn next(&mut self, role: Role) -> Option<(Priority, Work)> {
        for lane in &mut self.lanes {
            lane.drop_settled();
        }
        let order = if self.overtakes >= MAX_OVERTAKES {
            [Priority::Bulk, Priority::Interactive]
        } else {
            [Priority::Interactive, Priority::Bulk]
        };
        let (priority, work) = order.into_iter().find_map(|priority| {
            let allowed = self.may_serve(role, priority);
            let window = self.last_window + 1;
            let threads = self.narrow.max(1);
            let work = if allowed {
                self.lane(priority).take(window, threads)
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
        match role {
            Role::Narrow => self.running_narrow += 1,
            Role::Wide => self.running_wide = true,
        }
        Some((priority, work))
    }

    /// The worker of this role is idle again.
    pub fn release(&mut self, role: Role) {
        match role {
            Role::Narrow => self.running_narrow = self.running_narrow.saturating_sub(1),
            Role::Wide => self.running_wide = false,
        }
    }

    /// Takes back a chunk with what became of each text; `None` for one whose call is settled.
    pub fn tokenized(&mut self, priority: Priority, chunk: &Chunk, sequences: Vec<Option<Sequence>>) {
        let threads = self.narrow.max(1);
        self.lane(priority).tokenized(chunk, sequences, threads);
    }

    /// Texts in this lane that no worker has started to run.
    pub fn depth(&self, priority: Priority) -> usize {
        let [interactive, bulk] = &self.lanes;
        match priority {
            Priority::Interactive => interactive.depth(),
            Priority::Bulk => bulk.depth(),
        }
    }

    /// Whether nothing waits for a worker, apart from what others have on loan.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(Lane::is_empty)
    }

    /// Every call that waits, for rejecting them all.
    pub fn drain(&mut self) -> Vec<Arc<Call>> {
        let mut calls = Vec::new();
        for lane in &mut self.lanes {
            let lane = std::mem::take(lane);
            calls.extend(lane.calls.into_iter().map(|waiting| waiting.call));
            calls.extend(
                lane.windows
                    .into_iter()
                    .flat_map(|window| window.entries)
                    .map(|entry| entry.call),
            );
            calls.extend(lane.ready.into_iter().flatten().map(|row| row.entry.call));
        }
        calls
    }

    /// The rule for who may take what. It keeps the machine's cores busy without ever crowding them for long:
    ///
    /// - Interactive work goes to the wide worker, at once, also beside running bulk work; to narrow ones when the
    ///   wide one is busy.
    /// - Bulk work goes to the narrow workers, but the wide one takes a last micro-batch that would leave the other
    ///   cores idle.
    fn may_serve(&self, role: Role, priority: Priority) -> bool {
        if self.narrow == 0 {
            return true;
        }
        let [interactive, bulk] = &self.lanes;
        let alone = self.running_narrow == 0 && bulk.is_single() && interactive.is_empty();
        match (role, priority) {
            (Role::Wide, Priority::Interactive) => true,
            (Role::Narrow, Priority::Interactive) => self.running_wide,
            (Role::Wide, Priority::Bulk) => alone,
            (Role::Narrow, Priority::Bulk) => !alone || self.running_wide,
        }
    }

    fn lane(&mut self, priority: Priority) -> &mut Lane {
        let [interactive, bulk] = &mut self.lanes;
        match priority {
            Priority::Interactive => interactive,
            Priority::Bulk => bulk,
        }
    }
}

/// A call of which some texts are in no window yet.
struct Waiting {
    call: Arc<Call>,
    next: usize,
}

/// Texts that are grouped by length together, from one call or several.
struct Window {
    id: u64,
    entries: Vec<Entry>,
    sequences: Vec<Option<Sequence>>,
    lent: usize,
    returned: usize,
}

#[derive(Default)]
struct Lane {
    calls: VecDeque<Waiting>,
    windows: VecDeque<Window>,
    ready: VecDeque<Vec<Row>>,
}

impl Lane {
    fn take(&mut self, window: u64, threads: usize) -> Option<Work> {
        if let Some(rows) = self.ready.pop_front() {
            return Some(Work::Run(rows));
        }
        if self
            .windows
            .iter()
            .all(|window| window.lent == window.entries.len())
        {
            self.open_window(window);
        }
        let window = self
            .windows
            .iter_mut()
            .find(|window| window.lent < window.entries.len())?;
        Some(Work::Tokenize(window.lend(threads)))
    }

    /// Fills a window from the front of the lane. A call larger than a window goes to the back of the lane with the
    /// rest of its texts, so that it cannot keep later calls waiting until its end.
    fn open_window(&mut self, id: u64) {
        let mut entries = Vec::new();
        let mut bytes = 0;
        while let Some(mut waiting) = self.calls.pop_front() {
            while let Some(text) = waiting.call.texts.get(waiting.next) {
                if entries.len() >= WINDOW_TEXTS || bytes >= WINDOW_BYTES {
                    break;
                }
                bytes += text.len();
                entries.push(Entry {
                    call: Arc::clone(&waiting.call),
                    index: waiting.next,
                });
                waiting.next += 1;
            }
            if waiting.next < waiting.call.texts.len() {
                self.calls.push_back(waiting);
                break;
            }
        }
        if !entries.is_empty() {
            self.windows.push_back(Window {
                id,
                sequences: Vec::with_capacity(entries.len()),
                entries,
                lent: 0,
                returned: 0,
            });
        }
    }

    fn tokenized(&mut self, chunk: &Chunk, sequences: Vec<Option<Sequence>>, threads: usize) {
        // The window is gone if the lane was drained meanwhile.
        let Some(position) = self.windows.iter().position(|window| window.id == chunk.window) else {
            return;
        };
        let Some(window) = self.windows.get_mut(position) else {
            return;
        };
        window.returned += sequences.len();
        for (offset, sequence) in sequences.into_iter().enumerate() {
            let place = chunk.first + offset;
            if window.sequences.len() <= place {
                window.sequences.resize(place + 1, None);
            }
            if let Some(slot) = window.sequences.get_mut(place) {
                *slot = sequence;
            }
        }
        if window.returned == window.entries.len()
            && let Some(window) = self.windows.remove(position)
        {
            self.ready.extend(window.plan(threads));
        }
    }

    /// Forgets calls that were cancelled, so that they neither run nor count.
    fn drop_settled(&mut self) {
        self.calls.retain(|waiting| !waiting.call.is_settled());
        for rows in &mut self.ready {
            rows.retain(|row| !row.entry.call.is_settled());
        }
        self.ready.retain(|rows| !rows.is_empty());
    }

    fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.windows.is_empty() && self.ready.is_empty()
    }

    /// Whether what waits here is one micro-batch, or one text that will be one.
    fn is_single(&self) -> bool {
        let texts = self
            .calls
            .iter()
            .map(|waiting| waiting.call.texts.len() - waiting.next)
            .sum::<usize>()
            + self
                .windows
                .iter()
                .map(|window| window.entries.len())
                .sum::<usize>();
        texts + self.ready.len() == 1
    }

    fn depth(&self) -> usize {
        let live = |call: &Arc<Call>| usize::from(!call.is_settled());
        self.calls
            .iter()
            .map(|it| (it.call.texts.len() - it.next) * live(&it.call))
            .sum::<usize>()
            + self
                .windows
                .iter()
                .flat_map(|window| &window.entries)
                .map(|entry| live(&entry.call))
                .sum::<usize>()
            + self
                .ready
                .iter()
                .flatten()
                .map(|row| live(&row.entry.call))
                .sum::<usize>()
    }
}

impl Window {
    fn lend(&mut self, threads: usize) -> Chunk {
        let rest = self.entries.get(self.lent..).unwrap_or_default();
        // A small window is shared out among the workers rather than tokenised by one of them.
        let most = CHUNK_TEXTS.min(self.entries.len().div_ceil(threads)).max(1);
        let mut bytes = 0;
        let entries: Vec<_> = rest
            .iter()
            .take(most)
            .take_while(|entry| {
                let before = bytes;
                bytes += entry.call.texts.get(entry.index).map_or(0, String::len);
                before < CHUNK_BYTES
            })
            .cloned()
            .collect();
        let chunk = Chunk {
            window: self.id,
            first: self.lent,
            entries,
        };
        self.lent += chunk.entries.len();
        chunk
    }

    fn plan(self, threads: usize) -> Vec<Vec<Row>> {
        let mut rows: Vec<_> = self
            .entries
            .into_iter()
            .zip(self.sequences)
            .filter_map(|(entry, sequence)| {
                Some(Row {
                    entry,
                    sequence: sequence?,
                })
            })
            .filter(|row| row.entry.call.purpose != Purpose::Count)
            .map(Some)
            .collect();
        let lengths: Vec<_> = rows.iter().flatten().map(|row| row.sequence.ids.len()).collect();
        let tokens: usize = lengths.iter().sum();
        let budget = MICRO_BATCH_TOKENS.min(tokens.div_ceil(threads));
        batch::plan(&lengths, budget)
            .into_iter()
            .map(|batch| {
                batch
                    .members
                    .into_iter()
                    .filter_map(|member| rows.get_mut(member)?.take())
                    .collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use super::*;
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
    }

    enum Doing {
        Asleep,
        Awake,
        Busy(Priority, Work),
    }

    /// The workers as the scheduler drives them, one step at a time and in any order.
    struct Machine {
        queue: Queue,
        workers: Vec<(Role, Doing)>,
        calls: Vec<(Arc<Call>, Arc<AtomicUsize>)>,
        /// Runs of each text, by call.
        runs: Vec<Vec<usize>>,
    }

    impl Machine {
        fn new(narrow: usize) -> Self {
            let roles = std::iter::once(Role::Wide).chain(std::iter::repeat_n(Role::Narrow, narrow));
            Self {
                queue: Queue::new(narrow),
                workers: roles.map(|role| (role, Doing::Awake)).collect(),
                calls: Vec::new(),
                runs: Vec::new(),
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

        fn step(&mut self, step: &Step) {
            match *step {
                Step::Arrive { interactive, texts } => {
                    let lane = Priority::ALL[usize::from(!interactive)];
                    let settled = Arc::new(AtomicUsize::new(0));
                    let counter = Arc::clone(&settled);
                    let settle = Box::new(move |_| {
                        counter.fetch_add(1, Ordering::SeqCst);
                    });
                    let purpose = Purpose::Embed {
                        overflow: crate::config::Overflow::Truncate,
                        normalize: false,
                    };
                    let names = (0..texts).map(|i| "x".repeat(1 + (i * 7 + texts) % 40)).collect();
                    let call = Call::new(names, lane, purpose, 1, None, settle).ok().unwrap();
                    let call = Arc::new(call);
                    self.calls.push((Arc::clone(&call), settled));
                    self.runs.push(vec![0; texts]);
                    self.queue.push(call);
                    self.wake();
                }
                Step::Cancel(which) => {
                    if let Some((call, _)) = self.calls.get(which % self.calls.len().max(1)) {
                        call.reject(Error::new(ErrorKind::Aborted, "cancelled"));
                        self.wake();
                    }
                }
                Step::Look(which) => {
                    let count = self.workers.len();
                    let (role, doing) = &mut self.workers[which % count];
                    if matches!(doing, Doing::Awake) {
                        match self.queue.next(*role) {
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
                    let (role, doing) = &mut self.workers[which % count];
                    let role = *role;
                    if matches!(doing, Doing::Busy(..))
                        && let Doing::Busy(priority, work) = std::mem::replace(doing, Doing::Awake)
                    {
                        self.finish(priority, work);
                        self.queue.release(role);
                        self.wake();
                    }
                }
            }
        }

        fn finish(&mut self, priority: Priority, work: Work) {
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
        ]
    }

    proptest! {
        #[test]
        fn in_whatever_order_threads_run_no_call_is_left_and_no_text_runs_twice(
            narrow in 0_usize..5, steps in prop::collection::vec(step(), 0..150),
        ) {
            let mut machine = Machine::new(narrow);
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
}
