//! What waits in one lane: calls, cut into windows, tokenised in chunks, planned into micro-batches.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::{self, MicroBatch};
use super::call::{Call, Purpose};
use super::tokenizer::Sequence;
use crate::config::{
    CHUNK_BYTES, CHUNK_TEXTS, JOINED_TOKENS, MICRO_BATCH_TOKENS, WINDOW_BYTES, WINDOW_TEXTS,
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

impl Work {
    /// Tokens of a run; none of what is still to be tokenised.
    pub fn tokens(&self) -> usize {
        match self {
            Self::Tokenize(_) => 0,
            Self::Run(rows) => tokens(rows),
        }
    }
}

fn tokens(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.sequence.ids.len()).sum()
}

/// Texts to tokenise, on loan from a window.
pub struct Chunk {
    window: u64,
    first: usize,
    pub entries: Vec<Entry>,
}

/// A call of which some texts are in no window yet.
struct Waiting {
    call: Arc<Call>,
    next: usize,
}

/// Texts that are grouped by similar lengths together, from one call or several.
struct Window {
    id: u64,
    entries: Vec<Entry>,
    sequences: Vec<Option<Sequence>>,
    lent: usize,
    returned: usize,
}

/// The calls of one priority.
#[derive(Default)]
pub struct Lane {
    calls: VecDeque<Waiting>,
    windows: VecDeque<Window>,
    ready: VecDeque<Vec<Row>>,
}

/// Micro-batches that nothing is behind.
pub struct Rest {
    /// How many they are, before any are joined.
    pub runs: usize,
    /// In all of them.
    pub tokens: usize,
    /// In the largest.
    pub largest: usize,
}

impl Lane {
    /// Puts a call behind all others.
    pub fn push(&mut self, call: Arc<Call>) {
        self.calls.push_back(Waiting { call, next: 0 });
    }

    /// The next piece of work for one of so many `threads`. `window` names the window that is opened for it, if one must be.
    /// Micro-batches are `joined` as far as one run may go; only those of models that pack can be.
    pub fn take(&mut self, window: u64, threads: usize, joined: bool) -> Option<Work> {
        if let Some(mut rows) = self.ready.pop_front() {
            let lengths = |rows: &[Row]| rows.iter().map(|row| row.sequence.ids.len()).collect::<Vec<_>>();
            while joined
                && let Some(next) = self.ready.front()
                && batch::fit_together(&lengths(&rows), &lengths(next), JOINED_TOKENS)
            {
                rows.extend(self.ready.pop_front().unwrap_or_default());
            }
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

    /// Fills a window from the front of the lane, in the order of the calls. Only one that fills a window by itself goes to
    /// the back of the lane with the rest of its texts, so that it cannot keep later calls waiting until its end.
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
                let fills_it = entries
                    .first()
                    .is_some_and(|first| Arc::ptr_eq(&first.call, &waiting.call));
                if fills_it {
                    self.calls.push_back(waiting);
                } else {
                    self.calls.push_front(waiting);
                }
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

    /// Takes back a chunk; the last one of a window makes micro-batches of it, for so many threads, of one length each or
    /// packed.
    pub fn tokenized(&mut self, chunk: &Chunk, sequences: Vec<Option<Sequence>>, threads: usize, pack: bool) {
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
            self.ready.extend(plan(window.rows(), threads, pack));
        }
    }

    /// Takes back rows that did not run, as micro-batches before all others.
    pub fn put_back(&mut self, rows: Vec<Row>, threads: usize, pack: bool) {
        for batch in plan(rows, threads, pack).into_iter().rev() {
            self.ready.push_front(batch);
        }
    }

    /// Forgets calls that were cancelled, so that they neither run nor count.
    pub fn drop_settled(&mut self) {
        self.calls.retain(|waiting| !waiting.call.is_settled());
        for rows in &mut self.ready {
            rows.retain(|row| !row.entry.call.is_settled());
        }
        self.ready.retain(|rows| !rows.is_empty());
    }

    /// Whether nothing waits here or is on loan.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.windows.is_empty() && self.ready.is_empty()
    }

    /// Whether all that waits here is one text that is not tokenised yet.
    pub fn is_one_text(&self) -> bool {
        let waiting = self.calls.iter().map(|it| it.call.texts.len() - it.next);
        let windows = self.windows.iter().map(|window| window.entries.len());
        // Each has one at least.
        self.ready.is_empty() && waiting.chain(windows).take(2).sum::<usize>() == 1
    }

    /// What waits here if all of it is ready to run.
    pub fn rest(&self) -> Option<Rest> {
        if !self.calls.is_empty() || !self.windows.is_empty() {
            return None;
        }
        let sizes = self.ready.iter().map(|rows| tokens(rows));
        Some(Rest {
            runs: self.ready.len(),
            tokens: sizes.clone().sum(),
            largest: sizes.max()?,
        })
    }

    /// Every call that waits here, more than once where several of its texts do.
    pub fn into_calls(self) -> impl Iterator<Item = Arc<Call>> {
        let waiting = self.calls.into_iter().map(|waiting| waiting.call);
        let windows = self.windows.into_iter().flat_map(|window| window.entries);
        let ready = self.ready.into_iter().flatten().map(|row| row.entry);
        waiting.chain(windows.chain(ready).map(|entry| entry.call))
    }

    /// Texts of calls that wait for an answer.
    pub fn depth(&self) -> usize {
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

    /// What is to run of it.
    fn rows(self) -> Vec<Row> {
        self.entries
            .into_iter()
            .zip(self.sequences)
            .filter_map(|(entry, sequence)| {
                Some(Row {
                    entry,
                    sequence: sequence?,
                })
            })
            .filter(|row| row.entry.call.purpose != Purpose::Count)
            .collect()
    }
}

/// Micro-batches in the order of the calls. Within a call the largest come first, so that all threads end their last
/// ones at about the same time.
fn plan(rows: Vec<Row>, threads: usize, pack: bool) -> Vec<Vec<Row>> {
    let mut rows: Vec<_> = rows.into_iter().map(Some).collect();
    let lengths: Vec<_> = rows.iter().flatten().map(|row| row.sequence.ids.len()).collect();
    let mut batches = if pack {
        batch::pack(&lengths, MICRO_BATCH_TOKENS, threads)
    } else {
        let tokens: usize = lengths.iter().sum();
        batch::plan(&lengths, MICRO_BATCH_TOKENS.min(tokens.div_ceil(threads)))
    };
    let call = |batch: &MicroBatch| {
        let first = rows.get(*batch.members.first()?)?.as_ref();
        first.map(|row| Arc::as_ptr(&row.entry.call))
    };
    for of_one_call in batches.chunk_by_mut(|a, b| call(a) == call(b)) {
        of_one_call.sort_by_key(|batch| Reverse(batch.tokens));
    }
    batches
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
