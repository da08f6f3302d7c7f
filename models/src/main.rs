//! `endcap-model`: parses nothing and computes nothing, it hands over to [`endcap_models::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    endcap_models::cli::main()
}
