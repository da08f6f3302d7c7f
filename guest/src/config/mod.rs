//! Configuration in two phases: raw strings from the environment, then one validated [`Config`].

mod error;
mod parse;
mod variables;

pub use error::ConfigError;
pub use parse::read;
pub use variables::{VARIABLES, Variable};

use std::net::SocketAddr;

use endcap_core::format::Verify;

use crate::clock::Nanos;
use crate::inference::Choice;
use crate::log::Level;

/// Raw configuration: names and values.
pub trait Environment {
    /// Every variable; those without a meaning here are skipped or warned about.
    fn variables(&self) -> Vec<(String, String)>;
}

/// The environment of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variables(&self) -> Vec<(String, String)> {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }
}

/// The service's settings. Every field is in range.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Path of the model file.
    pub model_path: String,
    /// Address of the API.
    pub listen: SocketAddr,
    /// Address of drain, health and metrics for the node; off where `None`.
    pub admin_listen: Option<SocketAddr>,
    /// How long a drain may take.
    pub drain: Nanos,
    /// How long connections are still accepted once a drain has begun.
    pub drain_delay: Nanos,
    /// Connections served at once.
    pub max_connections: usize,
    /// Largest request body.
    pub max_body_bytes: usize,
    /// Time from the first byte of a request to its last.
    pub request_timeout: Nanos,
    /// How long a connection may stay open without a request.
    pub idle_timeout: Nanos,
    /// Milliseconds after which an event of a session or user no longer counts.
    pub session_ttl_ms: i64,
    /// Sessions and users remembered.
    pub max_owners: usize,
    /// How much of the model's digests is checked at the start.
    pub verify: Verify,
    /// What may run the models of the file.
    pub inference: Choice,
    /// Time between two looks at whether another model lies at the path; none where `None`.
    pub reload: Option<Nanos>,
    /// Share of the serving model's NDCG@10 by which another may be worse, beyond chance.
    pub reload_margin: f64,
    /// What is logged.
    pub log: Level,
    /// Whether to stop, successfully, when the service would be ready.
    pub check: bool,
}
