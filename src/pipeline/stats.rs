//! What an embedder has done so far, and how fast it was of late.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::config::Priority;

/// Length of one slice of the recent window.
const SLICE: Duration = Duration::from_secs(10);

/// Slices that are kept: the window is the last 50 to 60 seconds.
const SLICES: usize = 6;

/// Figures of one embedder since it was loaded; latency and throughput over the last minute.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Texts embedded.
    pub texts: u64,
    /// Tokens run through the model.
    pub tokens: u64,
    /// Texts that were truncated.
    pub truncated: u64,
    /// Calls that were rejected, other than by their caller or by closing.
    pub failures: u64,
    /// Figures of interactive calls.
    pub interactive: LaneStats,
    /// Figures of bulk calls.
    pub bulk: LaneStats,
}

/// Figures of one lane.
#[derive(Debug, Clone, Default)]
pub struct LaneStats {
    /// Texts that wait.
    pub queue_depth: usize,
    /// Median time from a call to its result, in milliseconds.
    pub latency_p50: f64,
    /// 95th percentile of the same.
    pub latency_p95: f64,
    /// 99th percentile of the same.
    pub latency_p99: f64,
    /// Texts embedded a second, since the first call of that minute began.
    pub texts_per_second: f64,
}

/// Collects what the workers report.
#[derive(Default)]
pub struct Recorder {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    texts: u64,
    tokens: u64,
    truncated: u64,
    failures: u64,
    lanes: [Lane; 2],
}

#[derive(Default)]
struct Lane {
    slices: VecDeque<Slice>,
}

struct Slice {
    since: Instant,
    texts: u64,
    latencies: Histogram<u32>,
}

impl Recorder {
    /// A text of a call that began at `since` was embedded.
    pub fn text(&self, lane: Priority, tokens: usize, truncated: bool, since: Instant) {
        let mut state = self.lock();
        state.texts += 1;
        state.tokens += tokens as u64;
        state.truncated += u64::from(truncated);
        if let Some(slice) = state.lane(lane).current(since) {
            slice.texts += 1;
        }
    }

    /// A call was answered.
    pub fn answered(&self, lane: Priority, latency: Duration) {
        let since = Instant::now().checked_sub(latency).unwrap_or_else(Instant::now);
        if let Some(slice) = self.lock().lane(lane).current(since) {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            slice.latencies.saturating_record(micros.max(1));
        }
    }

    /// A call was rejected through no wish of its caller.
    pub fn failed(&self) {
        self.lock().failures += 1;
    }

    /// The figures so far, with `depths` of the two lanes in the order of [`Priority::ALL`].
    pub fn snapshot(&self, depths: [usize; 2]) -> Stats {
        let mut state = self.lock();
        let [interactive_depth, bulk_depth] = depths;
        Stats {
            texts: state.texts,
            tokens: state.tokens,
            truncated: state.truncated,
            failures: state.failures,
            interactive: state.lane(Priority::Interactive).snapshot(interactive_depth),
            bulk: state.lane(Priority::Bulk).snapshot(bulk_depth),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lane(&mut self, priority: Priority) -> &mut Lane {
        let [interactive, bulk] = &mut self.lanes;
        match priority {
            Priority::Interactive => interactive,
            Priority::Bulk => bulk,
        }
    }
}

impl Lane {
    fn forget_old(&mut self) {
        let oldest = SLICE * SLICES as u32;
        while self
            .slices
            .front()
            .is_some_and(|slice| slice.since.elapsed() > oldest)
        {
            self.slices.pop_front();
        }
    }

    /// The slice of now; `None` only when a histogram cannot be made. One that is new begins with the call that it is for, but
    /// not before the last one ended, nor so long ago that it has ended itself.
    fn current(&mut self, call: Instant) -> Option<&mut Slice> {
        self.forget_old();
        let now = Instant::now();
        let last_end = self.slices.back().map(|slice| slice.since + SLICE);
        if last_end.is_none_or(|end| end <= now) {
            let earliest = now.checked_sub(SLICE).unwrap_or(now);
            let since = call.max(last_end.unwrap_or(earliest)).max(earliest);
            // One microsecond to an hour at two significant digits: about 30 KB.
            let latencies = Histogram::new_with_bounds(1, 3_600_000_000, 2).ok()?;
            self.slices.push_back(Slice {
                since,
                texts: 0,
                latencies,
            });
        }
        self.slices.back_mut()
    }

    fn snapshot(&mut self, queue_depth: usize) -> LaneStats {
        self.forget_old();
        let mut slices = self.slices.iter();
        let Some(first) = slices.next() else {
            return LaneStats {
                queue_depth,
                ..LaneStats::default()
            };
        };
        let mut latencies = first.latencies.clone();
        let mut texts = first.texts;
        for slice in slices {
            texts += slice.texts;
            // All slices have the same bounds, so adding them cannot fail.
            latencies.add(&slice.latencies).unwrap_or_default();
        }
        let milliseconds = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        LaneStats {
            queue_depth,
            latency_p50: milliseconds(0.50),
            latency_p95: milliseconds(0.95),
            latency_p99: milliseconds(0.99),
            texts_per_second: texts as f64 / first.since.elapsed().as_secs_f64().max(1e-3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_kept_by_lane() {
        let recorder = Recorder::default();
        for millis in 1..=100 {
            recorder.answered(Priority::Bulk, Duration::from_millis(millis));
        }
        recorder.text(Priority::Bulk, 7, true, Instant::now());
        recorder.failed();
        let stats = recorder.snapshot([3, 4]);
        assert_eq!(
            (stats.texts, stats.tokens, stats.truncated, stats.failures),
            (1, 7, 1, 1)
        );
        assert_eq!((stats.interactive.queue_depth, stats.bulk.queue_depth), (3, 4));
        assert!((stats.bulk.latency_p50 - 50.0).abs() < 1.0, "{stats:?}");
        assert!((stats.bulk.latency_p99 - 99.0).abs() < 1.0, "{stats:?}");
        assert!(stats.bulk.texts_per_second > 0.0);
        assert_eq!(stats.interactive.latency_p50, 0.0);
    }

    #[test]
    fn the_speed_is_that_of_the_calls_and_not_of_the_time_since_their_first_answer() {
        for (seconds, at_most) in [(2, 2.0), (10, 0.4), (3600, 0.4)] {
            let Some(since) = Instant::now().checked_sub(Duration::from_secs(seconds)) else {
                continue;
            };
            let recorder = Recorder::default();
            for _ in 0..4 {
                recorder.text(Priority::Bulk, 7, false, since);
            }
            let speed = recorder.snapshot([0, 0]).bulk.texts_per_second;
            assert!(speed <= at_most && speed > 0.1, "{seconds} s: {speed}");
        }
    }
}
