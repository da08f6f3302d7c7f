//! A context of an ONNX graph: input buffers, working memory of a plan, outputs.

use std::fmt;
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::TypedSimpleState;

use super::contained::contained;
use super::plan::{Output, Plan, Plans, Shapes};
use super::types;
use crate::context::ContextBackend;
use crate::{ArgumentError, Key, NnError, TensorSpec, TensorView};

pub(super) struct OnnxContext {
    plans: Arc<Plans>,
    inputs: Arc<[TensorSpec]>,
    outputs: Arc<[TensorSpec]>,
    /// By index; written in place while shapes stay.
    tensors: Vec<Option<Arc<Tensor>>>,
    shapes: Shapes,
    active: Option<Active>,
    /// Of the last compute; empty where an input has changed since.
    computed: TVec<TValue>,
}

/// The plan in use and its working memory.
struct Active {
    plan: Arc<Plan>,
    state: TypedSimpleState,
}

impl OnnxContext {
    pub(super) fn new(plans: Arc<Plans>, inputs: Arc<[TensorSpec]>, outputs: Arc<[TensorSpec]>) -> Self {
        Self {
            plans,
            tensors: vec![None; inputs.len()],
            shapes: vec![Box::default(); inputs.len()],
            inputs,
            outputs,
            active: None,
            computed: tvec![],
        }
    }

    fn write(&mut self, index: usize, tensor: TensorView<'_>, ty: DatumType) -> Result<(), NnError> {
        let slot = &mut self.tensors[index];
        // The plan lets go of its inputs after a run, and earlier outputs are gone: the buffer is ours alone.
        if *self.shapes[index] == *tensor.dimensions
            && let Some(own) = slot.as_mut().and_then(Arc::get_mut)
        {
            own.as_bytes_mut().copy_from_slice(tensor.data);
            return Ok(());
        }
        let shape: TVec<usize> = tensor.dimensions.iter().map(|size| *size as usize).collect();
        let mut own = Tensor::zero_dt(ty, &shape).map_err(failed)?;
        own.as_bytes_mut().copy_from_slice(tensor.data);
        *slot = Some(Arc::new(own));
        self.shapes[index] = tensor.dimensions.into();
        Ok(())
    }
}

impl ContextBackend for OnnxContext {
    fn set_input(&mut self, key: Key<'_>, tensor: TensorView<'_>) -> Result<(), NnError> {
        let inputs = Arc::clone(&self.inputs);
        let (index, spec) = find(&inputs, key, "input")?;
        // An axis of size 0 makes operators divide by it.
        let fits = spec.accepts(tensor.ty, tensor.dimensions) && !tensor.dimensions.contains(&0);
        let ty = types::to_tract(tensor.ty).filter(|_| fits).ok_or_else(|| mismatch(spec, tensor))?;
        self.computed.clear();
        self.write(index, tensor, ty)
    }

    fn compute(&mut self) -> Result<(), NnError> {
        self.computed.clear();
        let mut inputs: TVec<TValue> = tvec![];
        for (tensor, spec) in self.tensors.iter().zip(&*self.inputs) {
            let missing = || ArgumentError::MissingInput { input: spec.name.clone() };
            inputs.push(TValue::from_const(Arc::clone(tensor.as_ref().ok_or_else(missing)?)));
        }
        // Taken out: after a failure or a panic the working memory is in an unknown state, and is not put back.
        let mut active = match self.active.take() {
            Some(active) if active.plan.shapes == self.shapes => active,
            _ => {
                let plan = self.plans.get(&self.shapes)?;
                let state = contained(|| plan.runnable.spawn().map_err(failed))?;
                Active { plan, state }
            }
        };
        self.computed = contained(|| active.state.run(inputs).map_err(failed))?;
        self.active = Some(active);
        Ok(())
    }

    fn output(&self, key: Key<'_>) -> Result<TensorView<'_>, NnError> {
        let (index, spec) = find(&self.outputs, key, "output")?;
        let (Some(value), Some(active)) = (self.computed.get(index), &self.active) else {
            return Err(ArgumentError::NotComputed.into());
        };
        let Output { ty, dimensions } = &active.plan.outputs[index];
        let data = value.as_bytes();
        let view = TensorView { dimensions, ty: *ty, data };
        view.elements().map_err(|_| NnError::Compute {
            engine: "onnx",
            reason: format!("output `{}` has another size than planned", spec.name),
        })?;
        Ok(view)
    }

    fn compute_single(&mut self) -> Result<(), NnError> {
        Err(no_streaming())
    }

    fn output_single(&self, _key: Key<'_>) -> Result<TensorView<'_>, NnError> {
        Err(no_streaming())
    }

    fn finish_single(&mut self) -> Result<(), NnError> {
        Err(no_streaming())
    }
}

fn no_streaming() -> NnError {
    ArgumentError::NoStreaming { engine: "onnx" }.into()
}

fn find<'a>(
    specs: &'a [TensorSpec],
    key: Key<'_>,
    what: &'static str,
) -> Result<(usize, &'a TensorSpec), NnError> {
    let index = match key {
        Key::Index(index) => usize::try_from(index).ok(),
        Key::Name(name) => specs.iter().position(|spec| spec.name == name),
    };
    index.and_then(|index| Some((index, specs.get(index)?))).ok_or_else(|| {
        let known = specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
        ArgumentError::NoSuchTensor { what, key: key.to_string(), known }.into()
    })
}

fn mismatch(spec: &TensorSpec, tensor: TensorView<'_>) -> NnError {
    let found = TensorSpec {
        name: String::new(),
        ty: Some(tensor.ty),
        dimensions: Some(tensor.dimensions.iter().copied().map(Some).collect()),
    };
    ArgumentError::Mismatch { input: spec.name.clone(), found: found.to_string(), expected: spec.to_string() }
        .into()
}

/// What tract reports while it computes.
fn failed(error: TractError) -> NnError {
    NnError::Compute { engine: "onnx", reason: format!("{error:#}") }
}

impl fmt::Debug for OnnxContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxContext").field("shapes", &self.shapes).finish_non_exhaustive()
    }
}
