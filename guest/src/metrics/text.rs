//! Prometheus text exposition format 0.0.4.

use std::io::Write;

use super::histogram::Histogram;
use crate::clock::{Nanos, SECOND};

/// Appends metric families. A writer of `Vec<u8>` cannot fail, so results are dropped.
#[derive(Debug)]
pub struct Exposition<'a> {
    out: &'a mut Vec<u8>,
    name: &'static str,
}

impl<'a> Exposition<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, name: "" }
    }

    /// Begins a family. `kind` is counter, gauge or histogram.
    pub fn family(&mut self, name: &'static str, kind: &str, help: &str) -> &mut Self {
        self.name = name;
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self
    }

    /// A sample of the current family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.line("", labels, None, value)
    }

    /// The samples of a histogram. Bounds and sum are written in seconds.
    pub fn histogram(&mut self, labels: &[(&str, &str)], bounds: &[Nanos], histogram: &Histogram) {
        let ends = bounds.iter().map(|&bound| bound as f64 / SECOND as f64).chain([f64::INFINITY]);
        for (end, count) in ends.zip(histogram.cumulative()) {
            self.line("_bucket", labels, Some(end), count as f64);
        }
        self.line("_sum", labels, None, histogram.sum() as f64 / SECOND as f64);
        self.line("_count", labels, None, histogram.count() as f64);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], le: Option<f64>, value: f64) -> &mut Self {
        let _ = write!(self.out, "{}{suffix}", self.name);
        let mut separator = '{';
        for (label, text) in labels {
            let _ = write!(self.out, "{separator}{label}=\"");
            self.escape(text);
            self.out.push(b'"');
            separator = ',';
        }
        match le {
            Some(le) if le.is_infinite() => {
                let _ = write!(self.out, "{separator}le=\"+Inf\"");
            }
            Some(le) => {
                let _ = write!(self.out, "{separator}le=\"{le}\"");
            }
            None => {}
        }
        if le.is_some() || !labels.is_empty() {
            self.out.push(b'}');
        }
        let _ = writeln!(self.out, " {value}");
        self
    }

    fn escape(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                _ => self.out.push(byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut out = Vec::new();
        Exposition::new(&mut out)
            .family("a", "gauge", "Help.")
            .sample(&[("l", "x\"\\\n")], 1.5)
            .sample(&[], 2.0);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "# HELP a Help.\n# TYPE a gauge\na{l=\"x\\\"\\\\\\n\"} 1.5\na 2\n"
        );
    }
}
