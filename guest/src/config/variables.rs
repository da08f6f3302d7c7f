//! The names, defaults and ranges of every variable: the table in guest/README.md, which a test compares.

/// A variable of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Name.
    pub name: &'static str,
    /// Value where it is not set.
    pub default: &'static str,
}

/// Path of the model file. The name is part of the published brief, hence no prefix.
pub(super) const MODEL_PATH: Variable = Variable { name: "MODEL_PATH", default: "/model.wasm" };
/// Address of the API.
pub(super) const LISTEN: Variable = Variable { name: "ENDCAP_LISTEN", default: "0.0.0.0:8080" };
/// Address of the node's own endpoints; empty is off, because `/drain` ends the process.
pub(super) const ADMIN_LISTEN: Variable = Variable { name: "ENDCAP_ADMIN_LISTEN", default: "" };
/// 1 s: a request takes milliseconds, so what is not answered by then hangs; failover has 30 s.
pub(super) const DRAIN_MS: Variable = Variable { name: "ENDCAP_DRAIN_MS", default: "1000" };
/// None: a delay only helps where something else routes requests, and then it is as long as that takes.
pub(super) const DRAIN_DELAY_MS: Variable = Variable { name: "ENDCAP_DRAIN_DELAY_MS", default: "0" };
/// 1,024: the usual soft limit of open files, which a host without configuration has. An idle connection costs
/// about 300 bytes here.
pub(super) const MAX_CONNECTIONS: Variable = Variable { name: "ENDCAP_MAX_CONNECTIONS", default: "1024" };
/// 1 MiB: a thousand events with ids of the greatest length fit.
pub(super) const MAX_BODY_BYTES: Variable = Variable { name: "ENDCAP_MAX_BODY_BYTES", default: "1048576" };
/// 10 s: 1 MiB over a 1 Mbit/s line takes 8.
pub(super) const REQUEST_TIMEOUT_MS: Variable =
    Variable { name: "ENDCAP_REQUEST_TIMEOUT_MS", default: "10000" };
/// 75 s: longer than the 60 s for which proxies (nginx, Envoy's upstreams) keep connections to a backend, so
/// that the proxy and not the service closes first, and no request meets a closing connection.
pub(super) const IDLE_TIMEOUT_MS: Variable = Variable { name: "ENDCAP_IDLE_TIMEOUT_MS", default: "75000" };
/// 30 days: a monthly customer's last visit still counts; memory is bounded by the number of owners anyway.
pub(super) const SESSION_TTL_S: Variable = Variable { name: "ENDCAP_SESSION_TTL_S", default: "2592000" };
/// 100,000 owners with full histories are about 100 MB, half of what a pod is given.
pub(super) const MAX_OWNERS: Variable = Variable { name: "ENDCAP_MAX_OWNERS", default: "100000" };
/// `fast`: SHA-256 of 50 MB costs 100 ms of every start, and the image's own digest covers the file.
pub(super) const VERIFY: Variable = Variable { name: "ENDCAP_VERIFY", default: "fast" };
/// `auto`: what works wins; a fixed engine is for comparisons.
pub(super) const INFERENCE: Variable = Variable { name: "ENDCAP_INFERENCE", default: "auto" };
/// 10 s: a look costs microseconds, and nobody trains oftener.
pub(super) const RELOAD_S: Variable = Variable { name: "ENDCAP_RELOAD_S", default: "10" };
/// A twentieth, as `pack` has it: with some hundred questions less is hardly told from chance.
pub(super) const RELOAD_MARGIN: Variable = Variable { name: "ENDCAP_RELOAD_MARGIN", default: "0.05" };
/// Level of the log.
pub(super) const LOG: Variable = Variable { name: "ENDCAP_LOG", default: "info" };
/// For deploy checks and the start bench.
pub(super) const CHECK: Variable = Variable { name: "ENDCAP_CHECK", default: "0" };

/// Every variable that is read.
pub const VARIABLES: [Variable; 17] = [
    MODEL_PATH,
    LISTEN,
    ADMIN_LISTEN,
    DRAIN_MS,
    DRAIN_DELAY_MS,
    MAX_CONNECTIONS,
    MAX_BODY_BYTES,
    REQUEST_TIMEOUT_MS,
    IDLE_TIMEOUT_MS,
    SESSION_TTL_S,
    MAX_OWNERS,
    VERIFY,
    INFERENCE,
    RELOAD_S,
    RELOAD_MARGIN,
    LOG,
    CHECK,
];
