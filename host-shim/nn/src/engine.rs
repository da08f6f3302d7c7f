//! The engine: limits, registry, and the way from bytes to a graph.

use std::fmt;
use std::sync::Arc;

use crate::context::{Context, ContextBackend};
use crate::counters::{Counter, Permit};
use crate::named::NamedGraphs;
use crate::{ArgumentError, Limits, NnError, Registry, TensorSpec, onnx};

/// What a model's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// An ONNX protobuf.
    Onnx,
    /// A GGUF file.
    Ggml,
    /// To be told from the bytes.
    Autodetect,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The first GPU of the engine's back-end; an error where there is none.
    Gpu,
}

/// What an engine's loaded model does. Shared between threads.
pub(crate) trait GraphBackend: Send + Sync {
    fn context(&self) -> Result<Box<dyn ContextBackend>, NnError>;
    /// Inputs by index.
    fn inputs(&self) -> &[TensorSpec];
    /// Outputs by index.
    fn outputs(&self) -> &[TensorSpec];
}

/// A loaded model. Cloning shares it; the last clone or context to go frees it.
#[derive(Clone)]
pub struct Graph(pub(crate) Arc<Loaded>);

pub(crate) struct Loaded {
    // Declared before the permit: the memory is free before its place is.
    backend: Box<dyn GraphBackend>,
    encoding: Encoding,
    shared: Arc<Shared>,
    _permit: Permit,
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("encoding", &self.0.encoding)
            .field("inputs", &self.inputs())
            .field("outputs", &self.outputs())
            .finish_non_exhaustive()
    }
}

impl Graph {
    /// What the model was; never [`Encoding::Autodetect`].
    pub fn encoding(&self) -> Encoding {
        self.0.encoding
    }

    /// What it takes, by index.
    pub fn inputs(&self) -> &[TensorSpec] {
        self.0.backend.inputs()
    }

    /// What it gives, by index.
    pub fn outputs(&self) -> &[TensorSpec] {
        self.0.backend.outputs()
    }

    /// Opens a context.
    ///
    /// # Errors
    /// [`NnError::Limit`] above [`Limits::contexts`], and what the engine reports.
    pub fn context(&self) -> Result<Context, NnError> {
        let permit = self.0.shared.contexts.acquire()?;
        Ok(Context::new(self.0.backend.context()?, self.clone(), permit))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.shared.limits
    }
}

/// Makes graphs. Cloning shares limits, registry and counters.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    registry: Registry,
    graphs: Arc<Counter>,
    contexts: Arc<Counter>,
    named: NamedGraphs,
}

