//! `endcap-model evaluate`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use endcap_core::encoder::Precision;
use endcap_core::format::Parameters;

use super::content::{ContentArgs, Reader};
use super::fit::{EncoderArgs, FitProgress};
use super::train::{BlendArgs, KnnArgs, LinearArgs, TogetherArgs, TransitionArgs};
use super::{Failure, print, print_json};
use crate::encoder::EncoderForms;
#[cfg(feature = "encoder")]
use crate::evaluate::PassFigures;
use crate::evaluate::{
    self, Baselines, CUTOFFS, EvaluateError, Method, Protocol, Report, Split, SplitReport,
};
use crate::fit::{Recipe, fit};
use crate::progress::{Progress, Unit};
use crate::report::{Align, Table, count};
#[cfg(feature = "page")]
use crate::staging::replace_file;
use crate::train::{Options, TrainError};

/// Measure recommendations by a built-in protocol, through the packed file and the serving code.
///
/// serenade: next click for every prefix of every session (folder with train, valid, test .txt[.gz]).
/// uci-shuffled: last item of every line `invoice<TAB>items` is the test, second last the validation.
/// leave-one-out: the same on lines `user item item ...`.
/// session-prefix: a folder with train_sessions (items of a session a line), test and perhaps valid (lines
/// `item item ...<TAB>target`), each .txt[.gz].
/// temporal-basket: next basket of known customers of an imported dataset; validation is the 9th tenth of the
/// baskets by time, the test the 10th.
///
/// The whole catalogue is ranked. Lines: linear (as served), linear-exact (the same before its weights were pruned and
/// rounded), ease (all weights of EASE with --ease-lambda, nothing masked), transitions (counts with gaps), sequence (with --encoder), sequence-exact (the same before it was rounded to int8), knn (session kNN), together
/// (co-occurrence), personal (as served: the blend, ordered by the learned ranker), blended (without the ranker), discover
/// (personal with the history hidden), markov, repeat-last, popular. All but
/// the encoder are deterministic; it depends on --encoder-seed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Data in the protocol's form.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// How to split and ask.
    #[arg(long, value_enum)]
    protocol: ProtocolArg,
    /// Parts to ask; tune on valid, report test.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "test")]
    split: Vec<SplitArg>,
    /// Lines of the table.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Method::ALL)]
    methods: Vec<Method>,
    #[command(flatten)]
    knn: KnnArgs,
    #[command(flatten)]
    together: TogetherArgs,
    #[command(flatten)]
    linear: LinearArgs,
    #[command(flatten)]
    transitions: TransitionArgs,
    #[command(flatten)]
    content: ContentArgs,
    /// Ridge of the baseline ease.
    #[arg(long, default_value_t = evaluate::EASE_LAMBDA, value_name = "ROWS", value_parser = super::train::parse_positive)]
    ease_lambda: f32,
    #[command(flatten)]
    blend: BlendArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Runs whose means are printed, with --encoder-seed and the numbers after it; all but the encoder is the same in each.
    #[cfg(feature = "encoder")]
    #[arg(long, default_value_t = 1, value_name = "RUNS", requires = "encoder",
          value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// Search better kNN parameters on the validation part first, and use them.
    #[arg(long)]
    tune: bool,
    /// Fail unless kNN's MRR@20 is as stated, such as valid=0.3197,test=0.3401.
    #[arg(long, value_delimiter = ',', value_name = "SPLIT=MRR", value_parser = parse_expectation)]
    expect_mrr20: Vec<(SplitArg, f64)>,
    /// Largest accepted difference of --expect-mrr20.
    #[arg(long, default_value_t = 0.005)]
    tolerance: f64,
    /// Also write the figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write a page with the tables and plots to this folder, as index.html.
    #[cfg(feature = "page")]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print the figures as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProtocolArg {
    Serenade,
    UciShuffled,
    LeaveOneOut,
    SessionPrefix,
    TemporalBasket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitArg {
    Valid,
    Test,
}

