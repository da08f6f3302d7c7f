//! The two files, as a shop's export would write them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use jiff::Timestamp;

use super::log::{Action, Event, Visits};
use super::products::{Product, Shop};
use super::words::CATEGORIES;
use super::{Plan, SimulateError};
use crate::progress::Progress;
use crate::staging::StagedFolder;

/// The log's file name.
const EVENTS_FILE: &str = "events.csv.gz";
/// The catalogue's file name.
const ITEMS_FILE: &str = "items.csv";
/// Progress is told every so many events.
const TELL_EVERY: usize = 4_096;

/// Writes both files and puts the folder in its place; returns their paths.
pub(super) fn write(
    plan: &Plan,
    shop: &Shop,
    visits: &Visits,
    progress: &mut Progress,
) -> Result<(PathBuf, PathBuf), SimulateError> {
    let folder = StagedFolder::create(&plan.out, plan.force, &[EVENTS_FILE, ITEMS_FILE])?;
    let failed = |path: PathBuf| |source| SimulateError::Write { path, source };
    let events = folder.path(EVENTS_FILE);
    write_events(&events, shop, visits, progress).map_err(failed(events.clone()))?;
    let items = folder.path(ITEMS_FILE);
    write_items(&items, shop).map_err(failed(items.clone()))?;
    folder.commit()?;
    Ok((plan.out.join(EVENTS_FILE), plan.out.join(ITEMS_FILE)))
}

fn write_events(path: &Path, shop: &Shop, visits: &Visits, progress: &mut Progress) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    // No time and no name in the header: the same events give the same bytes.
    let gzip = GzBuilder::new().mtime(0).write(file, Compression::default());
    let mut out = BufWriter::new(gzip);
    writeln!(out, "user,session,item,time,event,quantity,price")?;
    for (written, event) in visits.events.iter().enumerate() {
        if written.is_multiple_of(TELL_EVERY) {
            progress.set((visits.events.len() + written) as u64);
        }
        let user = visits.sessions.get(event.session).copied().flatten();
        write_event(&mut out, event, user, &shop.products[event.item])?;
    }
    finish(out.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?)
}

fn write_event(
    out: &mut impl Write,
    event: &Event,
    user: Option<usize>,
    product: &Product,
) -> io::Result<()> {
    if let Some(user) = user {
        write!(out, "u{user:06}")?;
    }
    let time = Timestamp::from_second(event.time).map_err(io::Error::other)?;
    let action = match event.action {
        Action::View => "view",
        Action::Cart => "cart",
        Action::Purchase => "purchase",
    };
    let (session, id, quantity) = (event.session, &product.id, event.quantity);
    writeln!(out, ",s{session:08},{id},{time},{action},{quantity},{}", money(product.price))
}

fn write_items(path: &Path, shop: &Shop) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
    out.write_record(["item", "name", "category", "price", "stock"])?;
    for product in &shop.products {
        let kind = &CATEGORIES[product.category];
        let category = format!("{} > {}", kind.department, kind.name);
        let (price, stock) = (money(product.price), product.stock.to_string());
        out.write_record([&product.id, &product.name, &category, &price, &stock])?;
    }
    finish(out.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

fn finish(file: BufWriter<File>) -> io::Result<()> {
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Cents as an amount.
fn money(cents: u32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
