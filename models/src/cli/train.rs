//! `endcap-model train`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use endcap_core::format::{
    Blend, Card, KnnMatching, KnnParameters, LinearHistory, LinearMethod, LinearParameters, Parameters,
    TogetherParameters, TransitionParameters, TrendingParameters,
};

use super::content::ContentArgs;
use super::fit::{EncoderArgs, FitProgress};
use super::{Failure, command, print, print_json};
use crate::dataset::{Dataset, Source};
#[cfg(feature = "encoder")]
use crate::encoder::learn::LearnError;
use crate::evaluate::EvaluateError;
use crate::fit::{Fitted, Recipe, fit};
use crate::progress::{Progress, Unit};
use crate::report::{Align, Table, count};
use crate::train::{Limits, Log, Options, SESSION_GAP, TrainError, Trained, records};

/// Train the model's sources on a dataset: linear model, session kNN, co-occurrence, trending, popularity.
///
/// Defaults are the published ones of VMIS-kNN. How the sources are blended is chosen on the newest tenth of the
/// sessions, before everything is trained on. A session is the dataset's session; where it has none, a user's events without a pause of 30
/// minutes. Cancellations and dislikes are not learned from.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Dataset made by `endcap-model import`.
    dataset: PathBuf,
    #[command(flatten)]
    visits: VisitArgs,
    /// Folder for the trained parts; replaced if it is one.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Name of the model in answers, logs and metrics.
    #[arg(long, default_value = "endcap", value_parser = parse_name)]
    name: String,
    /// Licence of the data, for the model card.
    #[arg(long, default_value = "")]
    licence: String,
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
    /// Half-life of an event in the trending list, days.
    #[arg(long, default_value_t = 7.0, value_name = "DAYS", value_parser = parse_weight)]
    trending_half_life: f32,
    #[command(flatten)]
    blend: BlendArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Take up an encoder's training that was interrupted, from the checkpoints in --out.
    #[cfg(feature = "encoder")]
    #[arg(long, requires = "encoder")]
    resume: bool,
    /// Learn from every visit. Otherwise one in eighty, of the newest tenth, is kept back: `pack` asks this model and its
    /// successor about them, and refuses a successor that is worse.
    #[arg(long)]
    keep_nothing_back: bool,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Parameters of session kNN; also taken by `evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct KnnArgs {
    /// Which sessions are alike: those that share the last events (VMIS-kNN), for clicks, or most of the whole history, for
    /// baskets. Chosen with the weights, unless something of kNN is given.
    #[arg(id = "knn-matching", long, value_enum, default_value = "recent", value_name = "WHICH")]
    matching: KnnMatchingArg,
    /// m: most recent sessions that share an item.
    #[arg(id = "knn-sample", long, default_value_t = KnnParameters::default().sample, value_name = "M",
          value_parser = clap::value_parser!(u32).range(1..))]
    sample: u32,
    /// k: nearest of those, which vote.
    #[arg(id = "knn-neighbors", long, default_value_t = KnnParameters::default().neighbors, value_name = "K",
          value_parser = clap::value_parser!(u32).range(1..))]
    neighbors: u32,
    /// Last events of the running session that are matched by --knn-matching recent, 1 to 10.
    #[arg(id = "knn-last", long, default_value_t = KnnParameters::default().last_items, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10))]
    last_items: u32,
    /// Exponent on the inverse document frequency; 0 is none.
    #[arg(id = "knn-idf", long, default_value_t = KnnParameters::default().idf_exponent, value_name = "X",
          value_parser = parse_weight)]
    idf_exponent: f32,
    /// Step by which a vote falls with the age of the newest match.
    #[arg(id = "knn-match-decay", long, default_value_t = KnnParameters::default().match_decay, value_name = "STEP",
          value_parser = parse_weight)]
    match_decay: f32,
    /// Exponent by which a vote falls with the neighbour's length; 0 is none.
    #[arg(id = "knn-length", long, default_value_t = KnnParameters::default().length_exponent, value_name = "X",
          value_parser = parse_weight)]
    length_exponent: f32,
    /// Factor per place between an item of a neighbour and its newest match; 1 is none.
    #[arg(long = "knn-distance", default_value_t = KnnParameters::default().distance_factor, value_name = "FACTOR",
          value_parser = parse_weight)]
    distance_factor: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KnnMatchingArg {
    Recent,
    Whole,
}

impl KnnArgs {
    pub(super) fn parameters(&self) -> KnnParameters {
        KnnParameters {
            matching: match self.matching {
                KnnMatchingArg::Recent => KnnMatching::Recent,
                KnnMatchingArg::Whole => KnnMatching::Whole,
            },
            sample: self.sample,
            neighbors: self.neighbors,
            last_items: self.last_items,
            idf_exponent: self.idf_exponent,
            match_decay: self.match_decay,
            length_exponent: self.length_exponent,
            distance_factor: self.distance_factor.clamp(f32::MIN_POSITIVE, 1.0),
        }
    }
}

/// Parameters of co-occurrence; also taken by `evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct TogetherArgs {
    /// Half-life of a co-occurrence, days; 0 is no decay.
    #[arg(id = "together-half-life", long, default_value_t = TogetherParameters::default().half_life_days,
          value_name = "DAYS", value_parser = parse_weight)]
    half_life_days: f32,
    /// Shrinkage of the cosine.
    #[arg(id = "together-shrinkage", long, default_value_t = TogetherParameters::default().shrinkage,
          value_name = "COUNT", value_parser = parse_weight)]
    shrinkage: f32,
    /// Neighbours kept per item.
    #[arg(id = "together-neighbors", long, default_value_t = TogetherParameters::default().neighbors, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    neighbors: u32,
    /// Items of a history that are summed, 1 to 50.
    #[arg(id = "together-history", long, default_value_t = TogetherParameters::default().history, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=50))]
    history: u32,
    /// Factor per position by which older items of a history count less, 0 to 1.
    #[arg(id = "together-decay", long, default_value_t = TogetherParameters::default().position_decay,
          value_name = "FACTOR", value_parser = parse_weight)]
    position_decay: f32,
}

