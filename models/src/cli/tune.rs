//! `endcap-model tune`.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use super::fit::FitProgress;
use super::train::{LinearRowsArg, VisitArgs, evaluation, read};
use super::{Failure, print, print_json};
use crate::encoder::learn::{EncoderOptions, LearnError, Learned, Until, learn};
use crate::evaluate::{EvaluateError, HeldOut};
use crate::fit::FitStep;
use crate::report::{Align, Table, count};

/// Search better options for `train --encoder`, on the newest tenth of a dataset's sessions.
///
/// The first trial has the defaults; each further one draws its dimensions, dropout, decay and step
/// size. Nothing is trained on the sessions that are asked about, and nothing is written. The best is printed as arguments of
/// `train`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Dataset made by `endcap-model import`.
    dataset: PathBuf,
    #[command(flatten)]
    visits: VisitArgs,
    /// Most trials.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    trials: u64,
    /// No trial is begun after this time.
    #[arg(long, default_value_t = 60, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Whose events make a sequence.
    #[arg(long, value_enum, default_value = "session", value_name = "WHOSE")]
    encoder_rows: LinearRowsArg,
    /// Most passes over the log in a trial.
    #[arg(long, default_value_t = EncoderOptions::default().epochs, value_name = "N")]
    encoder_epochs: usize,
    /// Where chance begins: the same seed draws the same trials.
    #[arg(long, default_value_t = EncoderOptions::default().seed, value_name = "NUMBER")]
    encoder_seed: u64,
    /// Print the trials as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Trial {
    options: EncoderOptions,
    /// NDCG@10 of the held-out questions.
    ndcg10: f64,
    passes: usize,
    seconds: f64,
    weights: usize,
}

#[derive(Debug, Serialize)]
struct Report {
    questions: usize,
    trials: Vec<Trial>,
    /// The best as arguments of `train`.
    best: String,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (log, _) = read(&args.dataset, &args.visits)?;
    let held = HeldOut::of(&log).map_err(|questions| {
        let sequences = log.sessions.iter().filter(|session| session.clicks.len() > 1).count();
        evaluation(EvaluateError::Learn(LearnError::TooFew { sequences, questions }))
    })?;
    let begun = Instant::now();
    let around = EncoderOptions {
        rows: args.encoder_rows.into(),
        epochs: args.encoder_epochs,
        seed: args.encoder_seed,
        ..EncoderOptions::default()
    };
    let mut trials: Vec<Trial> = Vec::new();
    for number in 0..args.trials {
        if number > 0 && begun.elapsed().as_secs() >= 60 * args.minutes {
            break;
        }
        let (options, since) = (around.trial(number), Instant::now());
        let mut progress = FitProgress::default();
        let found = learn(&held.before, Until::Questions(&held.cases), &options, None, &mut |step| {
            progress.tell(FitStep::LearnBefore(step));
        });
        progress.finish();
        let found = match found {
            Ok(found) => found,
            // Steps that are too large are an answer too, unless they were asked for.
            Err(LearnError::NotFinite { .. }) if number > 0 => continue,
            Err(error) => return Err(evaluation(EvaluateError::Learn(error))),
        };
        let Learned { weights, ndcg10, passes } = found;
        trials.push(Trial {
            options,
            ndcg10: ndcg10.unwrap_or_default(),
            passes: passes.len(),
            seconds: since.elapsed().as_secs_f64(),
            weights: weights.count(),
        });
    }
    trials.sort_by(|a, b| b.ndcg10.total_cmp(&a.ndcg10));
    let best = trials.first().map(|trial| trial.options.arguments()).unwrap_or_default();
    let report = Report { questions: held.cases.len(), trials, best };
    if args.json {
        return print_json(&report);
    }
    print(&format!("{}\nbest: endcap-model train DATASET --out DIR {}\n", table(&report), report.best))
}

fn table(report: &Report) -> Table {
    let title =
        format!("{} trials, {} held-out questions", report.trials.len(), count(report.questions as u64));
    let names = [
        "NDCG@10",
        "dim",
        "layers",
        "heads",
        "dropout",
        "decay",
        "step size",
        "passes",
        "seconds",
        "weights",
    ];
    let mut table = Table::new(&title, &names.map(|name| (name, Align::Right)));
    for Trial { options, ndcg10, passes, seconds, weights } in &report.trials {
        table.row([
            format!("{ndcg10:.4}"),
            options.dim.to_string(),
            options.layers.to_string(),
            options.heads.to_string(),
            options.dropout.map_or_else(|| "by data".to_owned(), |share| share.to_string()),
            options.weight_decay.to_string(),
            format!("{:.5}", options.learning_rate),
            passes.to_string(),
            format!("{seconds:.0}"),
            count(*weights as u64),
        ]);
    }
    table
}
