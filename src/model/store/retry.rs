//! What becomes of a request that did not work out: it is made again, as long as that can help.

use std::time::{Duration, SystemTime};

use super::settings::Patience;
use crate::error::{Error, ErrorKind};
use crate::model::events::Cancel;

/// A request that did not work out.
#[derive(Debug)]
pub struct Failure {
    /// Of kind [`ErrorKind::Download`] or [`ErrorKind::Aborted`].
    pub error: Error,
    /// Whether another attempt could work.
    pub again: Again,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It would only fail again.
    Never,
    /// No: the hub does not have what was asked for.
    Absent,
    /// After the usual pause.
    Soon,
    /// After what the server asked for.
    After(Duration),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            again: Again::Never,
        }
    }
}

impl Failure {
    /// One that another attempt cannot mend.
    pub fn lasting(sentence: impl Into<String>) -> Self {
        Error::new(ErrorKind::Download, sentence).into()
    }

    /// One that another attempt may mend.
    pub fn passing(sentence: impl Into<String>) -> Self {
        Self {
            error: Error::new(ErrorKind::Download, sentence),
            again: Again::Soon,
        }
    }

    /// With what it came from.
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.error = self.error.with_source(cause);
        self
    }
}

/// Repeats `attempt` until it works, fails for good, or brings nothing new too often. It says with its failure
/// whether it brought something.
///
/// # Errors
/// The last failure, or one of kind [`ErrorKind::Aborted`].
pub fn persist<T>(
    patience: Patience,
    cancel: &Cancel,
    mut attempt: impl FnMut() -> std::result::Result<T, (Failure, bool)>,
) -> std::result::Result<T, Failure> {
    let mut fruitless = 0_u32;
    loop {
        let (failure, fruitful) = match attempt() {
            Ok(value) => return Ok(value),
            Err(failed) => failed,
        };
        cancel.check()?;
        fruitless = if fruitful { 0 } else { fruitless + 1 };
        let usual = patience.first_pause * 2_u32.pow(fruitless.saturating_sub(1).min(6));
        let pause = match failure.again {
            Again::Soon => jittered(usual),
            Again::After(time) if time <= patience.longest_pause => time.max(usual),
            Again::After(_) | Again::Never | Again::Absent => return Err(failure),
        };
        if fruitless >= patience.attempts {
            return Err(failure);
        }
        cancel.sleep(pause)?;
    }
}

/// Up to a quarter more, so that processes that failed together do not return together.
fn jittered(pause: Duration) -> Duration {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    pause + pause.mul_f64(f64::from(now.subsec_nanos() % 1000) / 4000.0)
}
