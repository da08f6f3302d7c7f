//! One keep-alive connection with at most one request on its way.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, ensure};
use endcap_benches::traffic::N;
use memchr::memmem::Finder;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// Room for an answer: 20 items take under 2 KB, and an answer that does not fit is an error.
const ANSWER_BYTES: usize = 64 * 1024;

/// Searches that are made for every answer, prepared once.
pub(crate) struct Patterns {
    head_end: Finder<'static>,
    item: Finder<'static>,
}

impl Patterns {
    pub(crate) fn new() -> Self {
        Self { head_end: Finder::new(b"\r\n\r\n"), item: Finder::new(b"\"item\":\"") }
    }
}

/// What arrived.
pub(crate) enum Received {
    /// Not all of an answer yet.
    Part,
    /// A whole answer, as it should be.
    Right,
    /// A whole answer with something wrong about it.
    Wrong(String),
}

pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, registry: &Registry, token: Token) -> anyhow::Result<Self> {
        let stream =
            std::net::TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Self { stream, answer: vec![0; ANSWER_BYTES], filled: 0 })
    }

    /// Sends a request. The one before must have been answered, so the socket's buffer is empty and takes it
    /// whole; anything else is an error.
    pub(crate) fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let sent = self.stream.write(request).context("cannot send")?;
        ensure!(sent == request.len(), "the socket took {sent} of {} bytes", request.len());
        Ok(())
    }

    /// Reads what is there.
    ///
    /// One read does: what comes later raises another event, and an answer is taken only when it is whole.
    pub(crate) fn receive(&mut self, patterns: &Patterns) -> anyhow::Result<Received> {
        let read = match self.stream.read(&mut self.answer[self.filled..]) {
            Ok(0) => {
                anyhow::bail!("the service closed a connection, or its answer exceeds {ANSWER_BYTES} bytes")
            }
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(Received::Part);
            }
            Err(error) => return Err(error).context("cannot receive"),
        };
        self.filled += read;
        let answer = &self.answer[..self.filled];
        let Some(head) = patterns.head_end.find(answer) else { return Ok(Received::Part) };
        let body = head + 4;
        let length = content_length(&answer[..head]).context("an answer has no Content-Length")?;
        if answer.len() < body + length {
            return Ok(Received::Part);
        }
        self.filled = 0;
        let items = patterns.item.find_iter(&answer[body..]).count();
        if answer.starts_with(b"HTTP/1.1 200 ") && answer.len() == body + length && items == N {
            return Ok(Received::Right);
        }
        let text: String = String::from_utf8_lossy(answer).chars().take(500).collect();
        Ok(Received::Wrong(format!(
            "{items} items, {} bytes beyond its length: {text}",
            answer.len() - body - length
        )))
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    for line in head.split(|&byte| byte == b'\n') {
        if line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME) {
            let digits = line[NAME.len()..].trim_ascii();
            return std::str::from_utf8(digits).ok()?.parse().ok();
        }
    }
    None
}
