//! Another model, under WasmEdge and under load.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{Answer, Server, model};
use serde_json::{Value, json};

/// Long enough that a test asks for every look itself.
const NEVER: (&str, &str) = ("ENDCAP_RELOAD_S", "0");

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

fn ids(answer: &Value) -> Vec<&str> {
    let mut ids: Vec<&str> =
        answer["items"].as_array().unwrap().iter().map(|item| item["item"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

fn metric(server: &Server, name: &str) -> f64 {
    let text = server.get("/metrics").body;
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_model_is_replaced_while_requests_come_and_sessions_are_remembered() {
    let Some(server) = Server::start_with(&model::with_questions(false, false), &[NEVER]) else { return };
    let event = json!({"events": [{"session": "s", "item": "i10", "event": "view"}]});
    assert_eq!(server.post("/v1/events", &event.to_string()).status, 200);
    let ask = json!({"session": "s", "n": 4, "fallback": false}).to_string();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                let (mut client, done, ask) = (server.connect(), &done, &ask);
                scope.spawn(move || {
                    let mut answers = 0;
                    while !done.load(Ordering::Relaxed) {
                        let answer = client.post("/v1/recommend", ask);
                        assert_eq!(answer.status, 200);
                        let answer = body(&answer);
                        assert_eq!(ids(&answer), ["i11", "i12", "i8", "i9"], "{answer}");
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        for turned in [true, false, true] {
            server.replace_model(&model::with_questions(turned, false));
            assert_eq!(server.admin("/reload").status, 200);
            let line = server.logged("reload");
            assert_eq!((&line["outcome"], &line["level"]), (&"replaced".into(), &"info".into()), "{line}");
            assert_eq!(line["questions"], 50, "{line}");
        }
        done.store(true, Ordering::Relaxed);
        let answers: u64 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(answers > 0);
    });
    assert_eq!(metric(&server, "endcap_reloads_total{outcome=\"replaced\"}"), 3.0);
    assert!(metric(&server, "endcap_reload_pause_seconds") > 0.0);
}

#[test]
fn a_worse_model_is_refused_and_told_until_a_good_one_comes() {
    let settings = [("ENDCAP_RELOAD_S", "1")];
    let Some(server) = Server::start_with(&model::with_questions(false, false), &settings) else { return };
    let sha256 = |server: &Server| {
        let text = server.get("/metrics").body;
        text.split_once(",sha256=\"").unwrap().1.split('"').next().unwrap().to_owned()
    };
    let first = sha256(&server);
    server.replace_model(&model::with_questions(false, true));
    let line = server.logged("reload");
    assert_eq!((&line["outcome"], &line["level"]), (&"worse".into(), &"error".into()), "{line}");
    assert_eq!(metric(&server, "endcap_reload_refused"), 1.0);
    assert_eq!(body(&server.get("/v1/model"))["refused"], "worse");
    assert_eq!(sha256(&server), first);
    assert_eq!(server.admin("/reload?force=true").status, 200);
    assert_eq!(server.logged("reload")["outcome"], "replaced");
    assert_ne!(sha256(&server), first);
    assert_eq!(metric(&server, "endcap_reload_refused"), 0.0);
    assert_eq!(body(&server.get("/v1/model"))["refused"], Value::Null);
    server.replace_model(b"\0asm, but no more");
    assert_eq!(server.logged("reload")["outcome"], "invalid");
    server.assert_alive();
}

#[test]
fn memory_does_not_grow_from_one_reload_to_the_next() {
    // Large enough that a model that is kept would show.
    let files = [model::build(2_000, 20_000, 5), model::build(2_001, 20_000, 5)];
    let Some(server) = Server::start_with(&files[0], &[NEVER]) else { return };
    let mut memory = Vec::new();
    for round in 0..12 {
        server.replace_model(&files[(round + 1) % 2]);
        assert_eq!(server.admin("/reload").status, 200);
        assert_eq!(server.logged("reload")["outcome"], "replaced");
        memory.push(metric(&server, "endcap_memory_bytes"));
    }
    assert_eq!(memory[2], memory[11], "{memory:?}");
}

#[test]
fn only_the_node_may_ask_for_a_reload() {
    let Some(server) = Server::start(&[NEVER]) else { return };
    assert_eq!(server.post("/reload", "").status, 404);
    assert_eq!(server.admin("/reload?force=perhaps").status, 400);
    assert_eq!(server.admin("/reload").status, 200);
    assert_eq!(server.logged("reload")["outcome"], "unchanged");
}
