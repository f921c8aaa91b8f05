//! Files and directories around a vault: who may change or read them, and whether a copy of one
//! directory holds vault and key.

use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use credb::{KeySource, LockedVault};

use super::Finding;
use crate::cli::hints::quote_path;

/// The bit of a directory in which only owners rename and remove their files.
const STICKY: u32 = 0o1000;

/// All that is loose about this vault and the keys at hand, as far as they exist.
pub(super) fn all(vault: &LockedVault, keys: &[KeySource], home: Option<&Path>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(loose_file("vault_permissions", "the vault", vault.path()));
    found.extend(loose_file("lock_permissions", "the vault's lock file", &vault.lock_path()));
    let regular = |key: &&KeySource| key.file().is_some_and(is_regular);
    let keys: Vec<&KeySource> = keys.iter().filter(regular).collect();
    for path in keys.iter().filter(|key| !key.may_be_loose()).filter_map(|key| key.file()) {
        found.extend(loose_file("key_permissions", "the key file", path));
    }
    found.extend(directories(vault.path()));
    let paths = keys.iter().filter_map(|key| key.file());
    found.extend(paths.filter_map(|path| together(vault.path(), path, home)));
    found
}

fn loose_file(code: &'static str, what: &str, path: &Path) -> Option<Finding> {
    let mode = mode(&fs::metadata(path).ok()?);
    (mode & 0o077 != 0).then(|| {
        let message = format!("others may access {what} (permissions {mode:03o})");
        Finding::new(code, message, format!("chmod 600 {}", quote_path(path)))
    })
}

/// The directory of the vault, which nobody else may write, and those above it, in which others
/// could put another directory in the place of this one.
fn directories(vault: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    for (depth, directory) in vault.ancestors().skip(1).enumerate() {
        let Ok(metadata) = fs::metadata(directory) else { continue };
        let mode = mode(&metadata);
        let (code, writers, what) = match depth {
            0 => ("directory_permissions", 0o022, "the vault's directory"),
            _ => ("parent_permissions", 0o002, "a directory above the vault"),
        };
        if mode & writers != 0 && mode & STICKY == 0 {
            let path = quote_path(directory);
            let message = format!("others may replace what is in {what} (permissions {mode:03o})");
            found.push(Finding::new(code, message, format!("chmod go-w {path}")));
        }
    }
    found
}

/// A key in the vault's directory or below it: whoever copies or backs up that directory has both.
/// That both are somewhere below one home is as it should be.
fn together(vault: &Path, key: &Path, home: Option<&Path>) -> Option<Finding> {
    let (vault, key) = (fs::canonicalize(vault).ok()?, fs::canonicalize(key).ok()?);
    let directory = vault.parent()?;
    let holds_home = home.is_some_and(|home| home.starts_with(directory));
    let is_beside = key.parent() == Some(directory);
    if !is_beside && (holds_home || !key.starts_with(directory)) {
        return None;
    }
    let message = format!("a copy of {} holds the vault and its key", directory.display());
    Some(Finding::new("key_with_vault", message, format!("mv {} DIRECTORY", quote_path(&key))))
}

fn is_regular(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}
