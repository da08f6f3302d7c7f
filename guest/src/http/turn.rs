//! What passes between a connection and the owner of its socket.

use super::Limits;
use super::response::Date;
use crate::clock::Now;

/// What a connection needs of its surroundings during a turn.
#[derive(Debug)]
pub struct Turn<'a, H> {
    /// Answers requests.
    pub handler: &'a mut H,
    /// The limits in force.
    pub limits: &'a Limits,
    /// The time of this turn.
    pub now: Now,
    /// The current `Date`.
    pub date: &'a Date,
    /// Bytes that may still be kept for unfinished requests, over all connections.
    pub allowance: usize,
    /// Bytes to send are appended here.
    pub out: &'a mut Vec<u8>,
    /// Empty buffer for bodies.
    pub body: &'a mut Vec<u8>,
}

/// What the owner of the socket has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Receive.
    Read,
    /// Send [`super::Connection::unsent`].
    Write,
    /// Call [`super::Connection::receive`] with no bytes: requests were left aside for lack of output space.
    Resume,
    /// Shut the sending side, then call [`super::Connection::shut`].
    Shut,
    /// Close.
    Close,
}
