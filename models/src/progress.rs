//! Progress of a long step, on stderr.
//!
//! On a terminal a bar; elsewhere (a log of a CI job, a pod) a plain line every two seconds. A step that takes
//! less than two seconds shows nothing.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Silence before anything is shown, and time between plain lines.
const PAUSE: Duration = Duration::from_secs(2);

/// What is counted, which decides how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, written as MB.
    Bytes,
    /// Anything else.
    Count,
}

/// Progress towards a known total.
#[derive(Debug)]
pub struct Progress {
    label: String,
    total: u64,
    unit: Unit,
    started: Instant,
    shown: Option<Instant>,
    note: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Hidden,
    Lines,
    /// The bar is made when the first [`PAUSE`] is over.
    Bar(Option<ProgressBar>),
}

impl Progress {
    /// Progress of `label`, such as `reading`, from 0 to `total`.
    pub fn new(label: &str, total: u64, unit: Unit) -> Self {
        let form = if std::io::stderr().is_terminal() { Form::Bar(None) } else { Form::Lines };
        Self::with(label, total, unit, form)
    }

    /// Progress that is never shown.
    pub fn hidden() -> Self {
        Self::with("", 0, Unit::Count, Form::Hidden)
    }

    fn with(label: &str, total: u64, unit: Unit, form: Form) -> Self {
        Self {
            label: label.to_owned(),
            total,
            unit,
            started: Instant::now(),
            shown: None,
            note: String::new(),
            form,
        }
    }

    /// Tells how far the step is. Cheap enough for every few thousand rows, not for every row.
    pub fn set(&mut self, position: u64) {
        if matches!(self.form, Form::Hidden) || self.shown.unwrap_or(self.started).elapsed() < self.interval()
        {
            return;
        }
        self.shown = Some(Instant::now());
        match &mut self.form {
            Form::Hidden => {}
            Form::Lines => {
                let line = self.line(position);
                // A closed stderr is no reason to stop the work.
                let _ = writeln!(std::io::stderr(), "{line}");
            }
            Form::Bar(bar) => {
                let bar = bar.get_or_insert_with(|| make_bar(&self.label, self.total, self.unit));
                if !self.note.is_empty() {
                    bar.set_message(format!("{}, {}", self.label, self.note));
                }
                bar.set_position(position);
            }
        }
    }

    /// What is shown behind the label from now on, such as a loss.
    pub fn note(&mut self, note: &str) {
        note.clone_into(&mut self.note);
    }

    /// Ends the step and clears the bar.
    pub fn finish(self) {
        if let Form::Bar(Some(bar)) = self.form {
            bar.finish_and_clear();
        }
    }

    fn interval(&self) -> Duration {
        match self.form {
            // The bar limits its own redraws.
            Form::Bar(Some(_)) => Duration::ZERO,
            _ => PAUSE,
        }
    }

    fn line(&self, position: u64) -> String {
        let elapsed = self.started.elapsed().as_secs_f64();
        let left = elapsed * self.total.saturating_sub(position) as f64 / position.max(1) as f64;
        let share = (position.min(self.total) * 100).checked_div(self.total).unwrap_or(100);
        let (position, total) = (self.amount(position), self.amount(self.total));
        let note = if self.note.is_empty() { String::new() } else { format!(", {}", self.note) };
        format!("{}{note}: {share} % ({position} of {total}), {elapsed:.0} s, {left:.0} s left", self.label)
    }

    fn amount(&self, value: u64) -> String {
        match self.unit {
            Unit::Bytes => format!("{:.1} MB", value as f64 / 1e6),
            Unit::Count => value.to_string(),
        }
    }
}

fn make_bar(label: &str, total: u64, unit: Unit) -> ProgressBar {
    let amounts = match unit {
        Unit::Bytes => "{bytes}/{total_bytes}",
        Unit::Count => "{human_pos}/{human_len}",
    };
    let template = format!("{{msg}} {{bar:30}} {{percent}} % {amounts} {{elapsed}}, {{eta}} left");
    // A template that does not parse would be a mistake here; a plain bar is then the lesser one.
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style);
    bar.set_message(label.to_owned());
    bar
}
