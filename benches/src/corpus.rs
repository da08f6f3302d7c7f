//! Real sessions and the models trained on them.
//!
//! | corpus | sessions | from |
//! |---|---|---|
//! | example | Serenade's example, training part: clicks by session, ordered by time | `serenade/train.txt.gz` |
//! | invoices | Online Retail, five-core: whole invoices in file order | `online_retail/unisrec_protocol/or_5core_fileorder.txt.gz` |
//!
//! The sessions that train a model are also the traffic: a bench asks how fast, not how well.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use endcap_core::format::{
    ItemRecord, KnnMatching, KnnParameters, LinearParameters, Model, Parameters, Verify,
};
use endcap_core::recommend::Strategy;
use endcap_core::{AlignedBytes, ItemIx};
use endcap_models::train::{Log, LogBuilder, Options, train};

/// Which sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Corpus {
    /// Serenade's example.
    Example,
    /// Online Retail's invoices.
    Invoices,
}

impl Corpus {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Example, Self::Invoices];

    /// Its name in tables and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Example => "example",
            Self::Invoices => "invoices",
        }
    }

    /// Reads the sessions below `data`.
    ///
    /// # Errors
    /// Where the file is missing or not in its form.
    pub fn read(self, data: &Path) -> anyhow::Result<Log> {
        let path = data.join(match self {
            Self::Example => "serenade/train.txt.gz",
            Self::Invoices => "online_retail/unisrec_protocol/or_5core_fileorder.txt.gz",
        });
        let mut builder = LogBuilder::new();
        let context = || format!("{} (ENDCAP_DATA names the folder of the data)", path.display());
        let file = File::open(&path).with_context(context)?;
        let lines = BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines();
        for (number, line) in (1_u32..).zip(lines) {
            let line = line.with_context(context)?;
            let parsed = match self {
                Self::Example if number == 1 => Some(()),
                Self::Example => click(&mut builder, &line)?,
                Self::Invoices => invoice(&mut builder, number, &line)?,
            };
            ensure!(parsed.is_some(), "{}: line {number} is not in the expected form", path.display());
        }
        let bare = |id: &str| ItemRecord { id: id.to_owned(), price: f32::NAN, ..ItemRecord::default() };
        Ok(builder.finish(bare, [])?)
    }
}

/// `SessionId<TAB>ItemId<TAB>Time`, in seconds. `None` where it is not that.
fn click(builder: &mut LogBuilder, line: &str) -> anyhow::Result<Option<()>> {
    let mut fields = line.trim_end().split('\t');
    let (Some(session), Some(item), Some(time)) = (fields.next(), fields.next(), fields.next()) else {
        return Ok(None);
    };
    let Ok(seconds) = time.parse::<f64>() else { return Ok(None) };
    builder.push(None, Some(session), item, (seconds * 1e6) as i64, 1.0)?;
    Ok(Some(()))
}

/// `invoice<TAB>item item ...`. Lines come in the order of their invoices: their number stands for time.
fn invoice(builder: &mut LogBuilder, number: u32, line: &str) -> anyhow::Result<Option<()>> {
    let Some((invoice, items)) = line.split_once('\t') else { return Ok(None) };
    for item in items.split_ascii_whitespace() {
        builder.push(None, Some(invoice), item, i64::from(number) * 1_000_000, 1.0)?;
    }
    Ok(Some(()))
}

/// Parameters of session kNN that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Setting {
    /// m = 500, k = 50, last 2 items.
    Small,
    /// m = 1502, k = 288, last 4 items: the published choice for the example.
    Large,
}

impl Setting {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// Its name in tables and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Small => "m500-k50-last2",
            Self::Large => "m1502-k288-last4",
        }
    }

    /// The parameters.
    pub fn knn(self) -> KnnParameters {
        let (sample, neighbors, last_items) = match self {
            Self::Small => (500, 50, 2),
            Self::Large => (1502, 288, 4),
        };
        KnnParameters { sample, neighbors, last_items, ..KnnParameters::default() }
    }
}

/// Name in tables and files of what [`Prepared::make_linear`] makes.
pub const LINEAR: &str = "linear";

/// Name in tables and files of what [`Prepared::make_whole`] makes.
pub const WHOLE: &str = "whole";

/// A trained, packed and opened model with its sessions.
#[derive(Debug)]
pub struct Prepared {
    /// The model, opened as the service opens it.
    pub model: Model,
    /// Where it was written.
    pub file: PathBuf,
    /// Items by session in the model's numbers, repetitions included, oldest first.
    pub sessions: Vec<Vec<ItemIx>>,
}

impl Prepared {
    /// Trains on `log` and writes `folder/NAME.wasm`. Always anew: a kept file could be of older code.
    ///
    /// # Errors
    /// Where training fails or the file cannot be written.
    pub fn make(corpus: Corpus, setting: Setting, log: &Log, folder: &Path) -> anyhow::Result<Self> {
        let parameters = Parameters { knn: setting.knn(), ..Parameters::default() };
        Self::with(format!("{}-{}", corpus.as_str(), setting.as_str()), parameters, log, folder)
    }

    /// As [`Self::make`], with the linear model at its default setting: [`Self::strategy`] is then that.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn make_linear(corpus: Corpus, log: &Log, folder: &Path) -> anyhow::Result<Self> {
        let parameters = Parameters { linear: Some(LinearParameters::default()), ..Parameters::default() };
        Self::with(format!("{}-{LINEAR}", corpus.as_str()), parameters, log, folder)
    }

    /// As [`Self::make`], with session kNN by whole histories, m 1502 and k 288.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn make_whole(corpus: Corpus, log: &Log, folder: &Path) -> anyhow::Result<Self> {
        let knn = KnnParameters { matching: KnnMatching::Whole, ..Setting::Large.knn() };
        let parameters = Parameters { knn, ..Parameters::default() };
        Self::with(format!("{}-{WHOLE}", corpus.as_str()), parameters, log, folder)
    }

    /// What a bench asks for: the linear model where there is one, else session kNN.
    pub fn strategy(&self) -> Strategy {
        if self.model.linear().is_some() { Strategy::Linear } else { Strategy::Session }
    }

    fn with(name: String, parameters: Parameters, log: &Log, folder: &Path) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let options = Options { name: name.clone(), parameters, ..Options::default() };
        let bytes = train(log, &options, &mut |_| {})?.pack()?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let file = folder.join(name).with_extension("wasm");
        std::fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
        let model = Model::open(AlignedBytes::copy_from(&bytes), Verify::Fast)?;
        eprintln!(
            "trained {} in {:.1} s: {} items, {} sessions in the index, {} bytes",
            file.display(),
            begun.elapsed().as_secs_f64(),
            model.items().len(),
            model.sessions().sessions(),
            model.bytes()
        );
        let items = |session: &endcap_models::train::Session| session.clicks.iter().map(|c| c.item).collect();
        Ok(Self { model, file, sessions: log.sessions.iter().map(items).collect() })
    }
}
