//! The HTTP front: statuses, state, guests that fail, and the end.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use common::{config, engine, guest};
use endcap_host::serve::{Worker, serve};
use endcap_host::{Grants, Host, HostConfig};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A server for the shop that stops when it is dropped.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        // Room for one instance: the next one can only come when the last has gone.
        let host = Host::new(HostConfig { instances: 1, ..config() }, engine(&[])).unwrap();
        let shop = host.component(&guest("shop"), &Grants::default()).unwrap();
        let worker = Worker::start(&shop, None).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(serve(listener, worker, async move {
                let _ = stopped.await;
            }));
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends one request; status and body of the answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        answer(stream)
    }

    fn post(&self, function: &str, body: &str) -> (u16, String) {
        self.ask("POST", &format!("/v1/{function}"), body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn code(body: &str) -> String {
    let error: serde_json::Value = serde_json::from_str(body).unwrap();
    error["error"]["code"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

#[test]
fn functions_are_called_on_one_instance() {
    let server = Server::start();
    assert_eq!(server.post("divideHundred", "4"), (200, "25".to_owned()));
    assert_eq!(server.post("count", ""), (200, "1".to_owned()));
    assert_eq!(server.post("count", "{}"), (200, "2".to_owned()));
    // Of the guest, and not in the contract's words.
    assert_eq!(server.post("divide-hundred", "0"), (422, r#"{"error":33}"#.to_owned()));
    assert_eq!(server.post("first%23info", "").0, 404);
    let (status, body) = server.ask("GET", "/v1", "");
    assert_eq!(status, 200);
    assert!(body.contains(r#""signature":"add(left: u32, right: u32) -> u32""#), "{body}");
    assert_eq!(server.ask("GET", "/healthz", ""), (200, r#"{"status":"ok"}"#.to_owned()));
}

#[test]
fn what_is_wrong_with_a_request_has_a_status_and_a_code() {
    let server = Server::start();
    for (method, path, body, status, expected) in [
        ("POST", "/v1/add", "{", 400, "bad_json"),
        ("POST", "/v1/add", r#"{"left":-1,"right":2}"#, 400, "wrong_type"),
        ("POST", "/v1/subtract", "[1,2]", 404, "unknown_function"),
        ("POST", "/v2/add", "[1,2]", 404, "not_found"),
        ("GET", "/v1/add", "", 405, "method_not_allowed"),
        ("POST", "/healthz", "", 405, "method_not_allowed"),
    ] {
        let (found, answer) = server.ask(method, path, body);
        assert_eq!((found, code(&answer).as_str()), (status, expected), "{method} {path} {body}: {answer}");
    }
    let (status, answer) = server.post("add", &" ".repeat((1 << 20) + 1));
    assert_eq!((status, code(&answer).as_str()), (413, "body_too_large"));
}

#[test]
fn a_guest_that_fails_is_replaced() {
    let server = Server::start();
    assert_eq!(server.post("count", ""), (200, "1".to_owned()));
    for (function, status, expected) in
        [("trap", 500, "guest_trap"), ("spin", 504, "guest_deadline"), ("hog", 500, "guest_memory")]
    {
        let (found, answer) = server.post(function, "");
        assert_eq!((found, code(&answer).as_str()), (status, expected), "{function}: {answer}");
        // A new instance, which counts from the beginning.
        assert_eq!(server.post("count", ""), (200, "1".to_owned()));
    }
}

#[test]
fn calls_from_many_connections_are_all_counted() {
    let server = Server::start();
    let calls = 40;
    std::thread::scope(|scope| {
        for _ in 0..calls {
            scope.spawn(|| assert_eq!(server.post("count", "").0, 200));
        }
    });
    assert_eq!(server.post("count", ""), (200, (calls + 1).to_string()));
}

#[test]
fn stopping_lets_a_request_finish() {
    let mut server = Server::start();
    let mut stream = server.connect();
    // A request whose end has not arrived yet.
    stream.write_all(b"POST /v1/count HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{").unwrap();
    // Another connection is answered, so that the first has been accepted.
    assert_eq!(server.post("count", ""), (200, "1".to_owned()));
    server.stop.take();
    stream.write_all(b"}").unwrap();
    assert_eq!(answer(stream), (200, "2".to_owned()));
    server.thread.take().unwrap().join().unwrap();
    assert!(TcpStream::connect(server.address).is_err());
    server.thread = Some(std::thread::spawn(|| {}));
}
