//! The manifest: what the file holds, with which digests, made from what and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::encoder::EncoderShape;
use crate::inference::RankerSpec;

use super::error::FormatError;
use super::{FORMAT_VERSION, section};

/// JSON of section `endcap.manifest`. Unknown fields are ignored, so that a minor release can add some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the grammar.
    pub format_version: u32,
    /// Name of the model, for logs and metrics. Printable, at most 64 bytes.
    pub name: String,
    /// When it was packed, RFC 3339 UTC.
    pub created: String,
    /// Program and version that packed it.
    pub generator: String,
    /// Every other section but the seal, in file order.
    pub sections: Vec<SectionEntry>,
    /// What it was trained on.
    pub data: DataSummary,
    /// What serving needs to know of the training.
    pub parameters: Parameters,
    /// Where it comes from and how good it is.
    pub card: Card,
}

/// A section and its digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionEntry {
    /// Section name.
    pub name: String,
    /// Length of the body in bytes.
    pub bytes: u64,
    /// SHA-256 of the body, lower-case hex: identity and provenance.
    pub sha256: String,
    /// XXH3-64 of the body, 16 hex digits: checked at every start, because SHA-256 costs milliseconds there.
    pub xxh3: String,
}

/// Counts and dates of the training data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Items in the catalogue.
    pub items: u64,
    /// Sessions in the kNN index.
    pub sessions: u64,
    /// Distinct users seen.
    pub users: u64,
    /// Events read.
    pub events: u64,
    /// First event, RFC 3339 UTC, empty where there is none.
    pub first_event: String,
    /// Last event, RFC 3339 UTC, empty where there is none.
    pub last_event: String,
    /// Questions in section `endcap.sample`, whose visits were not learned from.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub questions: u64,
}

/// Serde hands over references.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Parameters by source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Session kNN.
    pub knn: KnnParameters,
    /// Co-occurrence.
    pub together: TogetherParameters,
    /// Linear model, where the file carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<LinearParameters>,
    /// Transition counts, where the file carries them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transitions: Option<TransitionParameters>,
    /// Which items are scored as what reads like them, where the file has such rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentParameters>,
    /// Trending.
    pub trending: TrendingParameters,
    /// How the sources are added up.
    pub blend: Blend,
    /// What is otherwise where a visit begins, in requests that allow items again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
    /// Dimensions of the sequence encoder, where the file carries one in any form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderShape>,
    /// How the second level over its item vectors is searched, where the file carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<CellParameters>,
    /// What the ranker takes and gives, where the file carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranker: Option<RankerSpec>,
}

/// A search of some of the cells of item vectors, in place of all items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellParameters {
    /// Cells that are searched for a user vector, at least 1.
    pub asked: u32,
    /// Share of the items that the encoder would propose by a search of everything that are found so, in [0, 1]; measured
    /// when the cells were made, by histories of the log.
    pub recall: f32,
}

/// Which sessions of the index are like a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnnMatching {
    /// Those that share its last events, the newer the better: VMIS-kNN (Kersbergen, Sprangers, Schelter: Serenade, SIGMOD
    /// 2022), for clicks.
    #[default]
    Recent,
    /// Those that share most of it, wherever it stands and the rarer the better: for baskets.
    Whole,
}

/// Session kNN. Of these [`KnnMatching::Whole`] looks at the sample, the neighbours, the packed idf and the decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnnParameters {
    /// Which sessions are alike.
    #[serde(default)]
    pub matching: KnnMatching,
    /// `m`: most recent sessions considered, at least 1; of each item where whole histories are matched.
    pub sample: u32,
    /// `k`: nearest of those that vote, at least 1.
    pub neighbors: u32,
    /// Events of the running session that are matched, 1 to [`crate::knn::MAX_LAST_ITEMS`].
    pub last_items: u32,
    /// Exponent on the inverse document frequency that was packed with the index; 0 is none, published: 1.
    /// (The published idf *weight* scales every score alike and so changes no rank.)
    pub idf_exponent: f32,
    /// Step by which a neighbour's vote falls with the age of its newest match; published: 0.1. Of whole histories an item of age a
    /// counts 1 / (1 + step · a).
    pub match_decay: f32,
    /// Exponent on a neighbour's length in its vote; published: 0 (no normalisation).
    pub length_exponent: f32,
    /// Factor per place between an item of a neighbour and its newest match, in (0, 1]; published: 1 (none).
    /// Below 1 the order of clicks counts, as in STAN (Garg et al., SIGIR 2019).
    #[serde(default = "one")]
    pub distance_factor: f32,
}

