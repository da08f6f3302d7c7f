//! The event loop over a network in memory: what it does when sockets block, fail, or stay silent.

use std::cell::RefCell;
use std::rc::Rc;

use super::accept::ACCEPT_PAUSE;
use super::*;
use crate::clock::ManualClock;
use crate::http::{Handler, HttpError, Reply, Request, Status};
use crate::net::fake::{FakeNetwork, World};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// Answers with `size` dots; `GET /drain` begins a drain.
#[derive(Default)]
struct Dots {
    size: usize,
    draining: bool,
    /// Slices of work beside requests that are left, and how long each takes.
    slices: usize,
    slice: Nanos,
    clock: Rc<ManualClock>,
    events: Vec<ConnectionEvent>,
}

impl Handler for Dots {
    fn handle(&mut self, request: &Request<'_>, body: &mut Vec<u8>) -> Reply {
        self.draining |= request.path == "/drain";
        body.resize(self.size, b'.');
        Reply::json(Status::Ok)
    }

    fn refuse(&mut self, error: &HttpError, _: &mut Vec<u8>) -> Reply {
        Reply::json(error.parts().0)
    }

    fn closing(&self) -> bool {
        self.draining
    }
}

impl App for Dots {
    fn connection(&mut self, event: ConnectionEvent) {
        self.events.push(event);
    }

    fn background_due(&self) -> Nanos {
        if self.slices > 0 { 0 } else { Nanos::MAX }
    }

    fn background(&mut self, _: Now) {
        self.slices -= 1;
        self.clock.advance(self.slice);
    }
}

struct Bench {
    event_loop: EventLoop<FakeNetwork, Dots, Rc<ManualClock>>,
    world: Rc<RefCell<World>>,
    clock: Rc<ManualClock>,
}

impl Bench {
    fn new(max_connections: usize, size: usize) -> Self {
        let (world, clock) = (Rc::<RefCell<World>>::default(), Rc::<ManualClock>::default());
        let network = FakeNetwork { world: Rc::clone(&world) };
        let limits =
            Limits { max_body_bytes: 1 << 20, request_timeout: 10 * SECOND, idle_timeout: 75 * SECOND };
        let settings = Settings { limits, max_connections, drain: SECOND, drain_delay: 0 };
        let app = Dots { size, clock: Rc::clone(&clock), ..Dots::default() };
        let log = Log::new(Level::Error);
        let event_loop =
            EventLoop::new(network, vec![(Port::Public, ())], app, Rc::clone(&clock), log, settings);
        Self { event_loop, world, clock }
    }

    /// Runs until the loop waits with nothing ready, or ends; whether it goes on.
    fn settle(&mut self) -> bool {
        let waits = self.world.borrow().waits.len();
        for _ in 0..10_000 {
            if !self.event_loop.turn() {
                return false;
            }
            if self.world.borrow().waits.len() > waits {
                return true;
            }
            self.clock.advance(1000);
        }
        panic!("the loop never came to rest");
    }

    fn client(&mut self, bytes: &[u8]) -> usize {
        let mut world = self.world.borrow_mut();
        let client = world.connect();
        world.pipe(client).input.extend(bytes);
        client
    }

    fn answers(&self, client: usize) -> usize {
        let mut world = self.world.borrow_mut();
        world.pipe(client).output.windows(9).filter(|nine| nine == b"HTTP/1.1 ").count()
    }
}

#[test]
fn requests_are_answered_and_idle_means_waiting() {
    let mut bench = Bench::new(10, 5);
    let clients: Vec<usize> = (0..3).map(|_| bench.client(REQUEST)).collect();
    bench.settle();
    assert!(clients.iter().all(|&client| bench.answers(client) == 1));
    bench.clock.advance(HOT_FOR);
    bench.settle();
    // Nothing is hot and nothing due: every further turn is one long wait.
    let waits = bench.world.borrow().waits.len();
    for _ in 0..5 {
        bench.event_loop.turn();
    }
    let world = bench.world.borrow();
    assert_eq!(world.waits.len(), waits + 5);
    assert!(world.waits[waits..].iter().all(|&timeout| timeout > SECOND), "{:?}", &world.waits[waits..]);
}

#[test]
fn what_a_socket_does_not_take_is_sent_later() {
    let mut bench = Bench::new(10, 1000);
    let client = bench.client(&REQUEST.repeat(3));
    bench.world.borrow_mut().pipe(client).room = 100;
    bench.settle();
    assert_eq!(bench.world.borrow_mut().pipe(client).output.len(), 100);
    bench.world.borrow_mut().pipe(client).room = 1_000_000;
    bench.settle();
    assert_eq!(bench.answers(client), 3);
    assert!(bench.event_loop.slots.len() == 1 && bench.event_loop.held == 0);
}

#[test]
fn a_blocked_socket_is_given_up_in_time() {
    let mut bench = Bench::new(10, 1000);
    let client = bench.client(REQUEST);
    bench.world.borrow_mut().pipe(client).room = 0;
    bench.settle();
    bench.clock.advance(11 * SECOND);
    bench.settle();
    assert!(bench.world.borrow_mut().pipe(client).closed);
}

