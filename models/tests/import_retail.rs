//! UCI Online Retail: its rules on a few rows, and its totals on the real files.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

mod common;

use common::{Folder, real_data};
use endcap_models::dataset::Dataset;

const LOG: &str = "\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123a,WHITE HANGING HEART,6,12/1/2010 8:26,2.55,17850.0,United Kingdom
536365, 71053 ,WHITE METAL LANTERN,6,12/1/2010 8:26,3.39,,United Kingdom
C536379,22423,CAKESTAND,-1,12/1/2010 9:41,12.75,14527,United Kingdom
536380,22423,damaged,-5,12/1/2010 9:41,0,,United Kingdom
536381,POST,POSTAGE,1,12/1/2010 9:41,18.00,12583,France
536381,gift_0001_20,Gift Voucher,1,12/1/2010 9:41,16.67,12583,France
536382,85123A,,1,12/1/2010 10:00,0,12583,France
";

#[test]
fn the_rules() {
    let ran = Folder::new().import_text(LOG, &[]);
    assert_eq!(
        ran.lines(),
        ["17850 536365 85123A purchase 1291191960 6 2.55", "- 536365 71053 purchase 1291191960 6 3.39",]
    );
    assert_eq!(ran.dropped(), ["cancellation=2", "non-product=2", "non-positive-price=1"]);
    assert_eq!(ran.dataset().report().sources[0].profile, "online-retail");
}

#[test]
fn the_rules_switched_off() {
    let ran = Folder::new().import_text(LOG, &["--keep-cancellations", "--keep-non-products"]);
    assert_eq!(ran.dropped(), ["non-positive-price=2"]);
    let lines = ran.lines();
    assert_eq!(lines[2], "14527 C536379 22423 cancel 1291196460 -1 12.75");
    assert!(lines[4].contains("GIFT_0001_20 purchase"), "{lines:?}");
}

#[test]
fn any_order_and_case_of_columns() {
    let content =
        "customer id,PRICE,invoicedate,QUANTITY,stockcode,Invoice\n1,2,2010-12-01 08:26:00,1,22423,9\n";
    assert_eq!(Folder::new().import_text(content, &[]).lines(), ["1 9 22423 purchase 1291191960 1 2"]);
}

#[track_caller]
fn check_real(file: &str, read: u64, users: u64, last: &str) {
    let Some(path) = real_data(file) else { return };
    let ran = Folder::new().import(&path, &[]);
    let dataset: Dataset = ran.dataset();
    let report = dataset.report();
    assert_eq!((report.rows_read, report.users), (read, users));
    assert_eq!(endcap_models::report::date(report.last_time), last);
    assert!(report.dropped.iter().all(|drop| !drop.bad), "{:?}", report.dropped);
    let kept = report.rows_kept as f64 / read as f64;
    assert!((0.96..0.98).contains(&kept), "{kept}");
    assert!(dataset.items().unwrap().iter().all(|item| item.name.is_some() && item.price.is_some()));
}

#[test]
fn the_real_log_of_one_year() {
    check_real("online_retail/online_retail.csv.gz", 541_909, 4_334, "2011-12-09 12:50");
}

#[test]
fn the_real_log_of_two_years() {
    let file = "online_retail/online_retail_combined_2009_2011.parquet";
    check_real(file, 1_044_847, 5_852, "2011-12-09 12:50");
}

#[test]
fn the_real_sessions_of_serenade() {
    let Some(path) = real_data("serenade/train.txt.gz") else { return };
    let ran = Folder::new().import(&path, &[]);
    let dataset = ran.dataset();
    let report = dataset.report();
    assert_eq!((report.sessions, report.items, report.rows_read - report.rows_kept), (23_753, 18_009, 0));
}
