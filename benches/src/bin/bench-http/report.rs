//! The figures, beside those of the peer.

use std::fmt;
use std::path::Path;

use anyhow::Context;
use endcap_benches::corpus::{Corpus, Setting};
use endcap_benches::latency::Latencies;
use endcap_benches::machine;
use serde_json::{Value, json};

use super::load::Phase;

/// Answers a second of native Serenade (Rust, Actix) at saturation on a machine of this kind: one core for the
/// server, 16 connections, the same corpora and settings.
fn serenade(corpus: Corpus, setting: Setting) -> f64 {
    match (corpus, setting) {
        (Corpus::Example, Setting::Small) => 42_000.0,
        (Corpus::Example, Setting::Large) => 39_000.0,
        (Corpus::Invoices, Setting::Small) => 10_300.0,
        (Corpus::Invoices, Setting::Large) => 3_500.0,
    }
}

/// Share of a core that others may use before the figures say so: kernel threads need a few per cent.
const QUIET: f64 = 0.1;

/// Shares of one core.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shares {
    pub(crate) service: f64,
    /// At saturation, near 1 would mean that the generator and not the service is measured.
    pub(crate) generator: f64,
    /// Everything else on the machine, time stolen by its host included.
    pub(crate) others: f64,
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [service, generator, others] =
            [self.service, self.generator, self.others].map(|share| share * 100.0);
        write!(f, "service {service:.0} %, generator {generator:.0} %, others {others:.0} % of a core")?;
        if self.others > QUIET { f.write_str(" (NOT QUIET: not quotable)") } else { Ok(()) }
    }
}

impl Shares {
    fn json(self) -> Value {
        json!({"service": self.service, "generator": self.generator, "others": self.others})
    }
}

/// One corpus and setting.
pub(crate) struct Line {
    pub(crate) corpus: Corpus,
    pub(crate) setting: Setting,
    /// Answers a second at saturation.
    pub(crate) rate: f64,
    /// Who used the processor at saturation.
    pub(crate) shares: Shares,
    /// Requests a second that the open loop was to send.
    pub(crate) open_rate: f64,
    pub(crate) open: Phase,
    /// Who used the processor in the open loop; the generator never sleeps there.
    pub(crate) open_shares: Shares,
    /// Answers of all phases.
    pub(crate) checked: u64,
    /// Wrong ones among them.
    pub(crate) errors: u64,
    /// Resident memory of the service's process after the load and at its peak, MiB.
    pub(crate) memory: (f64, f64),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = serenade(self.corpus, self.setting);
        writeln!(
            f,
            "{:8} {:16} {:7.0}/s, Serenade {peer:.0}/s, ratio {:.2}; {}",
            self.corpus.as_str(),
            self.setting.as_str(),
            self.rate,
            self.rate / peer,
            self.shares,
        )?;
        writeln!(
            f,
            "    open loop at {:.0}/s: {}; {:.2} % waited for a connection; {}",
            self.open_rate,
            quantiles(&self.open.latencies),
            self.open.waited as f64 / self.open.answers.max(1) as f64 * 100.0,
            self.open_shares,
        )?;
        write!(
            f,
            "    {} answers checked, {} wrong; resident {:.1} MiB, peak {:.1}",
            self.checked, self.errors, self.memory.0, self.memory.1
        )
    }
}

impl Line {
    fn json(&self) -> Value {
        let latencies = &self.open.latencies;
        json!({
            "corpus": self.corpus.as_str(),
            "setting": self.setting.as_str(),
            "saturation_per_s": self.rate,
            "serenade_per_s": serenade(self.corpus, self.setting),
            "saturation_core_shares": self.shares.json(),
            "open_loop_core_shares": self.open_shares.json(),
            "open_loop_per_s": self.open_rate,
            "open_loop_ms": {
                "p50": latencies.micros(0.5) / 1e3,
                "p99": latencies.micros(0.99) / 1e3,
                "p999": latencies.micros(0.999) / 1e3,
                "max": latencies.max_micros() / 1e3,
            },
            "waited_for_connection": self.open.waited,
            "answers_checked": self.checked,
            "answers_wrong": self.errors,
            "resident_mib": self.memory.0,
            "peak_resident_mib": self.memory.1,
        })
    }
}

/// What the generator and the machine can do without the service.
pub(crate) fn ceiling(saturation: &Phase, rate: f64, open: &Phase) -> String {
    format!(
        "canned answers: {:.0}/s, generator {:.0} % of its core\n    open loop at {rate:.0}/s: {}\n    {} wrong",
        saturation.rate(),
        saturation.cpu_seconds / saturation.seconds * 100.0,
        quantiles(&open.latencies),
        saturation.wrong + open.wrong
    )
}

fn quantiles(latencies: &Latencies) -> String {
    let millis = |quantile| latencies.micros(quantile) / 1e3;
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(millis);
    format!("p50 {p50:.3} p99 {p99:.3} p999 {p999:.3} max {:.3} ms", latencies.max_micros() / 1e3)
}

/// Writes all lines as JSON.
pub(crate) fn write(path: &Path, lines: &[Line]) -> anyhow::Result<()> {
    let lines: Vec<Value> = lines.iter().map(Line::json).collect();
    let report = json!({"date": machine::now(), "machine": machine::describe(), "lines": lines});
    std::fs::write(path, format!("{report:#}\n")).with_context(|| format!("cannot write {}", path.display()))
}
