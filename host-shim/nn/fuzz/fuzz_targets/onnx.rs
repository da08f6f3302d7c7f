//! Models from hell: whatever the bytes, loading and running end with a value or an error.
//!
//! Half of the inputs are taken as they are, half as changes to a model that is right: random bytes alone seldom
//! get past the first look.

#![no_main]

#[path = "../../tests/common/onnx.rs"]
mod onnx;

use endcap_nn::{Device, Encoding, Engine, Key, Limits, Registry, Tensor, TensorType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: {
    // A panic in tract that the crate contains is an error like others; one that it does not contain still ends the run.
    std::panic::set_hook(Box::new(|_| {}));
}, |data: &[u8]| {
    let Some((kind, changes)) = data.split_first() else { return };
    if kind % 2 == 0 {
        run(changes);
        return;
    }
    let mut bytes = onnx::perceptron(&[4, 3, 1]);
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    run(&bytes);
});

fn run(bytes: &[u8]) {
    let limits =
        Limits { model_bytes: 1 << 20, tensor_bytes: 1 << 16, working_bytes: 1 << 18, ..Limits::default() };
    let engine = Engine::new(limits, Registry::default());
    let Ok(graph) = engine.load(&[bytes], Encoding::Onnx, Device::Cpu) else { return };
    let Ok(mut context) = graph.context() else { return };
    for (index, input) in graph.inputs().iter().enumerate() {
        let sizes = input.dimensions.iter().flatten().map(|size| size.unwrap_or(2)).collect::<Vec<_>>();
        let ty = input.ty.unwrap_or(TensorType::F32);
        let elements = sizes.iter().try_fold(ty.size(), |product, size| product.checked_mul(*size as usize));
        let Some(length) = elements.filter(|length| *length <= 1 << 16) else { return };
        let tensor = Tensor { dimensions: sizes, ty, data: vec![1; length] };
        if context.set_input(Key::Index(index as u32), tensor.view()).is_err() {
            return;
        }
    }
    if context.compute().is_ok() {
        for index in 0..graph.outputs().len() {
            let _ = context.output(Key::Index(index as u32));
        }
    }
}
