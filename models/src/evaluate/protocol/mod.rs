//! Protocols: what is trained on, and what is asked.

mod leave_one_out;
mod lines;
mod serenade;
mod session_prefix;
mod temporal_basket;

use std::path::Path;

use endcap_core::ItemIx;
use serde::Serialize;

use crate::train::Log;

use super::EvaluateError;

/// A built-in protocol (QUALITY: data, splits, tables to beat).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Next click for every prefix of every session: a folder with `train`, `valid`, `test` (`.txt[.gz]`).
    Serenade,
    /// Leave one out on `invoice<TAB>items` lines: last item test, second last validation, history cut to 50.
    UciShuffled,
    /// Leave one out on `user item item ...` lines, otherwise as [`Self::UciShuffled`].
    LeaveOneOut,
    /// Next item after `prefix<TAB>target` lines: a folder with `train_sessions`, `test`, perhaps `valid`.
    SessionPrefix,
    /// Next basket of known customers, split by time: an imported dataset.
    TemporalBasket,
}

/// Which part is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// For tuning.
    Valid,
    /// For reporting.
    Test,
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Test => "test",
        })
    }
}

/// A question: after `history` (oldest first), which items come?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Items so far, numbered as in the task's log.
    pub history: Vec<ItemIx>,
    /// Items that came.
    pub targets: Vec<ItemIx>,
    /// How many items at the end of the history make up the last basket.
    pub last_basket: usize,
    /// How many items at the beginning of the history are of earlier visits than the one that is asked about.
    pub earlier: usize,
}

impl Case {
    /// Whether nothing of the visit that is asked about is known yet.
    pub(crate) fn begins_visit(&self) -> bool {
        self.earlier == self.history.len()
    }

    /// The targets, each once, rising.
    pub(crate) fn distinct_targets(&self) -> Vec<ItemIx> {
        let mut targets = self.targets.clone();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// A training log and the cases of one split. Items that only cases have are numbered behind the trained ones.
#[derive(Debug, Clone)]
pub struct Task {
    /// What may be learned from.
    pub train: Log,
    /// What is asked.
    pub cases: Vec<Case>,
}

impl Protocol {
    /// Reads the data at `path` and makes the task of `split`.
    ///
    /// # Errors
    /// Where files are missing or not in the protocol's form, or nothing is left to ask.
    pub fn task(self, path: &Path, split: Split) -> Result<Task, EvaluateError> {
        let task = match self {
            Self::Serenade => serenade::task(path, split),
            Self::UciShuffled => leave_one_out::task(path, split, leave_one_out::Form::Invoices),
            Self::LeaveOneOut => leave_one_out::task(path, split, leave_one_out::Form::Users),
            Self::SessionPrefix => session_prefix::task(path, split),
            Self::TemporalBasket => temporal_basket::task(path, split),
        }?;
        if task.cases.is_empty() {
            return Err(EvaluateError::NoCases("the split has no case with a history; give more data"));
        }
        Ok(task)
    }
}
