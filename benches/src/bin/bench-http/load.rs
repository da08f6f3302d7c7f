//! The two kinds of load.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use endcap_benches::latency::Latencies;
use endcap_benches::machine;
use endcap_benches::traffic::{Draw, Visitor};
use mio::{Events, Poll, Token};

use super::connection::{Connection, Patterns, Received};
use super::requests::Requests;

/// No answer comes for this long: the service hangs.
const SILENCE: Duration = Duration::from_secs(5);
/// Requests that wait for a free connection in the open loop. Beyond, the service is far from keeping up.
const MOST_WAITING: usize = 100_000;
/// Answers of one phase: more than a minute of any server on one core.
const MOST_ANSWERS: u64 = 50_000_000;

/// What a phase found.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) answers: u64,
    pub(crate) wrong: u64,
    pub(crate) first_wrong: Option<String>,
    pub(crate) seconds: f64,
    /// Processor seconds of this generator.
    pub(crate) cpu_seconds: f64,
    /// Closed loop: from sending. Open loop: from the moment at which it was meant to be sent.
    pub(crate) latencies: Latencies,
    /// Open loop: requests that had to wait for a free connection.
    pub(crate) waited: u64,
}

impl Phase {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// Sends requests over connections that stay open from phase to phase.
pub(crate) struct Generator<'p> {
    requests: &'p Requests<'p>,
    poll: Poll,
    events: Events,
    connections: Vec<Slot>,
    patterns: Patterns,
    draw: Draw,
    request: Vec<u8>,
}

struct Slot {
    connection: Connection,
    visitor: Visitor,
    /// When its request was, or was meant to be, sent; `None` where none is on its way.
    since: Option<Instant>,
}

impl<'p> Generator<'p> {
    pub(crate) fn new(
        requests: &'p Requests<'p>,
        address: SocketAddr,
        connections: u16,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut draw = Draw::new(0);
        let mut slots = Vec::new();
        for number in 0..usize::from(connections) {
            let connection = Connection::open(address, poll.registry(), Token(number))?;
            slots.push(Slot { connection, visitor: requests.arrive(&mut draw), since: None });
        }
        let events = Events::with_capacity(slots.len());
        let (patterns, request) = (Patterns::new(), Vec::with_capacity(4096));
        Ok(Self { requests, poll, events, connections: slots, patterns, draw, request })
    }

    /// Closed loop: every connection asks again as soon as it is answered.
    ///
    /// The generator never sleeps here either: waking it is an interrupt to the other core, several microseconds
    /// that the kernel would charge to the service for every answer.
    pub(crate) fn saturate(&mut self, seconds: u64) -> anyhow::Result<Phase> {
        let mut count = Count::begin()?;
        let end = count.begun + Duration::from_secs(seconds);
        let mut free = Vec::with_capacity(self.connections.len());
        for number in 0..self.connections.len() {
            self.send(number, Instant::now())?;
        }
        let mut last_answer = count.begun;
        loop {
            self.receive(Some(Duration::ZERO), &mut free, &mut count)?;
            let now = Instant::now();
            if !free.is_empty() {
                last_answer = now;
            }
            ensure!(now.duration_since(last_answer) < SILENCE, "no answer for {} s", SILENCE.as_secs());
            if now >= end || count.latencies.count() >= MOST_ANSWERS {
                break;
            }
            for number in free.drain(..) {
                self.send(number, now)?;
            }
        }
        let phase = count.end()?;
        // The last answers are awaited, but stand outside the phase.
        self.finish()?;
        Ok(phase)
    }

