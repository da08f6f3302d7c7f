//! Plans: a model made ready for one set of input shapes.

use std::sync::Arc;

use parking_lot::Mutex;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cast::cast;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_hir::infer::InferenceFact;
use tract_onnx::tract_hir::internal::SpecialOps;

use super::settle::{check_bytes, settle};
use super::{contained, failed, types, unsupported};
use crate::{Limits, NnError, TensorSpec, TensorType};

/// The sizes of every input.
pub(super) type Shapes = Vec<Box<[u32]>>;

/// A model optimised for one set of input shapes. Immutable; contexts share it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) shapes: Shapes,
    pub(super) runnable: Arc<TypedSimplePlan>,
    pub(super) outputs: Vec<Output>,
}

/// Type and sizes of an output.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) ty: TensorType,
    pub(super) dimensions: Vec<u32>,
}

/// The plans of a graph, made at need; the least recently used goes first.
#[derive(Debug)]
pub(super) struct Plans {
    model: InferenceModel,
    inputs: Arc<[TensorSpec]>,
    tensor_bytes: u64,
    working_bytes: u64,
    capacity: usize,
    cached: Mutex<Vec<Cached>>,
}

#[derive(Debug)]
struct Cached {
    shapes: Shapes,
    slot: Slot,
}

/// Locked while the plan is made: contexts that ask for the same shapes wait for it, the others do not.
type Slot = Arc<Mutex<Option<Arc<Plan>>>>;

impl Plans {
    pub(super) fn new(model: InferenceModel, inputs: Arc<[TensorSpec]>, limits: &Limits) -> Self {
        Self {
            model,
            inputs,
            tensor_bytes: limits.tensor_bytes,
            working_bytes: limits.working_bytes,
            capacity: limits.plans,
            cached: Mutex::default(),
        }
    }

    /// The plan for these shapes. A panic while a lock is held leaves what it guards as it was: both are changed by
    /// single assignments.
    pub(super) fn get(&self, shapes: &Shapes) -> Result<Arc<Plan>, NnError> {
        let slot = self.slot(shapes);
        let mut plan = slot.lock();
        if let Some(plan) = &*plan {
            return Ok(Arc::clone(plan));
        }
        let made = Arc::new(contained(|| self.make(shapes))?);
        *plan = Some(Arc::clone(&made));
        Ok(made)
    }

    /// The place of these shapes, moved to the end of the list as the most recently used.
    fn slot(&self, shapes: &Shapes) -> Slot {
        let mut cached = self.cached.lock();
        let found = match cached.iter().position(|entry| entry.shapes == *shapes) {
            Some(position) => cached.remove(position),
            None => Cached { shapes: shapes.clone(), slot: Slot::default() },
        };
        let slot = Arc::clone(&found.slot);
        cached.push(found);
        let excess = cached.len().saturating_sub(self.capacity);
        cached.drain(..excess);
        slot
    }

    fn make(&self, shapes: &Shapes) -> Result<Plan, NnError> {
        // Weights are counted references: a copy of the model is a copy of its structure.
        let mut model = self.model.clone();
        for (index, (input, shape)) in self.inputs.iter().zip(shapes).enumerate() {
            let ty = input.ty.and_then(types::to_tract);
            let ty = ty.ok_or_else(|| unsupported(format!("the type of input `{}`", input.name)))?;
            let shape: TVec<usize> = shape.iter().map(|size| *size as usize).collect();
            check_bytes(&shape, ty, self.tensor_bytes)?;
            model.set_input_fact(index, InferenceFact::dt_shape(ty, shape)).map_err(failed)?;
        }
        settle(&mut model, self.tensor_bytes)?;
        let mut model = model.into_typed().map_err(failed)?;
        self.check_sizes(&model)?;
        sizes_as_i64(&mut model)?;
        let model = model.into_optimized().map_err(failed)?;
        self.check_sizes(&model)?;
        let outputs =
            (0..model.outputs.len()).map(|index| output(&model, index)).collect::<Result<_, _>>()?;
        let runnable = model.into_runnable().map_err(failed)?;
        self.check_working_set(&runnable)?;
        Ok(Plan { shapes: shapes.clone(), runnable, outputs })
    }