/// Serde needs a function: manifests of the first release had no such field.
fn one() -> f32 {
    1.0
}

impl Default for KnnParameters {
    /// The published setting for the Serenade example: m 1502, k 288, last 4, with idf.
    fn default() -> Self {
        Self {
            matching: KnnMatching::Recent,
            sample: 1502,
            neighbors: 288,
            last_items: 4,
            idf_exponent: 1.0,
            match_decay: 0.1,
            length_exponent: 0.0,
            distance_factor: 1.0,
        }
    }
}

impl std::fmt::Display for KnnParameters {
    /// What of it decides, in a few words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sample, neighbors, last_items, match_decay, distance_factor, .. } = self;
        match self.matching {
            KnnMatching::Recent => write!(
                f,
                "the last {last_items} events, m {sample}, k {neighbors}, decay {match_decay}, distance {distance_factor}"
            ),
            KnnMatching::Whole => {
                write!(f, "the whole history, m {sample}, k {neighbors}, decay {match_decay}")
            }
        }
    }
}

/// Item-item co-occurrence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TogetherParameters {
    /// Half-life of a co-occurrence, days; 0: no decay.
    pub half_life_days: f32,
    /// Shrinkage added to the denominator of the cosine.
    pub shrinkage: f32,
    /// Neighbours kept per item.
    pub neighbors: u32,
    /// Items of a history that are summed, newest first.
    pub history: u32,
    /// Factor by which the weight of a history item falls per position, in (0, 1].
    pub position_decay: f32,
}

impl Default for TogetherParameters {
    fn default() -> Self {
        Self { half_life_days: 0.0, shrinkage: 20.0, neighbors: 100, history: 50, position_decay: 1.0 }
    }
}

/// Linear item-item model: a ridge regression of every item on others (EASE: Steck, WWW 2019, and its kin).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearParameters {
    /// Which others.
    pub method: LinearMethod,
    /// Whose events make a row of the training matrix.
    pub rows: LinearHistory,
    /// Ridge: as many rows of weight 1 that say nothing. Above 0.
    pub lambda: f32,
    /// Share of inputs that are taken away in training, in [0, 1): a ridge in proportion to an item's frequency
    /// (Steck, "Autoencoders that don't overfit towards the Identity", NeurIPS 2020).
    pub dropout: f32,
    /// Regressors of an item by [`LinearMethod::Local`]: those that explain most of it alone.
    pub regressors: u32,
    /// Half-life of a row, days; 0: no decay.
    pub half_life_days: f32,
    /// Weights kept per item of a history, those of largest magnitude.
    pub neighbors: u32,
    /// Items of a history that are summed, newest first.
    pub history: u32,
    /// Factor by which the weight of a history item falls per position, in (0, 1].
    pub position_decay: f32,
}

/// Transition counts with gaps: how often an item came after another within a visit, each time weighed by the inverse of the
/// gap, as a share of all that came after it. Events of one moment have no order, and are not counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransitionParameters {
    /// Longest gap that is counted, in events of a visit, at least 1; 1: what follows directly.
    pub gaps: u32,
    /// Half-life of a visit, days; 0: no decay.
    pub half_life_days: f32,
    /// Successors kept per item, at least 1: those of the largest shares.
    pub neighbors: u32,
    /// Items of the running visit that are summed, newest first, 1 to 50.
    pub history: u32,
    /// Factor by which the weight of an item of the visit falls per position, in (0, 1].
    pub position_decay: f32,
}

impl Default for TransitionParameters {
    /// Beyond ten clicks a tenth of a click's weight is left.
    fn default() -> Self {
        Self { gaps: 10, half_life_days: 0.0, neighbors: 50, history: 10, position_decay: 0.5 }
    }
}

/// Items that are scored as what reads like them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentParameters {
    /// Sessions in training below which an item is one of them, at least 1; 1: those without any.
    pub below: u32,
    /// Neighbours kept per item, at least 1.
    pub neighbors: u32,
    /// The text model that was asked what is alike; none: hashed words and letters alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextParameters>,
}

impl Default for ContentParameters {
    /// Items without any session: those with one or two are found no better as what reads like them.
    fn default() -> Self {
        Self { below: 1, neighbors: 10, text: None }
    }
}

/// Which text model was asked, so that the same answers can be had again; the service needs none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextParameters {
    /// Name of its file.
    pub model: String,
    /// SHA-256 of its file, hexadecimal.
    pub sha256: String,
    /// Its share of the likeness of two items, in [0, 1], where one of them shares no words and letters with any other; the rest is
    /// that of words and letters.
    pub weight: f32,
    /// Items whose texts it read beside those without enough sessions, at most: the most sold.
    pub items: u32,
}

