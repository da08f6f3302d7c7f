//! Core modules: WASI programs that read standard input and write standard output.

use std::fmt;
use std::time::Duration;

use endcap_nn::witx::Session;
use wasmtime::{InstancePre, Linker, Module, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};

use crate::limiter::MemoryLimiter;
use crate::wasi_nn::module as wasi_nn;
use crate::{Grants, Host, HostError, Origin, epoch};

/// Bytes of standard output that are kept: an answer has some ten kilobytes, and a run a few thousand of them.
const MAX_OUTPUT: usize = 64 << 20;
/// What a WASI program is started by.
const START: &str = "_start";

/// A linked program.
pub struct Program {
    host: Host,
    module: InstancePre<State>,
    grants: Grants,
    origin: Origin,
}

/// What a program did, from start to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it exited with; 0 where it returned.
    pub code: i32,
    /// What its last failed inference failed with: wasi-nn's numbers alone say little.
    pub last_nn_error: Option<String>,
}

pub(crate) struct State {
    wasi: WasiP1Ctx,
    pub(crate) nn: Session,
    memory: MemoryLimiter,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("module", &self.module.module().name()).finish_non_exhaustive()
    }
}

impl Program {
    pub(crate) fn link(
        host: &Host,
        module: &Module,
        origin: Origin,
        grants: &Grants,
    ) -> Result<Self, HostError> {
        let mut linker = Linker::new(&host.shared().engine);
        let link = |cause| HostError::Link { cause };
        p1::add_to_linker_sync(&mut linker, |state: &mut State| &mut state.wasi).map_err(link)?;
        wasi_nn::add_to_linker(&mut linker).map_err(link)?;
        let module = linker.instantiate_pre(module).map_err(link)?;
        Ok(Self { host: host.clone(), module, grants: grants.clone(), origin })
    }

    /// Whether its machine code came from the cache.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Runs it from start to exit with `stdin` as its whole input. It has the time for loading, and for each line
    /// of input the time for a call.
    ///
    /// # Errors
    /// [`HostError::Output`] where it wrote more than is kept, [`HostError::Deadline`], [`HostError::Memory`],
    /// [`HostError::Trap`], [`HostError::Instantiate`], [`HostError::Folder`].
    pub fn run(&self, stdin: &[u8]) -> Result<Run, HostError> {
        let shared = self.host.shared();
        let config = &shared.config;
        let stdout = MemoryOutputPipe::new(MAX_OUTPUT);
        let mut wasi = self.grants.wasi()?;
        wasi.stdin(MemoryInputPipe::new(stdin.to_vec())).stdout(stdout.clone());
        let state = State {
            wasi: wasi.build_p1(),
            nn: Session::new(shared.nn.clone()),
            memory: MemoryLimiter::new(config.memory_bytes),
        };
        let mut store = Store::new(&shared.engine, state);
        store.limiter(|state| &mut state.memory);
        let deadline = run_time(config.load_deadline, config.call_deadline, stdin);
        store.set_epoch_deadline(epoch::ticks(deadline));
        let finished = self
            .module
            .instantiate(&mut store)
            .and_then(|instance| instance.get_typed_func::<(), ()>(&mut store, START))
            .and_then(|start| start.call(&mut store, ()));
        // A program that may write no more ends in one way or another; this is why.
        if stdout.contents().len() >= MAX_OUTPUT {
            return Err(HostError::Output { limit: MAX_OUTPUT });
        }
        let code = match finished {
            Ok(()) => 0,
            Err(cause) => {
                match HostError::of_guest(cause, deadline, |cause| HostError::Instantiate { cause }) {
                    HostError::Exit { code } => code,
                    error => return Err(error),
                }
            }
        };
        let last_nn_error = store.data().nn.last_error().map(ToString::to_string);
        Ok(Run { stdout: stdout.contents().to_vec(), code, last_nn_error })
    }
}

fn run_time(start: Duration, line: Duration, stdin: &[u8]) -> Duration {
    let newlines = stdin.iter().filter(|&&byte| byte == b'\n').count();
    // One more: the last line may lack its end.
    start.saturating_add(line.saturating_mul(u32::try_from(newlines + 1).unwrap_or(u32::MAX)))
}
