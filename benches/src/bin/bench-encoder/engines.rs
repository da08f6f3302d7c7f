//! The same encoder on the engines of the plugin: natively, and by a guest of WasmEdge through the plugin.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use endcap_benches::machine;
use endcap_core::format::Model;
use endcap_core::inference::FIRST_ITEM_TOKEN;
use endcap_core::topn::TopN;
use endcap_nn::{Context, Device, Encoding, Engine, Key, Limits, Registry, Tensor};

/// Items of an answer, as in `encoder-loop`.
const N: usize = 20;
/// Seconds of a run through the plugin.
const SECONDS: f64 = 0.5;

/// A form of the encoder, and the engine that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// ONNX, on tract.
    Onnx,
    /// GGUF, on llama.cpp.
    Gguf,
}

impl Form {
    pub(crate) const ALL: [Self; 2] = [Self::Onnx, Self::Gguf];

    pub(crate) fn engine(self) -> &'static str {
        match self {
            Self::Onnx => "tract",
            Self::Gguf => "llama.cpp",
        }
    }

    fn encoding(self) -> (Encoding, &'static str) {
        match self {
            Self::Onnx => (Encoding::Onnx, "onnx"),
            Self::Gguf => (Encoding::Ggml, "ggml"),
        }
    }

    fn bytes(self, model: &Model) -> anyhow::Result<&[u8]> {
        match self {
            Self::Onnx => model.encoder_onnx(),
            Self::Gguf => model.encoder_gguf(),
        }
        .with_context(|| format!("the model has no form for {}", self.engine()))
    }
}

/// The history with this number, as in `encoder-loop`.
fn history(number: u32, length: usize, items: u32) -> Vec<u32> {
    (0..length as u32).map(|at| (number * 11 + at * 37) % items).collect()
}

/// The encoder on an engine, in this process.
pub(crate) struct Native<'m> {
    model: &'m Model,
    form: Form,
    context: Context,
}

impl<'m> Native<'m> {
    pub(crate) fn load(model: &'m Model, form: Form) -> anyhow::Result<Self> {
        let engine = Engine::new(Limits::default(), Registry::default());
        let context = engine.load(&[form.bytes(model)?], form.encoding().0, Device::Cpu)?.context()?;
        Ok(Self { model, form, context })
    }

    /// Nanoseconds for a user vector over the histories of `encoder-loop`, the vector of the first, and the best items of
    /// the last. Not filled up to a longer length: the plan of exactly this length, tract's best case.
    pub(crate) fn run(&mut self, runs: u32, length: usize) -> anyhow::Result<(f64, Vec<f32>, String)> {
        for number in 0..runs / 10 {
            self.ask(number, length)?;
        }
        let mut total = Duration::ZERO;
        let (mut first, mut user) = (None, Vec::new());
        for number in 0..runs {
            let (took, vector) = self.ask(number, length)?;
            total += took;
            first.get_or_insert_with(|| vector.clone());
            user = vector;
        }
        let best = self.best(&user)?;
        Ok((total.as_nanos() as f64 / f64::from(runs), first.unwrap_or_default(), best))
    }

    fn ask(&mut self, number: u32, length: usize) -> anyhow::Result<(Duration, Vec<f32>)> {
        let history = history(number, length, self.model.items().len() as u32);
        let (inputs, output) = match self.form {
            Form::Onnx => {
                let items: Vec<i64> = history.into_iter().map(i64::from).collect();
                let items = Tensor::i64(&[1, length as u32], &items);
                (vec![items, Tensor::i64(&[1], &[length as i64])], 0)
            }
            Form::Gguf => {
                let tokens: Vec<i32> =
                    history.into_iter().map(|item| item as i32 + FIRST_ITEM_TOKEN).collect();
                let metadata = br#"{"embedding":true,"threads":1}"#;
                (vec![Tensor::i32(&[length as u32], &tokens), Tensor::u8(metadata)], 2)
            }
        };
        let begun = Instant::now();
        for (index, input) in (0..).zip(&inputs) {
            self.context.set_input(Key::Index(index), input.view())?;
        }
        self.context.compute()?;
        let user = self.context.output(Key::Index(output))?;
        let took = begun.elapsed();
        Ok((took, user.to_tensor().to_f32().context("the user vector is not f32")?))
    }

    fn best(&self, user: &[f32]) -> anyhow::Result<String> {
        let weights = self.model.encoder().context("the model has no encoder")?;
        let mut scores = vec![0.0; weights.output.items()];
        weights.output.score_all(user, &mut scores);
        let mut top = TopN::default();
        top.reset(N);
        for (&score, item) in scores.iter().zip(0..) {
            top.push(score, item);
        }
        let items: Vec<String> = top.finish().iter().map(|(_, item)| item.to_string()).collect();
        Ok(items.join(","))
    }
}

/// The encoder on an engine behind the plugin, asked by the plugin's probe, a guest that is compiled ahead of time.
pub(crate) struct Plugged {
    wasmedge: PathBuf,
    plugin: PathBuf,
    probe: PathBuf,
    folder: PathBuf,
    items: usize,
}

impl Plugged {
    /// Writes the forms of the encoder of `model` into `folder`.
    pub(crate) fn new(wasmedge: &Path, model: &Model, folder: &Path) -> anyhow::Result<Self> {
        for form in Form::ALL {
            let file = folder.join(form.encoding().1);
            std::fs::write(&file, form.bytes(model)?)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(Self {
            wasmedge: wasmedge.to_owned(),
            plugin: machine::from_env("ENDCAP_WASMEDGE_PLUGIN")?,
            probe: machine::from_env("ENDCAP_NN_PROBE")?,
            folder: folder.to_owned(),
            items: model.items().len(),
        })
    }

    /// Nanoseconds for a user vector as a guest sees it, the median chunk, and the vector of the first history. With ONNX the history is
    /// filled up to the next of a few lengths, as by the service.
    pub(crate) fn run(&self, form: Form, length: usize) -> anyhow::Result<(f64, Vec<f32>)> {
        let encoding = form.encoding().1;
        let mut command = Command::new(&self.wasmedge);
        command.env("WASMEDGE_PLUGIN_PATH", &self.plugin);
        command.arg("--dir").arg(format!(".:{}:readonly", self.folder.display())).arg(&self.probe);
        command.args(["encoder", encoding, encoding]);
        command.args([length, self.items].map(|number| number.to_string())).arg(SECONDS.to_string());
        let output = command.output().context("cannot start WasmEdge")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().find(|line| line.starts_with('{'));
        let line = line.filter(|_| output.status.success()).with_context(|| {
            format!("the probe: {}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr))
        })?;
        let told: serde_json::Value = serde_json::from_str(line)?;
        let nanos = told["median_ns"].as_f64().context("the probe tells no time")?;
        let user = told["user"].as_array().context("the probe tells no vector")?;
        Ok((nanos, user.iter().filter_map(|value| Some(value.as_f64()? as f32)).collect()))
    }
}
