//! Time of a call as a guest sees it.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::{abi, onnx};

/// Calls between two looks at the clock, which is itself a host call.
const CHUNK: u32 = 64;

/// Calls for so long and prints the fastest and the median chunk, nanoseconds per call.
pub(crate) fn loop_for(file: &str, batch: usize, seconds: f64) -> anyhow::Result<()> {
    let context = abi::context(abi::load(&fs::read(file)?, abi::ONNX, abi::CPU)?)?;
    let shape = [batch as u32, onnx::FEATURES as u32];
    let input = abi::bytes(&onnx::input(batch));
    let mut output = vec![0; batch * 4];
    let mut call = || -> anyhow::Result<()> {
        abi::set_input(context, 0, &shape, abi::F32, black_box(&input))?;
        abi::compute(context)?;
        abi::get_output(context, 0, black_box(&mut output))?;
        Ok(())
    };
    call()?;
    let mut chunks = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        let start = Instant::now();
        for _ in 0..CHUNK {
            call()?;
        }
        chunks.push(start.elapsed().as_nanos() as f64 / f64::from(CHUNK));
    }
    chunks.sort_by(f64::total_cmp);
    let (fastest, median) = (chunks[0], chunks[chunks.len() / 2]);
    println!("{}", json!({ "batch": batch, "fastest_ns": fastest, "median_ns": median }));
    Ok(())
}
