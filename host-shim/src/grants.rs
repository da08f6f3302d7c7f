//! What a guest may see of the machine.

use std::path::PathBuf;
use std::str::FromStr;

use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::HostError;

/// Environment, folders and standard error of a guest. The default is none of them; a guest always has clocks and
/// random numbers, and never the network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Folders.
    pub folders: Vec<Folder>,
    /// Whether what it writes to standard error goes to the host's.
    pub stderr: bool,
}

/// A folder of the machine at a place in the guest's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// On the machine.
    pub host: PathBuf,
    /// In the guest.
    pub guest: String,
    /// Whether it may be written to.
    pub writable: bool,
}

/// An argument that names no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// Not a folder.
    #[error("`{given}` names no folder: write HOST, HOST::GUEST or HOST::GUEST::rw")]
    Folder {
        /// As given.
        given: String,
    },
}

impl FromStr for Folder {
    type Err = GrantError;

    /// `HOST`, `HOST::GUEST`, or `HOST::GUEST::rw` where the guest may write.
    fn from_str(given: &str) -> Result<Self, GrantError> {
        let wrong = || GrantError::Folder { given: given.to_owned() };
        let mut parts = given.split("::");
        let host = parts.next().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let guest = parts.next().unwrap_or(host);
        let writable = match parts.next() {
            None => false,
            Some("rw") => true,
            Some(_) => return Err(wrong()),
        };
        if guest.is_empty() || parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Self { host: host.into(), guest: guest.to_owned(), writable })
    }
}

impl Grants {
    /// A WASI context with these grants.
    pub(crate) fn wasi(&self) -> Result<WasiCtxBuilder, HostError> {
        let mut wasi = WasiCtxBuilder::new();
        // Guests run on threads that may wait: handing every read of a file to another thread only costs.
        wasi.envs(&self.env).allow_blocking_current_thread(true);
        if self.stderr {
            wasi.inherit_stderr();
        }
        for folder in &self.folders {
            let perms = if folder.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(&folder.host, &folder.guest, perms)
                .map_err(|cause| HostError::Folder { path: folder.host.clone(), cause })?;
        }
        Ok(wasi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_only_unless_asked() {
        let folder = |host: &str, guest: &str, writable| Folder {
            host: host.into(),
            guest: guest.to_owned(),
            writable,
        };
        assert_eq!("models".parse(), Ok(folder("models", "models", false)));
        assert_eq!("./m::/models".parse(), Ok(folder("./m", "/models", false)));
        assert_eq!("./d::/data::rw".parse(), Ok(folder("./d", "/data", true)));
        for wrong in ["", "::/x", "a::", "a::b::ro", "a::b::rw::c"] {
            assert_eq!(
                wrong.parse::<Folder>(),
                Err(GrantError::Folder { given: wrong.to_owned() }),
                "{wrong}"
            );
        }
    }
}
