//! Training of the sequence encoder: it learns what counts cannot, the same way every time, and loses nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Folder, endcap};
use endcap_core::ItemIx;
use endcap_core::format::ItemRecord;
use endcap_models::encoder::EncoderForms;
use endcap_models::encoder::learn::{
    Checkpoints, EncoderOptions, LearnError, LearnStep, Learned, Until, learn,
};
use endcap_models::evaluate::{Baselines, Case, Method, Task, evaluate};
use endcap_models::fit::{EncoderRecipe, Recipe, fit};
use endcap_models::train::{Log, LogBuilder, Options, train};

/// Items of each of the two rounds below.
const ROUND: u32 = 24;

/// Two rounds through `ROUND` items each, interleaved, from any two places: after `a3 b7` comes `a4`. What comes next
/// stands two clicks back; the last click, and the company that items keep over all sessions, say nothing.
///
/// Pairs of places come in an order without pattern, the last 96 of 576 not in the others.
fn interleaved(pairs: std::ops::Range<u32>) -> Vec<Vec<u32>> {
    let session = |number: u32| {
        // 179 and 576 have no common factor, so each pair comes once.
        let pair = number * 179 % (ROUND * ROUND);
        let (a, b) = (pair / ROUND, pair % ROUND);
        (0..5).flat_map(|step| [(a + step) % ROUND, ROUND + (b + step) % ROUND]).collect()
    };
    pairs.map(session).collect()
}

fn log(sessions: &[Vec<u32>]) -> Log {
    let mut builder = LogBuilder::new();
    for (number, items) in sessions.iter().enumerate() {
        for (at, item) in items.iter().enumerate() {
            let time = (number as i64 * 1_000 + at as i64) * 1_000_000;
            builder.push(None, Some(&number.to_string()), &item.to_string(), time, 1.0).unwrap();
        }
    }
    builder.finish(|id| ItemRecord { id: id.to_owned(), ..ItemRecord::default() }, []).unwrap()
}

/// The next item after each prefix of three or more items of `sessions`, in the numbers of `log`.
fn questions(log: &Log, sessions: &[Vec<u32>]) -> Vec<Case> {
    let number =
        |item: &u32| log.items.iter().position(|record| record.id == item.to_string()).unwrap() as ItemIx;
    let cases = sessions.iter().flat_map(|items| {
        (3..items.len()).map(move |at| Case {
            history: items[..at].iter().map(number).collect(),
            targets: vec![number(&items[at])],
            last_basket: 1,
            earlier: 0,
        })
    });
    cases.collect()
}

fn small() -> EncoderOptions {
    EncoderOptions {
        dim: 32,
        layers: 2,
        heads: 2,
        dropout: Some(0.1),
        learning_rate: 5e-3,
        batch: 512,
        epochs: 12,
        ..EncoderOptions::default()
    }
}

fn learned(log: &Log, until: Until<'_>, options: &EncoderOptions) -> Result<Learned, LearnError> {
    learn(log, until, options, None, &mut |_| {})
}

#[test]
fn an_encoder_learns_what_transition_counts_cannot() {
    let sessions = vec![interleaved(0..480); 7].concat();
    let log = log(&sessions);
    let cases = questions(&log, &interleaved(480..576));
    let recipe = Recipe {
        rank: true,
        keep_back: false,
        options: Options::default(),
        choose: false,
        encoder: Some(EncoderRecipe { options: small(), checkpoints: None }),
    };
    let fitted = fit(&log, &recipe, &mut |_| {}).unwrap();
    // The packed file, its rounded numbers and the executor that serves.
    let model = fitted.with_encoder(&EncoderForms::default()).unwrap().open().unwrap();
    let task = Task { train: log, cases };
    let methods = [Method::Sequence, Method::Markov, Method::Knn];
    let rows = evaluate(&task, &task.cases, &model, &methods, &Baselines::default()).unwrap();
    let [sequence, markov, knn] = [0, 1, 2].map(|at| rows[at].figures.mrr[0]);
    // By the last click alone one of 24 is guessed.
    assert!(markov < 0.25, "the data tells too much without order: {markov}");
    assert!(sequence > markov + 0.6, "the encoder: {sequence}, first-order counts: {markov}");
    assert!(sequence > knn + 0.3, "the encoder: {sequence}, session kNN: {knn}");
    let [before, all] = fitted.learned.unwrap();
    let first = before.passes[0].ndcg10.unwrap();
    assert!(before.ndcg10.unwrap() > first + 0.3, "NDCG@10 did not rise from {first}");
    assert_eq!(all.passes.len(), before.rates().len(), "as many passes on everything as were right before");
}

