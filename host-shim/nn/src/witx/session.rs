//! One guest's graphs and contexts, and the functions that it calls.

use std::collections::HashMap;

use super::table::Table;
use super::{WitxError, errno, memory, numbers};
use crate::limits::MAX_RANK;
use crate::{Context, Engine, Graph, Key, NnError, TensorView};

/// Parts of one model. Engines that split models, which none here does, have two.
const MAX_PARTS: u32 = 16;
/// Bytes of a model's name: as long as a path may be.
const MAX_NAME_BYTES: u32 = 4096;
/// Bytes of a model's configuration: upstream's engine knows some fifty keys, and a grammar may be among them.
const MAX_CONFIG_BYTES: u32 = 1 << 20;

/// What one guest instance has loaded.
///
/// Each method is the function of its name. `memory` is the guest's memory, of which nothing is kept; the other
/// arguments are the guest's, unchecked. The result is a number of [`errno`]. Dropping the session frees everything
/// that its guest loaded and opened.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    graphs: Table<Graph>,
    contexts: Table<Open>,
    /// Graphs by name and configuration: as upstream, asking twice gives the same handle.
    named: HashMap<(String, Option<String>), u32>,
    last_error: Option<WitxError>,
}

/// A context and the handle of its graph.
#[derive(Debug)]
struct Open {
    context: Context,
    graph: u32,
}

type Called = Result<(), WitxError>;

