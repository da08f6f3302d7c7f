//! Which models of the file serve, on what, and why one does not.
//!
//! A model that does not load or does not answer never stops the service: the list is then that of the other
//! sources, the answer says `model_unavailable`, and log, `/v1/model` and `/metrics` say why.

#[cfg(all(target_os = "wasi", feature = "nn-witx"))]
mod witx;
#[cfg(all(target_os = "wasi", feature = "nn-witx"))]
pub use witx::Witx;

use endcap_core::format::Model;
use endcap_core::inference::{Encoding, Engine, Graph, InferenceError, Ranker, Runtime, SequenceEncoder};
use serde_json::{Value, json};

/// What may run the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The first that works: ONNX, GGML, the built-in executor.
    #[default]
    Auto,
    /// This and no other.
    Only(Engine),
    /// Nothing: retrieval alone.
    Off,
}

impl Choice {
    /// The choice of this word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "off" => Some(Self::Off),
            _ => Engine::ALL.into_iter().find(|engine| engine.as_str() == word).map(Self::Only),
        }
    }

    /// The choice for a later model of the same process. What engines outside have loaded stays until that ends, as nothing
    /// that every host has would free it: they are asked again only where that was ordered.
    pub fn again(self) -> Self {
        if self == Self::Auto { Self::Only(Engine::Builtin) } else { self }
    }

    fn allows(self, engine: Engine) -> bool {
        match self {
            Self::Auto => true,
            Self::Only(only) => only == engine,
            Self::Off => false,
        }
    }
}

/// A model of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The sequence encoder.
    Encoder,
    /// The ranker.
    Ranker,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Encoder, Self::Ranker];

    /// Its word in answers, log and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Ranker => "ranker",
        }
    }
}

/// The models that serve.
#[derive(Debug, Default)]
pub struct Inference {
    /// The adapter to the engines outside, `none` where there is none.
    pub runtime: Option<&'static str>,
    /// The encoder, if it serves.
    pub encoder: Option<SequenceEncoder>,
    /// The ranker, if it serves: a learned one on the built-in executor, unless another engine is asked for; others as ONNX.
    pub ranker: Option<Ranker>,
    /// What the file has and does not serve, and engines that were tried in vain for what does serve.
    pub degraded: Vec<Degraded>,
    /// What the file has and the settings do not switch off.
    expected: Vec<Part>,
}

/// Why something of the file is not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Degraded {
    /// What.
    pub part: Part,
    /// On what it was to run.
    pub engine: Engine,
    /// Why it does not.
    pub error: InferenceError,
}

impl Degraded {
    /// The kind of reason, for metrics: a message would make a label of whatever a runtime says.
    pub fn reason(&self) -> &'static str {
        match self.error {
            InferenceError::Absent { .. } => "absent",
            InferenceError::NoRuntime => "no_runtime",
            InferenceError::Load { .. } => "not_loaded",
            InferenceError::Compute { .. } => "failed",
            InferenceError::Output { .. } | InferenceError::NotFinite { .. } => "bad_output",
            InferenceError::Spec(_) => "bad_specification",
        }
    }
}

impl Inference {
    /// Loads what the file has, with the engines that this process may ask.
    pub fn of_process(model: &Model, choice: Choice) -> Self {
        #[cfg(all(target_os = "wasi", feature = "nn-witx"))]
        return Self::load(model, choice, Some(&mut Witx));
        #[cfg(not(all(target_os = "wasi", feature = "nn-witx")))]
        Self::load(model, choice, None)
    }

    /// Loads what the file has. Nothing here fails: what does not load is listed.
    pub fn load(model: &Model, choice: Choice, mut runtime: Option<&mut dyn Runtime>) -> Self {
        let mut loaded = Self { runtime: runtime.as_deref().map(Runtime::name), ..Self::default() };
        if choice == Choice::Off {
            return loaded;
        }
        if model.encoder().is_some() {
            loaded.expected.push(Part::Encoder);
            for engine in Engine::ALL.into_iter().filter(|&engine| choice.allows(engine)) {
                match encoder(model, engine, &mut runtime) {
                    Ok(encoder) => {
                        loaded.encoder = Some(encoder);
                        break;
                    }
                    // A form that the file does not have is worth a word only where it was asked for.
                    Err(InferenceError::Absent { .. } | InferenceError::NoRuntime)
                        if choice == Choice::Auto => {}
                    Err(error) => loaded.degraded.push(Degraded { part: Part::Encoder, engine, error }),
                }
            }
        }
        // A network so small takes less here than the call of an engine outside.
        let (engine, found) = match (model.ranker(), model.ranker_onnx()) {
            (None, None) => return loaded,
            (Some((weights, spec)), _) if choice != Choice::Only(Engine::Onnx) => {
                (Engine::Builtin, Ranker::builtin(weights, spec.clone()).map_err(InferenceError::from))
            }
            (_, Some(bytes)) => (Engine::Onnx, ranker(model, bytes, &mut runtime)),
            (Some(_), None) => (Engine::Onnx, Err(InferenceError::Absent { what: "ranker as onnx" })),
        };
        loaded.expected.push(Part::Ranker);
        match found.and_then(tried) {
            Ok(ranker) => loaded.ranker = Some(ranker),
            Err(error) => loaded.degraded.push(Degraded { part: Part::Ranker, engine, error }),
        }
        loaded
    }

