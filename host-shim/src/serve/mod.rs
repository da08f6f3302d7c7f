//! An HTTP/1.1 front for a component, for work on one machine.
//!
//! `POST /v1/{function}` calls a function with the body as its JSON, `GET /v1` lists the functions, `GET /healthz`
//! answers. There is one instance, since what it is told (events, a model) has to be there for the next call; it
//! lives in one thread and calls wait in a short queue. It has no TLS, no tenants and no authentication, and binds
//! to the loopback unless told otherwise: the service under WasmEdge is what goes into production.

mod error;
mod http;
mod worker;

pub use http::serve;
pub use worker::Worker;
