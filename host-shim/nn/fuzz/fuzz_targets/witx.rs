//! A hostile guest: its choices are the input.

#![no_main]

#[path = "../../tests/common/hostile.rs"]
mod hostile;
#[path = "../../tests/common/onnx.rs"]
mod onnx;

use hostile::Guest;
use libfuzzer_sys::fuzz_target;
use tract_onnx::pb::tensor_proto::DataType;

fuzz_target!(|data: &[u8]| {
    let mut choices =
        data.chunks_exact(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let mut next = || choices.next();
    let models = [onnx::perceptron(&[3, 4, 2]), onnx::identity(DataType::Float), b"preload:rank".to_vec()];
    let mut guest = Guest::new(hostile::engine(), &models, &mut next);
    while guest.call().is_some() {}
});
