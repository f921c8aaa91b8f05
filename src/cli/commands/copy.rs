//! `copy`: a credential of its own with what another one has, here or in another vault.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use credb::exchange::json;
use credb::{Change, Credential, CredentialId, KeySource, LockedVault, Overwrite, Vault};

use super::path_text;
use super::rename::{confirm, ids, overwrite, two};
use crate::cli::args::CopyArgs;
use crate::cli::context::Context;
use crate::cli::hints::Hints;
use crate::cli::keys;
use crate::cli::passphrase;
use crate::cli::report::Failure;

/// Copies.
pub(super) fn run(context: &Context, args: CopyArgs) -> Result<(), Failure> {
    let overwrite = overwrite(&args.ids);
    let ids = ids(args.ids)?;
    let Some(to_vault) = args.to else {
        let (id, to) = two(ids)?;
        let change = context.open()?.write(|transaction| transaction.copy(&id, &to, overwrite))?;
        confirm(context, "copied", &format!("{id} to {to}"), &change);
        return show(context, &id, &change, None);
    };
    let (id, to) = one_or_two(ids)?;
    let only = match (args.to_key_file, args.to_passphrase_file) {
        (Some(path), _) => Some(KeySource::KeyFile(path)),
        (_, Some(path)) => Some(passphrase::source(&path)?),
        _ => None,
    };
    let target = Target::new(context, &to_vault, only)?;
    let keys = context.keys()?;
    let (credential, waited) = read(context, &id, &keys)?;
    let vault = target.open(context, keys, context.globals.wait.saturating_sub(waited))?;
    let change = target.put(&vault, &credential, &to, overwrite)?;
    let what = format!("{id} to {to} in {}", to_vault.display());
    confirm(context, "copied", &what, &change);
    show(context, &id, &change, Some(vault.path()))
}

fn show(
    context: &Context,
    id: &CredentialId,
    change: &Change,
    to_vault: Option<&Path>,
) -> Result<(), Failure> {
    if !context.output.is_json() {
        return Ok(());
    }
    let mut document = json::moved(id, change);
    if let Some(path) = to_vault {
        document["to_vault"] = path_text(path).into();
    }
    context.output.json(&document)
}

/// The id, and the one of the copy: the same if none is named.
fn one_or_two(mut ids: Vec<CredentialId>) -> Result<(CredentialId, CredentialId), Failure> {
    if let [id] = ids.as_slice() {
        let same = id.clone();
        ids.push(same);
    }
    two(ids).map_err(|_| Failure::usage("an ID is needed, or two, OLD and NEW"))
}

/// The credential to copy, and how long others were waited for at most. It is one committed state;
/// the vault is closed again, so that nothing of it is held while the other one is written.
fn read(
    context: &Context,
    id: &CredentialId,
    keys: &[KeySource],
) -> Result<(Credential, Duration), Failure> {
    let path = context.vault_path()?;
    let (locked, opening) = timed(|| LockedVault::open(&path, &context.options()));
    let vault = context.unlock(&locked?, keys)?;
    let (credential, reading) = timed(|| vault.get(id));
    Ok((credential?, opening + reading))
}

fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = call();
    (result, started.elapsed())
}

/// The vault that a copy goes to.
struct Target {
    path: PathBuf,
    /// The one key to try there, if one is named.
    only: Option<KeySource>,
    hints: Hints,
}

impl Target {
    fn new(context: &Context, name: &OsStr, only: Option<KeySource>) -> Result<Self, Failure> {
        if name.is_empty() {
            return Err(Failure::usage("--to needs a name or a path"));
        }
        let hints = Hints {
            key_options: Some("--to-key-file or --to-passphrase-file"),
            ..context.hints_of_vault(name)
        };
        Ok(Self { path: context.path_of(name)?, only, hints })
    }

    /// Opens and unlocks it: with the one key named, else with those of the other vault and those
    /// at hand.
    fn open(
        &self,
        context: &Context,
        mut keys: Vec<KeySource>,
        wait: Duration,
    ) -> Result<Vault, Failure> {
        let mut open = || {
            let locked = LockedVault::open(&self.path, &context.options_with(wait))?;
            if let Some(only) = &self.only {
                return Ok(locked.unlock(std::slice::from_ref(only))?);
            }
            if context.globals.key.is_some() {
                keys.extend(keys::at_hand(&context.globals, &context.locations)?);
            }
            context.unlock_or_ask(&locked, &keys)
        };
        open().map_err(|failure: Failure| failure.hinted_by(&self.hints))
    }

    fn put(
        &self,
        vault: &Vault,
        credential: &Credential,
        to: &CredentialId,
        overwrite: Overwrite,
    ) -> Result<Change, Failure> {
        vault
            .write(|transaction| transaction.copy_from(credential, to, overwrite))
            .map_err(|error| Failure::from(error).hinted_by(&self.hints))
    }
}
