//! The metadata of WasmEdge's GGML engine: JSON that comes with a model or as input 1.
//!
//! Keys, types and defaults are those of WasmEdge 0.14.1. A key that is not known is ignored, as there; a known key
//! of another type, or with a value out of range, is an error that names it.

mod fields;

use fields::{Fields, wrong};

use super::log::Echo;
use crate::{Limits, NnError};

/// Bytes of metadata: the longest field is a stop string; a kilobyte is much.
const MAX_METADATA_BYTES: usize = 64 << 10;
/// Threads of one context: more than the largest edge node has. Above the machine's own they only wait.
const MAX_THREADS: u64 = 256;
/// Penalties and temperatures in use are below 10; single precision overflows far above this.
const MAX_FACTOR: f64 = 1e4;
/// GPUs that llama.cpp knows at once.
const MAX_GPUS: usize = 16;

/// What the metadata say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Config {
    pub(super) echo: Echo,
    pub(super) embedding: bool,
    /// What a vector is made of; `None`: what the file says, else the last token.
    pub(super) pooling: Option<Pool>,
    /// Tokens of a text at most; `None`: until it ends or the context is full.
    pub(super) n_predict: Option<u64>,
    /// Ends a text; empty: none.
    pub(super) stop: String,
    /// How the model is loaded; fixed from then on.
    pub(super) model: ModelConfig,
    /// Tokens of the context; 0: what the model was trained on.
    pub(super) ctx_size: u32,
    pub(super) batch_size: u32,
    pub(super) ubatch_size: u32,
    pub(super) threads: i32,
    pub(super) sampling: Sampling,
}

/// What a vector may be asked to be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    This(Pooling),
    /// What the file says, else the mean: for files of which nothing is known but that texts shall be compared by them.
    Auto,
}

/// Which hidden states a vector is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The last token's: it has seen all others in a decoder.
    Last,
    /// The mean of all.
    Mean,
    /// The first token's, which stands for the text in some encoders.
    First,
}

/// How the model is loaded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ModelConfig {
    /// `None`: as the device says.
    pub(super) n_gpu_layers: Option<i32>,
    pub(super) main_gpu: i32,
    pub(super) tensor_split: Vec<f32>,
    pub(super) use_mmap: bool,
}

/// How the next token is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sampling {
    /// 0: the likeliest token.
    pub(super) temperature: f32,
    /// 0: all tokens.
    pub(super) top_k: usize,
    pub(super) top_p: f32,
    pub(super) min_p: f32,
    pub(super) repeat_penalty: f32,
    pub(super) presence_penalty: f32,
    pub(super) frequency_penalty: f32,
    /// `None`: another one each time.
    pub(super) seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            echo: Echo::Nothing,
            embedding: false,
            pooling: None,
            n_predict: Some(512),
            stop: String::new(),
            model: ModelConfig { n_gpu_layers: None, main_gpu: 0, tensor_split: Vec::new(), use_mmap: true },
            ctx_size: 512,
            batch_size: 2048,
            ubatch_size: 512,
            // Not WasmEdge's 4: the cores of a node that serves belong to requests, and a model with small layers
            // is slower on several.
            threads: 1,
            sampling: Sampling {
                temperature: 0.8,
                top_k: 40,
                top_p: 0.95,
                min_p: 0.05,
                repeat_penalty: 1.0,
                presence_penalty: 0.0,
                frequency_penalty: 0.0,
                seed: None,
            },
        }
    }
}

impl Config {
    /// This, with what `json` says instead.
    pub(super) fn with(&self, json: &str, limits: &Limits) -> Result<Self, NnError> {
        if json.len() > MAX_METADATA_BYTES {
            return Err(NnError::Limit {
                what: "metadata bytes",
                found: json.len() as u64,
                limit: MAX_METADATA_BYTES as u64,
            });
        }
        let fields = Fields::parse(json)?;
        fields.refuse_unsupported()?;
        let mut config = self.clone();
        config.take_engine(&fields)?;
        config.take_context(&fields, limits)?;
        config.model.take(&fields)?;
        config.sampling.take(&fields)?;
        Ok(config)
    }

