//! What runs cost: on one thread beside others, and on all threads. In tokens that one thread runs meanwhile.
//!
//! Fitted to what 2, 4, 8 and 16 threads took: the table "Many threads" in bench/notes.md. Attention's share, which grows with
//! length, is small.

/// What a run costs whatever its texts: on one thread reading the weights, on all threads waking them for each operator.
const RUN: f64 = 16.0;

/// The weights are read side by side: up to so many threads do not disturb each other, and from so many on it gets no worse.
const READERS: [f64; 2] = [4.0, 12.0];

/// The part of a run on all threads that does not get faster with their number, as in Amdahl's law.
const SERIAL_SHARE: f64 = 0.035;

/// What is known of the speed of runs.
pub struct Estimate {
    threads: f64,
    /// Cost a second of the last run on one thread.
    speed: Option<f64>,
}

impl Estimate {
    pub fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1) as f64,
            speed: None,
        }
    }

    /// The cost of a run on one thread, while the others run as well.
    pub fn narrow(&self, tokens: usize) -> f64 {
        let [free, most] = READERS;
        tokens as f64 + RUN * self.threads.clamp(free, most) / free
    }

    /// The cost of so many runs of so many tokens in all, one after the other on all threads.
    pub fn wide(&self, runs: usize, tokens: usize) -> f64 {
        let share = (1.0 + SERIAL_SHARE * (self.threads - 1.0)) / self.threads;
        runs as f64 * RUN + tokens as f64 * share
    }

    /// Takes note of how long a run on one thread took.
    pub fn learn(&mut self, cost: f64, seconds: f64) {
        if cost > 0.0 && seconds > 0.0 {
            self.speed = Some(cost / seconds);
        }
    }

    /// What is probably left of a cost after so many seconds: infinitely much before anything is known of the speed.
    pub fn left(&self, cost: f64, seconds: f64) -> f64 {
        self.speed
            .map_or(f64::INFINITY, |speed| (cost - seconds * speed).max(0.0))
    }
}
