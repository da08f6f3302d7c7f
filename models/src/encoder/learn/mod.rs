//! Training of the sequence encoder: next items by softmax cross-entropy, on all cores, in bounded memory.
//!
//! candle keeps tensors and the tape: it is small and needs nothing but the CPU, and its training loop is one's own, which a run
//! needs that stops by held-out questions and is taken up again bit by bit. The layers' operations are beside it, each with its
//! gradient ([`ops`]), and so is the softmax over a whole catalogue ([`loss`]): it gives the slope of the user vectors, and never keeps a batch's logits. What is kept from step to step (weights,
//! running means) are plain numbers of this crate, so that a checkpoint holds all of it.
//!
//! The same log, options and questions give the same weights, however many cores there are, and whether a run was
//! interrupted or not.

mod checkpoint;
mod error;
mod graph;
mod loss;
mod ops;
mod optimizer;
mod options;
mod plan;
mod search;
mod sequences;
mod step;
mod validate;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use checkpoint::Checkpoints;
pub use error::LearnError;
pub use options::EncoderOptions;
pub use plan::LearnPlan;

use super::Weights;
use crate::evaluate::Case;
use crate::train::Log;
use graph::Tables;
use optimizer::Optimizer;
use sequences::Sequences;
use step::{Candidates, Proposal, Stepper};

/// What is told while weights are learned.
#[derive(Debug)]
pub enum LearnStep<'a> {
    /// What it is going to take.
    Plan(&'a LearnPlan),
    /// Weights were taken up from a checkpoint, after this many passes.
    Resumed {
        /// Passes done.
        passes: usize,
    },
    /// Within a pass, a few times a second.
    Targets {
        /// The pass, from 1.
        pass: usize,
        /// Targets done in it.
        done: u64,
        /// Targets in it.
        total: u64,
        /// Mean cross-entropy so far in it, nats a target.
        loss: f64,
    },
    /// A pass is over.
    Pass(&'a Pass),
    /// A checkpoint could not be written; the one before is still whole.
    Unsaved(LearnError),
}

/// A pass over the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// Its number, from 1.
    pub pass: usize,
    /// Mean cross-entropy, nats a target.
    pub loss: f64,
    /// NDCG@10 of the held-out questions; `None` where there were none.
    pub ndcg10: Option<f64>,
    /// Step size.
    pub rate: f32,
    /// Wall seconds.
    pub seconds: f64,
    /// Whether it led to the weights that were kept.
    pub kept: bool,
}

/// Weights, and how they came about.
#[derive(Debug, Clone)]
pub struct Learned {
    /// The best of them.
    pub weights: Weights,
    /// NDCG@10 of the held-out questions by them, where there were any.
    pub ndcg10: Option<f64>,
    /// Every pass.
    pub passes: Vec<Pass>,
}

impl Learned {
    /// Step sizes of the passes that led to the weights.
    pub fn rates(&self) -> Vec<f32> {
        self.passes.iter().filter(|pass| pass.kept).map(|pass| pass.rate).collect()
    }
}

/// When a training ends.
#[derive(Debug, Clone, Copy)]
pub enum Until<'a> {
    /// Held-out questions are answered no better, also with smaller steps. Histories are not empty.
    Questions(&'a [Case]),
    /// Passes with these step sizes are done: those of a training that was stopped by questions.
    Rates(&'a [f32]),
}

/// Factor on the step size where questions are answered no better.
const SLOWER: f32 = 0.3;
/// How often steps are made smaller before training ends.
const SLOWDOWNS: usize = 2;
/// A gain below this share is chance.
const LEAST_GAIN: f64 = 0.001;
/// Pause between two reports.
const REPORT: Duration = Duration::from_millis(250);

/// Where a training stands.
#[derive(Debug, Clone)]
struct State {
    weights: Weights,
    optimizer: Optimizer,
    best: Weights,
    progress: Position,
}

/// The part of [`State`] that is not weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Position {
    /// Batches done of the current pass.
    batches: usize,
    /// Their summed loss.
    loss: f64,
    /// Their targets.
    targets: u64,
    /// Seconds spent on them.
    seconds: f64,
    /// NDCG@10 by the best weights.
    best_ndcg10: f64,
    /// Passes since they were found.
    stale: usize,
    /// How often steps were made smaller.
    slowdowns: usize,
    /// Passes that are over.
    passes: Vec<Pass>,
}

