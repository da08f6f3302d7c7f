//! Options that every subcommand has: the guest, what it is given, and its limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::value_parser;
use endcap_nn::{Engine, Limits, Registry};

use super::{Failure, tell};
use crate::config::{CALL_DEADLINE, LOAD_DEADLINE, MEMORY_BYTES};
use crate::{Folder, Grants, Host, HostConfig, Instance, Origin, Program, Service, WasmKind};

/// Bytes of a mebibyte.
const MIB: usize = 1 << 20;
/// Where compiled guests are kept, below the user's cache folder.
const CACHE_FOLDER: &str = "endcap/aot";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Component or core module, in binary form.
    #[arg(value_name = "WASM")]
    pub(super) wasm: PathBuf,
    /// Model that the component is given before anything else.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Model that guests may load by name: NAME:ENCODING:TARGET:PATH, ENCODING onnx, ggml or autodetect, TARGET cpu,
    /// gpu or auto; PATH may end with @sha256:HEX. May be repeated.
    #[arg(long, value_name = "ENTRY")]
    nn_preload: Vec<String>,
    /// Folder that the guest may read, as HOST, HOST::GUEST, or HOST::GUEST::rw. May be repeated.
    #[arg(long, value_name = "FOLDER")]
    dir: Vec<Folder>,
    /// Environment variable of the guest. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Memory of the guest, MiB.
    #[arg(long, value_name = "MIB", default_value_t = (MEMORY_BYTES / MIB) as u32, value_parser = value_parser!(u32).range(1..=4096))]
    memory: u32,
    /// Longest call, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = CALL_DEADLINE.as_millis() as u64, value_parser = value_parser!(u64).range(1..=600_000))]
    deadline: u64,
    /// Longest start, and longest load of a model, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = LOAD_DEADLINE.as_millis() as u64, value_parser = value_parser!(u64).range(1..=600_000))]
    load_deadline: u64,
    /// Folder of compiled guests, yours alone [default: endcap/aot in the user's cache folder].
    #[arg(long, value_name = "FOLDER", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Compile anew, and keep nothing.
    #[arg(long)]
    no_cache: bool,
}

/// A guest, compiled and linked.
pub(super) enum Guest {
    Component(Service),
    Module(Program),
}

impl Options {
    pub(super) fn host(&self) -> Result<Host, Failure> {
        let registry = Registry::parse(self.nn_preload.iter().map(String::as_str)).map_err(Failure::input)?;
        let config = HostConfig {
            memory_bytes: self.memory as usize * MIB,
            call_deadline: Duration::from_millis(self.deadline),
            load_deadline: Duration::from_millis(self.load_deadline),
            cache: if self.no_cache { None } else { self.cache.clone().or_else(default_cache) },
            ..HostConfig::default()
        };
        Ok(Host::new(config, Engine::new(Limits::default(), registry))?)
    }

    /// Compiles and links the guest.
    pub(super) fn guest(&self, host: &Host) -> Result<Guest, Failure> {
        let wasm = read(&self.wasm)?;
        let grants = Grants { env: self.env.clone(), folders: self.dir.clone(), stderr: true };
        let guest = match WasmKind::of(&wasm)? {
            WasmKind::Component => Guest::Component(host.component(&wasm, &grants)?),
            WasmKind::Module => Guest::Module(host.module(&wasm, &grants)?),
        };
        if let Origin::NotKept(error) = guest.origin() {
            tell(&format_args!("warning: compiled, and not kept for the next start: {error}"));
        }
        Ok(guest)
    }

    /// The model's bytes, where one is given.
    pub(super) fn model(&self) -> Result<Option<Vec<u8>>, Failure> {
        self.model.as_deref().map(read).transpose()
    }

    /// An instance of the component that has its model.
    pub(super) fn instance(&self, service: &Service) -> Result<Instance, Failure> {
        let mut instance = service.instantiate()?;
        if let Some(model) = self.model()? {
            instance.load_model(&model)?;
        }
        Ok(instance)
    }
}

impl Guest {
    pub(super) fn origin(&self) -> &Origin {
        match self {
            Self::Component(service) => service.origin(),
            Self::Module(program) => program.origin(),
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).with_context(|| path.display().to_string()).map_err(|error| {
        // `Failure` prints the outermost text alone.
        Failure::Input(anyhow::anyhow!("{error:#}"))
    })
}

fn variable(given: &str) -> Result<(String, String), String> {
    match given.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

fn default_cache() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(folder.join(CACHE_FOLDER))
}
