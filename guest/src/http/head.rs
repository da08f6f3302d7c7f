//! Request line and headers: `httparse` for the syntax, RFC 9112 for what follows from them.

use super::error::HttpError;
use super::{MAX_HEADERS, Request};

/// The methods that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD: as GET, without the body.
    Head,
    /// POST.
    Post,
    /// Any other.
    Other,
}

/// How long the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// This many bytes.
    Length(usize),
    /// Chunks.
    Chunked,
}

/// Request line and what the connection needs of the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// Method.
    pub method: Method,
    /// Path, percent-encoded.
    pub path: &'a str,
    /// Query without the question mark.
    pub query: &'a str,
    /// Whether the version is 1.0.
    pub http_10: bool,
    /// Whether the connection is to stay open after the answer.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// How long the body is.
    pub framing: Framing,
    /// Bytes of the head, its empty line included.
    pub len: usize,
}

impl<'a> Head<'a> {
    /// Parses the head at the start of `bytes`; `None` where it is not complete. An error found in a part of
    /// a head is the error of the whole head, so parsing early changes no answer.
    ///
    /// # Errors
    /// What is malformed or contradicts itself.
    pub fn parse(bytes: &'a [u8], max_body: usize) -> Result<Option<Self>, HttpError> {
        let mut headers = [const { std::mem::MaybeUninit::uninit() }; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut []);
        let len = match parsed.parse_with_uninit_headers(bytes, &mut headers) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(syntax(error)),
        };
        let missing = HttpError::RequestLine { reason: "it is incomplete" };
        let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(missing);
        };
        let http_10 = version == 0;
        let mut fields = Fields::default();
        for header in parsed.headers.iter() {
            fields.take(header.name, header.value)?;
        }
        if !http_10 && fields.hosts != 1 {
            return Err(HttpError::Host);
        }
        let (method, name) = match method {
            "GET" => (Method::Get, "GET"),
            "HEAD" => (Method::Head, "HEAD"),
            "POST" => (Method::Post, "POST"),
            _ => (Method::Other, "other"),
        };
        let framing = match (fields.length, fields.chunked) {
            (Some(_), true) => return Err(HttpError::Framing),
            (None, true) if http_10 => return Err(HttpError::Framing),
            (None, true) => Framing::Chunked,
            (None, false) if method == Method::Post => {
                return Err(HttpError::LengthRequired { method: name });
            }
            (length, false) => Framing::Length(length.unwrap_or(0)),
        };
        if matches!(framing, Framing::Length(length) if length > max_body) {
            return Err(HttpError::BodyTooLarge { limit: max_body });
        }
        let (path, query) = split(target);
        let keep_alive = !fields.close && (!http_10 || fields.keep_alive);
        let expects_continue = fields.expects_continue && !http_10 && framing != Framing::Length(0);
        Ok(Some(Self { method, path, query, http_10, keep_alive, expects_continue, framing, len }))
    }

    /// The request that this head and `body` make.
    pub fn request<'b>(&self, body: &'b [u8], port: super::Port, now: crate::clock::Now) -> Request<'b>
    where
        'a: 'b,
    {
        Request { method: self.method, path: self.path, query: self.query, body, port, now }
    }
}

/// Path and query of a target in origin form, or in the absolute form that proxies send.
fn split(target: &str) -> (&str, &str) {
    let origin = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find(['/', '?']).map_or("/", |at| &rest[at..]),
        _ => target,
    };
    origin.split_once('?').unwrap_or((origin, ""))
}

