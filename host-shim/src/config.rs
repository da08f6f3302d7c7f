//! What an operator may set, and the defaults.

use std::path::PathBuf;
use std::time::Duration;

/// Linear memory of one guest, bytes: 1 GiB, what a pod of the service may use in all.
pub(crate) const MEMORY_BYTES: usize = 1 << 30;
/// A call: 1 s. The service's own slowest percentile is 100 ms; a second of computing is a guest gone wrong.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(1);
/// Instantiating and loading a model: 30 s. A model of 100 MB loads in one second on an edge node; a debug build
/// on a busy laptop takes many times that.
pub(crate) const LOAD_DEADLINE: Duration = Duration::from_secs(30);
/// Guests alive at once: a front, a bench and a test share a process at most a few times over. Each reserves
/// address space, not memory.
const INSTANCES: u32 = 16;

/// Settings of a [`crate::Host`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConfig {
    /// Linear memory that one guest may have over all its memories, bytes.
    pub memory_bytes: usize,
    /// Longest call of an exported function; also what every input line adds to a program's time.
    pub call_deadline: Duration,
    /// Longest instantiation or load of a model; also what a program has for its start.
    pub load_deadline: Duration,
    /// Guests alive at once.
    pub instances: u32,
    /// Folder of compiled artefacts; `None` compiles anew every time.
    pub cache: Option<PathBuf>,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            memory_bytes: MEMORY_BYTES,
            call_deadline: CALL_DEADLINE,
            load_deadline: LOAD_DEADLINE,
            instances: INSTANCES,
            cache: None,
        }
    }
}
