//! Wrong calls on a right model, limits, names, and several threads at once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

#[path = "common/onnx.rs"]
mod onnx;

use std::thread;

use endcap_nn::{
    ArgumentError, Category, Device, Encoding, Engine, Graph, Key, Limits, NnError, Registry, Tensor,
    TensorType, TensorView,
};
use sha2::{Digest, Sha256};

const LAYERS: [usize; 3] = [8, 16, 2];

fn engine(limits: Limits) -> Engine {
    Engine::new(limits, Registry::default())
}

fn graph() -> Graph {
    engine(Limits::default()).load(&[&onnx::perceptron(&LAYERS)], Encoding::Onnx, Device::Cpu).unwrap()
}

fn zeros(dimensions: &[u32]) -> Tensor {
    Tensor::f32(dimensions, &vec![0.0; dimensions.iter().product::<u32>() as usize])
}

#[track_caller]
fn check<T: std::fmt::Debug>(result: Result<T, NnError>, category: Category, message: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.category(), error.to_string().as_str()), (category, message));
}

#[test]
fn a_tensor_that_does_not_fit_is_told_what_would() {
    let mut context = graph().context().unwrap();
    let mut set = |key, tensor: Tensor| context.set_input(key, tensor.view());
    let wrong = Category::InvalidArgument;
    check(set(Key::Index(0), zeros(&[1, 9])), wrong, "input `x`: f32 [1, 9] given, f32 [?, 8] expected");
    check(set(Key::Index(0), zeros(&[8])), wrong, "input `x`: f32 [8] given, f32 [?, 8] expected");
    check(
        set(Key::Index(0), Tensor::i64(&[1, 8], &[0; 8])),
        wrong,
        "input `x`: i64 [1, 8] given, f32 [?, 8] expected",
    );
    check(set(Key::Index(0), zeros(&[0, 8])), wrong, "input `x`: f32 [0, 8] given, f32 [?, 8] expected");
    check(set(Key::Index(1), zeros(&[1, 8])), wrong, "no input `1`; the model has x");
    check(set(Key::Name("z"), zeros(&[1, 8])), wrong, "no input `z`; the model has x");
}

#[test]
fn dimensions_and_bytes_must_agree() {
    let mut context = graph().context().unwrap();
    for (dimensions, bytes) in [(&[1, 8][..], 31), (&[1, 8], 33), (&[1, 8], 0), (&[u32::MAX; 4], 32)] {
        let view = TensorView { dimensions, ty: TensorType::F32, data: &vec![0; bytes] };
        let error = context.set_input(Key::Index(0), view).unwrap_err();
        assert!(matches!(error, NnError::TensorLength { .. }), "{error}");
    }
}

#[test]
fn outputs_are_there_after_a_compute_and_until_the_next_input() {
    let mut context = graph().context().unwrap();
    check(context.compute(), Category::InvalidArgument, "input `x` is not set");
    context.set_input(Key::Index(0), zeros(&[1, 8]).view()).unwrap();
    let not_computed = NnError::Argument(ArgumentError::NotComputed);
    assert_eq!(context.output(Key::Index(0)).unwrap_err(), not_computed);
    context.compute().unwrap();
    assert_eq!(context.output(Key::Index(0)).unwrap().dimensions, [1, 2]);
    check(context.output(Key::Index(1)), Category::InvalidArgument, "no output `1`; the model has y");
    check(context.output(Key::Name("x")), Category::InvalidArgument, "no output `x`; the model has y");
    // An input that is refused changes nothing.
    context.set_input(Key::Index(0), zeros(&[1, 7]).view()).unwrap_err();
    context.output(Key::Index(0)).unwrap();
    context.set_input(Key::Index(0), zeros(&[1, 8]).view()).unwrap();
    assert_eq!(context.output(Key::Index(0)).unwrap_err(), not_computed);
}

#[test]
fn one_token_at_a_time_is_not_for_onnx() {
    let mut context = graph().context().unwrap();
    let message = "the onnx engine computes whole outputs, not one token at a time";
    check(context.compute_single(), Category::InvalidArgument, message);
    check(context.output_single(Key::Index(0)), Category::InvalidArgument, message);
    check(context.finish_single(), Category::InvalidArgument, message);
}

#[test]
fn there_is_no_gpu() {
    let loaded = engine(Limits::default()).load(&[&onnx::perceptron(&LAYERS)], Encoding::Onnx, Device::Gpu);
    check(loaded, Category::Unsupported, "no GPU: the onnx engine computes on the processor");
}

