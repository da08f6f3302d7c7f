//! Shoppers: threads that ask for recommendations without a pause, and remember every answer that was none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::http;

/// Threads that keep their connection, as a shop's pages behind a proxy do.
const KEEPING: usize = 3;
/// Threads that connect for each request: a pod that stops accepting too early is met by these.
const CONNECTING: usize = 1;
/// Failures that are remembered with their text.
const EXAMPLES: usize = 5;

/// What came of the requests.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub answered: u64,
    pub failed: u64,
    /// The first failures.
    pub examples: Vec<String>,
    /// Microseconds from the request to its answer.
    pub latency: Histogram<u64>,
    pub seconds: f64,
}

/// Running shoppers.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
    outcome: Arc<Mutex<Outcome>>,
    begun: Instant,
}

impl Load {
    /// Shoppers at this address; the items that they look at are the service's own.
    pub(crate) fn start(address: &str) -> anyhow::Result<Self> {
        let popular = http::get(&format!("http://{address}/api/popular?n=100"))?;
        let popular: Value = serde_json::from_str(&popular)?;
        let items = popular["items"].as_array().context("no popular items")?;
        let items: Vec<String> =
            items.iter().filter_map(|item| Some(item["item"].as_str()?.to_owned())).collect();
        if items.len() < 10 {
            bail!("the service names {} popular items, too few to shop among", items.len());
        }
        let items = Arc::new(items);
        let stop = Arc::new(AtomicBool::new(false));
        let latency = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        let empty = Outcome { answered: 0, failed: 0, examples: Vec::new(), latency, seconds: 0.0 };
        let outcome = Arc::new(Mutex::new(empty));
        let threads = (0..KEEPING + CONNECTING)
            .map(|number| {
                let shopper = Shopper {
                    url: format!("http://{address}/v1/recommend"),
                    number,
                    keeps: number < KEEPING,
                    items: Arc::clone(&items),
                    outcome: Arc::clone(&outcome),
                };
                let stop = Arc::clone(&stop);
                std::thread::spawn(move || shopper.run(&stop))
            })
            .collect();
        Ok(Self { stop, threads, outcome, begun: Instant::now() })
    }

    /// Ends the shopping.
    pub(crate) fn finish(self) -> anyhow::Result<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow::anyhow!("a shopper panicked"))??;
        }
        let outcome = Arc::try_unwrap(self.outcome).ok().context("a shopper is still there")?;
        let mut outcome = outcome.into_inner().map_err(|_| anyhow::anyhow!("a shopper panicked"))?;
        outcome.seconds = self.begun.elapsed().as_secs_f64();
        Ok(outcome)
    }
}

struct Shopper {
    url: String,
    number: usize,
    keeps: bool,
    items: Arc<Vec<String>>,
    outcome: Arc<Mutex<Outcome>>,
}

impl Shopper {
    fn run(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut agent = http::agent();
        let mut step = self.number;
        while !stop.load(Ordering::Relaxed) {
            if !self.keeps {
                agent = http::agent();
            }
            step = (step * 7 + 3) % 1009;
            let seen: Vec<&String> =
                (0..3).map(|at| &self.items[(step + at * 11) % self.items.len()]).collect();
            let begun = Instant::now();
            let answer = self.ask(&agent, &json!({ "items": seen, "n": 10 }));
            let took = begun.elapsed().as_micros().max(1) as u64;
            let mut outcome = self.outcome.lock().map_err(|_| anyhow::anyhow!("a shopper panicked"))?;
            match answer {
                Ok(()) => {
                    outcome.answered += 1;
                    outcome.latency.saturating_record(took);
                }
                Err(error) => {
                    outcome.failed += 1;
                    if outcome.examples.len() < EXAMPLES {
                        outcome.examples.push(format!("{error:#}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// An answer counts that has ten items with falling scores.
    fn ask(&self, agent: &ureq::Agent, request: &Value) -> anyhow::Result<()> {
        let mut answer = agent.post(&self.url).send_json(request)?;
        let status = answer.status();
        let body = answer.body_mut().read_to_string()?;
        if status != 200 {
            bail!("{status}: {body}");
        }
        let body: Value = serde_json::from_str(&body)?;
        let scores: Vec<f64> = body["items"]
            .as_array()
            .map(|items| items.iter().filter_map(|item| item["score"].as_f64()).collect())
            .unwrap_or_default();
        if scores.len() != 10 || !scores.is_sorted_by(|a, b| a >= b) {
            bail!("no ten items with falling scores: {body}");
        }
        Ok(())
    }
}
