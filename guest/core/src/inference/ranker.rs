//! A ranker scores a shortlist: a network that was learned with the sources, or a foreign model.
//!
//! Its specification lies in the manifest: which inputs it has, in the model's order, and which output is the
//! score. `endcap-model train` writes it, or `pack --ranker` after a dry run.
//! With N shortlisted items:
//!
//! | input | type, shape | content |
//! |---|---|---|
//! | features | f32 [N, columns] | see [`Feature`] |
//! | items | i64 [N] | item number + 1; 0 is padding |
//! | history | i64 [1, 50] | item number + 1 of the newest 50, oldest first, filled with 0 in front |
//!
//! The output has N elements, or N rows of which one column is the score (a classifier's probabilities).

use serde::{Deserialize, Serialize};

use crate::ItemIx;
use crate::format::RankerWeights;
use crate::recommend::{self, Feature, MAX_HISTORY, MAX_SHORTLIST, Request, Scratch};

use super::{Engine, Graph, InferenceError, Input, Output, RankerNetwork, Values, check_finite};

/// Places of the history input.
pub const HISTORY_LENGTH: usize = MAX_HISTORY;
/// Most inputs of a ranker: each kind once.
pub const MAX_RANKER_INPUTS: usize = 3;
/// Most columns of the score's output: a classifier has two, a ranker with graded relevance a handful.
const MAX_OUTPUT_COLUMNS: u32 = 64;
/// Numbers of rows that a padded shortlist has: engines prepare a plan per shape, so few shapes are wanted.
const ROWS: [usize; 4] = [25, 50, 100, MAX_SHORTLIST];

/// What a ranker takes and gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankerSpec {
    /// Inputs in the model's order, each kind at most once.
    pub inputs: Vec<RankerInput>,
    /// The score.
    pub output: RankerOutput,
    /// Whether rows are scored independently of each other, so that a shortlist may be padded to a common size.
    pub independent_rows: bool,
    /// Whether scores are log odds: of an item being chosen next, by somebody with such a history.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log_odds: bool,
    /// Which requests it ranks.
    #[serde(default, skip_serializing_if = "RankerScope::is_all")]
    pub scope: RankerScope,
}

/// Requests that a ranker ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankerScope {
    /// All of them.
    #[default]
    All,
    /// Those that begin a visit: the history is all of earlier ones.
    Opening,
    /// Those within a visit.
    Within,
}

impl RankerScope {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// Whether such a ranker is asked about `request`.
    pub fn covers(self, request: &Request<'_>) -> bool {
        let opening = request.earlier >= request.history.len();
        match self {
            Self::All => true,
            Self::Opening => opening,
            Self::Within => !opening,
        }
    }
}

/// An input of a ranker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RankerInput {
    /// Features, f32 [N, columns].
    Features {
        /// Name in the model.
        name: String,
        /// Names of [`Feature`]s in column order.
        columns: Vec<String>,
    },
    /// Item numbers, i64 [N].
    Items {
        /// Name in the model.
        name: String,
    },
    /// The history, i64 [1, 50].
    History {
        /// Name in the model.
        name: String,
    },
}

/// The output that holds the score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankerOutput {
    /// Place among the model's outputs.
    pub index: u32,
    /// Name in the model.
    pub name: String,
    /// Elements a row.
    pub columns: u32,
    /// Which of them is the score.
    pub column: u32,
}

/// A specification that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No input, or one kind twice.
    #[error("each kind of input may stand once, and one must be there")]
    Inputs,
    /// A column that this release does not compute.
    #[error("feature `{name}` does not exist in this release")]
    Feature {
        /// Its name.
        name: String,
    },
    /// No columns.
    #[error("the features have no columns")]
    NoColumns,
    /// The score's column is not in the output.
    #[error("column {column} of an output with {columns} columns (1 to 64)")]
    Column {
        /// The column.
        column: u32,
        /// Columns of the output.
        columns: u32,
    },
}

impl RankerSpec {
    /// Of a learned network over these columns: [`super::RankerNetwork`], and the same as ONNX.
    pub fn of_network(columns: &[Feature], scope: RankerScope) -> Self {
        let columns = columns.iter().map(|column| column.as_str().to_owned()).collect();
        Self {
            inputs: vec![RankerInput::Features { name: "features".to_owned(), columns }],
            output: RankerOutput { index: 0, name: "log_odds".to_owned(), columns: 1, column: 0 },
            independent_rows: true,
            log_odds: true,
            scope,
        }
    }

    /// Checks the specification and gives the features that its rows need, in column order.
    ///
    /// # Errors
    /// [`SpecError`].
    pub fn columns(&self) -> Result<Vec<Feature>, SpecError> {
        let kinds: Vec<_> = self.inputs.iter().map(std::mem::discriminant).collect();
        if kinds.is_empty() || (1..kinds.len()).any(|at| kinds[..at].contains(&kinds[at])) {
            return Err(SpecError::Inputs);
        }
        let RankerOutput { columns, column, .. } = self.output;
        if column >= columns || columns > MAX_OUTPUT_COLUMNS {
            return Err(SpecError::Column { column, columns });
        }
        for input in &self.inputs {
            if let RankerInput::Features { columns, .. } = input {
                if columns.is_empty() {
                    return Err(SpecError::NoColumns);
                }
                let parse = |name: &String| {
                    Feature::parse(name).ok_or_else(|| SpecError::Feature { name: name.clone() })
                };
                return columns.iter().map(parse).collect();
            }
        }
        Ok(Vec::new())
    }
}

