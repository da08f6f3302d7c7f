//! The dataset: what is written is read, and what is damaged is refused.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

use std::path::Path;

use endcap_models::dataset::{Dataset, DatasetError, DatasetWriter, Event, ImportReport, Item, schema};
use proptest::option;
use proptest::prelude::*;

fn event() -> impl Strategy<Value = Event> {
    let number = || option::of(-1e9..1e9f64);
    (option::of(".{1,20}"), option::of(".{1,20}"), ".{1,20}", any::<i64>(), "[a-z]{1,8}", number(), number())
        .prop_map(|(user, session, item, time, event, quantity, price)| Event {
            user,
            session,
            item,
            time,
            event,
            quantity,
            price,
        })
}

fn item() -> impl Strategy<Value = Item> {
    let number = || option::of(0.0..1e9f64);
    let seen = || option::of(any::<i64>());
    (".{1,20}", option::of(".{0,40}"), option::of(".{0,40}"), number(), number(), seen(), seen()).prop_map(
        |(item, name, category, price, stock, first_seen, last_seen)| Item {
            item,
            name,
            category,
            price,
            stock,
            first_seen,
            last_seen,
        },
    )
}

fn write(path: &Path, events: &[Event], items: &[Item]) -> Dataset {
    let mut writer = DatasetWriter::create(path, false).unwrap();
    for event in events {
        writer.write(event.clone()).unwrap();
    }
    writer.finish(items, ImportReport::default()).unwrap();
    Dataset::open(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(events in prop::collection::vec(event(), 0..60), items in prop::collection::vec(item(), 0..30)) {
        let dir = tempfile::tempdir().unwrap();
        let dataset = write(&dir.path().join("d"), &events, &items);
        let read: Vec<Event> = dataset.events().unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(read, events);
        prop_assert_eq!(dataset.items().unwrap(), items);
    }
}

fn numbered(i: usize) -> Event {
    Event {
        user: (!i.is_multiple_of(3)).then(|| format!("u{}", i % 100)),
        session: None,
        item: format!("i{}", i % 1_000),
        time: i as i64,
        event: "view".to_owned(),
        quantity: None,
        price: Some(i as f64),
    }
}

#[test]
fn rows_beyond_one_group_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let count = schema::ROW_GROUP_ROWS * 2 + 17;
    let events: Vec<Event> = (0..count).map(numbered).collect();
    let dataset = write(&dir.path().join("d"), &events, &[]);
    assert!(dataset.events().unwrap().map(Result::unwrap).eq(events));
}

#[test]
fn an_unfinished_dataset_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d");
    let mut writer = DatasetWriter::create(&path, false).unwrap();
    writer.write(numbered(1)).unwrap();
    assert!(!path.exists());
    drop(writer);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_is_no_dataset() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d");
    assert!(matches!(
        Dataset::open(&path),
        Err(DatasetError::NotADataset { missing: schema::EVENTS_FILE, .. })
    ));
    write(&path, &[numbered(1)], &[]);
    // The two Parquet files change places.
    let file = |name| path.join(name);
    std::fs::rename(file(schema::EVENTS_FILE), file("x")).unwrap();
    std::fs::copy(file(schema::ITEMS_FILE), file(schema::EVENTS_FILE)).unwrap();
    let dataset = Dataset::open(&path).unwrap();
    assert!(matches!(dataset.events(), Err(DatasetError::Checksum { .. })));
    let later = ImportReport { format_version: 99, ..ImportReport::default() };
    std::fs::write(file(schema::REPORT_FILE), serde_json::to_vec(&later).unwrap()).unwrap();
    assert!(matches!(Dataset::open(&path), Err(DatasetError::Version { found: 99, .. })));
    std::fs::write(file(schema::REPORT_FILE), b"{}").unwrap();
    assert!(matches!(Dataset::open(&path), Err(DatasetError::Report { .. })));
}

/// Where a checksum was made over the wrong file, the columns still tell.
#[test]
fn the_right_checksum_of_a_wrong_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d");
    let mut report = write(&path, &[numbered(1)], &[]).report().clone();
    std::fs::copy(path.join(schema::ITEMS_FILE), path.join(schema::EVENTS_FILE)).unwrap();
    let items = report.files[schema::ITEMS_FILE].clone();
    report.files.insert(schema::EVENTS_FILE.to_owned(), items);
    std::fs::write(path.join(schema::REPORT_FILE), serde_json::to_vec(&report).unwrap()).unwrap();
    let dataset = Dataset::open(&path).unwrap();
    assert!(matches!(dataset.events(), Err(DatasetError::Columns { .. })));
}

/// Without a checksum 2,000 overwritten bytes were read as other prices.
#[test]
fn one_flipped_bit_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d");
    let events: Vec<Event> = (0..1_000).map(numbered).collect();
    let dataset = write(&path, &events, &[]);
    let file = path.join(schema::EVENTS_FILE);
    let whole = std::fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert!(matches!(dataset.events(), Err(DatasetError::Checksum { .. })), "byte {at}");
    }
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(dataset.events().unwrap_err().to_string().contains("damaged or replaced"));
}
