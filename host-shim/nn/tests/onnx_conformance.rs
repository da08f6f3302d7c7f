//! What ONNX models must compute: element types, open axes, several inputs and outputs, names and indices.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

#[path = "common/onnx.rs"]
mod onnx;

use endcap_nn::{Device, Encoding, Engine, Graph, Key, Limits, Registry, Tensor, TensorType};
use onnx::{Dim, Onnx};
use tract_onnx::pb::tensor_proto::DataType;

const LAYERS: [usize; 4] = [128, 256, 128, 1];

fn engine() -> Engine {
    Engine::new(Limits::default(), Registry::default())
}

fn load(bytes: &[u8]) -> Graph {
    engine().load(&[bytes], Encoding::Onnx, Device::Cpu).unwrap()
}

/// Sets inputs by index, computes, and gives the first output.
fn run(graph: &Graph, inputs: &[Tensor]) -> Tensor {
    let mut context = graph.context().unwrap();
    for (index, input) in inputs.iter().enumerate() {
        context.set_input(Key::Index(index as u32), input.view()).unwrap();
    }
    context.compute().unwrap();
    context.output(Key::Index(0)).unwrap().to_tensor()
}

fn assert_close(found: &Tensor, dimensions: &[u32], expected: &[f32]) {
    assert_eq!(found.dimensions, dimensions);
    let found = found.to_f32().unwrap();
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn a_perceptron_gives_the_numbers_of_a_plain_loop_at_every_batch_size() {
    let graph = load(&onnx::perceptron(&LAYERS));
    for batch in [1, 2, 16, 100, 3] {
        let input = onnx::noise(7, batch * 128);
        let output = run(&graph, &[Tensor::f32(&[batch as u32, 128], &input)]);
        assert_close(&output, &[batch as u32, 1], &onnx::perceptron_by_hand(&LAYERS, &input));
    }
}

#[test]
fn one_context_goes_from_shape_to_shape_and_back() {
    let graph = load(&onnx::perceptron(&LAYERS));
    let mut context = graph.context().unwrap();
    for (seed, batch) in [1, 16, 1, 1, 16, 500, 1].into_iter().enumerate() {
        let input = onnx::noise(seed as u64, batch * 128);
        context.set_input(Key::Name("x"), Tensor::f32(&[batch as u32, 128], &input).view()).unwrap();
        context.compute().unwrap();
        let output = context.output(Key::Name("y")).unwrap().to_tensor();
        assert_close(&output, &[batch as u32, 1], &onnx::perceptron_by_hand(&LAYERS, &input));
    }
}

#[test]
fn every_element_type_passes_through_unchanged() {
    let types = [
        (DataType::Float16, TensorType::F16),
        (DataType::Float, TensorType::F32),
        (DataType::Double, TensorType::F64),
        (DataType::Uint8, TensorType::U8),
        (DataType::Int32, TensorType::I32),
        (DataType::Int64, TensorType::I64),
    ];
    for (theirs, ours) in types {
        let graph = load(&onnx::identity(theirs));
        assert_eq!(graph.inputs()[0].ty, Some(ours));
        let data = (1..=2 * 3 * ours.size() as u8).collect();
        let input = Tensor { dimensions: vec![2, 3], ty: ours, data };
        assert_eq!(run(&graph, std::slice::from_ref(&input)), input);
    }
}

#[test]
fn half_precision_is_computed_not_only_carried() {
    let model = Onnx::new()
        .input("x", DataType::Float16, &[Dim::Open("n")])
        .node("Add", &["x", "x"], &["y"])
        .output("y", DataType::Float16, &[Dim::Open("n")]);
    // 1.0, 1.5 and -2.0 in half precision; doubling adds one to the exponent.
    let halves = |numbers: [u16; 3]| Tensor {
        dimensions: vec![3],
        ty: TensorType::F16,
        data: numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
    };
    assert_eq!(
        run(&load(&model.bytes()), &[halves([0x3c00, 0x3e00, 0xc000])]),
        halves([0x4000, 0x4200, 0xc400])
    );
}

#[test]
fn inputs_and_outputs_have_names_and_indices() {
    let dims = [Dim::Open("n")];
    let model = Onnx::new()
        .input("a", DataType::Float, &dims)
        .input("b", DataType::Float, &dims)
        .node("Sub", &["a", "b"], &["difference"])
        .node("Mul", &["a", "b"], &["product"])
        .output("difference", DataType::Float, &dims)
        .output("product", DataType::Float, &dims);
    let graph = load(&model.bytes());
    let names =
        |specs: &[endcap_nn::TensorSpec]| specs.iter().map(|spec| spec.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(graph.inputs()), ["a", "b"]);
    assert_eq!(names(graph.outputs()), ["difference", "product"]);
    assert_eq!(graph.inputs()[0].dimensions, Some(vec![None]));

    let mut context = graph.context().unwrap();
    context.set_input(Key::Name("b"), Tensor::f32(&[2], &[1.0, 2.0]).view()).unwrap();
    context.set_input(Key::Index(0), Tensor::f32(&[2], &[5.0, 7.0]).view()).unwrap();
    context.compute().unwrap();
    for (key, expected) in [
        (Key::Name("difference"), [4.0, 5.0]),
        (Key::Index(1), [5.0, 14.0]),
        (Key::Name("product"), [5.0, 14.0]),
        (Key::Index(0), [4.0, 5.0]),
    ] {
        assert_eq!(context.output(key).unwrap().to_tensor().to_f32().unwrap(), expected, "{key}");
    }
}

#[test]
fn sequence_length_and_batch_are_open_at_once() {
    // Embedding, mean over the sequence: the shape of an encoder without its layers.
    let model = Onnx::new()
        .input("items", DataType::Int64, &[Dim::Open("batch"), Dim::Open("length")])
        .weights("table", &[10, 2], &(0..20).map(|n| n as f32).collect::<Vec<_>>())
        .node("Gather", &["table", "items"], &["vectors"])
        .node_with(
            "ReduceMean",
            &["vectors"],
            &["mean"],
            vec![onnx::ints("axes", &[1]), onnx::int("keepdims", 0)],
        )
        .output("mean", DataType::Float, &[Dim::Open("batch"), Dim::Is(2)]);
    let graph = load(&model.bytes());
    let output = run(&graph, &[Tensor::i64(&[2, 3], &[0, 1, 2, 7, 8, 9])]);
    assert_close(&output, &[2, 2], &[2.0, 3.0, 16.0, 17.0]);
    let output = run(&graph, &[Tensor::i64(&[1, 1], &[9])]);
    assert_close(&output, &[1, 2], &[18.0, 19.0]);
}

#[test]
fn sizes_come_out_as_integers() {
    let model = Onnx::new()
        .input("x", DataType::Float, &[Dim::Open("n"), Dim::Is(4)])
        .node("Shape", &["x"], &["size"])
        .output("size", DataType::Int64, &[Dim::Is(2)]);
    let output = run(&load(&model.bytes()), &[Tensor::f32(&[3, 4], &[0.0; 12])]);
    assert_eq!(output, Tensor::i64(&[2], &[3, 4]));
}

#[test]
fn a_scalar_has_no_dimensions() {
    let model = Onnx::new().input("x", DataType::Float, &[]).node("Neg", &["x"], &["y"]).output(
        "y",
        DataType::Float,
        &[],
    );
    assert_eq!(run(&load(&model.bytes()), &[Tensor::f32(&[], &[2.5])]), Tensor::f32(&[], &[-2.5]));
}

#[test]
fn nodes_without_names_and_with_the_same_name_are_told_apart() {
    let mut model = Onnx::new()
        .input("x", DataType::Float, &[Dim::Is(1)])
        .weights("twice", &[1], &[2.0])
        .node("Mul", &["x", "twice"], &["a"])
        .node("Mul", &["a", "twice"], &["b"])
        .node("Mul", &["b", "twice"], &["y"])
        .output("y", DataType::Float, &[Dim::Is(1)]);
    for (node, name) in model.graph().node.iter_mut().zip(["twice", "", "twice"]) {
        node.name = name.into();
    }
    assert_eq!(run(&load(&model.bytes()), &[Tensor::f32(&[1], &[1.0])]), Tensor::f32(&[1], &[8.0]));
}

#[test]
fn an_input_with_an_initialiser_is_a_weight() {
    let model = Onnx::new()
        .input("x", DataType::Float, &[Dim::Is(1)])
        .input("w", DataType::Float, &[Dim::Is(1)])
        .weights("w", &[1], &[3.0])
        .node("Mul", &["x", "w"], &["y"])
        .output("y", DataType::Float, &[Dim::Is(1)]);
    let graph = load(&model.bytes());
    assert_eq!(graph.inputs().len(), 1);
    assert_eq!(run(&graph, &[Tensor::f32(&[1], &[2.0])]), Tensor::f32(&[1], &[6.0]));
}

#[test]
fn an_output_is_also_an_input_and_stays_its_own() {
    let graph = load(&onnx::identity(DataType::Float));
    let mut context = graph.context().unwrap();
    let first = Tensor::f32(&[1, 3], &[1.0, 2.0, 3.0]);
    context.set_input(Key::Index(0), first.view()).unwrap();
    context.compute().unwrap();
    assert_eq!(context.output(Key::Index(0)).unwrap(), first.view());
    let second = Tensor::f32(&[1, 3], &[4.0, 5.0, 6.0]);
    context.set_input(Key::Index(0), second.view()).unwrap();
    context.compute().unwrap();
    assert_eq!(context.output(Key::Index(0)).unwrap(), second.view());
}

#[test]
fn the_encoding_is_told_from_the_bytes() {
    let graph = engine().load(&[&onnx::perceptron(&[2, 1])], Encoding::Autodetect, Device::Cpu).unwrap();
    assert_eq!(graph.encoding(), Encoding::Onnx);
}
