//! The connection as a whole: the same answers however the bytes are cut, and no input that hurts.

use proptest::prelude::*;

use super::*;
use crate::http::response::Date;
use crate::http::{Reply, Request, Status};

/// Answers with method, path, query and body of the request.
#[derive(Default)]
struct Echo {
    closing: bool,
    big: usize,
}

impl Handler for Echo {
    fn handle(&mut self, request: &Request<'_>, body: &mut Vec<u8>) -> Reply {
        body.extend_from_slice(
            format!("{:?} {} {} ", request.method, request.path, request.query).as_bytes(),
        );
        body.extend_from_slice(request.body);
        body.resize(body.len() + self.big, b'.');
        Reply::json(Status::Ok)
    }

    fn refuse(&mut self, error: &HttpError, body: &mut Vec<u8>) -> Reply {
        body.extend_from_slice(error.to_string().as_bytes());
        Reply::json(error.parts().0)
    }

    fn closing(&self) -> bool {
        self.closing
    }
}

const LIMITS: Limits = Limits { max_body_bytes: 1000, request_timeout: 10_000, idle_timeout: 75_000 };

struct Peer {
    connection: Connection,
    echo: Echo,
    date: Date,
    now: Now,
    allowance: usize,
    got: Vec<u8>,
}

impl Peer {
    fn new() -> Self {
        let mut date = Date::default();
        date.update(Now::default());
        let connection = Connection::new(Port::Public, Now::default());
        Self {
            connection,
            echo: Echo::default(),
            date,
            now: Now::default(),
            allowance: 1 << 20,
            got: Vec::new(),
        }
    }

    fn turn(&mut self, act: impl FnOnce(&mut Connection, &mut Turn<'_, Echo>)) {
        let mut turn = Turn {
            handler: &mut self.echo,
            limits: &LIMITS,
            now: self.now,
            date: &self.date,
            allowance: self.allowance,
            out: &mut self.got,
            body: &mut Vec::new(),
        };
        act(&mut self.connection, &mut turn);
    }

    fn send(&mut self, bytes: &[u8]) -> &mut Self {
        self.turn(|connection, turn| connection.receive(bytes, turn));
        self
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.got).into_owned()
    }
}

/// Status lines and bodies of what `bytes` are answered with.
fn answers(bytes: &[u8]) -> Vec<String> {
    let mut peer = Peer::new();
    peer.send(bytes);
    let text = peer.text();
    text.split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            format!("{} | {body}", head.lines().next().unwrap())
        })
        .collect()
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let text = "GET /a?x HTTP/1.1\r\nHost: h\r\n\r\n\r\n\
                POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc\
                POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\
                HEAD /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n\
                GET /never HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(
        answers(text.as_bytes()),
        ["200 OK | Get /a x ", "200 OK | Post /b  abc", "200 OK | Post /c  hi", "200 OK | "]
    );
}

#[test]
fn a_head_beyond_the_limit_is_refused() {
    let mut text = b"GET / HTTP/1.1\r\nHost: h\r\nCookie: ".to_vec();
    text.resize(MAX_HEAD_BYTES, b'x');
    let answer = answers(&text);
    assert_eq!(answer.len(), 1);
    assert!(answer[0].starts_with("431 "), "{answer:?}");
}

