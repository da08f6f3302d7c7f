//! `endcap-model pack`.

use std::path::{Path, PathBuf};

use super::train::failure;
use super::{Failure, print};
use crate::report::count;
use crate::train::{TrainError, Trained};

/// Pack trained parts into one model.wasm.
///
/// The result is opened once, with every digest checked, before it takes the place of --out; what was there
/// stays whole if anything fails.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder made by `endcap-model train`.
    trained: PathBuf,
    /// File to write.
    #[arg(long, value_name = "FILE", default_value = "model.wasm")]
    out: PathBuf,
    /// Largest file that is written.
    #[arg(long, value_name = "BYTES", default_value_t = 100_000_000)]
    max_bytes: u64,
    /// Print the manifest as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let trained = Trained::load(&args.trained).map_err(failure)?;
    let bytes = trained.pack().map_err(failure)?;
    if bytes.len() as u64 > args.max_bytes {
        return Err(failure(TrainError::TooLarge {
            bytes: bytes.len() as u64,
            limit: args.max_bytes,
            help: "train with smaller --knn-sample or --together-neighbors, or allow more",
        }));
    }
    replace(&args.out, &bytes).map_err(failure)?;
    if args.json {
        return super::inspect::print_manifest(&bytes, &args.out);
    }
    print(&format!("packed {} bytes into {}\n", count(bytes.len() as u64), args.out.display()))
}

/// Writes beside `path`, then renames: a reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let io = |action: &'static str| {
        let path = path.to_owned();
        move |source| TrainError::Io { action, path, source }
    };
    let written = std::fs::write(&part, bytes).map_err(io("write"));
    let renamed = written.and_then(|()| std::fs::rename(&part, path).map_err(io("replace")));
    if renamed.is_err() {
        // Best effort: the error that matters is already in hand.
        let _ = std::fs::remove_file(&part);
    }
    renamed
}
