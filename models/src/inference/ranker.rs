//! A foreign ONNX ranker: does it fit the feature specification, and does it compute?
//!
//! Its inputs are told apart by type and rank, or by name where that leaves a choice:
//!
//! | input | type, shape | name |
//! |---|---|---|
//! | features | f32 [N, columns] | any; the only input of type f32 |
//! | items | i64 [N] | `items` |
//! | history | i64 [1, 50] or [1, ?] | `history` |
//!
//! The score is the first f32 output with a value per row: [N], [N, 1], or [N, C] of a classifier, whose last
//! column counts (the probability of the highest class).

use endcap_core::inference::{
    Encoding, HISTORY_LENGTH, InferenceError, Ranker, RankerInput, RankerOutput, RankerScope, RankerSpec,
    Runtime, SpecError,
};
use endcap_core::recommend::Feature;
use endcap_nn::{Device, NnError, TensorSpec, TensorType};

use super::Native;

/// Rows of the dry run: none of the sizes that serving pads to, and one that it does pad.
const ROWS: usize = 7;
/// Largest difference between a row scored alone and among others, as a share of the largest score, at which rows
/// count as independent.
const INDEPENDENT: f32 = 1e-4;

/// The columns of a ranker whose features are not named: every feature of this release, or of an earlier one if it has
/// as many inputs.
pub const DEFAULT_COLUMNS: [Feature; Feature::ALL.len()] = Feature::ALL;

/// Features that releases had, the newest first: a ranker made for an earlier one knows the first of them.
const RELEASES: [usize; 3] = [DEFAULT_COLUMNS.len(), 14, 12];

/// What the operator says of the ranker.
#[derive(Debug, Clone, Default)]
pub struct RankerOptions {
    /// Names of features in column order; `None` for [`DEFAULT_COLUMNS`].
    pub columns: Option<Vec<String>>,
    /// The output that is the score; `None` for the first that can be.
    pub output: Option<String>,
}

/// Why a ranker is not packed.
#[derive(Debug, thiserror::Error)]
pub enum RankerError {
    /// The engine does not load it.
    #[error("the ranker does not load: {0}")]
    Load(#[from] NnError),
    /// An input that the specification does not have.
    #[error(
        "input `{name}` ({found}) is none of a ranker's: features f32 [N, {columns}], items i64 [N], history i64 [1, {HISTORY_LENGTH}]"
    )]
    Input {
        /// Its name.
        name: String,
        /// Its type and shape.
        found: String,
        /// Columns that the features have.
        columns: usize,
    },
    /// No output can be the score.
    #[error(
        "no output can be the score, f32 with a value for each row; the model has {known}; name one with --ranker-output"
    )]
    NoOutput {
        /// Names, types and shapes of its outputs.
        known: String,
    },
    /// A column name without a meaning.
    #[error("{0}; features are {known}", known = known_features())]
    Spec(#[from] SpecError),
    /// The dry run failed.
    #[error(
        "the ranker does not compute in a dry run with {rows} items, which are numbered up to {items}: {source}"
    )]
    DryRun {
        /// Rows given.
        rows: usize,
        /// Items of the catalogue.
        items: usize,
        /// What failed.
        source: InferenceError,
    },
    /// It ranks nothing.
    #[error(
        "the ranker gives every item of a dry run the same score; are the features named in the right order?"
    )]
    Constant,
}

fn known_features() -> String {
    Feature::ALL.map(Feature::as_str).join(", ")
}

/// Reads what the model says of itself, tries it with the last of `items` items, which have the largest numbers, and
/// gives the specification to pack with it.
///
/// # Errors
/// [`RankerError`] says which input, output or operator does not fit.
pub fn inspect_ranker(
    bytes: &[u8],
    items: usize,
    options: &RankerOptions,
) -> Result<RankerSpec, RankerError> {
    let mut native = Native::default();
    let graph = native.engine().load(&[bytes], endcap_nn::Encoding::Onnx, Device::Cpu)?;
    let columns = options.columns.clone().unwrap_or_else(|| default_columns(graph.inputs()));
    let inputs =
        graph.inputs().iter().map(|input| classify(input, &columns)).collect::<Result<Vec<_>, _>>()?;
    let mut spec = RankerSpec {
        inputs,
        output: RankerOutput { index: 0, name: String::new(), columns: 1, column: 0 },
        independent_rows: false,
        log_odds: false,
        scope: RankerScope::All,
    };
    spec.columns()?;
    let candidates = graph.outputs().iter().enumerate().filter(|(_, output)| {
        options
            .output
            .as_ref()
            .map_or_else(|| output.ty.is_none_or(|ty| ty == TensorType::F32), |wanted| *wanted == output.name)
    });
    let mut failure = None;
    for (index, output) in candidates {
        // The width of an output may be left open by the exporter: what a dry run gives decides.
        for width in widths(output) {
            let output = RankerOutput {
                index: index as u32,
                name: output.name.clone(),
                columns: width,
                column: width - 1,
            };
            spec.output = output;
            match dry_run(&mut native, bytes, &spec, items, ROWS) {
                Ok(scores) => {
                    spec.independent_rows = rows_are_independent(&mut native, bytes, &spec, items, &scores)?;
                    return Ok(spec);
                }
                Err(error @ RankerError::DryRun { source: InferenceError::Output { .. }, .. }) => drop(error),
                Err(error) => failure = Some(error),
            }
        }
    }
    let known = graph.outputs().iter().map(|output| format!("`{}` ({output})", output.name));
    Err(failure.unwrap_or_else(|| RankerError::NoOutput { known: known.collect::<Vec<_>>().join(", ") }))
}

