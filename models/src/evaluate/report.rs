//! What an evaluation found: written as JSON, printed as tables, drawn as a page.

use endcap_core::format::Parameters;
use serde::Serialize;

use super::metrics::Figures;
use super::protocol::{Protocol, Split};
use super::run::Row;

/// Everything of one command.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How it was asked.
    pub protocol: Protocol,
    /// The parts that were asked.
    pub splits: Vec<SplitReport>,
}

/// One part.
#[derive(Debug, Serialize)]
pub struct SplitReport {
    /// Which.
    pub split: Split,
    /// With the weights that were chosen on the newest part of what was trained on.
    pub parameters: Parameters,
    /// Events that were trained on.
    pub train_events: u64,
    /// Items of the catalogue.
    pub train_items: usize,
    /// Wall seconds of training, choosing and packing.
    pub train_seconds: f64,
    /// Size of the packed model.
    pub model_bytes: usize,
    /// Lines of the table; means, where there are several runs.
    pub rows: Vec<Row>,
    /// How the encoder learned; empty without one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<PassFigures>,
    /// The lines of each run, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Vec<Row>>,
}

/// A pass of the encoder over the log without its newest tenth.
#[derive(Debug, Clone, Serialize)]
pub struct PassFigures {
    /// Its number, from 1.
    pub pass: usize,
    /// Mean cross-entropy, nats a target.
    pub loss: f64,
    /// NDCG@10 of the held-out questions.
    pub ndcg10: f64,
}

impl SplitReport {
    /// One report of several runs; all but the figures is that of the first. `None` without any.
    pub fn mean(mut runs: Vec<Self>) -> Option<Self> {
        if runs.len() <= 1 {
            return runs.pop();
        }
        let rows: Vec<Vec<Row>> = runs.iter().map(|run| run.rows.clone()).collect();
        let mut first = runs.swap_remove(0);
        for (at, row) in first.rows.iter_mut().enumerate() {
            let of_runs: Vec<&Row> = rows.iter().filter_map(|run| run.get(at)).collect();
            let mean = |figures: &dyn Fn(&Row) -> Option<Figures>| {
                Figures::mean(&of_runs.iter().filter_map(|row| figures(row)).collect::<Vec<_>>())
            };
            if let Some(figures) = mean(&|row| Some(row.figures.clone())) {
                row.figures = figures;
            }
            for (segment, figures) in &mut row.segments {
                let same = |row: &Row| {
                    row.segments.iter().find(|(other, _)| other == segment).map(|(_, found)| found.clone())
                };
                if let Some(found) = mean(&same) {
                    *figures = found;
                }
            }
        }
        first.runs = rows;
        Some(first)
    }
}
