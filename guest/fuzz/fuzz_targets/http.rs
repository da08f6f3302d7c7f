//! The way of a request without sockets: bytes, HTTP, JSON, the engine, bytes. No input may panic or grow
//! memory without bound.
//!
//! The first byte says after how many bytes the input is cut, as a network would; the rest is what a client sends.
#![no_main]

use endcap_core::AlignedBytes;
use endcap_core::format::{Model, Verify};
use endcap_core::store::MemoryStore;
use endcap_service::aot::Speed;
use endcap_service::clock::{Now, SystemClock};
use endcap_service::http::connection::Connection;
use endcap_service::http::response::Date;
use endcap_service::http::turn::{Turn, Want};
use endcap_service::http::{Limits, Port};
use endcap_service::recommender::Recommender;
use endcap_service::service::{About, Service};
use libfuzzer_sys::fuzz_target;

const GOLDEN: &[u8] = include_bytes!("../../core/tests/golden/v1.model.wasm");
const LIMITS: Limits = Limits { max_body_bytes: 4096, request_timeout: 10_000, idle_timeout: 75_000 };

fuzz_target!(|data: &[u8]| {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let model = Model::open(AlignedBytes::copy_from(GOLDEN), Verify::Fast).expect("the golden file is whole");
    let recommender = Recommender::new(SystemClock::start(), MemoryStore::new(8, 1_000_000), 7);
    let about = About {
        speed: Speed { nanos_per_step: 1.0 },
        model_sha256: String::new(),
        ready: 0,
        started_unix_ms: 0,
        model_read: 0,
    };
    let mut service = Service::new(model, recommender, about);
    let now = Now::default();
    let mut date = Date::default();
    date.update(now);
    let mut connection = Connection::new(Port::Public, now);
    for part in bytes.chunks(usize::from(cut) + 1) {
        if connection.want() != Want::Read {
            break;
        }
        let (mut out, mut body) = (Vec::new(), Vec::new());
        let mut turn = Turn {
            handler: &mut service,
            limits: &LIMITS,
            now,
            date: &date,
            allowance: 1 << 20,
            out: &mut out,
            body: &mut body,
        };
        connection.receive(part, &mut turn);
        assert!(connection.held() <= 64 << 10, "holds {} bytes", connection.held());
        assert!(out.is_empty() || out.starts_with(b"HTTP/1.1 "), "an answer begins with a status line");
    }
});
