//! Files that are broken: each is refused with a message that helps, or its bad rows are counted.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

mod common;

use common::{Folder, gzip};

const HEADER: &str = "user,item,time\n";

/// `good` good rows, then the given ones.
fn log(good: usize, bad: &[&str]) -> String {
    let mut text = HEADER.to_owned();
    for i in 0..good {
        text.push_str(&format!("u{},i{},2024-05-01 10:{:02}:00\n", i % 7, i % 5, i % 60));
    }
    for row in bad {
        text.push_str(row);
        text.push('\n');
    }
    text
}

#[test]
fn an_empty_file() {
    for content in ["", " \n\n", "\u{feff}"] {
        Folder::new().import_text(content, &[]).refused(&["log.csv is empty"]);
    }
    Folder::new().import_text(gzip(b""), &[]).refused(&["is empty"]);
}

#[test]
fn a_header_without_rows() {
    Folder::new().import_text(HEADER, &[]).refused(&["log.csv has a header and no rows"]);
}

#[test]
fn a_missing_file_and_a_folder() {
    let folder = Folder::new();
    folder.import(&folder.path("none.csv"), &[]).refused(&["cannot open", "none.csv"]);
    let dir = folder.path("dir");
    std::fs::create_dir(&dir).unwrap();
    folder.import(&dir, &[]).refused(&["is a folder"]);
}

#[test]
fn wrong_columns_are_listed_with_an_example() {
    Folder::new().import_text("who,what,when\na,b,2024-05-01\n", &[]).refused(&[
        "item, time, user or session",
        "who, what, when",
        "--map user=who,item=what,time=when",
    ]);
}

#[test]
fn a_map_to_a_column_that_is_not_there() {
    let folder = Folder::new();
    folder.import_text(log(1, &[]), &["--map", "item=sku"]).refused(&["--map item=sku", "user, item, time"]);
    folder.import_text(log(1, &[]), &["--map", "colour=x"]).refused(&["colour=x", "is no field"]);
    folder.import_text(log(1, &[]), &["--map", "item"]).refused(&["has no ="]);
}

#[test]
fn a_header_that_names_a_needed_column_twice() {
    Folder::new()
        .import_text("user,item,Item,time\nu,a,b,2024-05-01\n", &[])
        .refused(&["two columns are named", "item"]);
    // A column that is not read may stand twice.
    let ran = Folder::new().import_text("user,item,x,x,time\nu,a,1,2,2024-05-01\n", &[]);
    assert_eq!(ran.lines(), ["u - a view 1714521600 - -"]);
}

#[test]
fn a_gzip_file_cut_short() {
    let whole = gzip(log(50_000, &[]).as_bytes());
    let folder = Folder::new();
    let file = folder.file("log.csv.gz", &whole[..whole.len() - 1_000]);
    let bytes = format!("at byte {}", whole.len() - 1_000);
    folder.import(&file, &[]).refused(&["is cut short", &bytes, "near line 4"]);
    let file = folder.file("head.csv.gz", &whole[..5]);
    folder.import(&file, &[]).refused(&["is cut short"]);
}

#[test]
fn a_gzip_file_with_damage() {
    let mut bytes = gzip(log(50_000, &[]).as_bytes());
    let middle = bytes.len() - 6;
    bytes[middle] ^= 0xff;
    let folder = Folder::new();
    let file = folder.file("log.csv.gz", &bytes);
    folder.import(&file, &[]).refused(&["is damaged: gzip"]);
}

#[test]
fn bad_dates_below_and_above_the_share() {
    let bad = ["u,i,yesterday", "u,i,1970-01-01", "u,i,2999-01-01", "u,i,"];
    let ran = Folder::new().import_text(log(996, &bad), &[]);
    assert_eq!(ran.dropped(), ["bad-time=2", "time-out-of-range=2"]);
    assert!(
        ran.stdout().contains("line 998: time \"yesterday\": is no time in a known form"),
        "{}",
        ran.stdout()
    );
    Folder::new().import_text(log(100, &bad), &[]).refused(&[
        "4 of 104 rows are bad (3.85 %)",
        "--max-bad-share 0.01",
        "line 102",
        "yesterday",
    ]);
    assert_eq!(Folder::new().import_text(log(100, &bad), &["--max-bad-share", "0.04"]).events().len(), 100);
}

#[test]
fn the_share_is_checked_before_the_end() {
    let bad = vec!["u,i,never"; 30_000];
    Folder::new().import_text(log(0, &bad), &[]).refused(&["10000 of 10000 rows are bad"]);
}

#[test]
fn all_rows_dropped_by_rule() {
    let content = "user,item,time,quantity\nu,i,2024-05-01,-1\n";
    Folder::new().import_text(content, &[]).refused(&["none of 1 rows is left", "cancelled"]);
}

