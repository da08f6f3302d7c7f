//! What a file is, by its content.

use std::fs;
use std::path::Path;

use super::super::ImportError;
use super::bytes::Bytes;

/// A file format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Rows of fields separated by a comma, semicolon, tab or bar, with a header; perhaps gzipped.
    Csv,
    /// One JSON object a line; perhaps gzipped.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The word used in `--format` and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

/// Separators tried, the most usual first: a tie goes to the earlier.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// The size of the file in bytes; refuses a folder.
pub(super) fn size(path: &Path) -> Result<u64, ImportError> {
    let meta = fs::metadata(path).map_err(|source| ImportError::Open { path: path.to_owned(), source })?;
    if meta.is_dir() { Err(ImportError::Folder(path.to_owned())) } else { Ok(meta.len()) }
}

/// The format by the first bytes, whatever the file's name.
pub(super) fn format(bytes: &Bytes) -> Result<Format, ImportError> {
    let path = || bytes.path.clone();
    let unsupported = |what, fix| ImportError::Unsupported { path: path(), what, fix };
    let head = bytes.head.as_slice();
    if head.starts_with(b"PAR1") {
        return if bytes.gzip {
            Err(unsupported("a gzipped Parquet file", "decompress it with gunzip first"))
        } else {
            Ok(Format::Parquet)
        };
    }
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(unsupported("UTF-16 text", "convert it with: iconv -f UTF-16 -t UTF-8"));
    }
    if head.starts_with(b"PK\x03\x04") {
        return Err(unsupported("a zip archive or an Excel workbook", "unpack it, or save it as CSV"));
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(unsupported("compressed with zstd", "decompress it with: zstd -d"));
    }
    match head.iter().find(|b| !b.is_ascii_whitespace()) {
        None => Err(ImportError::Empty(path())),
        Some(b'{') => Ok(Format::Jsonl),
        Some(b'[') => Err(unsupported("one JSON array", "write one object a line, as with: jq -c '.[]'")),
        Some(_) => Ok(Format::Csv),
    }
}

/// The separator that occurs most often in the header, outside quotes; a comma where none does.
pub(super) fn delimiter(head: &[u8]) -> u8 {
    let mut counts = [0usize; DELIMITERS.len()];
    let mut quoted = false;
    let start = head.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(head.len());
    for &byte in &head[start..] {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if !quoted => {
                if let Some(i) = DELIMITERS.iter().position(|&d| d == byte) {
                    counts[i] += 1;
                }
            }
            _ => {}
        }
    }
    // `rev` because max_by_key takes the last of equals.
    let best = DELIMITERS.iter().zip(counts).rev().max_by_key(|(_, count)| *count);
    best.map_or(b',', |(delimiter, _)| *delimiter)
}
