//! `endcap-model ask`.

use std::path::PathBuf;

use super::{Failure, print, print_json};
use crate::ask::{self, Asked};
use crate::dataset::Dataset;
use crate::report::{Align, Table};

/// Items of a history that are shown.
const SHOWN_HISTORY: usize = 4;

/// Replay some users' events to a running service and show what it recommends them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address of the service.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Dataset whose newest users are replayed.
    #[arg(long, value_name = "DATASET")]
    replay: PathBuf,
    /// Users to ask for.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    users: u16,
    /// Items to ask for.
    #[arg(long, short, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=100))]
    n: u16,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let dataset = Dataset::open(&args.replay).map_err(Failure::bad_input)?;
    let url = args.url.trim_end_matches('/');
    let asked = ask::ask(&dataset, url, args.users.into(), args.n.into())
        .map_err(|error| Failure::new(error, true))?;
    if args.json {
        return print_json(&asked);
    }
    asked.iter().try_for_each(|one| print(&format!("\n{}", table(one))))
}

fn table(asked: &Asked) -> Table {
    let label = |(id, name): &(String, String)| if name.is_empty() { id.clone() } else { name.clone() };
    let history: Vec<String> = asked.history.iter().take(SHOWN_HISTORY).map(label).collect();
    let title = format!(
        "user {} (last: {}), answered in {:.2} ms from {}",
        asked.user,
        history.join("; "),
        asked.seconds * 1e3,
        asked.answer.used.join(" + ")
    );
    let mut table = Table::new(
        &title,
        &[("item", Align::Left), ("name", Align::Left), ("score", Align::Right), ("reason", Align::Left)],
    );
    for item in &asked.answer.items {
        // The name reads better than the id, and the item is one that was replayed.
        let named = |id: &String| {
            asked.history.iter().find(|(known, _)| known == id).map_or_else(|| id.clone(), label)
        };
        let because = item.because.as_ref().map(|id| format!(" with {}", named(id))).unwrap_or_default();
        table.row([
            item.item.clone(),
            item.name.clone(),
            format!("{:.3}", item.score),
            format!("{}{because}", item.reason),
        ]);
    }
    table
}
