//! What `train` and `evaluate` share: the encoder's arguments, and how a fit is told.

use std::io::Write;

#[cfg(feature = "encoder")]
use std::path::Path;
#[cfg(feature = "encoder")]
use std::time::{Duration, Instant};

use endcap_core::format::{Blend, KnnParameters};
use endcap_core::inference::RankerScope;

#[cfg(feature = "encoder")]
use super::train::{LinearRowsArg, parse_dropout, parse_positive};
#[cfg(feature = "encoder")]
use crate::encoder::learn::{Checkpoints, EncoderOptions, LearnPlan, LearnStep, Pass};
use crate::evaluate::TunedBlend;
#[cfg(feature = "encoder")]
use crate::fit::EncoderRecipe;
use crate::fit::FitStep;
use crate::progress::{Progress, Unit};
use crate::ranker::KindFigures;
#[cfg(feature = "encoder")]
use crate::report::count;
use crate::train::{LinearPlan, Step};

/// The sequence encoder's training; also taken by `evaluate`.
#[cfg(feature = "encoder")]
#[derive(Debug, clap::Args)]
pub(super) struct EncoderArgs {
    /// Train a sequence encoder as well: minutes, where everything else takes seconds. It stops by itself, when the newest
    /// tenth of the sessions is answered no better.
    #[arg(long)]
    encoder: bool,
    /// Width of its item and user vectors, a multiple of 8 times the heads, 8 to 512.
    #[arg(long, default_value_t = EncoderOptions::default().dim, value_name = "N", requires = "encoder")]
    encoder_dim: usize,
    /// Its layers, 1 to 16.
    #[arg(long, default_value_t = EncoderOptions::default().layers, value_name = "N", requires = "encoder")]
    encoder_layers: usize,
    /// Attention heads of a layer.
    #[arg(long, default_value_t = EncoderOptions::default().heads, value_name = "N", requires = "encoder")]
    encoder_heads: usize,
    /// Items of a history that it reads, 2 to 512; the service remembers 50.
    #[arg(long, default_value_t = EncoderOptions::default().max_len, value_name = "N", requires = "encoder")]
    encoder_max_len: usize,
    /// Whose events make a sequence.
    #[arg(long, value_enum, default_value = "session", value_name = "WHOSE", requires = "encoder")]
    encoder_rows: LinearRowsArg,
    /// Share of activations taken away in training, 0 to below 1; by default 0.1 to 0.6, the more the fewer events an item has.
    #[arg(long, value_name = "SHARE", requires = "encoder", value_parser = parse_dropout)]
    encoder_dropout: Option<f32>,
    /// Step size of AdamW.
    #[arg(long, default_value_t = EncoderOptions::default().learning_rate, value_name = "RATE", requires = "encoder",
          value_parser = parse_positive)]
    encoder_learning_rate: f32,
    /// Decay of its matrices, as a share of the step size.
    #[arg(long, default_value_t = EncoderOptions::default().weight_decay, value_name = "SHARE", requires = "encoder",
          value_parser = parse_dropout)]
    encoder_weight_decay: f32,
    /// Positions of a batch.
    #[arg(long, default_value_t = EncoderOptions::default().batch, value_name = "N", requires = "encoder")]
    encoder_batch: usize,
    /// Most passes over the log.
    #[arg(long, default_value_t = EncoderOptions::default().epochs, value_name = "N", requires = "encoder")]
    encoder_epochs: usize,
    /// Passes without a better NDCG@10 after which steps are made smaller, and at last training stops.
    #[arg(long, default_value_t = EncoderOptions::default().patience, value_name = "N", requires = "encoder")]
    encoder_patience: usize,
    /// Items drawn a batch for the softmax, where the catalogue has more than 12,000.
    #[arg(long, default_value_t = EncoderOptions::default().negatives, value_name = "N", requires = "encoder")]
    encoder_negatives: usize,
    /// Where chance begins: the same seed gives the same weights.
    #[arg(long, default_value_t = EncoderOptions::default().seed, value_name = "NUMBER", requires = "encoder")]
    encoder_seed: u64,
}

