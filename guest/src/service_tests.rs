//! The API without sockets: requests in, answers out.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use endcap_core::AlignedBytes;
use endcap_core::format::Verify;
use endcap_core::store::MemoryStore;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::clock::{ManualClock, Now};
use crate::http::{Method, Port};
use crate::inference::{Choice, Inference};
use crate::metrics::Stage;
use crate::model;

struct Shop {
    service: Service<Rc<ManualClock>, MemoryStore>,
    clock: Rc<ManualClock>,
}

impl Shop {
    fn open() -> Self {
        Self::open_with(&model::small(), Choice::Off)
    }

    fn open_with(file: &[u8], choice: Choice) -> Self {
        let clock = Rc::new(ManualClock::default());
        let model = Model::open(AlignedBytes::copy_from(file), Verify::Full).unwrap();
        let inference = Inference::load(&model, choice, None);
        let store = MemoryStore::new(100, 1_000_000);
        let about = About {
            speed: Speed { nanos_per_step: 1.0 },
            model_sha256: "ab".repeat(32),
            ready: 5_000_000,
            started_unix_ms: ManualClock::EPOCH_MS,
            model_read: 0,
        };
        let service = Service::new(model, Recommender::new(Rc::clone(&clock), store, 1, inference), about);
        Self { service, clock }
    }

    fn send(&mut self, method: Method, target: &str, body: &[u8]) -> (u32, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let now = Now { nanos: self.clock.nanos(), unix_ms: self.clock.unix_ms() };
        let request = Request { method, path, query, body, port: Port::Public, now };
        let mut out = Vec::new();
        let reply = self.service.handle(&request, &mut out);
        (reply.status.code().parse().unwrap(), String::from_utf8(out).unwrap())
    }

