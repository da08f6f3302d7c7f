//! The printed form of an import's report.

use std::fmt::Write as _;
use std::path::Path;

use super::format::{count, date, share};
use super::table::{Align, Table};
use crate::dataset::{Dropped, Example, ImportReport, Source};

/// The report as text: what was read, what came of the rows, the dataset, and examples of bad rows.
pub fn import_summary(report: &ImportReport, out: &Path) -> String {
    let mut text = String::new();
    let catalogue = report.catalogue.as_ref();
    let mut files = Table::new(
        "Read",
        &[
            ("file", Align::Left),
            ("format", Align::Left),
            ("rows", Align::Right),
            ("MB", Align::Right),
            ("columns", Align::Left),
        ],
    );
    for source in report.sources.iter().chain(catalogue.map(|c| &c.source)) {
        let size = format!("{:.1}", source.bytes as f64 / 1e6);
        files.row([
            source.path.display().to_string(),
            form(source),
            count(source.rows),
            size,
            columns(source),
        ]);
    }
    let mut rows = outcome("Rows", report.rows_read, report.rows_kept, &report.dropped);
    if let Some(catalogue) = catalogue {
        let items = outcome("Catalogue rows", catalogue.source.rows, catalogue.rows_kept, &catalogue.dropped);
        rows.push('\n');
        rows.push_str(&items);
    }
    // Writing to a String does not fail.
    let _ = write!(text, "{files}\n{rows}\n{}", dataset(report, out));
    let dropped = report.dropped.iter().chain(catalogue.iter().flat_map(|c| &c.dropped));
    let bad = dropped.filter(|drop| drop.bad).flat_map(|drop| &drop.examples);
    let repeated = catalogue.iter().flat_map(|c| &c.repeated_examples);
    let bad = examples("bad row", bad) + &examples("listed again", repeated);
    if !bad.is_empty() {
        let _ = write!(text, "\n{bad}");
    }
    text
}

fn form(source: &Source) -> String {
    let gzip = if source.gzip { ".gz" } else { "" };
    let delimiter = match source.delimiter {
        None | Some(',') => String::new(),
        Some('\t') => " (tab)".to_owned(),
        Some(other) => format!(" ({other})"),
    };
    format!("{}{gzip}{delimiter}, {}", source.format, source.profile)
}

fn columns(source: &Source) -> String {
    let pair = |(field, column): (&String, &String)| match field == column {
        true => field.clone(),
        false => format!("{field}={column}"),
    };
    source.mapping.iter().map(pair).collect::<Vec<_>>().join(", ")
}

fn outcome(title: &str, read: u64, kept: u64, dropped: &[Dropped]) -> String {
    let mut table = Table::new(title, &[("", Align::Left), ("rows", Align::Right), ("share", Align::Right)]);
    table.row(["read".to_owned(), count(read), share(read, read)]);
    for drop in dropped {
        let what = if drop.bad { "bad" } else { "dropped" };
        table.row([format!("{what}: {}", drop.meaning), count(drop.count), share(drop.count, read)]);
    }
    table.row(["kept".to_owned(), count(kept), share(kept, read)]);
    table.to_string()
}

fn dataset(report: &ImportReport, out: &Path) -> String {
    let title = format!("Dataset {}", out.display());
    let mut table = Table::new(&title, &[("", Align::Left), ("", Align::Right)]);
    let at_least = if report.counts_capped { "at least " } else { "" };
    table.row(["events".to_owned(), count(report.rows_kept)]);
    for (kind, events) in &report.events {
        table.row([format!("  {kind}"), count(*events)]);
    }
    table.row(["users".to_owned(), format!("{at_least}{}", count(report.users))]);
    table.row(["sessions".to_owned(), format!("{at_least}{}", count(report.sessions))]);
    table.row(["items".to_owned(), count(report.items)]);
    if let Some(catalogue) = &report.catalogue {
        table.row(["  without events".to_owned(), count(catalogue.without_events)]);
        if catalogue.repeated > 0 {
            table.row(["  listed again (the last line counts)".to_owned(), count(catalogue.repeated)]);
        }
    }
    if report.names_repaired > 0 {
        table.row(["names repaired (not UTF-8)".to_owned(), count(report.names_repaired)]);
    }
    table.row(["first event (UTC)".to_owned(), date(report.first_time)]);
    table.row(["last event (UTC)".to_owned(), date(report.last_time)]);
    table.to_string()
}

fn examples<'a>(what: &str, examples: impl Iterator<Item = &'a Example>) -> String {
    let mut text = String::new();
    for Example { file, line, detail } in examples {
        let _ = writeln!(text, "{what}: {} line {line}: {detail}", file.display());
    }
    text
}
