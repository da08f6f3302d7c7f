//! The same model by the three ways that a guest can take.

use std::fs;

use serde_json::json;
use wasi_nn::{ExecutionTarget, GraphBuilder, GraphEncoding, TensorType};

use crate::abi;

/// Features of the tests' model.
pub(crate) const FEATURES: usize = 128;

/// Inputs that the caller makes by the same rule: between -1 and 1, exact in single precision.
pub(crate) fn input(batch: usize) -> Vec<f32> {
    (0..batch * FEATURES).map(|i| (i * 37 % 129) as f32 / 64.0 - 1.0).collect()
}

pub(crate) fn from_bytes(file: &str, batch: usize) -> anyhow::Result<()> {
    run(abi::load(&fs::read(file)?, abi::ONNX, abi::CPU)?, batch)
}

pub(crate) fn by_name(name: &str, batch: usize) -> anyhow::Result<()> {
    run(abi::load_by_name(name)?, batch)
}

fn run(graph: u32, batch: usize) -> anyhow::Result<()> {
    print(&compute(graph, batch)?);
    Ok(abi::unload(graph)?)
}

fn compute(graph: u32, batch: usize) -> anyhow::Result<Vec<f32>> {
    let context = abi::context(graph)?;
    let shape = [batch as u32, FEATURES as u32];
    abi::set_input(context, 0, &shape, abi::F32, &abi::bytes(&input(batch)))?;
    abi::compute(context)?;
    let mut output = vec![0; batch * 4];
    let written = abi::get_output(context, 0, &mut output)?;
    anyhow::ensure!(written as usize == output.len(), "{written} bytes of {}", output.len());
    abi::finalize(context)?;
    Ok(output.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

pub(crate) fn by_crate(file: &str, batch: usize) -> anyhow::Result<()> {
    let graph = GraphBuilder::new(GraphEncoding::Onnx, ExecutionTarget::CPU).build_from_files([file])?;
    let mut context = graph.init_execution_context()?;
    context.set_input(0, TensorType::F32, &[batch, FEATURES], &input(batch))?;
    context.compute()?;
    let mut output = vec![0_f32; batch];
    context.get_output(0, &mut output)?;
    print(&output);
    Ok(())
}

pub(crate) fn load_loop(file: &str, rounds: usize) -> anyhow::Result<()> {
    let model = fs::read(file)?;
    for round in 0..rounds {
        let graph = abi::load(&model, abi::ONNX, abi::CPU)?;
        compute(graph, 1 + round % 3)?;
        abi::unload(graph)?;
    }
    println!("{}", json!({ "rounds": rounds }));
    Ok(())
}

fn print(output: &[f32]) {
    println!("{}", json!({ "output": output }));
}
