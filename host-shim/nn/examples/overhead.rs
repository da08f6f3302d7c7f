//! What the crate adds to tract: the same perceptron (128-256-128-1) by a bare plan and by a context.
//!
//! Both get their input as bytes and give bytes, one thread, medians of blocks that take turns. Run:
//! `cargo run --release -p endcap-nn --no-default-features --example overhead`

#[path = "../tests/common/onnx.rs"]
mod onnx;

use std::time::{Duration, Instant};

use endcap_nn::{Device, Encoding, Engine, Key, Limits, Registry, Tensor, TensorType, TensorView};
use tract_onnx::prelude::{
    DatumType, Framework, InferenceFact, InferenceModelExt, IntoRunnable, IntoTValue, Tensor as TractTensor,
    TractResult, tvec,
};

const LAYERS: [usize; 4] = [128, 256, 128, 1];
const BATCHES: [usize; 4] = [1, 16, 100, 500];
/// Blocks of each kind; the medians of these are compared.
const BLOCKS: usize = 101;
/// How long a block should take: long beside the clock, short beside a scheduler's slice.
const BLOCK: Duration = Duration::from_millis(2);

fn main() -> TractResult<()> {
    let bytes = onnx::perceptron(&LAYERS);
    let engine = Engine::new(Limits::default(), Registry::default());
    let start = Instant::now();
    let graph = engine.load(&[&bytes], Encoding::Onnx, Device::Cpu)?;
    println!("load, with a plan for one row: {:?}", start.elapsed());
    println!("{:>5} {:>12} {:>12} {:>8} {:>7}", "batch", "tract µs", "context µs", "more µs", "ratio");
    for batch in BATCHES {
        let input = Tensor::f32(&[batch as u32, 128], &onnx::noise(1, batch * 128));
        let fact = InferenceFact::dt_shape(DatumType::F32, [batch, 128]);
        let plan = onnx_plan(&bytes, fact)?;
        let mut state = plan.spawn()?;
        let mut context = graph.context()?;
        let mut bare = || -> TractResult<Vec<u8>> {
            let mut tensor = TractTensor::zero::<f32>(&[batch, 128])?;
            tensor.as_bytes_mut().copy_from_slice(&input.data);
            Ok(state.run(tvec![tensor.into_tvalue()])?[0].as_bytes().to_vec())
        };
        let mut ours = || -> TractResult<Vec<u8>> {
            let view = TensorView { dimensions: &input.dimensions, ty: TensorType::F32, data: &input.data };
            context.set_input(Key::Index(0), view)?;
            context.compute()?;
            Ok(context.output(Key::Index(0))?.data.to_vec())
        };
        assert_eq!(bare()?, ours()?, "the same plan gives the same bytes");
        let runs = runs_per_block(&mut bare)?;
        let (mut bare_times, mut our_times) = (vec![], vec![]);
        for _ in 0..BLOCKS {
            bare_times.push(block(runs, &mut bare)?);
            our_times.push(block(runs, &mut ours)?);
        }
        let (bare, ours) = (median(bare_times), median(our_times));
        println!("{batch:>5} {bare:>12.2} {ours:>12.2} {:>8.2} {:>7.3}", ours - bare, ours / bare);
    }
    Ok(())
}

type Plan = std::sync::Arc<tract_onnx::prelude::TypedRunnableModel>;

fn onnx_plan(mut bytes: &[u8], fact: InferenceFact) -> TractResult<Plan> {
    tract_onnx::onnx().model_for_read(&mut bytes)?.with_input_fact(0, fact)?.into_optimized()?.into_runnable()
}

type Run<'a> = &'a mut dyn FnMut() -> TractResult<Vec<u8>>;

fn runs_per_block(run: Run<'_>) -> TractResult<u32> {
    let start = Instant::now();
    let mut runs = 0;
    while start.elapsed() < BLOCK {
        run()?;
        runs += 1;
    }
    Ok(runs)
}

/// Microseconds of one run.
fn block(runs: u32, run: Run<'_>) -> TractResult<f64> {
    let start = Instant::now();
    for _ in 0..runs {
        std::hint::black_box(run()?);
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(runs))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
