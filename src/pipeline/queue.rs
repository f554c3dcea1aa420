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
