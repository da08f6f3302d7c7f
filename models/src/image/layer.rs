//! A layer of one file: a tar whose every byte follows from the file, compressed.

use std::io::Write;

use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header, HeaderMode};

use super::ImageError;

/// A file of a layer, owned by root so that the process cannot change it.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Path from the root, without the leading slash.
    pub path: &'a str,
    /// Permission bits.
    pub mode: u32,
    /// Contents.
    pub bytes: &'a [u8],
}

/// A compressed layer.
#[derive(Debug)]
pub(super) struct Layer {
    /// `sha256:` of the tar before compression.
    pub diff_id: String,
    /// The compressed tar.
    pub bytes: Vec<u8>,
}

impl Layer {
    pub(super) fn of(entry: &Entry<'_>, modified: Timestamp) -> Result<Self, ImageError> {
        let mut builder = Builder::new(Vec::new());
        builder.mode(HeaderMode::Deterministic);
        append(&mut builder, entry, modified)?;
        let tar = builder.into_inner()?;
        let diff_id = digest(&tar);
        // No name and no time in the header of gzip: they would be the only things that change.
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        gzip.write_all(&tar)?;
        Ok(Self { diff_id, bytes: gzip.finish()? })
    }
}

/// Adds a file with a header that says nothing of who packs it, where and when.
pub(super) fn append<W: Write>(
    builder: &mut Builder<W>,
    entry: &Entry<'_>,
    modified: Timestamp,
) -> Result<(), ImageError> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_size(entry.bytes.len() as u64);
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(modified.as_second().max(0).cast_unsigned());
    builder.append_data(&mut header, entry.path, entry.bytes)?;
    Ok(())
}

/// `sha256:` and 64 hex digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
