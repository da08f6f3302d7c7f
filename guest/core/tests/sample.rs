//! Section `endcap.sample`: there and back, and what is refused.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use common::Shop;
use endcap_core::AlignedBytes;
use endcap_core::format::{
    FormatError, Manifest, Model, Question, Verify, encode_sample, section, sections, write_model,
};
use proptest::prelude::*;

/// The golden shop's file with these questions.
fn with_questions<'a>(questions: impl IntoIterator<Item = Question<'a>>) -> Result<Model, FormatError> {
    let file = Shop::golden().file();
    let raw = sections(&file).expect("sections");
    let body = |name: &str| {
        let found = raw.iter().find(|raw| raw.name == name).expect("a section");
        file[found.body(&file).expect("a body")].to_vec()
    };
    let mut manifest = Manifest::parse(&body(section::MANIFEST)).expect("a manifest");
    let names = [section::ITEMS, section::SESSIONS, section::TOGETHER, section::RANKINGS];
    let mut bodies: Vec<_> = names.into_iter().map(|name| (name, body(name))).collect();
    bodies.push((section::SAMPLE, encode_sample(questions)));
    manifest.sections.clear();
    let file = write_model(manifest, &bodies).expect("writes");
    Model::open(AlignedBytes::copy_from(&file), Verify::Full)
}

fn refused(question: Question<'_>) -> String {
    with_questions([question]).expect_err("must be refused").to_string()
}

#[test]
fn a_file_without_the_section_has_no_questions() {
    let file = Shop::golden().file();
    let model = Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("opens");
    assert!(model.sample().is_empty());
    assert_eq!(model.sample().iter().len(), 0);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let good = Question { history: &[1, 2], earlier: 1, targets: &[3, 4] };
    assert_eq!(with_questions([good]).expect("opens").sample().len(), 1);
    assert!(refused(Question { history: &[12], ..good }).contains("does not exist"));
    assert!(refused(Question { targets: &[3, 12], ..good }).contains("does not exist"));
    assert!(refused(Question { history: &[], earlier: 0, ..good }).contains("a history is empty"));
    assert!(refused(Question { earlier: 3, ..good }).contains("earlier visits"));
    assert!(refused(Question { targets: &[], ..good }).contains("targets are none"));
    assert!(refused(Question { targets: &[4, 3], ..good }).contains("do not rise"));
    let many = with_questions(std::iter::repeat_n(good, 4_097)).expect_err("too many").to_string();
    assert!(many.contains("4096"), "{many}");
}

proptest! {
    #[test]
    fn questions_come_back_as_written(
        questions in proptest::collection::vec(
            (
                proptest::collection::vec(0_u32..12, 1..20),
                0_usize..20,
                proptest::collection::btree_set(0_u32..12, 1..6),
            ),
            0..20,
        ),
    ) {
        let owned: Vec<(Vec<u32>, usize, Vec<u32>)> = questions
            .into_iter()
            .map(|(history, earlier, targets)| {
                let earlier = earlier.min(history.len());
                (history, earlier, targets.into_iter().collect())
            })
            .collect();
        let written = owned.iter().map(|(history, earlier, targets)| Question { history, earlier: *earlier, targets });
        let model = with_questions(written.clone()).expect("opens");
        prop_assert!(model.sample().iter().eq(written));
    }
}
