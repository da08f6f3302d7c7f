//! Limits and ends: slow clients, many clients, no clients, drain.

mod common;

use std::time::{Duration, Instant};

use common::{Client, Server};

/// A pause without a busy loop; nothing is waited for here that could be polled.
fn pause(time: Duration) {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

#[test]
fn slow_and_silent_clients_are_cut_off() {
    let limits = [("ENDCAP_REQUEST_TIMEOUT_MS", "300"), ("ENDCAP_IDLE_TIMEOUT_MS", "600")];
    let Some(server) = Server::start(&limits) else { return };
    // Half a request.
    let mut slow = server.connect();
    slow.send(b"POST /v1/recommend HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{");
    // A request that drips.
    let mut dripping = server.connect();
    // No request at all.
    let mut silent = server.connect();
    // A request, and then none.
    let mut idle = server.connect();
    assert_eq!(idle.ask("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").status, 200);
    let began = Instant::now();
    for byte in b"GET /healthz" {
        dripping.send(&[*byte]);
        pause(Duration::from_millis(40));
    }
    assert_eq!(dripping.read(false).map(|answer| answer.status), Some(408));
    let late = slow.read(false).unwrap();
    assert_eq!((late.status, late.code().as_str()), (408, "request_timeout"));
    assert!(slow.is_closed() && silent.is_closed() && idle.is_closed());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    server.assert_alive();
}

#[test]
fn a_thousand_connections_at_once() {
    let Some(server) = Server::start(&[]) else { return };
    let mut clients: Vec<Client> = (0..1000).map(|_| server.connect()).collect();
    for round in 0..2 {
        for client in &mut clients {
            client.send(b"POST /api/session/recommend HTTP/1.1\r\nHost: t\r\nContent-Length: 23\r\n\r\n{\"items\":[\"i3\",\"i4\"] }\n");
        }
        for (at, client) in clients.iter_mut().enumerate() {
            let answer = client.read(false).unwrap_or_else(|| panic!("{at} was closed in round {round}"));
            assert_eq!((answer.status, answer.items().len()), (200, 10));
        }
    }
    assert!(server.get("/metrics").body.contains("\nendcap_open_connections 1001\n"));
}

#[test]
fn one_connection_too_many_is_told_so() {
    let Some(server) = Server::start(&[("ENDCAP_MAX_CONNECTIONS", "3")]) else { return };
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").status, 200);
    }
    let mut refused = server.connect();
    let answer = refused.read(false).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (503, "too_many_connections"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(refused.is_closed());
    // The node still gets through, and room is found again.
    assert_eq!(Client::connect(server.admin).ask("GET /readyz HTTP/1.1\r\nHost: t\r\n\r\n").status, 200);
    clients.pop();
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.connect().ask("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").status != 200 {
        assert!(Instant::now() < deadline, "the place of a closed connection was not given away");
    }
}

#[test]
fn a_client_that_does_not_read_does_not_hold_up_others() {
    let Some(server) = Server::start(&[("ENDCAP_REQUEST_TIMEOUT_MS", "500")]) else { return };
    let mut deaf = server.connect();
    let request = b"GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n".repeat(2000);
    // About 20 MB of answers: more than any socket buffer. The service stops reading, then gives up.
    deaf.send(&request);
    for _ in 0..20 {
        server.assert_alive();
    }
    pause(Duration::from_millis(800));
    let memory = server.get("/metrics").body;
    let memory = memory.lines().find_map(|line| line.strip_prefix("endcap_memory_bytes ")).unwrap();
    assert!(memory.parse::<u64>().unwrap() < 20 << 20, "{memory}");
    assert!(server.get("/metrics").body.contains("\nendcap_open_connections 1\n"));
}

#[test]
fn an_idle_service_uses_no_processor_time() {
    let Some(server) = Server::start(&[]) else { return };
    let mut idle: Vec<Client> = (0..50).map(|_| server.connect()).collect();
    for client in &mut idle {
        assert_eq!(client.ask("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").status, 200);
    }
    pause(Duration::from_millis(100));
    let before = server.cpu();
    pause(Duration::from_secs(2));
    let used = server.cpu() - before;
    assert!(used <= Duration::from_millis(20), "{used:?} of 2 s with 50 idle connections");
}

#[test]
fn a_drain_ends_the_process() {
    let Some(mut server) = Server::start(&[("ENDCAP_DRAIN_MS", "3000")]) else { return };
    let mut idle = server.connect();
    assert_eq!(idle.ask("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").status, 200);
    // In flight: its second half comes after the drain began.
    let mut slow = server.connect();
    slow.send(b"POST /v1/recommend HTTP/1.1\r\nHost: t\r\nContent-Length: 7\r\n\r\n{\"n");
    server.assert_alive();
    let began = Instant::now();
    let mut admin = Client::connect(server.admin);
    let drained = admin.ask("POST /drain HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((drained.status, drained.header("connection")), (200, Some("close")));
    assert!(idle.is_closed(), "an idle connection is closed");
    assert!(std::net::TcpStream::connect(server.address).is_err(), "nothing listens any more");
    slow.send(b"\":2}");
    let last = slow.read(false).unwrap();
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert!(slow.is_closed());
    drop((admin, slow, idle));
    assert_eq!(server.exit_code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_drain_does_not_wait_for_ever() {
    let Some(mut server) = Server::start(&[("ENDCAP_DRAIN_MS", "200")]) else { return };
    let mut stuck = server.connect();
    stuck.send(b"GET /healthz HT");
    server.assert_alive();
    assert_eq!(Client::connect(server.admin).ask("GET /drain HTTP/1.1\r\nHost: t\r\n\r\n").status, 200);
    assert_eq!(server.exit_code(), Some(0));
}
