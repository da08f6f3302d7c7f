//! The API without sockets: for hosts whose WASI has none, for tests and for batch jobs.
//!
//! A request is a line of JSON on standard input: `{"method":"POST","path":"/v1/recommend","body":{…}}`; `method`
//! is POST where there is a body and GET otherwise, `path` may carry a query. The answer is a line on standard
//! output: `{"status":200,"body":…}`, with a string as the body where it is not JSON (metrics). A line that is no
//! request is answered with status 400 and does not end the program; the end of the input does.

use std::io::{self, BufRead, BufWriter, Read, Write};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::http::{ContentType, Handler, Method, Port, Request};

use super::{Wasi, announce, open, refuse, settings};

/// Room for the members around a body of the greatest size.
const ENVELOPE_BYTES: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    method: Option<&'a str>,
    path: &'a str,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Answered<'a> {
    status: u16,
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

/// Answers every line. Exit code 2: the settings or the model are not usable; 1: the output cannot be written.
pub fn run() -> ExitCode {
    let clock = SystemClock::start();
    let Some((config, log)) = settings(clock) else { return ExitCode::from(2) };
    let mut service = match open(&config, clock) {
        Ok(service) => service,
        Err(error) => {
            refuse(&error, clock, log);
            return ExitCode::from(2);
        }
    };
    announce(&mut service, clock.nanos(), log, json!({}));
    if config.check {
        return ExitCode::SUCCESS;
    }
    match answer_all(&mut service, &config, &mut io::stdin().lock(), &mut BufWriter::new(io::stdout().lock()))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.write(
                crate::log::Level::Error,
                clock.unix_ms(),
                "stopped",
                json!({ "error": error.to_string() }),
            );
            ExitCode::FAILURE
        }
    }
}

fn answer_all(
    service: &mut Wasi,
    config: &Config,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> io::Result<()> {
    let limit = config.max_body_bytes + ENVELOPE_BYTES;
    let (mut line, mut body) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        // One byte more than allowed tells a line that is too long from one that just fits.
        if input.by_ref().take(limit as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        if line.len() > limit {
            // The rest of it is not a request.
            while line.last() != Some(&b'\n') {
                line.clear();
                if input.by_ref().take(limit as u64).read_until(b'\n', &mut line)? == 0 {
                    break;
                }
            }
            write(output, 413, Body::Text("the line is longer than ENDCAP_MAX_BODY_BYTES allows"))?;
            continue;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        body.clear();
        answer(service, &line, &mut body, output)?;
        // Whoever waits for the answer has no more to say before it comes.
        output.flush()?;
    }
}

fn answer(service: &mut Wasi, line: &[u8], body: &mut Vec<u8>, output: &mut impl Write) -> io::Result<()> {
    let asked: Asked<'_> = match serde_json::from_slice(line) {
        Ok(asked) => asked,
        Err(error) => return write(output, 400, Body::Text(&format!("not a request: {error}"))),
    };
    let method = match asked.method {
        None if asked.body.is_some() => Method::Post,
        None | Some("GET") => Method::Get,
        Some("POST") => Method::Post,
        Some("HEAD") => Method::Head,
        Some(_) => Method::Other,
    };
    let (path, query) = asked.path.split_once('?').unwrap_or((asked.path, ""));
    let content = asked.body.map_or(&[][..], |body| body.get().as_bytes());
    let now = service.recommender.clock.now();
    let request = Request { method, path, query, body: content, port: Port::Public, now };
    let reply = service.handle(&request, body);
    let text = String::from_utf8_lossy(body);
    let json = (reply.content_type != ContentType::Metrics)
        .then(|| serde_json::from_str(&text))
        .and_then(Result::ok);
    let status = reply.status.code().parse().unwrap_or(500);
    write(output, status, json.map_or(Body::Text(&text), Body::Json))
}

fn write(output: &mut impl Write, status: u16, body: Body<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *output, &Answered { status, body })?;
    output.write_all(b"\n")
}
