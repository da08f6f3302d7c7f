//! `endcap-model pack`.

use std::io::Write;
use std::path::{Path, PathBuf};

use endcap_core::encoder::Precision;
use endcap_core::format::CellParameters;
#[cfg(feature = "ranker")]
use endcap_core::format::section;

use super::gate::GateArgs;
use super::train::{failure, parse_weight};
use super::{Failure, command, print};
use crate::encoder::{CELLS_FROM, EncoderForms, Weights};
use crate::gate::own_ndcg10;
#[cfg(feature = "ranker")]
use crate::inference::{RankerOptions, inspect_ranker};
use crate::report::count;
use crate::staging::replace_file;
use crate::train::{TrainError, Trained};

/// Pack trained parts into one model.wasm.
///
/// The result is opened once, with every digest checked, before it takes the place of --out, and asked questions that `train`
/// kept back, as is the model that it replaces: it must not be worse. What was there stays whole if anything fails.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder made by `endcap-model train`.
    trained: PathBuf,
    /// File to write.
    #[arg(long, value_name = "FILE", default_value = "model.wasm")]
    out: PathBuf,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[cfg(feature = "ranker")]
    #[command(flatten)]
    ranker: RankerArgs,
    #[command(flatten)]
    gate: GateArgs,
    /// Largest file that is written.
    #[arg(long, value_name = "BYTES", default_value_t = 100_000_000)]
    max_bytes: u64,
    /// Print the manifest as one JSON object.
    #[arg(long)]
    json: bool,
}

/// A sequence encoder.
#[derive(Debug, clap::Args)]
struct EncoderArgs {
    /// Weights of another sequence encoder over the model's items than the one that was trained with it, safetensors:
    /// see models/README.md.
    #[arg(long, value_name = "FILE")]
    encoder: Option<PathBuf>,
    /// Forms of the encoder for engines outside, beside the built-in one [default: onnx].
    #[arg(long, value_name = "FORMS", value_delimiter = ',')]
    encoder_forms: Option<Vec<Form>>,
    /// Precision of the built-in form; with int8, the others compute with the same rounded numbers [default: int8].
    #[arg(long, value_name = "PRECISION")]
    encoder_precision: Option<Stored>,
    /// Weight of the encoder in the personal list: by default what was chosen in training, or 1.
    #[arg(long, value_name = "WEIGHT", value_parser = parse_weight)]
    blend_sequence: Option<f32>,
}

/// A form of the encoder for engines outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For wasi-nn with ONNX.
    Onnx,
    /// For wasi-nn with GGML.
    Gguf,
    /// The built-in form alone.
    None,
}

/// How the built-in form is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stored {
    /// 8 bits and a factor a row: a quarter of the size.
    Int8,
    /// As trained.
    F32,
}

/// A foreign ranker.
#[cfg(feature = "ranker")]
#[derive(Debug, clap::Args)]
struct RankerArgs {
    /// An ONNX model that scores a shortlist; its inputs must fit the features in models/README.md.
    #[arg(long, value_name = "FILE")]
    ranker: Option<PathBuf>,
    /// Features in the order of the ranker's columns; all of them by default.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "ranker")]
    ranker_features: Option<Vec<String>>,
    /// The output that is the score; the first that can be by default.
    #[arg(long, value_name = "NAME", requires = "ranker")]
    ranker_output: Option<String>,
}

