//! The bytes of a text file, decompressed, with its beginning at hand and its position known.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::super::ImportError;

/// Bytes looked at to find the format, the separator and the keys of JSON lines.
const HEAD_BYTES: u64 = 256 << 10;

/// Read in pieces of this size: a system call per row would cost more than the row.
const BUFFER_BYTES: usize = 128 << 10;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const UTF8_BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// An opened text file.
pub(crate) struct Bytes {
    pub(crate) path: PathBuf,
    /// Whether the file is compressed.
    pub(crate) gzip: bool,
    /// The first bytes, decompressed, without a byte order mark.
    pub(crate) head: Vec<u8>,
    /// Everything, `head` included.
    pub(crate) stream: Box<dyn BufRead>,
    /// Bytes read from the disk.
    pub(crate) position: Rc<Cell<u64>>,
}

impl Bytes {
    pub(crate) fn open(path: &Path) -> Result<Self, ImportError> {
        let open_error = |source| ImportError::Open { path: path.to_owned(), source };
        let position = Rc::new(Cell::new(0));
        let counted = Counted { inner: File::open(path).map_err(open_error)?, position: position.clone() };
        let mut file = BufReader::with_capacity(BUFFER_BYTES, counted);
        let gzip = file.fill_buf().map_err(open_error)?.starts_with(&GZIP_MAGIC);
        let mut decoded: Box<dyn Read> =
            if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut head = Vec::new();
        (&mut decoded)
            .take(HEAD_BYTES)
            .read_to_end(&mut head)
            .map_err(|e| read_error(path, gzip, position.get(), line_of(&head), e))?;
        if head.starts_with(&UTF8_BOM) {
            head.drain(..UTF8_BOM.len());
        }
        let stream =
            Box::new(BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head.clone()).chain(decoded)));
        Ok(Self { path: path.to_owned(), gzip, head, stream, position })
    }
}

/// Lines begun in `head`, for a message.
fn line_of(head: &[u8]) -> u64 {
    1 + head.iter().filter(|&&b| b == b'\n').count() as u64
}

/// What an error of the stream means. `line` is the last line that was begun.
pub(crate) fn read_error(path: &Path, gzip: bool, byte: u64, line: u64, source: io::Error) -> ImportError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::UnexpectedEof if gzip => ImportError::Truncated { path, byte, line },
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if gzip => {
            ImportError::Gzip { path, byte, line, source }
        }
        _ => ImportError::Read { path, byte, line, source },
    }
}

struct Counted {
    inner: File,
    position: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position.set(self.position.get() + read as u64);
        Ok(read)
    }
}
