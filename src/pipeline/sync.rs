//! Locks, condition variables and threads of the scheduler: the standard library's, or those of shuttle, which tries out in
//! what order threads can run (`npm run test:schedules`).

#[cfg(feature = "shuttle")]
pub use shuttle::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};
#[cfg(not(feature = "shuttle"))]
pub use std::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};
