//! Calls that must be settled by a time. A call that is settled before is not kept for it.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::call::Call;

/// Settled calls among these many are worth no search.
const FEW: usize = 64;

/// In no order: most calls are settled long before their time, which then nobody looks at again.
#[derive(Default)]
pub struct Deadlines {
    calls: Vec<(Instant, Duration, Weak<Call>)>,
    /// When the clock looks again.
    next: Option<Instant>,
    /// How many there may be before the settled ones are searched.
    most: usize,
}

impl Deadlines {
    /// Adds a call, to be settled `timeout` from `now` on. Says whether the clock must be woken to look again.
    pub fn push(&mut self, call: &Arc<Call>, timeout: Duration, now: Instant) -> bool {
        if self.calls.len() >= self.most {
            self.calls.retain(|(.., call)| waited_for(call).is_some());
            self.most = 2 * self.calls.len() + FEW;
        }
        let deadline = now + timeout;
        self.calls.push((deadline, timeout, Arc::downgrade(call)));
        let is_next = self.next.is_none_or(|next| deadline < next);
        if is_next {
            self.next = Some(deadline);
        }
        is_next
    }

    /// Takes out the calls whose time has come, each with its timeout.
    pub fn take_due(&mut self, now: Instant) -> Vec<(Duration, Arc<Call>)> {
        let mut due = Vec::new();
        self.next = None;
        self.calls.retain(|(deadline, timeout, call)| {
            let Some(call) = waited_for(call) else {
                return false;
            };
            if *deadline <= now {
                due.push((*timeout, call));
                return false;
            }
            self.next = Some(self.next.map_or(*deadline, |next| next.min(*deadline)));
            true
        });
        due
    }

    /// When the clock must look again.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Takes out all calls.
    pub fn drain(&mut self) -> impl Iterator<Item = Arc<Call>> {
        self.calls.drain(..).filter_map(|(.., call)| waited_for(&call))
    }
}

fn waited_for(call: &Weak<Call>) -> Option<Arc<Call>> {
    call.upgrade().filter(|call| !call.is_settled())
}
