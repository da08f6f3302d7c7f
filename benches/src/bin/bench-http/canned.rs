//! Answers that cost nothing, to see what the generator and the loopback interface can do at most.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;
use endcap_benches::machine;
use endcap_benches::traffic::N;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// A thread that answers whatever comes; it ends with the process.
pub(crate) struct Canned {
    pub(crate) address: SocketAddr,
}

impl Canned {
    pub(crate) fn start(core: usize) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            if let Err(error) = serve(core, &listener) {
                eprintln!("canned answers: {error:#}");
            }
        });
        Ok(Self { address })
    }
}

/// About as long as a real one.
fn answer() -> anyhow::Result<Vec<u8>> {
    let mut items = String::new();
    for item in 0..N {
        write!(items, "{{\"item\":\"{}\",\"score\":0.1234,\"reason\":\"session\"}},", 1000 + item)?;
    }
    let body = format!("{{\"items\":[{}]}}", items.trim_end_matches(','));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json";
    Ok(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

fn serve(core: usize, listener: &TcpListener) -> anyhow::Result<()> {
    machine::pin(core)?;
    let answer = answer()?;
    let mut listener = mio::net::TcpListener::from_std({
        listener.set_nonblocking(true)?;
        listener.try_clone()?
    });
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(64);
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut request = vec![0; 1 << 16];
    poll.registry().register(&mut listener, Token(usize::MAX), Interest::READABLE)?;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == Token(usize::MAX) {
                while let Ok((mut stream, _)) = listener.accept() {
                    poll.registry().register(&mut stream, Token(streams.len()), Interest::READABLE)?;
                    streams.push(stream);
                }
                continue;
            }
            let stream = streams.get_mut(event.token().0).context("an event for no connection")?;
            match stream.read(&mut request) {
                // One request, and whole: the generator sends it with one call.
                Ok(read) if read > 0 => stream.write_all(&answer)?,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
