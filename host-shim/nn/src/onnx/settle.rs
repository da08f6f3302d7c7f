//! Shapes before values: bounds on what tract would allocate while it makes a plan.
//!
//! tract computes everything that does not depend on an input while it analyses and optimises a model. A model of a
//! hundred bytes can so make it fill the machine's memory: a constant shape of a billion, two vectors multiplied to a
//! matrix. Here the same analysis runs with the order turned round: an operator's rules say how large its output is,
//! that is held against the limit, and only then is it computed. tract's own analysis afterwards finds every value
//! there.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};

use tract_onnx::prelude::*;
use tract_onnx::tract_core::optim::CONST_FOLD_MEM_BUDGET;
use tract_onnx::tract_core::tract_data::TooEarly;
use tract_onnx::tract_hir::infer::{Factoid, InferenceFact};

use super::{failed, unsupported};
use crate::NnError;
use crate::limits::MAX_RANK;

/// Values computed here, bytes: what tract itself would compute during analysis.
const MAX_FOLDED_BYTES: u64 = CONST_FOLD_MEM_BUDGET;
/// Operators that an input tells sizes, and which input it is.
const SIZED_BY_INPUT: [(&str, usize); 5] =
    [("ConstantOfShape", 0), ("MultiBroadcastTo", 1), ("Pad", 1), ("Reshape", 1), ("Tile", 1)];
/// Visits per node. Facts only ever become more precise, and a node is visited again when a neighbour's did: some
/// five times in transformers. More is a model made to keep the analysis busy.
const MAX_VISITS_PER_NODE: usize = 64;

/// Analyses `model`, whose inputs have their final shapes.
///
/// # Errors
/// [`NnError::Model`] where shapes contradict each other, [`NnError::Limit`] for a tensor above `limit` bytes,
/// [`NnError::Unsupported`] for a shape that depends on computed values.
pub(super) fn settle(model: &mut InferenceModel, limit: u64) -> Result<(), NnError> {
    let mut observers: HashMap<OutletId, Vec<usize>> = HashMap::new();
    for node in model.nodes() {
        for outlet in node.op.observe_outlets(model, node).map_err(failed)? {
            observers.entry(outlet).or_default().push(node.id);
        }
    }
    let mut pending: BTreeSet<usize> = (0..model.nodes().len()).collect();
    let mut visits = model.nodes().len() * MAX_VISITS_PER_NODE;
    while let Some(id) = pending.pop_first() {
        visits =
            visits.checked_sub(1).ok_or_else(|| unsupported("a model whose shapes do not settle".into()))?;
        for (outlet, fact) in visit(model, id, limit)? {
            pending.extend(model.outlet_successors(outlet).iter().map(|inlet| inlet.node));
            pending.extend(observers.get(&outlet).into_iter().flatten());
            pending.insert(outlet.node);
            model.set_outlet_fact(outlet, fact).map_err(failed)?;
        }
        pending.remove(&id);
    }
    (0..model.nodes().len()).try_for_each(|id| check_settled(model, id, limit))
}

/// What a node's rules, and then its value, say beyond what is known.
fn visit(
    model: &mut InferenceModel,
    id: usize,
    limit: u64,
) -> Result<Vec<(OutletId, InferenceFact)>, NnError> {
    let node = model.node(id);
    let (inputs, outputs) = (node.inputs.len(), node.outputs.len());
    let mut outlets = node.inputs.clone();
    outlets.extend((0..outputs).map(|slot| OutletId::new(id, slot)));
    outlets.extend(node.op.observe_outlets(model, node).map_err(failed)?);
    let known = outlets.iter().map(|outlet| model.outlet_fact(*outlet).cloned());
    let known: Vec<InferenceFact> = known.collect::<TractResult<_>>().map_err(failed)?;

    let facts: TVec<&InferenceFact> = known.iter().collect();
    let (given, rest) = facts.split_at(inputs);
    let (made, observed) = rest.split_at(outputs);
    let inferred = model.node_mut(id).op.infer_facts(given.into(), made.into(), observed.into());
    let (given, mut made, observed) = inferred.map_err(|error| blame(model, id, error))?;
    check_axes(model, id, &given)?;
    if let Some(values) = constants(&given)
        && are_small(&made, limit)?
    {
        fold(model, id, values, &mut made)?;
    }
    let mut news = Vec::new();
    let inferred = given.iter().chain(&made).chain(&observed);
    for ((outlet, old), new) in outlets.into_iter().zip(&known).zip(inferred) {
        let unified = new.unify(old).map_err(|error| blame(model, id, error))?;
        size(&unified, limit)?;
        if unified != *old {
            news.push((outlet, unified));
        }
    }
    Ok(news)
}