#[test]
fn missing_ids() {
    let bad = ["u,,2024-05-01", ",i,2024-05-01", "NaN,i,2024-05-01", "u,null,2024-05-01"];
    let ran = Folder::new().import_text(log(396, &bad), &[]);
    assert_eq!(ran.dropped(), ["missing-item=2", "missing-visitor=2"]);
}

#[test]
fn text_that_is_not_utf8() {
    let mut content = b"user,item,time,name\n".to_vec();
    content.extend(b"u,a,2024-05-01,caf\xe9\n");
    content.extend(b"u,\xff\xfe,2024-05-01,tea\n");
    let ran = Folder::new().import_text(&content, &["--max-bad-share", "0.5"]);
    assert_eq!(ran.dropped(), ["not-utf8=1"]);
    assert_eq!(ran.dataset().report().names_repaired, 1);
    assert_eq!(ran.dataset().items().unwrap()[0].name.as_deref(), Some("caf\u{fffd}"));
}

#[test]
fn other_encodings_and_containers() {
    let folder = Folder::new();
    folder.import_text(b"\xff\xfeu\0s\0", &[]).refused(&["UTF-16", "iconv"]);
    folder.import_text(b"PK\x03\x04rest", &[]).refused(&["Excel"]);
    folder.import_text("[{\"user\":1}]", &[]).refused(&["one JSON array", "jq"]);
    folder.import_text(b"PAR1 but not really", &[]).refused(&["not a readable Parquet file"]);
}

#[test]
fn quotes_left_open() {
    let mut lines = log(0, &["u,\"open,2024-05-01"]);
    lines.push_str(&log(500, &[]));
    Folder::new()
        .import_text(&lines, &[])
        .refused(&["line 2", "a quoted field runs over more than 200 lines"]);
    let long = format!("{HEADER}u,\"{}", "x".repeat(3 << 20));
    Folder::new().import_text(long, &[]).refused(&["line 2", "a record of more than 1048576 bytes"]);
    let json = format!("{{\"user\":\"{}", "x".repeat(3 << 20));
    Folder::new().import_text(json, &[]).refused(&["no JSON object", "EOF"]);
}

#[test]
fn rows_with_other_numbers_of_fields() {
    let ran = Folder::new().import_text(log(300, &["u,i", "u,i,2024-05-01,more"]), &[]);
    assert_eq!(ran.dropped(), ["field-count=2"]);
    assert!(ran.stdout().contains("2 fields where the header has 3"), "{}", ran.stdout());
}

#[test]
fn json_lines_with_a_broken_line() {
    let mut content = String::new();
    for i in 0..200 {
        content.push_str(&format!("{{\"user_id\":{i},\"sku\":\"s\",\"ts\":1714521600}}\n"));
    }
    content.push_str("{\"user_id\":1,\n\n");
    content.push_str("{\"user_id\":1,\"sku\":[1],\"ts\":1714521600}\n");
    let ran = Folder::new().import_text(&content, &[]);
    assert_eq!(ran.dropped(), ["bad-id=1", "bad-json=1"]);
    assert!(ran.stdout().contains("line 201"), "{}", ran.stdout());
    assert_eq!(ran.lines()[3], "3 - s view 1714521600 - -");
}

#[test]
fn more_kinds_of_event_than_a_shop_has() {
    let mut content = "user,item,time,event\n".to_owned();
    for i in 0..300 {
        content.push_str(&format!("u,i,2024-05-01,e{i}\n"));
    }
    Folder::new().import_text(content, &[]).refused(&["line 258", "more than 256 kinds of event"]);
}

#[test]
fn an_output_that_exists() {
    let folder = Folder::new();
    folder.import_text(log(1, &[]), &[]).dataset();
    let again = folder.import_text(log(2, &[]), &[]);
    assert_eq!(again.output.status.code(), Some(2));
    assert!(again.stderr().contains("already exists"), "{}", again.stderr());
    assert_eq!(folder.import_text(log(2, &[]), &["--force"]).events().len(), 2);
    // A folder with anything else in it is never deleted.
    std::fs::write(folder.path("out").join("thesis.txt"), "mine").unwrap();
    let foreign = folder.import_text(log(3, &[]), &["--force"]);
    assert_eq!(foreign.output.status.code(), Some(2));
    assert!(foreign.stderr().contains("thesis.txt"), "{}", foreign.stderr());
    assert!(folder.path("out").join("thesis.txt").exists());
}

#[test]
fn a_failed_replacement_keeps_the_old_dataset() {
    let folder = Folder::new();
    folder.import_text(log(3, &[]), &[]).dataset();
    let failed = folder.import_text(log(0, &["u,i,never"]), &["--force"]);
    assert_eq!(failed.output.status.code(), Some(2));
    assert_eq!(endcap_models::dataset::Dataset::open(folder.path("out")).unwrap().report().rows_kept, 3);
}
