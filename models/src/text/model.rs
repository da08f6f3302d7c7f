//! A text model at work: llama.cpp by `endcap-nn`, one context for each core.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use endcap_nn::{Context, Device, Encoding, Engine, Graph, Key, Limits, NnError, Registry, Tensor};
use sha2::{Digest, Sha256};

use super::{TextError, TextVectors};

/// Tokens that are read of a text: names have five to fifteen, and a category some more. What a longer one
/// says further back is left out.
const TOKENS: usize = 128;
/// Bytes of a text that are looked at, so that a page of text is not cut into tokens only to be cut off.
const BYTES: usize = 2_048;

/// A text model, and the vectors that it has made so far.
#[derive(Debug)]
pub struct TextModel {
    path: PathBuf,
    sha256: String,
    graph: Graph,
    known: HashMap<String, Vec<f32>>,
}

impl TextModel {
    /// Reads a GGUF file.
    ///
    /// # Errors
    /// Where it cannot be read, is damaged, or cannot be run on texts.
    pub fn open(path: &Path) -> Result<Self, TextError> {
        let bytes = std::fs::read(path).map_err(|source| TextError::Io { path: path.to_owned(), source })?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let refused = |error: NnError| TextError::Model { path: path.to_owned(), reason: error.to_string() };
        let engine = Engine::new(Limits::default(), Registry::default());
        let metadata = metadata();
        let graph = engine
            .load(&[bytes.as_slice(), metadata.as_bytes()], Encoding::Ggml, Device::Cpu)
            .map_err(refused)?;
        drop(bytes);
        let mut model = Self { path: path.to_owned(), sha256, graph, known: HashMap::new() };
        // A model without a tokenizer, or without vectors, is found now and not after the log has been read.
        let mut context = model.graph.context().map_err(refused)?;
        let vector = embed(&mut context, "a").map_err(refused)?;
        model.known.insert("a".to_owned(), vector);
        Ok(model)
    }

    /// The file's name, without its folders.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Those of the texts whose vector has yet to be made, each once.
    pub fn unknown<'a>(&self, texts: &[&'a str]) -> Vec<&'a str> {
        let mut seen = std::collections::HashSet::new();
        texts.iter().copied().filter(|text| !self.known.contains_key(*text) && seen.insert(*text)).collect()
    }

    /// Vectors of these texts, in which an equal text counts once. `heard` is called with how many of [`Self::unknown`] are
    /// done. The same model and texts give the same vectors on any number of cores.
    ///
    /// # Errors
    /// [`TextError::NoTexts`] where there is none, [`TextError::Text`] where the model fails at one, as by weights that are no numbers.
    pub fn vectors(&mut self, texts: &[&str], heard: &mut dyn FnMut(u64)) -> Result<TextVectors, TextError> {
        let new = self.unknown(texts);
        let made = self.read(&new, heard)?;
        self.known.extend(new.into_iter().map(str::to_owned).zip(made));
        let mut seen = std::collections::HashSet::new();
        let vectors: Vec<(&str, &[f32])> = texts
            .iter()
            .filter(|text| seen.insert(**text))
            .filter_map(|text| Some((*text, self.known.get(*text)?.as_slice())))
            .collect();
        let dim = vectors.first().ok_or(TextError::NoTexts)?.1.len();
        Ok(TextVectors::new(vectors.into_iter(), dim))
    }

    /// A vector for each text. Which core makes it changes nothing in it: each text is computed alone.
    fn read(&self, texts: &[&str], heard: &mut dyn FnMut(u64)) -> Result<Vec<Vec<f32>>, TextError> {
        let cores = rayon::current_num_threads().min(texts.len());
        let next = AtomicUsize::new(0);
        let (sender, made) = mpsc::channel();
        let mut vectors = vec![Vec::new(); texts.len()];
        std::thread::scope(|scope| {
            for _ in 0..cores {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    let mut context = self.graph.context();
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(text) = texts.get(at) else { return };
                        let vector = match &mut context {
                            Ok(context) => embed(context, text),
                            Err(error) => Err(error.clone()),
                        };
                        // Nobody listens any more after an error.
                        if sender.send((at, vector)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            for (done, (at, vector)) in (1..).zip(made) {
                let failed = |error: NnError| TextError::Text {
                    path: self.path.clone(),
                    text: texts[at].chars().take(40).collect(),
                    reason: error.to_string(),
                };
                vectors[at] = vector.map_err(failed)?;
                heard(done);
            }
            Ok(vectors)
        })
    }
}

/// The vector of a text, or of its begin where it is longer than is read.
fn embed(context: &mut Context, text: &str) -> Result<Vec<f32>, NnError> {
    let mut text = &text[..text.floor_char_boundary(BYTES)];
    loop {
        context.set_input(Key::Index(0), Tensor::u8(text.as_bytes()).view())?;
        match context.compute() {
            Ok(()) => break,
            Err(NnError::PromptTooLong { tokens, limit }) => {
                // In proportion, and some more, so that a few rounds are enough.
                let share = f64::from(limit) / tokens as f64 * 0.95;
                text = &text[..text.floor_char_boundary((text.len() as f64 * share) as usize)];
            }
            Err(error) => return Err(error),
        }
    }
    // The vector is the third output.
    let output = context.output(Key::Index(2))?;
    Ok(output.data.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

/// `auto`: as the file says, and the mean over all tokens where it does not: the last token of a name that a decoder has read stands for
/// what comes next, not for the name.
fn metadata() -> String {
    format!(
        r#"{{"embedding": true, "pooling": "auto", "ctx-size": {TOKENS}, "batch-size": {TOKENS}, "ubatch-size": {TOKENS}}}"#
    )
}
