//! What a guest can do wrong, one line per case: its name and the errno that came back.

use std::fs;

use serde_json::json;

use crate::abi::{self, CPU, Errno, F32, GPU, ONNX, address, address_mut, raw};
use crate::onnx::{FEATURES, input};

/// An address that no guest of 32 bits has memory at.
const BEYOND: u32 = u32::MAX - 2;
/// A handle that is never given out so soon.
const UNKNOWN: u32 = 4711;

fn report<T>(case: &str, result: Result<T, Errno>) {
    let errno = result.err().map_or(0, |errno| errno.0);
    println!("{}", json!({ "case": case, "errno": errno }));
}

fn report_raw(case: &str, errno: u32) {
    report(case, if errno == abi::OK { Ok(()) } else { Err(Errno(errno)) });
}

pub(crate) fn all(file: &str) -> anyhow::Result<()> {
    let model = fs::read(file)?;
    loading(&model);
    names();
    tensors(&model)?;
    outputs(&model)?;
    handles(&model)?;
    pointers(&model)
}

fn loading(model: &[u8]) {
    report("a truncated model", abi::load(&model[..model.len() / 2], ONNX, CPU));
    report("a model of noise", abi::load(&[0xA5; 4096], ONNX, CPU));
    report("an empty model", abi::load(&[], ONNX, CPU));
    report("no builder", abi::stored(|graph| raw::load(address(&[0_u32; 2]), 0, ONNX, CPU, graph)));
    report("an unknown encoding", abi::load(model, 77, CPU));
    report("an encoding of another engine", abi::load(model, 0, CPU));
    report("an unknown target", abi::load(model, ONNX, 77));
    report("a GPU that is not there", abi::load(model, ONNX, GPU));
    report("a path of the host as preload", abi::load(b"preload:/etc/passwd", 6, CPU));
}

fn names() {
    report("a name that is not registered", abi::load_by_name("nobody"));
    report("an empty name", abi::load_by_name(""));
    let name = [0xFF_u8, 0xFE];
    report("a name that is no text", abi::stored(|graph| raw::load_by_name(address(&name), 2, graph)));
    report("a config that is no JSON", abi::load_with_config("mlp", "{"));
    report("a config for no model", abi::load_with_config("nobody", "{}"));
}

fn tensors(model: &[u8]) -> anyhow::Result<()> {
    let context = abi::context(abi::load(model, ONNX, CPU)?)?;
    let features = FEATURES as u32;
    let data = abi::bytes(&input(1));
    report("a wrong shape", abi::set_input(context, 0, &[1, features - 1], F32, &data[4..]));
    report("a wrong rank", abi::set_input(context, 0, &[features], F32, &data));
    report("a wrong type", abi::set_input(context, 0, &[1, features], 4, &data));
    report("an unknown type", abi::set_input(context, 0, &[1, features], 77, &data));
    report("too few bytes", abi::set_input(context, 0, &[1, features], F32, &data[4..]));
    report("a product that overflows", abi::set_input(context, 0, &[u32::MAX, u32::MAX], F32, &data));
    report("an input that is not there", abi::set_input(context, 9, &[1, features], F32, &data));
    report("a context of no inputs", abi::compute(context));
    report("a good input after all that", abi::set_input(context, 0, &[1, features], F32, &data));
    report("and its compute", abi::compute(context));
    Ok(())
}

fn outputs(model: &[u8]) -> anyhow::Result<()> {
    let context = abi::context(abi::load(model, ONNX, CPU)?)?;
    let mut buffer = [0xEE_u8; 16];
    abi::set_input(context, 0, &[2, FEATURES as u32], F32, &abi::bytes(&input(2)))?;
    report("an output before compute", abi::get_output(context, 0, &mut buffer));
    abi::compute(context)?;
    report("an output that is not there", abi::get_output(context, 9, &mut buffer));
    report("a buffer too small", abi::get_output(context, 0, &mut buffer[..7]));
    anyhow::ensure!(buffer[7..] == [0xEE; 9], "written behind the buffer's end");
    report("a token of a model that has none", abi::compute_single(context));
    report("a buffer that fits", abi::get_output(context, 0, &mut buffer[..8]));
    anyhow::ensure!(buffer[8..] == [0xEE; 8], "written behind the buffer's end");
    Ok(())
}

fn handles(model: &[u8]) -> anyhow::Result<()> {
    report("a context of an unknown graph", abi::context(UNKNOWN));
    report("an input of an unknown context", abi::set_input(UNKNOWN, 0, &[1], F32, &[0; 4]));
    report("a compute of an unknown context", abi::compute(UNKNOWN));
    report("an output of an unknown context", abi::get_output(UNKNOWN, 0, &mut [0; 4]));
    report("an unknown graph unloaded", abi::unload(UNKNOWN));
    report("an unknown context finalized", abi::finalize(UNKNOWN));
    let graph = abi::load(model, ONNX, CPU)?;
    let context = abi::context(graph)?;
    abi::finalize(context)?;
    report("a context twice finalized", abi::finalize(context));
    report("a compute after finalize", abi::compute(context));
    abi::unload(graph)?;
    report("a graph twice unloaded", abi::unload(graph));
    report("a context after unload", abi::context(graph));
    Ok(())
}

fn pointers(model: &[u8]) -> anyhow::Result<()> {
    let graph = abi::load(model, ONNX, CPU)?;
    let context = abi::context(graph)?;
    let builder = [address(model), model.len() as u32];
    let mut places = [0_u32; 2];
    let place = address_mut(&mut places);
    report_raw("builders beyond memory", raw::load(BEYOND, 1, ONNX, CPU, place));
    report_raw("builders without end", raw::load(address(&builder), u32::MAX, ONNX, CPU, place));
    let wild = [BEYOND, 100];
    report_raw("a builder beyond memory", raw::load(address(&wild), 1, ONNX, CPU, place));
    report_raw("a graph to beyond memory", raw::load(address(&builder), 1, ONNX, CPU, BEYOND));
    report_raw("a name beyond memory", raw::load_by_name(BEYOND, 8, place));
    report_raw("a name without end", raw::load_by_name(address("mlp"), u32::MAX, place));
    report_raw("a context to beyond memory", raw::init_execution_context(graph, BEYOND));
    report_raw("a tensor beyond memory", raw::set_input(context, 0, BEYOND));
    let shape = [1_u32, FEATURES as u32];
    let tensor = |shape: u32, rank: u32, data: u32, bytes: u32| [shape, rank, F32, data, bytes];
    let good = abi::bytes(&input(1));
    let cases = [
        ("a shape beyond memory", tensor(BEYOND, 2, address(&good[..]), 512)),
        ("a shape without end", tensor(address(&shape), u32::MAX, address(&good[..]), 512)),
        ("data beyond memory", tensor(address(&shape), 2, BEYOND, 512)),
        ("data without end", tensor(address(&shape), 2, address(&good[..]), u32::MAX)),
    ];
    for (case, tensor) in cases {
        report_raw(case, raw::set_input(context, 0, address(&tensor)));
    }
    abi::set_input(context, 0, &shape, F32, &good)?;
    abi::compute(context)?;
    report_raw("a buffer beyond memory", raw::get_output(context, 0, BEYOND, 4, place));
    report_raw("a buffer without end", raw::get_output(context, 0, place, u32::MAX, place));
    report_raw("a length to beyond memory", raw::get_output(context, 0, place, 4, BEYOND));
    // Nothing above has harmed the context.
    let mut output = [0; 4];
    report("the same output after all that", abi::get_output(context, 0, &mut output));
    Ok(())
}
