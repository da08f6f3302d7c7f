//! Tree ensembles: gradient-boosted trees and random forests, as LightGBM and scikit-learn export them.
//!
//! tract has no regressors over trees, and its classifier walks a model's node numbers, which may lead in a circle or
//! out of the array, unchecked. This one checks a forest once and then walks it without doubt.

mod ensemble;
mod forest;
mod op;

use std::sync::Arc;

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::InferenceOp;
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::expandable::expand;

use self::ensemble::{Aggregate, Ensemble, SingleClass, Transform};
use self::forest::{Forest, Listed, ListedBranch, ListedVote, Test};
use self::op::TreeEnsemble;

/// Classes or targets of one ensemble: the largest that anyone has trained have some thousands.
const MAX_TARGETS: i64 = 1 << 16;

type Built = TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

/// Puts these operators into tract's list.
pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("TreeEnsembleRegressor", regressor);
    operators.insert("TreeEnsembleClassifier", classifier);
}

fn regressor(_context: &ParsingContext<'_>, node: &NodeProto) -> Built {
    let aggregate = match text(node, "aggregate_function", "SUM")? {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        other => bail!("aggregate_function `{other}`"),
    };
    let targets: i64 = node.get_attr_opt("n_targets")?.unwrap_or(1);
    ensure!((1..=MAX_TARGETS).contains(&targets), "{targets} targets; 1 to {MAX_TARGETS} are possible");
    let forest = Forest::new(nodes(node)?, votes(node, "target")?, targets as usize)?;
    built(node, forest, aggregate, None)
}

fn classifier(_context: &ParsingContext<'_>, node: &NodeProto) -> Built {
    let labels = match node.get_attr_opt_slice::<i64>("classlabels_int64s")? {
        Some(labels) if !labels.is_empty() => labels.to_vec(),
        _ => bail!("only classes labelled by integers are supported"),
    };
    ensure!(labels.len() as i64 <= MAX_TARGETS, "{} classes; up to {MAX_TARGETS} are possible", labels.len());
    let forest = Forest::new(nodes(node)?, votes(node, "class")?, labels.len())?;
    built(node, forest, Aggregate::Sum, Some(labels))
}

fn built(node: &NodeProto, forest: Forest, aggregate: Aggregate, labels: Option<Vec<i64>>) -> Built {
    let transform = match text(node, "post_transform", "NONE")? {
        "NONE" => Transform::None,
        "LOGISTIC" => Transform::Logistic,
        "SOFTMAX" => Transform::Softmax,
        "SOFTMAX_ZERO" => Transform::SoftmaxZero,
        other => bail!("post_transform `{other}` is not supported"),
    };
    let (voted, votes_are_probabilities) = forest.vote_summary();
    let single = (labels.as_ref().is_some_and(|labels| labels.len() == 2) && voted.len() == 1)
        .then_some(SingleClass { votes_are_probabilities });
    let mut base = node.get_attr_opt_slice::<f32>("base_values")?.unwrap_or_default().to_vec();
    if single.is_some() && base.len() == 1 {
        // One value for the one class that is voted for, of either number.
        base.resize(2, 0.0);
    }
    ensure!(base.is_empty() || base.len() == forest.targets, "{} base values", base.len());
    let ensemble = Ensemble { forest, aggregate, base, transform, labels, single };
    Ok((expand(TreeEnsemble(Arc::new(ensemble))), vec![]))
}

fn nodes(node: &NodeProto) -> TractResult<Vec<Listed>> {
    let trees = node.get_attr_slice::<i64>("nodes_treeids")?;
    let count = trees.len();
    let ids = ints(node, "nodes_nodeids", count)?;
    let features = ints(node, "nodes_featureids", count)?;
    let passes = ints(node, "nodes_truenodeids", count)?;
    let fails = ints(node, "nodes_falsenodeids", count)?;
    let thresholds = floats(node, "nodes_values", count)?;
    let modes = node.get_attr_slice::<Vec<u8>>("nodes_modes")?;
    ensure!(modes.len() == count, "{} nodes_modes for {count} nodes", modes.len());
    let missing = node.get_attr_opt_slice::<i64>("nodes_missing_value_tracks_true")?.unwrap_or_default();
    ensure!(missing.is_empty() || missing.len() == count, "{} missing value tracks", missing.len());
    let listed = |index: usize| {
        let test = match modes[index].as_slice() {
            b"LEAF" => return Ok(Listed { id: (trees[index], ids[index]), branch: None }),
            b"BRANCH_LEQ" => Test::AtMost,
            b"BRANCH_LT" => Test::Below,
            b"BRANCH_GTE" => Test::AtLeast,
            b"BRANCH_GT" => Test::Above,
            b"BRANCH_EQ" => Test::Equal,
            b"BRANCH_NEQ" => Test::Differs,
            other => bail!("node mode `{}`", String::from_utf8_lossy(other)),
        };
        let branch = ListedBranch {
            feature: features[index],
            test,
            threshold: thresholds[index],
            missing_passes: missing.get(index).is_some_and(|tracks| *tracks != 0),
            passes: passes[index],
            fails: fails[index],
        };
        Ok(Listed { id: (trees[index], ids[index]), branch: Some(branch) })
    };
    (0..count).map(listed).collect()
}

fn votes(node: &NodeProto, prefix: &str) -> TractResult<Vec<ListedVote>> {
    let trees = node.get_attr_slice::<i64>(&format!("{prefix}_treeids"))?;
    let ids = ints(node, &format!("{prefix}_nodeids"), trees.len())?;
    let targets = ints(node, &format!("{prefix}_ids"), trees.len())?;
    let weights = floats(node, &format!("{prefix}_weights"), trees.len())?;
    let vote = |index: usize| ListedVote {
        id: (trees[index], ids[index]),
        target: targets[index],
        weight: weights[index],
    };
    Ok((0..trees.len()).map(vote).collect())
}

fn ints<'a>(node: &'a NodeProto, name: &str, count: usize) -> TractResult<&'a [i64]> {
    let values = node.get_attr_slice(name)?;
    ensure!(values.len() == count, "{} {name}, {count} expected", values.len());
    Ok(values)
}

fn floats<'a>(node: &'a NodeProto, name: &str, count: usize) -> TractResult<&'a [f32]> {
    // The same in double precision has another name, and is missing here: an error, not a loss of digits.
    let values = node.get_attr_slice(name)?;
    ensure!(values.len() == count, "{} {name}, {count} expected", values.len());
    Ok(values)
}

fn text<'a>(node: &'a NodeProto, name: &str, default: &'static str) -> TractResult<&'a str> {
    Ok(node.get_attr_opt::<&str>(name)?.unwrap_or(default))
}