#[test]
fn what_stops_training_is_what_the_served_file_gives() {
    let log = log(&interleaved(0..480));
    let cases = questions(&log, &interleaved(480..576));
    let options = EncoderOptions { epochs: 6, ..small() };
    let found = learned(&log, Until::Questions(&cases), &options).unwrap();
    let mut trained = train(&log, &Options::default(), &mut |_| {}).unwrap();
    trained.add_encoder(&found.weights, 1.0, &EncoderForms::default()).unwrap();
    let model = trained.open().unwrap();
    let task = Task { train: log, cases };
    let rows = evaluate(&task, &task.cases, &model, &[Method::Sequence], &Baselines::default()).unwrap();
    let (graph, served) = (found.ndcg10.unwrap(), rows[0].figures.ndcg[1]);
    // Apart by int8 alone, which may cost a hundredth.
    assert!((graph - served).abs() < 0.01 * graph, "training says {graph}, serving {served}");
}

/// Where a run that is interrupted keeps its state.
fn checkpoints(path: PathBuf, resume: bool) -> Checkpoints {
    Checkpoints { path, resume, every: Duration::ZERO }
}

/// Learns until the callback has heard `steps` reports, and then is killed.
fn interrupted(log: &Log, cases: &[Case], options: &EncoderOptions, path: &Path, steps: usize) {
    let mut heard = 0;
    let killed = catch_unwind(AssertUnwindSafe(|| {
        learn(log, Until::Questions(cases), options, Some(&checkpoints(path.into(), false)), &mut |step| {
            heard += usize::from(matches!(step, LearnStep::Pass(_)));
            assert!(heard < steps, "killed");
        })
    }));
    assert!(killed.is_err(), "it ended before it was killed");
}

#[test]
fn a_run_that_was_killed_goes_on_as_if_it_was_not() {
    let sessions = interleaved(0..200);
    let log = log(&sessions);
    let cases = questions(&log, &sessions[..30]);
    let options = EncoderOptions { epochs: 3, ..small() };
    let whole = learned(&log, Until::Questions(&cases), &options).unwrap();
    let folder = Folder::new();
    let path = folder.path("state.checkpoint");
    interrupted(&log, &cases, &options, &path, 2);
    let mut resumed = None;
    let state = checkpoints(path, true);
    let rest = learn(&log, Until::Questions(&cases), &options, Some(&state), &mut |step| {
        if let LearnStep::Resumed { passes } = step {
            resumed = Some(passes);
        }
    })
    .unwrap();
    assert_eq!(resumed, Some(1), "one pass was over, and saved within the second");
    assert_eq!(rest.weights, whole.weights);
    assert_eq!(rest.ndcg10, whole.ndcg10);
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let sessions = interleaved(0..120);
    let (log_a, log_b) = (log(&sessions), log(&interleaved(0..121)));
    let cases = questions(&log_a, &sessions[..20]);
    let options = EncoderOptions { epochs: 2, ..small() };
    let folder = Folder::new();
    let path = folder.path("state.checkpoint");
    interrupted(&log_a, &cases, &options, &path, 1);
    let resume = |log: &Log, options: &EncoderOptions| {
        let state = checkpoints(path.clone(), true);
        learn(log, Until::Questions(&cases), options, Some(&state), &mut |_| {}).unwrap_err().to_string()
    };
    let error = resume(&log_b, &options);
    assert!(error.contains("other data") && error.contains("--resume"), "{error}");
    let error = resume(&log_a, &EncoderOptions { dropout: Some(0.3), ..options.clone() });
    assert!(error.contains("other options"), "{error}");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    let error = resume(&log_a, &options);
    assert!(error.contains("cannot be taken up again"), "{error}");
}

