//! HTTP/1.1 (RFC 9110, RFC 9112) without a socket: bytes in, requests to a [`Handler`], bytes out.

pub mod chunked;
pub mod connection;
pub mod error;
pub mod head;
pub mod response;
pub mod target;
pub mod turn;

pub use connection::Connection;
pub use error::HttpError;
pub use head::Method;
pub use response::{ContentType, Reply, Status};

use crate::clock::{Nanos, Now};

/// Longest request line and headers together. The figure; browsers with many cookies stay under 8 KB.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Most header lines. Proxies add a handful; real requests have under 40.
pub const MAX_HEADERS: usize = 64;
/// Bytes of answers in front of a client that does not read, after which no more of its pipelined requests
/// are looked at. 256 KiB is a round trip of 10 ms at 200 Mbit/s.
pub const OUTPUT_HIGH_WATER: usize = 256 * 1024;
/// How long the rest of a refused request is read and dropped before the connection is closed: closing with
/// unread input makes TCP reset the connection, and the answer with the reason would be lost.
pub const LINGER: Nanos = crate::clock::SECOND;

/// Which listener a connection came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Port {
    /// The API.
    #[default]
    Public,
    /// The node's: drain, health, metrics.
    Admin,
}

/// What an operator sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest body, after chunks are put together.
    pub max_body_bytes: usize,
    /// From the first byte of a request to its last, and for the first request from the accept on; also the
    /// longest a client may leave an answer unread.
    pub request_timeout: Nanos,
    /// Longest pause between requests.
    pub idle_timeout: Nanos,
}

/// A whole request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Method.
    pub method: Method,
    /// Path as received: percent-encoded, without the query.
    pub path: &'a str,
    /// Query as received, without the question mark.
    pub query: &'a str,
    /// Body; empty where there is none.
    pub body: &'a [u8],
    /// The listener it came by.
    pub port: Port,
    /// When its last byte was received.
    pub now: Now,
}

/// Answers requests.
pub trait Handler {
    /// Answers `request`: appends the body to `body`, which is empty, and gives the rest.
    fn handle(&mut self, request: &Request<'_>, body: &mut Vec<u8>) -> Reply;

    /// Answers what is not a request.
    fn refuse(&mut self, error: &HttpError, body: &mut Vec<u8>) -> Reply;

    /// Whether connections are to be closed after their next answer.
    fn closing(&self) -> bool;
}
