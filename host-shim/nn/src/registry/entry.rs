//! One registered model, and the text form of it.

use std::path::PathBuf;
use std::str::FromStr;

use crate::{Device, Encoding};

/// Stands between a path and the digest of its file.
const DIGEST_MARK: &str = "@sha256:";

/// A model that may be loaded by name.
///
/// Its text form is that of WasmEdge's `--nn-preload`, with an optional digest:
///
/// ```text
/// NAME:ENCODING:TARGET:PATH[@sha256:HEX]
/// ```
///
/// `ENCODING` is `onnx`, `ggml` or `autodetect`, `TARGET` is `cpu`, `gpu` or `auto` (the processor), in any case.
/// The path may contain colons, and ends the entry: WasmEdge's form of several paths is for engines that split a
/// model into files, which none here does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// What guests call it; not empty, no colon.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// What the file is.
    pub encoding: Encoding,
    /// Where it computes.
    pub device: Device,
    /// Digest that the file must have.
    pub sha256: Option<[u8; 32]>,
    /// The engine's own settings as JSON, used where a guest gives none.
    pub metadata: Option<String>,
}

/// An entry that cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Not four fields, or an empty one.
    #[error("`{entry}` is not NAME:ENCODING:TARGET:PATH: {missing} is missing")]
    Incomplete {
        /// The entry.
        entry: String,
        /// The first field that is missing or empty.
        missing: &'static str,
    },
    /// An encoding that no engine here reads.
    #[error("`{entry}`: encoding `{found}` is none of onnx, ggml, autodetect")]
    Encoding {
        /// The entry.
        entry: String,
        /// What stands there.
        found: String,
    },
    /// A target that is none.
    #[error("`{entry}`: target `{found}` is none of cpu, gpu, auto")]
    Target {
        /// The entry.
        entry: String,
        /// What stands there.
        found: String,
    },
    /// A digest that is none.
    #[error("`{entry}`: after @sha256: come 64 hexadecimal digits")]
    Digest {
        /// The entry.
        entry: String,
    },
    /// A name twice.
    #[error("two models are registered as `{name}`")]
    Twice {
        /// The name.
        name: String,
    },
}

impl FromStr for Registered {
    type Err = RegistryError;

    fn from_str(entry: &str) -> Result<Self, RegistryError> {
        let mut fields = entry.splitn(4, ':');
        let mut field = |missing| {
            let field = fields.next().filter(|field| !field.is_empty());
            field.ok_or_else(|| RegistryError::Incomplete { entry: entry.to_owned(), missing })
        };
        let (name, encoding, target, path) =
            (field("NAME")?, field("ENCODING")?, field("TARGET")?, field("PATH")?);
        let encoding = match encoding.to_ascii_lowercase().as_str() {
            "onnx" => Encoding::Onnx,
            "ggml" => Encoding::Ggml,
            "autodetect" => Encoding::Autodetect,
            _ => return Err(RegistryError::Encoding { entry: entry.to_owned(), found: encoding.to_owned() }),
        };
        let device = match target.to_ascii_lowercase().as_str() {
            "cpu" | "auto" => Device::Cpu,
            "gpu" => Device::Gpu,
            _ => return Err(RegistryError::Target { entry: entry.to_owned(), found: target.to_owned() }),
        };
        let (path, sha256) = match path.rsplit_once(DIGEST_MARK) {
            None => (path, None),
            Some((path, hex)) => {
                let digest = digest(hex).ok_or_else(|| RegistryError::Digest { entry: entry.to_owned() })?;
                (path, Some(digest))
            }
        };
        if path.is_empty() {
            return Err(RegistryError::Incomplete { entry: entry.to_owned(), missing: "PATH" });
        }
        Ok(Self { name: name.to_owned(), path: path.into(), encoding, device, sha256, metadata: None })
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: &str, expected: &str) {
        let found = match entry.parse::<Registered>() {
            Ok(model) => format!("{:?} {:?} {:?}", model.encoding, model.device, model.path),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn entries_are_read_as_upstream_writes_them() {
        check("rank:onnx:CPU:/m/rank.onnx", r#"Onnx Cpu "/m/rank.onnx""#);
        check("default:GGML:AUTO:m.gguf", r#"Ggml Cpu "m.gguf""#);
        check("x:autodetect:gpu:C:/m/x", r#"Autodetect Gpu "C:/m/x""#);
    }

    #[test]
    fn a_bad_entry_says_what_is_wrong() {
        check("rank", "`rank` is not NAME:ENCODING:TARGET:PATH: ENCODING is missing");
        check(":onnx:cpu:/m", "`:onnx:cpu:/m` is not NAME:ENCODING:TARGET:PATH: NAME is missing");
        check("a:onnx:cpu:", "`a:onnx:cpu:` is not NAME:ENCODING:TARGET:PATH: PATH is missing");
        check(
            "a:openvino:cpu:/m",
            "`a:openvino:cpu:/m`: encoding `openvino` is none of onnx, ggml, autodetect",
        );
        check("a:onnx:tpu:/m", "`a:onnx:tpu:/m`: target `tpu` is none of cpu, gpu, auto");
        check(
            "a:onnx:cpu:/m@sha256:00ff",
            "`a:onnx:cpu:/m@sha256:00ff`: after @sha256: come 64 hexadecimal digits",
        );
    }

    #[test]
    fn a_digest_ends_the_path() {
        let hex = "00ff".repeat(16);
        let model: Registered = format!("a:onnx:cpu:/m/a@sha256:{hex}").parse().unwrap();
        assert_eq!(model.path, PathBuf::from("/m/a"));
        assert_eq!(model.sha256.unwrap()[..4], [0, 0xff, 0, 0xff]);
    }
}
