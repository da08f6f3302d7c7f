//! The event loop: one thread, every socket non-blocking.
//!
//! WasmEdge's `poll_oneoff` registers every subscription with the kernel and removes it again, two system calls
//! each. So connections that were active within [`HOT_FOR`] are simply read from, sweep after sweep, and the
//! poll, over all of them, comes only when sweeps found nothing for about the price of one, or when the others
//! have waited their share. Nothing to do means one poll without end: an idle service costs no processor time.

mod accept;
mod drain;

use std::io::ErrorKind;

use super::slots::Slots;
use super::{App, ConnectionEvent, Network, Source};
use crate::clock::{Clock, MILLISECOND, Nanos, Now, SECOND};
use crate::http::connection::Connection;
use crate::http::response::Date;
use crate::http::turn::{Turn, Want};
use crate::http::{Limits, Port};
use crate::log::{Level, Log};

/// Bytes received at once. A recommendation request has a few hundred; a body of 1 MiB takes 16 turns.
const RECEIVE_BUFFER: usize = 64 * 1024;
/// How long a connection is swept after it was last active: at 100 requests/s a connection stays hot.
const HOT_FOR: Nanos = 10 * MILLISECOND;
/// How long sweeps may find nothing before the poll, at least: a few times the price of a poll over 16
/// connections and of the wake-up after it, so that at 10,000 requests/s there is hardly a poll.
const SPIN: Nanos = 100_000;
/// And by connection, where there are many: the price of its two registrations.
const SPIN_PER_CONNECTION: Nanos = 1_000;
/// Sweeps between two looks at the listeners; a sweep with work takes tens of microseconds.
const ACCEPT_EVERY: u32 = 8;
/// Under load, connections that are not hot are polled when this much time has passed, and ten times as long
/// as the last poll took: at most a tenth of the processor goes into it.
const COLD_POLL: Nanos = MILLISECOND;
/// Deadlines are looked at this often under load.
const EXPIRE_EVERY: Nanos = 10 * MILLISECOND;
/// Longest poll. Deadlines are kept on the monotonic clock and polled for on the real-time one, which may step.
const LONGEST_WAIT: Nanos = 30 * SECOND;
/// Bytes of unfinished requests that are kept over all connections, unless one body may be longer.
const HELD_BYTES: usize = 64 << 20;

/// What an operator sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Limits of a connection.
    pub limits: Limits,
    /// Connections served at once.
    pub max_connections: usize,
    /// Longest drain.
    pub drain: Nanos,
    /// How long connections are still accepted once a drain has begun.
    pub drain_delay: Nanos,
}

struct Slot<S> {
    stream: S,
    http: Connection,
    active: Nanos,
    hot: bool,
}

/// What serving a connection came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Served {
    Progress,
    Idle,
    /// The socket takes no more: only the poll knows when it does.
    Blocked,
    Gone,
}

/// Serves connections until a drain has ended.
pub struct EventLoop<N: Network, A, C> {
    network: N,
    app: A,
    clock: C,
    log: Log,
    settings: Settings,
    listeners: Vec<(Port, N::Listener)>,
    slots: Slots<Slot<N::Stream>>,
    /// Numbers of the slots that are swept.
    hot: Vec<u32>,
    date: Date,
    input: Vec<u8>,
    output: Vec<u8>,
    body: Vec<u8>,
    ready: Vec<u64>,
    /// Bytes of unfinished requests over all connections.
    held: usize,
    sweeps: u32,
    progress_at: Nanos,
    expire_at: Nanos,
    cold_poll_at: Nanos,
    accept_at: Nanos,
    complain_at: Nanos,
    /// When a drain that has begun stops accepting.
    drain_at: Option<Nanos>,
    drain_until: Option<Nanos>,
    /// Work beside requests rests until then.
    rest_until: Nanos,
}

impl<N: Network, A: App, C: Clock> EventLoop<N, A, C> {
    /// A loop over `listeners`.
    pub fn new(
        network: N,
        listeners: Vec<(Port, N::Listener)>,
        app: A,
        clock: C,
        log: Log,
        settings: Settings,
    ) -> Self {
        Self {
            network,
            app,
            clock,
            log,
            settings,
            listeners,
            slots: Slots::new(),
            hot: Vec::new(),
            date: Date::default(),
            input: vec![0; RECEIVE_BUFFER],
            output: Vec::new(),
            body: Vec::new(),
            ready: Vec::new(),
            held: 0,
            sweeps: 0,
            progress_at: 0,
            expire_at: 0,
            cold_poll_at: 0,
            accept_at: 0,
            complain_at: 0,
            drain_at: None,
            drain_until: None,
            rest_until: 0,
        }
    }

