//! Files of every released format version stay readable for good.
//!
//! `golden/v1.model.wasm` was written by the first release of version 1. Never write it anew: if this test
//! fails, the reader is wrong. (`ENDCAP_WRITE_GOLDEN=1` writes a golden file where there is none yet.)

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::path::Path;

use common::Shop;
use endcap_core::AlignedBytes;
use endcap_core::format::{Model, Verify};
use endcap_core::recommend::{Engine, Request, Scratch};

#[test]
fn version_1_is_read_and_gives_the_same_answer() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1.model.wasm");
    if std::env::var_os("ENDCAP_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, Shop::golden().file()).expect("writes the golden file");
    }
    let file = std::fs::read(&path).expect("the golden file");
    let model = Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("version 1 opens");
    assert_eq!(model.manifest().format_version, 1);
    assert_eq!(model.items().get(5).name, "Item № 5");
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    Engine::new(&model).recommend(
        &Request { n: 4, history: &[1, 2], ..Request::default() },
        &mut scratch,
        &mut out,
    );
    let ids: Vec<&str> = out.iter().map(|found| model.items().id(found.item)).collect();
    assert_eq!(ids, ["sku-00", "sku-03", "sku-04", "sku-06"]);
}