/// As many of [`DEFAULT_COLUMNS`] as the features that some release had and that an input takes; all by default.
fn default_columns(inputs: &[TensorSpec]) -> Vec<String> {
    let fits = |width: &usize| {
        let takes = |input: &TensorSpec| input.accepts(TensorType::F32, &[ROWS as u32, *width as u32]);
        inputs.iter().any(|input| input.ty == Some(TensorType::F32) && takes(input))
    };
    let width = RELEASES.into_iter().find(fits).unwrap_or(DEFAULT_COLUMNS.len());
    DEFAULT_COLUMNS[..width].iter().map(|column| column.as_str().to_owned()).collect()
}

/// Widths of the score's output that are worth a try.
fn widths(output: &TensorSpec) -> Vec<u32> {
    match output.dimensions.as_deref() {
        Some([_]) => vec![1],
        Some([_, Some(width)]) => vec![*width],
        // An exporter that says nothing: a score, or two classes.
        _ => vec![1, 2],
    }
}

fn classify(input: &TensorSpec, columns: &[String]) -> Result<RankerInput, RankerError> {
    let name = input.name.clone();
    let rows = ROWS as u32;
    if input.accepts(TensorType::F32, &[rows, columns.len() as u32]) && input.ty == Some(TensorType::F32) {
        return Ok(RankerInput::Features { name, columns: columns.to_vec() });
    }
    match &*name {
        "items" if input.accepts(TensorType::I64, &[rows]) => Ok(RankerInput::Items { name }),
        "history" if input.accepts(TensorType::I64, &[1, HISTORY_LENGTH as u32]) => {
            Ok(RankerInput::History { name })
        }
        _ => Err(RankerError::Input { name, found: input.to_string(), columns: columns.len() }),
    }
}

/// Scores `rows` rows of made-up features that differ in every column.
fn dry_run(
    native: &mut Native,
    bytes: &[u8],
    spec: &RankerSpec,
    items: usize,
    rows: usize,
) -> Result<Vec<f32>, RankerError> {
    let failed = |source| RankerError::DryRun { rows, items, source };
    let graph = native.load(bytes, Encoding::Onnx).map_err(failed)?;
    // Padding is off here: the model is asked for exactly these rows.
    let mut ranker = Ranker::new(graph, spec.clone())?;
    let width = ranker.columns().len();
    let features: Vec<f32> = (0..rows * width).map(|at| made_up(at as u32)).collect();
    // The same items first, however many there are: rows are compared with those of another run.
    let last = items.saturating_sub(1) as u32;
    let numbers: Vec<u32> = (0..rows as u32).map(|at| last.saturating_sub(at)).collect();
    let scores = ranker.score(&features, numbers.into_iter(), &[0, last / 2, last]).map_err(failed)?;
    Ok(scores.to_vec())
}

/// A number in [0, 1) that nothing simple relates to its neighbours: a sum or difference of columns must not be the
/// same in every row.
fn made_up(at: u32) -> f32 {
    let mut bits = at.wrapping_add(1).wrapping_mul(0x9E37_79B9);
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85EB_CA6B);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xC2B2_AE35);
    (bits >> 8) as f32 / (1 << 24) as f32
}

/// Whether the first rows get the scores that they got among others.
fn rows_are_independent(
    native: &mut Native,
    bytes: &[u8],
    spec: &RankerSpec,
    items: usize,
    among: &[f32],
) -> Result<bool, RankerError> {
    if among.iter().all(|score| score.to_bits() == among[0].to_bits()) {
        return Err(RankerError::Constant);
    }
    let largest = among.iter().fold(f32::MIN_POSITIVE, |largest, score| largest.max(score.abs()));
    let few = dry_run(native, bytes, spec, items, 3)?;
    Ok(few.iter().zip(among).all(|(alone, among)| (alone - among).abs() <= INDEPENDENT * largest))
}
