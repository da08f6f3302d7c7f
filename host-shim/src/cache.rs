//! Compiled artefacts on disk, so that a guest compiles once and starts in milliseconds ever after.
//!
//! One file an artefact, named by the SHA-256 of the guest and by a fingerprint of the engine (wasmtime's version,
//! processor features and every setting that shapes code): another guest or engine has another file, and nothing is
//! ever stale. A file is magic, the SHA-256 of the rest, and the rest.
//!
//! Artefacts are machine code that will be run, and wasmtime cannot check it. Two things make that sound: the
//! folder belongs to the user alone, so that only what this user's own processes wrote is ever read; and the digest
//! tells a file that was torn or damaged. Anyone who can write to the folder can run code as this user already.

use std::fs::{self, DirBuilder, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;

/// Of the file format, with its version.
const MAGIC: &[u8; 8] = b"endcapA1";
/// Bytes of a SHA-256.
const DIGEST_BYTES: usize = 32;
/// Permission bits that only the owner may have.
const OTHERS: u32 = 0o077;

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The system refused.
    #[error("cache {}: {source}", path.display())]
    Io {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could put code there.
    #[error("cache {}: {reason}; it holds machine code, so it has to be yours alone", path.display())]
    Unsafe {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A folder of artefacts.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    engine: String,
}

/// The bytes of an artefact as the cache wrote them: no others are ever made into one.
pub(crate) struct Sealed(Vec<u8>);

impl Sealed {
    /// What `serialize` gave.
    pub(crate) fn artefact(&self) -> &[u8] {
        self.0.get(MAGIC.len() + DIGEST_BYTES..).unwrap_or_default()
    }
}

impl Cache {
    /// Opens `folder`, or makes it.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Result<Self, CacheError> {
        let io = |source| CacheError::Io { path: folder.to_owned(), source };
        let not_safe = |reason| CacheError::Unsafe { path: folder.to_owned(), reason };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        // Not following a link: whoever made it could point it elsewhere between this check and a read.
        let metadata = fs::symlink_metadata(folder).map_err(io)?;
        if !metadata.is_dir() {
            return Err(not_safe("it is a link or a file"));
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(not_safe("it belongs to another user"));
        }
        if metadata.mode() & OTHERS != 0 {
            return Err(not_safe("others may enter it (chmod 700 mends that)"));
        }
        let mut fingerprint = Fingerprint(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut fingerprint);
        Ok(Self { folder: folder.to_owned(), engine: hex(&fingerprint.0.finalize()[..8]) })
    }

    /// The artefact of a guest; `None` where there is none, or only a damaged one.
    pub(crate) fn get(&self, kind: &str, wasm: &[u8]) -> Option<Sealed> {
        let mut bytes = Vec::new();
        File::open(self.path(kind, wasm)).ok()?.read_to_end(&mut bytes).ok()?;
        let (digest, artefact) = bytes.strip_prefix(MAGIC)?.split_at_checked(DIGEST_BYTES)?;
        (Sha256::digest(artefact)[..] == *digest).then_some(Sealed(bytes))
    }

    /// Keeps the artefact of a guest. A reader sees the whole file or none, whoever else writes it.
    pub(crate) fn put(&self, kind: &str, wasm: &[u8], artefact: &[u8]) -> Result<(), CacheError> {
        let path = self.path(kind, wasm);
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(MAGIC)?;
            file.write_all(&Sha256::digest(artefact))?;
            file.write_all(artefact)?;
            // No fsync: a file torn by a power cut has the wrong digest and is compiled again.
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| CacheError::Io { path: path.clone(), source })
    }

    fn path(&self, kind: &str, wasm: &[u8]) -> PathBuf {
        self.folder.join(format!("{}-{}.{kind}", hex(&Sha256::digest(wasm)), self.engine))
    }
}

/// Feeds what an engine says about itself to SHA-256: the standard library's hasher may change with the compiler.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |value, &byte| value << 8 | u64::from(byte))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
