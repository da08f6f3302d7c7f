//! A learned ranker as sections of a model.

use endcap_core::format::{encode_ranker, section};
use endcap_core::inference::{HIDDEN, RankerScope, RankerSpec};
use endcap_core::recommend::Feature;

use super::network::Network;
use crate::onnx::{Attribute, Element, GraphBuilder, Size};
use crate::train::Trained;

/// Names in the graph, as [`RankerSpec::of_network`] has them.
const FEATURES: &str = "features";
const LOG_ODDS: &str = "log_odds";

/// A ranker over every feature of this release.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedRanker {
    pub(super) network: Network,
    /// What it is asked about.
    pub(super) scope: RankerScope,
}

impl LearnedRanker {
    /// What it takes and gives.
    pub fn spec(&self) -> RankerSpec {
        RankerSpec::of_network(&Feature::ALL, self.scope)
    }

    /// The body of the section for the built-in executor.
    pub fn section(&self) -> Vec<u8> {
        encode_ranker(self.network.weights())
    }

    /// As ONNX, operator set 17: `features` [N, columns] to `log_odds` [N, 1]. The same weights give the same bytes.
    pub fn onnx(&self) -> Vec<u8> {
        let Network { hidden, hidden_bias, direct, out, bias } = &self.network;
        let phi = direct.len();
        let rows = || Size::Named("rows".to_owned());
        let mut graph = GraphBuilder::default();
        let features = graph.input(FEATURES, Element::Float, vec![rows(), Size::Fixed((phi / 2) as i64)]);
        let roots = graph.op("Sqrt", &[&features], Vec::new());
        let both = graph.op("Concat", &[&features, &roots], vec![Attribute::int("axis", 1)]);
        let layer =
            |graph: &mut GraphBuilder, name: &str, from, [inputs, outputs]: [usize; 2], weights: &[f32]| {
                let weights = graph.floats(name, &[inputs, outputs], weights);
                graph.op("MatMul", &[from, &weights], Vec::new())
            };
        let units = layer(&mut graph, "hidden", &both, [phi, HIDDEN], hidden);
        let hidden_bias = graph.floats("hidden_bias", &[HIDDEN], hidden_bias);
        let units = graph.op("Add", &[&units, &hidden_bias], Vec::new());
        let units = graph.op("Relu", &[&units], Vec::new());
        let units = layer(&mut graph, "out", &units, [HIDDEN, 1], out);
        let direct = layer(&mut graph, "direct", &both, [phi, 1], direct);
        let sum = graph.op("Add", &[&units, &direct], Vec::new());
        let bias = graph.floats("bias", &[1], bias);
        let sum = graph.op("Add", &[&sum, &bias], Vec::new());
        graph.finish("ranker", LOG_ODDS, &sum, vec![rows(), Size::Fixed(1)])
    }
}

impl Trained {
    /// Adds a learned ranker, built in and as ONNX.
    pub fn add_ranker(&mut self, ranker: &LearnedRanker) {
        self.bodies.push((section::RANKER, ranker.section()));
        self.bodies.push((section::RANKER_ONNX, ranker.onnx()));
        self.manifest.parameters.ranker = Some(ranker.spec());
    }

    /// Takes the ranker out, if there is one: whether there was.
    pub fn drop_ranker(&mut self) -> bool {
        self.bodies.retain(|(name, _)| ![section::RANKER, section::RANKER_ONNX].contains(name));
        self.manifest.parameters.ranker.take().is_some()
    }
}