#[test]
fn a_body_is_asked_for_only_where_it_is_welcome() {
    let mut peer = Peer::new();
    peer.send(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(peer.text(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send(b"o").send(b"k");
    assert!(peer.text().ends_with("Post /  ok"), "{}", peer.text());
    let refused =
        answers(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n");
    assert_eq!(refused, ["413 Content Too Large | the body exceeds 1000 bytes"]);
}

#[test]
fn a_slow_request_is_told_so_and_an_idle_connection_closed() {
    let mut peer = Peer::new();
    peer.send(b"GET / HT");
    assert_eq!(peer.connection.deadline(&LIMITS), LIMITS.request_timeout);
    peer.turn(Connection::expire);
    assert!(peer.text().starts_with("HTTP/1.1 408 "), "{}", peer.text());
    assert_eq!(peer.connection.want(), Want::Shut);

    let mut peer = Peer::new();
    peer.now.nanos = 5;
    peer.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(peer.connection.deadline(&LIMITS), 5 + LIMITS.idle_timeout);
    // Empty lines are no request: they do not put the deadline off.
    peer.now.nanos = 50_000;
    peer.send(b"\r\n\r\n");
    assert_eq!(peer.connection.deadline(&LIMITS), 5 + LIMITS.idle_timeout);
    peer.send(b"G");
    assert_eq!(peer.connection.deadline(&LIMITS), 50_000 + LIMITS.request_timeout);
    let length = peer.got.len();
    peer.turn(|connection, turn| connection.receive(b"ET / HTTP/1.1\r\nHost:a\r\n\r\n", turn));
    assert!(peer.got.len() > length);
    peer.turn(Connection::expire);
    assert_eq!(peer.connection.want(), Want::Close);
}

#[test]
fn a_client_that_does_not_read_is_not_answered_further() {
    let mut peer = Peer::new();
    peer.echo.big = 100_000;
    peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(10).as_slice());
    assert!(peer.got.len() < OUTPUT_HIGH_WATER + 101_000);
    assert_eq!(peer.connection.want(), Want::Resume);
    let out = std::mem::take(&mut peer.got);
    peer.connection.stash(&out);
    assert_eq!(peer.connection.want(), Want::Write);
    peer.connection.sent(out.len(), peer.now);
    let mut total = out.len();
    while peer.connection.want() == Want::Resume {
        peer.send(b"");
        total += std::mem::take(&mut peer.got).len();
    }
    assert_eq!(peer.connection.want(), Want::Read);
    assert!(total > 1_000_000 && peer.connection.is_idle());
}

#[test]
fn memory_for_unfinished_requests_is_bounded() {
    let mut peer = Peer::new();
    peer.allowance = 4;
    peer.send(b"GET / HTTP/1.1\r\n");
    assert!(peer.text().starts_with("HTTP/1.1 503 "), "{}", peer.text());
    assert_eq!(peer.connection.held(), 0);
}

#[test]
fn draining_closes_after_the_answer() {
    let mut peer = Peer::new();
    peer.echo.closing = true;
    peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(peer.text().contains("\r\nConnection: close\r\n"));
    assert_eq!(peer.connection.want(), Want::Shut);
    peer.connection.shut(peer.now);
    peer.connection.peer_closed();
    assert_eq!(peer.connection.want(), Want::Close);
}

/// Pieces of conversations, whole and broken.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let known: [&'static [u8]; 14] = [
        b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"HEAD /a HTTP/1.1\nHost: h\n\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345",
        b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nxy",
        b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;e\r\n-\r\n0\r\nT: t\r\n\r\n",
        b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n",
        b"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        b"POST /p HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"PUT /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"\r\n\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: ",
        b"\x16\x03\x01\x02\x00",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (0_usize..20_000).prop_map(|len| vec![b'y'; len]),
    ]
}

proptest! {
    #[test]
    fn cutting_the_stream_changes_no_answer(
        fragments in proptest::collection::vec(fragment(), 1..8),
        cuts in proptest::collection::vec(1_usize..300, 1..40),
    ) {
        let stream = fragments.concat();
        let mut whole = Peer::new();
        whole.send(&stream);
        let mut pieces = Peer::new();
        let mut rest = stream.as_slice();
        for cut in cuts.iter().cycle() {
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            pieces.send(piece);
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        // What is wrong with an unfinished head may be found only now.
        for peer in [&mut whole, &mut pieces] {
            if peer.connection.want() == Want::Read {
                peer.turn(Connection::expire);
            }
        }
        prop_assert_eq!(whole.text(), pieces.text());
        prop_assert_eq!(whole.connection.want(), pieces.connection.want());
        prop_assert_eq!(whole.connection.held(), pieces.connection.held());
    }

    #[test]
    fn any_bytes_end_in_an_answer_or_a_close(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut peer = Peer::new();
        peer.send(&bytes);
        peer.turn(Connection::expire);
        let ends = matches!(peer.connection.want(), Want::Shut | Want::Close);
        prop_assert!(ends, "{:?}", peer.connection.want());
    }
}
