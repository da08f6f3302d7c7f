//! `endcap-host`: hands over to [`endcap_host::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    endcap_host::cli::main()
}