    /// What runs `part`, if it serves.
    pub fn engine(&self, part: Part) -> Option<Engine> {
        match part {
            Part::Encoder => self.encoder.as_ref().map(SequenceEncoder::engine),
            Part::Ranker => self.ranker.as_ref().map(Ranker::engine),
        }
    }

    /// For the log and `/v1/model`.
    pub fn to_json(&self) -> Value {
        let engine = |part| self.engine(part).map(Engine::as_str);
        let degraded = self.degraded.iter().map(|degraded| {
            json!({
                "model": degraded.part.as_str(),
                "engine": degraded.engine.as_str(),
                "reason": degraded.error.to_string(),
            })
        });
        json!({
            "runtime": self.runtime,
            "encoder": engine(Part::Encoder),
            "ranker": engine(Part::Ranker),
            "degraded": degraded.collect::<Vec<_>>(),
        })
    }

    /// Whether the file has `part` and `ENDCAP_INFERENCE` lets it serve.
    pub fn is_expected(&self, part: Part) -> bool {
        self.expected.contains(&part)
    }

    /// Whether the file has `part` and it does not serve.
    pub fn is_missing(&self, part: Part) -> bool {
        self.engine(part).is_none() && self.degraded.iter().any(|degraded| degraded.part == part)
    }
}

type MaybeRuntime<'a, 'r> = &'a mut Option<&'r mut dyn Runtime>;

fn graph(
    runtime: MaybeRuntime<'_, '_>,
    bytes: &[u8],
    encoding: Encoding,
) -> Result<Box<dyn Graph>, InferenceError> {
    runtime.as_mut().ok_or(InferenceError::NoRuntime)?.load(bytes, encoding)
}

fn encoder(
    model: &Model,
    engine: Engine,
    runtime: MaybeRuntime<'_, '_>,
) -> Result<SequenceEncoder, InferenceError> {
    let weights = model.encoder().ok_or(InferenceError::Absent { what: "encoder weights" })?;
    let mut loaded = match engine {
        Engine::Builtin => SequenceEncoder::builtin(&weights),
        Engine::Onnx => {
            let bytes = model.encoder_onnx().ok_or(InferenceError::Absent { what: "encoder as onnx" })?;
            SequenceEncoder::on_graph(graph(runtime, bytes, Encoding::Onnx)?, Encoding::Onnx)
        }
        Engine::Ggml => {
            let bytes = model.encoder_gguf().ok_or(InferenceError::Absent { what: "encoder as gguf" })?;
            SequenceEncoder::on_graph(graph(runtime, bytes, Encoding::Ggml)?, Encoding::Ggml)
        }
    };
    // A model that loads need not compute: one answer now rather than a failure with the first shopper. It also
    // makes the engine prepare its plan for short histories.
    loaded.propose(&weights, &[0])?;
    Ok(loaded)
}

fn ranker(model: &Model, bytes: &[u8], runtime: MaybeRuntime<'_, '_>) -> Result<Ranker, InferenceError> {
    let spec = model.manifest().parameters.ranker.clone();
    let spec = spec.ok_or(InferenceError::Absent { what: "specification of its ranker" })?;
    Ok(Ranker::new(graph(runtime, bytes, Encoding::Onnx)?, spec)?)
}

/// A ranker that has answered once.
fn tried(mut ranker: Ranker) -> Result<Ranker, InferenceError> {
    let features = vec![0.0; ranker.columns().len()];
    ranker.score(&features, std::iter::once(0), &[0])?;
    Ok(ranker)
}
