//! A small ONNX model, written field by field: `y = x · w` with x [?, 3], w [3, 2], all f32.

use super::protobuf::Message;

const FLOAT: u64 = 1;

/// A tensor's name and sizes; the first axis is open where it is named.
fn declared(name: &str, sizes: [Result<u64, &str>; 2]) -> Message {
    let shape = sizes.into_iter().fold(Message::default(), |shape, size| {
        shape.message(
            1,
            match size {
                Ok(size) => Message::default().number(1, size),
                Err(name) => Message::default().text(2, name),
            },
        )
    });
    let tensor = Message::default().number(1, FLOAT).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

/// The model with these weights, row-major.
pub fn product(weights: [f32; 6]) -> Vec<u8> {
    let raw: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let node = Message::default().text(1, "x").text(1, "w").text(2, "y").text(3, "product").text(4, "MatMul");
    let weights = Message::default().number(1, 3).number(1, 2).number(2, FLOAT).text(8, "w").bytes(9, &raw);
    let graph = Message::default()
        .message(1, node)
        .text(2, "product")
        .message(5, weights)
        .message(11, declared("x", [Err("batch"), Ok(3)]))
        .message(12, declared("y", [Err("batch"), Ok(2)]));
    let opset = Message::default().text(1, "").number(2, 17);
    Message::default().number(1, 8).message(7, graph).message(8, opset).0
}
