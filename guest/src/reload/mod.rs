//! A new model in place of the one that serves, without a restart: found at the same path, read, compared, and taken or refused.
//!
//! All of it happens between requests, a fraction of a millisecond at a time; only to check the file and to change over takes
//! longer, and the log says how long. Whatever is wrong with the new file, the old model goes on serving.

mod file;
mod trial;

pub use file::Stamp;
pub use trial::Trial;

use endcap_core::AlignedBytes;
use endcap_core::format::{Model, Verify};
use endcap_core::gate::Comparison;
use serde_json::{Value, json};

use crate::clock::{Nanos, SECOND};
use crate::start::open_model;
use file::{ReadError, Reading};

/// A file that changed is left alone for this long, at least: whoever writes it may not be done.
const SETTLE: Nanos = SECOND;

/// What an operator sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where the model lies.
    pub path: String,
    /// How much of its digests is checked.
    pub verify: Verify,
    /// Time between two looks at it; `None` for none unless asked.
    pub every: Option<Nanos>,
    /// Share of the serving model's NDCG@10 by which a new one may be worse, beyond chance.
    pub margin: f64,
}

/// What came of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It serves.
    Replaced,
    /// It is what serves already.
    Unchanged,
    /// It is worse than what serves.
    Worse,
    /// It is no usable model.
    Invalid,
    /// It cannot be read.
    Unreadable,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Replaced, Self::Unchanged, Self::Worse, Self::Invalid, Self::Unreadable];

    /// Its word in log and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Unchanged => "unchanged",
            Self::Worse => "worse",
            Self::Invalid => "invalid",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether something else should have served.
    pub fn is_refusal(self) -> bool {
        !matches!(self, Self::Replaced | Self::Unchanged)
    }
}

/// The end of a reload.
#[derive(Debug)]
pub struct Finished {
    /// What came of it.
    pub outcome: Outcome,
    /// For the log: figures, reasons, what to do.
    pub fields: Value,
    /// What is to serve now.
    pub trial: Option<Box<Trial>>,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Nothing more to do now.
    Rest,
    /// More to do.
    More,
    /// A file was judged.
    Done(Finished),
}

#[derive(Debug)]
enum Work {
    Rest,
    Read(Reading),
    Open(AlignedBytes),
    Try(Box<Trial>),
}

/// Looks after the file of the model.
#[derive(Debug)]
pub struct Reload {
    settings: Settings,
    /// What lies at the path and was judged: it serves, or was refused.
    known: Option<Stamp>,
    /// What was there at the last look.
    seen: Option<Stamp>,
    look_at: Nanos,
    /// Somebody wants it now; whether even if it is worse.
    asked: Option<bool>,
    force: bool,
    work: Work,
    counts: [u64; Outcome::ALL.len()],
    /// What became of the last file.
    last: Option<Outcome>,
    /// Longest time for which requests had to wait for a reload.
    pub pause: Nanos,
}

impl Reload {
    /// For a service whose model had this `stamp` when it was read.
    pub fn new(settings: Settings, stamp: Option<Stamp>) -> Self {
        Self {
            look_at: if settings.every.is_some() { 0 } else { Nanos::MAX },
            settings,
            known: stamp,
            seen: stamp,
            asked: None,
            force: false,
            work: Work::Rest,
            counts: [0; Outcome::ALL.len()],
            last: None,
            pause: 0,
        }
    }

    /// Looks at once, whether the file has changed or not; `force` takes it also where it is worse.
    pub fn ask(&mut self, force: bool) {
        self.asked = Some(force || self.asked == Some(true));
    }

    /// How often each outcome was.
    pub fn counts(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL.into_iter().zip(self.counts)
    }

    /// Why what lies at the path does not serve, if so.
    pub fn refused(&self) -> Option<Outcome> {
        self.last.filter(|last| last.is_refusal())
    }

    /// When there is something to do.
    pub fn due(&self) -> Nanos {
        if self.asked.is_some() || !matches!(self.work, Work::Rest) { 0 } else { self.look_at }
    }