    /// Every size must be known, and within the limit. Weights are as large as their file, which has its own.
    fn check_sizes(&self, model: &TypedModel) -> Result<(), NnError> {
        for node in model.nodes.iter().filter(|node| !node.op_is::<Const>()) {
            for output in &node.outputs {
                let shape = output.fact.shape.as_concrete().ok_or_else(|| {
                    unsupported(format!(
                        "operator {} (node {}), whose shape depends on its values,",
                        node.op.name(),
                        node.name
                    ))
                })?;
                check_bytes(shape, output.fact.datum_type, self.tensor_bytes)?;
            }
        }
        Ok(())
    }

    /// The largest sum of tensors that are alive at the same time while the plan runs.
    fn check_working_set(&self, plan: &TypedSimplePlan) -> Result<(), NnError> {
        let model = plan.model();
        let order = plan.order_without_consts();
        let bytes = |id: usize| -> Result<u64, NnError> {
            let outputs = model.nodes[id].outputs.iter();
            outputs.map(|output| fact_bytes(&output.fact, self.tensor_bytes)).sum()
        };
        let mut last_use = vec![usize::MAX; model.nodes.len()];
        for (step, id) in order.iter().enumerate() {
            last_use[*id] = step;
            model.nodes[*id].inputs.iter().for_each(|input| last_use[input.node] = step);
        }
        model.outputs.iter().for_each(|outlet| last_use[outlet.node] = usize::MAX);
        let mut freed_after = vec![0_u64; order.len()];
        let mut alive = 0_u64;
        for (step, id) in order.iter().enumerate() {
            let own = bytes(*id)?;
            alive = alive.saturating_add(own);
            if alive > self.working_bytes {
                return Err(NnError::Limit {
                    what: "bytes of working memory",
                    found: alive,
                    limit: self.working_bytes,
                });
            }
            if let Some(freed) = freed_after.get_mut(last_use[*id]) {
                *freed += own;
            }
            alive -= freed_after[step];
        }
        Ok(())
    }
}

fn fact_bytes(fact: &TypedFact, limit: u64) -> Result<u64, NnError> {
    check_bytes(fact.shape.as_concrete().unwrap_or_default(), fact.datum_type, limit)
}

/// Outputs that tract keeps as sizes become the integers that ONNX says they are.
fn sizes_as_i64(model: &mut TypedModel) -> Result<(), NnError> {
    let mut outlets = model.outputs.clone();
    for (index, outlet) in outlets.iter_mut().enumerate() {
        if model.outlet_fact(*outlet).map_err(failed)?.datum_type == DatumType::TDim {
            let cast = cast(DatumType::I64);
            let wired = model.wire_node(format!("sizes as i64 {index}"), cast, &[*outlet]).map_err(failed)?;
            *outlet = wired[0];
        }
    }
    model.select_output_outlets(&outlets).map_err(failed)
}

fn output(model: &TypedModel, index: usize) -> Result<Output, NnError> {
    let fact = model.output_fact(index).map_err(failed)?;
    let ty = types::from_tract(fact.datum_type)
        .ok_or_else(|| unsupported(format!("output {index} of type {:?}", fact.datum_type)))?;
    let sizes = fact.shape.as_concrete().unwrap_or_default();
    // Within the limit on bytes, so within 32 bits, but for axes beside an empty one.
    let dimensions = sizes.iter().map(|size| u32::try_from(*size)).collect::<Result<_, _>>();
    let dimensions = dimensions.map_err(|_| unsupported(format!("output {index} of sizes {sizes:?}")))?;
    Ok(Output { ty, dimensions })
}