impl Session {
    /// A session without graphs.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            graphs: Table::default(),
            contexts: Table::default(),
            named: HashMap::new(),
            last_error: None,
        }
    }

    /// Why the last failed call failed.
    pub fn last_error(&self) -> Option<&WitxError> {
        self.last_error.as_ref()
    }

    /// Graphs and contexts open.
    pub fn open(&self) -> (usize, usize) {
        (self.graphs.len(), self.contexts.len())
    }

    /// Loads a model from `builders_len` parts in the guest's memory.
    pub fn load(
        &mut self,
        memory: &mut [u8],
        builders: u32,
        builders_len: u32,
        encoding: u32,
        target: u32,
        graph_out: u32,
    ) -> u32 {
        let called = self.load_parts(memory, builders, builders_len, encoding, target, graph_out);
        self.done(called)
    }

    /// Loads a registered model.
    pub fn load_by_name(&mut self, memory: &mut [u8], name: u32, name_len: u32, graph_out: u32) -> u32 {
        let called = self.load_named(memory, (name, name_len), None, graph_out);
        self.done(called)
    }

    /// Loads a registered model with the engine's settings as JSON.
    pub fn load_by_name_with_config(
        &mut self,
        memory: &mut [u8],
        name: u32,
        name_len: u32,
        config: u32,
        config_len: u32,
        graph_out: u32,
    ) -> u32 {
        let called = self.load_named(memory, (name, name_len), Some((config, config_len)), graph_out);
        self.done(called)
    }

    /// Opens a context of a graph.
    pub fn init_execution_context(&mut self, memory: &mut [u8], graph: u32, context_out: u32) -> u32 {
        let called = self.open_context(memory, graph, context_out);
        self.done(called)
    }

    /// Sets the input `index` from the tensor record at `tensor`.
    pub fn set_input(&mut self, memory: &mut [u8], context: u32, index: u32, tensor: u32) -> u32 {
        let called = self.read_input(memory, context, index, tensor);
        self.done(called)
    }

    /// Computes the outputs.
    pub fn compute(&mut self, _memory: &mut [u8], context: u32) -> u32 {
        let called = self.context(context).and_then(|context| Ok(context.compute()?));
        self.done(called)
    }

    /// Computes one token.
    pub fn compute_single(&mut self, _memory: &mut [u8], context: u32) -> u32 {
        let called = self.context(context).and_then(|context| Ok(context.compute_single()?));
        self.done(called)
    }

    /// Ends the computing of single tokens.
    pub fn fini_single(&mut self, _memory: &mut [u8], context: u32) -> u32 {
        let called = self.context(context).and_then(|context| Ok(context.finish_single()?));
        self.done(called)
    }

    /// Copies the output `index` to `out`, and its length to `written_out`.
    pub fn get_output(
        &mut self,
        memory: &mut [u8],
        context: u32,
        index: u32,
        out: u32,
        out_len: u32,
        written_out: u32,
    ) -> u32 {
        let called = self.copy_output(memory, (context, index), Context::output, (out, out_len), written_out);
        self.done(called)
    }

    /// Copies the output of the last single token to `out`, and its length to `written_out`.
    pub fn get_output_single(
        &mut self,
        memory: &mut [u8],
        context: u32,
        index: u32,
        out: u32,
        out_len: u32,
        written_out: u32,
    ) -> u32 {
        let called =
            self.copy_output(memory, (context, index), Context::output_single, (out, out_len), written_out);
        self.done(called)
    }

    /// Frees a graph and its contexts.
    pub fn unload(&mut self, _memory: &mut [u8], graph: u32) -> u32 {
        let removed = self.graphs.remove(graph).ok_or(WitxError::Handle { what: "graph", handle: graph });
        self.contexts.retain(|open| open.graph != graph);
        self.named.retain(|_, handle| *handle != graph);
        self.done(removed.map(drop))
    }

    /// Frees a context.
    pub fn finalize_execution_context(&mut self, _memory: &mut [u8], context: u32) -> u32 {
        let removed = self.contexts.remove(context);
        self.done(removed.map(drop).ok_or(WitxError::Handle { what: "context", handle: context }))
    }

    fn load_parts(
        &mut self,
        memory: &mut [u8],
        builders: u32,
        builders_len: u32,
        encoding: u32,
        target: u32,
        graph_out: u32,
    ) -> Called {
        let encoding = numbers::encoding(encoding)?;
        let device = numbers::device(target)?;
        at_most("parts of a model", builders_len, MAX_PARTS)?;
        // Before the work: a model that cannot be named afterwards would only cost.
        memory::bytes(memory, "the graph's handle", graph_out, 4)?;
        let records = memory::bytes(memory, "parts of a model", builders, builders_len * 8)?;
        let (records, _) = records.as_chunks::<8>();
        let parts = records.iter().map(|record| {
            let [ptr, len] = memory::record(record, "a part", 0)?;
            memory::bytes(memory, "a part of a model", ptr, len)
        });
        let parts = parts.collect::<Result<Vec<_>, WitxError>>()?;
        let graph = self.engine.load(&parts, encoding, device)?;
        let handle = self.graphs.insert(graph);
        memory::store(memory, "the graph's handle", graph_out, handle)
    }

    fn load_named(
        &mut self,
        memory: &mut [u8],
        (name, name_len): (u32, u32),
        config: Option<(u32, u32)>,
        graph_out: u32,
    ) -> Called {
        at_most("bytes of a name", name_len, MAX_NAME_BYTES)?;
        memory::bytes(memory, "the graph's handle", graph_out, 4)?;
        let name = memory::text(memory, "the name", name, name_len)?;
        let config = match config {
            None => None,
            Some((config, len)) => {
                at_most("bytes of a configuration", len, MAX_CONFIG_BYTES)?;
                Some(memory::text(memory, "the configuration", config, len)?)
            }
        };
        let key = (name.to_owned(), config.map(str::to_owned));
        let handle = match self.named.get(&key) {
            Some(handle) => *handle,
            None => {
                let graph = self.engine.load_named(name, config)?;
                let handle = self.graphs.insert(graph);
                self.named.insert(key, handle);
                handle
            }
        };
        memory::store(memory, "the graph's handle", graph_out, handle)
    }

    fn open_context(&mut self, memory: &mut [u8], graph: u32, context_out: u32) -> Called {
        memory::bytes(memory, "the context's handle", context_out, 4)?;
        let loaded = self.graphs.get(graph).ok_or(WitxError::Handle { what: "graph", handle: graph })?;
        let context = loaded.context()?;
        let handle = self.contexts.insert(Open { context, graph });
        memory::store(memory, "the context's handle", context_out, handle)
    }

    fn read_input(&mut self, memory: &[u8], context: u32, index: u32, tensor: u32) -> Called {
        let context = self.context(context)?;
        let [dimensions, rank, ty, data, data_len] = memory::record(memory, "the tensor", tensor)?;
        let ty = numbers::tensor_type(ty)?;
        at_most("axes of a tensor", rank, MAX_RANK as u32)?;
        let dimensions = memory::bytes(memory, "the tensor's dimensions", dimensions, rank * 4)?;
        let mut sizes = [0; MAX_RANK];
        for (size, given) in sizes.iter_mut().zip(memory::numbers(dimensions)) {
            *size = given;
        }
        let data = memory::bytes(memory, "the tensor's data", data, data_len)?;
        let view = TensorView { dimensions: &sizes[..rank as usize], ty, data };
        Ok(context.set_input(Key::Index(index), view)?)
    }

    fn copy_output(
        &mut self,
        memory: &mut [u8],
        (context, index): (u32, u32),
        read: for<'a> fn(&'a Context, Key<'_>) -> Result<TensorView<'a>, NnError>,
        out: (u32, u32),
        written_out: u32,
    ) -> Called {
        let output = read(self.context(context)?, Key::Index(index))?;
        write_output(memory, output.data, out, written_out)
    }

    fn context(&mut self, handle: u32) -> Result<&mut Context, WitxError> {
        let open = self.contexts.get_mut(handle).ok_or(WitxError::Handle { what: "context", handle })?;
        Ok(&mut open.context)
    }

    fn done(&mut self, called: Called) -> u32 {
        match called {
            Ok(()) => errno::SUCCESS,
            Err(error) => {
                let number = error.errno();
                self.last_error = Some(error);
                number
            }
        }
    }
}

fn write_output(memory: &mut [u8], output: &[u8], (out, out_len): (u32, u32), written_out: u32) -> Called {
    memory::bytes(memory, "the output's length", written_out, 4)?;
    memory::bytes(memory, "the output's buffer", out, out_len)?;
    let too_small = WitxError::BufferTooSmall { needed: output.len() as u64, given: out_len };
    // Above 32 bits no buffer of the guest could hold it.
    let needed = u32::try_from(output.len()).map_err(|_| too_small.clone())?;
    memory::store(memory, "the output's length", written_out, needed)?;
    if needed > out_len {
        return Err(too_small);
    }
    memory::bytes_mut(memory, "the output's buffer", out, needed)?.copy_from_slice(output);
    // Again: nothing keeps a guest from placing the length inside its buffer, and the length is what it reads first.
    memory::store(memory, "the output's length", written_out, needed)
}

fn at_most(what: &'static str, found: u32, limit: u32) -> Called {
    if found > limit {
        return Err(WitxError::TooMuch { what, found, limit });
    }
    Ok(())
}
