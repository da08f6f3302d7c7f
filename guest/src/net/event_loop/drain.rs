//! The end: answer who is there, then stop.

use super::{EventLoop, Served};
use crate::clock::{Clock, Now};
use crate::log::Level;
use crate::net::{App, Network};

impl<N: Network, A: App, C: Clock> EventLoop<N, A, C> {
    /// Moves a drain on; `false` once it has ended.
    ///
    /// For the length of `drain_delay` everything is served as before, but for the readiness, which the app denies, and
    /// for answers, which end their connections: whoever routes requests has that long to stop sending them here.
    pub(super) fn drain(&mut self, now: Now) -> bool {
        let stop_at =
            *self.drain_at.get_or_insert_with(|| now.nanos.saturating_add(self.settings.drain_delay));
        if now.nanos < stop_at {
            return true;
        }
        let until = match self.drain_until {
            Some(until) => until,
            None => {
                // Who is in the listeners' queues has connected, and is served.
                while self.accept(now) {}
                self.listeners.clear();
                let open: Vec<u32> = self.slots.iter().map(|(at, _)| at).collect();
                for at in open {
                    self.heat(at);
                }
                self.sweep(now);
                *self.drain_until.insert(now.nanos.saturating_add(self.settings.drain))
            }
        };
        let open: Vec<u32> = self.slots.iter().map(|(at, _)| at).collect();
        for at in open {
            if let Some(slot) = self.slots.get_mut(at) {
                slot.http.close_when_idle();
                self.settle(at, now, Served::Idle);
            }
        }
        if self.slots.len() > 0 && now.nanos < until {
            return true;
        }
        let fields = serde_json::json!({ "cut_off_connections": self.slots.len() });
        self.log.write(Level::Info, now.unix_ms, "drained", fields);
        false
    }
}
