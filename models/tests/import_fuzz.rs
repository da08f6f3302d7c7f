//! Whatever the bytes, an import ends with a dataset whose numbers add up, or with an error. It never panics.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

use endcap_models::dataset::Dataset;
use endcap_models::import::{ColumnMap, Format, Plan, ReadOptions, Rules, run};
use endcap_models::progress::Progress;
use proptest::prelude::*;

/// 2024-05-01.
const NOW: i64 = 1_714_521_600_000_000;

fn import(bytes: &[u8], format: Option<Format>) {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("input"), dir.path().join("out"));
    std::fs::write(&input, bytes).unwrap();
    let plan = Plan {
        inputs: vec![input.clone()],
        catalogue: Some(input),
        out: out.clone(),
        force: false,
        read: ReadOptions { format, delimiter: None, columns: ColumnMap::default() },
        rules: Rules {
            keep_cancellations: false,
            keep_non_products: false,
            event_name: None,
            max_bad_share: 1.0,
            now: NOW,
        },
    };
    match run(&plan, &mut Progress::hidden()) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(!out.exists(), "a failed import left a dataset: {error}");
        }
        Ok(report) => {
            let dropped: u64 = report.dropped.iter().map(|drop| drop.count).sum();
            assert_eq!(report.rows_read, report.rows_kept + dropped);
            let events = Dataset::open(&out).unwrap().events().unwrap();
            assert_eq!(events.map(Result::unwrap).count() as u64, report.rows_kept);
        }
    }
}

/// Cells that are near to valid ones.
fn cell() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "u1",
        "a",
        "85123A",
        "2024-05-01",
        "2024-05-01T10:00:00Z",
        "12/1/2010 8:26",
        "1714521600",
        "-1",
        "0",
        "1e400",
        "\"",
        "\"x\ny\"",
        "",
        "NaN",
        "C536365",
        "{",
        "null",
        "[1]",
        "\u{feff}",
        "\r",
        "9223372036854775807",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

fn rows(header: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let row = prop::collection::vec(cell(), 0..9).prop_map(|cells| cells.join(&b','));
    prop::collection::vec(row, 0..20).prop_map(move |rows| {
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(rows.join(&b'\n'));
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in [None, Some(Format::Csv), Some(Format::Jsonl), Some(Format::Parquet)] {
            import(&bytes, format);
        }
    }

    #[test]
    fn any_rows_under_a_header(bytes in rows("user,item,time,event,quantity,price,name,session\n")) {
        import(&bytes, None);
    }

    #[test]
    fn any_rows_of_online_retail(bytes in rows("Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n")) {
        import(&bytes, None);
    }

    #[test]
    fn any_json_lines(values in prop::collection::vec((".{0,8}", any::<f64>(), any::<i64>(), any::<bool>()), 1..10)) {
        let line = |(text, float, int, flag): (String, f64, i64, bool)| {
            let line = serde_json::json!({"user": text, "item": float, "time": int, "price": text, "event": flag}).to_string();
            if flag { line } else { line[..line.len() / 2].chars().collect() }
        };
        let lines = values.into_iter().map(|v| {
            let mut v = v;
            v.0.retain(|c| c.is_ascii());
            line(v)
        });
        import(lines.collect::<Vec<_>>().join("\n").as_bytes(), Some(Format::Jsonl));
    }
}