/// Learns an encoder over the items of `log`.
///
/// # Errors
/// [`LearnError`]: an option out of its range, too few events, a loss that is no number, a checkpoint of another run.
pub fn learn(
    log: &Log,
    until: Until<'_>,
    options: &EncoderOptions,
    checkpoints: Option<&Checkpoints>,
    heard: &mut dyn FnMut(LearnStep<'_>),
) -> Result<Learned, LearnError> {
    let shape = options.shape(log.items.len())?;
    let sequences = Sequences::of(log, options.rows);
    let questions = match until {
        Until::Questions(cases) => cases.len(),
        Until::Rates(rates) => rates.len(),
    };
    if sequences.len() == 0 || questions == 0 {
        return Err(LearnError::TooFew { sequences: sequences.len(), questions });
    }
    heard(LearnStep::Plan(&LearnPlan::new(&shape, &sequences, options)));
    let run = checkpoint::Run::new(&sequences, until, options);
    // Whether the checkpoint's file is of this run: an older one may lie there.
    let mut kept = false;
    let mut state = match checkpoints.map(|checkpoints| checkpoints.load(&run)).transpose()?.flatten() {
        Some(state) => {
            heard(LearnStep::Resumed { passes: state.progress.passes.len() });
            kept = true;
            state
        }
        None => {
            let weights = Weights::fresh(&shape, options.seed);
            let optimizer = Optimizer::new(&weights, options.learning_rate);
            State { best: weights.clone(), weights, optimizer, progress: Position::default() }
        }
    };
    let tables = Tables::new(&shape);
    let candidates = if shape.items <= EncoderOptions::FULL_SOFTMAX {
        Candidates::All
    } else {
        Candidates::Drawn(Proposal::new(&sequences.counts(shape.items), options.negatives))
    };
    let dropout = options.dropout_over(sequences.targets(), shape.items);
    let stepper = Stepper { tables: &tables, candidates: &candidates, dropout, seed: options.seed };
    let mut saved = Instant::now();
    while !state.is_over(until, options) {
        if let Until::Rates(rates) = until {
            state.optimizer.rate = rates[state.progress.passes.len()];
        }
        let pass = state.progress.passes.len() + 1;
        let batches = sequences.batches(options.seed, pass, options.max_len, options.batch);
        let mut told: Option<Instant> = None;
        let before = state.progress.seconds;
        let begun = Instant::now();
        for batch in &batches[state.progress.batches..] {
            let gradient = stepper.gradient(&state.weights, batch, state.optimizer.steps)?;
            let norm = gradient.norm();
            // Neither is applied, so that no checkpoint ever holds weights that are no numbers.
            if !(gradient.loss.is_finite() && norm.is_finite()) {
                return Err(LearnError::NotFinite {
                    loss: gradient.loss,
                    step: state.optimizer.steps,
                    pass,
                    learning_rate: options.learning_rate,
                    kept: checkpoints.filter(|_| kept).map(|checkpoints| checkpoints.path.clone()),
                });
            }
            let targets: usize = batch.iter().map(sequences::Piece::positions).sum();
            state.optimizer.step(&mut state.weights, &gradient, norm, options);
            let progress = &mut state.progress;
            progress.loss += gradient.loss * targets as f64;
            progress.targets += targets as u64;
            progress.batches += 1;
            progress.seconds = before + begun.elapsed().as_secs_f64();
            if told.is_none_or(|told| told.elapsed() >= REPORT) {
                told = Some(Instant::now());
                let loss = progress.loss / progress.targets.max(1) as f64;
                let total = sequences.targets() as u64;
                heard(LearnStep::Targets { pass, done: progress.targets, total, loss });
            }
            if let Some(checkpoints) = checkpoints.filter(|checkpoints| saved.elapsed() >= checkpoints.every)
            {
                kept |= checkpoints.save_or_tell(&run, &state, heard);
                saved = Instant::now();
            }
        }
        let ndcg10 = match until {
            Until::Questions(cases) => Some(validate::ndcg10(&state.weights, &tables, cases)?),
            Until::Rates(_) => None,
        };
        state.finish_pass(ndcg10, options);
        if let Some(pass) = state.progress.passes.last() {
            heard(LearnStep::Pass(pass));
        }
        if let Some(checkpoints) = checkpoints {
            kept |= checkpoints.save_or_tell(&run, &state, heard);
            saved = Instant::now();
        }
    }
    let (weights, ndcg10) = match until {
        Until::Questions(_) => (state.best, Some(state.progress.best_ndcg10)),
        Until::Rates(_) => (state.weights, None),
    };
    Ok(Learned { weights, ndcg10, passes: state.progress.passes })
}

impl State {
    fn is_over(&self, until: Until<'_>, options: &EncoderOptions) -> bool {
        let Position { passes, slowdowns, .. } = &self.progress;
        match until {
            Until::Questions(_) => passes.len() >= options.epochs || *slowdowns > SLOWDOWNS,
            Until::Rates(rates) => passes.len() >= rates.len(),
        }
    }

    /// Books a pass; goes back to the best weights, with smaller steps, where they are not met again.
    fn finish_pass(&mut self, ndcg10: Option<f64>, options: &EncoderOptions) {
        let rate = self.optimizer.rate;
        let progress = &mut self.progress;
        let loss = progress.loss / progress.targets.max(1) as f64;
        let pass = progress.passes.len() + 1;
        progress.passes.push(Pass { pass, loss, ndcg10, rate, seconds: progress.seconds, kept: true });
        (progress.batches, progress.loss, progress.targets, progress.seconds) = (0, 0.0, 0, 0.0);
        let Some(ndcg10) = ndcg10 else { return };
        if ndcg10 > progress.best_ndcg10 * (1.0 + LEAST_GAIN) || pass == 1 {
            (progress.best_ndcg10, progress.stale) = (ndcg10, 0);
            self.best = self.weights.clone();
            return;
        }
        progress.stale += 1;
        if progress.stale >= options.patience || pass >= options.epochs {
            let stale = progress.passes.iter_mut().rev().take(progress.stale);
            stale.for_each(|pass| pass.kept = false);
            (progress.stale, progress.slowdowns) = (0, progress.slowdowns + 1);
            self.optimizer.rate *= SLOWER;
            self.weights = self.best.clone();
        }
    }
}
