//! HAProxy, in the place of a Service: it sends requests to the pods that it is told of, and repeats none.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Places for pods: more than ever run at once.
const SLOTS: usize = 8;
/// Where it listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:18000";

/// A running HAProxy. Dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Balancer {
    process: Child,
    socket: PathBuf,
    /// Addresses of the pods by slot.
    pods: [Option<String>; SLOTS],
}

impl Balancer {
    pub(crate) fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let socket = folder.join("haproxy.sock");
        let configuration = format!(
            "global\n  stats socket {} level admin\n  maxconn 1000\n\
             defaults\n  mode http\n  timeout connect 1s\n  timeout client 10s\n  timeout server 10s\n  \
             # A Service repeats no request either.\n  retries 0\n\
             frontend shop\n  bind {ADDRESS}\n  default_backend pods\n\
             backend pods\n  balance roundrobin\n  server-template pod {SLOTS} 127.0.0.1:9 disabled\n",
            socket.display()
        );
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, configuration)?;
        let log = std::fs::File::create(folder.join("haproxy.log"))?;
        let process = Command::new(program)
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting HAProxy")?;
        let begun = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                bail!("HAProxy does not answer; see haproxy.log");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { process, socket, pods: Default::default() })
    }

    /// Sends requests to this pod from now on.
    pub(crate) fn add(&mut self, ip: &str) -> anyhow::Result<()> {
        let free = self.pods.iter().position(Option::is_none).context("no place for one more pod")?;
        self.pods[free] = Some(ip.to_owned());
        let slot = free + 1;
        self.say(&format!("set server pods/pod{slot} addr {ip} port 8080"))?;
        self.say(&format!("set server pods/pod{slot} state ready"))
    }

    /// Sends nothing to this pod from now on.
    pub(crate) fn remove(&mut self, ip: &str) -> anyhow::Result<()> {
        let found = self.pods.iter().position(|pod| pod.as_deref() == Some(ip)).context("no such pod")?;
        self.pods[found] = None;
        self.say(&format!("set server pods/pod{} state maint", found + 1))
    }

    fn say(&self, command: &str) -> anyhow::Result<()> {
        let mut socket = UnixStream::connect(&self.socket)?;
        socket.write_all(format!("{command}\n").as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        // What changed is said as well; what went wrong is said with these words.
        if ["Unknown", "No such", "Invalid", "Can't", "Require"].iter().any(|word| answer.contains(word)) {
            bail!("HAProxy on `{command}`: {}", answer.trim());
        }
        Ok(())
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