    /// Does a little at `now`, which is not before [`Self::due`], beside `serving` with this SHA-256.
    pub fn step(&mut self, serving: &Model, sha256: &str, now: Nanos) -> Step {
        match std::mem::replace(&mut self.work, Work::Rest) {
            Work::Rest => self.look(now),
            Work::Read(mut reading) => match reading.read() {
                Ok(false) => self.go_on(Work::Read(reading)),
                Ok(true) if Stamp::of(&self.settings.path).ok() == Some(reading.stamp) => {
                    self.go_on(Work::Open(reading.into_bytes()))
                }
                // Replaced in the meantime: what was read may be of both.
                Ok(true) => {
                    self.known = None;
                    Step::More
                }
                Err(error) => self.unreadable(&error.into()),
            },
            Work::Open(bytes) => match open_model(bytes, self.settings.verify) {
                Ok((_, found)) if found == sha256 => self.done(Outcome::Unchanged, json!({}), None),
                Ok((model, found)) => self.go_on(Work::Try(Box::new(Trial::new(serving, model, found)))),
                Err(error) => {
                    let fields = json!({ "reason": error.to_string(), "help": error.remedy() });
                    self.done(Outcome::Invalid, fields, None)
                }
            },
            Work::Try(mut trial) => match trial.advance(serving) {
                false => self.go_on(Work::Try(trial)),
                true => self.judge(serving, trial),
            },
        }
    }

    fn look(&mut self, now: Nanos) -> Step {
        let asked = self.asked.take();
        self.look_at = self.settings.every.map_or(Nanos::MAX, |every| now.saturating_add(every));
        self.force = asked.unwrap_or_default();
        let stamp = match Stamp::of(&self.settings.path) {
            Ok(stamp) => stamp,
            Err(error) if asked.is_some() => return self.unreadable(&error.into()),
            // Between two files, or gone: nobody asked, and what serves needs it no more.
            Err(_) => return Step::Rest,
        };
        if asked.is_none() {
            if self.known == Some(stamp) {
                return Step::Rest;
            }
            if self.seen.replace(stamp) != Some(stamp) {
                self.look_at = self.look_at.min(now.saturating_add(SETTLE));
                return Step::Rest;
            }
        }
        self.known = Some(stamp);
        match Reading::open(&self.settings.path, stamp) {
            Ok(reading) => self.go_on(Work::Read(reading)),
            Err(error) => self.unreadable(&error),
        }
    }

    fn go_on(&mut self, work: Work) -> Step {
        self.work = work;
        Step::More
    }

    fn unreadable(&mut self, error: &ReadError) -> Step {
        let help = match error {
            ReadError::Io(_) => "see whether the file is there and may be read",
            ReadError::Format(error) => error.remedy(),
            ReadError::Memory(_) => {
                "restart the service, which then has one model in memory, or give it more"
            }
        };
        self.done(Outcome::Unreadable, json!({ "reason": error.to_string(), "help": help }), None)
    }

    fn judge(&mut self, serving: &Model, trial: Box<Trial>) -> Step {
        let found = trial.comparison(serving);
        let mut fields = match &found {
            Some(Comparison { questions, asked, ndcg10: [old, new], error, drift }) => json!({
                "questions": questions,
                "asked": asked,
                "ndcg10": { "serving": old, "new": new, "standard_error": error },
                "drift": drift,
                "margin": self.settings.margin,
                "forced": self.force,
            }),
            None => json!({ "not_compared": "neither model brings questions, as their logs are too short" }),
        };
        if found.is_some_and(|found| found.is_worse(self.settings.margin)) && !self.force {
            fields["reason"] = "it is worse than the model that serves".into();
            fields["help"] =
                "see what `endcap-model import` dropped and whether item ids are written as before, or POST \
                 /reload?force=true to the admin port"
                    .into();
            return self.done(Outcome::Worse, fields, None);
        }
        self.done(Outcome::Replaced, fields, Some(trial))
    }

    fn done(&mut self, outcome: Outcome, fields: Value, trial: Option<Box<Trial>>) -> Step {
        self.counts[outcome as usize] += 1;
        self.last = Some(outcome);
        Step::Done(Finished { outcome, fields, trial })
    }
}

#[cfg(test)]
#[path = "../reload_tests.rs"]
mod tests;
