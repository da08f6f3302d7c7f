//! What is made of a forest's votes: aggregation, base values, the transform, and for classifiers the labels.
//!
//! Follows the specification of TreeEnsembleRegressor and TreeEnsembleClassifier (ai.onnx.ml 1 and 3), and where it is
//! silent, on classifiers of two classes whose leaves vote for one of them, ONNX Runtime.

use super::forest::Forest;

/// How the trees' votes become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

/// What is done to the numbers of a row at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    None,
    Logistic,
    Softmax,
    /// Softmax over what is not zero; zero stays.
    SoftmaxZero,
}

/// A forest with everything around it.
#[derive(Debug)]
pub(super) struct Ensemble {
    pub(super) forest: Forest,
    /// Of a regressor; a classifier sums.
    pub(super) aggregate: Aggregate,
    /// One for each target, or empty.
    pub(super) base: Vec<f32>,
    pub(super) transform: Transform,
    /// Labels by class; `None` for a regressor.
    pub(super) labels: Option<Vec<i64>>,
    /// Of two classes, the only one that leaves vote for, and whether all its votes are at least zero.
    pub(super) single: Option<SingleClass>,
}

/// A classifier of two classes whose leaves vote for one of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct SingleClass {
    /// The votes are a probability, not the argument of a logistic function.
    pub(super) votes_are_probabilities: bool,
}

impl Ensemble {
    /// Numbers of one row: targets or classes.
    pub(super) fn width(&self) -> usize {
        self.forest.targets
    }

    /// Writes the numbers of each row of `stride` values to `scores`, [`Self::width`] of them a row, and the rows' labels
    /// to `labels`; of a regressor, 0.
    pub(super) fn score(&self, rows: &[f32], stride: usize, scores: &mut [f32], labels: &mut [i64]) {
        self.aggregate(rows, stride, scores);
        for (scores, label) in scores.chunks_exact_mut(self.width()).zip(labels) {
            let winner = match self.single {
                Some(single) => self.two_classes(single, scores),
                None => {
                    let winner = first_maximum(scores);
                    transform(self.transform, scores);
                    winner
                }
            };
            *label = self.labels.as_ref().map_or(0, |labels| labels[winner]);
        }
    }

    fn aggregate(&self, rows: &[f32], stride: usize, scores: &mut [f32]) {
        let width = self.width();
        let mut extreme = |start: f32, pick: fn(f32, f32) -> f32| {
            scores.fill(start);
            self.forest.walk(rows, stride, |row, target, weight| {
                let score = &mut scores[row * width + target];
                *score = pick(*score, weight);
            });
            // No tree had a vote for these.
            scores.iter_mut().filter(|score| **score == start).for_each(|score| *score = 0.0);
        };
        match self.aggregate {
            Aggregate::Min => extreme(f32::INFINITY, f32::min),
            Aggregate::Max => extreme(f32::NEG_INFINITY, f32::max),
            Aggregate::Sum | Aggregate::Average => {
                scores.fill(0.0);
                self.forest.walk(rows, stride, |row, target, weight| scores[row * width + target] += weight);
            }
        }
        if self.aggregate == Aggregate::Average {
            let trees = self.forest.trees() as f32;
            scores.iter_mut().for_each(|score| *score /= trees);
        }
        if !self.base.is_empty() {
            for scores in scores.chunks_exact_mut(width) {
                scores.iter_mut().zip(&self.base).for_each(|(score, base)| *score += base);
            }
        }
    }

    /// Both classes' scores from the votes, which are all for one; the second label is the one voted for.
    fn two_classes(&self, single: SingleClass, scores: &mut [f32]) -> usize {
        // The votes are in one place and nothing in the other.
        let vote: f32 = scores.iter().sum();
        let (against, for_it, wins) = if single.votes_are_probabilities {
            (1.0 - vote, vote, vote > 0.5)
        } else if self.transform == Transform::Logistic {
            (logistic(-vote), logistic(vote), vote > 0.0)
        } else {
            (-vote, vote, vote > 0.0)
        };
        scores.copy_from_slice(&[against, for_it]);
        usize::from(wins)
    }
}

/// The first of equal ones, as ONNX Runtime.
fn first_maximum(scores: &[f32]) -> usize {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = index;
        }
    }
    best
}

fn transform(transform: Transform, scores: &mut [f32]) {
    match transform {
        Transform::None => {}
        Transform::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
        Transform::Softmax => softmax(scores, |_| true),
        Transform::SoftmaxZero => softmax(scores, |score| score != 0.0),
    }
}

fn softmax(scores: &mut [f32], takes_part: impl Fn(f32) -> bool) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut().filter(|score| takes_part(**score)) {
        *score = (*score - most).exp();
        sum += *score;
    }
    if sum > 0.0 {
        scores.iter_mut().for_each(|score| *score /= sum);
    }
}

fn logistic(value: f32) -> f32 {
    // On the side where the exponential cannot overflow.
    let small = 1.0 / (1.0 + (-value.abs()).exp());
    if value < 0.0 { 1.0 - small } else { small }
}
