//! What a container is made of, seen from the node.

use std::path::PathBuf;

use anyhow::Context;

use crate::node::Node;

/// Resident memory in bytes of a container's process and of its shim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub process: u64,
    pub shim: u64,
}

/// The process of a container.
pub(crate) fn process(node: &Node, container: &str) -> anyhow::Result<u32> {
    let tasks = node.ctr(&["tasks", "ls"])?;
    let line = tasks.lines().find(|line| line.starts_with(container));
    let pid = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|pid| pid.parse().ok());
    pid.with_context(|| format!("containerd lists no task {container}:\n{tasks}"))
}

/// Memory of a container.
pub(crate) fn memory(node: &Node, container: &str) -> anyhow::Result<Memory> {
    let pid = process(node, container)?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let parent = field(&status, "PPid:").context("no PPid")? as u32;
    let shim = std::fs::read_to_string(format!("/proc/{parent}/status"))?;
    let resident = |status: &str| field(status, "VmRSS:").map(|kib| kib * 1024).context("no VmRSS");
    Ok(Memory { process: resident(&status)?, shim: resident(&shim)? })
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// A limit as the kernel has it for a container's process, by version 1 of cgroups or version 2.
pub(crate) fn memory_limit(node: &Node, container: &str) -> anyhow::Result<u64> {
    let pid = process(node, container)?;
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let file = groups
        .lines()
        .find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (controllers, path) = (parts.nth(1)?, parts.next()?.trim_start_matches('/'));
            let folder: PathBuf = match controllers {
                "" => ["/sys/fs/cgroup", path, "memory.max"].iter().collect(),
                "memory" => ["/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"].iter().collect(),
                _ => return None,
            };
            let file = node.path(folder.to_str()?);
            file.exists().then_some(file)
        })
        .with_context(|| format!("no cgroup of {pid} limits memory:\n{groups}"))?;
    let text = std::fs::read_to_string(&file)?;
    text.trim().parse().with_context(|| format!("{}: {text}", file.display()))
}
