//! What is refused over the wire: the right status, a stable code, and a service that goes on.

mod common;

use common::{Server, model, run_to_end};

#[test]
fn malformed_messages() {
    let Some(server) = Server::start(&[("ENDCAP_MAX_BODY_BYTES", "2048")]) else { return };
    let check = |request: &str, status: u16, code: &str| {
        let mut client = server.connect();
        let answer = client.ask(request);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{request:.60} {}", answer.body);
        assert!(answer.json()["error"]["help"].as_str().is_some_and(|help| !help.is_empty()));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.is_closed(), "{request:.60}");
        server.assert_alive();
    };
    let post = |headers: &str| format!("POST /v1/recommend HTTP/1.1\r\nHost: t\r\n{headers}\r\n");
    check("G\u{0}T / HTTP/1.1\r\n\r\n", 400, "bad_request_line");
    check("\u{16}\u{3}\u{1}\r\n\r\n", 400, "bad_request_line");
    check("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "bad_header");
    check("GET / HTTP/1.1\r\n\r\n", 400, "bad_host");
    check("PRI * HTTP/2.0\r\n\r\n", 505, "http_version");
    check(
        &format!("GET / HTTP/1.1\r\nHost: t\r\nCookie: {}\r\n\r\n", "x".repeat(17_000)),
        431,
        "headers_too_large",
    );
    check(&format!("GET / HTTP/1.1\r\nHost: t\r\n{}\r\n", "A: b\r\n".repeat(80)), 431, "too_many_headers");
    check(&post("Content-Length: 2049\r\n"), 413, "body_too_large");
    check(
        &post("Transfer-Encoding: chunked\r\n").replace("\r\n\r\n", "\r\n\r\nfff\r\n"),
        413,
        "body_too_large",
    );
    check(&post(""), 411, "length_required");
    check(&post("Content-Length: two\r\n"), 400, "bad_content_length");
    check(&post("Content-Length: 2\r\nContent-Length: 3\r\n"), 400, "bad_content_length");
    check(&post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"), 400, "bad_framing");
    check(&post("Transfer-Encoding: gzip\r\n"), 501, "transfer_coding");
    check(&format!("{}xyz\r\n", post("Transfer-Encoding: chunked\r\n")), 400, "bad_chunk");
    check(&post("Expect: cake\r\nContent-Length: 2\r\n"), 417, "bad_expectation");
}

#[test]
fn a_body_longer_than_its_length_is_the_next_request() {
    let Some(server) = Server::start(&[]) else { return };
    let mut client = server.connect();
    let first = client.ask("POST /v1/recommend HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}}}}}\r\n");
    assert_eq!(first.status, 200);
    assert_eq!(client.read(false).unwrap().code(), "bad_request_line");
    server.assert_alive();
}

#[test]
fn refused_requests_leave_the_connection_open() {
    let Some(server) = Server::start(&[]) else { return };
    let mut client = server.connect();
    let bad = client.post("/v1/recommend", "{\n \"n\": 3,\n \"itms\": []}");
    let error = &bad.json()["error"];
    assert_eq!((bad.status, &error["code"], &error["field"]), (400, &"unknown_field".into(), &"itms".into()));
    assert_eq!((&error["line"], &error["column"]), (&3.into(), &7.into()), "{}", bad.body);
    assert_eq!(error["help"], "did you mean `items`?");
    let wrong = client.ask("PUT /v1/recommend HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    assert_eq!(client.ask("GET /drain HTTP/1.1\r\nHost: t\r\n\r\n").status, 404);
    assert_eq!(client.ask("GET /api/item/nope/neighbors HTTP/1.1\r\nHost: t\r\n\r\n").code(), "unknown_item");
    assert_eq!(client.ask("GET /api/recommend/%zz HTTP/1.1\r\nHost: t\r\n\r\n").code(), "bad_escape");
    assert_eq!(client.ask("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").status, 200);
}

#[test]
fn a_service_that_cannot_start_says_why() {
    let check = |model: &[u8], settings: &[(&str, &str)], expected: &[&str]| {
        let Some((code, log)) = run_to_end(model, settings) else { return };
        assert_eq!(code, 2, "{log}");
        for part in expected {
            assert!(log.contains(part), "{part:?} is not in {log}");
        }
    };
    let good = model::small();
    let mut damaged = good.clone();
    let last = damaged.len() - 200;
    damaged[last] ^= 1;
    check(&good, &[("MODEL_PATH", "/nope.wasm")], &["start_failed", "/nope.wasm", "mount the model"]);
    check(&damaged, &[], &["start_failed", "damaged", "copy the file again"]);
    check(&good[..good.len() / 2], &[], &["start_failed", "file ends"]);
    check(b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0", &[], &["not a model file", "endcap-model pack"]);
    check(b"hello", &[], &["not a Wasm module"]);
    check(&good, &[("ENDCAP_LISTEN", "here")], &["bad_configuration", "ENDCAP_LISTEN=`here`"]);
    check(
        &good,
        &[("ENDCAP_LISTEN", "203.0.113.1:80")],
        &["ENDCAP_LISTEN=`203.0.113.1:80`", "choose a free port"],
    );
}

#[test]
fn a_check_ends_when_it_would_be_ready() {
    let Some((code, log)) = run_to_end(&model::small(), &[("ENDCAP_CHECK", "1"), ("ENDCAP_LISTN", "x")])
    else {
        return;
    };
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("\"event\":\"ready\""), "{log}");
    assert!(log.contains("did you mean ENDCAP_LISTEN?"), "{log}");
}