/// Which items an item is regressed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinearMethod {
    /// All others at once, by the inverse of the whole catalogue's Gram matrix.
    Dense,
    /// The few that explain most of it, item by item.
    Local,
}

/// Whose events make a row of the training matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinearHistory {
    /// A visit's, or an invoice's.
    Session,
    /// All of a user's; a session without a user is a row of its own.
    User,
}

impl Default for LinearParameters {
    /// Flat optima over the validation parts of the three protocols, none of them the best of one alone. Older items of
    /// a history count fully: right for baskets; sessions of clicks gain by a factor of 0.3 to 0.6 a position.
    fn default() -> Self {
        Self {
            method: LinearMethod::Local,
            rows: LinearHistory::Session,
            lambda: 30.0,
            dropout: 0.25,
            regressors: 100,
            half_life_days: 180.0,
            neighbors: 50,
            history: 50,
            position_decay: 1.0,
        }
    }
}

/// Trending items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrendingParameters {
    /// Half-life of an event, days.
    pub half_life_days: f32,
}

impl Default for TrendingParameters {
    fn default() -> Self {
        Self { half_life_days: 7.0 }
    }
}

/// Weights with which normalised source scores are added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    /// Session kNN, at least 0.
    pub knn: f32,
    /// Co-occurrence, at least 0.
    pub together: f32,
    /// Linear model, at least 0; files without one may leave it out.
    #[serde(default)]
    pub linear: f32,
    /// Transition counts, at least 0; files without them may leave it out.
    #[serde(default)]
    pub transitions: f32,
    /// Sequence encoder, at least 0; files without an encoder may leave it out.
    #[serde(default)]
    pub sequence: f32,
    /// Items of earlier visits themselves, at least 0; counts where a request allows them again.
    #[serde(default)]
    pub again: f32,
    /// Items without enough events, as what reads like them, at least 0: 1 takes them for as good.
    #[serde(default)]
    pub content: f32,
}

impl Default for Blend {
    /// Between what is best on the validation parts of the retail protocols (the linear model nearly alone) and of
    /// sessions of clicks (kNN before it), without losing much on either. New items at three quarters of what reads like
    /// them: they are found, and hardly anything that would have been found is lost.
    fn default() -> Self {
        Self {
            knn: 1.0,
            together: 0.5,
            linear: 2.0,
            transitions: 0.0,
            sequence: 0.0,
            again: 0.0,
            content: 0.75,
        }
    }
}

/// How the personal list is made where a visit begins, and what earlier ones had may come again: what a shopper comes for is another
/// question than what else goes with what they have already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// How the sources are added up.
    pub blend: Blend,
    /// How the index of session kNN is asked. What it was made with is in [`Parameters::knn`].
    pub knn: KnnParameters,
    /// Stands for [`LinearParameters::position_decay`].
    pub linear_decay: f32,
}

/// Model card.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Where the data comes from.
    pub source: String,
    /// Licence of the data, as far as the operator stated one.
    pub licence: String,
    /// Metrics on held-out data by name, where an evaluation was run.
    pub metrics: BTreeMap<String, f64>,
    /// Commands that made it from the data, in order; paths without their folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

impl Manifest {
    /// Parses the body of the manifest section.
    ///
    /// # Errors
    /// [`FormatError::FutureVersion`] before anything else, so that a newer file is called newer and not broken.
    pub fn parse(body: &[u8]) -> Result<Self, FormatError> {
        #[derive(Deserialize)]
        struct VersionOnly {
            format_version: u64,
        }
        let broken = |error: serde_json::Error| FormatError::Manifest { reason: error.to_string() };
        let VersionOnly { format_version } = serde_json::from_slice(body).map_err(broken)?;
        if format_version > u64::from(FORMAT_VERSION) {
            return Err(FormatError::FutureVersion { found: format_version, supported: FORMAT_VERSION });
        }
        if format_version == 0 {
            return Err(FormatError::Manifest { reason: "format_version 0 does not exist".to_owned() });
        }
        let manifest: Self = serde_json::from_slice(body).map_err(broken)?;
        manifest.parameters.check()?;
        if let Some(encoder) = &manifest.parameters.encoder {
            encoder
                .check()
                .map_err(|error| FormatError::Manifest { reason: format!("parameters.encoder: {error}") })?;
        }
        Ok(manifest)
    }

    /// The entry of a section.
    ///
    /// # Errors
    /// [`FormatError::MissingSection`] where the manifest does not name it.
    pub fn entry(&self, name: &str) -> Result<&SectionEntry, FormatError> {
        self.sections
            .iter()
            .find(|entry| entry.name == name)
            .ok_or_else(|| FormatError::MissingSection { section: name.to_owned() })
    }
}

