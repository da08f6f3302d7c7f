//! Sockets: a port of what is needed of them, the event loop over it, and WasmEdge's adapter.

mod event_loop;
#[cfg(test)]
mod fake;
mod slots;
#[cfg(target_os = "wasi")]
mod wasi;

pub use event_loop::{EventLoop, Settings};
#[cfg(target_os = "wasi")]
pub use wasi::WasiNetwork;

use std::io;

use crate::clock::{Nanos, Now};
use crate::http::Handler;

/// Something that may become ready.
#[derive(Debug)]
pub enum Source<'a, N: Network + ?Sized> {
    /// Ready when a connection can be accepted.
    Listener(&'a N::Listener),
    /// Ready when it can be read.
    Readable(&'a N::Stream),
    /// Ready when it can be written.
    Writable(&'a N::Stream),
}

/// Non-blocking stream sockets. Dropping a listener or stream closes it.
pub trait Network {
    /// A listening socket.
    type Listener;
    /// A connected socket.
    type Stream;

    /// The next waiting connection; `WouldBlock` where there is none.
    ///
    /// # Errors
    /// What the host said.
    fn accept(&mut self, listener: &Self::Listener) -> io::Result<Self::Stream>;

    /// Reads into `buffer`; 0 bytes once the peer has shut its side, `WouldBlock` where there is nothing yet.
    ///
    /// # Errors
    /// What the host said.
    fn receive(&mut self, stream: &Self::Stream, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes some of `bytes`; `WouldBlock` where no room is left.
    ///
    /// # Errors
    /// What the host said.
    fn send(&mut self, stream: &Self::Stream, bytes: &[u8]) -> io::Result<usize>;

    /// Shuts the sending side: the peer reads an end of file after what was sent.
    fn shut(&mut self, stream: &Self::Stream);

    /// Waits until one of `sources` is ready or `timeout` has passed, and appends the tokens of the ready ones.
    ///
    /// # Errors
    /// What the host said.
    fn wait<'s>(
        &mut self,
        sources: &mut dyn Iterator<Item = (u64, Source<'s, Self>)>,
        timeout: Nanos,
        ready: &mut Vec<u64>,
    ) -> io::Result<()>
    where
        Self: 's;
}

/// What happens to connections, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// Accepted.
    Opened,
    /// Accepted only to be told that there is no room.
    Rejected,
    /// Closed, whichever it was.
    Closed,
}

/// What the event loop serves.
pub trait App: Handler {
    /// Something happened to a connection.
    fn connection(&mut self, event: ConnectionEvent);

    /// When there is something to do beside requests; never: [`Nanos::MAX`].
    fn background_due(&self) -> Nanos;

    /// Does a slice of it.
    fn background(&mut self, now: Now);
}
