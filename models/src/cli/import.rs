//! `endcap-model import`.

use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;

use super::{Failure, print, print_json};
use crate::import::{self, ColumnMap, ImportError, Plan, ReadOptions, Rules};
use crate::progress::{Progress, Unit};
use crate::report::import_summary;

/// Turn logs and a catalogue into a dataset.
///
/// Reads CSV, TSV (also gzipped), JSON lines (also gzipped) and Parquet; the format is found by content.
/// Columns are recognised by their names, such as user_id, session, sku, timestamp, event_type, qty, price; name
/// others with --map. A row needs an item, a time, and a user or a session.
///
/// Times: seconds, milli-, micro- or nanoseconds since 1970 (told apart by magnitude), RFC 3339,
/// `YYYY-MM-DD HH:MM[:SS]`, `M/D/YYYY H:MM` (month first), `DD.MM.YYYY HH:MM`; UTC where no offset is given. A
/// time before 1990, or more than two days ahead, is bad.
///
/// UCI Online Retail is recognised by its columns: an invoice is a session, each row a purchase. Dropped there:
/// cancellations (invoice C…, or quantity ≤ 0); codes that do not begin with five digits, which are postage,
/// fees and vouchers (POST, M, BANK CHARGES, gift_0001_20) and a few rows of a partner's goods (DCGS…); and
/// adjustments (price ≤ 0). In other logs a quantity below zero is a cancellation.
///
/// A bad row is counted and shown, and fails the import above --max-bad-share.
///
/// Exit codes: 0 done; 1 the system failed; 2 the input or an argument is at fault, and no dataset is written.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Logs; their events are written in this order.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Folder for the dataset; must not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// File of items: id or item, name, category, price, stock. What it says goes before what the logs say.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Columns by field: user=COL,item=COL,time=COL,event=COL,session=COL,quantity=COL,price=COL,name=COL,
    /// category=COL,stock=COL. `user=` alone leaves a field out.
    #[arg(long, value_name = "FIELD=COL,...")]
    map: Vec<String>,
    /// Format of every file.
    #[arg(long, value_enum, default_value_t = FormatArg::Auto)]
    format: FormatArg,
    /// Separator of CSV: one character, `tab`, or `auto`.
    #[arg(long, default_value = "auto", value_parser = parse_delimiter)]
    delimiter: Delimiter,
    /// Keep cancellations, as events named cancel.
    #[arg(long)]
    keep_cancellations: bool,
    /// Keep codes that are no products (Online Retail).
    #[arg(long)]
    keep_non_products: bool,
    /// Event of rows without an event column [default: purchase for Online Retail, else view].
    #[arg(long, value_name = "NAME", value_parser = parse_event_name)]
    event_name: Option<String>,
    /// Share of bad rows, 0 to 1, above which the import fails.
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = parse_share)]
    max_bad_share: f64,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Replace a dataset that is there. A folder with other files is never replaced.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Auto,
    Csv,
    Jsonl,
    Parquet,
}

#[derive(Debug, Clone, Copy)]
struct Delimiter(Option<u8>);

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let failure = |e: ImportError| {
        let is_bad_input = e.is_bad_input();
        Failure::new(e, is_bad_input)
    };
    let plan = plan(args).map_err(failure)?;
    // A file that cannot be read is reported by the import itself.
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let mut progress = Progress::new("reading", plan.inputs.iter().map(size).sum(), Unit::Bytes);
    let started = Instant::now();
    let result = import::run(&plan, &mut progress);
    progress.finish();
    let report = result.map_err(failure)?;
    if args.json {
        return print_json(&report);
    }
    print(&format!("{}\ntook {:.1} s\n", import_summary(&report, &plan.out), started.elapsed().as_secs_f64()))
}

fn plan(args: &Args) -> Result<Plan, ImportError> {
    let format = match args.format {
        FormatArg::Auto => None,
        FormatArg::Csv => Some(import::Format::Csv),
        FormatArg::Jsonl => Some(import::Format::Jsonl),
        FormatArg::Parquet => Some(import::Format::Parquet),
    };
    let columns = ColumnMap::parse(args.map.iter().map(String::as_str))?;
    Ok(Plan {
        inputs: args.inputs.clone(),
        catalogue: args.catalog.clone(),
        out: args.out.clone(),
        force: args.force,
        read: ReadOptions { format, delimiter: args.delimiter.0, columns },
        rules: Rules {
            keep_cancellations: args.keep_cancellations,
            keep_non_products: args.keep_non_products,
            event_name: args.event_name.clone(),
            max_bad_share: args.max_bad_share,
            now: jiff::Timestamp::now().as_microsecond(),
        },
    })
}

fn parse_delimiter(text: &str) -> Result<Delimiter, String> {
    match (text, text.as_bytes()) {
        ("auto", _) => Ok(Delimiter(None)),
        ("tab" | "\\t", _) => Ok(Delimiter(Some(b'\t'))),
        (_, [byte])
            if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r') =>
        {
            Ok(Delimiter(Some(*byte)))
        }
        _ => Err("give one character that is no letter, digit or quote, or tab, or auto".to_owned()),
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("give a number from 0 to 1, such as 0.01 for 1 %".to_owned()),
    }
}

fn parse_event_name(text: &str) -> Result<String, String> {
    let name = text.trim().to_lowercase();
    let valid = !name.is_empty() && name.len() <= 64 && !name.chars().any(char::is_control);
    if valid { Ok(name) } else { Err("give a word of at most 64 bytes".to_owned()) }
}
