//! Files that are well: every format, header and spelling that is promised.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

mod common;

use std::sync::Arc;

use common::{Folder, endcap, gzip, json};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type, Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

#[track_caller]
fn check(content: impl AsRef<[u8]>, args: &[&str], expected: &[&str]) {
    let folder = Folder::new();
    assert_eq!(folder.import_text(content, args).lines(), expected);
}

#[test]
fn one_user_only() {
    check(
        "user,item,time\nu,a,2024-05-01\nu,b,2024-05-02\n",
        &[],
        &["u - a view 1714521600 - -", "u - b view 1714608000 - -"],
    );
}

#[test]
fn a_byte_order_mark() {
    check("\u{feff}user,item,time\nu,a,2024-05-01\n", &[], &["u - a view 1714521600 - -"]);
}

#[test]
fn semicolons_with_decimal_commas_and_german_dates() {
    check(
        "Kunde;SKU;Date;Qty;Price\r\n7;a;01.05.2024 00:00;2;1.234,50\r\n",
        &["--map", "user=Kunde"],
        &["7 - a view 1714521600 2 1234.5"],
    );
}

#[test]
fn tabs_and_bars() {
    check(
        "SessionId\tItemId\tTime\n10036\t14957\t1592337718.0\n",
        &[],
        &["- 10036 14957 view 1592337718 - -"],
    );
    check("user|item|time\nu|a|1714521600\n", &[], &["u - a view 1714521600 - -"]);
    check("user#item#time\nu#a#1714521600\n", &["--delimiter", "#"], &["u - a view 1714521600 - -"]);
}

#[test]
fn quoted_line_breaks_and_separators() {
    let folder = Folder::new();
    let ran =
        folder.import_text("user,item,time,name\nu,\"a,1\",2024-05-01,\"RED\nMUG, \"\"BIG\"\"\"\n", &[]);
    assert_eq!(ran.lines(), ["u - a,1 view 1714521600 - -"]);
    assert_eq!(ran.dataset().items().unwrap()[0].name.as_deref(), Some("RED MUG, \"BIG\""));
}

#[test]
fn gzip_of_several_members() {
    let mut content = gzip(b"user,item,time\nu,a,2024-05-01\n");
    content.extend(gzip(b"u,b,2024-05-01\n"));
    check(content, &[], &["u - a view 1714521600 - -", "u - b view 1714521600 - -"]);
}

#[test]
fn json_lines_of_every_type() {
    let content = concat!(
        "{\"visitorid\":18446744073709551615,\"itemid\":7,\"timestamp\":1714521600000,\"event\":\"ADDTOCART\"}\n\n",
        "{\"visitorid\":17850.0,\"itemid\":\"b\",\"timestamp\":\"2024-05-01T02:00:00+02:00\",\"event\":\"view\",\"price\":2.5}\n",
    );
    let expected = ["18446744073709551615 - 7 addtocart 1714521600 - -", "17850 - b view 1714521600 - 2.5"];
    check(content, &[], &expected);
    check(gzip(content.as_bytes()), &[], &expected);
}

#[test]
fn columns_named_by_map() {
    check(
        "who,what,at,how,event\nu,a,1714521600,BUY,noise\n",
        &["--map", "user=who,item=what", "--map", "time=at,event=how"],
        &["u - a buy 1714521600 - -"],
    );
    check(
        "user,item,time,event\nu,a,1714521600,x\n",
        &["--map", "event=", "--event-name", "Click"],
        &["u - a click 1714521600 - -"],
    );
}

#[test]
fn negative_quantities_are_cancellations() {
    let content = "user,item,time,quantity\nu,a,1714521600,-2\nu,a,1714521600,0\nu,a,1714521600,2\n";
    let folder = Folder::new();
    let ran = folder.import_text(content, &[]);
    assert_eq!(ran.dropped(), ["cancellation=1"]);
    assert_eq!(ran.lines(), ["u - a view 1714521600 0 -", "u - a view 1714521600 2 -"]);
    check(
        content,
        &["--keep-cancellations"],
        &["u - a cancel 1714521600 -2 -", "u - a view 1714521600 0 -", "u - a view 1714521600 2 -"],
    );
}

#[test]
fn a_catalogue_completes_the_items() {
    let folder = Folder::new();
    let items = folder.file(
        "items.jsonl",
        concat!(
            "{\"id\":\"a\",\"title\":\"Cup\",\"category\":\"Kitchen\",\"price\":3,\"stock\":-1}\n",
            "{\"id\":\"z\",\"title\":\"Unseen\"}\n",
        ),
    );
    let log =
        "user,item,time,name,price\nu,b,1714521600,Old,1\nu,b,1714521700,New,2\nu,a,1714521600,cup?,9\n";
    let ran = folder.import_text(log, &["--catalog", items.to_str().unwrap()]);
    let show = |i: endcap_models::dataset::Item| {
        let (name, category) = (i.name.unwrap_or_default(), i.category.unwrap_or_default());
        let seen = i.first_seen.zip(i.last_seen).map(|(first, last)| (last - first) / 1_000_000);
        format!("{} {name} [{category}] {:?} {:?} {seen:?}", i.item, i.price, i.stock)
    };
    let items: Vec<String> = ran.dataset().items().unwrap().into_iter().map(show).collect();
    assert_eq!(
        items,
        [
            "a Cup [Kitchen] Some(3.0) Some(0.0) Some(0)",
            "b New [] Some(2.0) None Some(100)",
            "z Unseen [] None None None",
        ]
    );
    assert_eq!(ran.dataset().report().catalogue.as_ref().unwrap().without_events, 1);
}

