//! The service: HTTP/1.1 over WasmEdge's sockets in front of `endcap-core`.
//!
//! Everything but [`net`]'s adapter compiles and is tested natively. The way of a request: [`net`] receives
//! bytes, [`http`] makes requests of them, [`service`] routes and answers by the functions of [`api`], which
//! convert between JSON and the types of `endcap-core` and decide nothing about recommendations.

pub mod aot;
pub mod api;
pub mod calendar;
pub mod clock;
pub mod config;
pub mod http;
pub mod inference;
pub mod log;
pub mod metrics;
pub mod nearest;
pub mod net;
#[cfg(target_os = "wasi")]
pub mod program;
pub mod recommender;
pub mod reload;
pub mod service;
pub mod start;

#[cfg(test)]
#[path = "../tests/common/model.rs"]
#[allow(dead_code, unreachable_pub, clippy::expect_used, reason = "the tests under WasmEdge use the rest")]
mod model;