#[derive(Default)]
struct Fields {
    hosts: usize,
    length: Option<usize>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

impl Fields {
    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), HttpError> {
        // Lengths first: most headers of a request are none of these, and are told apart by it.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => self.hosts += 1,
            6 if name.eq_ignore_ascii_case("expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(HttpError::Expectation);
                }
                self.expects_continue = true;
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                for token in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if name.eq_ignore_ascii_case("content-length") => {
                if self.length.is_some() {
                    return Err(HttpError::ContentLength);
                }
                self.length = Some(decimal(value).ok_or(HttpError::ContentLength)?);
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(HttpError::TransferCoding);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Digits only: `usize::from_str` would take a sign. A number too large for 64 bits is larger than any limit.
fn decimal(value: &[u8]) -> Option<usize> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = value
        .iter()
        .fold(0_usize, |sum, digit| sum.saturating_mul(10).saturating_add(usize::from(digit - b'0')));
    Some(number)
}

fn syntax(error: httparse::Error) -> HttpError {
    match error {
        httparse::Error::TooManyHeaders => HttpError::TooManyHeaders,
        httparse::Error::Version => HttpError::Version,
        httparse::Error::HeaderName => {
            HttpError::Header { reason: "a name holds a byte that is not allowed" }
        }
        httparse::Error::HeaderValue => HttpError::Header { reason: "a value holds a control character" },
        httparse::Error::NewLine => HttpError::Header { reason: "a line does not end in CR LF" },
        httparse::Error::Token => {
            HttpError::RequestLine { reason: "a byte that is not allowed in method or target" }
        }
        httparse::Error::Status => HttpError::RequestLine { reason: "it looks like a response" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Head<'_>>, HttpError> {
        Head::parse(text.as_bytes(), 1000)
    }

    #[test]
    fn framing_follows_rfc_9112() {
        let check = |headers: &str, expected: Result<Framing, HttpError>| {
            let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
            assert_eq!(parse(&text).map(|head| head.unwrap().framing), expected, "{headers}");
        };
        check("Content-Length: 7\r\n", Ok(Framing::Length(7)));
        check("Transfer-Encoding: Chunked\r\n", Ok(Framing::Chunked));
        check("", Err(HttpError::LengthRequired { method: "POST" }));
        check("Content-Length: +7\r\n", Err(HttpError::ContentLength));
        check("Content-Length: 7, 7\r\n", Err(HttpError::ContentLength));
        check("Content-Length: \r\n", Err(HttpError::ContentLength));
        check("Content-Length: 7\r\nContent-Length: 7\r\n", Err(HttpError::ContentLength));
        check("Content-Length: 1001\r\n", Err(HttpError::BodyTooLarge { limit: 1000 }));
        check("Content-Length: 99999999999999999999999\r\n", Err(HttpError::BodyTooLarge { limit: 1000 }));
        check("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", Err(HttpError::Framing));
        check("Transfer-Encoding: gzip, chunked\r\n", Err(HttpError::TransferCoding));
        check("Expect: magic\r\nContent-Length: 1\r\n", Err(HttpError::Expectation));
    }

    #[test]
    fn keep_alive_follows_version_and_connection() {
        let check = |version: &str, connection: &str, expected: bool| {
            let text = format!("GET / {version}\r\nHost: a\r\n{connection}\r\n");
            assert_eq!(parse(&text).unwrap().unwrap().keep_alive, expected, "{version} {connection}");
        };
        check("HTTP/1.1", "", true);
        check("HTTP/1.1", "Connection: foo, Close\r\n", false);
        check("HTTP/1.0", "", false);
        check("HTTP/1.0", "Connection: keep-alive\r\n", true);
    }

    #[test]
    fn targets_in_both_forms() {
        let check = |target: &str, expected: (&str, &str)| {
            assert_eq!(split(target), expected, "{target}");
        };
        check("/a/b?n=1?2", ("/a/b", "n=1?2"));
        check("/a", ("/a", ""));
        check("http://host:80/a?b", ("/a", "b"));
        check("http://host", ("/", ""));
        check("/r?u=http://x/", ("/r", "u=http://x/"));
    }

    #[test]
    fn host_and_version() {
        assert_eq!(parse("GET / HTTP/1.1\r\n\r\n"), Err(HttpError::Host));
        assert_eq!(parse("GET / HTTP/2.0\r\n\r\n"), Err(HttpError::Version));
        assert_eq!(parse("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), Err(HttpError::Host));
        assert_eq!(parse("GET / HT"), Ok(None));
        assert!(matches!(parse("GE\u{1}T / HTTP/1.1\r\n"), Err(HttpError::RequestLine { .. })));
    }
}
