//! The encoder as serving asks it: many visitors in turns.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
mod encoder_support;

use encoder_support::{Weights, small_shape};
use endcap_core::encoder::Precision;
use endcap_core::inference::SequenceEncoder;

#[test]
fn visitors_in_turns_get_what_each_would_get_alone() {
    let weights = Weights::random(&small_shape(), true, 9);
    let model = weights.model(Precision::Int8);
    let view = model.encoder().unwrap();
    let items = small_shape().items as u32;
    // More visitors than are remembered, whose histories begin alike, and grow to more than is read.
    let history = |visitor: u32, len: u32| -> Vec<u32> {
        (0..len).map(|at| if at < 3 { at } else { (visitor * 7 + at * 11) % items }).collect()
    };
    let mut shared = SequenceEncoder::builtin(&view);
    for len in [1, 2, 3, 5, 6, 11, small_shape().max_len as u32, small_shape().max_len as u32 + 3] {
        for visitor in 0..100 {
            let history = history(visitor, len);
            let mut alone = SequenceEncoder::builtin(&view);
            assert_eq!(
                shared.propose(&view, &history).unwrap(),
                alone.propose(&view, &history).unwrap(),
                "visitor {visitor}, {len} items"
            );
        }
    }
    assert!(shared.propose(&view, &[]).is_err());
    assert!(shared.propose(&view, &[items]).is_err());
    assert!(shared.propose(&view, &[0, 1]).is_ok());
}
