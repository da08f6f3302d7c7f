//! Tree ensembles as operators of tract.

use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::{
    InferenceResult, Solver, TensorProxy, check_input_arity, check_output_arity,
};
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::expandable::Expansion;

use super::ensemble::Ensemble;

/// A tree ensemble: of `f32 [rows, features]` gives `f32 [rows, targets]`, and before it, of a classifier, the labels
/// `i64 [rows]`. Other numbers are cast.
#[derive(Debug, Clone)]
pub(super) struct TreeEnsemble(pub(super) Arc<Ensemble>);

/// Of the same forest: two are not compared node by node.
impl PartialEq for TreeEnsemble {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TreeEnsemble {}

impl TreeEnsemble {
    fn static_name(&self) -> StaticName {
        let name = if self.0.labels.is_some() { "TreeEnsembleClassifier" } else { "TreeEnsembleRegressor" };
        name.into()
    }

    fn check_features(&self, features: usize) -> TractResult<()> {
        let needed = self.0.forest.features;
        ensure!(features >= needed, "rows have {features} features, the trees compare {needed}");
        Ok(())
    }
}

impl Expansion for TreeEnsemble {
    fn name(&self) -> StaticName {
        self.static_name()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(if self.0.labels.is_some() { 2 } else { 1 })
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, Expansion::nboutputs(self)?)?;
        solver.equals(&inputs[0].rank, 2)?;
        let scores = outputs.len() - 1;
        if self.0.labels.is_some() {
            solver.equals(&outputs[0].datum_type, DatumType::I64)?;
            solver.equals(&outputs[0].rank, 1)?;
            solver.equals(&outputs[0].shape[0], &inputs[0].shape[0])?;
        }
        solver.equals(&outputs[scores].datum_type, DatumType::F32)?;
        solver.equals(&outputs[scores].rank, 2)?;
        solver.equals(&outputs[scores].shape[0], &inputs[0].shape[0])?;
        solver.equals(&outputs[scores].shape[1], self.0.width().to_dim())
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        model.wire_node(prefix, self.clone(), inputs)
    }
}

impl Op for TreeEnsemble {
    fn name(&self) -> StaticName {
        self.static_name()
    }

    op_as_typed_op!();
}

impl EvalOp for TreeEnsemble {
    op_out_of_plan!();

    fn eval(&self, _ctx: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let rows = input.cast_to::<f32>()?;
        ensure!(rows.rank() == 2, "rows of features have two axes, not {}", rows.rank());
        let (count, features, width) = (rows.shape()[0], rows.shape()[1], self.0.width());
        self.check_features(features)?;
        ensure!(features > 0, "rows have no features");
        let mut scores = Tensor::zero::<f32>(&[count, width])?;
        let mut labels = Tensor::zero::<i64>(&[count])?;
        {
            let rows = rows.try_as_plain_ram()?;
            let mut scores = scores.try_as_plain_ram_mut()?;
            let mut labels = labels.try_as_plain_ram_mut()?;
            let (scores, labels) = (scores.as_slice_mut::<f32>()?, labels.as_slice_mut::<i64>()?);
            self.0.score(rows.as_slice::<f32>()?, features, scores, labels);
        }
        Ok(match self.0.labels {
            Some(_) => tvec!(labels.into_tvalue(), scores.into_tvalue()),
            None => tvec!(scores.into_tvalue()),
        })
    }
}

impl TypedOp for TreeEnsemble {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let rows = inputs.first().context("no input")?;
        ensure!(rows.rank() == 2, "rows of features have two axes, not {}", rows.rank());
        if let Some(features) = rows.shape[1].to_i64().ok().and_then(|size| usize::try_from(size).ok()) {
            self.check_features(features)?;
        }
        let count = rows.shape[0].clone();
        let scores = f32::fact([count.clone(), self.0.width().to_dim()]);
        Ok(match self.0.labels {
            Some(_) => tvec!(i64::fact([count]), scores),
            None => tvec!(scores),
        })
    }

    as_op!();
}
