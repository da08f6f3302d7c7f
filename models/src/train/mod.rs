//! Training: from a log to the sections of a model.
//!
//! The same log and parameters give the same bytes. Memory: 12 bytes an event for the grouped log, the index itself,
//! 4 bytes per item and thread while rows are counted, and what [`Limits`] allows the linear model.

mod artefact;
mod catalogue;
mod content;
mod error;
mod knn;
mod linear;
mod log;
mod rankings;
mod together;
mod transitions;

use std::sync::Arc;

use endcap_core::format::{
    Card, CatalogueBuilder, DataSummary, Manifest, Parameters, encode_content, encode_linear,
    encode_neighbors, encode_rankings, encode_sessions, encode_transitions, section,
};

use crate::text::TextVectors;

pub use artefact::Trained;
pub use catalogue::records;
pub(crate) use content::cold_items;
pub use error::TrainError;
pub use linear::{Dense, Limits, LinearPlan, Row as LinearRow, train_dense, train_exact};
pub use log::{Click, Log, LogBuilder, SESSION_GAP, Session, event_weight};

/// What training is told beside the log.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Name of the model in logs, metrics and answers.
    pub name: String,
    /// Parameters of the sources, packed with them.
    pub parameters: Parameters,
    /// Where the data comes from and under which licence.
    pub card: Card,
    /// RFC 3339 time stamp for the manifest.
    pub created: String,
    /// What the linear model may use, where the parameters have one.
    pub limits: Limits,
    /// Vectors of the items' texts, where the parameters' `content` asks for them.
    pub texts: Option<Arc<TextVectors>>,
}

/// A step of [`train`], for progress displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Building the session index.
    Sessions,
    /// Counting co-occurrence and transitions.
    Together,
    /// The linear model is going to be trained like this; the slowest.
    LinearPlan(&'a LinearPlan),
    /// Training it.
    Linear {
        /// Items done.
        done: u64,
        /// Items in all.
        total: u64,
    },
    /// Rankings and catalogue.
    Rankings,
}

/// Trains every source on `log` and gives the sections, ready to pack. `progress` hears of each step's begin.
///
/// # Errors
/// [`TrainError::TooFew`] where the log has no two items in one session to learn from; those of the linear model.
pub fn train(
    log: &Log,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Trained, TrainError> {
    progress(Step::Sessions);
    let index = knn::Index::build(log, &options.parameters.knn);
    if index.sessions() == 0 {
        return Err(TrainError::TooFew {
            events: log.events(),
            sessions: log.sessions.len(),
            items: log.items.len(),
        });
    }
    progress(Step::Together);
    let rows = together::rows(log, &options.parameters.together);
    let transitions = options.parameters.transitions.as_ref().map(|params| transitions::rows(log, params));
    let transitions = transitions.filter(|rows| !rows.is_empty());
    let linear = match &options.parameters.linear {
        Some(parameters) => Some(linear::train(log, parameters, &options.limits, progress)?),
        None => None,
    };
    let texts = options.texts.as_deref();
    let content = options.parameters.content.as_ref().map(|params| content::rows(log, params, texts));
    let content = content.filter(|rows| !rows.is_empty());
    let mut parameters = options.parameters.clone();
    parameters.content = parameters.content.filter(|_| content.is_some());
    parameters.transitions = parameters.transitions.filter(|_| transitions.is_some());
    if let (Some(content), None) = (&mut parameters.content, texts) {
        content.text = None;
    }
    progress(Step::Rankings);
    let rankings = rankings::Lists::build(log, &options.parameters.trending);
    let mut catalogue = CatalogueBuilder::new();
    for record in &log.items {
        catalogue.push(record);
    }
    let manifest = Manifest {
        // Filled in when the file is written.
        format_version: 0,
        sections: Vec::new(),
        name: options.name.clone(),
        created: options.created.clone(),
        generator: concat!("endcap-model ", env!("CARGO_PKG_VERSION")).to_owned(),
        data: DataSummary {
            items: log.items.len() as u64,
            sessions: index.sessions() as u64,
            users: log.users,
            events: log.events(),
            first_event: rfc3339(log.first_event),
            last_event: rfc3339(log.last_event),
            questions: 0,
        },
        parameters,
        card: options.card.clone(),
    };
    let mut bodies = vec![
        (section::ITEMS, catalogue.finish()),
        (section::SESSIONS, encode_sessions(index.view())),
        (section::TOGETHER, encode_neighbors(&rows)),
    ];
    if let Some(linear) = linear {
        bodies.push((section::LINEAR, encode_linear(&linear)));
    }
    if let Some(transitions) = transitions {
        bodies.push((section::TRANSITIONS, encode_transitions(&transitions)));
    }
    if let Some(content) = content {
        bodies.push((section::CONTENT, encode_content(&content)));
    }
    bodies.push((section::RANKINGS, encode_rankings(rankings.view())));
    Ok(Trained { manifest, bodies })
}

/// Microseconds since 1970 as RFC 3339, to the second.
pub(crate) fn rfc3339(micros: i64) -> String {
    jiff::Timestamp::from_second(micros.div_euclid(1_000_000))
        .map(|time| time.to_string())
        .unwrap_or_default()
}
