//! What `train` and `evaluate` are told about items without visits, and how a text model is asked about them.

use std::path::PathBuf;
#[cfg(feature = "text")]
use std::{io::Write, sync::Arc};

use endcap_core::format::ContentParameters;
#[cfg(feature = "text")]
use endcap_core::format::TextParameters;

use super::Failure;
use super::train::parse_share;
use crate::text::TextError;
#[cfg(feature = "text")]
use crate::{
    progress::{Progress, Unit},
    report::count,
    text::{TextModel, TextVectors, choose_items, text_of},
    train::Log,
};

/// Share of the text model, unless told: see `train/content.rs`.
const WEIGHT: f32 = 1.0;

/// Items that are scored as what reads like them; also taken by `evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct ContentArgs {
    /// Sessions below which an item is scored as the items that read like it, by name and category; 0: none is.
    #[arg(id = "content-below", long, default_value_t = ContentParameters::default().below, value_name = "SESSIONS")]
    below: u32,
    /// Items that read like it, kept for each.
    #[arg(id = "content-neighbors", long, default_value_t = ContentParameters::default().neighbors, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=100))]
    neighbors: u32,
    /// A text model that says which names and categories mean the same, beside the words and letters that they share: a GGUF file of a
    /// sentence encoder (architecture bert) or of a Llama-like model. It is asked now; the service needs none.
    #[arg(long, value_name = "FILE")]
    text_model: Option<PathBuf>,
    /// Share of the text model in the likeness of two items where an item shares nothing with any other by words and letters, above 0,
    /// at most 1; the more it shares, the less the text model counts.
    #[arg(long, default_value_t = WEIGHT, value_name = "SHARE", value_parser = parse_share, requires = "text_model")]
    #[cfg_attr(not(feature = "text"), allow(dead_code))]
    text_weight: f32,
    /// Items whose texts it reads, the most sold first, beside those without visits; others are compared by words and letters alone.
    #[arg(long, default_value_t = 20_000, value_name = "N", requires = "text_model",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    #[cfg_attr(not(feature = "text"), allow(dead_code))]
    text_items: u32,
}

/// A text model that is asked about the items of a log.
#[cfg(feature = "text")]
#[derive(Debug)]
pub(super) struct Reader {
    model: TextModel,
    items: u32,
    weight: f32,
}

/// Without the feature there is none.
#[cfg(not(feature = "text"))]
#[derive(Debug)]
pub(super) enum Reader {}

impl ContentArgs {
    /// Opens the text model, if one is given.
    pub(super) fn reader(&self) -> Result<Option<Reader>, Failure> {
        let Some(path) = &self.text_model else { return Ok(None) };
        if self.below == 0 {
            return Err(failure(TextError::NoColdItems));
        }
        #[cfg(feature = "text")]
        let reader = TextModel::open(path)
            .map(|model| Some(Reader { model, items: self.text_items, weight: self.text_weight }))
            .map_err(failure);
        #[cfg(not(feature = "text"))]
        let reader = {
            let _ = path;
            Err(failure(TextError::NotBuilt))
        };
        reader
    }

    /// `None` where no item shall be scored so.
    pub(super) fn parameters(&self, reader: Option<&Reader>) -> Option<ContentParameters> {
        let text = reader.map(Reader::parameters);
        (self.below > 0).then_some(ContentParameters { below: self.below, neighbors: self.neighbors, text })
    }
}

#[cfg(not(feature = "text"))]
impl Reader {
    fn parameters(&self) -> endcap_core::format::TextParameters {
        match *self {}
    }

    pub(super) fn read(
        &mut self,
        _: &crate::train::Log,
        _: Option<&ContentParameters>,
    ) -> Result<std::sync::Arc<crate::text::TextVectors>, Failure> {
        match *self {}
    }
}

#[cfg(feature = "text")]
impl Reader {
    fn parameters(&self) -> TextParameters {
        TextParameters {
            model: self.model.name(),
            sha256: self.model.sha256().to_owned(),
            weight: self.weight,
            items: self.items,
        }
    }

    /// Vectors of the texts of a log's items. What was read before is not read again.
    pub(super) fn read(
        &mut self,
        log: &Log,
        params: Option<&ContentParameters>,
    ) -> Result<Arc<TextVectors>, Failure> {
        let default = ContentParameters::default();
        let chosen = choose_items(log, params.unwrap_or(&default), self.items as usize);
        let texts: Vec<_> = chosen.iter().filter_map(|&item| text_of(&log.items[item as usize])).collect();
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let new = self.model.unknown(&texts).len() as u64;
        let name = self.model.name();
        if new > 0 {
            let left_out = match log.items.len() - chosen.len() {
                0 => String::new(),
                some => format!(", and none of the {} that are sold less (--text-items)", count(some as u64)),
            };
            // Before it is done: it may take an hour.
            say(&format!(
                "{name} reads {} texts of {} items{left_out}",
                count(new),
                count(chosen.len() as u64)
            ));
        }
        let mut progress = Progress::new(&format!("texts by {name}"), new, Unit::Count);
        let vectors = self.model.vectors(&texts, &mut |done| progress.set(done));
        progress.finish();
        vectors.map(Arc::new).map_err(failure)
    }
}

#[cfg(feature = "text")]
fn say(line: &str) {
    // A closed stderr is no reason to stop the work.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn failure(error: TextError) -> Failure {
    let internal = error.is_internal();
    Failure::new(error, !internal)
}
