//! ONNX models that must be refused: damaged, hostile, or beyond the engine. Each with the reason that is given.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

#[path = "common/onnx.rs"]
mod onnx;

use endcap_nn::{Category, Device, Encoding, Engine, Limits, NnError, Registry};
use onnx::{Dim, Onnx};
use proptest::prelude::*;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, StringStringEntryProto, TensorProto};

fn load(bytes: &[u8]) -> Result<(), NnError> {
    let engine = Engine::new(Limits::default(), Registry::default());
    engine.load(&[bytes], Encoding::Onnx, Device::Cpu).map(drop)
}

#[track_caller]
fn check(bytes: &[u8], category: Category, reason: &str) {
    let error = load(bytes).expect_err("this model must be refused");
    assert_eq!(error.category(), category, "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

fn unary(op: &str) -> Onnx {
    let dims = [Dim::Open("n"), Dim::Is(4)];
    Onnx::new().input("x", DataType::Float, &dims).node(op, &["x"], &["y"]).output(
        "y",
        DataType::Float,
        &dims,
    )
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = onnx::perceptron(&[4, 3, 1]);
    for length in 0..bytes.len() {
        // A cut between two fields of the model leaves a whole model only behind its graph, which comes last but for
        // the operator sets.
        assert!(load(&bytes[..length]).is_err(), "cut at {length} of {}", bytes.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_bytes_never_panic(at in any::<prop::sample::Index>(), to in any::<u8>(), length in 1_usize..4) {
        let mut bytes = onnx::perceptron(&[4, 3, 1]);
        let at = at.index(bytes.len() - length);
        bytes[at..at + length].fill(to);
        if let Err(NnError::Compute { reason, .. }) = load(&bytes) {
            prop_assert!(!reason.contains("panicked"), "{reason}");
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(load(&bytes).is_err());
    }
}

#[test]
fn an_unknown_operator_is_named() {
    check(&unary("Frobnicate").bytes(), Category::Unsupported, "operator Frobnicate (node Frobnicate_0)");
    check(&unary("Loop").bytes(), Category::Unsupported, "operator Loop (node Loop_0)");
}

#[test]
fn an_operator_of_a_foreign_domain_is_not_its_namesake() {
    let model = unary("Relu").of_domain("com.example");
    check(&model.bytes(), Category::Unsupported, "operator Relu (node Relu_0) of domain com.example");
}

#[test]
fn operator_sets_out_of_range_are_named() {
    for version in [1, 6, 23, 9999, -1, i64::MAX] {
        let mut model = unary("Relu");
        model.0.opset_import[0].version = version;
        check(&model.bytes(), Category::Unsupported, &format!("operator set {version}"));
    }
    let mut model = unary("Relu");
    model.0.opset_import.clear();
    check(&model.bytes(), Category::InvalidEncoding, "no operator set");
}

#[test]
fn a_missing_weight_is_named() {
    let model = Onnx::new()
        .input("x", DataType::Float, &[Dim::Is(1), Dim::Is(4)])
        .node("MatMul", &["x", "w"], &["y"])
        .output("y", DataType::Float, &[Dim::Is(1), Dim::Is(1)]);
    check(&model.bytes(), Category::InvalidEncoding, "nothing before it defines its input `w`");
}

#[test]
fn a_missing_output_is_named() {
    let mut model = unary("Relu");
    model.graph().output[0].name = "z".into();
    check(&model.bytes(), Category::InvalidEncoding, "nothing defines the output `z`");
}

#[test]
fn a_cycle_is_refused() {
    let model = Onnx::new()
        .input("x", DataType::Float, &[Dim::Is(4)])
        .node("Add", &["x", "b"], &["a"])
        .node("Relu", &["a"], &["b"])
        .output("b", DataType::Float, &[Dim::Is(4)]);
    check(&model.bytes(), Category::InvalidEncoding, "the graph has a cycle");
}

#[test]
fn a_name_is_defined_once() {
    let mut model = unary("Relu");
    model.graph().node[0].output = vec!["x".into()];
    check(&model.bytes(), Category::InvalidEncoding, "`x` is defined twice");
}

fn with_weight(tensor: TensorProto) -> Onnx {
    let mut model = Onnx::new()
        .input("x", DataType::Float, &[Dim::Is(4)])
        .node("Add", &["x", "w"], &["y"])
        .output("y", DataType::Float, &[Dim::Is(4)]);
    model.graph().initializer.push(TensorProto { name: "w".into(), ..tensor });
    model
}

#[test]
fn a_weight_must_be_as_large_as_it_says() {
    let bomb = |dims: &[i64], raw_data: Vec<u8>| {
        let data_type = DataType::Float as i32;
        with_weight(TensorProto { dims: dims.to_vec(), data_type, raw_data, ..TensorProto::default() })
            .bytes()
    };
    assert_eq!(load(&bomb(&[4], vec![0; 16])), Ok(()));
    for dims in [&[1 << 40][..], &[1 << 30, 1 << 30], &[5], &[3], &[2, 3], &[0]] {
        check(&bomb(dims, vec![0; 16]), Category::InvalidEncoding, "initialiser `w`");
    }
    check(&bomb(&[4], vec![0; 15]), Category::InvalidEncoding, "do not fit its data");
    check(&bomb(&[i64::MAX, 4], vec![0; 16]), Category::InvalidEncoding, "are no sizes");
    check(&bomb(&[-1, -4], vec![0; 16]), Category::InvalidEncoding, "are no sizes");
    check(&bomb(&[1; 17], vec![0; 4]), Category::TooLarge, "axes of a tensor");
    check(&bomb(&[1 << 40], vec![]), Category::InvalidEncoding, "initialiser `w`");
}

#[test]
fn weights_in_other_files_are_refused_before_anything_is_opened() {
    let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
    for location in ["weights.bin", "/etc/passwd", "../../secret"] {
        let tensor = TensorProto {
            dims: vec![4],
            data_type: DataType::Float as i32,
            data_location: Some(DataLocation::External as i32),
            external_data: vec![entry("location", location)],
            ..TensorProto::default()
        };
        check(&with_weight(tensor).bytes(), Category::Unsupported, "whose data lies in another file");
    }
}

#[test]
fn types_that_the_engine_cannot_hold_are_named() {
    for ty in [DataType::Complex64, DataType::Bfloat16, DataType::Undefined] {
        let tensor = TensorProto {
            dims: vec![1],
            data_type: ty as i32,
            raw_data: vec![0; 8],
            ..TensorProto::default()
        };
        check(&with_weight(tensor).bytes(), Category::Unsupported, "initialiser `w`: element type");
    }
    let dims = [Dim::Is(1)];
    let model = Onnx::new().input("x", DataType::String, &dims).node("Identity", &["x"], &["y"]).output(
        "y",
        DataType::String,
        &dims,
    );
    check(&model.bytes(), Category::Unsupported, "input `x`");
}

#[test]
fn shapes_that_contradict_each_other_are_found_on_loading() {
    let model = Onnx::new()
        .input("x", DataType::Float, &[Dim::Open("n"), Dim::Is(4)])
        .weights("w", &[5, 2], &[0.0; 10])
        .node("MatMul", &["x", "w"], &["y"])
        .output("y", DataType::Float, &[Dim::Open("n"), Dim::Is(2)]);
    check(&model.bytes(), Category::InvalidEncoding, "MatMul");
}

#[test]
fn a_constant_of_a_billion_elements_is_not_computed() {
    let dims = [Dim::Is(1)];
    let model = |size: i64| {
        Onnx::new()
            .input("x", DataType::Float, &dims)
            .integers("size", &[1], &[size])
            .node("ConstantOfShape", &["size"], &["zeros"])
            .node("Add", &["x", "zeros"], &["y"])
            .output("y", DataType::Float, &[Dim::Open("n")])
            .bytes()
    };
    assert_eq!(load(&model(1000)), Ok(()));
    check(&model(1 << 30), Category::TooLarge, "bytes of a tensor");
    // The lower half of the first is zero: cut to 32 bits, it would be a small size.
    for size in [1 << 40, i64::MAX, i64::MIN] {
        check(&model(size), Category::TooLarge, "size of an axis");
    }
}

#[test]
fn operators_that_grow_their_input_are_bounded() {
    let grow = |op: &str, sizes: &[i64]| {
        Onnx::new()
            .input("x", DataType::Float, &[Dim::Is(1), Dim::Is(1)])
            .integers("sizes", &[sizes.len() as i64], sizes)
            .node(op, &["x", "sizes"], &["y"])
            .output("y", DataType::Float, &[Dim::Open("a"), Dim::Open("b")])
            .bytes()
    };
    assert_eq!(load(&grow("Expand", &[10, 10])), Ok(()));
    check(&grow("Expand", &[1 << 20, 1 << 20]), Category::TooLarge, "bytes of a tensor");
    check(&grow("Tile", &[1 << 20, 1 << 20]), Category::TooLarge, "bytes of a tensor");
    check(&grow("Pad", &[0, 0, 1 << 20, 1 << 20]), Category::TooLarge, "bytes of a tensor");
}

#[test]
fn two_vectors_do_not_become_a_matrix_of_terabytes() {
    let side = 1 << 20;
    let model = Onnx::new()
        .input("x", DataType::Float, &[Dim::Is(1)])
        .weights("column", &[side, 1], &vec![1.0; side as usize])
        .weights("row", &[1, side], &vec![1.0; side as usize])
        .node("Mul", &["column", "row"], &["matrix"])
        .node("Add", &["matrix", "x"], &["y"])
        .output("y", DataType::Float, &[Dim::Is(side), Dim::Is(side)]);
    check(&model.bytes(), Category::TooLarge, "bytes of a tensor");
}

#[test]
fn a_range_counts_before_it_is_filled() {
    let scalar = |model: Onnx, name: &str, value: i64| model.integers(name, &[], &[value]);
    let mut model = Onnx::new().input("x", DataType::Int64, &[Dim::Is(1)]);
    for (name, value) in [("start", 0), ("limit", i64::MAX / 2), ("delta", 1)] {
        model = scalar(model, name, value);
    }
    let model = model
        .node("Range", &["start", "limit", "delta"], &["range"])
        .node("Add", &["x", "range"], &["y"])
        .output("y", DataType::Int64, &[Dim::Open("n")]);
    check(&model.bytes(), Category::TooLarge, "bytes of a tensor");
}

#[test]
fn shapes_that_depend_on_values_are_refused() {
    let model = Onnx::new()
        .input("x", DataType::Float, &[Dim::Is(4)])
        .node("NonZero", &["x"], &["y"])
        .output("y", DataType::Int64, &[Dim::Is(1), Dim::Open("n")]);
    check(&model.bytes(), Category::Unsupported, "NonZero");
}

#[test]
fn memory_between_operators_is_bounded_as_a_whole() {
    // Sixteen tensors of 128 MiB that are all alive when they are added up.
    let rows = 1 << 15;
    let mut model = Onnx::new().input("x", DataType::Float, &[Dim::Is(rows), Dim::Is(1024)]);
    let names: Vec<String> = (0..16).map(|index| format!("t{index}")).collect();
    for (index, name) in names.iter().enumerate() {
        let previous = if index == 0 { "x" } else { &names[index - 1] };
        model = model.node("Sin", &[previous], &[name]);
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let model = model.node_with("Concat", &all[..1], &["y"], vec![onnx::int("axis", 0)]).output(
        "y",
        DataType::Float,
        &[Dim::Is(rows), Dim::Is(1024)],
    );
    let model = all.iter().fold(model, |model, name| model.output(name, DataType::Float, &[]));
    check(&model.bytes(), Category::TooLarge, "bytes of working memory");
}

/// A model whose node holds a graph, which holds one, `depth` times.
fn nested(depth: usize) -> Vec<u8> {
    let mut graph = GraphProto::default();
    for _ in 0..depth {
        let attribute = AttributeProto { name: "then_branch".into(), g: Some(graph), ..Default::default() };
        let node = NodeProto { op_type: "If".into(), attribute: vec![attribute], ..Default::default() };
        graph = GraphProto { node: vec![node], ..Default::default() };
    }
    let mut model = unary("Relu");
    model.graph().node.push(graph.node.remove(0));
    model.bytes()
}

#[test]
fn graphs_within_graphs_are_refused() {
    check(&nested(1), Category::Unsupported, "operator If");
    check(&nested(40), Category::TooLarge, "depth of messages");
}

#[test]
fn millions_of_empty_nodes_are_refused_before_they_are_decoded() {
    // 20 MB that would decode to some 4 GB: a model with one empty node in two bytes, ten million times.
    let mut bytes = unary("Relu").bytes();
    let nodes = [0x0a, 0].repeat(10_000_000);
    bytes.push(0x3a);
    let mut length = nodes.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(nodes);
    check(&bytes, Category::TooLarge, "bytes of the decoded model");
}

#[test]
fn trees_that_do_not_end_are_refused() {
    let model = |fails: i64, target: i64| {
        Onnx::new()
            .input("x", DataType::Float, &[Dim::Open("n"), Dim::Is(1)])
            .node_with(
                "TreeEnsembleRegressor",
                &["x"],
                &["y"],
                vec![
                    onnx::ints("nodes_treeids", &[0, 0, 0]),
                    onnx::ints("nodes_nodeids", &[0, 1, 2]),
                    onnx::ints("nodes_featureids", &[0, 0, 0]),
                    onnx::ints("nodes_truenodeids", &[1, 0, 0]),
                    onnx::ints("nodes_falsenodeids", &[fails, 0, 0]),
                    onnx::floats("nodes_values", &[0.5, 0.0, 0.0]),
                    onnx::strings("nodes_modes", &["BRANCH_LEQ", "LEAF", "LEAF"]),
                    onnx::ints("target_treeids", &[0, 0]),
                    onnx::ints("target_nodeids", &[1, 2]),
                    onnx::ints("target_ids", &[0, target]),
                    onnx::floats("target_weights", &[1.0, 2.0]),
                    onnx::int("n_targets", 1),
                ],
            )
            .of_domain("ai.onnx.ml")
            .output("y", DataType::Float, &[Dim::Open("n"), Dim::Is(1)])
            .bytes()
    };
    assert_eq!(load(&model(2, 0)), Ok(()));
    check(&model(0, 0), Category::InvalidEncoding, "no way from its root leads to");
    check(&model(7, 0), Category::InvalidEncoding, "no node 7");
    check(&model(2, 1_000_000), Category::InvalidEncoding, "target 1000000 of 1");
}

#[test]
fn what_is_no_onnx_is_refused() {
    check(b"", Category::InvalidArgument, "model parts");
    for bytes in [&b"GGUF\x03\0\0\0"[..], b"{\"model\": 1}", b"\0asm\x01\0\0\0", &[0xff; 64]] {
        check(bytes, Category::InvalidEncoding, "onnx: ");
    }
    let engine = Engine::new(Limits::default(), Registry::default());
    let error = engine.load(&[b"{}"], Encoding::Autodetect, Device::Cpu).unwrap_err();
    assert_eq!(error.category(), Category::InvalidArgument);
    let error = engine.load(&[b"a", b"b"], Encoding::Onnx, Device::Cpu).unwrap_err();
    assert_eq!(error.to_string(), "2 model parts given; 1 expected");
}