#[test]
fn beyond_the_limit_clients_are_told_and_closed() {
    let mut bench = Bench::new(1, 5);
    let (first, second) = (bench.client(b""), bench.client(REQUEST));
    bench.settle();
    let text = String::from_utf8(bench.world.borrow_mut().pipe(second).output.clone()).unwrap();
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    assert!(bench.world.borrow_mut().pipe(second).shut);
    bench.world.borrow_mut().pipe(second).ended = true;
    bench.settle();
    let mut world = bench.world.borrow_mut();
    assert!(world.pipe(second).closed && !world.pipe(first).closed);
    let events = [ConnectionEvent::Opened, ConnectionEvent::Rejected, ConnectionEvent::Closed];
    assert_eq!(bench.event_loop.app.events, events);
}

#[test]
fn out_of_descriptors_is_no_busy_loop() {
    let mut bench = Bench::new(10, 5);
    bench.world.borrow_mut().fail_accept(ErrorKind::Other);
    let client = bench.client(REQUEST);
    bench.event_loop.turn();
    assert_eq!(bench.world.borrow().accepts, 1);
    // Until the pause is over nothing is accepted, and the loop waits for just that.
    bench.event_loop.turn();
    assert_eq!(bench.world.borrow().accepts, 1);
    assert!(bench.world.borrow().waits.last().is_some_and(|&timeout| timeout <= ACCEPT_PAUSE));
    bench.clock.advance(ACCEPT_PAUSE);
    bench.settle();
    assert_eq!(bench.answers(client), 1);
}

#[test]
fn cold_connections_are_served_beside_busy_ones() {
    let mut bench = Bench::new(10, 5);
    let (busy, cold) = (bench.client(REQUEST), bench.client(b""));
    bench.settle();
    bench.world.borrow_mut().pipe(cold).input.extend(REQUEST);
    // The busy one always has another request; the loop never comes to rest.
    for _ in 0..5000 {
        bench.world.borrow_mut().pipe(busy).input.extend(REQUEST);
        bench.event_loop.turn();
        bench.clock.advance(1000);
    }
    assert_eq!(bench.answers(cold), 1);
}

#[test]
fn a_drain_serves_who_is_there_and_ends() {
    let mut bench = Bench::new(10, 5);
    let idle = bench.client(REQUEST);
    bench.settle();
    let (last, drain) = (bench.client(REQUEST), bench.client(b"GET /drain HTTP/1.1\r\nHost: h\r\n\r\n"));
    for client in [last, drain] {
        bench.world.borrow_mut().pipe(client).ended = true;
    }
    assert!(!bench.settle(), "the loop ends");
    assert!([idle, last, drain].iter().all(|&client| bench.answers(client) == 1));
    assert!([idle, last, drain].iter().all(|&client| bench.world.borrow_mut().pipe(client).closed));
    assert!(bench.clock.nanos() < SECOND);
}

#[test]
fn a_delayed_drain_accepts_until_the_delay_is_over() {
    let mut bench = Bench::new(10, 5);
    bench.event_loop.settings.drain_delay = SECOND;
    let idle = bench.client(REQUEST);
    bench.settle();
    let drain = bench.client(b"GET /drain HTTP/1.1\r\nHost: h\r\n\r\n");
    for _ in 0..999 {
        assert!(bench.event_loop.turn());
        bench.clock.advance(MILLISECOND);
    }
    // A kept connection is still served, and so is a new one; both are closed with their answers.
    assert!(!bench.world.borrow_mut().pipe(idle).closed);
    bench.world.borrow_mut().pipe(idle).input.extend(REQUEST);
    let late = bench.client(REQUEST);
    for _ in 0..4 {
        assert!(bench.event_loop.turn());
    }
    assert_eq!([bench.answers(idle), bench.answers(late)], [2, 1]);
    for client in [idle, late, drain] {
        bench.world.borrow_mut().pipe(client).ended = true;
    }
    while bench.event_loop.turn() {
        bench.clock.advance(MILLISECOND);
        assert!(bench.clock.nanos() < SECOND + 100 * MILLISECOND, "nobody is there, and the loop goes on");
    }
    assert!(bench.clock.nanos() >= SECOND, "the delay was cut short");
}

#[test]
fn a_drain_ends_without_those_who_hang() {
    let mut bench = Bench::new(10, 5);
    let hanging = bench.client(b"GET / HT");
    bench.settle();
    bench.client(b"GET /drain HTTP/1.1\r\nHost: h\r\n\r\n");
    while bench.event_loop.turn() {
        bench.clock.advance(MILLISECOND);
        assert!(bench.clock.nanos() < 3 * SECOND, "the drain has no end");
    }
    assert_eq!(bench.answers(hanging), 0);
}

#[test]
fn work_beside_requests_goes_on_and_leaves_them_nine_tenths() {
    let mut bench = Bench::new(10, 5);
    bench.event_loop.app.slices = 20;
    bench.event_loop.app.slice = MILLISECOND;
    // Nothing else to do: slice after slice, with a look at the sockets between them.
    let began = bench.clock.nanos();
    while bench.event_loop.app.slices > 10 {
        assert!(bench.event_loop.turn());
    }
    assert!(bench.clock.nanos() < began + 12 * MILLISECOND);
    // A connection that never rests.
    let client = bench.client(REQUEST);
    let (mut began, mut turns) = (0, 0);
    while bench.event_loop.app.slices > 0 {
        bench.world.borrow_mut().pipe(client).input.extend(REQUEST);
        assert!(bench.event_loop.turn());
        bench.clock.advance(10_000);
        if bench.event_loop.app.slices == 8 && began == 0 {
            began = bench.clock.nanos();
        }
        turns += 1;
    }
    assert!(bench.clock.nanos() >= began + 70 * MILLISECOND, "{turns} turns");
    assert!(bench.answers(client) > 500);
}
