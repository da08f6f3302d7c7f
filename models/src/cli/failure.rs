//! How a subcommand fails: a message and an exit code.

use std::fmt;
use std::process::ExitCode;

/// A failed subcommand.
#[derive(Debug)]
pub struct Failure {
    error: anyhow::Error,
    code: u8,
}

impl Failure {
    /// The input or the arguments are at fault: exit code 2.
    pub fn bad_input(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), code: 2 }
    }

    /// The system failed: exit code 1.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), code: 1 }
    }

    /// Either, as the error itself tells.
    pub fn new(error: impl Into<anyhow::Error>, is_bad_input: bool) -> Self {
        if is_bad_input { Self::bad_input(error) } else { Self::internal(error) }
    }

    /// The code for the shell.
    pub fn exit_code(&self) -> ExitCode {
        self.code.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every error of this crate names its source in its own text, so the chain would say it twice.
        write!(f, "{}", self.error)
    }
}