impl EncoderArgs {
    fn add(&self, trained: &mut Trained, own: Option<Weights>) -> Result<(), Failure> {
        let precision = match self.encoder_precision {
            Some(Stored::Int8) | None => Precision::Int8,
            Some(Stored::F32) => Precision::F32,
        };
        let asked = self.encoder_forms.as_deref().unwrap_or(&[Form::Onnx]);
        let forms =
            EncoderForms { precision, onnx: asked.contains(&Form::Onnx), gguf: asked.contains(&Form::Gguf) };
        let (weights, weight) = match (&self.encoder, own) {
            (Some(path), _) => (Weights::load(path).map_err(Failure::bad_input)?, 1.0),
            (None, Some(own)) => (own, trained.manifest.parameters.blend.sequence),
            (None, None) => return self.check_unused(),
        };
        let weight = self.blend_sequence.unwrap_or(weight);
        // The one that was chosen for it is of the encoder that was trained.
        if let Some(opening) = &mut trained.manifest.parameters.opening
            && (self.encoder.is_some() || self.blend_sequence.is_some())
        {
            opening.blend.sequence = weight;
        }
        if (self.encoder.is_some() || self.blend_sequence.is_some()) && trained.drop_ranker() {
            // Stdout is for the result; where stderr is closed there is nobody to tell.
            let _ = writeln!(
                std::io::stderr(),
                "the learned ranker is left out: it was learned with the encoder and the weights of training"
            );
        }
        if weights.shape.items >= CELLS_FROM {
            let items = weights.shape.items;
            let _ = writeln!(std::io::stderr(), "putting the encoder's {items} items into cells");
        }
        trained.add_encoder(&weights, weight, &forms).map_err(|error| {
            let of = self.encoder.as_deref().unwrap_or(Path::new("the encoder that was trained")).display();
            Failure::bad_input(anyhow::anyhow!("{of}: {error}"))
        })?;
        if let Some(CellParameters { asked, recall }) = &trained.manifest.parameters.cells {
            let percent = 100.0 * recall;
            let _ = writeln!(
                std::io::stderr(),
                "a history is answered from {asked} of them, with {percent:.1} % of the best 10 items"
            );
        }
        Ok(())
    }

    /// Nothing is said of an encoder that is not there.
    fn check_unused(&self) -> Result<(), Failure> {
        let given = [
            ("--encoder-forms", self.encoder_forms.is_some()),
            ("--encoder-precision", self.encoder_precision.is_some()),
            ("--blend-sequence", self.blend_sequence.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(Failure::bad_input(anyhow::anyhow!(
                "{option} is given, but there is no encoder to pack; train one with `endcap-model train --encoder`, or give \
                 its weights with --encoder FILE"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(feature = "ranker")]
impl RankerArgs {
    fn add(&self, trained: &mut Trained) -> Result<(), Failure> {
        let Some(path) = &self.ranker else { return Ok(()) };
        let at = |error: anyhow::Error| Failure::bad_input(anyhow::anyhow!("{}: {error}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| at(error.into()))?;
        let options =
            RankerOptions { columns: self.ranker_features.clone(), output: self.ranker_output.clone() };
        let items = trained.manifest.data.items as usize;
        let spec = inspect_ranker(&bytes, items, &options).map_err(|error| at(error.into()))?;
        trained.drop_ranker();
        trained.bodies.push((section::RANKER_ONNX, bytes));
        trained.manifest.parameters.ranker = Some(spec);
        Ok(())
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (mut trained, encoder) = Trained::load(&args.trained).map_err(failure)?;
    args.encoder.add(&mut trained, encoder)?;
    #[cfg(feature = "ranker")]
    args.ranker.add(&mut trained)?;
    trained.manifest.card.commands.push(command());
    let model = trained.open().map_err(failure)?;
    let compared = args.gate.check(&model, &args.out)?;
    if let Some(ndcg10) = own_ndcg10(&model) {
        trained.manifest.card.metrics.insert("kept_back_ndcg@10".to_owned(), ndcg10);
    }
    let bytes = trained.pack().map_err(failure)?;
    if bytes.len() as u64 > args.max_bytes {
        return Err(failure(TrainError::TooLarge {
            bytes: bytes.len() as u64,
            limit: args.max_bytes,
            help: "train with smaller --knn-sample or --together-neighbors, or allow more",
        }));
    }
    replace_file(&args.out, &bytes).map_err(Failure::internal)?;
    if args.json {
        // Stdout is one object; where stderr is closed there is nobody to tell.
        let _ = write!(std::io::stderr(), "{compared}");
        return super::inspect::print_manifest(&bytes, &args.out);
    }
    print(&format!("{compared}packed {} bytes into {}\n", count(bytes.len() as u64), args.out.display()))
}
