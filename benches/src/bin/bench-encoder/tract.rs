//! The same encoder as ONNX on tract.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use endcap_core::format::Model;
use endcap_core::topn::TopN;
use endcap_nn::{Context, Device, Encoding, Engine, Key, Limits, Registry, Tensor};

/// Items of an answer, as in `encoder-loop`.
const N: usize = 20;

/// The encoder on tract.
pub(crate) struct Tract<'m> {
    model: &'m Model,
    context: Context,
}

impl<'m> Tract<'m> {
    pub(crate) fn load(model: &'m Model) -> anyhow::Result<Self> {
        let onnx = model.encoder_onnx().context("the model has no ONNX")?;
        let engine = Engine::new(Limits::default(), Registry::default());
        let context = engine.load(&[onnx], Encoding::Onnx, Device::Cpu)?.context()?;
        Ok(Self { model, context })
    }

    /// Nanoseconds for a user vector over the histories of `encoder-loop`, and the best items of the last. Not filled
    /// up to a longer length: the plan of exactly this length, tract's best case.
    pub(crate) fn run(&mut self, runs: u32, items: usize) -> anyhow::Result<(f64, String)> {
        for number in 0..runs / 10 {
            self.history(number, items)?;
        }
        let mut total = Duration::ZERO;
        let mut user = Vec::new();
        for number in 0..runs {
            let (took, vector) = self.history(number, items)?;
            total += took;
            user = vector;
        }
        Ok((total.as_nanos() as f64 / f64::from(runs), self.best(&user)?))
    }

    fn history(&mut self, number: u32, items: usize) -> anyhow::Result<(Duration, Vec<f32>)> {
        let all = self.model.items().len() as i64;
        let history: Vec<i64> =
            (0..items as i64).map(|at| (i64::from(number) * 11 + at * 37) % all).collect();
        let history = Tensor::i64(&[1, items as u32], &history);
        let length = Tensor::i64(&[1], &[items as i64]);
        let begun = Instant::now();
        self.context.set_input(Key::Index(0), history.view())?;
        self.context.set_input(Key::Index(1), length.view())?;
        self.context.compute()?;
        let user = self.context.output(Key::Index(0))?;
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
