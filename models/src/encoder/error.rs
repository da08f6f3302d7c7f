//! What can be wrong with a file of weights.

use std::io;
use std::path::PathBuf;

use endcap_core::encoder::TensorError;

/// Why weights could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More bytes than the weights of the largest model have.
    #[error("{} has {bytes} bytes, more than the limit of {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// Largest accepted size.
        limit: u64,
    },
    /// What was wrong inside a file.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        error: Box<WeightsError>,
    },
    /// Not safetensors, or cut short.
    #[error("not a safetensors file, or a damaged one: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// The header's metadata lacks the dimensions.
    #[error(
        "the metadata of the safetensors file has no `{key}`, which holds the encoder's dimensions as JSON"
    )]
    NoShape {
        /// The key asked for.
        key: &'static str,
    },
    /// The dimensions are no JSON of theirs.
    #[error("the metadata's `{key}` is not the JSON of an encoder's dimensions: {source}")]
    Shape {
        /// The key.
        key: &'static str,
        /// What the JSON reader said, with line and column.
        source: serde_json::Error,
    },
    /// A tensor that the dimensions ask for is absent.
    #[error("tensor `{name}` is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor of another element type.
    #[error("tensor `{name}` holds {found}; only F32 is read")]
    Type {
        /// Its name.
        name: String,
        /// Type found.
        found: String,
    },
    /// A tensor of another shape.
    #[error("tensor `{name}` has shape {found:?}; the dimensions ask for {expected:?}")]
    Dimensions {
        /// Its name.
        name: String,
        /// Shape found.
        found: Vec<usize>,
        /// Shape that the dimensions ask for.
        expected: Vec<usize>,
    },
    /// A tensor that the architecture does not have, such as a bias: leaving it out would change the model.
    #[error("tensor `{name}` is no part of this architecture (no biases, no further layers)")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// Dimensions out of range, or weights that are not finite.
    #[error(transparent)]
    Tensors(#[from] TensorError),
}
