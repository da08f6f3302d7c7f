//! The service as a process, from start to end of a measurement.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use endcap_benches::machine::{self, Process};

/// Ready within this, though a machine may be busy: the goal for a start is 10 ms.
const READY: Duration = Duration::from_secs(20);
/// Pause between two looks whether it is ready.
const LOOK: Duration = Duration::from_millis(20);

/// Ends with the value.
pub(crate) struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    /// Starts the service over `model` on the calling thread's core, and waits until it is ready. Refuses one
    /// that runs interpreted: its figures would be about another program.
    pub(crate) fn start(model: &Path) -> anyhow::Result<Self> {
        let wasmedge = machine::from_env("ENDCAP_WASMEDGE")?;
        let app = machine::from_env("ENDCAP_APP")?;
        let folder = model.parent().context("the model has no folder")?.canonicalize()?;
        let name = model.file_name().context("the model has no name")?.to_string_lossy();
        // Freed again here, and hopefully still free for the service a moment later; else it says so.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = folder.join("service.log");
        let child = Command::new(&wasmedge)
            .arg("--dir")
            .arg(format!("/:{}:readonly", folder.display()))
            .arg("--env")
            .arg(format!("MODEL_PATH=/{name}"))
            .arg("--env")
            .arg(format!("ENDCAP_LISTEN={address}"))
            .arg(&app)
            .stdin(Stdio::null())
            .stdout(File::create(&log).with_context(|| format!("cannot write {}", log.display()))?)
            .stderr(File::options().append(true).open(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", wasmedge.display()))?;
        let mut service = Self { child, address };
        let about = service.wait(&log)?;
        ensure!(about.contains("\"aot\":true"), "the service runs interpreted; compile it anew: make guest");
        Ok(service)
    }

    /// What `/v1/model` says, once it does.
    fn wait(&mut self, log: &Path) -> anyhow::Result<String> {
        let deadline = Instant::now() + READY;
        loop {
            if let Ok(answer) = get(self.address, "/v1/model")
                && answer.starts_with("HTTP/1.1 200 ")
            {
                return Ok(answer);
            }
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended ({status}):\n{}", said());
            }
            if Instant::now() > deadline {
                bail!("the service is not ready after {} s:\n{}", READY.as_secs(), said());
            }
            std::thread::park_timeout(LOOK);
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Nothing is lost with it, and nobody is left to hear of an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: endcap\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