    fn take_engine(&mut self, fields: &Fields) -> Result<(), NnError> {
        let (info, debug) = (fields.bool("enable-log")?, fields.bool("enable-debug-log")?);
        self.echo = match (info.unwrap_or(self.echo >= Echo::Info), debug.unwrap_or(self.echo == Echo::Debug))
        {
            (_, true) => Echo::Debug,
            (true, false) => Echo::Info,
            (false, false) => Echo::Nothing,
        };
        // The host's standard output is not the guest's to write to; its text is in output 0 all the same.
        fields.bool("stream-stdout")?;
        if let Some(embedding) = fields.bool("embedding")? {
            self.embedding = embedding;
        }
        match fields.text("pooling")? {
            None => {}
            Some("auto") => self.pooling = Some(Pool::Auto),
            Some("last") => self.pooling = Some(Pool::This(Pooling::Last)),
            Some("mean") => self.pooling = Some(Pool::This(Pooling::Mean)),
            Some("cls") => self.pooling = Some(Pool::This(Pooling::First)),
            Some(other) => {
                return Err(wrong("pooling", &format!("`{other}` is none of auto, last, mean, cls")));
            }
        }
        if let Some(tokens) = fields.integer("n-predict", -1..=i64::from(u32::MAX))? {
            self.n_predict = u64::try_from(tokens).ok();
        }
        if let Some(stop) = fields.text("reverse-prompt")? {
            stop.clone_into(&mut self.stop);
        }
        Ok(())
    }

    fn take_context(&mut self, fields: &Fields, limits: &Limits) -> Result<(), NnError> {
        let sizes = 0..=i64::from(i32::MAX);
        if let Some(tokens) = fields.integer("ctx-size", sizes.clone())? {
            self.ctx_size = tokens as u32;
        }
        if self.ctx_size > limits.tokens {
            return Err(NnError::Limit {
                what: "ctx-size",
                found: self.ctx_size.into(),
                limit: limits.tokens.into(),
            });
        }
        if let Some(tokens) = fields.integer("batch-size", 1..=*sizes.end())? {
            self.batch_size = tokens as u32;
        }
        if let Some(tokens) = fields.integer("ubatch-size", 1..=*sizes.end())? {
            self.ubatch_size = tokens as u32;
        }
        if let Some(threads) = fields.integer("threads", 1..=MAX_THREADS as i64)? {
            self.threads = threads as i32;
        }
        Ok(())
    }
}

impl ModelConfig {
    fn take(&mut self, fields: &Fields) -> Result<(), NnError> {
        if let Some(layers) = fields.integer("n-gpu-layers", -1..=i64::from(i32::MAX))? {
            self.n_gpu_layers = Some(layers as i32);
        }
        if let Some(gpu) = fields.integer("main-gpu", 0..=MAX_GPUS as i64 - 1)? {
            self.main_gpu = gpu as i32;
        }
        if let Some(split) = fields.text("tensor-split")? {
            self.tensor_split = parse_split(split)?;
        }
        if let Some(map) = fields.bool("use-mmap")? {
            self.use_mmap = map;
        }
        Ok(())
    }
}

impl Sampling {
    fn take(&mut self, fields: &Fields) -> Result<(), NnError> {
        if let Some(temperature) = fields.number("temp", -MAX_FACTOR..=MAX_FACTOR)? {
            self.temperature = temperature.max(0.0);
        }
        if let Some(tokens) = fields.integer("top-k", 0..=i64::from(i32::MAX))? {
            self.top_k = tokens as usize;
        }
        let set = |key, range, field: &mut f32| -> Result<(), NnError> {
            if let Some(value) = fields.number(key, range)? {
                *field = value;
            }
            Ok(())
        };
        set("top-p", 0.0..=1.0, &mut self.top_p)?;
        set("min-p", 0.0..=1.0, &mut self.min_p)?;
        set("repeat-penalty", 0.0..=MAX_FACTOR, &mut self.repeat_penalty)?;
        set("presence-penalty", -MAX_FACTOR..=MAX_FACTOR, &mut self.presence_penalty)?;
        set("frequency-penalty", -MAX_FACTOR..=MAX_FACTOR, &mut self.frequency_penalty)?;
        if let Some(seed) = fields.integer("seed", -1..=i64::MAX)? {
            self.seed = u64::try_from(seed).ok();
        }
        Ok(())
    }
}