impl TogetherArgs {
    pub(super) fn parameters(&self) -> TogetherParameters {
        TogetherParameters {
            half_life_days: self.half_life_days,
            shrinkage: self.shrinkage,
            neighbors: self.neighbors,
            history: self.history,
            position_decay: self.position_decay.min(1.0),
        }
    }
}

/// Parameters of transition counts; also taken by `evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct TransitionArgs {
    /// Longest gap between two events of a visit that is counted as a transition, weighed by its inverse; 0: no transitions.
    #[arg(id = "transition-gaps", long, default_value_t = TransitionParameters::default().gaps, value_name = "EVENTS",
          value_parser = clap::value_parser!(u32).range(0..=100))]
    gaps: u32,
    /// Successors kept per item: about 3 bytes each in the model.
    #[arg(id = "transition-neighbors", long, default_value_t = TransitionParameters::default().neighbors, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    neighbors: u32,
    /// Half-life of a transition, days; 0 is no decay.
    #[arg(id = "transition-half-life", long, default_value_t = TransitionParameters::default().half_life_days,
          value_name = "DAYS", value_parser = parse_weight)]
    half_life_days: f32,
}

impl TransitionArgs {
    /// `None` where there shall be none.
    pub(super) fn parameters(&self) -> Option<TransitionParameters> {
        (self.gaps > 0).then(|| TransitionParameters {
            gaps: self.gaps,
            neighbors: self.neighbors,
            half_life_days: self.half_life_days,
            ..TransitionParameters::default()
        })
    }
}

