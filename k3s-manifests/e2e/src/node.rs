//! The node's programs: containerd and the kubelet, in the node's own root.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long containerd and the kubelet may take to come up on a busy machine.
const START: Duration = Duration::from_secs(60);
/// Namespace in which the kubelet's containers are.
const NAMESPACE: &str = "k8s.io";

/// What every run takes: the node and the images.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// The node's root file system, made by scripts/cluster/enter.sh.
    #[arg(long)]
    pub root: PathBuf,
    /// Folder for logs and sockets.
    #[arg(long)]
    pub logs: PathBuf,
    /// The image's archive.
    #[arg(long)]
    pub image: PathBuf,
    /// Its digest.
    #[arg(long)]
    pub digest: String,
    /// Archive of the image that comes after it.
    #[arg(long)]
    pub next_image: PathBuf,
    /// Its digest.
    #[arg(long)]
    pub next_digest: String,
    /// The images' name without tag.
    #[arg(long)]
    pub base: String,
    /// The sandboxes' image.
    #[arg(long)]
    pub pause: PathBuf,
}

/// A running node. Dropped, its programs are ended.
#[derive(Debug)]
pub(crate) struct Node {
    root: PathBuf,
    logs: PathBuf,
    programs: Vec<Child>,
}

impl Node {
    /// `root` is the node's root file system, `logs` a folder outside.
    pub(crate) fn new(root: PathBuf, logs: PathBuf) -> Self {
        Self { root, logs, programs: Vec::new() }
    }

    /// A path of the node, seen from here.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside.trim_start_matches('/'))
    }

    /// Writes a file of the node.
    pub(crate) fn write(&self, inside: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path(inside);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    }

    /// A command in the node's root.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("chroot");
        command.arg(&self.root).arg(program).args(arguments).env_clear();
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin").stdin(Stdio::null());
        command
    }

    /// Starts a program that stays, with its output in a log of that name.
    pub(crate) fn start(&mut self, name: &str, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let log = File::create(self.logs.join(format!("{name}.log")))?;
        let mut command = self.command(program, arguments);
        command.stdout(log.try_clone()?).stderr(log);
        self.programs.push(command.spawn().with_context(|| format!("starting {name}"))?);
        Ok(())
    }

    /// Waits until `up` says so.
    pub(crate) fn wait(&mut self, what: &str, up: impl Fn(&Self) -> bool) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        while !up(self) {
            for program in &mut self.programs {
                if let Some(status) = program.try_wait()? {
                    bail!("while waiting for {what}: a program of the node ended ({status}); see the logs");
                }
            }
            if begun.elapsed() > START {
                bail!("{what} did not come up within {START:?}; see the logs");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(begun.elapsed())
    }

    /// containerd's own client.
    pub(crate) fn ctr(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command("ctr", &[&["-n", NAMESPACE], arguments].concat()).output()?;
        if !output.status.success() {
            bail!("ctr {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Imports an archive of images; with `base`, also under `base@digest`.
    pub(crate) fn import(&self, archive: &Path, base: Option<&str>) -> anyhow::Result<()> {
        let inside = "/tmp/image.tar";
        std::fs::copy(archive, self.path(inside)).with_context(|| archive.display().to_string())?;
        match base {
            Some(base) => self.ctr(&["images", "import", "--base-name", base, "--digests", inside])?,
            None => self.ctr(&["images", "import", inside])?,
        };
        std::fs::remove_file(self.path(inside))?;
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for program in self.programs.iter_mut().rev() {
            // The namespaces end with this process, and everything in them.
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}
