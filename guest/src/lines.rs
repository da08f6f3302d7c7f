//! Wires the API without sockets to the process. Everything else is in the library.

use std::process::ExitCode;

#[cfg(target_os = "wasi")]
fn main() -> ExitCode {
    endcap_service::program::lines()
}

/// A native build has no wasi-nn.
#[cfg(not(target_os = "wasi"))]
fn main() -> ExitCode {
    eprintln!("endcap-lines is a WASI program: build it with `make guest`");
    ExitCode::from(2)
}
