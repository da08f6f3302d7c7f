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
    let (fastest, median) = time(seconds, |_| call())?;
    println!("{}", json!({ "batch": batch, "fastest_ns": fastest, "median_ns": median }));
    Ok(())
}

/// User vectors of histories of `length` items for so long, by a sequence encoder in the form of `encoding`, with the calls of the
/// service: prints the nanoseconds of one, and the vector of the first history.
pub(crate) fn encoder(
    file: &str,
    encoding: &str,
    length: usize,
    items: u32,
    seconds: f64,
) -> anyhow::Result<()> {
    let encoder = Encoder::load(file, encoding)?;
    let history = |number: u32| (0..length as u32).map(move |at| (number * 11 + at * 37) % items);
    let mut user = Vec::new();
    encoder.ask(&history(0).collect::<Vec<_>>(), &mut user)?;
    let floats: Vec<f32> =
        user.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let (fastest, median) =
        time(seconds, |number| encoder.ask(&history(number).collect::<Vec<_>>(), &mut user))?;
    println!("{}", json!({ "fastest_ns": fastest, "median_ns": median, "user": floats }));
    Ok(())
}

/// A sequence encoder, and how its engine is asked: as endcap-core's `SequenceEncoder` does.
struct Encoder {
    context: u32,
    ggml: bool,
    dim: usize,
}

impl Encoder {
    /// Lengths that ONNX is prepared for.
    const LENGTHS: [usize; 4] = [8, 16, 32, 64];

    fn load(file: &str, encoding: &str) -> anyhow::Result<Self> {
        let ggml = encoding == "ggml";
        let number = if ggml { abi::GGML } else { abi::ONNX };
        let context = abi::context(abi::load(&fs::read(file)?, number, abi::CPU)?)?;
        let mut encoder = Self { context, ggml, dim: 4096 };
        let mut user = Vec::new();
        encoder.dim = encoder.ask(&[0], &mut user)? / 4;
        Ok(encoder)
    }

    /// Leaves the user vector in `user` and says how many bytes it has.
    fn ask(&self, history: &[u32], user: &mut Vec<u8>) -> anyhow::Result<usize> {
        let Self { context, ggml, dim } = *self;
        user.resize(dim * 4, 0);
        if ggml {
            // The tokens before the first item: unknown, begin, end.
            let tokens: Vec<u8> = history.iter().flat_map(|item| (item + 3).to_le_bytes()).collect();
            let metadata = br#"{"embedding":true,"threads":1}"#;
            abi::set_input(context, 0, &[history.len() as u32], abi::I32, &tokens)?;
            abi::set_input(context, 1, &[metadata.len() as u32], abi::U8, metadata)?;
            abi::compute(context)?;
            return Ok(abi::get_output(context, 2, user)? as usize);
        }
        let filled = Self::LENGTHS.into_iter().find(|&length| length >= history.len());
        let filled = filled.unwrap_or(history.len());
        let mut items: Vec<u8> = history.iter().flat_map(|&item| i64::from(item).to_le_bytes()).collect();
        items.resize(filled * 8, 0);
        abi::set_input(context, 0, &[1, filled as u32], abi::I64, &items)?;
        abi::set_input(context, 1, &[1], abi::I64, &(history.len() as i64).to_le_bytes())?;
        abi::compute(context)?;
        Ok(abi::get_output(context, 0, user)? as usize)
    }
}

/// Calls with rising numbers for so long; the fastest and the median chunk, nanoseconds per call.
fn time<T>(seconds: f64, mut call: impl FnMut(u32) -> anyhow::Result<T>) -> anyhow::Result<(f64, f64)> {
    call(0)?;
    let (mut chunks, mut number) = (Vec::new(), 0);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        let start = Instant::now();
        for _ in 0..CHUNK {
            number += 1;
            black_box(call(number)?);
        }
        chunks.push(start.elapsed().as_nanos() as f64 / f64::from(CHUNK));
    }
    chunks.sort_by(f64::total_cmp);
    Ok((chunks[0], chunks[chunks.len() / 2]))
}
