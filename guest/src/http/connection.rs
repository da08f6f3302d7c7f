//! One connection as a state machine: keep-alive, pipelining, deadlines, bounded memory.
//!
//! A connection owns bytes only between turns: input is parsed where it was received and only an unfinished
//! request is kept, output is sent from the caller's buffer and only what the socket did not take is kept. An
//! idle connection thus holds no buffer at all.

use super::chunked::Decoder;
use super::error::HttpError;
use super::head::{Framing, Head, Method};
use super::response::{self, Ending};
use super::turn::{Turn, Want};
use super::{Handler, LINGER, Limits, MAX_HEAD_BYTES, OUTPUT_HIGH_WATER, Port};
use crate::clock::{MILLISECOND, Nanos, Now};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Requests are taken.
    Open,
    /// Closed once everything is sent; `linger`: with input still to be read past.
    Ending { linger: bool },
    /// Everything is sent and the sending side shut: input is dropped until the peer closes.
    Lingering { until: Nanos },
    /// To be closed now.
    Closed,
}

/// What an unfinished request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    /// Nothing is known of it.
    Start,
    /// The end of its head: looked for again behind `scanned` bytes, or once there are `retry_at`.
    Head { scanned: usize, retry_at: usize },
    /// Its body: whole at `total` bytes.
    Body { total: usize },
}

/// A connection without its socket.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    port: Port,
    /// Received, and not yet a whole request: at most a head, a body and one receive buffer.
    pending: Vec<u8>,
    awaiting: Awaiting,
    chunked: Option<Box<ChunkedBody>>,
    told_to_continue: bool,
    /// Whole requests may lie in `pending`.
    backlog: bool,
    unsent: Vec<u8>,
    sent: usize,
    /// When the current request began, or the connection if there was none yet.
    since: Nanos,
    answered: bool,
}

/// A chunked request whose body is being put together.
#[derive(Debug)]
struct ChunkedBody {
    head: Vec<u8>,
    decoder: Decoder,
    body: Vec<u8>,
}

/// Outcome of one look at the input.
enum Step {
    /// So many bytes are done with.
    Used(usize),
    /// More input is needed; so many bytes are done with nevertheless.
    Incomplete(usize),
}

impl Connection {
    /// A connection accepted at `now` by the listener `port`.
    pub fn new(port: Port, now: Now) -> Self {
        Self {
            phase: Phase::Open,
            port,
            pending: Vec::new(),
            awaiting: Awaiting::Start,
            chunked: None,
            told_to_continue: false,
            backlog: false,
            unsent: Vec::new(),
            sent: 0,
            since: now.nanos,
            answered: false,
        }
    }

    /// What to do with the socket.
    #[inline]
    pub fn want(&self) -> Want {
        if self.sent < self.unsent.len() {
            return Want::Write;
        }
        match self.phase {
            Phase::Open if self.backlog => Want::Resume,
            Phase::Open | Phase::Lingering { .. } => Want::Read,
            Phase::Ending { linger: true } => Want::Shut,
            Phase::Ending { linger: false } | Phase::Closed => Want::Close,
        }
    }

    /// Takes bytes of the peer and appends the answers to every complete request to `turn.out`.
    pub fn receive<H: Handler>(&mut self, bytes: &[u8], turn: &mut Turn<'_, H>) {
        if self.phase != Phase::Open {
            return;
        }
        let fresh = self.answered && self.pending.is_empty() && self.chunked.is_none();
        if self.pending.is_empty() {
            let used = self.consume(bytes, turn);
            self.keep(&bytes[used..], turn);
        } else if self.keep(bytes, turn) {
            if matches!(self.awaiting, Awaiting::Body { total } if self.pending.len() < total) {
                return;
            }
            let pending = std::mem::take(&mut self.pending);
            let used = self.consume(&pending, turn);
            if self.phase == Phase::Open && used < pending.len() {
                self.pending = pending;
                self.pending.drain(..used);
            }
        }
        if fresh && (!self.pending.is_empty() || self.chunked.is_some()) {
            self.since = turn.now.nanos;
        }
    }

    /// The peer has shut its sending side: nothing more comes, answers still go out.
    pub fn peer_closed(&mut self) {
        self.phase = match self.phase {
            Phase::Open | Phase::Ending { .. } => Phase::Ending { linger: false },
            Phase::Lingering { .. } | Phase::Closed => Phase::Closed,
        };
        self.forget_input();
    }

