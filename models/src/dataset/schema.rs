//! The files and columns of a dataset, and the sizes that bound memory.

use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

/// Version of the format, written in `import.json`. A reader refuses a later one.
pub const FORMAT_VERSION: u32 = 1;

/// The events' file name.
pub const EVENTS_FILE: &str = "events.parquet";
/// The items' file name.
pub const ITEMS_FILE: &str = "items.parquet";
/// The report's file name.
pub const REPORT_FILE: &str = "import.json";
/// Every file of a dataset.
pub const FILES: [&str; 3] = [EVENTS_FILE, ITEMS_FILE, REPORT_FILE];

/// Rows a writer collects before it writes them out. At some 100 bytes a row that is about 7 MB in memory, and
/// groups of this size still compress within a few per cent of ones sixteen times larger.
pub const ROW_GROUP_ROWS: usize = 65_536;

/// Rows a reader decodes at a time: large enough that the cost of a call vanishes, small enough (under 1 MB of
/// strings) to stay in a second-level cache.
pub const READ_BATCH_ROWS: usize = 8_192;

/// Columns of `events.parquet`, in order. Times are UTC.
pub const EVENTS_SCHEMA: &str = "message events {
    OPTIONAL BYTE_ARRAY user (STRING);
    OPTIONAL BYTE_ARRAY session (STRING);
    REQUIRED BYTE_ARRAY item (STRING);
    REQUIRED INT64 time (TIMESTAMP(MICROS,true));
    REQUIRED BYTE_ARRAY event (STRING);
    OPTIONAL DOUBLE quantity;
    OPTIONAL DOUBLE price;
}";

/// Columns of `items.parquet`, in order. Times are UTC.
pub const ITEMS_SCHEMA: &str = "message items {
    REQUIRED BYTE_ARRAY item (STRING);
    OPTIONAL BYTE_ARRAY name (STRING);
    OPTIONAL BYTE_ARRAY category (STRING);
    OPTIONAL DOUBLE price;
    OPTIONAL DOUBLE stock;
    OPTIONAL INT64 first_seen (TIMESTAMP(MICROS,true));
    OPTIONAL INT64 last_seen (TIMESTAMP(MICROS,true));
}";

pub(crate) fn parse(schema: &str) -> Result<TypePtr, ParquetError> {
    Ok(Arc::new(parse_message_type(schema)?))
}

/// Level 3 is zstd's own default: on shop logs a third smaller than snappy, and still faster to read than a
/// disk of an edge node.
pub(crate) fn writer_properties() -> Result<Arc<WriterProperties>, ParquetError> {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(3)?);
    let version = concat!("endcap-models ", env!("CARGO_PKG_VERSION"));
    Ok(Arc::new(WriterProperties::builder().set_compression(zstd).set_created_by(version.to_owned()).build()))
}