#[test]
fn a_loss_that_is_no_number_stops_and_keeps_the_checkpoint() {
    let sessions = interleaved(0..120);
    let log = log(&sessions);
    let cases = questions(&log, &sessions[..20]);
    let folder = Folder::new();
    let path = folder.path("state.checkpoint");
    // The warm-up is over a hundred steps, so that some are good.
    let options = EncoderOptions { learning_rate: 1e20, ..small() };
    let state = checkpoints(path.clone(), false);
    let error =
        learn(&log, Until::Questions(&cases), &options, Some(&state), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("at step") && error.contains("--encoder-learning-rate"), "{error}");
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert!(std::fs::metadata(&path).unwrap().len() > 0);
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told_and_ends_nothing() {
    let sessions = interleaved(0..120);
    let log = log(&sessions);
    let cases = questions(&log, &sessions[..20]);
    let options = EncoderOptions { epochs: 1, ..small() };
    let folder = Folder::new();
    let path = folder.path("state.checkpoint");
    interrupted(&log, &cases, &options, &path, 1);
    let before = std::fs::read(&path).unwrap();
    // Where the new file would be written first lies a folder: as with a full disk, writing fails before the old file is
    // touched.
    std::fs::create_dir(folder.path("state.checkpoint.part")).unwrap();
    let mut told = Vec::new();
    let state = checkpoints(path.clone(), false);
    learn(&log, Until::Questions(&cases), &options, Some(&state), &mut |step| {
        if let LearnStep::Unsaved(error) = step {
            told.push(error.to_string());
        }
    })
    .unwrap();
    assert!(told.iter().all(|error| error.contains("no checkpoint could be written")), "{told:?}");
    assert!(!told.is_empty());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_large_catalogue_is_learned_by_drawn_negatives() {
    // More items than the full softmax takes: pairs that belong together among thousands.
    let pairs = EncoderOptions::FULL_SOFTMAX as u32 / 2 + 100;
    let sessions: Vec<Vec<u32>> = (0..pairs).map(|pair| vec![2 * pair, 2 * pair + 1]).collect();
    let log = log(&sessions);
    let cases = questions_of_pairs(&log, 300);
    let options = EncoderOptions {
        dim: 32,
        layers: 1,
        heads: 2,
        dropout: Some(0.0),
        learning_rate: 1e-2,
        batch: 128,
        epochs: 15,
        negatives: 512,
        ..EncoderOptions::default()
    };
    let mut candidates = 0;
    let found = learn(&log, Until::Questions(&cases), &options, None, &mut |step| {
        if let LearnStep::Plan(plan) = step {
            candidates = plan.candidates;
        }
    })
    .unwrap();
    assert_eq!(candidates, 512);
    assert!(found.ndcg10.unwrap() > 0.5, "NDCG@10 {:?}", found.ndcg10);
}

fn questions_of_pairs(log: &Log, count: usize) -> Vec<Case> {
    let pair = |session: &endcap_models::train::Session| Case {
        history: vec![session.clicks[0].item],
        targets: vec![session.clicks[1].item],
        last_basket: 1,
        earlier: 0,
    };
    log.sessions.iter().take(count).map(pair).collect()
}

#[test]
fn too_little_to_learn_from_is_said() {
    let one_item = log(&vec![vec![3]; 50]);
    let cases = [Case { history: vec![0], targets: vec![0], last_basket: 1, earlier: 0 }];
    let error = learned(&one_item, Until::Questions(&cases), &small()).unwrap_err().to_string();
    assert!(error.contains("too few events") && error.contains("0 sequences"), "{error}");
    let sessions = interleaved(0..4);
    let error = learned(&log(&sessions), Until::Questions(&[]), &small()).unwrap_err().to_string();
    assert!(error.contains("0 questions"), "{error}");
}

#[test]
fn options_out_of_range_are_named() {
    let sessions = interleaved(0..40);
    let log = log(&sessions);
    let cases = questions(&log, &sessions[..5]);
    let wrong = [
        (EncoderOptions { dim: 20, ..small() }, "dim"),
        (EncoderOptions { layers: 99, ..small() }, "layers"),
        (EncoderOptions { dropout: Some(1.0), ..small() }, "dropout"),
        (EncoderOptions { learning_rate: f32::NAN, ..small() }, "learning rate"),
        (EncoderOptions { batch: 3, ..small() }, "batch"),
        (EncoderOptions { epochs: 0, ..small() }, "epochs"),
    ];
    for (options, word) in wrong {
        let error = learned(&log, Until::Questions(&cases), &options).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn one_command_trains_and_the_next_packs_the_encoder() {
    let folder = Folder::new();
    let mut text = "session,item,time\n".to_owned();
    for (number, items) in vec![interleaved(0..480); 7].concat().iter().enumerate() {
        for (at, item) in items.iter().enumerate() {
            text.push_str(&format!("{number},{item},{}\n", 1_600_000_000 + number * 1_000 + at));
        }
    }
    folder.file("log.csv", text);
    let path = |name: &str| folder.path(name).to_str().unwrap().to_owned();
    let run = |args: &str| {
        let args = args.replace("{}", &path(""));
        endcap(&args.split_ascii_whitespace().collect::<Vec<_>>())
    };
    let ok = |args: &str| {
        let output = run(args);
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let train = "train {}dataset --out {}trained";
    let encoder = "--encoder --encoder-dim 32 --encoder-epochs 2 --encoder-batch 512";
    ok("import {}log.csv --out {}dataset");
    let (_, told) = ok(&format!("{train} {encoder}"));
    for said in ["about ", "targets a pass", "pass 1: loss", "NDCG@10", "weights: kNN"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    let (manifest, _) = ok("pack {}trained --out {}model.wasm --json --encoder-forms onnx,gguf");
    for section in ["endcap.encoder.weights", "endcap.encoder.onnx", "endcap.encoder.gguf"] {
        assert!(manifest.contains(section), "{section}: {manifest}");
    }
    // The same seed and log: the same weights, taken up or not.
    let weights = std::fs::read(folder.path("trained/encoder.safetensors")).unwrap();
    ok(&format!("{train} {encoder} --resume"));
    assert_eq!(std::fs::read(folder.path("trained/encoder.safetensors")).unwrap(), weights);
    let refused = |args: &str, reason: &str| {
        let output = run(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(reason), "{error}");
    };
    refused(&format!("{train} {encoder} --resume --encoder-layers 1"), "other options");
    // Trained anew without an encoder, the old file is not taken for a part of it.
    ok(train);
    let (manifest, _) = ok("pack {}trained --out {}model.wasm --json");
    assert!(!manifest.contains("endcap.encoder"), "{manifest}");
    // A search names arguments that training takes.
    let (found, _) = ok("tune {}dataset --trials 2 --encoder-epochs 1 --json");
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["trials"].as_array().unwrap().len(), 2);
    let scores = [0, 1].map(|at| found["trials"][at]["ndcg10"].as_f64().unwrap());
    assert!(scores[0] >= scores[1], "best first: {scores:?}");
    ok(&format!("{train} {} --encoder-epochs 1", found["best"].as_str().unwrap()));
    // Too few visits to stop by: said with how many there are.
    folder.file(
        "small.csv",
        "session,item,time\na,1,1600000000\na,2,1600000001\nb,1,1600000002\nb,2,1600000003\n",
    );
    ok("import {}small.csv --out {}small");
    refused("train {}small --out {}small-trained --encoder", "2 sequences of two or more items, 1 questions");
}
