//! Calls of a component's function.

use std::time::Instant;

use wasmtime::component::Val;

use super::report::Timed;
use super::{Args, Report, differs, requests};
use crate::cli::Failure;
use crate::cli::options::read;
use crate::{Grants, Host, HostError, Origin, Outcome, Prepared, Service};

/// Starts that are timed: enough for a 99th percentile of something that takes microseconds.
const STARTS: u32 = 200;
/// Loads from the cache that are timed: each reads and checks megabytes.
const LOADS: u32 = 20;

pub(super) fn measure(args: &Args, host: &Host, service: &Service) -> Result<Report, Failure> {
    let Some(name) = &args.function else {
        return Err(Failure::Input(anyhow::anyhow!("--function is needed for a component")));
    };
    let function = service.function(name).map_err(HostError::from)?;
    let mut report = Report::default();

    if host.config().cache.is_some() {
        let wasm = read(&args.options.wasm)?;
        let mut loads = Timed::new("load from the cache");
        for _ in 0..LOADS {
            let begun = Instant::now();
            let loaded = host.component(&wasm, &Grants::default())?;
            loads.add(begun);
            // Where it could not be kept there is nothing to time.
            if !matches!(loaded.origin(), Origin::Cached) {
                break;
            }
        }
        report.add(loads);
    }
    let mut starts = Timed::new("instantiate");
    for _ in 0..STARTS {
        let begun = Instant::now();
        let instance = service.instantiate()?;
        starts.add(begun);
        drop(instance);
    }
    report.add(starts);

    let mut model = Timed::new("start with the model");
    let begun = Instant::now();
    let mut instance = args.options.instance(service)?;
    model.add(begun);
    report.add(model);

    let arguments = requests(args)?
        .iter()
        .map(|request| instance.prepare(function, request))
        .collect::<Result<Vec<Prepared>, _>>()?;
    let mut calls = Timed::new(function.name());
    let mut first: Vec<Option<Outcome>> = vec![None; arguments.len()];
    for call in 0..args.warm_up + args.n {
        let at = call as usize % arguments.len();
        let begun = Instant::now();
        let outcome = instance.call(function, &arguments[at])?;
        if call >= args.warm_up {
            calls.add(begun);
        }
        if let Outcome::Err(_) = outcome {
            return Err(Failure::Guest(outcome.to_answer().json));
        }
        if args.changing {
            continue;
        }
        let outcome = without(outcome, &args.ignore);
        match &first[at] {
            None => first[at] = Some(outcome),
            Some(first) if *first == outcome => {}
            Some(_) => return Err(differs(at)),
        }
    }
    report.add(calls);
    Ok(report)
}

/// The outcome without some fields.
fn without(outcome: Outcome, fields: &[String]) -> Outcome {
    match outcome {
        Outcome::Ok(Some(mut value)) => {
            strip(&mut value, fields);
            Outcome::Ok(Some(value))
        }
        other => other,
    }
}

fn strip(value: &mut Val, fields: &[String]) {
    match value {
        Val::Record(record) => {
            record.retain(|(name, _)| !fields.contains(name));
            record.iter_mut().for_each(|(_, value)| strip(value, fields));
        }
        Val::List(values) | Val::Tuple(values) => values.iter_mut().for_each(|value| strip(value, fields)),
        Val::Option(Some(value)) | Val::Variant(_, Some(value)) => strip(value, fields),
        Val::Result(Ok(Some(value)) | Err(Some(value))) => strip(value, fields),
        _ => {}
    }
}
