//! The network on WasmEdge: its socket extension of WASI preview 1, by `wasmedge_wasi_socket`.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, SystemTime};

use wasmedge_wasi_socket::poll::{self, EventType, Subscription};
use wasmedge_wasi_socket::socket::{AddressFamily, Socket, SocketOptLevel, SocketOptName, SocketType};

use super::{Network, Source};
use crate::clock::Nanos;

/// Connections that may wait to be accepted. The host caps it (4,096 by default on Linux).
const BACKLOG: i32 = 1024;
/// Token of the poll's time-out.
const TIMEOUT: u64 = u64::MAX;

/// Sockets of the host.
#[derive(Default)]
pub struct WasiNetwork {
    subscriptions: Vec<Subscription>,
}

impl WasiNetwork {
    /// A listening socket at `address`, and the address with the port that the host chose for port 0.
    ///
    /// # Errors
    /// What the host said.
    pub fn listen(&self, address: SocketAddr) -> io::Result<(Socket, SocketAddr)> {
        let socket = Socket::new(AddressFamily::from(&address), SocketType::Stream)?;
        socket.setsockopt(SocketOptLevel::SolSocket, SocketOptName::SoReuseaddr, 1_i32)?;
        socket.bind(&address)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        // WasmEdge 0.14.1 tells the port of a socket right and its address always as 0.0.0.0.
        let port = socket.get_local()?.port();
        Ok((socket, SocketAddr::new(address.ip(), port)))
    }
}

impl Network for WasiNetwork {
    type Listener = Socket;
    type Stream = Socket;

    fn accept(&mut self, listener: &Socket) -> io::Result<Socket> {
        listener.accept(true)
    }

    fn receive(&mut self, stream: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
        stream.recv(buffer)
    }

    fn send(&mut self, stream: &Socket, bytes: &[u8]) -> io::Result<usize> {
        stream.send(bytes)
    }

    fn shut(&mut self, stream: &Socket) {
        // The peer may be gone already, which the next read tells.
        let _ = stream.shutdown(Shutdown::Write);
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
        self.subscriptions.clear();
        self.subscriptions.extend(sources.map(|(token, source)| match source {
            Source::Listener(socket) | Source::Readable(socket) => {
                Subscription::io(token, socket, true, false, None)
            }
            Source::Writable(socket) => Subscription::io(token, socket, false, true, None),
        }));
        let until = SystemTime::now() + Duration::from_nanos(timeout);
        self.subscriptions.push(Subscription::timeout(TIMEOUT, until));
        for event in poll::poll(&self.subscriptions)? {
            // An error is ready too: the next read or write says which.
            if !matches!(event.event_type, EventType::Timeout) {
                ready.push(event.userdata);
            }
        }
        Ok(())
    }
}