    /// Bytes that a socket did not take yet.
    pub fn unsent(&self) -> &[u8] {
        &self.unsent[self.sent..]
    }

    /// Keeps `bytes` for later: the socket takes no more.
    pub fn stash(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// The socket took `bytes` of [`Self::unsent`].
    pub fn sent(&mut self, bytes: usize, now: Now) {
        self.sent += bytes;
        self.since = now.nanos;
        if self.sent >= self.unsent.len() {
            self.unsent = Vec::new();
            self.sent = 0;
        }
    }

    /// The sending side is shut.
    pub fn shut(&mut self, now: Now) {
        self.phase = Phase::Lingering { until: now.nanos + LINGER };
    }

    /// Closes after the next answer, or at once where none is due: the service is draining.
    pub fn close_when_idle(&mut self) {
        if self.phase == Phase::Open && self.is_idle() {
            self.phase = Phase::Ending { linger: false };
        }
    }

    /// Closes as soon as everything is sent, answering a refusal first.
    pub fn refuse<H: Handler>(&mut self, error: &HttpError, turn: &mut Turn<'_, H>) {
        turn.body.clear();
        let reply = turn.handler.refuse(error, turn.body);
        let ending = Ending { head_only: false, close: true, http_10: false };
        response::write(reply, turn.body, ending, turn.date, turn.out);
        self.phase = Phase::Ending { linger: true };
        self.forget_input();
    }

    /// When something must happen even if the peer stays silent.
    pub fn deadline(&self, limits: &Limits) -> Nanos {
        match self.phase {
            Phase::Lingering { until } => until,
            Phase::Open if self.answered && self.is_idle() => self.since.saturating_add(limits.idle_timeout),
            _ => self.since.saturating_add(limits.request_timeout),
        }
    }

    /// The deadline passed: a client that is slow in asking is told so, others are cut off.
    pub fn expire<H: Handler>(&mut self, turn: &mut Turn<'_, H>) {
        let asking = !self.pending.is_empty() || self.chunked.is_some();
        if self.phase == Phase::Open && asking && self.sent >= self.unsent.len() {
            let timeout = HttpError::Timeout { limit_ms: turn.limits.request_timeout / MILLISECOND };
            // Bytes that came since the head was last parsed may hold the better reason.
            let unseen = matches!(self.awaiting, Awaiting::Head { .. }).then_some(self.pending.as_slice());
            let malformed = unseen.and_then(|head| Head::parse(head, turn.limits.max_body_bytes).err());
            self.since = turn.now.nanos;
            self.refuse(&malformed.unwrap_or(timeout), turn);
        } else {
            self.phase = Phase::Closed;
            self.unsent = Vec::new();
            self.sent = 0;
        }
    }

    /// Bytes kept for the unfinished request.
    pub fn held(&self) -> usize {
        let chunked = self.chunked.as_ref().map_or(0, |chunked| chunked.head.len() + chunked.body.len());
        self.pending.len() + chunked
    }

    /// No request is begun, and no answer left to send.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.chunked.is_none() && self.sent >= self.unsent.len()
    }

    fn forget_input(&mut self) {
        self.pending = Vec::new();
        self.chunked = None;
        self.backlog = false;
    }

    /// Adds `bytes` to the unfinished request, or refuses it where memory for such is used up.
    fn keep<H: Handler>(&mut self, bytes: &[u8], turn: &mut Turn<'_, H>) -> bool {
        if self.phase != Phase::Open {
            return false;
        }
        if bytes.len() > turn.allowance {
            self.refuse(&HttpError::Overloaded, turn);
            return false;
        }
        self.pending.extend_from_slice(bytes);
        true
    }

    /// Answers the requests at the start of `data`; gives the number of bytes that are done with.
    fn consume<H: Handler>(&mut self, data: &[u8], turn: &mut Turn<'_, H>) -> usize {
        let mut at = 0;
        self.backlog = false;
        while self.phase == Phase::Open {
            if turn.out.len() >= OUTPUT_HIGH_WATER {
                self.backlog = at < data.len();
                break;
            }
            match self.step(&data[at..], turn) {
                Ok(Step::Used(used)) => {
                    at += used;
                    self.next_request(turn.now);
                }
                Ok(Step::Incomplete(used)) => {
                    at += used;
                    break;
                }
                Err(error) => {
                    self.refuse(&error, turn);
                    return data.len();
                }
            }
        }
        at
    }