impl Engine {
    /// An engine with these limits and named models. Nothing is read yet.
    pub fn new(limits: Limits, registry: Registry) -> Self {
        Self(Arc::new(Shared {
            graphs: Counter::new("graphs", limits.graphs),
            contexts: Counter::new("contexts", limits.contexts),
            named: NamedGraphs::default(),
            limits,
            registry,
        }))
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The named models.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Graphs alive, over all guests.
    pub fn graphs_alive(&self) -> usize {
        self.0.graphs.alive()
    }

    /// Contexts alive, over all guests.
    pub fn contexts_alive(&self) -> usize {
        self.0.contexts.alive()
    }

    /// Makes a graph of a model's bytes.
    ///
    /// ONNX takes one part. GGML takes one, and optionally its metadata as a second. A single part that reads
    /// `preload:` and the name or the path of a registered model stands for that model, as guests of WasmEdge's own
    /// GGML engine write it; no other file can be named.
    ///
    /// # Errors
    /// [`NnError::Limit`] for too many bytes or graphs, [`NnError::Argument`] for a wrong number of parts or unknown
    /// bytes, [`NnError::Model`] for a damaged model, [`NnError::Unsupported`] for one that the engine cannot run,
    /// [`NnError::NoGpu`], [`NnError::NoEngine`], and the errors of [`Self::load_named`] for `preload:`.
    pub fn load(&self, parts: &[&[u8]], encoding: Encoding, device: Device) -> Result<Graph, NnError> {
        if let [part] = parts
            && let Some(model) = preloaded(part)
        {
            let name = self.0.registry.find(model).ok_or_else(|| not_registered(model))?;
            return self.load_named(name, None);
        }
        self.check_size(parts.iter().map(|part| part.len() as u64).sum())?;
        let encoding = match encoding {
            Encoding::Autodetect => detect(parts)?,
            known => known,
        };
        self.build(encoding, |limits| match encoding {
            Encoding::Ggml => ggml_load(parts, device, limits, None),
            _ => onnx::load(parts, device, limits),
        })
    }

    /// The graph of a registered model, read from its file at the first use and shared with everyone who asks for
    /// the same name and metadata, for as long as one of them keeps it.
    ///
    /// `metadata` is the engine's own JSON; it replaces the one registered.
    ///
    /// # Errors
    /// [`NnError::NotRegistered`], [`NnError::Registered`] where the file cannot be read or its digest differs, and
    /// the errors of [`Self::load`].
    pub fn load_named(&self, name: &str, metadata: Option<&str>) -> Result<Graph, NnError> {
        let entry = self.0.registry.get(name).ok_or_else(|| not_registered(name))?;
        self.0.named.get_or_load(name, metadata, || {
            let metadata = metadata.or(entry.metadata.as_deref());
            let failed = |reason: String| NnError::Registered { name: name.to_owned(), reason };
            let file = entry.open().map_err(|error| failed(error.to_string()))?;
            self.check_size(file.len())?;
            let encoding = match entry.encoding {
                Encoding::Autodetect => {
                    detect(&[&file.head().map_err(|error| failed(error.to_string()))?])?
                }
                known => known,
            };
            self.build(encoding, |limits| match encoding {
                Encoding::Ggml => {
                    file.check_digest().map_err(|error| failed(error.to_string()))?;
                    ggml_load_file(file.path(), entry.device, limits, metadata)
                }
                _ => {
                    onnx::check_metadata(metadata)?;
                    let bytes = file.read().map_err(|error| failed(error.to_string()))?;
                    onnx::load(&[&bytes], entry.device, limits)
                }
            })
        })
    }
}

impl Engine {
    fn check_size(&self, bytes: u64) -> Result<(), NnError> {
        let limit = self.0.limits.model_bytes;
        if bytes > limit {
            return Err(NnError::Limit { what: "model bytes", found: bytes, limit });
        }
        Ok(())
    }

    fn build(
        &self,
        encoding: Encoding,
        load: impl FnOnce(&Limits) -> Result<Box<dyn GraphBackend>, NnError>,
    ) -> Result<Graph, NnError> {
        // The place first: a guest above its limit must not make the host parse another model.
        let permit = self.0.graphs.acquire()?;
        let backend = load(&self.0.limits)?;
        Ok(Graph(Arc::new(Loaded { backend, encoding, shared: Arc::clone(&self.0), _permit: permit })))
    }
}

/// The model that a part stands for, where it is a reference and not a model.
fn preloaded(part: &[u8]) -> Option<&str> {
    // Longer than any path: a model, whatever it begins with.
    const MAX_REFERENCE_BYTES: usize = 4096;
    if part.len() > MAX_REFERENCE_BYTES {
        return None;
    }
    std::str::from_utf8(part.strip_prefix(b"preload:")?).ok()
}

fn not_registered(name: &str) -> NnError {
    NnError::NotRegistered { name: name.to_owned() }
}

fn detect(parts: &[&[u8]]) -> Result<Encoding, NnError> {
    match parts {
        [first, ..] if first.starts_with(b"GGUF") => Ok(Encoding::Ggml),
        [part] if onnx::looks_like(part) => Ok(Encoding::Onnx),
        _ => Err(ArgumentError::UnknownEncoding.into()),
    }
}

#[cfg(feature = "ggml")]
use crate::ggml::{load as ggml_load, load_file as ggml_load_file};

#[cfg(not(feature = "ggml"))]
fn ggml_load(
    _parts: &[&[u8]],
    _device: Device,
    _limits: &Limits,
    _metadata: Option<&str>,
) -> Result<Box<dyn GraphBackend>, NnError> {
    Err(NnError::NoEngine { engine: "ggml" })
}

#[cfg(not(feature = "ggml"))]
fn ggml_load_file(
    _path: &std::path::Path,
    _device: Device,
    _limits: &Limits,
    _metadata: Option<&str>,
) -> Result<Box<dyn GraphBackend>, NnError> {
    Err(NnError::NoEngine { engine: "ggml" })
}