impl ValueEnum for Method {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let protocol = match args.protocol {
        ProtocolArg::Serenade => Protocol::Serenade,
        ProtocolArg::UciShuffled => Protocol::UciShuffled,
        ProtocolArg::LeaveOneOut => Protocol::LeaveOneOut,
        ProtocolArg::SessionPrefix => Protocol::SessionPrefix,
        ProtocolArg::TemporalBasket => Protocol::TemporalBasket,
    };
    let mut reader = args.content.reader()?;
    let mut parameters = Parameters {
        knn: args.knn.parameters(),
        together: args.together.parameters(),
        linear: args.linear.parameters(),
        transitions: args.transitions.parameters(),
        content: args.content.parameters(reader.as_ref()),
        blend: args.blend.given(args.encoder.is_asked_for()),
        ..Parameters::default()
    };
    if args.tune {
        tune(args, protocol, &mut parameters)?;
    }
    let mut report = Report { protocol, splits: Vec::new() };
    for &split in &args.split {
        #[cfg(feature = "encoder")]
        let seeds = args.seeds;
        #[cfg(not(feature = "encoder"))]
        let seeds = 1;
        let mut run = |seed| measure(args, protocol, split.into(), &parameters, &mut reader, seed);
        let runs = (0..seeds).map(&mut run).collect::<Result<Vec<_>, _>>()?;
        report.splits.extend(SplitReport::mean(runs));
    }
    if let Some(path) = &args.out {
        let json = serde_json::to_string_pretty(&report).map_err(Failure::internal)?;
        std::fs::write(path, json)
            .map_err(|source| failure(EvaluateError::Io { path: path.clone(), source }))?;
    }
    #[cfg(feature = "page")]
    if let Some(folder) = &args.report {
        write_page(&report, folder)?;
    }
    if args.json {
        print_json(&report)?;
    } else {
        for split in &report.splits {
            print(&format!("{}\n", table(split)))?;
        }
    }
    check(args, &report)
}

#[cfg(feature = "page")]
fn write_page(report: &Report, folder: &std::path::Path) -> Result<(), Failure> {
    let command: Vec<String> = std::env::args().skip(1).collect();
    let html =
        evaluate::page(report, &format!("endcap-model {}", command.join(" "))).map_err(Failure::internal)?;
    let io = |source| failure(EvaluateError::Io { path: folder.to_owned(), source });
    std::fs::create_dir_all(folder).map_err(io)?;
    replace_file(&folder.join("index.html"), html.as_bytes()).map_err(Failure::internal)
}

fn tune(args: &Args, protocol: Protocol, parameters: &mut Parameters) -> Result<(), Failure> {
    /// A round of the search tries every value of every grid once; three rounds nearly always suffice.
    const EXPECTED_SETTINGS: u64 = 120;
    let task = protocol.task(&args.data, Split::Valid).map_err(failure)?;
    let mut progress = Progress::new("tuning on valid", EXPECTED_SETTINGS, Unit::Count);
    let mut tried = 0;
    let tuned = evaluate::tune_knn(&task, &task.cases, &mut |_, _| {
        tried += 1;
        progress.set(tried);
    });
    progress.finish();
    let tuned = tuned.map_err(failure)?;
    parameters.knn = tuned.knn;
    let json = serde_json::to_string(&parameters.knn).map_err(Failure::internal)?;
    let line =
        format!("best of {} settings on valid, MRR@20 {:.4}: {json}\n", tuned.tried, tuned.valid_mrr20);
    if args.json { Ok(()) } else { print(&line) }
}

fn measure(
    args: &Args,
    protocol: Protocol,
    split: Split,
    parameters: &Parameters,
    reader: &mut Option<Reader>,
    seed: u64,
) -> Result<SplitReport, Failure> {
    #[cfg(not(feature = "encoder"))]
    let _ = seed;
    let task = protocol.task(&args.data, split).map_err(failure)?;
    let started = Instant::now();
    let texts = match reader {
        Some(reader) => Some(reader.read(&task.train, parameters.content.as_ref())?),
        None => None,
    };
    let limits = args.linear.limits();
    let recipe = Recipe {
        options: Options { parameters: parameters.clone(), limits, texts, ..Options::default() },
        choose: args.blend.choose(&args.linear),
        rank: args.blend.rank(),
        // A protocol has its own questions.
        keep_back: false,
        #[cfg(feature = "encoder")]
        encoder: args.encoder.recipe(None).map(|mut encoder| {
            encoder.options.seed += seed;
            encoder
        }),
    };
    let mut progress = FitProgress::default();
    let fitted = fit(&task.train, &recipe, &mut |step| progress.tell(step));
    progress.finish();
    let fitted = fitted.map_err(failure)?;
    let trained = fitted.with_encoder(&EncoderForms::default()).map_err(failure)?;
    let model = trained.open().map_err(|e| failure(e.into()))?;
    let train_seconds = started.elapsed().as_secs_f64();
    let unrounded = match fitted.encoder.is_some() && args.methods.contains(&Method::SequenceExact) {
        true => Some(fitted.with_encoder(&UNROUNDED).and_then(|exact| Ok(exact.open()?)).map_err(failure)?),
        false => None,
    };
    let mut progress = Progress::new("ranking", args.methods.len() as u64, Unit::Count);
    let mut rows = Vec::new();
    for (done, &method) in args.methods.iter().enumerate() {
        progress.set(done as u64);
        let asked = match method {
            Method::Sequence => model.encoder().map(|_| &model),
            Method::SequenceExact => unrounded.as_ref(),
            // Without a ranker it is the personal list.
            Method::Blended => model.ranker().map(|_| &model),
            _ => Some(&model),
        };
        let Some(asked) = asked else { continue };
        let baselines = Baselines { ease_lambda: args.ease_lambda, limits };
        match evaluate::evaluate(&task, &task.cases, asked, &[method], &baselines) {
            Ok(mut found) => rows.append(&mut found),
            // A baseline that is too large for the machine is no reason to keep back the others.
            Err(EvaluateError::Train(error @ TrainError::Linear { .. })) => {
                let _ = writeln!(std::io::stderr(), "{} is left out: {error}", method.as_str());
            }
            Err(error) => return Err(failure(error)),
        }
    }
    progress.finish();
    Ok(SplitReport {
        split,
        parameters: trained.manifest.parameters,
        train_events: task.train.events(),
        train_items: task.train.items.len(),
        train_seconds,
        model_bytes: model.bytes(),
        rows,
        #[cfg(feature = "encoder")]
        passes: fitted.learned.iter().flat_map(|[before, _]| &before.passes).map(figures_of).collect(),
        #[cfg(not(feature = "encoder"))]
        passes: Vec::new(),
        runs: Vec::new(),
    })
}