/// Parameters of the linear model; also taken by `evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct LinearArgs {
    /// What an item is regressed on: the few items that explain most of it (local), all others (dense: EASE, up to
    /// about 13,000 items in 2 GB), or no linear model (none).
    #[arg(long = "linear-method", value_enum, default_value = "local", value_name = "METHOD")]
    method: LinearMethodArg,
    /// Whose events make a row of the training matrix.
    #[arg(long = "linear-rows", value_enum, default_value = "session", value_name = "WHOSE")]
    rows: LinearRowsArg,
    /// Ridge, above 0: as many rows that say nothing.
    #[arg(long = "linear-lambda", default_value_t = LinearParameters::default().lambda, value_name = "ROWS",
          value_parser = parse_positive)]
    lambda: f32,
    /// Share of inputs taken away in training, 0 to below 1: a ridge in proportion to an item's frequency.
    #[arg(long = "linear-dropout", default_value_t = LinearParameters::default().dropout, value_name = "SHARE",
          value_parser = parse_dropout)]
    dropout: f32,
    /// Items that an item is regressed on by the local method.
    #[arg(long = "linear-regressors", default_value_t = LinearParameters::default().regressors, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=2000))]
    regressors: u32,
    /// Half-life of an event, days; 0 is no decay.
    #[arg(long = "linear-half-life", default_value_t = LinearParameters::default().half_life_days, value_name = "DAYS",
          value_parser = parse_weight)]
    half_life_days: f32,
    /// Weights kept per item of a history, those of largest magnitude: about 3 bytes each in the model.
    #[arg(long = "linear-neighbors", default_value_t = LinearParameters::default().neighbors, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    neighbors: u32,
    /// Items of a history that are summed, 1 to 50.
    #[arg(long = "linear-history", default_value_t = LinearParameters::default().history, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=50))]
    history: u32,
    /// Factor per position by which older items of a history count less, above 0 to 1.
    #[arg(long = "linear-decay", value_name = "FACTOR", value_parser = parse_share)]
    position_decay: Option<f32>,
    /// Memory for training the linear model beside the log, MB; it makes do with less by smaller systems.
    #[arg(long = "linear-memory-mb", default_value_t = Limits::DEFAULT_MEMORY / 1_000_000, value_name = "MB",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    memory_mb: u64,
}

/// Weights of the personal list; also taken by `evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct BlendArgs {
    /// Weight of session kNN in the personal list. Unless one of these weights or --linear-decay is given, all of them are
    /// chosen by what answers best about the newest tenth of the sessions.
    #[arg(long, value_name = "WEIGHT", value_parser = parse_weight)]
    blend_knn: Option<f32>,
    /// Weight of co-occurrence in the personal list.
    #[arg(long, value_name = "WEIGHT", value_parser = parse_weight)]
    blend_together: Option<f32>,
    /// Weight of the linear model in the personal list.
    #[arg(long, value_name = "WEIGHT", value_parser = parse_weight)]
    blend_linear: Option<f32>,
    /// Weight of transition counts in the personal list; 0 by default.
    #[arg(long, value_name = "WEIGHT", value_parser = parse_weight)]
    blend_transitions: Option<f32>,
    /// Weight of the sequence encoder in the personal list; 1 by default.
    #[cfg(feature = "encoder")]
    #[arg(long, value_name = "WEIGHT", value_parser = parse_weight, requires = "encoder")]
    blend_sequence: Option<f32>,
    /// Weight of the history's own items in the personal list, where a request allows them again; 0 by default.
    #[arg(long, value_name = "WEIGHT", value_parser = parse_weight)]
    blend_again: Option<f32>,
    /// Weight of what reads like items that were found, for items without enough events; 1 takes them for as good.
    #[arg(long, value_name = "WEIGHT", value_parser = parse_weight)]
    blend_content: Option<f32>,
    /// Keep the weights' defaults instead of choosing them.
    #[arg(long)]
    blend_default: bool,
    /// Learn no ranker over the sources. One is learned where weights are chosen, and kept where it answers better about
    /// the newest tenth of the sessions.
    #[arg(long)]
    no_ranker: bool,
}

impl BlendArgs {
    /// What is given, and defaults.
    pub(super) fn given(&self, encoder: bool) -> Blend {
        let default = Blend { sequence: if encoder { 1.0 } else { 0.0 }, ..Blend::default() };
        #[cfg(feature = "encoder")]
        let sequence = self.blend_sequence.unwrap_or(default.sequence);
        #[cfg(not(feature = "encoder"))]
        let sequence = default.sequence;
        Blend {
            knn: self.blend_knn.unwrap_or(default.knn),
            together: self.blend_together.unwrap_or(default.together),
            linear: self.blend_linear.unwrap_or(default.linear),
            transitions: self.blend_transitions.unwrap_or(default.transitions),
            sequence,
            again: self.blend_again.unwrap_or(default.again),
            content: self.blend_content.unwrap_or(default.content),
        }
    }