/// Refuses sizes of more than 31 bits: tract takes what is left of them below 32 for the size.
fn check_axes(model: &InferenceModel, id: usize, inputs: &[InferenceFact]) -> Result<(), NnError> {
    let name = model.node(id).op.name();
    let Some((_, index)) = SIZED_BY_INPUT.iter().find(|(operator, _)| *operator == name) else {
        return Ok(());
    };
    let Some(sizes) = inputs.get(*index).and_then(|fact| fact.value.concretize()) else { return Ok(()) };
    if sizes.datum_type() != DatumType::I64 {
        return Ok(());
    }
    let sizes = sizes.try_as_plain_ram().map_err(failed)?;
    let largest = sizes.as_slice::<i64>().map_err(failed)?.iter().map(|size| size.unsigned_abs()).max();
    match largest {
        Some(found) if found > i32::MAX as u64 => {
            Err(NnError::Limit { what: "size of an axis", found, limit: i32::MAX as u64 })
        }
        _ => Ok(()),
    }
}

/// Computes a node whose inputs are all known, and whose outputs are known to be small.
fn fold(
    model: &InferenceModel,
    id: usize,
    inputs: TVec<TValue>,
    outputs: &mut [InferenceFact],
) -> Result<(), NnError> {
    match model.node(id).op.eval_out_of_plan(inputs) {
        Ok(Some(values)) => {
            for (fact, value) in outputs.iter_mut().zip(values) {
                *fact = InferenceFact::try_from(value.into_arc_tensor()).map_err(failed)?;
            }
            Ok(())
        }
        Ok(None) => Ok(()),
        // Sizes that are still symbols: another visit.
        Err(error) if error.root_cause().is::<TooEarly>() => Ok(()),
        Err(error) => Err(blame(model, id, error)),
    }
}

/// Refuses a node that tract's own analysis would compute though the size of its output is not known.
fn check_settled(model: &InferenceModel, id: usize, limit: u64) -> Result<(), NnError> {
    let (inputs, outputs) = model.node_facts(id).map_err(failed)?;
    if constants(&inputs).is_none() {
        return Ok(());
    }
    for fact in outputs {
        if size(fact, limit)?.is_none() {
            return Err(unsupported(format!("{}, whose shape depends on its values,", shown(model, id))));
        }
    }
    Ok(())
}

fn blame(model: &InferenceModel, id: usize, error: TractError) -> NnError {
    failed(error.context(shown(model, id)))
}

fn shown(model: &InferenceModel, id: usize) -> String {
    let node = model.node(id);
    format!("operator {} (node {})", node.op.name(), node.name)
}

fn are_small(facts: &[InferenceFact], limit: u64) -> Result<bool, NnError> {
    for fact in facts {
        if size(fact, limit)?.is_none_or(|bytes| bytes > MAX_FOLDED_BYTES) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Bytes of a tensor, where its shape is known; an error where it is known to be too large.
fn size(fact: &InferenceFact, limit: u64) -> Result<Option<u64>, NnError> {
    let rank = fact.shape.dims().count();
    if rank > MAX_RANK {
        return Err(NnError::Limit { what: "axes of a tensor", found: rank as u64, limit: MAX_RANK as u64 });
    }
    let Some(shape) = fact.shape.as_concrete_finite().map_err(failed)? else { return Ok(None) };
    // A weight is as large as its file, which has a limit of its own; a folded value is small.
    let limit = if fact.value.is_concrete() { u64::MAX } else { limit };
    // The largest type, where it is still open.
    check_bytes(&shape, fact.datum_type.concretize().unwrap_or(DatumType::F64), limit).map(Some)
}

/// Bytes of a tensor, held against the limit.
pub(super) fn check_bytes(shape: &[usize], ty: DatumType, limit: u64) -> Result<u64, NnError> {
    let bytes = shape.iter().try_fold(ty.size_of() as u64, |product, &size| product.checked_mul(size as u64));
    match bytes {
        Some(bytes) if bytes <= limit => Ok(bytes),
        over => Err(NnError::Limit { what: "bytes of a tensor", found: over.unwrap_or(u64::MAX), limit }),
    }
}

/// The inputs' values, where all are known and small, and there are any.
fn constants<F: Borrow<InferenceFact>>(facts: &[F]) -> Option<TVec<TValue>> {
    if facts.is_empty() {
        return None;
    }
    facts
        .iter()
        .map(|fact| {
            let value = fact.borrow().value.concretize()?;
            let bytes = (value.len() * value.datum_type().size_of()) as u64;
            (value.is_plain_ram() && bytes <= MAX_FOLDED_BYTES).then(|| value.into_tvalue())
        })
        .collect()
}
