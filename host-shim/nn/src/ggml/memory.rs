//! A model's bytes as a file that llama.cpp can map.
//!
//! llama.cpp loads from files only. Bytes that came from a guest are put into an anonymous file of the kernel's
//! memory: nothing touches a disk, no name can clash or be guessed, it works in a container without `/tmp` and
//! `/proc`, since the descriptor itself is handed over, and llama.cpp maps it instead of copying it once more. The
//! file is sealed, so that what was checked is what is loaded and the mapping can never lose pages.

use std::fs::File;
use std::io::Write;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// The file, its position at the begin of the bytes.
pub(super) fn file_of(bytes: &[u8]) -> std::io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"endcap-gguf", flags)?);
    file.write_all(bytes)?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    std::io::Seek::rewind(&mut file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_file_reads_as_the_bytes_and_cannot_change() {
        let mut file = file_of(b"GGUF").unwrap();
        assert!(file.set_len(1).is_err());
        assert!(file.write_all(b"x").is_err());
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"GGUF");
    }
}
