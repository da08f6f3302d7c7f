//! Writes responses into an output buffer, without allocation.

use crate::calendar;
use crate::clock::Now;

/// The statuses that are ever sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in RFC 9110")]
pub enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    LengthRequired,
    PayloadTooLarge,
    ExpectationFailed,
    HeadersTooLarge,
    Internal,
    NotImplemented,
    ServiceUnavailable,
    VersionNotSupported,
}

impl Status {
    /// Every status, in the order of [`Self::index`].
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::BadRequest,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::LengthRequired,
        Self::PayloadTooLarge,
        Self::ExpectationFailed,
        Self::HeadersTooLarge,
        Self::Internal,
        Self::NotImplemented,
        Self::ServiceUnavailable,
        Self::VersionNotSupported,
    ];

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Code and reason, as they stand in the status line.
    pub fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::LengthRequired => "411 Length Required",
            Self::PayloadTooLarge => "413 Content Too Large",
            Self::ExpectationFailed => "417 Expectation Failed",
            Self::HeadersTooLarge => "431 Request Header Fields Too Large",
            Self::Internal => "500 Internal Server Error",
            Self::NotImplemented => "501 Not Implemented",
            Self::ServiceUnavailable => "503 Service Unavailable",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }

    /// The three digits.
    pub fn code(self) -> &'static str {
        &self.line()[..3]
    }
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// JSON.
    Json,
    /// Prometheus text exposition format 0.0.4.
    Metrics,
}

impl ContentType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// An answer without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: Status,
    /// What the body is.
    pub content_type: ContentType,
    /// Value of `Allow`, for 405.
    pub allow: Option<&'static str>,
}

impl Reply {
    /// JSON with this status.
    pub fn json(status: Status) -> Self {
        Self { status, content_type: ContentType::Json, allow: None }
    }
}

/// Seconds in `Retry-After` of a 503: by then a full service has room, and a draining one is gone from the
/// load balancer.
const RETRY_AFTER: &str = "Retry-After: 1\r\n";

/// How a response ends its message and its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Whether the body is left out (HEAD).
    pub head_only: bool,
    /// Whether the connection is closed after it.
    pub close: bool,
    /// Whether the client speaks HTTP/1.0, and must be told that the connection stays open.
    pub http_10: bool,
}

/// Appends status line, headers and body to `out`.
pub fn write(reply: Reply, body: &[u8], ending: Ending, date: &Date, out: &mut Vec<u8>) {
    out.reserve(256 + body.len());
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(reply.status.line().as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: ");
    out.extend_from_slice(reply.content_type.as_str().as_bytes());
    out.extend_from_slice(b"\r\nContent-Length: ");
    push_decimal(out, body.len() as u64);
    out.extend_from_slice(b"\r\nDate: ");
    out.extend_from_slice(date.text.as_bytes());
    out.extend_from_slice(b"\r\n");
    if let Some(allow) = reply.allow {
        out.extend_from_slice(b"Allow: ");
        out.extend_from_slice(allow.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if reply.status == Status::ServiceUnavailable {
        out.extend_from_slice(RETRY_AFTER.as_bytes());
    }
    if ending.close {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if ending.http_10 {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    if !ending.head_only {
        out.extend_from_slice(body);
    }
}

/// Appends `value` in decimal.
pub fn push_decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The `Date` header's value, made once a second.
#[derive(Debug, Default)]
pub struct Date {
    second: i64,
    text: String,
}

impl Date {
    /// Brings the text up to `now`.
    pub fn update(&mut self, now: Now) {
        let second = now.unix_ms.div_euclid(1000);
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = calendar::http_date(second * 1000);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_on_the_wire() {
        let mut date = Date::default();
        date.update(Now { nanos: 0, unix_ms: 784_111_777_999 });
        let mut out = Vec::new();
        let ending = Ending { head_only: false, close: true, http_10: false };
        let reply = Reply { allow: Some("GET, HEAD"), ..Reply::json(Status::MethodNotAllowed) };
        write(reply, b"{}", ending, &date, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
             Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n{}"
        );
    }

    #[test]
    fn statuses_are_numbered_and_decimals_written() {
        for (index, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status.index(), index);
        }
        let mut out = Vec::new();
        push_decimal(&mut out, 0);
        push_decimal(&mut out, u64::MAX);
        assert_eq!(out, b"018446744073709551615");
    }
}
