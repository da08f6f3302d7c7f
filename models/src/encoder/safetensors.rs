//! Weights as a safetensors file: tensor names as Llama checkpoints have them, dimensions in the metadata.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use endcap_core::encoder::{EncoderShape, Projection, TensorError};
use endcap_core::format::MAX_MODEL_BYTES;
use safetensors::{Dtype, SafeTensors, View};

use super::error::WeightsError;
use super::weights::{Layer, Weights};

/// Key of the metadata that holds the JSON of [`EncoderShape`].
const SHAPE_KEY: &str = "endcap.encoder";
/// Largest file: weights at four bytes that packed at one byte make the largest model.
const MAX_BYTES: u64 = 4 * MAX_MODEL_BYTES;

const EMBEDDING: &str = "model.embed_tokens.weight";
/// Where item vectors for scoring are not tied to the embedding.
const OUTPUT: &str = "lm_head.weight";
const NORM: &str = "model.norm.weight";

fn in_layer(layer: usize, part: &str) -> String {
    format!("model.layers.{layer}.{part}.weight")
}

const ATTENTION_NORM: &str = "input_layernorm";
const MLP_NORM: &str = "post_attention_layernorm";

fn part(projection: Projection) -> &'static str {
    match projection {
        Projection::Query => "self_attn.q_proj",
        Projection::Key => "self_attn.k_proj",
        Projection::Value => "self_attn.v_proj",
        Projection::Output => "self_attn.o_proj",
        Projection::Gate => "mlp.gate_proj",
        Projection::Up => "mlp.up_proj",
        Projection::Down => "mlp.down_proj",
    }
}

impl Weights {
    /// Reads a file that [`Self::save`] or a training wrote.
    ///
    /// # Errors
    /// [`WeightsError`] names the tensor, what was found and what the dimensions ask for.
    pub fn load(path: &Path) -> Result<Self, WeightsError> {
        let io = |source| WeightsError::Io { action: "read", path: path.to_owned(), source };
        let bytes = fs::metadata(path).map_err(io)?.len();
        if bytes > MAX_BYTES {
            return Err(WeightsError::TooLarge { path: path.to_owned(), bytes, limit: MAX_BYTES });
        }
        Self::from_safetensors(&fs::read(path).map_err(io)?)
            .map_err(|error| WeightsError::File { path: path.to_owned(), error: Box::new(error) })
    }

    /// Writes the weights to `path`.
    ///
    /// # Errors
    /// Where the weights do not fit their shape, or the file system refuses.
    pub fn save(&self, path: &Path) -> Result<(), WeightsError> {
        let bytes = self.to_safetensors()?;
        fs::write(path, bytes).map_err(|source| WeightsError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })
    }

    /// The bytes of a safetensors file; the same weights give the same bytes.
    ///
    /// # Errors
    /// Where the weights do not fit their shape or are not finite.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        self.tensors().check()?;
        write_sets(&[("", self)], HashMap::new())
    }

    fn named(&self) -> Vec<(String, Plain<'_>)> {
        let shape = &self.shape;
        let mut tensors = vec![
            (EMBEDDING.to_owned(), Plain::matrix(&self.embedding, [shape.items, shape.dim])),
            (NORM.to_owned(), Plain::vector(&self.norm)),
        ];
        if let Some(output) = &self.output {
            tensors.push((OUTPUT.to_owned(), Plain::matrix(output, [shape.items, shape.dim])));
        }
        for (at, layer) in self.layers.iter().enumerate() {
            tensors.push((in_layer(at, ATTENTION_NORM), Plain::vector(&layer.attention_norm)));
            tensors.push((in_layer(at, MLP_NORM), Plain::vector(&layer.mlp_norm)));
            for projection in Projection::ALL {
                let matrix = Plain::matrix(layer.projection(projection), projection.size(shape));
                tensors.push((in_layer(at, part(projection)), matrix));
            }
        }
        tensors
    }

    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, WeightsError> {
        let ([weights], _) = read_sets(bytes, [""])?;
        weights.tensors().check()?;
        Ok(weights)
    }
}

