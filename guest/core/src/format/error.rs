//! Why a file is not a usable model.

use super::arrays::ArrayError;

/// A refused model file. Every message says what was found and where; [`FormatError::remedy`] how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The file does not begin with the Wasm preamble.
    #[error("not a Wasm module: the first 8 bytes are not the preamble `\\0asm` 1.0")]
    NotWasm,
    /// The file is larger than [`super::MAX_MODEL_BYTES`].
    #[error("file has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Size found.
        bytes: u64,
        /// Largest accepted size.
        limit: u64,
    },
    /// The file ends inside a section.
    #[error("file ends at byte {end}, inside {what} that starts at byte {offset}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it starts.
        offset: usize,
        /// Length of the file.
        end: usize,
    },
    /// A LEB128 number is longer than 32 bits.
    #[error("malformed section length at byte {offset}")]
    BadLength {
        /// Where the number starts.
        offset: usize,
    },
    /// A section that a model never has: a model carries data, not code.
    #[error("section of kind {kind} at byte {offset}: a model has custom sections only")]
    ForeignSection {
        /// Wasm section id.
        kind: u8,
        /// Where it starts.
        offset: usize,
    },
    /// A Wasm module without `endcap.manifest` in front.
    #[error("a Wasm module without `endcap.manifest` as its first section: not a model file")]
    NoManifest,
    /// Alignment padding that is not zero or leaves the body misaligned.
    #[error("section `{section}`: bad alignment padding at byte {offset}")]
    BadPadding {
        /// Section name.
        section: String,
        /// Where the padding starts.
        offset: usize,
    },
    /// A section name that is not UTF-8.
    #[error("section name at byte {offset} is not UTF-8")]
    BadName {
        /// Where the name starts.
        offset: usize,
    },
    /// The manifest is not the JSON that version 1 asks for.
    #[error("manifest: {reason}")]
    Manifest {
        /// What the JSON reader said, with line and column.
        reason: String,
    },
    /// Written by a newer version.
    #[error("format version {found}; this build reads versions 1 to {supported}")]
    FutureVersion {
        /// Version in the file.
        found: u64,
        /// Newest version that this build reads.
        supported: u32,
    },
    /// A section that the manifest names, or that every model needs, is not in the file.
    #[error("section `{section}` is missing")]
    MissingSection {
        /// Section name.
        section: String,
    },
    /// An `endcap.*` section that stands twice or that the manifest does not name.
    #[error("section `{section}` at byte {offset} is not in the manifest or stands twice")]
    UnexpectedSection {
        /// Section name.
        section: String,
        /// Where it starts.
        offset: usize,
    },
    /// A body differs from what the manifest says of it.
    #[error("section `{section}` is damaged: its {digest} differs from the manifest's")]
    Digest {
        /// Section name.
        section: String,
        /// Which digest differs: `length`, `xxh3` or `sha256`.
        digest: &'static str,
    },
    /// The arrays of a section do not follow the grammar.
    #[error("section `{section}`: {error}")]
    Arrays {
        /// Section name.
        section: &'static str,
        /// What is wrong with them.
        error: ArrayError,
    },
    /// Arrays are well formed, and contradict each other.
    #[error("section `{section}`: {what}")]
    Invariant {
        /// Section name.
        section: &'static str,
        /// The broken rule.
        what: &'static str,
    },
}

impl FormatError {
    /// What the operator can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotWasm | Self::NoManifest | Self::ForeignSection { .. } => {
                "point MODEL_PATH at a file made by `endcap-model pack`"
            }
            Self::FutureVersion { .. } => {
                "update the service, or pack the model with this release's endcap-model"
            }
            Self::TooLarge { .. } => "train on fewer items or sessions, or with fewer neighbours per item",
            _ => "copy the file again, or pack it again with `endcap-model pack`",
        }
    }
}
