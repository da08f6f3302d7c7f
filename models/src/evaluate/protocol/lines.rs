//! Text files of protocols, plain or gzipped.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use endcap_core::ItemIx;
use endcap_core::format::ItemRecord;

use crate::evaluate::EvaluateError;
use crate::train::Log;

/// Calls `each` with the number (from 1) and text of every line of `path`.
pub(super) fn for_each(
    path: &Path,
    mut each: impl FnMut(usize, &str) -> Result<(), EvaluateError>,
) -> Result<(), EvaluateError> {
    let io = |source| EvaluateError::Io { path: path.to_owned(), source };
    let file = BufReader::new(File::open(path).map_err(io)?);
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    for (number, line) in (1..).zip(BufReader::new(reader).lines()) {
        each(number, line.map_err(io)?.trim_end())?;
    }
    Ok(())
}

/// A record with nothing but an id.
pub(super) fn bare(id: &str) -> ItemRecord {
    ItemRecord { id: id.to_owned(), price: f32::NAN, ..ItemRecord::default() }
}

/// Item numbers of a log by id.
pub(super) fn numbers(log: &Log) -> HashMap<&str, ItemIx> {
    (0..).zip(&log.items).map(|(number, item)| (item.id.as_str(), number)).collect()
}