    /// Serves until a drain has ended.
    pub fn run(mut self) {
        while self.turn() {}
    }

    /// One round; `false` once there is nothing more to do.
    pub(super) fn turn(&mut self) -> bool {
        let now = self.clock.now();
        self.date.update(now);
        let mut progress = self.sweep(now);
        self.sweeps = self.sweeps.wrapping_add(1);
        if self.sweeps.is_multiple_of(ACCEPT_EVERY) || !progress {
            progress |= self.accept(now);
        }
        if now.nanos >= self.expire_at {
            self.expire(now);
        }
        if self.app.closing() {
            if !self.drain(now) {
                return false;
            }
        } else if now.nanos >= self.background_at() {
            self.work_beside(progress);
        }
        if progress {
            self.progress_at = now.nanos;
            if now.nanos >= self.cold_poll_at && self.hot.len() < self.slots.len() {
                self.poll(now, 0);
            }
        } else if now.nanos >= self.progress_at.saturating_add(self.patience()) {
            let timeout = self.next_deadline(now).saturating_sub(now.nanos).min(LONGEST_WAIT);
            self.poll(now, timeout);
        }
        true
    }

    /// Does a slice of the app's own work; while requests come, it gets a tenth of the time.
    fn work_beside(&mut self, busy: bool) {
        let before = self.clock.now();
        self.app.background(before);
        let after = self.clock.nanos();
        let rest = if busy { 9 * after.saturating_sub(before.nanos) } else { 0 };
        self.rest_until = after.saturating_add(rest);
    }

    fn background_at(&self) -> Nanos {
        self.app.background_due().max(self.rest_until)
    }

    /// How long sweeps may find nothing. With nobody to sweep there is no point in any.
    fn patience(&self) -> Nanos {
        if self.hot.is_empty() { 0 } else { SPIN.max(self.slots.len() as u64 * SPIN_PER_CONNECTION) }
    }

    /// Serves every hot connection once.
    fn sweep(&mut self, now: Now) -> bool {
        let mut progress = false;
        let mut at = 0;
        while at < self.hot.len() {
            let slot = self.hot[at];
            let cools = match self.serve(slot, now) {
                Served::Progress => {
                    progress = true;
                    false
                }
                Served::Idle => {
                    self.slots.get_mut(slot).is_none_or(|slot| now.nanos >= slot.active + HOT_FOR)
                }
                Served::Blocked | Served::Gone => true,
            };
            if cools {
                if let Some(slot) = self.slots.get_mut(slot) {
                    slot.hot = false;
                }
                self.hot.swap_remove(at);
            } else {
                at += 1;
            }
        }
        progress
    }

    fn heat(&mut self, at: u32) {
        if let Some(slot) = self.slots.get_mut(at)
            && !std::mem::replace(&mut slot.hot, true)
        {
            self.hot.push(at);
        }
    }

