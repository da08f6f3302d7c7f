//! A guest that calls the ABI at random for long: every call ends with an errno.
//!
//! `HOSTILE_CALLS` sets how many; a million take about a minute.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/onnx.rs"]
mod onnx;

use endcap_nn::witx::errno;
use hostile::Guest;
use tract_onnx::pb::tensor_proto::DataType;

/// As many as take some seconds.
const CALLS: u32 = 50_000;

#[test]
fn random_calls_end_with_an_errno() {
    let calls = std::env::var("HOSTILE_CALLS").map_or(CALLS, |calls| calls.parse().unwrap());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some((state >> 16) as u32)
    };
    let mut damaged = onnx::perceptron(&[3, 2]);
    damaged.truncate(60);
    let models = [
        onnx::perceptron(&[3, 4, 2]),
        onnx::identity(DataType::Float),
        onnx::identity(DataType::Uint8),
        damaged,
        b"GGUF\x03\0\0\0".to_vec(),
        b"preload:rank".to_vec(),
    ];
    let engine = hostile::engine();
    let mut guest = Guest::new(engine.clone(), &models, &mut next);
    let mut seen = [0_u32; 128];
    let mut succeeded = [0_u32; 12];
    for _ in 0..calls {
        let (function, errno) = guest.call().unwrap();
        seen[errno as usize] += 1;
        succeeded[function as usize] += u32::from(errno == errno::SUCCESS);
    }
    drop(guest);
    assert_eq!((engine.graphs_alive(), engine.contexts_alive()), (0, 0));
    let counts: Vec<_> = seen.iter().enumerate().filter(|(_, count)| **count > 0).collect();
    println!("calls by errno: {counts:?}; successes by function: {succeeded:?}");
    // The guest reaches what it is for: without successes it would only test the first check of each function.
    // Load, context, input, compute, output, unload, finalize; nothing is registered, and nothing here has tokens.
    for function in [0, 3, 4, 5, 8, 10, 11] {
        let count = succeeded[function];
        assert!(count >= calls / 1000, "function {function} succeeded {count} times");
    }
    for (number, least) in [
        (errno::INVALID_ARGUMENT, calls / 10),
        (errno::INVALID_ENCODING, calls / 1000),
        (errno::TOO_LARGE, calls / 1000),
        (errno::NOT_FOUND, calls / 1000),
    ] {
        assert!(seen[number as usize] >= least, "errno {number} came {} times", seen[number as usize]);
    }
}
