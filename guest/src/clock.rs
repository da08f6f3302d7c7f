//! Time as a port: the service is told the time, so that tests decide it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds on a clock that never goes back; zero is the start of the process.
pub type Nanos = u64;

/// One second in [`Nanos`].
pub const SECOND: Nanos = 1_000_000_000;
/// One millisecond in [`Nanos`].
pub const MILLISECOND: Nanos = 1_000_000;

/// A reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Monotonic: deadlines and durations.
    pub nanos: Nanos,
    /// Milliseconds since 1970: events, logs, the `Date` header.
    pub unix_ms: i64,
}

/// Where time comes from.
pub trait Clock {
    /// The monotonic clock alone; cheap enough to call several times a request.
    fn nanos(&self) -> Nanos;

    /// Milliseconds since 1970.
    fn unix_ms(&self) -> i64;

    /// Both.
    fn now(&self) -> Now {
        Now { nanos: self.nanos(), unix_ms: self.unix_ms() }
    }
}

/// The clocks of the host.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts counting now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn nanos(&self) -> Nanos {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn unix_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// A clock that tests set.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct ManualClock {
    nanos: std::cell::Cell<Nanos>,
}

#[cfg(test)]
impl ManualClock {
    /// 2026-01-01T00:00:00Z.
    pub(crate) const EPOCH_MS: i64 = 1_767_225_600_000;

    pub(crate) fn advance(&self, by: Nanos) {
        self.nanos.set(self.nanos.get() + by);
    }
}

#[cfg(test)]
impl Clock for ManualClock {
    fn nanos(&self) -> Nanos {
        self.nanos.get()
    }

    fn unix_ms(&self) -> i64 {
        Self::EPOCH_MS + (self.nanos.get() / MILLISECOND) as i64
    }
}

#[cfg(test)]
impl<C: Clock> Clock for std::rc::Rc<C> {
    fn nanos(&self) -> Nanos {
        (**self).nanos()
    }

    fn unix_ms(&self) -> i64 {
        (**self).unix_ms()
    }
}