impl Parameters {
    /// Ranges that serving relies on.
    pub(super) fn check(&self) -> Result<(), FormatError> {
        let invariant = |what| Err(FormatError::Invariant { section: section::MANIFEST, what });
        let Self { knn, together, blend, .. } = self;
        let asked = knn.check().and_then(|()| blend.check()).and_then(|()| {
            self.opening.as_ref().map_or(Ok(()), |opening| {
                opening.knn.check()?;
                opening.blend.check()?;
                check_decay(opening.linear_decay, LINEAR_DECAY)
            })
        });
        asked.map_err(|what| FormatError::Invariant { section: section::MANIFEST, what })?;
        if !sane(together.position_decay) || !sane(together.shrinkage) {
            return invariant("a weight is negative or not finite");
        }
        if together.history == 0 || together.history as usize > crate::recommend::MAX_HISTORY {
            return invariant("together.history is outside 1..=50");
        }
        if let Some(linear) = &self.linear {
            linear.check().map_err(|what| FormatError::Invariant { section: section::MANIFEST, what })?;
        }
        if let Some(transitions) = &self.transitions {
            transitions
                .check()
                .map_err(|what| FormatError::Invariant { section: section::MANIFEST, what })?;
        }
        if self.cells.as_ref().is_some_and(|cells| cells.asked == 0) {
            return invariant("cells.asked is 0");
        }
        Ok(())
    }
}

/// Finite, at least 0; NaN is not.
fn sane(weight: f32) -> bool {
    (0.0..f32::INFINITY).contains(&weight)
}

const LINEAR_DECAY: &str = "linear.position_decay is outside (0, 1]";

/// `otherwise` unless in (0, 1]; NaN is not.
fn check_decay(decay: f32, otherwise: &'static str) -> Result<(), &'static str> {
    let in_range = decay > 0.0 && decay <= 1.0;
    if in_range { Ok(()) } else { Err(otherwise) }
}

impl KnnParameters {
    fn check(&self) -> Result<(), &'static str> {
        if self.sample == 0 || self.neighbors == 0 {
            return Err("knn.sample and knn.neighbors must be at least 1");
        }
        if self.last_items == 0 || self.last_items as usize > crate::knn::MAX_LAST_ITEMS {
            return Err("knn.last_items is outside 1..=10");
        }
        if !sane(self.idf_exponent) || !sane(self.match_decay) || !self.length_exponent.is_finite() {
            return Err("a weight is negative or not finite");
        }
        check_decay(self.distance_factor, "knn.distance_factor is outside (0, 1]")
    }
}

impl Blend {
    fn check(&self) -> Result<(), &'static str> {
        let Self { knn, together, linear, transitions, sequence, again, content } = *self;
        let all = [knn, together, linear, transitions, sequence, again, content];
        let all_sane = all.into_iter().all(sane);
        if all_sane { Ok(()) } else { Err("a weight is negative or not finite") }
    }
}

impl LinearParameters {
    /// Whether training and serving can rely on every number.
    ///
    /// # Errors
    /// Which one is out of its range.
    pub fn check(&self) -> Result<(), &'static str> {
        // Each written so that NaN fails it too.
        let finite_above = |value: f32, least: f32| value > least && value < f32::INFINITY;
        if !finite_above(self.lambda, 0.0) {
            return Err("linear.lambda is not above 0");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err("linear.dropout is outside [0, 1)");
        }
        if !finite_above(self.half_life_days, -f32::MIN_POSITIVE) {
            return Err("linear.half_life_days is negative or not finite");
        }
        if self.regressors == 0 || self.neighbors == 0 {
            return Err("linear.regressors and linear.neighbors must be at least 1");
        }
        if self.history == 0 || self.history as usize > crate::recommend::MAX_HISTORY {
            return Err("linear.history is outside 1..=50");
        }
        check_decay(self.position_decay, LINEAR_DECAY)
    }
}

impl TransitionParameters {
    /// Whether training and serving can rely on every number.
    ///
    /// # Errors
    /// Which one is out of its range.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.gaps == 0 || self.neighbors == 0 {
            return Err("transitions.gaps and transitions.neighbors must be at least 1");
        }
        if !sane(self.half_life_days) {
            return Err("transitions.half_life_days is negative or not finite");
        }
        if self.history == 0 || self.history as usize > crate::recommend::MAX_HISTORY {
            return Err("transitions.history is outside 1..=50");
        }
        check_decay(self.position_decay, "transitions.position_decay is outside (0, 1]")
    }
}
