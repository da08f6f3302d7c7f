//! Wires the service to the process. Everything else is in the library.

use std::process::ExitCode;

#[cfg(target_os = "wasi")]
fn main() -> ExitCode {
    endcap_service::program::serve()
}

/// The sockets are WasmEdge's: a native build has none, and serves for tests of the library only.
#[cfg(not(target_os = "wasi"))]
fn main() -> ExitCode {
    eprintln!("endcap-service is a WASI program: build it with `make guest`, run it with `make run`");
    ExitCode::from(2)
}
