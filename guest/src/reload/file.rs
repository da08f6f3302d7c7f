//! A file that others replace, read a piece at a time.

use std::fs::{self, File};
use std::io::{self, Read};
use std::time::SystemTime;

use endcap_core::AlignedBytes;
use endcap_core::format::{FormatError, MAX_MODEL_BYTES};

/// Bytes read at once: about a tenth of a millisecond.
const PIECE: usize = 256 << 10;

/// By what one content of a path is told from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Of what lies at `path` now.
    ///
    /// # Errors
    /// What the host said.
    pub fn of(path: &str) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        Ok(Self { bytes: found.len(), modified: found.modified().ok() })
    }
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    file: File,
    bytes: AlignedBytes,
    filled: usize,
    /// What was found when it began.
    pub(super) stamp: Stamp,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Format(#[from] FormatError),
    #[error("no memory for its {0} bytes beside the model that serves")]
    Memory(u64),
}

impl Reading {
    pub(super) fn open(path: &str, stamp: Stamp) -> Result<Self, ReadError> {
        if stamp.bytes > MAX_MODEL_BYTES {
            return Err(FormatError::TooLarge { bytes: stamp.bytes, limit: MAX_MODEL_BYTES }.into());
        }
        let file = File::open(path)?;
        let bytes = AlignedBytes::try_zeroed(stamp.bytes as usize).ok_or(ReadError::Memory(stamp.bytes))?;
        Ok(Self { file, bytes, filled: 0, stamp })
    }

    /// Reads a piece; whether that was the last.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        let rest = &mut self.bytes.as_mut_slice()[self.filled..];
        let piece = rest.len().min(PIECE);
        self.file.read_exact(&mut rest[..piece])?;
        self.filled += piece;
        Ok(self.filled == self.bytes.len())
    }

    pub(super) fn into_bytes(self) -> AlignedBytes {
        self.bytes
    }
}