    /// One step of one connection: what it wants, and then what follows without waiting.
    fn serve(&mut self, at: u32, now: Now) -> Served {
        let Some(slot) = self.slots.get_mut(at) else { return Served::Gone };
        let mut outcome = Served::Progress;
        match slot.http.want() {
            Want::Write => match self.network.send(&slot.stream, slot.http.unsent()) {
                Ok(bytes) => {
                    slot.http.sent(bytes, now);
                    slot.active = now.nanos;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Served::Blocked,
                Err(_) => return self.close(at),
            },
            Want::Resume => {
                slot.active = now.nanos;
                if !self.exchange(at, now, |http, turn, _| http.receive(&[], turn)) {
                    return self.close(at);
                }
            }
            Want::Read => match self.network.receive(&slot.stream, &mut self.input) {
                Ok(0) => slot.http.peer_closed(),
                Ok(bytes) => {
                    slot.active = now.nanos;
                    if !self.exchange(at, now, |http, turn, input| http.receive(&input[..bytes], turn)) {
                        return self.close(at);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => outcome = Served::Idle,
                Err(_) => return self.close(at),
            },
            Want::Shut | Want::Close => {}
        }
        self.settle(at, now, outcome)
    }

    /// Shuts or closes a connection that has come to it.
    fn settle(&mut self, at: u32, now: Now, outcome: Served) -> Served {
        let Some(slot) = self.slots.get_mut(at) else { return Served::Gone };
        match slot.http.want() {
            Want::Shut => {
                self.network.shut(&slot.stream);
                slot.http.shut(now);
                Served::Progress
            }
            Want::Close => self.close(at),
            _ => outcome,
        }
    }

    /// Lets a connection act with the buffers at hand, sends what it wrote, and leaves the rest to it. `false`
    /// where the socket is broken.
    fn exchange(
        &mut self,
        at: u32,
        now: Now,
        act: impl FnOnce(&mut Connection, &mut Turn<'_, A>, &[u8]),
    ) -> bool {
        let Some(slot) = self.slots.get_mut(at) else { return false };
        self.output.clear();
        let before = slot.http.held();
        let held_limit = HELD_BYTES.max(2 * self.settings.limits.max_body_bytes);
        let mut turn = Turn {
            handler: &mut self.app,
            limits: &self.settings.limits,
            now,
            date: &self.date,
            allowance: held_limit.saturating_sub(self.held),
            out: &mut self.output,
            body: &mut self.body,
        };
        act(&mut slot.http, &mut turn, &self.input);
        self.held = (self.held + slot.http.held()).saturating_sub(before);
        if self.output.is_empty() {
            return true;
        }
        match self.network.send(&slot.stream, &self.output) {
            Ok(sent) if sent == self.output.len() => true,
            Ok(sent) => {
                slot.http.stash(&self.output[sent..]);
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                slot.http.stash(&self.output);
                true
            }
            Err(_) => false,
        }
    }

    fn close(&mut self, at: u32) -> Served {
        if let Some(slot) = self.slots.remove(at) {
            self.held = self.held.saturating_sub(slot.http.held());
            self.app.connection(ConnectionEvent::Closed);
        }
        Served::Gone
    }

    /// Acts on connections whose deadline has passed.
    fn expire(&mut self, now: Now) {
        self.expire_at = now.nanos + EXPIRE_EVERY;
        let limits = self.settings.limits;
        let late: Vec<u32> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.http.deadline(&limits) <= now.nanos)
            .map(|(at, _)| at)
            .collect();
        for at in late {
            if !self.exchange(at, now, |http, turn, _| http.expire(turn)) {
                self.close(at);
            }
            self.settle(at, now, Served::Progress);
        }
    }

    fn next_deadline(&self, now: Now) -> Nanos {
        let limits = &self.settings.limits;
        let nearest =
            self.slots.iter().map(|(_, slot)| slot.http.deadline(limits)).min().unwrap_or(Nanos::MAX);
        let accept = if now.nanos < self.accept_at { self.accept_at } else { Nanos::MAX };
        nearest
            .min(accept)
            .min(self.background_at())
            .min(self.drain_until.or(self.drain_at).unwrap_or(Nanos::MAX))
    }

    /// Polls every connection and listener, and makes the ready ones hot.
    fn poll(&mut self, now: Now, timeout: Nanos) {
        /// Token of the first listener; slots count from 0 and are far fewer.
        const LISTENERS: u64 = 1 << 32;
        self.ready.clear();
        let room = self.has_room(now);
        let listeners = self.listeners.iter().zip(LISTENERS..).filter(|_| room);
        let slots = self.slots.iter().map(|(at, slot)| {
            let source = match slot.http.want() {
                Want::Write => Source::Writable(&slot.stream),
                _ => Source::Readable(&slot.stream),
            };
            (u64::from(at), source)
        });
        let mut sources =
            listeners.map(|((_, listener), token)| (token, Source::Listener(listener))).chain(slots);
        let outcome = self.network.wait(&mut sources, timeout, &mut self.ready);
        drop(sources);
        let after = self.clock.nanos();
        if timeout == 0 {
            self.cold_poll_at = after + COLD_POLL.max(10 * (after - now.nanos.min(after)));
        }
        if let Err(error) = outcome {
            let fields = serde_json::json!({ "error": error.to_string() });
            self.log.write(Level::Error, now.unix_ms, "poll_failed", fields);
        }
        for at in 0..self.ready.len() {
            if let Ok(slot) = u32::try_from(self.ready[at]) {
                self.heat(slot);
            }
        }
        // Whatever woke the loop is looked for by the next sweep, and by the ones within SPIN after it.
        self.progress_at = after;
    }
}

#[cfg(test)]
mod tests;
