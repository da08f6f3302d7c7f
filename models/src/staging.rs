//! A folder or a file that appears complete or not at all.
//!
//! Output is written into a hidden sibling, `.NAME.partial-PID`, and renamed into place by
//! [`StagedFolder::commit`]. A rename inside one file system is atomic, so a reader never meets half a dataset,
//! and a crash leaves only the hidden sibling behind.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why an output folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// The output exists and replacing it was not asked for.
    #[error("{} already exists; name another --out, or give --force to replace it", .0.display())]
    Exists(PathBuf),
    /// The output exists and holds something that this program did not write, so it is never deleted.
    #[error("{} holds {entry:?}, which this program did not write; it is not replaced, even with --force: name another --out", path.display())]
    Foreign {
        /// The output folder.
        path: PathBuf,
        /// The first unexpected entry in it.
        entry: String,
    },
    /// The output's name cannot be used, such as `/` or `..`.
    #[error("{} is no name for a new folder; name another --out", .0.display())]
    Name(PathBuf),
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The path it was tried on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StagingError {
    /// True where another choice of output by the caller would help, false for a failing file system.
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, Self::Io { .. })
    }
}

/// Writes beside `path`, then renames: a reader sees the old file or the new one.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), StagingError> {
    let mut name = path.file_name().ok_or_else(|| StagingError::Name(path.to_owned()))?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = fs::write(&part, bytes).map_err(|e| io_error("write", path, e));
    let renamed = written.and_then(|()| fs::rename(&part, path).map_err(|e| io_error("replace", path, e)));
    if renamed.is_err() {
        // Best effort: the error that matters is already in hand.
        let _ = fs::remove_file(&part);
    }
    renamed
}

/// A folder under construction. Dropped without [`commit`](Self::commit), it is removed.
#[derive(Debug)]
pub(crate) struct StagedFolder {
    target: PathBuf,
    partial: PathBuf,
    committed: bool,
}

impl StagedFolder {
    /// Starts the folder that will become `target`.
    ///
    /// A `target` that exists is refused unless it is empty, or `force` is set and it holds only files named in
    /// `ours`: `--force` must not delete a home folder given by mistake.
    pub(crate) fn create(target: &Path, force: bool, ours: &[&str]) -> Result<Self, StagingError> {
        check_target(target, force, ours)?;
        let name = target.file_name().ok_or_else(|| StagingError::Name(target.to_owned()))?;
        let parent = parent_of(target);
        fs::create_dir_all(&parent).map_err(|e| io_error("create", &parent, e))?;
        let partial = parent.join(hidden(name, "partial"));
        remove_if_there(&partial)?;
        fs::create_dir(&partial).map_err(|e| io_error("create", &partial, e))?;
        Ok(Self { target: target.to_owned(), partial, committed: false })
    }

    /// Where a file of this folder is written for now.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.partial.join(file)
    }

    /// Puts the folder in its place. What stood there is moved aside first and deleted last.
    pub(crate) fn commit(mut self) -> Result<(), StagingError> {
        let old = match self.target.file_name() {
            Some(name) if self.target.exists() => Some(parent_of(&self.target).join(hidden(name, "old"))),
            _ => None,
        };
        if let Some(old) = &old {
            remove_if_there(old)?;
            fs::rename(&self.target, old).map_err(|e| io_error("move aside", &self.target, e))?;
        }
        fs::rename(&self.partial, &self.target)
            .map_err(|e| io_error("rename into place", &self.target, e))?;
        self.committed = true;
        old.map_or(Ok(()), |old| remove_if_there(&old))
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing is left to tell the error to; a leftover is hidden and is removed by the next run.
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

fn check_target(target: &Path, force: bool, ours: &[&str]) -> Result<(), StagingError> {
    let meta = match fs::symlink_metadata(target) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io_error("read", target, e)),
    };
    if !meta.is_dir() {
        return Err(StagingError::Exists(target.to_owned()));
    }
    let mut empty = true;
    for entry in fs::read_dir(target).map_err(|e| io_error("read", target, e))? {
        let entry = entry.map_err(|e| io_error("read", target, e))?.file_name();
        empty = false;
        if force && !ours.iter().any(|name| entry == *name) {
            return Err(StagingError::Foreign {
                path: target.to_owned(),
                entry: entry.to_string_lossy().into_owned(),
            });
        }
    }
    if empty || force { Ok(()) } else { Err(StagingError::Exists(target.to_owned())) }
}

/// The folder that holds `target`; a bare name lies in the current folder.
fn parent_of(target: &Path) -> PathBuf {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn hidden(name: &std::ffi::OsStr, what: &str) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{what}-{}", std::process::id()));
    hidden
}

fn remove_if_there(path: &Path) -> Result<(), StagingError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path, e)),
        _ => Ok(()),
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> StagingError {
    StagingError::Io { action, path: path.to_owned(), source }
}
