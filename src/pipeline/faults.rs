//! Failure points: places where a test can have something go wrong. In the published code they are nothing.

/// A place where something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A model is loaded.
    Load,
    /// A chunk of texts is tokenised.
    Tokenize,
    /// A micro-batch runs.
    Run,
    /// A worker has the scheduler's lock.
    Locked,
    /// The clock looks for calls that are late.
    Clock,
}

/// Fails here if a test wants it.
///
/// # Errors
/// What the test asked for.
#[cfg(any(not(test), feature = "shuttle"))]
#[inline(always)]
pub fn pass(_: Point) -> crate::error::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
pub use armed::pass;

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
pub mod armed {
    //! What tests arm.

    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::Point;
    use crate::error::{Error, ErrorKind, Result};

    /// What is to happen.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Fault {
        Error,
        Panic,
    }

    static ARMED: Mutex<Option<(Point, Fault)>> = Mutex::new(None);
    static ONE_TEST: Mutex<()> = Mutex::new(());

    fn armed() -> MutexGuard<'static, Option<(Point, Fault)>> {
        ARMED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps other tests with faults waiting, and disarms at its end.
    pub struct Faults(#[allow(dead_code)] MutexGuard<'static, ()>);

    impl Faults {
        pub fn begin() -> Self {
            Self(ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner))
        }

        /// The next one to pass `point` fails, and nobody after it.
        pub fn arm(&self, point: Point, fault: Fault) {
            *armed() = Some((point, fault));
        }

        pub fn is_armed(&self) -> bool {
            armed().is_some()
        }
    }

    impl Drop for Faults {
        fn drop(&mut self) {
            *armed() = None;
        }
    }

    /// Fails here if a test wants it.
    pub fn pass(point: Point) -> Result<()> {
        let fault = {
            let mut armed = armed();
            let here = armed.is_some_and(|(at, _)| at == point);
            if here { armed.take() } else { None }
        };
        match fault {
            None => Ok(()),
            Some((_, Fault::Error)) => Err(Error::new(ErrorKind::Inference, "a fault of a test")),
            #[allow(clippy::panic)]
            Some((_, Fault::Panic)) => panic!("a fault of a test"),
        }
    }
}
