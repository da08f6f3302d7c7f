//! The endpoints, as a client sees them over a socket under WasmEdge.

mod common;

use common::Server;
use serde_json::{Value, json};

#[test]
fn every_endpoint_answers() {
    let Some(server) = Server::start(&[]) else { return };
    for path in ["/healthz", "/readyz", "/api/health/live", "/api/health/ready"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{path}");
        assert!(answer.header("date").is_some_and(|date| date.ends_with(" GMT")), "{path}");
    }
    assert_eq!(server.get("/api/popular?n=3").items(), ["i0", "i1", "i2"]);
    assert_eq!(server.get("/api/trending?n=2&offset=1").items(), ["i1", "i2"]);
    // i49 is the newest, and out of stock.
    assert_eq!(server.get("/api/latest?n=1").items(), ["i48"]);
    assert_eq!(server.get("/api/item/i10/neighbors?n=2").items(), ["i11", "i9"]);
    assert_eq!(server.get("/api/item/i%31%30/neighbors?n=1").items(), ["i11"]);
    let user = server.get("/api/recommend/someone?n=4&include=name,price").json();
    assert_eq!(user["items"].as_array().map(Vec::len), Some(4));
    assert_eq!(user["items"][0]["name"], "Item \"0\"");
    assert_eq!(user["fallback"], "no_history");
    let model = server.get("/v1/model").json();
    assert_eq!((&model["name"], &model["items"]), (&json!("test"), &json!(50)));
}

#[test]
fn the_code_runs_ahead_of_time() {
    let Some(server) = Server::start(&[]) else { return };
    assert_eq!(
        server.ready["aot"], true,
        "the AOT section was refused: the service would be eighty times slower"
    );
    assert!(server.get("/metrics").body.contains("\nendcap_aot 1\n"));
}

#[test]
fn events_of_a_session_change_its_next_recommendation() {
    let Some(server) = Server::start(&[]) else { return };
    let mut client = server.connect();
    let ask = json!({"session": "s1", "n": 4}).to_string();
    let before = client.post("/v1/recommend", &ask);
    assert_eq!(before.json()["fallback"], "no_history");
    let events = json!({"events": [
        {"session": "s1", "item": "i20", "event": "view"},
        {"session": "s1", "user": "u1", "item": "i21", "event": "cart"},
        {"session": "s1", "item": "gone", "event": "view"},
    ]});
    let kept = client.post("/v1/events", &events.to_string());
    assert_eq!(kept.json(), json!({"accepted": 2, "missing": ["gone"]}));
    let after = client.post("/v1/recommend", &ask);
    assert_eq!(after.json()["fallback"], json!(null), "{}", after.body);
    assert!(after.items()[..2].iter().all(|item| ["i19", "i22"].contains(&item.as_str())), "{}", after.body);
    assert_ne!(before.json()["recommId"], after.json()["recommId"]);
    // The user had one of the two.
    assert_eq!(server.get("/api/recommend/u1?n=1").json()["used"], json!(["session"]));
    // Gorse's form of the same.
    let feedback = json!([{"FeedbackType": "view", "UserId": "u2", "ItemId": "i30", "Timestamp": ""}]);
    assert_eq!(client.post("/api/feedback", &feedback.to_string()).json()["RowAffected"], 1);
    assert_eq!(server.get("/api/recommend/u2?n=1").json()["fallback"], json!(null));
}

#[test]
fn both_forms_of_a_session_are_understood() {
    let Some(server) = Server::start(&[]) else { return };
    let own = server.post("/api/session/recommend?n=4", &json!({"items": ["i10", "i11", "zz"]}).to_string());
    assert_eq!(own.json()["missing"], json!(["zz"]));
    let entry = |item: &str, time: &str| json!({"FeedbackType": "view", "UserId": "", "ItemId": item, "Timestamp": time, "Comment": "x"});
    // By time, not by place.
    let gorse = json!([entry("i11", "2026-01-01T00:00:02Z"), entry("i10", "2026-01-01T00:00:01Z")]);
    let gorse = server.post("/api/session/recommend?n=4", &gorse.to_string());
    assert_eq!(own.items(), gorse.items());
    assert!(!own.items().contains(&"i10".to_owned()));
}