/// Without the feature there is nothing to ask for.
#[cfg(not(feature = "encoder"))]
#[derive(Debug, clap::Args)]
pub(super) struct EncoderArgs {}

#[cfg(not(feature = "encoder"))]
impl EncoderArgs {
    pub(super) fn is_asked_for(&self) -> bool {
        false
    }
}

#[cfg(feature = "encoder")]
impl EncoderArgs {
    /// Pause between two checkpoints within a pass.
    const EVERY: Duration = Duration::from_secs(60);

    /// What to learn, if an encoder is asked for; checkpoints go to a folder, and are taken up from there if told so.
    pub(super) fn recipe(&self, checkpoints: Option<(&Path, bool)>) -> Option<EncoderRecipe> {
        let options = EncoderOptions {
            dim: self.encoder_dim,
            layers: self.encoder_layers,
            heads: self.encoder_heads,
            max_len: self.encoder_max_len,
            rows: self.encoder_rows.into(),
            dropout: self.encoder_dropout,
            learning_rate: self.encoder_learning_rate,
            weight_decay: self.encoder_weight_decay,
            batch: self.encoder_batch,
            epochs: self.encoder_epochs,
            patience: self.encoder_patience,
            negatives: self.encoder_negatives,
            seed: self.encoder_seed,
        };
        let checkpoints = checkpoints.map(|(folder, resume)| {
            ["encoder-before.checkpoint", "encoder-all.checkpoint"].map(|name| Checkpoints {
                path: folder.join(name),
                resume,
                every: Self::EVERY,
            })
        });
        self.encoder.then_some(EncoderRecipe { options, checkpoints })
    }

    pub(super) fn is_asked_for(&self) -> bool {
        self.encoder
    }
}

/// Tells on stderr how a fit goes.
#[derive(Debug, Default)]
pub(super) struct FitProgress {
    bar: Option<Progress>,
    #[cfg(feature = "encoder")]
    pass: Option<(usize, Instant)>,
}

impl FitProgress {
    pub(super) fn tell(&mut self, step: FitStep<'_>) {
        match step {
            #[cfg(feature = "encoder")]
            FitStep::LearnBefore(step) => self.learn("encoder, without the newest tenth", step),
            #[cfg(feature = "encoder")]
            FitStep::LearnAll(step) => self.learn("encoder, on everything", step),
            FitStep::Choosing { tried, most } => {
                let new = || Progress::new("choosing weights", most as u64, Unit::Count);
                self.bar.get_or_insert_with(new).set(tried as u64);
            }
            FitStep::Chosen(found) => {
                self.finish();
                say(&chosen(found));
            }
            FitStep::Ranking { done, total } => {
                let new = || Progress::new("learning a ranker", total as u64, Unit::Count);
                self.bar.get_or_insert_with(new).set(done as u64);
            }
            FitStep::Ranked(trial) => {
                self.finish();
                trial.kinds.iter().for_each(|figures| say(&ranked(figures)));
            }
            FitStep::Train(step) => self.train(step),
        }
    }

    fn train(&mut self, step: Step<'_>) {
        match step {
            Step::LinearPlan(plan) => tell_plan(plan),
            Step::Linear { done, total } => {
                let new = || Progress::new("linear model", total, Unit::Count);
                self.bar.get_or_insert_with(new).set(done);
            }
            // The linear model is over.
            Step::Rankings => self.finish(),
            Step::Sessions | Step::Together => {}
        }
    }

