//! Lines given to a core module.

use std::time::{Duration, Instant};

use super::report::Timed;
use super::{Args, Report, differs, lines};
use crate::cli::Failure;
use crate::{HostError, Program, Run};

/// Starts that are timed: each runs the program to its end, with its model.
const STARTS: u32 = 20;

/// Times runs without a line, and one run with all of them: what that takes longer is the lines'. Single lines
/// cannot be timed from outside, since the program reads ahead.
pub(super) fn measure(args: &Args, program: &Program) -> Result<Report, Failure> {
    let lines = lines(args)?;
    let mut report = Report::default();

    let mut starts = Timed::new("start to exit");
    for _ in 0..STARTS {
        let begun = Instant::now();
        ended_well(program.run(b"")?)?;
        starts.add(begun);
    }
    let [empty] = starts.quantiles([0.5]);
    report.add(starts);

    let mut input = Vec::new();
    for line in lines.iter().cycle().take(args.n as usize) {
        input.extend_from_slice(line.as_bytes());
        input.push(b'\n');
    }
    let begun = Instant::now();
    let run = program.run(&input)?;
    let lasted = begun.elapsed();
    let run = ended_well(run)?;
    let answers: Vec<&[u8]> = run.stdout.split_inclusive(|&byte| byte == b'\n').collect();
    if answers.len() != args.n as usize {
        let found = answers.len();
        return Err(Failure::System(anyhow::anyhow!("{} lines given, {found} answers printed", args.n)));
    }
    if !args.changing
        && let Some(at) = (lines.len()..answers.len()).find(|&at| answers[at] != answers[at % lines.len()])
    {
        return Err(differs(at % lines.len()));
    }
    report.mean("a line", lasted.saturating_sub(Duration::from_nanos(empty)), args.n);
    Ok(report)
}

fn ended_well(run: Run) -> Result<Run, HostError> {
    match run.code {
        0 => Ok(run),
        code => Err(HostError::Exit { code }),
    }
}
