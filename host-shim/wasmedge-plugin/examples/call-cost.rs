//! What a call costs a guest, against the same call natively.
//!
//! What: `set_input`, `compute`, `get_output` of a perceptron 128-256-128-1 in single precision, at several batches.
//! Natively in this process; as a guest compiled ahead of time under WasmEdge with the plugin of this build. The two
//! take turns, so that both see the same moods of the machine; of each, the median over its rounds counts. No
//! randomness. How to run: `make plugin`, then
//! `cargo run --release -p endcap-wasmedge-plugin --example call-cost [ROUNDS [SECONDS]]`.
//!
//! Goal: within 5 % from batch 16 up, under 2 µs more at batch 1.
#![expect(clippy::unwrap_used, reason = "a program for the bench: what is missing ends it")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::{Bench, model};
use endcap_nn::{Device, Encoding, Engine, Key, Limits, Registry, Tensor, TensorType, TensorView};

const FEATURES: u32 = 128;
const BATCHES: [u32; 4] = [1, 16, 100, 500];
/// As the guest's: calls between two looks at the clock.
const CHUNK: u32 = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(5, |rounds| rounds.parse().unwrap());
    let seconds: f64 = arguments.next().map_or(0.5, |seconds| seconds.parse().unwrap());
    let Some(bench) = Bench::new() else { return };
    println!("{rounds} rounds of {seconds} s; median over rounds of each round's median call");
    println!("{:>6} {:>12} {:>12} {:>8} {:>10}", "batch", "native µs", "guest µs", "ratio", "more µs");
    for batch in BATCHES {
        let (mut native_ns, mut guest_ns) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            native_ns.push(native(batch, seconds));
            let lines = bench.answers(["bench", "/m/mlp.onnx", &batch.to_string(), &seconds.to_string()]);
            guest_ns.push(lines[0]["median_ns"].as_f64().unwrap());
        }
        let (native, guest) = (median(native_ns) / 1e3, median(guest_ns) / 1e3);
        println!("{batch:>6} {native:>12.2} {guest:>12.2} {:>8.3} {:>10.2}", guest / native, guest - native);
    }
}

/// Nanoseconds per call, the median chunk.
fn native(batch: u32, seconds: f64) -> f64 {
    let engine = Engine::new(Limits::default(), Registry::default());
    let graph = engine.load(&[&model::mlp()], Encoding::Onnx, Device::Cpu).unwrap();
    let mut context = graph.context().unwrap();
    // The guest's rule.
    let input: Vec<f32> = (0..batch * FEATURES).map(|i| (i * 37 % 129) as f32 / 64.0 - 1.0).collect();
    let input = Tensor::f32(&[batch, FEATURES], &input);
    let mut output = vec![0_u8; batch as usize * 4];
    let mut call = || {
        let view =
            TensorView { dimensions: &[batch, FEATURES], ty: TensorType::F32, data: black_box(&input.data) };
        context.set_input(Key::Index(0), view).unwrap();
        context.compute().unwrap();
        // The guest's call copies as well.
        output.copy_from_slice(context.output(Key::Index(0)).unwrap().data);
        black_box(&mut output);
    };
    call();
    let mut chunks = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        let start = Instant::now();
        (0..CHUNK).for_each(|_| call());
        chunks.push(start.elapsed().as_nanos() as f64 / f64::from(CHUNK));
    }
    median(chunks)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