#[test]
fn ids_that_collide_in_a_catalogue_are_told() {
    let folder = Folder::new();
    // By the rules for ids the second and third are the first.
    let items = folder.file("items.csv", "item,name\n7,Cup\n 7 ,Mug\n7.0,Jug\n8,Plate\n");
    let log = "user,item,time\nu,7,1714521600\nu,8,1714521700\n";
    let ran = folder.import_text(log, &["--catalog", items.to_str().unwrap()]);
    let report = ran.dataset().report().catalogue.clone().unwrap();
    assert_eq!((report.rows_kept, report.repeated), (4, 2));
    let told: Vec<(u64, &str)> =
        report.repeated_examples.iter().map(|example| (example.line, &*example.detail)).collect();
    assert_eq!(
        told,
        [
            (3, "item `7` is on line 2 already; this line counts"),
            (4, "item `7` is on line 3 already; this line counts"),
        ]
    );
    let names: Vec<_> = ran.dataset().items().unwrap().into_iter().filter_map(|item| item.name).collect();
    assert_eq!(names, ["Jug", "Plate"]);
}

#[test]
fn several_files_become_one_dataset() {
    let folder = Folder::new();
    let first = folder.file("a.csv", "user,item,time\nu,a,1714521600\n");
    let second = folder.file("b.jsonl", "{\"item\":\"b\",\"session\":\"s\",\"time\":1714521600}\n");
    let ran = folder.import(&first, &[second.to_str().unwrap()]);
    assert_eq!(ran.lines(), ["u - a view 1714521600 - -", "- s b view 1714521600 - -"]);
}

#[test]
fn the_json_report_is_the_one_in_the_dataset() {
    let folder = Folder::new();
    let ran = folder.import_text("user,item,time\nu,a,1714521600\n", &["--json"]);
    let printed = json(&ran.output);
    assert_eq!(printed, serde_json::to_value(ran.dataset().report()).unwrap());
    assert_eq!((&printed["rows_read"], &printed["users"]), (&1.into(), &1.into()));
}

/// Ids as doubles with gaps, INT96 and annotated times, a decimal price: what pandas and old Spark write.
#[test]
fn parquet_of_every_type() {
    let folder = Folder::new();
    let path = folder.path("log.parquet");
    let schema = "message m { OPTIONAL DOUBLE user; REQUIRED INT32 item; REQUIRED INT96 time;
        REQUIRED INT64 price (DECIMAL(9,2)); OPTIONAL BYTE_ARRAY name (STRING); REQUIRED INT64 session; }";
    let file = std::fs::File::create(&path).unwrap();
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(parse_message_type(schema).unwrap()), Arc::default())
            .unwrap();
    let mut group = writer.next_row_group().unwrap();
    macro_rules! column {
        ($type:ty, $values:expr, $levels:expr) => {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<$type>().write_batch($values, $levels, None).unwrap();
            column.close().unwrap();
        };
    }
    // 2024-05-01 is Julian day 2,460,432; an hour of it is 3.6e12 ns.
    let hour = 3_600_000_000_000u64;
    let time = Int96::from(vec![hour as u32, (hour >> 32) as u32, 2_460_432]);
    column!(DoubleType, &[17850.0], Some(&[1, 0]));
    column!(Int32Type, &[5, 6], None);
    column!(Int96Type, &[time, time], None);
    column!(Int64Type, &[255, 1], None);
    column!(ByteArrayType, &[ByteArray::from("tea")], Some(&[0, 1]));
    column!(Int64Type, &[1, 2], None);
    group.close().unwrap();
    writer.close().unwrap();
    let ran = folder.import(&path, &[]);
    assert_eq!(ran.lines(), ["17850 1 5 view 1714525200 - 2.55", "- 2 6 view 1714525200 - 0.01"]);
    assert_eq!(ran.dataset().items().unwrap()[1].name.as_deref(), Some("tea"));
}

/// A dataset's own events can be imported again.
#[test]
fn parquet_of_this_program() {
    let folder = Folder::new();
    let ran = folder.import_text("user,item,time,event\nu,a,1714521600.25,buy\n", &[]);
    let events = ran.events();
    let again = folder.path("again");
    let file = folder.path("out").join("events.parquet");
    let output = endcap(&["import", file.to_str().unwrap(), "--out", again.to_str().unwrap()]);
    assert!(output.status.success());
    let dataset = endcap_models::dataset::Dataset::open(again).unwrap();
    assert_eq!(dataset.events().unwrap().map(Result::unwrap).collect::<Vec<_>>(), events);
    assert_eq!(events[0].time, 1_714_521_600_250_000);
}
