//! Accepting connections: in batches, up to the limit, and not at all for a while where the host has no room.

use std::io::ErrorKind;

use super::{EventLoop, Slot};
use crate::clock::{Clock, MILLISECOND, Nanos, Now, SECOND};
use crate::http::connection::Connection;
use crate::http::{HttpError, Port};
use crate::log::Level;
use crate::net::{App, ConnectionEvent, Network};

/// Connections accepted at one look, so that a storm of them leaves room for requests.
const ACCEPT_BATCH: usize = 64;
/// Connections beyond the limit that are open for being told so.
const REJECT_ROOM: usize = 64;
/// Pause after an accept that failed for lack of descriptors or memory: nothing frees them sooner.
pub(super) const ACCEPT_PAUSE: Nanos = 100 * MILLISECOND;
/// Least time between two log lines about failed accepts.
const COMPLAIN_EVERY: Nanos = 10 * SECOND;
impl<N: Network, A: App, C: Clock> EventLoop<N, A, C> {
    pub(super) fn has_room(&self, now: Now) -> bool {
        now.nanos >= self.accept_at && self.slots.len() < self.settings.max_connections + REJECT_ROOM
    }

    pub(super) fn accept(&mut self, now: Now) -> bool {
        let mut accepted = false;
        for listener in 0..self.listeners.len() {
            for _ in 0..ACCEPT_BATCH {
                if !self.has_room(now) {
                    return accepted;
                }
                let (port, listener) = &self.listeners[listener];
                match self.network.accept(listener) {
                    Ok(stream) => {
                        accepted = true;
                        self.admit(*port, stream, now);
                    }
                    Err(error) => match error.kind() {
                        ErrorKind::WouldBlock => break,
                        // The client gave up while it waited; the next one may still be there.
                        ErrorKind::ConnectionAborted
                        | ErrorKind::ConnectionReset
                        | ErrorKind::Interrupted => {}
                        _ => {
                            self.accept_failed(&error, now);
                            return accepted;
                        }
                    },
                }
            }
        }
        accepted
    }

    fn admit(&mut self, port: Port, stream: N::Stream, now: Now) {
        let limit = self.settings.max_connections;
        // The node must reach its port however many clients there are.
        let full = self.slots.len() >= limit && port == Port::Public;
        let slot = Slot { stream, http: Connection::new(port, now), active: now.nanos, hot: false };
        let at = self.slots.insert(slot);
        self.app.connection(if full { ConnectionEvent::Rejected } else { ConnectionEvent::Opened });
        self.heat(at);
        if full {
            let error = HttpError::TooManyConnections { limit };
            if !self.exchange(at, now, |http, turn, _| http.refuse(&error, turn)) {
                self.close(at);
            }
        }
    }

    fn accept_failed(&mut self, error: &std::io::Error, now: Now) {
        self.accept_at = now.nanos + ACCEPT_PAUSE;
        if now.nanos >= self.complain_at {
            self.complain_at = now.nanos + COMPLAIN_EVERY;
            let fields = serde_json::json!({
                "error": error.to_string(),
                "open_connections": self.slots.len(),
                "help": "raise the limit of open files of the process, or lower ENDCAP_MAX_CONNECTIONS below it",
            });
            self.log.write(Level::Error, now.unix_ms, "accept_failed", fields);
        }
    }
}