    fn post(&mut self, target: &str, body: &str) -> (u32, Value) {
        let (status, text) = self.send(Method::Post, target, body.as_bytes());
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    fn get(&mut self, target: &str) -> (u32, Value) {
        let (status, text) = self.send(Method::Get, target, b"");
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    fn items(&mut self, body: Value) -> Vec<String> {
        let (status, answer) = self.post("/v1/recommend", &body.to_string());
        assert_eq!(status, 200, "{answer}");
        ids(&answer)
    }
}

fn ids(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| item["item"].as_str().unwrap().to_owned()).collect()
}

/// Posts `body` and compares status, code and field of the error.
#[track_caller]
fn refused(target: &str, body: &str, status: u32, code: &str, field: &str) {
    let (found, answer) = Shop::open().post(target, body);
    let error = &answer["error"];
    let field = if field.is_empty() { Value::Null } else { field.into() };
    assert_eq!((found, &error["code"], &error["field"]), (status, &code.into(), &field), "{body}: {answer}");
    assert!(error["help"].as_str().is_some_and(|help| !help.is_empty()), "{answer}");
}

#[test]
fn fields_of_a_recommendation_are_checked() {
    let check = |body: &str, code: &str, field: &str| refused("/v1/recommend", body, 400, code, field);
    check("{", "bad_json", "");
    check("", "bad_json", "");
    check("[1]", "wrong_type", "");
    check("{} x", "bad_json", "");
    check(r#"{"n": 0}"#, "out_of_range", "n");
    check(r#"{"n": -1}"#, "out_of_range", "n");
    check(r#"{"n": 101}"#, "out_of_range", "n");
    check(r#"{"n": 2.5}"#, "out_of_range", "n");
    check(r#"{"n": 1e99}"#, "out_of_range", "n");
    check(r#"{"n": "ten"}"#, "wrong_type", "n");
    check(r#"{"items": "i1"}"#, "wrong_type", "items");
    check(r#"{"items": [1]}"#, "wrong_type", "items");
    check(r#"{"items": [""]}"#, "out_of_range", "items");
    check(r#"{"user": ""}"#, "out_of_range", "user");
    check(r#"{"strategy": "best"}"#, "unknown_value", "strategy");
    check(r#"{"minRelevance": 1.01}"#, "out_of_range", "minRelevance");
    check(r#"{"include": ["colour"]}"#, "unknown_value", "include");
    check(r#"{"repeat": 1}"#, "wrong_type", "repeat");
    check(r#"{"n": 1, "n": 2}"#, "duplicate_field", "n");
    check(r#"{"filter": "price < 3"}"#, "unsupported_field", "filter");
    check(r#"{"itmes": []}"#, "unknown_field", "itmes");
    check(&json!({"user": "u".repeat(257)}).to_string(), "out_of_range", "user");
    check(&json!({"scenario": "s".repeat(65)}).to_string(), "out_of_range", "scenario");
    check(&json!({"items": vec!["i1"; 1001]}).to_string(), "too_many", "items");
    refused("/v1/recommend?offset=1", "{}", 400, "unsupported_field", "offset");
    refused("/v1/recommend?num=1", "{}", 400, "unknown_field", "num");
    refused("/v1/recommend?n=x", "{}", 400, "out_of_range", "n");
    refused("/v1/recommend?include=%zz", "{}", 400, "bad_escape", "");
}

#[test]
fn a_json_error_names_its_position() {
    let (_, answer) = Shop::open().post("/v1/recommend", "{\"n\": 1,\n  \"items\": [\"i1\" \"i2\"]}");
    let error = &answer["error"];
    assert_eq!((&error["line"], &error["column"]), (&json!(2), &json!(18)), "{answer}");
    let (_, answer) = Shop::open().post("/v1/recommend", "{\"n\": 1,\n  \"minimum_relevance\": 1}");
    let error = &answer["error"];
    assert_eq!((&error["line"], &error["column"]), (&json!(2), &json!(21)), "{answer}");
}

#[test]
fn events_are_checked_before_any_is_kept() {
    let check = |body: &str, code: &str, field: &str| refused("/v1/events", body, 400, code, field);
    let good = r#"{"session":"s","item":"i1","event":"view"}"#;
    check("{}", "missing_field", "events");
    check(r#"{"events": [{"item":"i1","event":"view"}]}"#, "missing_field", "events[0].session");
    check(
        &format!(r#"{{"events": [{good}, {{"session":"s","event":"view"}}]}}"#),
        "missing_field",
        "events[1].item",
    );
    check(r#"{"events": [{"session":"s","item":"i1"}]}"#, "missing_field", "events[0].event");
    check(r#"{"events": [{"session":"s","item":"i1","event":"eat"}]}"#, "unknown_value", "events[0].event");
    check(r#"{"events": [{"sesion":"s"}]}"#, "unknown_field", "events[0].sesion");
    let at =
        |time: Value| json!({"events": [{"session":"s","item":"i1","event":"view","time":time}]}).to_string();
    check(&at(json!("yesterday")), "bad_time", "events[0].time");
    check(&at(json!(-1)), "bad_time", "events[0].time");
    check(&at(json!(ManualClock::EPOCH_MS + 300_001)), "bad_time", "events[0].time");
    check(&at(json!("2026-01-01T00:05:01Z")), "bad_time", "events[0].time");
    let many = vec![good; 1001].join(",");
    check(&format!("{{\"events\":[{many}]}}"), "too_many", "events");
    refused("/api/feedback", "{}", 400, "wrong_type", "");
    refused(
        "/api/feedback",
        r#"[{"FeedbackType":"view","ItemId":"i1"}]"#,
        400,
        "missing_field",
        "feedback[0].UserId",
    );
    let mut shop = Shop::open();
    let broken = format!(r#"{{"events": [{good}, {{"session":"s","event":"view"}}]}}"#);
    assert_eq!(shop.post("/v1/events", &broken).0, 400);
    assert_eq!(shop.post("/v1/recommend", r#"{"session":"s"}"#).1["fallback"], "no_history");
    assert_eq!(shop.post("/v1/events", &at(json!(ManualClock::EPOCH_MS + 300_000))).1["accepted"], 1);
    assert_eq!(shop.post("/v1/events", r#"{"events": []}"#).1, json!({"accepted": 0, "missing": []}));
}

#[test]
fn lists_and_options_reach_the_engine() {
    let mut shop = Shop::open();
    let base = shop.items(json!({"items": ["i10"], "n": 2}));
    assert_eq!(shop.items(json!({"items": ["i10"], "n": 1})), base[..1]);
    assert!(!shop.items(json!({"items": ["i10"], "n": 5, "exclude": [base[0]]})).contains(&base[0]));
    let reranked = shop.items(json!({"items": ["i10"], "candidates": ["i30", base[0], "nope"]}));
    assert_eq!(reranked, [base[0].as_str(), "i30"]);
    assert_eq!(shop.items(json!({"items": ["i10"], "candidates": []})), Vec::<String>::new());
    assert_eq!(shop.items(json!({"strategy": "latest", "n": 1})), ["i48"]);
    assert_eq!(shop.items(json!({"fallback": false})), Vec::<String>::new());
    let strict = shop.items(json!({"items": ["i10"], "minRelevance": 1.0, "n": 5}));
    assert_eq!(strict, base[..1]);
    let (_, answer) = shop.post(
        "/v1/recommend?n=1",
        r#"{"items":["i0"],"include":["name","category","price"],"scenario":"cart \"x\"","user":null,"n":null}"#,
    );
    assert_eq!(answer["scenario"], "cart \"x\"");
    assert_eq!(
        (&answer["items"][0]["name"], &answer["items"][0]["price"]),
        (&json!("Item \"1\""), &Value::Null)
    );
}

#[test]
fn a_dislike_hides_and_time_forgets() {
    let mut shop = Shop::open();
    let first = shop.items(json!({"items": ["i10"], "n": 1}));
    let dislike = json!({"events": [{"user": "u", "item": first[0], "event": "dislike"}]});
    shop.post("/v1/events", &dislike.to_string());
    assert_ne!(shop.items(json!({"user": "u", "items": ["i10"], "n": 1})), first);
    let view = json!({"events": [{"user": "v", "item": "i10", "event": "view"}]});
    shop.post("/v1/events", &view.to_string());
    assert_eq!(shop.get("/api/recommend/v?n=2").1["fallback"], Value::Null);
    shop.clock.advance(1_000_001 * MILLISECOND);
    assert_eq!(shop.get("/api/recommend/v?n=2").1["fallback"], "no_history");
}

#[test]
fn pages_continue() {
    let mut shop = Shop::open();
    let whole = ids(&shop.get("/api/popular?n=10").1);
    let mut pages = ids(&shop.get("/api/popular?n=5").1);
    pages.extend(ids(&shop.get("/api/popular?n=5&offset=5").1));
    assert_eq!(whole, pages);
    assert_eq!(ids(&shop.get("/api/popular?offset=49").1), Vec::<String>::new());
    assert_eq!(shop.get("/api/popular?offset=-1").1["error"]["field"], "offset");
    assert_eq!(shop.get("/api/item/i3/neighbors?nn=1").1["error"]["help"], "did you mean `n`?");
}

#[test]
fn draining_is_told() {
    let mut shop = Shop::open();
    assert_eq!(shop.get("/readyz").0, 200);
    shop.service.draining = true;
    let (status, answer) = shop.get("/readyz");
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("draining")));
    assert_eq!(shop.get("/healthz").0, 200);
    assert!(shop.service.closing());
}

/// Reads Prometheus text by its rules, and gives the samples by name and labels.
fn parse_metrics(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut current = "";
    let mut ended = BTreeSet::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && ended.insert(name.to_owned()), "{name} stands twice");
            current = name;
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, current, "TYPE follows HELP");
            assert!(["counter", "gauge", "histogram"].contains(&kind));
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            kinds.insert(name, kind);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let base = match kinds[current] {
                "histogram" => name.rsplit_once('_').unwrap().0,
                _ => name,
            };
            assert_eq!(base, current, "{line}");
            assert!(series.len() == name.len() || series.ends_with("\"}"), "{line}");
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} stands twice");
        }
    }
    samples
}

#[test]
fn metrics_are_valid_prometheus_text() {
    let mut shop = Shop::open();
    shop.post("/v1/recommend", r#"{"items":["i3"],"n":3}"#);
    shop.post("/v1/recommend", "");
    shop.get("/nowhere");
    let (status, text) = shop.send(Method::Get, "/metrics", b"");
    assert_eq!(status, 200);
    let samples = parse_metrics(&text);
    let sum = |prefix: &str| -> f64 {
        samples.iter().filter(|(series, _)| series.starts_with(prefix)).map(|(_, value)| value).sum()
    };
    assert_eq!(sum("endcap_http_requests_total"), 3.0);
    assert_eq!(sum("endcap_http_request_duration_seconds_count"), 3.0);
    assert_eq!(samples["endcap_http_requests_total{route=\"unknown\",status=\"404\"}"], 1.0);
    assert_eq!(samples["endcap_stage_duration_seconds_bucket{stage=\"gather\",le=\"+Inf\"}"], 1.0);
    assert_eq!(sum("endcap_recommendations_total"), 3.0);
    assert_eq!(sum("endcap_model_info"), 1.0);
    assert_eq!(samples["endcap_ready_seconds"], 0.005);
    assert_eq!(samples["endcap_model_created_timestamp_seconds"], 1_767_225_600.0);
    // Before the first failure, as a rate needs a number to rise from.
    assert_eq!(samples["endcap_http_requests_total{route=\"unknown\",status=\"503\"}"], 0.0);
    assert_eq!(samples["endcap_http_requests_total{route=\"/v1/recommend\",status=\"500\"}"], 0.0);
    assert_eq!(sum("endcap_inference_expected"), 0.0);
    assert_eq!(samples["endcap_draining"], 0.0);
    let mut buckets: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for (series, &count) in &samples {
        let Some((series, le)) = series.split_once("le=\"") else { continue };
        let le = le.trim_end_matches("\"}").replace("+Inf", "inf").parse().unwrap();
        buckets.entry(series).or_default().push((le, count));
    }
    assert_eq!(buckets.len(), Stage::ALL.len() + 2);
    for (series, mut counts) in buckets {
        counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!((counts.len(), counts[15].0), (16, f64::INFINITY), "{series}");
        assert!(counts.is_sorted_by_key(|bucket| bucket.1), "{series}");
    }
}

#[test]
fn what_does_not_serve_is_told_with_its_reason() {
    let mut shop = Shop::open_with(&model::with_broken_ranker(), Choice::Auto);
    shop.service.draining = true;
    let samples = parse_metrics(&shop.send(Method::Get, "/metrics", b"").1);
    let failed = "endcap_inference_engine_failed{model=\"ranker\",engine=\"onnx\",reason=\"no_runtime\"}";
    for series in
        [failed, "endcap_inference_expected{model=\"ranker\"}", "endcap_inference_degraded{model=\"ranker\"}"]
    {
        assert_eq!(samples[series], 1.0, "{series}");
    }
    assert_eq!(samples["endcap_inference_expected{model=\"encoder\"}"], 0.0);
    assert_eq!(samples["endcap_draining"], 1.0);
}

proptest! {
    #[test]
    fn any_body_is_answered(body: Vec<u8>, target in 0_usize..4) {
        let target = ["/v1/recommend", "/v1/events", "/api/feedback", "/api/session/recommend"][target];
        let (status, text) = Shop::open().send(Method::Post, target, &body);
        prop_assert!(status == 200 || status == 400);
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn any_target_is_answered(target in "/(api|v1)/(recommend|item|popular|model)(/[ -~]{0,12}){0,2}(\\?[ -~]{0,20})?") {
        let (status, text) = Shop::open().send(Method::Get, &target, b"");
        prop_assert!([200, 400, 404, 405].contains(&status));
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
    }
}

#[test]
fn another_model_serves_and_what_is_remembered_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.wasm");
    let (first, second) = (model::with_questions(false, false), model::with_questions(true, false));
    std::fs::write(&path, &second).unwrap();
    let path = path.to_str().unwrap().to_owned();
    let settings = crate::reload::Settings { path, verify: Verify::Full, every: None, margin: 0.05 };
    let mut shop = Shop::open_with(&first, Choice::Auto);
    let reload = Reload::new(settings, None);
    shop.service =
        shop.service.with_reloads(Reloads { reload, inference: Choice::Auto, log: Log::new(Level::Error) });
    let event = json!({"events": [{"session": "s", "item": "i10", "event": "view"}]});
    assert_eq!(shop.post("/v1/events", &event.to_string()).0, 200);
    let asked = json!({"session": "s", "n": 4, "fallback": false});
    let sorted = |mut items: Vec<String>| {
        items.sort();
        items
    };
    assert_eq!(sorted(shop.items(asked.clone())), ["i11", "i12", "i8", "i9"]);
    let sha256 = shop.service.about.model_sha256.clone();
    let mut admin = |query: &str| {
        let now = Now { nanos: shop.clock.nanos(), unix_ms: shop.clock.unix_ms() };
        let request =
            Request { method: Method::Post, path: "/reload", query, body: b"", port: Port::Admin, now };
        let mut out = Vec::new();
        let status = shop.service.handle(&request, &mut out).status;
        (status.code().to_owned(), String::from_utf8(out).unwrap())
    };
    let (status, answer) = admin("force=maybe");
    assert!(status == "400" && answer.contains("true or false"), "{answer}");
    let (status, answer) = admin("forse=true");
    assert!(status == "400" && answer.contains("did you mean `force`?"), "{answer}");
    assert_eq!(admin("force=false").0, "200");
    for _ in 0..1000 {
        let now = Now { nanos: shop.clock.nanos(), unix_ms: shop.clock.unix_ms() };
        if shop.service.background_due() <= now.nanos {
            shop.service.background(now);
        }
        shop.clock.advance(SLICE);
    }
    assert_ne!(shop.service.about.model_sha256, sha256);
    assert_eq!(shop.service.model.items().id(0), "i49");
    assert_eq!(
        sorted(shop.items(asked)),
        ["i11", "i12", "i8", "i9"],
        "the session is remembered by other numbers"
    );
    let (_, metrics) = shop.send(Method::Get, "/metrics", b"");
    assert!(metrics.contains("endcap_reloads_total{outcome=\"replaced\"} 1"), "{metrics}");
    assert!(metrics.contains("endcap_reload_refused 0"), "{metrics}");
}