    /// Whether a ranker is learned.
    pub(super) fn rank(&self) -> bool {
        !self.no_ranker
    }

    /// Whether weights are chosen: where none is given.
    pub(super) fn choose(&self, linear: &LinearArgs) -> bool {
        let given = [
            self.blend_knn,
            self.blend_together,
            self.blend_linear,
            self.blend_transitions,
            #[cfg(feature = "encoder")]
            self.blend_sequence,
            self.blend_again,
            self.blend_content,
            linear.position_decay,
        ];
        !self.blend_default && given.iter().all(Option::is_none)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LinearMethodArg {
    Local,
    Dense,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LinearRowsArg {
    Session,
    User,
}

impl From<LinearRowsArg> for LinearHistory {
    fn from(rows: LinearRowsArg) -> Self {
        match rows {
            LinearRowsArg::Session => Self::Session,
            LinearRowsArg::User => Self::User,
        }
    }
}

impl LinearArgs {
    /// `None` where there shall be no linear model.
    pub(super) fn parameters(&self) -> Option<LinearParameters> {
        let method = match self.method {
            LinearMethodArg::Local => LinearMethod::Local,
            LinearMethodArg::Dense => LinearMethod::Dense,
            LinearMethodArg::None => return None,
        };
        Some(LinearParameters {
            method,
            rows: self.rows.into(),
            lambda: self.lambda,
            dropout: self.dropout,
            regressors: self.regressors,
            half_life_days: self.half_life_days,
            neighbors: self.neighbors,
            history: self.history,
            position_decay: self.position_decay.unwrap_or(LinearParameters::default().position_decay),
        })
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { memory: self.memory_mb * 1_000_000, ..Limits::default() }
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let started = Instant::now();
    // Before the log, which may be long: its file may be the wrong one.
    let mut reader = args.content.reader()?;
    let (log, dataset) = read(&args.dataset, &args.visits)?;
    let content = args.content.parameters(reader.as_ref());
    let texts = match &mut reader {
        Some(reader) => Some(reader.read(&log, content.as_ref())?),
        None => None,
    };
    // The name and not the path: a model file should not tell how its maker's disk is laid out.
    let name = |source: &Source| source.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let source = dataset.report().sources.iter().map(name).collect::<Vec<_>>().join(", ");
    #[cfg(feature = "encoder")]
    let encoder = args.encoder.recipe(Some((&args.out, args.resume)));
    #[cfg(feature = "encoder")]
    if encoder.is_some() {
        // Where its checkpoints go.
        std::fs::create_dir_all(&args.out)
            .map_err(|source| failure(TrainError::Io { action: "create", path: args.out.clone(), source }))?;
    }
    let wants_encoder = args.encoder.is_asked_for();
    let recipe = Recipe {
        options: Options {
            name: args.name.clone(),
            parameters: Parameters {
                knn: args.knn.parameters(),
                together: args.together.parameters(),
                trending: TrendingParameters { half_life_days: args.trending_half_life },
                linear: args.linear.parameters(),
                transitions: args.transitions.parameters(),
                content,
                blend: args.blend.given(wants_encoder),
                ..Parameters::default()
            },
            limits: args.linear.limits(),
            texts,
            card: Card {
                source,
                licence: args.licence.clone(),
                commands: vec![command()],
                ..Card::default()
            },
            created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        },
        choose: args.blend.choose(&args.linear),
        rank: args.blend.rank(),
        keep_back: !args.keep_nothing_back,
        #[cfg(feature = "encoder")]
        encoder,
    };
    let mut progress = FitProgress::default();
    let fitted = fit(&log, &recipe, &mut |step| progress.tell(step));
    progress.finish();
    let Fitted { trained, encoder, .. } = fitted.map_err(evaluation)?;
    trained.save(&args.out, encoder.as_ref()).map_err(failure)?;
    if args.json {
        return print_json(&trained.manifest);
    }
    print(&format!(
        "{}\nwrote {}, took {:.1} s\n",
        summary(&trained),
        args.out.display(),
        started.elapsed().as_secs_f64()
    ))
}

/// Reads a dataset's events.
/// What a visit is; also taken by `tune`.
#[derive(Debug, clap::Args)]
pub(super) struct VisitArgs {
    /// Pause that ends a visit of users whose events have no session, minutes; 0: all of a user's events are one visit, for logs
    /// in which people come for one item at a time.
    #[arg(long, default_value_t = SESSION_GAP.as_secs() / 60, value_name = "MINUTES",
          value_parser = clap::value_parser!(u64).range(..=5_256_000))]
    session_gap: u64,
}

/// Share of visits with a single event from which on something is said of them.
const LONELY: f64 = 0.8;

pub(super) fn read(path: &Path, visits: &VisitArgs) -> Result<(Log, Dataset), Failure> {
    let gap =
        Some(visits.session_gap).filter(|&minutes| minutes > 0).map(|gap| Duration::from_secs(60 * gap));
    let dataset = Dataset::open(path).map_err(|e| failure(e.into()))?;
    let mut progress = Progress::new("reading events", dataset.report().rows_kept, Unit::Count);
    let log = records(&dataset, gap, &mut |read| progress.set(read));
    progress.finish();
    let log = log.map_err(failure)?;
    let alone = log.sessions.iter().filter(|session| session.clicks.len() == 1 && session.user.is_some());
    let share = alone.count() as f64 / log.sessions.len().max(1) as f64;
    if gap.is_some() && share > LONELY {
        let share = (share * 100.0).floor();
        let _ = writeln!(
            std::io::stderr(),
            "note: {share} % of the visits have one event; where that is how people come, --session-gap 0 learns from all of a user's"
        );
    }
    Ok((log, dataset))
}

fn summary(trained: &Trained) -> Table {
    let data = &trained.manifest.data;
    let mut table = Table::new("Trained", &[("", Align::Left), ("", Align::Right)]);
    for (what, value) in [
        ("events", data.events),
        ("users", data.users),
        ("items", data.items),
        ("questions kept back", data.questions),
        ("sessions in the kNN index", data.sessions),
    ] {
        table.row([what.to_owned(), count(value)]);
    }
    table.row(["first event".to_owned(), data.first_event.clone()]);
    table.row(["last event".to_owned(), data.last_event.clone()]);
    for (name, body) in &trained.bodies {
        table.row([format!("{name}, bytes"), count(body.len() as u64)]);
    }
    table
}

/// Choosing weights fails as training does.
pub(super) fn evaluation(error: EvaluateError) -> Failure {
    match error {
        EvaluateError::Train(error) => failure(error),
        #[cfg(feature = "encoder")]
        EvaluateError::Learn(error) => learning(error),
        error => Failure::internal(error),
    }
}

#[cfg(feature = "encoder")]
fn learning(error: LearnError) -> Failure {
    let internal = matches!(error, LearnError::Unsaved(_) | LearnError::Weights(_) | LearnError::Tensors(_));
    Failure::new(error, !internal)
}

/// Training fails for the input's sake, unless the system does.
pub(super) fn failure(error: TrainError) -> Failure {
    let internal = matches!(error, TrainError::Io { .. } | TrainError::Unreadable(_));
    Failure::new(error, !internal)
}

fn parse_name(text: &str) -> Result<String, String> {
    let valid = !text.is_empty() && text.len() <= 64 && !text.chars().any(char::is_control);
    if valid {
        Ok(text.to_owned())
    } else {
        Err("give a name of 1 to 64 bytes without control characters".to_owned())
    }
}

pub(super) fn parse_weight(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(weight) if weight.is_finite() && weight >= 0.0 => Ok(weight),
        _ => Err("give a number of at least 0".to_owned()),
    }
}

pub(super) fn parse_positive(text: &str) -> Result<f32, String> {
    parse_weight(text).ok().filter(|value| *value > 0.0).ok_or_else(|| "give a number above 0".to_owned())
}

pub(super) fn parse_share(text: &str) -> Result<f32, String> {
    let share = parse_positive(text).ok().filter(|value| *value <= 1.0);
    share.ok_or_else(|| "give a number above 0, at most 1".to_owned())
}

pub(super) fn parse_dropout(text: &str) -> Result<f32, String> {
    let share = parse_weight(text).ok().filter(|value| *value < 1.0);
    share.ok_or_else(|| "give a number of at least 0 and below 1".to_owned())
}
