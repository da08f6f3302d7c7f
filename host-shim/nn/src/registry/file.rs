//! A registered model's file: opened, measured, and held against its digest.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Registered;

/// Bytes that tell what a file is: a GGUF magic, or the first fields of a protobuf.
const HEAD_BYTES: u64 = 4096;
/// Bytes hashed at a time: large enough that system calls cost nothing, small enough for the cache.
const HASH_BLOCK: usize = 64 << 10;

/// What can be wrong with the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
    #[error("{path} is not a file")]
    NotAFile { path: String },
    #[error("{path} has another sha256 than registered: {found}")]
    Digest { path: String, found: String },
    #[error("{path} changed while it was read")]
    Changed { path: String },
}

/// An open file of a registered model.
#[derive(Debug)]
pub(crate) struct ModelFile<'a> {
    model: &'a Registered,
    file: File,
    len: u64,
}

impl Registered {
    /// Opens the file.
    pub(crate) fn open(&self) -> Result<ModelFile<'_>, FileError> {
        let io = |error| FileError::Io { path: self.shown(), error };
        // Before opening: a FIFO would wait for a writer.
        if !std::fs::metadata(&self.path).map_err(io)?.is_file() {
            return Err(FileError::NotAFile { path: self.shown() });
        }
        let file = File::open(&self.path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        Ok(ModelFile { model: self, file, len: metadata.len() })
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

impl ModelFile<'_> {
    pub(crate) fn path(&self) -> &Path {
        &self.model.path
    }

    /// Bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The first bytes.
    pub(crate) fn head(&self) -> Result<Vec<u8>, FileError> {
        self.rewound()?.take(HEAD_BYTES).read_whole().map_err(|error| self.io(error))
    }

    /// All bytes, after their digest has been checked.
    pub(crate) fn read(&self) -> Result<Vec<u8>, FileError> {
        // Not more than was measured: the caller has held the length against its limit.
        let bytes = self.rewound()?.take(self.len).read_whole().map_err(|error| self.io(error))?;
        if bytes.len() as u64 != self.len {
            return Err(FileError::Changed { path: self.model.shown() });
        }
        self.compare(|| Ok(Sha256::digest(&bytes).into()))?;
        Ok(bytes)
    }

    /// Checks the digest for an engine that reads the file itself.
    pub(crate) fn check_digest(&self) -> Result<(), FileError> {
        self.compare(|| {
            let mut file = self.rewound()?;
            let mut hash = Sha256::new();
            let mut block = vec![0; HASH_BLOCK];
            loop {
                match file.read(&mut block).map_err(|error| self.io(error))? {
                    0 => return Ok(hash.finalize().into()),
                    read => hash.update(&block[..read]),
                }
            }
        })
    }

    fn compare(&self, digest: impl FnOnce() -> Result<[u8; 32], FileError>) -> Result<(), FileError> {
        let Some(expected) = self.model.sha256 else { return Ok(()) };
        let found = digest()?;
        if found == expected {
            return Ok(());
        }
        let found = found.iter().map(|byte| format!("{byte:02x}")).collect();
        Err(FileError::Digest { path: self.model.shown(), found })
    }

    fn rewound(&self) -> Result<&File, FileError> {
        (&self.file).seek(SeekFrom::Start(0)).map_err(|error| self.io(error))?;
        Ok(&self.file)
    }

    fn io(&self, error: io::Error) -> FileError {
        FileError::Io { path: self.model.shown(), error }
    }
}

trait ReadWhole: Read {
    fn read_whole(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read> ReadWhole for R {}