/// Shares of the GPUs, `3,2`.
fn parse_split(text: &str) -> Result<Vec<f32>, NnError> {
    let key = "tensor-split";
    let mut shares = Vec::new();
    for share in text.split(',') {
        match share.trim().parse::<f32>() {
            Ok(share) if (0.0..=MAX_FACTOR as f32).contains(&share) => shares.push(share),
            _ => return Err(wrong(key, &format!("`{}` is no share", share.trim()))),
        }
    }
    if shares.len() > MAX_GPUS {
        return Err(wrong(key, &format!("{} shares, more than {MAX_GPUS}", shares.len())));
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Config, NnError> {
        Config::default().with(json, &Limits::default())
    }

    fn reason(json: &str) -> String {
        parse(json).unwrap_err().to_string()
    }

    #[test]
    fn says_nothing_changes_nothing() {
        assert_eq!(parse("{}").unwrap(), Config::default());
        assert_eq!(parse(r#"{"from-another-version": [1], "grammar": ""}"#).unwrap(), Config::default());
    }

    #[test]
    fn fields_replace_what_was_said_before() {
        let config = parse(r#"{"temp": -1, "n-predict": -1, "seed": 7, "reverse-prompt": "</s>"}"#).unwrap();
        assert_eq!(config.sampling.temperature, 0.0);
        assert_eq!(config.n_predict, None);
        let config = config.with(r#"{"seed": -1, "embedding": true}"#, &Limits::default()).unwrap();
        assert_eq!((config.sampling.seed, config.embedding, config.stop.as_str()), (None, true, "</s>"));
    }

    #[test]
    fn an_error_names_the_key_and_what_is_allowed() {
        for (json, expected) in [
            ("nonsense", "metadata: no JSON object"),
            ("[]", "metadata: no JSON object"),
            (r#"{"embedding": 1}"#, "metadata: `embedding`: the number 1, true or false expected"),
            (r#"{"ctx-size": "512"}"#, "metadata: `ctx-size`: a string, an integer expected"),
            (r#"{"ctx-size": -1}"#, "metadata: `ctx-size`: -1 is not in 0..=2147483647"),
            (r#"{"batch-size": 0}"#, "metadata: `batch-size`: 0 is not in 1..=2147483647"),
            (r#"{"threads": 0}"#, "metadata: `threads`: 0 is not in 1..=256"),
            (r#"{"top-p": 1.5}"#, "metadata: `top-p`: 1.5 is not in 0..=1"),
            (r#"{"temp": null}"#, "metadata: `temp`: null, a number expected"),
            (r#"{"pooling": "rank"}"#, "metadata: `pooling`: `rank` is none of auto, last, mean, cls"),
            (r#"{"tensor-split": "3,x"}"#, "metadata: `tensor-split`: `x` is no share"),
            (r#"{"reverse-prompt": []}"#, "metadata: `reverse-prompt`: an array, a string expected"),
        ] {
            assert!(reason(json).starts_with(expected), "{json}: {}", reason(json));
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        for json in [r#"{"grammar": "root ::= x"}"#, r#"{"mmproj": "clip.gguf"}"#, r#"{"tts": true}"#] {
            assert!(matches!(parse(json), Err(NnError::Unsupported { engine: "ggml", .. })), "{json}");
        }
        let limits = Limits { tokens: 64, ..Limits::default() };
        let error = Config::default().with(r#"{"ctx-size": 65}"#, &limits).unwrap_err();
        assert_eq!(error, NnError::Limit { what: "ctx-size", found: 65, limit: 64 });
    }
}
