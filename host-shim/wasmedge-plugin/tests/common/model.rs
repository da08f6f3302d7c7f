//! An ONNX model written by hand: a perceptron 128-256-128-1 with a free batch, as rankers are.

use super::protobuf::Message;

/// Sizes of the layers.
const LAYERS: [usize; 4] = [128, 256, 128, 1];
/// `TensorProto.FLOAT`.
const FLOAT: u64 = 1;

/// Weights that are fixed and small enough for the outputs to stay near 1.
fn weights(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count).flat_map(|_| (next() * 0.25).to_le_bytes()).collect()
}

fn initializer(name: &str, shape: &[usize], seed: u32) -> Message {
    let tensor = shape.iter().fold(Message::default(), |tensor, &size| tensor.number(1, size as u64));
    tensor.number(2, FLOAT).text(8, name).bytes(9, &weights(shape.iter().product(), seed))
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
    node.text(2, output).text(3, output).text(4, operator)
}

fn value(name: &str, size: usize) -> Message {
    let batch = Message::default().text(2, "batch");
    let shape = Message::default().message(1, batch).message(1, Message::default().number(1, size as u64));
    let tensor = Message::default().number(1, FLOAT).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

/// The model's bytes: input `x` of `[batch, 128]`, output `y` of `[batch, 1]`, single precision.
pub fn mlp() -> Vec<u8> {
    let mut graph = Message::default().text(2, "mlp");
    let mut last = "x".to_owned();
    for (layer, sizes) in LAYERS.windows(2).enumerate() {
        let is_last = layer + 2 == LAYERS.len();
        let (weight, bias) = (format!("w{layer}"), format!("b{layer}"));
        let output = if is_last { "y".to_owned() } else { format!("linear{layer}") };
        let seed = layer as u32 * 2;
        graph = graph
            .message(5, initializer(&weight, sizes, seed + 1))
            .message(5, initializer(&bias, &sizes[1..], seed + 2))
            .message(1, node("Gemm", &[&last, &weight, &bias], &output));
        last = output;
        if !is_last {
            let activated = format!("relu{layer}");
            graph = graph.message(1, node("Relu", &[&last], &activated));
            last = activated;
        }
    }
    let graph = graph.message(11, value("x", LAYERS[0])).message(12, value("y", 1));
    let opset = Message::default().text(1, "").number(2, 13);
    Message::default().number(1, 8).message(7, graph).message(8, opset).0
}
