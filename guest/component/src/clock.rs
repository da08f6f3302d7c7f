//! The host's clocks.

use endcap_service::clock::{Clock, Nanos};

use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};

/// Time by `wasi:clocks`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostClock {
    started: Nanos,
}

impl HostClock {
    /// Starts counting now.
    pub(crate) fn start() -> Self {
        Self { started: monotonic_clock::now() }
    }
}

impl Clock for HostClock {
    fn nanos(&self) -> Nanos {
        monotonic_clock::now().saturating_sub(self.started)
    }

    fn unix_ms(&self) -> i64 {
        let now = wall_clock::now();
        i64::try_from(now.seconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000)
            .saturating_add(i64::from(now.nanoseconds / 1_000_000))
    }
}
