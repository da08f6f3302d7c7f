//! Loading and unloading for ever takes no memory. In a binary of its own: the measure is the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

#[path = "common/onnx.rs"]
mod onnx;

use endcap_nn::{Device, Encoding, Engine, Key, Limits, Registry, Tensor};

/// Rounds before the measure: the allocator has by then taken what it will keep.
const WARM_UP: usize = 200;
/// Rounds measured.
const ROUNDS: usize = 200;
/// Rounds at the end of each over which the least is taken: fragments differ from round to round, and what leaks is in
/// every later one.
const WINDOW: usize = 50;
/// How much more memory the process may have afterwards.
const TOLERANCE: f64 = 1.05;
/// Times that may be measured. Once in a while the allocator keeps a freed matrix, and stays at that; what leaks grows by
/// the same every time.
const TIMES: usize = 3;

/// Gives what is free back to the system, so that the measure is of what is in use. Without it glibc keeps a few
/// megabytes in one round and not in the next.
fn trim() {
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> i32;
        }
        // SAFETY: a function of glibc that may be called at any time.
        unsafe { malloc_trim(0) };
    }
}

/// Memory of this process that is in use, pages.
fn resident_pages() -> f64 {
    trim();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn two_hundred_rounds_leave_memory_as_it_was() {
    let engine = Engine::new(Limits::default(), Registry::default());
    // 5 MB of weights: one round that is not freed is more than the tolerance.
    let bytes = onnx::perceptron(&[512, 1024, 768, 1]);
    let input = Tensor::f32(&[4, 512], &onnx::noise(1, 4 * 512));
    let round = || {
        let graph = engine.load(&[&bytes], Encoding::Onnx, Device::Cpu).unwrap();
        let mut context = graph.context().unwrap();
        context.set_input(Key::Index(0), input.view()).unwrap();
        context.compute().unwrap();
        assert!(context.output(Key::Index(0)).unwrap().to_tensor().to_f32().unwrap()[0].is_finite());
    };
    let least_of_last = |rounds: usize| {
        let pages = (0..rounds).map(|_| {
            round();
            resident_pages()
        });
        pages.skip(rounds - WINDOW).fold(f64::INFINITY, f64::min)
    };
    let mut before = least_of_last(WARM_UP);
    let grew = (0..TIMES).all(|_| {
        let after = least_of_last(ROUNDS);
        println!("resident pages: {before} before, {after} after {ROUNDS} rounds");
        let grew = after > before * TOLERANCE;
        before = after;
        grew
    });
    assert!(!grew, "memory grew {TIMES} times by more than {TOLERANCE} in {ROUNDS} rounds");
    assert_eq!((engine.graphs_alive(), engine.contexts_alive()), (0, 0));
}
