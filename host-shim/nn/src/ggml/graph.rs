//! A loaded model as a graph.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::config::Config;
use super::context::TextContext;
use super::failed;
use super::gguf::Outline;
use super::native::{self, Loading, Model};
use crate::context::ContextBackend;
use crate::engine::GraphBackend;
use crate::{Device, Limits, NnError, TensorSpec, TensorType};

/// Everything about a model that its contexts share.
pub(super) struct Loaded {
    pub(super) model: Arc<Model>,
    pub(super) outline: Outline,
    /// What new contexts begin with.
    pub(super) config: Config,
    pub(super) limits: Limits,
    /// Whether layers are on a GPU.
    pub(super) gpu: bool,
    /// Cores that this process may use; asked once, because that opens files.
    pub(super) cores: i32,
}

struct GgmlGraph {
    loaded: Arc<Loaded>,
    inputs: [TensorSpec; 2],
    outputs: [TensorSpec; 3],
}

/// Loads a file that has been checked.
pub(super) fn load(
    file: File,
    outline: Outline,
    config: Config,
    device: Device,
    limits: &Limits,
) -> Result<Box<dyn GraphBackend>, NnError> {
    let gpu_layers = gpu_layers(&config, device)?;
    let loading = Loading {
        map: config.model.use_mmap,
        gpu_layers,
        main_gpu: config.model.main_gpu,
        tensor_split: config.model.tensor_split.clone(),
    };
    let model = Model::load(OwnedFd::from(file), &loading, config.echo).map_err(failed)?;
    let (inputs, outputs) = specs(outline.n_embd);
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as i32);
    let gpu = gpu_layers != 0;
    let loaded = Loaded { model: Arc::new(model), outline, config, limits: limits.clone(), gpu, cores };
    Ok(Box::new(GgmlGraph { loaded: Arc::new(loaded), inputs, outputs }))
}

/// Layers to put on the GPU. WasmEdge ignores a wish for a GPU that is not there; a service that was sized for one
/// had better not start.
fn gpu_layers(config: &Config, device: Device) -> Result<i32, NnError> {
    const ALL: i32 = -1;
    let layers = config.model.n_gpu_layers.unwrap_or(if device == Device::Gpu { ALL } else { 0 });
    if native::has_gpu() {
        return Ok(layers);
    }
    if layers > 0 || device == Device::Gpu {
        return Err(NnError::NoGpu { reason: "llama.cpp was built without one, or finds none" });
    }
    // `-1`: as many layers as there is room for.
    Ok(0)
}

fn specs(n_embd: u32) -> ([TensorSpec; 2], [TensorSpec; 3]) {
    let text = |name: &str| TensorSpec { name: name.to_owned(), ty: Some(TensorType::U8), dimensions: None };
    let vector = TensorSpec {
        name: "embedding".to_owned(),
        ty: Some(TensorType::F32),
        dimensions: Some(vec![Some(n_embd)]),
    };
    // Text, or token ids: of either type.
    let prompt = TensorSpec { ty: None, ..text("prompt") };
    ([prompt, text("metadata")], [text("text"), text("metadata"), vector])
}

impl GraphBackend for GgmlGraph {
    fn context(&self) -> Result<Box<dyn ContextBackend>, NnError> {
        Ok(Box::new(TextContext::new(Arc::clone(&self.loaded))))
    }

    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }
}