/// A loaded ranker.
#[derive(Debug)]
pub struct Ranker {
    graph: Box<dyn Graph>,
    engine: Engine,
    spec: RankerSpec,
    columns: Vec<Feature>,
    features: Vec<f32>,
    items: Vec<i64>,
    history: Vec<i64>,
    output: Vec<f32>,
    scores: Vec<f32>,
}

impl Ranker {
    /// A ranker of this specification on a loaded graph of ONNX.
    ///
    /// # Errors
    /// [`SpecError`] where it cannot be served.
    pub fn new(graph: Box<dyn Graph>, spec: RankerSpec) -> Result<Self, SpecError> {
        Self::on(graph, Engine::Onnx, spec)
    }

    /// The learned ranker of a model file, on the built-in executor.
    ///
    /// # Errors
    /// [`SpecError`] where it cannot be served.
    pub fn builtin(weights: RankerWeights<'_>, spec: RankerSpec) -> Result<Self, SpecError> {
        Self::on(Box::new(RankerNetwork::new(weights)), Engine::Builtin, spec)
    }

    fn on(graph: Box<dyn Graph>, engine: Engine, spec: RankerSpec) -> Result<Self, SpecError> {
        let columns = spec.columns()?;
        Ok(Self {
            graph,
            engine,
            spec,
            columns,
            features: Vec::new(),
            items: Vec::new(),
            history: Vec::new(),
            output: Vec::new(),
            scores: Vec::new(),
        })
    }

    /// The features that its rows need, in column order.
    pub fn columns(&self) -> &[Feature] {
        &self.columns
    }

    /// What runs it.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Whether it ranks what is found for `request`.
    pub fn covers(&self, request: &Request<'_>) -> bool {
        self.spec.scope.covers(request)
    }

    /// Orders what `engine` gathered for `request`, which it covers: [`crate::recommend::Engine::select`] then follows it.
    ///
    /// # Errors
    /// As [`Self::score`]; the order is then what it was.
    pub fn rerank(
        &mut self,
        engine: recommend::Engine<'_>,
        request: &Request<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), InferenceError> {
        engine.shortlist(request, &self.columns, scratch);
        let log_odds = self.spec.log_odds;
        let scores = self.score(scratch.features(), scratch.shortlisted(), request.history)?;
        scratch.rank(scores, log_odds);
        Ok(())
    }

    /// Scores `items` with their features (a row of [`Self::columns`] each) after `history`: one finite number per
    /// item, higher is better.
    ///
    /// # Errors
    /// Where the engine fails or gives something else.
    pub fn score(
        &mut self,
        features: &[f32],
        items: impl ExactSizeIterator<Item = ItemIx>,
        history: &[ItemIx],
    ) -> Result<&[f32], InferenceError> {
        self.scores.clear();
        let wanted = items.len();
        if wanted == 0 {
            return Ok(&self.scores);
        }
        // The executor prepares nothing: to it, rows that do not count are only work.
        let pads = self.spec.independent_rows && self.engine != Engine::Builtin;
        let padded = ROWS.into_iter().find(|&rows| rows >= wanted && pads);
        let rows = padded.unwrap_or(wanted);
        self.fill(features, items, history, rows);
        let width = self.columns.len() as u32;
        let features_shape = [rows as u32, width];
        let items_shape = [rows as u32];
        let history_shape = [1, HISTORY_LENGTH as u32];
        let nothing = Input { name: "", dimensions: &[], values: Values::U8(&[]) };
        let mut inputs = [nothing; MAX_RANKER_INPUTS];
        for (slot, input) in inputs.iter_mut().zip(&self.spec.inputs) {
            *slot = match input {
                RankerInput::Features { name, .. } => {
                    Input { name, dimensions: &features_shape, values: Values::F32(&self.features) }
                }
                RankerInput::Items { name } => {
                    Input { name, dimensions: &items_shape, values: Values::I64(&self.items) }
                }
                RankerInput::History { name } => {
                    Input { name, dimensions: &history_shape, values: Values::I64(&self.history) }
                }
            };
        }
        let RankerOutput { index, name, columns, column } = &self.spec.output;
        let columns = *columns as usize;
        let output = Output { index: *index, name, elements: rows * columns };
        self.graph.compute(&inputs[..self.spec.inputs.len()], output, &mut self.output)?;
        self.scores.extend(self.output.chunks_exact(columns).take(wanted).map(|row| row[*column as usize]));
        check_finite(name, &self.scores)?;
        Ok(&self.scores)
    }

    fn fill(
        &mut self,
        features: &[f32],
        items: impl ExactSizeIterator<Item = ItemIx>,
        history: &[ItemIx],
        rows: usize,
    ) {
        let number = |item: ItemIx| i64::from(item) + 1;
        self.features.clear();
        self.features.extend_from_slice(features);
        self.features.resize(rows * self.columns.len(), 0.0);
        self.items.clear();
        self.items.extend(items.map(number));
        self.items.resize(rows, 0);
        let newest = &history[history.len().saturating_sub(HISTORY_LENGTH)..];
        self.history.clear();
        self.history.resize(HISTORY_LENGTH - newest.len(), 0);
        self.history.extend(newest.iter().copied().map(number));
    }
}
