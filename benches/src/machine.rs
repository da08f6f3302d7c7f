//! What a figure was measured on, and what a process used. Linux only, read from `/proc`.

use std::path::PathBuf;

use anyhow::Context;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Binds the calling thread, and what it starts later, to one core.
///
/// # Errors
/// Where the machine has no such core, or forbids it.
pub fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("cannot bind to core {core}"))
}

/// Cores that the calling thread may run on.
///
/// # Errors
/// Where the system does not tell.
pub fn cores() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect())
}

/// One line: processor, cores, load of the last minute, kernel.
pub fn describe() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let load = read("/proc/loadavg");
    format!(
        "{}, {cores} cores, load {}, Linux {}",
        model.trim_start_matches(['\t', ' ', ':']),
        load.split(' ').next().unwrap_or("unknown"),
        read("/proc/sys/kernel/osrelease").trim()
    )
}

/// Now, as RFC 3339 to the second.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A process, by its id.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// This one.
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// Processor seconds used so far, in steps of 0.01.
    ///
    /// # Errors
    /// Where the process is gone.
    pub fn cpu_seconds(self) -> anyhow::Result<f64> {
        cpu_seconds(&format!("/proc/{}/stat", self.0))
    }

    /// Resident memory now and at its peak, in MiB.
    ///
    /// # Errors
    /// Where the process is gone.
    pub fn resident_mib(self) -> anyhow::Result<(f64, f64)> {
        let path = format!("/proc/{}/status", self.0);
        let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let field = |name: &str| -> anyhow::Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.split_ascii_whitespace().nth(1)?.parse::<f64>().ok());
            Ok(kib.with_context(|| format!("no {name} in {path}"))? / 1024.0)
        };
        Ok((field("VmRSS")?, field("VmHWM")?))
    }
}

/// Linux reports processor time in this unit on every architecture (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor seconds that the calling thread has used, in steps of 0.01.
///
/// # Errors
/// Where the system does not tell.
pub fn thread_cpu_seconds() -> anyhow::Result<f64> {
    cpu_seconds("/proc/thread-self/stat")
}

fn cpu_seconds(path: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    // The name in parentheses may hold blanks; user and system time are fields 14 and 15.
    let after_name = text.rsplit_once(')').with_context(|| format!("no name in {path}"))?.1;
    let ticks: u64 = after_name.split_ascii_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).sum();
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Processor seconds that all cores together have been busy since boot, stolen time included.
///
/// # Errors
/// Where the system does not tell.
pub fn busy_seconds() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    // cpu user nice system idle iowait irq softirq steal
    let ticks: Vec<u64> = line.split_ascii_whitespace().skip(1).take(8).flat_map(str::parse).collect();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok((ticks.iter().sum::<u64>() - idle) as f64 / TICKS_PER_SECOND)
}

/// The folder of the public data, from `ENDCAP_DATA`.
///
/// # Errors
/// Where it is not set.
pub fn data() -> anyhow::Result<PathBuf> {
    from_env("ENDCAP_DATA")
}

/// A path from an environment variable that the scripts set.
///
/// # Errors
/// Where it is not set.
pub fn from_env(name: &str) -> anyhow::Result<PathBuf> {
    let value = std::env::var_os(name).with_context(|| format!("{name} is not set: start this by make"))?;
    Ok(PathBuf::from(value))
}

/// Where benchmarks put what they make: `target/bench` of this checkout.
pub fn work_folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench"))
}
