//! Checksums of the files of a dataset.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use super::{DatasetError, FileSum};

/// Bytes hashed at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Size and checksum of a file. Reads all of it, at some GB a second once it is cached.
pub(super) fn sum(path: &Path) -> Result<FileSum, DatasetError> {
    let read = || -> io::Result<FileSum> {
        let mut file = File::open(path)?;
        let (mut hash, mut bytes) = (Xxh3::new(), 0);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                return Ok(FileSum { bytes, xxh3: format!("{:016x}", hash.digest()) });
            }
            bytes += read as u64;
            hash.update(&chunk[..read]);
        }
    };
    read().map_err(|source| DatasetError::Io { action: "read", path: path.to_owned(), source })
}

/// Refuses a file that is not the one that was written.
pub(super) fn check(path: &Path, expected: Option<&FileSum>) -> Result<(), DatasetError> {
    let found = sum(path)?;
    match expected {
        Some(expected) if *expected == found => Ok(()),
        _ => Err(DatasetError::Checksum {
            path: path.to_owned(),
            found: found.bytes,
            expected: expected.map_or(0, |sum| sum.bytes),
        }),
    }
}
