//! The cache of compiled guests: used, mended, and refused where it is not safe.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::{ask, config, engine, guest};
use endcap_host::{CacheError, Grants, Host, HostConfig, HostError, Origin, Service};

fn host(folder: &Path) -> Result<Host, HostError> {
    Host::new(HostConfig { cache: Some(folder.to_owned()), ..config() }, engine(&[]))
}

/// Loads the shop, and proves that it works.
fn load(folder: &Path) -> Service {
    let service = host(folder).unwrap().component(&guest("shop"), &Grants::default()).unwrap();
    let answer = ask(&mut service.instantiate().unwrap(), &service, "add", "[2, 3]");
    assert_eq!(answer.as_deref(), Ok("5"));
    service
}

fn is_cached(folder: &Path) -> bool {
    matches!(load(folder).origin(), Origin::Cached)
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    file.clone()
}

#[test]
fn the_second_host_does_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("a/cache");
    assert!(!is_cached(&cache));
    assert!(is_cached(&cache));
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_damaged_artefact_is_compiled_again_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    assert!(!is_cached(&cache));
    let file = only_file(&cache);
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() - 1], &whole[..20], b"", b"\x7fELF"] {
        fs::write(&file, damaged).unwrap();
        assert!(!is_cached(&cache), "{} bytes", damaged.len());
        assert_eq!(fs::read(&file).unwrap().len(), whole.len());
        assert!(is_cached(&cache));
    }
}

#[test]
fn an_artefact_that_wasmtime_does_not_take_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    assert!(!is_cached(&cache));
    // Whole by its digest, and no artefact: what another program might have left there.
    let file = only_file(&cache);
    let mut foreign = fs::read(&file).unwrap()[..8].to_vec();
    foreign.extend_from_slice(&<sha2::Sha256 as sha2::Digest>::digest(b"not an ELF file"));
    foreign.extend_from_slice(b"not an ELF file");
    fs::write(&file, foreign).unwrap();
    assert!(!is_cached(&cache));
    assert!(is_cached(&cache));
}

#[test]
fn another_guest_has_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    load(&cache);
    let other = wat::parse_str("(component)").unwrap();
    let service = host(&cache).unwrap().component(&other, &Grants::default()).unwrap();
    assert!(matches!(service.origin(), Origin::Compiled));
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 2);
}

#[test]
fn a_folder_that_others_may_enter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |path: &Path| match host(path) {
        Err(HostError::Cache(CacheError::Unsafe { reason, .. })) => reason,
        other => panic!("{other:?}"),
    };
    let open = folder.path().join("open");
    DirBuilder::new().mode(0o700).create(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(refusal(&open), "others may enter it (chmod 700 mends that)");
    let link = folder.path().join("link");
    fs::set_permissions(&open, Permissions::from_mode(0o700)).unwrap();
    symlink(&open, &link).unwrap();
    assert_eq!(refusal(&link), "it is a link or a file");
    assert!(host(&open).is_ok());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_and_one_that_goes_costs_the_cache_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(host(&file.join("cache")), Err(HostError::Cache(CacheError::Io { .. }))));
    let cache = folder.path().join("cache");
    let host = host(&cache).unwrap();
    fs::remove_dir(&cache).unwrap();
    let service = host.component(&guest("shop"), &Grants::default()).unwrap();
    assert!(matches!(service.origin(), Origin::NotKept(CacheError::Io { .. })));
}
