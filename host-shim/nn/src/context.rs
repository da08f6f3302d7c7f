//! A context: inputs in, outputs out, one thread at a time.

use std::fmt;

use crate::counters::Permit;
use crate::engine::Graph;
use crate::{NnError, TensorView};

/// Names an input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key<'a> {
    /// By position in the model.
    Index(u32),
    /// By name in the model.
    Name(&'a str),
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What an engine's context does. `Send`, not `Sync`.
pub(crate) trait ContextBackend: Send {
    fn set_input(&mut self, key: Key<'_>, tensor: TensorView<'_>) -> Result<(), NnError>;
    fn compute(&mut self) -> Result<(), NnError>;
    fn output(&self, key: Key<'_>) -> Result<TensorView<'_>, NnError>;
    /// One token of text; other engines do not stream.
    fn compute_single(&mut self) -> Result<(), NnError>;
    fn output_single(&self, key: Key<'_>) -> Result<TensorView<'_>, NnError>;
    /// Ends streaming: the next `compute_single` starts anew.
    fn finish_single(&mut self) -> Result<(), NnError>;
}

/// One caller's inputs, working memory and outputs on a [`Graph`].
///
/// It may move between threads; calls need `&mut`, so that no two threads compute in it at once.
pub struct Context {
    // Declared before the graph: its memory is freed first.
    backend: Box<dyn ContextBackend>,
    graph: Graph,
    _permit: Permit,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("graph", &self.graph).finish_non_exhaustive()
    }
}

impl Context {
    pub(crate) fn new(backend: Box<dyn ContextBackend>, graph: Graph, permit: Permit) -> Self {
        Self { backend, graph, _permit: permit }
    }

    /// The model that it computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Copies an input in. Earlier outputs are gone from here on.
    ///
    /// # Errors
    /// [`NnError::TensorLength`] where `data` is not as long as type and dimensions say, [`NnError::Limit`] above
    /// [`crate::Limits::tensor_bytes`], [`NnError::Argument`] for an unknown key, or a type or shape that the model
    /// does not take. After an error the input is as it was before.
    pub fn set_input(&mut self, key: Key<'_>, tensor: TensorView<'_>) -> Result<(), NnError> {
        tensor.elements()?;
        let limit = self.graph.limits().tensor_bytes;
        if tensor.data.len() as u64 > limit {
            return Err(NnError::Limit { what: "tensor bytes", found: tensor.data.len() as u64, limit });
        }
        self.backend.set_input(key, tensor)
    }

    /// Computes every output from the inputs set, which stay set.
    ///
    /// # Errors
    /// [`NnError::Argument`] for a missing input or inputs that contradict each other, [`NnError::Compute`] where
    /// the engine failed.
    pub fn compute(&mut self) -> Result<(), NnError> {
        self.backend.compute()
    }

    /// Lends an output of the last [`Self::compute`]; computes nothing.
    ///
    /// # Errors
    /// [`NnError::Argument`] for an unknown key, or where nothing was computed since an input was set.
    pub fn output(&self, key: Key<'_>) -> Result<TensorView<'_>, NnError> {
        self.backend.output(key)
    }

    /// Computes one token of a text.
    ///
    /// # Errors
    /// [`NnError::EndOfSequence`] where the text has ended, [`NnError::ContextFull`], [`NnError::PromptTooLong`],
    /// [`NnError::Unsupported`] on an engine without streaming.
    pub fn compute_single(&mut self) -> Result<(), NnError> {
        self.backend.compute_single()
    }

    /// Lends the output of the last [`Self::compute_single`].
    ///
    /// # Errors
    /// As [`Self::output`].
    pub fn output_single(&self, key: Key<'_>) -> Result<TensorView<'_>, NnError> {
        self.backend.output_single(key)
    }

    /// Ends streaming: the next [`Self::compute_single`] starts anew.
    ///
    /// # Errors
    /// [`NnError::Unsupported`] on an engine without streaming.
    pub fn finish_single(&mut self) -> Result<(), NnError> {
        self.backend.finish_single()
    }
}
