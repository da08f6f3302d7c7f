//! How a subcommand fails: a message and an exit code.

use std::fmt;
use std::process::ExitCode;

use crate::HostError;

/// A failed subcommand.
#[derive(Debug)]
pub enum Failure {
    /// The guest or the system failed.
    System(anyhow::Error),
    /// The arguments or the input are at fault.
    Input(anyhow::Error),
    /// The guest's function returned its error, as JSON.
    Guest(String),
}

impl Failure {
    /// The code for the shell.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::System(_) => 1,
            Self::Input(_) => 2,
            Self::Guest(_) => 3,
        })
    }

    pub(super) fn input(error: impl Into<anyhow::Error>) -> Self {
        Self::Input(error.into())
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        if error.is_bad_input() { Self::Input(error.into()) } else { Self::System(error.into()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Every error of this crate names its cause in its own text.
            Self::System(error) | Self::Input(error) => write!(f, "error: {error}"),
            Self::Guest(json) => f.write_str(json),
        }
    }
}