    fn next_request(&mut self, now: Now) {
        self.awaiting = Awaiting::Start;
        self.told_to_continue = false;
        self.since = now.nanos;
        self.answered = true;
    }

    fn step<H: Handler>(&mut self, data: &[u8], turn: &mut Turn<'_, H>) -> Result<Step, HttpError> {
        if let Some(chunked) = self.chunked.take() {
            return self.step_chunked(chunked, data, turn);
        }
        // RFC 9112 2.2: empty lines in front of a request are read past.
        let blank = data.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank == data.len() {
            return Ok(Step::Incomplete(blank));
        }
        match self.step_head(&data[blank..], turn)? {
            Step::Used(used) => Ok(Step::Used(blank + used)),
            Step::Incomplete(used) => Ok(Step::Incomplete(blank + used)),
        }
    }

    fn step_head<H: Handler>(&mut self, data: &[u8], turn: &mut Turn<'_, H>) -> Result<Step, HttpError> {
        match self.awaiting {
            Awaiting::Body { total } if data.len() < total => return Ok(Step::Incomplete(0)),
            Awaiting::Head { scanned, retry_at } if data.len() < retry_at && !head_ends(data, scanned) => {
                self.awaiting = Awaiting::Head { scanned: data.len(), retry_at };
                return Ok(Step::Incomplete(0));
            }
            _ => {}
        }
        let window = &data[..data.len().min(MAX_HEAD_BYTES)];
        let Some(head) = Head::parse(window, turn.limits.max_body_bytes)? else {
            if window.len() == MAX_HEAD_BYTES {
                return Err(HttpError::HeadTooLarge);
            }
            // Parsed again when it has doubled or a line is empty: linear in all, however slowly it drips.
            let retry_at = (window.len() * 2).min(MAX_HEAD_BYTES);
            self.awaiting = Awaiting::Head { scanned: window.len(), retry_at };
            return Ok(Step::Incomplete(0));
        };
        if head.expects_continue && !self.told_to_continue {
            self.told_to_continue = true;
            turn.out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        match head.framing {
            Framing::Length(length) => {
                let Some(body) = data.get(head.len..head.len + length) else {
                    self.awaiting = Awaiting::Body { total: head.len + length };
                    return Ok(Step::Incomplete(0));
                };
                self.answer(&head, body, turn);
                Ok(Step::Used(head.len + length))
            }
            Framing::Chunked => {
                let chunked = ChunkedBody {
                    head: data[..head.len].to_vec(),
                    decoder: Decoder::default(),
                    body: Vec::new(),
                };
                let step = self.step_chunked(Box::new(chunked), &data[head.len..], turn)?;
                Ok(match step {
                    Step::Used(used) => Step::Used(head.len + used),
                    Step::Incomplete(used) => Step::Incomplete(head.len + used),
                })
            }
        }
    }

    fn step_chunked<H: Handler>(
        &mut self,
        mut chunked: Box<ChunkedBody>,
        data: &[u8],
        turn: &mut Turn<'_, H>,
    ) -> Result<Step, HttpError> {
        let max_body = turn.limits.max_body_bytes;
        let before = chunked.body.len();
        let (used, done) = chunked.decoder.decode(data, max_body, &mut chunked.body)?;
        if chunked.body.len() - before > turn.allowance {
            return Err(HttpError::Overloaded);
        }
        if !done {
            self.chunked = Some(chunked);
            return Ok(Step::Incomplete(used));
        }
        if let Some(head) = Head::parse(&chunked.head, max_body)? {
            self.answer(&head, &chunked.body, turn);
        }
        Ok(Step::Used(used))
    }

    fn answer<H: Handler>(&mut self, head: &Head<'_>, body: &[u8], turn: &mut Turn<'_, H>) {
        turn.body.clear();
        let reply = turn.handler.handle(&head.request(body, self.port, turn.now), turn.body);
        let close = !head.keep_alive || turn.handler.closing();
        let ending = Ending { head_only: head.method == Method::Head, close, http_10: head.http_10 };
        response::write(reply, turn.body, ending, turn.date, turn.out);
        if close {
            self.phase = Phase::Ending { linger: true };
        }
    }
}

/// Whether an empty line ends a head in `data`, of which `scanned` bytes were looked at before.
fn head_ends(data: &[u8], scanned: usize) -> bool {
    let fresh = &data[scanned.saturating_sub(2).min(data.len())..];
    fresh.windows(2).any(|pair| pair == b"\n\n") || fresh.windows(3).any(|three| three == b"\n\r\n")
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
