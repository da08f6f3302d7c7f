//! `endcap-host invoke`.

use std::io::Read;

use serde_json::Value;

use super::options::{Guest, Options};
use super::{Failure, print, tell};
use crate::{HostError, Program, Service};

/// Call one function of a component with JSON, or give lines of JSON to a core module.
///
/// Component: WASM FUNCTION [JSON]. Missing fields take the contract's defaults; `-` reads the JSON from standard
/// input. The answer is printed as JSON; where the function returns its error, that is printed to standard error and
/// the exit code is 3.
///
/// Core module: WASM [LINE...]. The lines are its standard input, without any the host's own; what it prints is
/// printed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: Options,
    /// Function and JSON, or lines.
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    arguments: Vec<String>,
    /// Print the functions of the component.
    #[arg(long)]
    list: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let host = args.options.host()?;
    match args.options.guest(&host)? {
        Guest::Component(service) if args.list => list(&service),
        Guest::Component(service) => component(args, &service),
        Guest::Module(program) => module(&args.arguments, &program),
    }
}

fn list(service: &Service) -> Result<(), Failure> {
    let mut text = String::new();
    let mut interface = None;
    for function in service.functions() {
        if interface != Some(function.interface()) {
            interface = Some(function.interface());
            text += &format!("{}\n", function.interface().unwrap_or("(world)"));
        }
        text += &format!("  {}\n", function.signature());
    }
    print(text.as_bytes())
}

fn component(args: &Args, service: &Service) -> Result<(), Failure> {
    let (name, json) = match &args.arguments[..] {
        [name] => (name, None),
        [name, json] => (name, Some(json.as_str())),
        [] => return Err(Failure::Input(anyhow::anyhow!("name a function; --list shows them"))),
        _ => {
            return Err(Failure::Input(anyhow::anyhow!(
                "a component takes a function and one JSON text: put the JSON into quotes"
            )));
        }
    };
    let function = service.function(name).map_err(HostError::from)?;
    let body = match json {
        None => Value::Null,
        Some("-") => parse(&stdin()?)?,
        Some(json) => parse(json.as_bytes())?,
    };
    let answer = args.options.instance(service)?.invoke(function, &body)?;
    if !answer.is_ok {
        return Err(Failure::Guest(answer.json));
    }
    print(format!("{}\n", answer.json).as_bytes())
}

fn module(lines: &[String], program: &Program) -> Result<(), Failure> {
    let input = if lines.is_empty() {
        stdin()?
    } else {
        lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect()
    };
    let run = program.run(&input)?;
    if let Some(error) = run.last_nn_error {
        tell(&format_args!("warning: a call of wasi-nn failed: {error}"));
    }
    print(&run.stdout)?;
    match run.code {
        0 => Ok(()),
        code => Err(HostError::Exit { code }.into()),
    }
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|error| Failure::System(error.into()))?;
    Ok(bytes)
}

pub(super) fn parse(json: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(json).map_err(|error| Failure::Input(anyhow::anyhow!("not JSON: {error}")))
}
