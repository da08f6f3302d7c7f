//! The operator Scaler (ai.onnx.ml 1), which tract lacks: `(x - offset) * scale`, what scikit-learn puts before a
//! model whose features are standardised.

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cast::cast;
use tract_onnx::tract_core::ops::math::{mul, sub};
use tract_onnx::tract_hir::infer::{
    InferenceOp, InferenceResult, Solver, TensorProxy, check_input_arity, check_output_arity,
};
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::expandable::{Expansion, expand};

/// Puts the operator into tract's list.
pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("Scaler", scaler);
}

fn scaler(
    _context: &ParsingContext<'_>,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let row = |name: &str, default: f32| -> TractResult<Arc<Tensor>> {
        Ok(rctensor1(node.get_attr_opt_slice::<f32>(name)?.unwrap_or(&[default])))
    };
    Ok((expand(Scaler { offset: row("offset", 0.0)?, scale: row("scale", 1.0)? }), vec![]))
}

/// Offset and scale for each feature, or one for all; along the last axis.
#[derive(Debug, Clone)]
struct Scaler {
    offset: Arc<Tensor>,
    scale: Arc<Tensor>,
}

impl Expansion for Scaler {
    fn name(&self) -> StaticName {
        "Scaler".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&outputs[0].datum_type, DatumType::F32)?;
        solver.equals(&outputs[0].shape, &inputs[0].shape)
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let fact = model.outlet_fact(inputs[0])?;
        let rank = fact.rank();
        ensure!(rank > 0, "a scalar has no features");
        let features = fact.shape[rank - 1].clone();
        for row in [&self.offset, &self.scale] {
            let fits = row.len() == 1 || features == row.len().to_dim();
            ensure!(fits, "{features} features, {} offsets or scales", row.len());
        }
        let mut row = |name: &str, row: &Arc<Tensor>| -> TractResult<OutletId> {
            let mut row = row.clone().into_tensor();
            while row.rank() < rank {
                row.insert_axis(0)?;
            }
            model.add_const(format!("{prefix}.{name}"), row)
        };
        let (offset, scale) = (row("offset", &self.offset)?, row("scale", &self.scale)?);
        let input = model.wire_node(format!("{prefix}.cast"), cast(DatumType::F32), inputs)?;
        let centred = model.wire_node(format!("{prefix}.centre"), sub(), &[input[0], offset])?;
        model.wire_node(prefix, mul(), &[centred[0], scale])
    }
}
