//! What the protocol layer refuses, before there is a request to route.

use super::response::Status;
use super::{MAX_HEAD_BYTES, MAX_HEADERS};

/// A refused message. All of them close the connection, since where the next request begins is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Not `METHOD target HTTP/1.1`.
    #[error("the request line is malformed: {reason}")]
    RequestLine {
        /// What the parser met.
        reason: &'static str,
    },
    /// A header that is not `name: value`.
    #[error("a header is malformed: {reason}")]
    Header {
        /// What the parser met.
        reason: &'static str,
    },
    /// Another version.
    #[error("the protocol version is not HTTP/1.0 or HTTP/1.1")]
    Version,
    /// HTTP/1.1 without exactly one `Host`.
    #[error("HTTP/1.1 needs exactly one Host header")]
    Host,
    /// Request line and headers beyond [`MAX_HEAD_BYTES`].
    #[error("request line and headers exceed {MAX_HEAD_BYTES} bytes")]
    HeadTooLarge,
    /// Beyond [`MAX_HEADERS`].
    #[error("more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    /// A body of unknown length.
    #[error("a {method} request needs a Content-Length")]
    LengthRequired {
        /// Its method.
        method: &'static str,
    },
    /// `Content-Length` that is not one decimal number.
    #[error("Content-Length is not one decimal number")]
    ContentLength,
    /// Both framings, or chunks in HTTP/1.0: a smuggling attempt or a broken proxy.
    #[error("Transfer-Encoding and Content-Length together, or Transfer-Encoding in HTTP/1.0")]
    Framing,
    /// A coding other than `chunked`.
    #[error("the only transfer coding understood is `chunked`")]
    TransferCoding,
    /// Malformed chunks.
    #[error("the chunked body is malformed: {reason}")]
    Chunk {
        /// What is wrong.
        reason: &'static str,
    },
    /// A body beyond the limit.
    #[error("the body exceeds {limit} bytes")]
    BodyTooLarge {
        /// The limit in force.
        limit: usize,
    },
    /// `Expect` other than `100-continue`.
    #[error("the only expectation understood is `100-continue`")]
    Expectation,
    /// The request did not arrive in time.
    #[error("the request did not arrive whole within {limit_ms} ms")]
    Timeout {
        /// The limit in force.
        limit_ms: u64,
    },
    /// Unfinished requests hold all the memory set aside for them.
    #[error("too many unfinished requests are held in memory")]
    Overloaded,
    /// More connections than allowed.
    #[error("the limit of {limit} connections is reached")]
    TooManyConnections {
        /// The limit in force.
        limit: usize,
    },
}

impl HttpError {
    /// Status, stable code, and how to mend it.
    pub fn parts(&self) -> (Status, &'static str, &'static str) {
        match self {
            Self::RequestLine { .. } => (
                Status::BadRequest,
                "bad_request_line",
                "send `METHOD /path HTTP/1.1`; for TLS put a proxy in front, this port speaks plain HTTP",
            ),
            Self::Header { .. } => {
                (Status::BadRequest, "bad_header", "send headers as `Name: value`, one a line")
            }
            Self::Version => (Status::VersionNotSupported, "http_version", "use HTTP/1.1"),
            Self::Host => (Status::BadRequest, "bad_host", "send one Host header"),
            Self::HeadTooLarge => (
                Status::HeadersTooLarge,
                "headers_too_large",
                "send fewer or shorter headers; cookies are not needed",
            ),
            Self::TooManyHeaders => (Status::HeadersTooLarge, "too_many_headers", "send fewer headers"),
            Self::LengthRequired { .. } => (
                Status::LengthRequired,
                "length_required",
                "send Content-Length, or Transfer-Encoding: chunked",
            ),
            Self::ContentLength => (
                Status::BadRequest,
                "bad_content_length",
                "send the body's length in bytes, once, in decimal",
            ),
            Self::Framing => {
                (Status::BadRequest, "bad_framing", "send either Content-Length or chunks, over HTTP/1.1")
            }
            Self::TransferCoding => {
                (Status::NotImplemented, "transfer_coding", "send the body as it is, or with `chunked` alone")
            }
            Self::Chunk { .. } => {
                (Status::BadRequest, "bad_chunk", "send chunks as RFC 9112 section 7.1 says")
            }
            Self::BodyTooLarge { .. } => (
                Status::PayloadTooLarge,
                "body_too_large",
                "send less at once, or raise ENDCAP_MAX_BODY_BYTES",
            ),
            Self::Expectation => {
                (Status::ExpectationFailed, "bad_expectation", "leave the Expect header out")
            }
            Self::Timeout { .. } => (
                Status::RequestTimeout,
                "request_timeout",
                "send the whole request at once; nothing was done",
            ),
            Self::Overloaded => {
                (Status::ServiceUnavailable, "overloaded", "try again after Retry-After seconds")
            }
            Self::TooManyConnections { .. } => (
                Status::ServiceUnavailable,
                "too_many_connections",
                "reuse connections, try again after Retry-After seconds, or raise ENDCAP_MAX_CONNECTIONS",
            ),
        }
    }
}
