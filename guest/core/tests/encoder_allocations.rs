//! The request path, of the encoder and of every strategy, does not allocate once its scratch has seen the longest history.
//!
//! A binary of its own, because it counts every allocation of the process.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod common;
mod encoder_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::Shop;
use encoder_support::{Weights, small_shape};
use endcap_core::AlignedBytes;
use endcap_core::encoder::{Decoder, DecoderScratch, Precision};
use endcap_core::format::{Blend, LinearParameters, Model, Verify, encode_linear, section, write_model};
use endcap_core::recommend::{Engine, Request, Scratch, Strategy};
use endcap_core::topn::TopN;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting on the thread that asks: the harness has threads of its own.
struct Counting;

// SAFETY: every call goes on to `System` unchanged; counting touches a thread-local number and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `System` made the block.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_warm_encoder_does_not_allocate() {
    let weights = Weights::random(&small_shape(), true, 1);
    for precision in [Precision::F32, Precision::Int8] {
        let model = weights.model(precision);
        let view = model.encoder().expect("an encoder");
        let (decoder, mut scratch) = (Decoder::new(&view), DecoderScratch::default());
        let history: Vec<u32> = (0..20).collect();
        let (mut all, mut some, mut top) = (vec![0.0; 40], Vec::with_capacity(20), TopN::default());
        top.reset(10);
        decoder.encode(view.embedding, &history, &mut scratch).expect("encodes");
        let before = COUNT.get();
        for len in 1..=history.len() {
            let user = decoder.encode(view.embedding, &history[..len], &mut scratch).expect("encodes");
            view.output.score_all(user, &mut all);
            view.output.score_some(user, &history, &mut some);
            top.reset(10);
            view.output.offer_all(user, &mut top);
            std::hint::black_box(top.finish());
        }
        assert_eq!(COUNT.get() - before, 0, "{precision:?}");
        std::hint::black_box(vec![1]);
        assert_ne!(COUNT.get() - before, 0, "the counter counts");
    }
}

#[test]
fn a_warm_request_does_not_allocate() {
    let shop = Shop::golden();
    let mut manifest = shop.manifest();
    manifest.parameters.linear = Some(LinearParameters::default());
    manifest.parameters.blend = Blend { linear: 1.0, ..Blend::default() };
    let mut bodies = shop.bodies();
    // One row is as long as the catalogue, the others are not: both ways of adding up.
    let row =
        |item: u32| if item == 0 { (1..12).map(|other| (other, 0.5)).collect() } else { vec![(0, 1.0)] };
    bodies.push((section::LINEAR, encode_linear(&(0..12).map(row).collect::<Vec<_>>())));
    let file = write_model(manifest, &bodies).expect("writes");
    let model = Model::open(AlignedBytes::copy_from(&file), Verify::Full).expect("opens");
    let (engine, mut scratch, mut out) = (Engine::new(&model), Scratch::default(), Vec::new());
    let history: Vec<u32> = (0..12).rev().collect();
    let mut ask_all = || {
        for strategy in [Strategy::Personal, Strategy::Linear, Strategy::Session, Strategy::Together] {
            for from in 0..history.len() {
                out.clear();
                let request =
                    Request { strategy, history: &history[from..], repeat: true, ..Request::default() };
                engine.recommend(&request, &mut scratch, &mut out);
            }
        }
    };
    ask_all();
    let before = COUNT.get();
    ask_all();
    assert_eq!(COUNT.get() - before, 0);
}
