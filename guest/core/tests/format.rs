//! The file format: round trip, validity as Wasm, and refusal of every damaged or foreign file.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use common::Shop;
use endcap_core::AlignedBytes;
use endcap_core::format::{FormatError, MAX_MODEL_BYTES, Model, Verify, section, sections, write_model};
use proptest::prelude::*;

fn open(file: &[u8]) -> Result<Model, FormatError> {
    Model::open(AlignedBytes::copy_from(file), Verify::Fast)
}

#[test]
fn a_written_model_is_a_valid_wasm_module() {
    let file = Shop::golden().file();
    wasmparser::validate(&file).expect("a valid module");
    let names: Vec<&str> = sections(&file).expect("sections").iter().map(|raw| raw.name).collect();
    let expected = [
        section::MANIFEST,
        section::ITEMS,
        section::SESSIONS,
        section::TOGETHER,
        section::RANKINGS,
        section::SEAL,
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_was_written_is_read_back() {
    let shop = Shop::golden();
    let model = Model::open(AlignedBytes::copy_from(&shop.file()), Verify::Full).expect("opens");
    let items = model.items();
    assert_eq!(items.len(), 12);
    for number in 0..12 {
        assert_eq!(items.find(&format!("sku-{number:02}")), Some(number));
    }
    assert_eq!(items.find("sku-99"), None);
    assert_eq!(items.find(""), None);
    let third = items.get(3);
    assert_eq!((third.id, third.name, third.category, third.price), ("sku-03", "Item № 3", "lamps", None));
    assert!(items.out_of_stock(9) && !items.out_of_stock(8));
    assert_eq!(model.sessions().postings, shop.index().postings);
    assert_eq!(model.together().row(3).0, [1, 2]);
    assert_eq!(model.rankings().latest.0[0], 11);
    assert_eq!(model.manifest().parameters.knn.sample, 100);
}

#[test]
fn every_truncation_is_refused() {
    let file = Shop::golden().file();
    for len in 0..file.len() {
        assert!(open(&file[..len]).is_err(), "opened with {len} of {} bytes", file.len());
    }
}

#[test]
fn every_flipped_byte_is_refused() {
    let file = Shop::golden().file();
    let mut damaged = file.clone();
    for at in 0..file.len() {
        for bit in [0x01, 0x80] {
            damaged[at] ^= bit;
            assert!(open(&damaged).is_err(), "opened with bit {bit:#x} of byte {at} flipped");
            damaged[at] = file[at];
        }
    }
    assert!(open(&damaged).is_ok());
}

#[test]
fn a_flipped_bit_names_its_section() {
    let file = Shop::golden().file();
    for raw in sections(&file).expect("sections") {
        let mut damaged = file.clone();
        damaged[raw.payload.end - 1] ^= 4;
        let error = open(&damaged).expect_err("damaged");
        // The seal guards the manifest: a difference between the two is told as the manifest's.
        let expected = if raw.name == section::SEAL { section::MANIFEST } else { raw.name };
        assert!(error.to_string().contains(expected), "{}: {error}", raw.name);
    }
}

#[test]
fn a_foreign_module_is_called_foreign() {
    // (module (func)) : type, function and code sections.
    let module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";
    wasmparser::validate(module).expect("a valid module");
    assert_eq!(open(module).expect_err("foreign"), FormatError::NoManifest);
    assert_eq!(open(b"\0asm\x01\0\0\0").expect_err("empty module"), FormatError::NoManifest);
    assert_eq!(open(b"GIF89a..").expect_err("no module"), FormatError::NotWasm);
    assert_eq!(open(b"").expect_err("empty"), FormatError::NotWasm);
}

#[test]
fn a_future_version_is_called_newer() {
    let shop = Shop::golden();
    let file = shop.file();
    let at = file.windows(19).position(|window| window == b"\"format_version\": 1").expect("version") + 18;
    let mut future = file.clone();
    future[at] = b'7';
    let error = open(&future).expect_err("newer");
    assert_eq!(error, FormatError::FutureVersion { found: 7, supported: 1 });
    assert!(error.remedy().contains("update"));
}

#[test]
fn a_missing_or_doubled_section_is_named() {
    let shop = Shop::golden();
    let without: Vec<_> = shop.bodies().into_iter().filter(|(name, _)| *name != section::TOGETHER).collect();
    let file = write_model(shop.manifest(), &without).expect("writes");
    assert_eq!(
        open(&file).expect_err("missing"),
        FormatError::MissingSection { section: section::TOGETHER.into() }
    );
    let mut twice = shop.bodies();
    twice.push(twice[0].clone());
    let file = write_model(shop.manifest(), &twice).expect("writes");
    assert!(matches!(open(&file), Err(FormatError::UnexpectedSection { .. })));
}

#[test]
fn an_unknown_section_named_by_the_manifest_is_kept_and_ignored() {
    let shop = Shop::golden();
    let mut bodies = shop.bodies();
    bodies.push(("endcap.later", b"anything".to_vec()));
    assert!(open(&write_model(shop.manifest(), &bodies).expect("writes")).is_ok());
}

#[test]
fn contradicting_arrays_are_refused_whatever_their_digests() {
    // Each rule broken in a file that is otherwise sealed correctly: digests do not vouch for meaning.
    let mut shop = Shop::golden();
    shop.linear = true;
    for (name, body) in shop.bodies() {
        for at in (0..body.len()).step_by(3) {
            let mut bodies = shop.bodies();
            let target = bodies.iter_mut().find(|(found, _)| *found == name).expect("section");
            target.1[at] ^= 0xff;
            let file = write_model(shop.manifest(), &bodies).expect("writes");
            // Refused, or harmless: what opens must serve without a panic.
            if let Ok(model) = open(&file) {
                let engine = endcap_core::recommend::Engine::new(&model);
                let (mut scratch, mut out) = Default::default();
                let request =
                    endcap_core::recommend::Request { n: 100, history: &[0, 3, 7], ..Default::default() };
                engine.recommend(&request, &mut scratch, &mut out);
                for item in 0..model.items().len() as u32 {
                    let view = model.items().get(item);
                    assert!(model.items().find(view.id).is_none_or(|found| (found as usize) < 12));
                }
            }
        }
    }
}

#[test]
fn the_size_limit_holds_a_32_bit_guest() {
    assert!(MAX_MODEL_BYTES < u64::from(u32::MAX) / 2);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut file = b"\0asm\x01\0\0\0".to_vec();
        file.extend_from_slice(&bytes);
        prop_assert!(open(&file).is_err());
        prop_assert!(open(&bytes).is_err());
    }

    #[test]
    fn any_shop_round_trips(
        sessions in proptest::collection::vec(proptest::collection::btree_set(0_u32..40, 1..8), 1..30),
        sample in 1_usize..20,
    ) {
        let sessions: Vec<Vec<u32>> = sessions.into_iter().map(|set| set.into_iter().collect()).collect();
        let shop = Shop::new(40, sessions, sample);
        let file = shop.file();
        wasmparser::validate(&file).expect("valid");
        let model = Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("opens");
        let (read, written) = (model.sessions(), shop.index());
        prop_assert_eq!(read.session_offsets, written.session_offsets);
        prop_assert_eq!(read.session_items, written.session_items);
        prop_assert_eq!(read.posting_offsets, written.posting_offsets);
        prop_assert_eq!(read.postings, written.postings);
        prop_assert_eq!(read.idf, written.idf);
        // Same input, same bytes.
        prop_assert_eq!(file, shop.file());
    }
}
