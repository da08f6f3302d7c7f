//! `endcap-model simulate`.

use std::path::PathBuf;
use std::time::Instant;

use super::{Failure, print, print_json};
use crate::progress::{Progress, Unit};
use crate::report::{Align, Table, count};
use crate::simulate::{self, Plan, Summary};

/// Make the logs and the catalogue of a shop that does not exist.
///
/// Writes events.csv.gz (user, session, item, time, event, quantity, price) and items.csv (item, name, category,
/// price, stock) into a folder, for demonstrations and tests. The same arguments give the same bytes. The last day
/// is 2024-12-31.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for the two files; must not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Items in the catalogue.
    #[arg(long, default_value_t = 2_400)]
    items: usize,
    /// Shoppers.
    #[arg(long, default_value_t = 6_000)]
    users: usize,
    /// Events in the log.
    #[arg(long, default_value_t = 200_000)]
    events: usize,
    /// Days that the log spans.
    #[arg(long, default_value_t = 180)]
    days: usize,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
    /// Replace a simulation that is there. A folder with other files is never replaced.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let started = Instant::now();
    let plan = Plan {
        out: args.out.clone(),
        force: args.force,
        seed: args.seed,
        items: args.items,
        users: args.users,
        events: args.events,
        days: args.days,
    };
    let mut progress = Progress::new("simulating", 2 * plan.events as u64, Unit::Count);
    let result = simulate::run(&plan, &mut progress);
    progress.finish();
    let summary = result.map_err(|e| {
        let is_bad_input = e.is_bad_input();
        Failure::new(e, is_bad_input)
    })?;
    if args.json {
        return print_json(&summary);
    }
    print(&format!("{}took {:.1} s\n", table(&plan, &summary), started.elapsed().as_secs_f64()))
}

fn table(plan: &Plan, summary: &Summary) -> String {
    let title = format!("Simulated shop {}", plan.out.display());
    let mut table = Table::new(&title, &[("", Align::Left), ("", Align::Right)]);
    let rows = [
        ("events", summary.events),
        ("  view", summary.views),
        ("  cart", summary.carts),
        ("  purchase", summary.purchases),
        ("sessions", summary.sessions),
        ("  anonymous", summary.anonymous_sessions),
        ("users", summary.users),
        ("items", summary.items),
        ("  out of stock", summary.out_of_stock),
    ];
    for (name, value) in rows {
        table.row([name.to_owned(), count(value as u64)]);
    }
    let (events, items) = (summary.events_file.display(), summary.items_file.display());
    format!("{table}\nimport it with:\n  endcap-model import {events} --catalog {items} --out DATASET\n")
}
