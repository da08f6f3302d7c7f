//! The witx ABI on a guest's memory: numbers, records, and every wrong argument.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

#[path = "common/onnx.rs"]
mod onnx;

use endcap_nn::witx::{Session, errno};
use endcap_nn::{Engine, Limits, Registry};

/// Where the guest keeps things.
const MODEL: u32 = 0x1000;
const OUT: u32 = 0x10;
const BUILDER: u32 = 0x20;
const TENSOR: u32 = 0x40;
const DIMENSIONS: u32 = 0x80;
const DATA: u32 = 0x100;
const BUFFER: u32 = 0x200;
const SIZE: u32 = 0x8000;

const ONNX: u32 = 1;
const CPU: u32 = 0;
const F32: u32 = 1;

/// A guest with a perceptron of three inputs and two outputs in its memory.
struct Guest {
    session: Session,
    memory: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Guest {
    fn new() -> Self {
        let model = onnx::perceptron(&[3, 2]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        std::fs::write(&path, &model).unwrap();
        let registry = Registry::parse([format!("rank:onnx:cpu:{}", path.display()).as_str()]).unwrap();
        let engine = Engine::new(Limits { contexts: 4, graphs: 3, ..Limits::default() }, registry);
        let mut guest =
            Self { session: Session::new(engine), memory: vec![0; SIZE as usize], _folder: folder };
        guest.put(MODEL, &model);
        guest.numbers(BUILDER, &[MODEL, model.len() as u32]);
        guest.numbers(DIMENSIONS, &[1, 3]);
        guest.numbers(TENSOR, &[DIMENSIONS, 2, F32, DATA, 12]);
        guest.put(DATA, &[0; 12]);
        guest
    }

    fn put(&mut self, at: u32, bytes: &[u8]) {
        self.memory[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    fn numbers(&mut self, at: u32, values: &[u32]) {
        for (index, value) in values.iter().enumerate() {
            self.put(at + 4 * index as u32, &value.to_le_bytes());
        }
    }

    fn number(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.memory[at as usize..][..4].try_into().unwrap())
    }

    fn load(&mut self) -> u32 {
        assert_eq!(self.session.load(&mut self.memory, BUILDER, 1, ONNX, CPU, OUT), errno::SUCCESS);
        self.number(OUT)
    }

    fn context(&mut self, graph: u32) -> u32 {
        assert_eq!(self.session.init_execution_context(&mut self.memory, graph, OUT), errno::SUCCESS);
        self.number(OUT)
    }

    /// A context that has computed.
    fn computed(&mut self) -> u32 {
        let graph = self.load();
        let context = self.context(graph);
        assert_eq!(self.session.set_input(&mut self.memory, context, 0, TENSOR), errno::SUCCESS);
        assert_eq!(self.session.compute(&mut self.memory, context), errno::SUCCESS);
        context
    }

    #[track_caller]
    fn refused(&self, found: u32, expected: u32, reason: &str) {
        let error = self.session.last_error().map(ToString::to_string).unwrap_or_default();
        assert_eq!((found, error.as_str()), (expected, reason));
    }
}

#[test]
fn a_guest_computes() {
    let mut guest = Guest::new();
    let context = guest.computed();
    let found = guest.session.get_output(&mut guest.memory, context, 0, BUFFER, 8, OUT);
    assert_eq!((found, guest.number(OUT)), (errno::SUCCESS, 8));
    let output = [guest.number(BUFFER), guest.number(BUFFER + 4)].map(f32::from_bits);
    let expected = onnx::perceptron_by_hand(&[3, 2], &[0.0; 3]);
    for (found, expected) in output.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{output:?}");
    }
}

#[test]
fn nothing_need_be_aligned() {
    let mut guest = Guest::new();
    let graph = guest.load();
    let context = guest.context(graph);
    guest.numbers(0x301, &[1, 3]);
    guest.put(0x333, &[0; 12]);
    guest.numbers(0x353, &[0x301, 2, F32, 0x333, 12]);
    assert_eq!(guest.session.set_input(&mut guest.memory, context, 0, 0x353), errno::SUCCESS);
    assert_eq!(guest.session.compute(&mut guest.memory, context), errno::SUCCESS);
    let found = guest.session.get_output(&mut guest.memory, context, 0, 0x401, 8, 0x411);
    assert_eq!((found, guest.number(0x411)), (errno::SUCCESS, 8));
}

#[test]
fn a_buffer_that_is_too_small_is_left_alone_and_told_the_size() {
    let mut guest = Guest::new();
    let context = guest.computed();
    guest.put(BUFFER, &[0xee; 8]);
    let found = guest.session.get_output(&mut guest.memory, context, 0, BUFFER, 7, OUT);
    guest.refused(found, errno::TOO_LARGE, "an output of 8 bytes does not fit into a buffer of 7");
    assert_eq!(guest.number(OUT), 8);
    assert_eq!(guest.memory[BUFFER as usize..][..8], [0xee; 8]);
}

#[test]
fn pointers_outside_the_memory_are_refused() {
    let mut guest = Guest::new();
    let context = guest.computed();
    let invalid = errno::INVALID_ARGUMENT;

    let found = guest.session.load(&mut guest.memory, BUILDER, 1, ONNX, CPU, SIZE - 3);
    guest.refused(found, invalid, "the graph's handle: 4 bytes at 32765 are not within a memory of 32768");
    let found = guest.session.load(&mut guest.memory, SIZE - 7, 1, ONNX, CPU, OUT);
    guest.refused(found, invalid, "parts of a model: 8 bytes at 32761 are not within a memory of 32768");
    guest.numbers(BUILDER, &[u32::MAX, u32::MAX]);
    let found = guest.session.load(&mut guest.memory, BUILDER, 1, ONNX, CPU, OUT);
    guest.refused(
        found,
        invalid,
        "a part of a model: 4294967295 bytes at 4294967295 are not within a memory of 32768",
    );

    let found = guest.session.set_input(&mut guest.memory, context, 0, u32::MAX);
    guest.refused(found, invalid, "the tensor: 20 bytes at 4294967295 are not within a memory of 32768");
    guest.numbers(TENSOR, &[SIZE - 4, 2]);
    let found = guest.session.set_input(&mut guest.memory, context, 0, TENSOR);
    guest.refused(
        found,
        invalid,
        "the tensor's dimensions: 8 bytes at 32764 are not within a memory of 32768",
    );
    guest.numbers(TENSOR, &[DIMENSIONS, 2, F32, SIZE - 4, 12]);
    let found = guest.session.set_input(&mut guest.memory, context, 0, TENSOR);
    guest.refused(found, invalid, "the tensor's data: 12 bytes at 32764 are not within a memory of 32768");

    let found = guest.session.get_output(&mut guest.memory, context, 0, SIZE - 7, 8, OUT);
    guest.refused(found, invalid, "the output's buffer: 8 bytes at 32761 are not within a memory of 32768");
    let found = guest.session.get_output(&mut guest.memory, context, 0, BUFFER, 8, u32::MAX - 1);
    guest.refused(
        found,
        invalid,
        "the output's length: 4 bytes at 4294967294 are not within a memory of 32768",
    );
    let found = guest.session.init_execution_context(&mut guest.memory, 0, SIZE);
    guest.refused(found, invalid, "the context's handle: 4 bytes at 32768 are not within a memory of 32768");
}

#[test]
fn numbers_that_stand_for_nothing_are_refused() {
    let mut guest = Guest::new();
    for encoding in [0, 2, 3, 4, 7, 8, u32::MAX] {
        let found = guest.session.load(&mut guest.memory, BUILDER, 1, encoding, CPU, OUT);
        let reason = format!("encoding {encoding} is not one of 1 (onnx), 5 (autodetect), 6 (ggml)");
        guest.refused(found, errno::INVALID_ENCODING, &reason);
    }
    let found = guest.session.load(&mut guest.memory, BUILDER, 1, ONNX, 1, OUT);
    guest.refused(found, errno::UNSUPPORTED_OPERATION, "no GPU: the onnx engine computes on the processor");
    let found = guest.session.load(&mut guest.memory, BUILDER, 1, ONNX, 2, OUT);
    guest.refused(found, errno::UNSUPPORTED_OPERATION, "no engine computes on target 2");
    let found = guest.session.load(&mut guest.memory, BUILDER, 1, ONNX, 4, OUT);
    guest.refused(
        found,
        errno::INVALID_ARGUMENT,
        "target 4 is not one of 0 (cpu), 1 (gpu), 2 (tpu), 3 (auto)",
    );
    let found = guest.session.load(&mut guest.memory, BUILDER, 17, ONNX, CPU, OUT);
    guest.refused(found, errno::TOO_LARGE, "parts of a model: 17 is more than the limit of 16");

    let context = guest.computed();
    guest.numbers(TENSOR, &[DIMENSIONS, 2, 6, DATA, 12]);
    let found = guest.session.set_input(&mut guest.memory, context, 0, TENSOR);
    guest.refused(
        found,
        errno::INVALID_ARGUMENT,
        "tensor type 6 is not one of 0 (f16), 1 (f32), 2 (f64), 3 (u8), 4 (i32), 5 (i64)",
    );
    guest.numbers(TENSOR, &[DIMENSIONS, 17, F32, DATA, 12]);
    let found = guest.session.set_input(&mut guest.memory, context, 0, TENSOR);
    guest.refused(found, errno::TOO_LARGE, "axes of a tensor: 17 is more than the limit of 16");
    guest.numbers(TENSOR, &[DIMENSIONS, 2, F32, DATA, 11]);
    let found = guest.session.set_input(&mut guest.memory, context, 0, TENSOR);
    guest.refused(
        found,
        errno::INVALID_ARGUMENT,
        "a tensor of dimensions [1, 3] and type f32 does not have 11 bytes",
    );
}

#[test]
fn unload_ends_the_graph_and_its_contexts_and_no_others() {
    let mut guest = Guest::new();
    let context = guest.computed();
    let graph = guest.load();
    let other = guest.context(graph);
    assert_eq!(guest.session.unload(&mut guest.memory, 0), errno::SUCCESS);
    assert_eq!(guest.session.open(), (1, 1));

    let invalid = errno::INVALID_ARGUMENT;
    let found = guest.session.unload(&mut guest.memory, 0);
    guest.refused(found, invalid, "no graph has the handle 0");
    let found = guest.session.init_execution_context(&mut guest.memory, 0, OUT);
    guest.refused(found, invalid, "no graph has the handle 0");
    let found = guest.session.set_input(&mut guest.memory, context, 0, TENSOR);
    guest.refused(found, invalid, "no context has the handle 0");
    let found = guest.session.compute(&mut guest.memory, context);
    guest.refused(found, invalid, "no context has the handle 0");
    let found = guest.session.get_output(&mut guest.memory, context, 0, BUFFER, 8, OUT);
    guest.refused(found, invalid, "no context has the handle 0");

    assert_eq!(guest.session.set_input(&mut guest.memory, other, 0, TENSOR), errno::SUCCESS);
    // A new graph does not get the old one's handle.
    assert_eq!(guest.load(), 2);
}

#[test]
fn a_context_is_finalised_once() {
    let mut guest = Guest::new();
    let context = guest.computed();
    assert_eq!(guest.session.finalize_execution_context(&mut guest.memory, context), errno::SUCCESS);
    let found = guest.session.finalize_execution_context(&mut guest.memory, context);
    guest.refused(found, errno::INVALID_ARGUMENT, "no context has the handle 0");
    assert_eq!(guest.session.open(), (1, 0));
}

#[test]
fn limits_are_errors_that_end_when_something_is_freed() {
    let mut guest = Guest::new();
    let graph = guest.load();
    let contexts: Vec<u32> = (0..4).map(|_| guest.context(graph)).collect();
    let found = guest.session.init_execution_context(&mut guest.memory, graph, OUT);
    guest.refused(found, errno::TOO_LARGE, "contexts: 5 is more than the limit of 4");
    guest.session.finalize_execution_context(&mut guest.memory, contexts[0]);
    guest.context(graph);
    guest.load();
    guest.load();
    let found = guest.session.load(&mut guest.memory, BUILDER, 1, ONNX, CPU, OUT);
    guest.refused(found, errno::TOO_LARGE, "graphs: 4 is more than the limit of 3");
}

#[test]
fn a_name_gives_one_handle_until_it_is_unloaded() {
    let mut guest = Guest::new();
    guest.put(0x300, b"ranktank{}");
    let by_name = |guest: &mut Guest| {
        let found = guest.session.load_by_name(&mut guest.memory, 0x300, 4, OUT);
        assert_eq!(found, errno::SUCCESS);
        guest.number(OUT)
    };
    assert_eq!((by_name(&mut guest), by_name(&mut guest)), (0, 0));
    let found = guest.session.load_by_name_with_config(&mut guest.memory, 0x300, 4, 0x308, 2, OUT);
    assert_eq!((found, guest.number(OUT)), (errno::SUCCESS, 1));
    assert_eq!(guest.session.unload(&mut guest.memory, 0), errno::SUCCESS);
    assert_eq!(by_name(&mut guest), 2);

    let found = guest.session.load_by_name(&mut guest.memory, 0x304, 4, OUT);
    guest.refused(found, errno::NOT_FOUND, "no model is registered as `tank`");
    let found = guest.session.load_by_name_with_config(&mut guest.memory, 0x300, 4, 0x300, 4, OUT);
    guest.refused(found, errno::INVALID_ARGUMENT, "metadata: expected value at line 1 column 1");
    guest.put(0x300, &[0xff; 4]);
    let found = guest.session.load_by_name(&mut guest.memory, 0x300, 4, OUT);
    guest.refused(found, errno::INVALID_ARGUMENT, "the name is not UTF-8");
    let found = guest.session.load_by_name(&mut guest.memory, 0, 5000, OUT);
    guest.refused(found, errno::TOO_LARGE, "bytes of a name: 5000 is more than the limit of 4096");
}

#[test]
fn streaming_is_not_for_onnx() {
    let mut guest = Guest::new();
    let context = guest.computed();
    let reason = "the onnx engine computes whole outputs, not one token at a time";
    let invalid = errno::INVALID_ARGUMENT;
    let found = guest.session.compute_single(&mut guest.memory, context);
    guest.refused(found, invalid, reason);
    let found = guest.session.get_output_single(&mut guest.memory, context, 0, BUFFER, 8, OUT);
    guest.refused(found, invalid, reason);
    let found = guest.session.fini_single(&mut guest.memory, context);
    guest.refused(found, invalid, reason);
}

#[test]
fn a_session_frees_what_its_guest_left_open() {
    let mut guest = Guest::new();
    guest.computed();
    let engine = Engine::new(Limits::default(), Registry::default());
    let mut session = Session::new(engine.clone());
    assert_eq!(session.load(&mut guest.memory, BUILDER, 1, ONNX, CPU, OUT), errno::SUCCESS);
    assert_eq!(session.init_execution_context(&mut guest.memory, 0, OUT), errno::SUCCESS);
    assert_eq!((engine.graphs_alive(), engine.contexts_alive()), (1, 1));
    drop(session);
    assert_eq!((engine.graphs_alive(), engine.contexts_alive()), (0, 0));
}
