//! The models and their inputs.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context as _, bail};
use endcap_benches::machine;
use endcap_core::encoder::EncoderShape;
use endcap_models::encoder::{Weights, onnx};

/// Columns of the tabular models.
const FEATURES: usize = 128;
/// Items of the encoder's history: all that the service remembers.
const HISTORY: usize = 50;
const BATCHES: [usize; 4] = [1, 16, 100, 500];

/// An input tensor.
pub(crate) enum Values {
    F32(Vec<f32>),
    I64(Vec<i64>),
}

/// A model with an input for each of its inputs, in its order.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) batch: usize,
    pub(crate) onnx: Rc<Vec<u8>>,
    pub(crate) inputs: Vec<(Vec<usize>, Values)>,
}

/// All cases; those of other tools are made anew in `folder`.
pub(crate) fn all(folder: &Path) -> anyhow::Result<Vec<Case>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let python = machine::from_env("ENDCAP_PYTHON")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/engines.py");
    let made = Command::new(python).arg(script).arg(folder).arg(FEATURES.to_string()).output()?;
    if !made.status.success() {
        bail!("{}", String::from_utf8_lossy(&made.stderr));
    }
    let mut cases = Vec::new();
    for (name, file) in [("perceptron", "mlp.onnx"), ("trees", "trees.onnx")] {
        let onnx = Rc::new(std::fs::read(folder.join(file))?);
        cases.extend(BATCHES.map(|batch| Case {
            name,
            batch,
            onnx: Rc::clone(&onnx),
            inputs: vec![rows(batch)],
        }));
    }
    let shape = EncoderShape {
        items: 1000,
        dim: 64,
        layers: 2,
        heads: 4,
        kv_heads: 4,
        hidden: 176,
        max_len: HISTORY,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
    };
    let history = (0..HISTORY as i64).map(|at| at * 37 % 1000).collect();
    let inputs = vec![(vec![1, HISTORY], Values::I64(history)), (vec![1], Values::I64(vec![HISTORY as i64]))];
    let onnx = Rc::new(onnx::write(&Weights::random(&shape, 0))?);
    cases.push(Case { name: "transformer", batch: 1, onnx, inputs });
    Ok(cases)
}

fn rows(batch: usize) -> (Vec<usize>, Values) {
    let values = (0..batch * FEATURES).map(|at| (at * 37 % 129) as f32 / 32.0 - 2.0).collect();
    (vec![batch, FEATURES], Values::F32(values))
}