/// An encoder as it was learned.
const UNROUNDED: EncoderForms = EncoderForms { precision: Precision::F32, onnx: false, gguf: false };

#[cfg(feature = "encoder")]
fn figures_of(pass: &crate::encoder::learn::Pass) -> PassFigures {
    PassFigures { pass: pass.pass, loss: pass.loss, ndcg10: pass.ndcg10.unwrap_or_default() }
}

fn table(report: &SplitReport) -> Table {
    let cases = report.rows.first().map_or(0, |row| row.figures.cases);
    let title = format!(
        "{}: {} cases{}, trained on {} events and {} items in {:.1} s, model {} bytes",
        report.split,
        count(cases as u64),
        if report.runs.is_empty() { String::new() } else { format!(", means of {} runs", report.runs.len()) },
        count(report.train_events),
        count(report.train_items as u64),
        report.train_seconds,
        count(report.model_bytes as u64)
    );
    let names: Vec<String> = ["HR", "R", "N", "MRR"]
        .iter()
        .flat_map(|metric| CUTOFFS.iter().map(move |k| format!("{metric}@{k}")))
        .chain(["newR@10", "newR@20", "cover", "popbias", "seconds"].map(str::to_owned))
        .collect();
    let mut columns = vec![("method", Align::Left)];
    columns.extend(names.iter().map(|name| (name.as_str(), Align::Right)));
    let mut table = Table::new(&title, &columns);
    for row in &report.rows {
        let figures = &row.figures;
        let values = [figures.hit_rate, figures.recall, figures.ndcg, figures.mrr].concat().into_iter();
        let rest = [figures.new_recall[1], figures.new_recall[2], figures.coverage];
        let cells = values.chain(rest).map(|value| format!("{value:.4}"));
        let last = [format!("{:.2}", figures.popularity_bias), format!("{:.2}", row.seconds)];
        table.row(std::iter::once(row.method.as_str().to_owned()).chain(cells).chain(last));
    }
    table
}

fn check(args: &Args, report: &Report) -> Result<(), Failure> {
    /// Index of cut-off 20.
    const AT_20: usize = 2;
    for &(split, expected) in &args.expect_mrr20 {
        let split = Split::from(split);
        let rows = report.splits.iter().filter(|found| found.split == split).flat_map(|found| &found.rows);
        let Some(row) = rows.into_iter().find(|row| row.method == Method::Knn) else {
            return Err(failure(EvaluateError::NoCases("--expect-mrr20 needs its split and method knn")));
        };
        let found = row.figures.mrr[AT_20];
        if (found - expected).abs() > args.tolerance {
            let tolerance = args.tolerance;
            return Err(failure(EvaluateError::Unexpected {
                metric: "MRR@20",
                split,
                found,
                expected,
                tolerance,
            }));
        }
        if !args.json {
            print(&format!(
                "{split}: MRR@20 {found:.4}, expected {expected:.4} within {}: ok\n",
                args.tolerance
            ))?;
        }
    }
    Ok(())
}

fn failure(error: EvaluateError) -> Failure {
    match error {
        EvaluateError::Train(error @ (TrainError::Io { .. } | TrainError::Unreadable(_))) => {
            Failure::internal(error)
        }
        error => Failure::bad_input(error),
    }
}

impl From<SplitArg> for Split {
    fn from(split: SplitArg) -> Self {
        match split {
            SplitArg::Valid => Self::Valid,
            SplitArg::Test => Self::Test,
        }
    }
}

fn parse_expectation(text: &str) -> Result<(SplitArg, f64), String> {
    let (split, value) = text.split_once('=').ok_or("give SPLIT=VALUE, such as test=0.34")?;
    let split = <SplitArg as ValueEnum>::from_str(split, false)?;
    Ok((split, value.parse().map_err(|_| format!("`{value}` is not a number"))?))
}