    #[cfg(feature = "encoder")]
    fn learn(&mut self, part: &str, step: LearnStep<'_>) {
        match step {
            LearnStep::Plan(plan) => say(&format!("{part}: {}", planned(plan))),
            LearnStep::Resumed { passes } => say(&format!("{part}: taken up after {passes} passes")),
            LearnStep::Targets { pass, done, total, loss } => {
                if self.pass.is_none_or(|(told, _)| told != pass) {
                    self.finish();
                    self.pass = Some((pass, Instant::now()));
                }
                let new = || Progress::new(&format!("{part}, pass {pass}"), total, Unit::Count);
                let bar = self.bar.get_or_insert_with(new);
                bar.note(&format!("loss {loss:.3}"));
                bar.set(done);
            }
            LearnStep::Pass(pass) => {
                self.finish();
                say(&format!("{part}: {}", passed(pass)));
            }
            LearnStep::Unsaved(error) => say(&format!("{part}: {error}; the training goes on")),
        }
    }

    /// Ends what is shown.
    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }
}

fn say(line: &str) {
    // A closed stderr is no reason to stop the work.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says what is going to be done: before it is, as it may take long and much memory.
fn tell_plan(plan: &LinearPlan) {
    say(&plan.to_string());
}

#[cfg(feature = "encoder")]
fn planned(plan: &LearnPlan) -> String {
    let LearnPlan { sequences, targets, weights, candidates, dropout, bytes } = plan;
    format!(
        "{} sequences, {} targets a pass, {} weights, softmax over {} items, dropout {dropout:.2}; about {} MB",
        count(*sequences as u64),
        count(*targets as u64),
        count(*weights as u64),
        count(*candidates as u64),
        bytes.div_ceil(1_000_000)
    )
}

#[cfg(feature = "encoder")]
fn passed(pass: &Pass) -> String {
    let Pass { pass, loss, ndcg10, rate, seconds, .. } = pass;
    let metric = ndcg10.map_or_else(String::new, |ndcg10| format!(", NDCG@10 {ndcg10:.4}"));
    format!("pass {pass}: loss {loss:.4}{metric}, step size {rate:.5}, {seconds:.1} s")
}

fn chosen(found: Option<&TunedBlend>) -> String {
    let Some(TunedBlend { parameters, cases, ndcg10, tried }) = found else {
        return "weights: the defaults, as the log is too small to choose others".to_owned();
    };
    let decay = parameters.linear.as_ref().map_or(1.0, |linear| linear.position_decay);
    let mut lines = format!("weights: {}", weights(&parameters.blend, &parameters.knn, decay));
    if let Some(transitions) = parameters.transitions.as_ref().filter(|_| parameters.blend.transitions > 0.0)
    {
        lines.push_str(&format!(", with decay {}", transitions.position_decay));
    }
    if let Some(opening) = &parameters.opening {
        let own = weights(&opening.blend, &opening.knn, opening.linear_decay);
        lines.push_str(&format!("\nweights where a visit begins: {own}"));
    }
    let [before, after] = ndcg10;
    format!(
        "{lines}\n(NDCG@10 of {cases} held-out questions {before:.4} by default, {after:.4} by these; {tried} tried)"
    )
}

fn ranked(figures: &KindFigures) -> String {
    let KindFigures { kind, cases, ndcg10: [blended, ranked], error, kept } = figures;
    let what = match kind {
        RankerScope::Opening => "where a visit begins",
        RankerScope::Within => "within a visit",
        RankerScope::All => "everywhere",
    };
    let verdict = if *kept { "kept" } else { "left out" };
    format!(
        "ranker {what}: {verdict} (NDCG@10 of {cases} questions {blended:.4} without, {ranked:.4} \
         \u{b1} {error:.4} with one that has not seen them)"
    )
}

fn weights(blend: &Blend, asked: &KnnParameters, decay: f32) -> String {
    let Blend { knn, together, linear, transitions, sequence, again, content } = blend;
    format!(
        "kNN {knn} ({asked}), co-occurrence {together}, linear {linear} with decay {decay}, encoder {sequence}, again {again}, \
         content {content}, transitions {transitions}"
    )
}
