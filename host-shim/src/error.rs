//! Why the host could not do what it was asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

use crate::limiter::MemoryExceeded;
use crate::{CacheError, FunctionError, JsonError};

/// A failure of the host or of a guest. An error that a guest's function *returns* is none of these: it is the
/// `Err` of an [`crate::Outcome`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The engine could not be set up.
    #[error("wasmtime: {cause:#}")]
    Engine {
        /// What wasmtime said.
        cause: wasmtime::Error,
    },
    /// The thread that keeps deadlines could not be started.
    #[error("deadline thread: {0}")]
    Ticker(#[source] io::Error),
    /// The thread that owns a served instance could not be started.
    #[error("guest thread: {0}")]
    Worker(#[source] io::Error),
    /// The folder of compiled artefacts cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A folder to be granted cannot be opened.
    #[error("{}: {cause:#}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: wasmtime::Error,
    },
    /// The bytes are no WebAssembly, or not of the kind asked for.
    #[error("{found} given, {expected} expected")]
    Kind {
        /// What was given.
        found: &'static str,
        /// What is taken.
        expected: &'static str,
    },
    /// The bytes do not compile.
    #[error("not a valid module or component: {cause:#}")]
    Compile {
        /// What wasmtime said.
        cause: wasmtime::Error,
    },
    /// The guest wants something that this host does not offer, or offers with another type.
    #[error("cannot link: {cause:#}")]
    Link {
        /// What wasmtime said.
        cause: wasmtime::Error,
    },
    /// The guest could not be set up.
    #[error("cannot instantiate: {cause:#}")]
    Instantiate {
        /// What wasmtime said.
        cause: wasmtime::Error,
    },
    /// The component does not export the contract's `model` interface.
    #[error("takes no model: {reason}")]
    NoModel {
        /// What is missing or different.
        reason: String,
    },
    /// The guest refused the model.
    #[error("model refused: {code}: {message}")]
    ModelRefused {
        /// The contract's word, such as `invalid-request`.
        code: &'static str,
        /// What the guest said.
        message: String,
    },
    /// Which function is meant.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// The JSON does not fit the function.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The guest computed for too long.
    #[error("the guest did not finish within {limit:?}")]
    Deadline {
        /// What it was given.
        limit: Duration,
    },
    /// The guest wanted too much memory.
    #[error("the guest wanted {wanted} bytes of memory; the limit is {limit}")]
    Memory {
        /// Bytes wanted, over all its memories.
        wanted: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The guest did something that WebAssembly forbids.
    #[error("the guest trapped: {trap}")]
    Trap {
        /// What it did.
        trap: Trap,
    },
    /// The guest ended itself with a code other than 0.
    #[error("the guest exited with code {code}")]
    Exit {
        /// Its code.
        code: i32,
    },
    /// A call failed at the boundary, such as a value that breaks the canonical ABI, or more handles than allowed.
    #[error("call failed: {cause:#}")]
    Call {
        /// What wasmtime said.
        cause: wasmtime::Error,
    },
    /// The instance failed before, and its state is not to be trusted.
    #[error("this instance has failed before; make a new one")]
    Poisoned,
    /// The program wrote more than is kept.
    #[error("the program wrote more than {limit} bytes")]
    Output {
        /// Bytes kept.
        limit: usize,
    },
}

impl HostError {
    /// What a call of a guest that was given `deadline` failed with. `other` says what it is where the cause tells
    /// nothing.
    pub(crate) fn of_guest(
        cause: wasmtime::Error,
        deadline: Duration,
        other: impl FnOnce(wasmtime::Error) -> Self,
    ) -> Self {
        if let Some(&MemoryExceeded { wanted, limit }) = cause.downcast_ref() {
            return Self::Memory { wanted, limit };
        }
        if let Some(&I32Exit(code)) = cause.downcast_ref() {
            return Self::Exit { code };
        }
        match cause.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::Deadline { limit: deadline },
            Some(&trap) => Self::Trap { trap },
            None => other(cause),
        }
    }

    /// Whether the caller is at fault: the file, the arguments or the JSON.
    pub fn is_bad_input(&self) -> bool {
        matches!(
            self,
            Self::Cache(_)
                | Self::Folder { .. }
                | Self::Kind { .. }
                | Self::Compile { .. }
                | Self::Link { .. }
                | Self::NoModel { .. }
                | Self::ModelRefused { .. }
                | Self::Function(_)
                | Self::Json(_)
        )
    }
}