#[test]
fn limits_count_over_the_engine_and_are_given_back() {
    let engine = engine(Limits { graphs: 2, contexts: 3, ..Limits::default() });
    let bytes = onnx::perceptron(&LAYERS);
    let load = || engine.load(&[&bytes], Encoding::Onnx, Device::Cpu);
    let (first, second) = (load().unwrap(), load().unwrap());
    check(load(), Category::TooLarge, "graphs: 3 is more than the limit of 2");
    let mut contexts = vec![first.context().unwrap(), first.context().unwrap(), second.context().unwrap()];
    check(second.context(), Category::TooLarge, "contexts: 4 is more than the limit of 3");
    contexts.remove(0);
    contexts.push(second.context().unwrap());
    drop(first);
    // Its context keeps the first graph alive.
    check(load(), Category::TooLarge, "graphs: 3 is more than the limit of 2");
    contexts.clear();
    let _third = load().unwrap();
    assert_eq!((engine.graphs_alive(), engine.contexts_alive()), (2, 0));
}

#[test]
fn a_context_works_after_its_graph_is_dropped() {
    let mut context = graph().context().unwrap();
    context.set_input(Key::Index(0), zeros(&[1, 8]).view()).unwrap();
    context.compute().unwrap();
}

#[test]
fn sizes_are_limited() {
    let bytes = onnx::perceptron(&LAYERS);
    let small = engine(Limits { model_bytes: 100, ..Limits::default() });
    let loaded = small.load(&[&bytes], Encoding::Onnx, Device::Cpu);
    let message = format!("model bytes: {} is more than the limit of 100", bytes.len());
    check(loaded, Category::TooLarge, &message);

    let small = engine(Limits { tensor_bytes: 1024, ..Limits::default() });
    let graph = small.load(&[&bytes], Encoding::Onnx, Device::Cpu).unwrap();
    let mut context = graph.context().unwrap();
    check(
        context.set_input(Key::Index(0), zeros(&[33, 8]).view()),
        Category::TooLarge,
        "tensor bytes: 1056 is more than the limit of 1024",
    );
    // The input fits; the 16 numbers that a hidden layer makes of each row do not.
    context.set_input(Key::Index(0), zeros(&[32, 8]).view()).unwrap();
    check(context.compute(), Category::TooLarge, "bytes of a tensor: 2048 is more than the limit of 1024");
    context.set_input(Key::Index(0), zeros(&[16, 8]).view()).unwrap();
    context.compute().unwrap();
}

#[test]
fn more_shapes_than_plans_still_give_right_numbers() {
    let engine = engine(Limits { plans: 2, ..Limits::default() });
    let graph = engine.load(&[&onnx::perceptron(&LAYERS)], Encoding::Onnx, Device::Cpu).unwrap();
    let mut context = graph.context().unwrap();
    for batch in [1, 2, 3, 4, 1, 2, 3, 4] {
        let input = onnx::noise(batch, batch as usize * 8);
        context.set_input(Key::Index(0), Tensor::f32(&[batch as u32, 8], &input).view()).unwrap();
        context.compute().unwrap();
        let found = context.output(Key::Index(0)).unwrap().to_tensor().to_f32().unwrap();
        for (found, expected) in found.iter().zip(onnx::perceptron_by_hand(&LAYERS, &input)) {
            assert!((found - expected).abs() < 1e-5);
        }
    }
}

#[test]
fn contexts_on_eight_threads_compute_what_one_computes() {
    let graph = graph();
    let outputs = |graph: &Graph, thread: u64| -> Vec<Tensor> {
        let mut context = graph.context().unwrap();
        let run = |round: u64| {
            let batch = 1 + (round + thread) % 5;
            let input = Tensor::f32(&[batch as u32, 8], &onnx::noise(round, batch as usize * 8));
            context.set_input(Key::Index(0), input.view()).unwrap();
            context.compute().unwrap();
            context.output(Key::Index(0)).unwrap().to_tensor()
        };
        (0..200).map(run).collect()
    };
    // First, so that what the engine makes once for the process is made by one thread: standard libraries without the
    // sanitizer's instrumentation hide their locks from it.
    let alone: Vec<Vec<Tensor>> = (0..8).map(|thread| outputs(&self::graph(), thread)).collect();
    thread::scope(|scope| {
        let start = |thread| {
            let graph = &graph;
            scope.spawn(move || outputs(graph, thread))
        };
        let threads: Vec<_> = (0..8).map(start).collect();
        for (thread, (computed, alone)) in threads.into_iter().zip(alone).enumerate() {
            assert!(computed.join().unwrap() == alone, "thread {thread}");
        }
    });
}

