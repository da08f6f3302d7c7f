//! Import: whatever the bytes, it ends with a dataset whose numbers add up, or with an error.
//!
//! The first byte chooses the format, the rest is the file.
#![no_main]

use endcap_models::import::{ColumnMap, Format, Plan, ReadOptions, Rules, run};
use endcap_models::progress::Progress;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (input, out) = (folder.path().join("input"), folder.path().join("out"));
    std::fs::write(&input, bytes).expect("writes");
    let format =
        [None, Some(Format::Csv), Some(Format::Jsonl), Some(Format::Parquet)][usize::from(choice % 4)];
    let plan = Plan {
        inputs: vec![input],
        catalogue: None,
        out,
        force: false,
        read: ReadOptions { format, delimiter: None, columns: ColumnMap::default() },
        rules: Rules {
            keep_cancellations: false,
            keep_non_products: false,
            event_name: None,
            max_bad_share: 1.0,
            // 2024-05-01.
            now: 1_714_521_600_000_000,
        },
    };
    if let Ok(report) = run(&plan, &mut Progress::hidden()) {
        let dropped: u64 = report.dropped.iter().map(|drop| drop.count).sum();
        assert_eq!(report.rows_read, report.rows_kept + dropped);
    }
});