#[test]
fn connections_follow_http() {
    let Some(server) = Server::start(&[]) else { return };
    let mut client = server.connect();
    // Pipelined: answered in order on one connection.
    client.send(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\nHEAD /api/popular HTTP/1.1\r\nHost: t\r\n\r\nGET /nope HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_eq!(client.read(false).unwrap().status, 200);
    let head = client.read(true).unwrap();
    assert!(head.header("content-length").unwrap().parse::<usize>().unwrap() > 100);
    assert_eq!(client.read(false).unwrap().code(), "not_found");
    // HTTP/1.0 closes unless asked otherwise.
    let kept = client.ask("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(kept.header("connection"), Some("keep-alive"));
    let last = client.ask("GET /healthz HTTP/1.0\r\n\r\n");
    assert_eq!(last.header("connection"), Some("close"));
    assert!(client.is_closed());
    // Chunks, and an expectation.
    let mut client = server.connect();
    let chunked = client.ask(
        "POST /v1/recommend HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\n{\"n\r\n4\r\n\":2}\r\n0\r\n\r\n",
    );
    assert_eq!(chunked.items().len(), 2);
    let proceed = client
        .ask("POST /v1/recommend HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n");
    assert_eq!(proceed.status, 100);
    assert_eq!(client.ask("{\"n\":3}").items().len(), 3);
    // Half-closed: the answer still comes.
    let mut client = server.connect();
    client.send(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    client.shut();
    assert_eq!(client.read(false).unwrap().status, 200);
    assert!(client.is_closed());
}

#[test]
fn metrics_count_what_happened() {
    let Some(server) = Server::start(&[]) else { return };
    let mut client = server.connect();
    client.post("/v1/recommend", "{}");
    client.post("/v1/recommend", "{");
    let text = client.ask("GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n").body;
    for line in [
        "endcap_http_requests_total{route=\"/v1/recommend\",status=\"200\"} 1",
        "endcap_http_requests_total{route=\"/v1/recommend\",status=\"400\"} 1",
        "endcap_fallback_answers_total{reason=\"no_history\"} 1",
        "endcap_recommendations_total{source=\"trending\"} 10",
        "endcap_open_connections 1",
        "endcap_model_items 50",
        "endcap_model_created_timestamp_seconds 1767225600",
        "endcap_draining 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let memory = text.lines().find_map(|line| line.strip_prefix("endcap_memory_bytes ")).unwrap();
    assert!(memory.parse::<u64>().unwrap() > 1 << 20);
}

#[test]
fn a_learned_ranker_orders_the_list_and_tells_probabilities() {
    let Some(server) = Server::start_with(&common::model::with_learned_ranker(), &[]) else { return };
    let found = |answer: &Value| -> Vec<(u64, Option<f64>)> {
        let items = answer["items"].as_array().unwrap().iter();
        items
            .map(|item| (item["item"].as_str().unwrap()[1..].parse().unwrap(), item["probability"].as_f64()))
            .collect()
    };
    let within = server
        .post("/v1/recommend", &json!({"items": ["i10"], "n": 4, "fallback": false}).to_string())
        .json();
    assert_eq!(within["fallback"], Value::Null, "{within}");
    let list = found(&within);
    assert!(list.len() > 1 && list.is_sorted_by(|a, b| a.0 > b.0), "the less popular first: {within}");
    for (item, probability) in list {
        let expected = 1.0 / (1.0 + (3.0 - 10.0 * item as f64 / 50.0).exp());
        assert!((probability.unwrap() - expected).abs() < 1e-3, "{within}");
    }
    // A user comes back: another kind of request, which this ranker is not asked about.
    let events = json!({"events": [{"user": "anna", "item": "i10", "event": "view"}]}).to_string();
    assert_eq!(server.post("/v1/events", &events).status, 200);
    let opening = server.get("/api/recommend/anna?n=4").json();
    assert!(found(&opening).iter().all(|(_, probability)| probability.is_none()), "{opening}");
    assert_eq!(server.get("/v1/model").json()["inference"]["ranker"], "builtin");
    let text = server.get("/metrics").body;
    assert!(
        text.contains("endcap_inference_engine{model=\"ranker\",engine=\"builtin\",runtime=\"endcap\"} 1"),
        "{text}"
    );
}

#[test]
fn an_engine_that_is_missing_is_counted() {
    // No plugin is loaded here: the runtime refuses the ranker, as it would refuse a good one.
    let Some(server) = Server::start_with(&common::model::with_broken_ranker(), &[]) else { return };
    let answer = server.post("/v1/recommend", &json!({"items": ["i10"], "n": 2}).to_string());
    assert_eq!(answer.json()["fallback"], "model_unavailable", "{}", answer.body);
    let text = server.get("/metrics").body;
    for line in [
        "endcap_inference_expected{model=\"encoder\"} 0",
        "endcap_inference_expected{model=\"ranker\"} 1",
        "endcap_inference_degraded{model=\"ranker\"} 1",
        "endcap_inference_engine_failed{model=\"ranker\",engine=\"onnx\",reason=\"not_loaded\"} 1",
        "endcap_fallback_answers_total{reason=\"model_unavailable\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    // Switched off by the operator: not expected, and nothing is wrong.
    let settings = [("ENDCAP_INFERENCE", "off")];
    let Some(server) = Server::start_with(&common::model::with_broken_ranker(), &settings) else { return };
    let text = server.get("/metrics").body;
    for line in
        ["endcap_inference_expected{model=\"ranker\"} 0", "endcap_inference_degraded{model=\"ranker\"} 0"]
    {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("endcap_inference_engine_failed{"));
}
