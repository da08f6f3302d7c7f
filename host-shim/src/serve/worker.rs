//! The thread that owns the instance.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use serde_json::Value;
use tokio::sync::oneshot;

use super::error::Refusal;
use crate::{Answer, HostError, Instance, Service};

/// Calls that may wait. At a millisecond each the last waits 64 ms; more would only wait longer.
const QUEUE: usize = 64;

/// Runs calls on one instance, one after the other.
#[derive(Debug)]
pub struct Worker {
    calls: Option<SyncSender<Call>>,
    thread: Option<JoinHandle<()>>,
    service: Service,
}

struct Call {
    function: String,
    body: Value,
    answer: oneshot::Sender<Result<Answer, HostError>>,
}

impl Worker {
    /// Starts the thread with an instance that has `model`, if one is given.
    ///
    /// # Errors
    /// [`HostError::Worker`], and those of [`Service::instantiate`] and [`Instance::load_model`].
    pub fn start(service: &Service, model: Option<Vec<u8>>) -> Result<Self, HostError> {
        let mut owner = Owner { service: service.clone(), instance: None, model };
        owner.instance()?;
        let (calls, waiting) = mpsc::sync_channel(QUEUE);
        let thread = spawn(move || owner.work(&waiting)).map_err(HostError::Worker)?;
        Ok(Self { calls: Some(calls), thread: Some(thread), service: service.clone() })
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// Queues a call and waits for its answer.
    pub(super) async fn call(&self, function: String, body: Value) -> Result<Answer, Refusal> {
        let (answer, answered) = oneshot::channel();
        let calls = self.calls.as_ref().ok_or(Refusal::Stopping)?;
        calls.try_send(Call { function, body, answer }).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::Overloaded,
            TrySendError::Disconnected(_) => Refusal::Stopping,
        })?;
        Ok(answered.await.map_err(|_| Refusal::Stopping)??)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("guest".to_owned()).spawn(work)
}

struct Owner {
    service: Service,
    /// `None` once it has failed, until the next call.
    instance: Option<Instance>,
    /// Kept for the next instance.
    model: Option<Vec<u8>>,
}

impl Owner {
    fn work(&mut self, waiting: &Receiver<Call>) {
        while let Ok(call) = waiting.recv() {
            let answer = self.answer(&call);
            // Whoever asked may have gone away.
            let _ = call.answer.send(answer);
        }
    }

    fn answer(&mut self, call: &Call) -> Result<Answer, HostError> {
        let function = self.service.function(&call.function)?.clone();
        let instance = self.instance()?;
        let answer = instance.invoke(&function, &call.body);
        // A guest that has failed makes room at once: its events are lost, the model is loaded again.
        if instance.is_poisoned() {
            self.instance = None;
        }
        answer
    }

    /// The instance, or a new one that has the model.
    fn instance(&mut self) -> Result<&mut Instance, HostError> {
        let instance = match self.instance.take() {
            Some(instance) => instance,
            None => {
                let mut instance = self.service.instantiate()?;
                if let Some(model) = &self.model {
                    instance.load_model(model)?;
                }
                instance
            }
        };
        Ok(self.instance.insert(instance))
    }
}
