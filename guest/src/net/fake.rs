//! A network in memory, which tests script.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::rc::Rc;

use super::{Network, Source};
use crate::clock::Nanos;

/// Both ends of a connection.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// What the client sent and the service did not read.
    pub(super) input: VecDeque<u8>,
    /// What the service sent.
    pub(super) output: Vec<u8>,
    /// Bytes that the socket still takes.
    pub(super) room: usize,
    /// The client has shut its side.
    pub(super) ended: bool,
    /// The service has shut its side.
    pub(super) shut: bool,
    /// The service has closed.
    pub(super) closed: bool,
}

/// The client's view.
#[derive(Debug, Default)]
pub(super) struct World {
    pipes: BTreeMap<usize, Pipe>,
    /// Connections, and errors, to accept.
    waiting: VecDeque<Result<usize, ErrorKind>>,
    /// Time-outs of the waits that found nothing ready.
    pub(super) waits: Vec<Nanos>,
    /// Accepts that were tried.
    pub(super) accepts: usize,
}

impl World {
    /// A client connects; its number.
    pub(super) fn connect(&mut self) -> usize {
        let number = self.pipes.len();
        self.pipes.insert(number, Pipe { room: usize::MAX, ..Pipe::default() });
        self.waiting.push_back(Ok(number));
        number
    }

    /// The next accept fails.
    pub(super) fn fail_accept(&mut self, error: ErrorKind) {
        self.waiting.push_back(Err(error));
    }

    pub(super) fn pipe(&mut self, number: usize) -> &mut Pipe {
        self.pipes.get_mut(&number).unwrap()
    }
}

/// The service's view.
pub(super) struct FakeNetwork {
    pub(super) world: Rc<RefCell<World>>,
}

/// A stream: closing is noticed.
pub(super) struct FakeStream {
    world: Rc<RefCell<World>>,
    number: usize,
}

impl Drop for FakeStream {
    fn drop(&mut self) {
        self.world.borrow_mut().pipe(self.number).closed = true;
    }
}

impl Network for FakeNetwork {
    type Listener = ();
    type Stream = FakeStream;

    fn accept(&mut self, (): &()) -> io::Result<FakeStream> {
        let mut world = self.world.borrow_mut();
        world.accepts += 1;
        match world.waiting.pop_front() {
            Some(Ok(number)) => Ok(FakeStream { world: Rc::clone(&self.world), number }),
            Some(Err(error)) => Err(error.into()),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn receive(&mut self, stream: &FakeStream, buffer: &mut [u8]) -> io::Result<usize> {
        let mut world = self.world.borrow_mut();
        let pipe = world.pipe(stream.number);
        if pipe.input.is_empty() {
            return if pipe.ended { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let bytes = pipe.input.len().min(buffer.len());
        for (slot, byte) in buffer.iter_mut().zip(pipe.input.drain(..bytes)) {
            *slot = byte;
        }
        Ok(bytes)
    }

    fn send(&mut self, stream: &FakeStream, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.world.borrow_mut();
        let pipe = world.pipe(stream.number);
        let taken = bytes.len().min(pipe.room);
        if taken == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        pipe.output.extend_from_slice(&bytes[..taken]);
        pipe.room -= taken;
        Ok(taken)
    }

    fn shut(&mut self, stream: &FakeStream) {
        self.world.borrow_mut().pipe(stream.number).shut = true;
    }

    fn wait<'s>(
        &mut self,
        sources: &mut dyn Iterator<Item = (u64, Source<'s, Self>)>,
        timeout: Nanos,
        ready: &mut Vec<u64>,
    ) -> io::Result<()>
    where
        Self: 's,
    {
        let mut world = self.world.borrow_mut();
        for (token, source) in sources {
            let is_ready = match source {
                Source::Listener(()) => !world.waiting.is_empty(),
                Source::Readable(stream) => {
                    let pipe = world.pipe(stream.number);
                    !pipe.input.is_empty() || pipe.ended
                }
                Source::Writable(stream) => world.pipe(stream.number).room > 0,
            };
            if is_ready {
                ready.push(token);
            }
        }
        // Time passes when a test says so.
        if ready.is_empty() && timeout > 0 {
            world.waits.push(timeout);
        }
        Ok(())
    }
}
