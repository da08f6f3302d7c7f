//! From the process's start to ready: settings, model, speed.

use std::fs::File;
use std::io::{self, Read};

use endcap_core::AlignedBytes;
use endcap_core::format::{FormatError, MAX_MODEL_BYTES, Model, Verify, section, sections};

/// Why there is no model to serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The model file cannot be read.
    #[error("MODEL_PATH=`{path}`: {source}")]
    Read {
        /// The path.
        path: String,
        /// What the host said.
        #[source]
        source: io::Error,
    },
    /// It is not a usable model.
    #[error("MODEL_PATH=`{path}`: {source}")]
    Model {
        /// The path.
        path: String,
        /// What is wrong with it.
        #[source]
        source: FormatError,
    },
    /// An address cannot be listened on.
    #[error("{variable}=`{address}`: {source}")]
    Listen {
        /// Which setting.
        variable: &'static str,
        /// Its value.
        address: std::net::SocketAddr,
        /// What the host said.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// What the operator can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Read { .. } => {
                "mount the model there and let the runtime see it (wasmedge --dir GUEST:HOST)"
            }
            Self::Model { source, .. } => source.remedy(),
            Self::Listen { .. } => "choose a free port and an address of this host",
        }
    }
}

/// Reads and validates the model file; gives it with the SHA-256 of its manifest in hex.
///
/// # Errors
/// Where it cannot be read or is not a usable model.
pub fn load_model(path: &str, verify: Verify) -> Result<(Model, String), StartError> {
    let bytes = read(path).map_err(|source| StartError::Read { path: path.to_owned(), source })?;
    let bytes = bytes.map_err(|source| StartError::Model { path: path.to_owned(), source })?;
    open_model(bytes, verify).map_err(|source| StartError::Model { path: path.to_owned(), source })
}

/// Validates the bytes of a model file; gives the model with the SHA-256 of its manifest in hex.
///
/// # Errors
/// Where they are not a usable model.
pub fn open_model(bytes: AlignedBytes, verify: Verify) -> Result<(Model, String), FormatError> {
    let digest = seal(bytes.as_slice());
    Ok((Model::open(bytes, verify)?, digest))
}

fn read(path: &str) -> io::Result<Result<AlignedBytes, FormatError>> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > MAX_MODEL_BYTES {
        return Ok(Err(FormatError::TooLarge { bytes, limit: MAX_MODEL_BYTES }));
    }
    let mut buffer = AlignedBytes::zeroed(bytes as usize);
    file.read_exact(buffer.as_mut_slice())?;
    Ok(Ok(buffer))
}

/// The file's seal in hex: SHA-256 of the manifest, which opening the model compares. Empty where there is none.
fn seal(file: &[u8]) -> String {
    let found = sections(file).unwrap_or_default().into_iter().find(|found| found.name == section::SEAL);
    let body = found.and_then(|found| found.body(file).ok()).map_or(&[][..], |body| &file[body]);
    body.iter().map(|byte| format!("{byte:02x}")).collect()
}
