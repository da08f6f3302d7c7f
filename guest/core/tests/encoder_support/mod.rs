//! Encoders with weights drawn from a seed, model files that carry them, and the same arithmetic written plainly.
#![allow(dead_code, unreachable_pub, reason = "every test binary uses its own part")]
#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

pub mod reference;

use endcap_core::AlignedBytes;
use endcap_core::encoder::{EncoderShape, EncoderTensors, LayerTensors, Precision, Projection};
use endcap_core::format::{FormatError, Manifest, Model, Verify, encode_encoder, section, write_model};

use crate::common::Shop;

/// Row-major weights of every tensor.
#[derive(Debug, Clone)]
pub struct Weights {
    pub shape: EncoderShape,
    pub embedding: Vec<f32>,
    pub output: Option<Vec<f32>>,
    pub layers: Vec<Layer>,
    pub norm: Vec<f32>,
}

#[derive(Debug, Clone)]
pub struct Layer {
    pub attention_norm: Vec<f32>,
    pub mlp_norm: Vec<f32>,
    pub projections: [Vec<f32>; 7],
}

impl Layer {
    fn tensors(&self) -> LayerTensors<'_> {
        LayerTensors {
            attention_norm: &self.attention_norm,
            mlp_norm: &self.mlp_norm,
            projections: self.projections.each_ref().map(Vec::as_slice),
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), as numbers in -1..1.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }

    /// `inputs` is what one output sums over: its root keeps activations near 1 through all layers.
    fn matrix(&mut self, len: usize, inputs: usize) -> Vec<f32> {
        let scale = (3.0 / inputs as f32).sqrt();
        (0..len).map(|_| self.next() * scale).collect()
    }

    fn gains(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| 1.0 + self.next() / 2.0).collect()
    }
}

impl Weights {
    pub fn random(shape: &EncoderShape, tied: bool, seed: u64) -> Self {
        let mut draw = Draw(seed);
        let table = shape.items * shape.dim;
        let layer = |draw: &mut Draw| Layer {
            attention_norm: draw.gains(shape.dim),
            mlp_norm: draw.gains(shape.dim),
            projections: Projection::ALL
                .map(|projection| draw.matrix(projection.elements(shape), projection.size(shape)[1])),
        };
        Self {
            shape: shape.clone(),
            embedding: draw.matrix(table, 3),
            output: (!tied).then(|| draw.matrix(table, 3)),
            layers: (0..shape.layers).map(|_| layer(&mut draw)).collect(),
            norm: draw.gains(shape.dim),
        }
    }

    pub fn tensors(&self) -> EncoderTensors<'_> {
        EncoderTensors {
            shape: &self.shape,
            embedding: &self.embedding,
            output: self.output.as_deref(),
            layers: self.layers.iter().map(Layer::tensors).collect(),
            norm: &self.norm,
        }
    }

    pub fn body(&self, precision: Precision) -> Vec<u8> {
        encode_encoder(&self.tensors(), precision).expect("the tensors fit the shape")
    }

    /// An open model that carries this encoder.
    pub fn model(&self, precision: Precision) -> Model {
        let bodies = [(section::ENCODER_WEIGHTS, self.body(precision))];
        open(Some(self.shape.clone()), &bodies).expect("a sound model")
    }
}

/// Opens a shop of as many items as the shape, with further sections.
pub fn open(shape: Option<EncoderShape>, bodies: &[(&'static str, Vec<u8>)]) -> Result<Model, FormatError> {
    let items = shape.as_ref().map_or(12, |shape| shape.items);
    let shop = Shop::new(items, vec![vec![0]], 10);
    let mut all = shop.bodies();
    all.extend_from_slice(bodies);
    let mut manifest: Manifest = shop.manifest();
    manifest.parameters.encoder = shape;
    let file = write_model(manifest, &all).expect("writes");
    Model::open(AlignedBytes::copy_from(&file), Verify::Full)
}

/// Two layers of two heads that share keys and values.
pub fn small_shape() -> EncoderShape {
    EncoderShape {
        items: 40,
        dim: 16,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        hidden: 24,
        max_len: 12,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
    }
}