/// The bytes of a file with several sets of tensors of one shape, each under a prefix to its tensors' names, and further
/// metadata.
pub(super) fn write_sets(
    sets: &[(&str, &Weights)],
    mut metadata: HashMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    let mut tensors = Vec::new();
    for (prefix, weights) in sets {
        tensors.extend(weights.named().into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
        let json = serde_json::to_string(&weights.shape)
            .map_err(|source| WeightsError::Shape { key: SHAPE_KEY, source })?;
        metadata.insert(SHAPE_KEY.to_owned(), json);
    }
    Ok(safetensors::serialize(tensors, Some(metadata))?)
}

/// Reads what [`write_sets`] wrote: the sets under `prefixes`, and the metadata. Every tensor has its right size.
pub(super) fn read_sets<const N: usize>(
    bytes: &[u8],
    prefixes: [&str; N],
) -> Result<([Weights; N], HashMap<String, String>), WeightsError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    let metadata = metadata.metadata().clone().unwrap_or_default();
    let json = metadata.get(SHAPE_KEY).ok_or(WeightsError::NoShape { key: SHAPE_KEY })?;
    let shape: EncoderShape =
        serde_json::from_str(json).map_err(|source| WeightsError::Shape { key: SHAPE_KEY, source })?;
    shape.check().map_err(TensorError::from)?;
    let tensors = SafeTensors::deserialize(bytes)?;
    let mut tensors: HashMap<&str, _> = tensors.iter().collect();
    let mut sets = Vec::with_capacity(N);
    for prefix in prefixes {
        sets.push(Reader { tensors: &mut tensors, prefix }.weights(&shape)?);
    }
    // The smallest name, so that the message does not depend on the order of a hash map.
    if let Some(name) = tensors.keys().min() {
        return Err(WeightsError::Unknown { name: (*name).to_owned() });
    }
    let Ok(sets) = sets.try_into() else { unreachable!("one set a prefix") };
    Ok((sets, metadata))
}

/// Takes tensors out one by one; what is left at the end does not belong there.
struct Reader<'a, 'b> {
    tensors: &'b mut HashMap<&'a str, safetensors::tensor::TensorView<'a>>,
    prefix: &'b str,
}

impl Reader<'_, '_> {
    fn weights(&mut self, shape: &EncoderShape) -> Result<Weights, WeightsError> {
        let embedding = self.take(EMBEDDING, &[shape.items, shape.dim])?;
        let output = match self.tensors.contains_key(format!("{}{OUTPUT}", self.prefix).as_str()) {
            true => Some(self.take(OUTPUT, &[shape.items, shape.dim])?),
            false => None,
        };
        let norm = self.take(NORM, &[shape.dim])?;
        let layers = (0..shape.layers).map(|at| self.layer(at, shape)).collect::<Result<_, _>>()?;
        Ok(Weights { shape: shape.clone(), embedding, output, layers, norm })
    }

    fn take(&mut self, name: &str, expected: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let name = || format!("{}{name}", self.prefix);
        let tensor =
            self.tensors.remove(name().as_str()).ok_or_else(|| WeightsError::Missing { name: name() })?;
        if tensor.dtype() != Dtype::F32 {
            return Err(WeightsError::Type { name: name(), found: format!("{:?}", tensor.dtype()) });
        }
        if tensor.shape() != expected {
            let (found, expected) = (tensor.shape().to_vec(), expected.to_vec());
            return Err(WeightsError::Dimensions { name: name(), found, expected });
        }
        Ok(tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }

    fn layer(&mut self, at: usize, shape: &EncoderShape) -> Result<Layer, WeightsError> {
        let mut layer = Layer {
            attention_norm: self.take(&in_layer(at, ATTENTION_NORM), &[shape.dim])?,
            mlp_norm: self.take(&in_layer(at, MLP_NORM), &[shape.dim])?,
            projections: Default::default(),
        };
        for projection in Projection::ALL {
            layer.projections[projection as usize] =
                self.take(&in_layer(at, part(projection)), &projection.size(shape))?;
        }
        Ok(layer)
    }
}

/// A tensor of f32, as the safetensors writer wants one.
struct Plain<'a> {
    shape: Vec<usize>,
    elements: &'a [f32],
}

impl<'a> Plain<'a> {
    fn matrix(elements: &'a [f32], shape: [usize; 2]) -> Self {
        Self { shape: shape.to_vec(), elements }
    }

    fn vector(elements: &'a [f32]) -> Self {
        Self { shape: vec![elements.len()], elements }
    }
}

impl View for Plain<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.elements.iter().flat_map(|element| element.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        size_of_val(self.elements)
    }
}
