//! What can be wrong with a text model.

use std::io;
use std::path::PathBuf;

/// Why there are no vectors of texts.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The file system refused.
    #[error("cannot read the text model {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that cannot be run.
    #[error(
        "{} is no text model that can be run: {reason}; give a GGUF file with a tokenizer, of a sentence encoder (architecture \
         bert) or of the Llama family (llama)",
        path.display()
    )]
    Model {
        /// The file.
        path: PathBuf,
        /// What the engine said.
        reason: String,
    },
    /// A text was not turned into a vector.
    #[error("the text model {} has no vector for `{text}`: {reason}; another file may not be damaged so", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// The text, its begin.
        text: String,
        /// What the engine said.
        reason: String,
    },
    /// Nothing to read.
    #[error(
        "no item has a name or a category for the text model to read: import them (`endcap-model import LOG --catalog FILE`), or \
         leave out --text-model"
    )]
    NoTexts,
    /// There are no items that would be compared.
    #[error(
        "--text-model compares items without visits, and --content-below 0 has none of them: leave out one of the two"
    )]
    NoColdItems,
    /// A build without text models.
    #[error(
        "this build runs no text models, so --text-model cannot be followed: `make tools` builds one that does (cargo build --release \
         -p endcap-models --features text)"
    )]
    NotBuilt,
}

impl TextError {
    /// Whether the system failed, and not the input.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Io { source, .. } if !matches!(
            source.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory))
    }
}