    /// Open loop: requests arrive as a Poisson process of `rate` a second, whatever the service does. The
    /// generator never sleeps meanwhile: a timer would be late by more than an answer takes.
    pub(crate) fn arrive(&mut self, rate: f64, seconds: u64) -> anyhow::Result<Phase> {
        let mut arrivals = Draw::new(2);
        let mut count = Count::begin()?;
        let end = count.begun + Duration::from_secs(seconds);
        let mut next = count.begun;
        let mut waiting: VecDeque<Instant> = VecDeque::with_capacity(MOST_WAITING);
        let mut free: Vec<usize> = (0..self.connections.len()).collect();
        let mut last_answer = count.begun;
        while next < end || !waiting.is_empty() || free.len() < self.connections.len() {
            let now = Instant::now();
            while next <= now && next < end {
                // This one waits if those before it take every connection.
                count.waited += u64::from(waiting.len() >= free.len());
                waiting.push_back(next);
                next += Duration::from_secs_f64(arrivals.exponential() / rate);
            }
            ensure!(
                waiting.len() < MOST_WAITING,
                "the service does not keep up with {rate:.0} requests a second"
            );
            while let (Some(&since), Some(&number)) = (waiting.front(), free.last()) {
                waiting.pop_front();
                free.pop();
                self.send(number, since)?;
            }
            let answered = count.latencies.count();
            self.receive(Some(Duration::ZERO), &mut free, &mut count)?;
            if count.latencies.count() > answered || free.len() == self.connections.len() {
                last_answer = now;
            }
            ensure!(now.duration_since(last_answer) < SILENCE, "no answer for {} s", SILENCE.as_secs());
        }
        count.end()
    }

    fn send(&mut self, number: usize, since: Instant) -> anyhow::Result<()> {
        let slot = &mut self.connections[number];
        self.requests.click(&mut slot.visitor, &mut self.draw, &mut self.request);
        slot.since = Some(since);
        slot.connection.send(&self.request)
    }

    /// Takes what has arrived and adds answered connections to `free`.
    fn receive(
        &mut self,
        timeout: Option<Duration>,
        free: &mut Vec<usize>,
        count: &mut Count,
    ) -> anyhow::Result<()> {
        if let Err(error) = self.poll.poll(&mut self.events, timeout) {
            if error.kind() == std::io::ErrorKind::Interrupted {
                return Ok(());
            }
            return Err(error.into());
        }
        if self.events.is_empty() && timeout.is_some_and(|timeout| !timeout.is_zero()) {
            bail!("no answer for {} s", SILENCE.as_secs());
        }
        for event in &self.events {
            let number = event.token().0;
            let slot = &mut self.connections[number];
            match slot.connection.receive(&self.patterns)? {
                Received::Part => continue,
                Received::Right => {}
                Received::Wrong(answer) => {
                    count.wrong += 1;
                    count.first_wrong.get_or_insert(answer);
                }
            }
            let Some(since) = slot.since.take() else { bail!("an answer that nobody asked for") };
            count.latencies.record(since.elapsed());
            free.push(number);
        }
        Ok(())
    }

    /// Awaits the answers that are still on their way, uncounted.
    fn finish(&mut self) -> anyhow::Result<()> {
        let (mut count, mut free) = (Count::begin()?, Vec::new());
        while self.connections.iter().any(|slot| slot.since.is_some()) {
            self.receive(Some(SILENCE), &mut free, &mut count)?;
        }
        match count.first_wrong {
            Some(wrong) => bail!("wrong answer: {wrong}"),
            None => Ok(()),
        }
    }
}

/// A phase while it runs.
struct Count {
    begun: Instant,
    cpu_before: f64,
    wrong: u64,
    first_wrong: Option<String>,
    latencies: Latencies,
    waited: u64,
}

impl Count {
    fn begin() -> anyhow::Result<Self> {
        Ok(Self {
            begun: Instant::now(),
            cpu_before: machine::thread_cpu_seconds()?,
            wrong: 0,
            first_wrong: None,
            latencies: Latencies::new()?,
            waited: 0,
        })
    }

    fn end(self) -> anyhow::Result<Phase> {
        Ok(Phase {
            answers: self.latencies.count(),
            wrong: self.wrong,
            first_wrong: self.first_wrong,
            seconds: self.begun.elapsed().as_secs_f64(),
            cpu_seconds: machine::thread_cpu_seconds()? - self.cpu_before,
            latencies: self.latencies,
            waited: self.waited,
        })
    }
}