/// A file of the perceptron in a folder of its own, and its digest.
fn model_file() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rank.onnx");
    let bytes = onnx::perceptron(&LAYERS);
    std::fs::write(&path, &bytes).unwrap();
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    (folder, path.to_str().unwrap().to_owned(), digest)
}

fn with(entry: &str) -> Engine {
    Engine::new(Limits::default(), Registry::parse([entry]).unwrap())
}

#[test]
fn a_named_model_is_read_once_and_freed_with_its_last_user() {
    let (_folder, path, digest) = model_file();
    let engine = with(&format!("rank:autodetect:cpu:{path}@sha256:{digest}"));
    let first = engine.load_named("rank", None).unwrap();
    assert_eq!(first.encoding(), Encoding::Onnx);
    // Gone from the disk, there for who asks by name.
    std::fs::remove_file(&path).unwrap();
    let second = engine.load_named("rank", None).unwrap();
    assert_eq!(engine.graphs_alive(), 1);
    let mut context = second.context().unwrap();
    drop((first, second));
    context.set_input(Key::Index(0), zeros(&[1, 8]).view()).unwrap();
    context.compute().unwrap();
    drop(context);
    assert_eq!(engine.graphs_alive(), 0);
    assert_eq!(engine.load_named("rank", None).unwrap_err().category(), Category::Runtime);
}

#[test]
fn threads_that_ask_for_a_name_at_once_share_one_graph() {
    let (_folder, path, _) = model_file();
    let engine = with(&format!("rank:onnx:cpu:{path}"));
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| engine.load_named("rank", None).unwrap())).collect();
        let graphs: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!((graphs.len(), engine.graphs_alive()), (8, 1));
    });
}

#[test]
fn a_preloaded_model_is_reached_by_name_and_by_path_and_no_other_file_is() {
    let (_folder, path, _) = model_file();
    let engine = with(&format!("rank:onnx:cpu:{path}"));
    let load = |reference: &str| engine.load(&[reference.as_bytes()], Encoding::Ggml, Device::Cpu);
    load("preload:rank").unwrap();
    load(&format!("preload:{path}")).unwrap();
    check(load("preload:/etc/passwd"), Category::NotFound, "no model is registered as `/etc/passwd`");
    check(engine.load_named("tank", None), Category::NotFound, "no model is registered as `tank`");
}

#[test]
fn a_file_that_is_not_the_registered_one_is_refused() {
    let (folder, path, digest) = model_file();
    let wrong = "00".repeat(32);
    check(
        with(&format!("rank:onnx:cpu:{path}@sha256:{wrong}")).load_named("rank", None),
        Category::Runtime,
        &format!("model `rank`: {path} has another sha256 than registered: {digest}"),
    );
    let gone = folder.path().join("gone.onnx");
    let error = with(&format!("rank:onnx:cpu:{}", gone.display())).load_named("rank", None).unwrap_err();
    assert!(error.to_string().contains("gone.onnx: No such file"), "{error}");
    let shown = folder.path().display();
    let error = with(&format!("rank:onnx:cpu:{shown}")).load_named("rank", None).unwrap_err();
    assert_eq!(error.to_string(), format!("model `rank`: {shown} is not a file"));
    let engine = Engine::new(
        Limits { model_bytes: 10, ..Limits::default() },
        Registry::parse([format!("rank:onnx:cpu:{path}").as_str()]).unwrap(),
    );
    assert_eq!(engine.load_named("rank", None).unwrap_err().category(), Category::TooLarge);
}

#[test]
fn onnx_has_no_settings() {
    let (_folder, path, _) = model_file();
    let engine = with(&format!("rank:onnx:cpu:{path}"));
    engine.load_named("rank", Some("{}")).unwrap();
    for (metadata, message) in [
        (r#"{"threads": 4}"#, "metadata: `threads`: the onnx engine has no settings"),
        ("{", "metadata: EOF while parsing an object at line 1 column 1"),
        ("[1]", "metadata: invalid type: sequence, expected a map at line 1 column 0"),
    ] {
        check(engine.load_named("rank", Some(metadata)), Category::InvalidArgument, message);
    }
}
