//! Why a call by the ABI failed: more than its number says.

use super::errno;
use crate::NnError;

/// A failed call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WitxError {
    /// A range that is not in the guest's memory.
    #[error("{what}: {len} bytes at {ptr} are not within a memory of {size}")]
    Memory {
        /// What should be there.
        what: &'static str,
        /// Where.
        ptr: u32,
        /// How long.
        len: u32,
        /// Bytes of the memory.
        size: u64,
    },
    /// Text that is none.
    #[error("{what} is not UTF-8")]
    NotUtf8 {
        /// What should be text.
        what: &'static str,
    },
    /// A handle that was never given, or is no longer good.
    #[error("no {what} has the handle {handle}")]
    Handle {
        /// `graph` or `context`.
        what: &'static str,
        /// The handle.
        handle: u32,
    },
    /// A number that stands for nothing.
    #[error("{what} {found} is not one of {known}")]
    Number {
        /// `tensor type` or `target`.
        what: &'static str,
        /// The number.
        found: u32,
        /// Numbers that exist.
        known: &'static str,
    },
    /// An encoding that no engine here reads.
    #[error("encoding {found} is not one of 1 (onnx), 5 (autodetect), 6 (ggml)")]
    Encoding {
        /// The number.
        found: u32,
    },
    /// A target that no engine here has.
    #[error("no engine computes on target {found}")]
    Target {
        /// The number.
        found: u32,
    },
    /// More than the ABI's callers need.
    #[error("{what}: {found} is more than the limit of {limit}")]
    TooMuch {
        /// What was counted.
        what: &'static str,
        /// How much.
        found: u32,
        /// The limit.
        limit: u32,
    },
    /// An output that does not fit.
    #[error("an output of {needed} bytes does not fit into a buffer of {given}")]
    BufferTooSmall {
        /// Bytes of the output.
        needed: u64,
        /// Bytes of the buffer.
        given: u32,
    },
    /// What the engine says.
    #[error(transparent)]
    Nn(#[from] NnError),
}

impl WitxError {
    /// The number that the guest gets.
    pub fn errno(&self) -> u32 {
        match self {
            Self::Memory { .. } | Self::NotUtf8 { .. } | Self::Handle { .. } | Self::Number { .. } => {
                errno::INVALID_ARGUMENT
            }
            Self::Encoding { .. } => errno::INVALID_ENCODING,
            Self::Target { .. } => errno::UNSUPPORTED_OPERATION,
            Self::TooMuch { .. } | Self::BufferTooSmall { .. } => errno::TOO_LARGE,
            Self::Nn(error) => errno::of(error.category()),
        }
    }
}
