//! What every command works with: the resolved options, where things are, and the way to the
//! vault. Opens only when asked to, and asks nobody.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use credb::location::Locations;
use credb::{Error, KeySource, KnownVaults, LockedVault, Options, SlotKind, Vault};

use super::globals::{Chosen, Globals, Origin};
use super::hints::{self, Hints};
use super::keys;
use super::output::Output;
use super::passphrase;
use super::prompt::Prompt;
use super::raw::RawArguments;
use super::report::Failure;

/// The vault's name if none is asked for.
const DEFAULT_VAULT: &str = "default";

/// What every command works with.
pub(crate) struct Context {
    /// The global options.
    pub(crate) globals: Globals,
    /// Where things are.
    pub(crate) locations: Locations,
    /// stdout and stderr.
    pub(crate) output: Output,
    /// What hints repeat.
    pub(crate) hints: Hints,
}

impl Context {
    /// The context of a command line.
    pub(crate) fn new(globals: Globals, raw: &RawArguments) -> Self {
        let output = Output::new(globals.form, globals.chatter, globals.color);
        let locations = Locations::of_process();
        let hints = hints_for(&globals, &locations, raw);
        Self { globals, locations, output, hints }
    }

    /// The vault's path, whether or not there is one.
    pub(crate) fn vault_path(&self) -> Result<PathBuf, Failure> {
        match &self.globals.vault {
            Some(Chosen { value, .. }) => self.path_of(value),
            None => self.locations.vault_path(DEFAULT_VAULT).map_err(|error| keys::nowhere(&error)),
        }
    }

    /// The path of the vault that a name or a path means, as for `--vault`.
    pub(crate) fn path_of(&self, value: &OsStr) -> Result<PathBuf, Failure> {
        let Some(text) = value.to_str() else {
            return if value.as_bytes().contains(&b'/') {
                Ok(value.into())
            } else {
                Err(Failure::usage("a vault's name is UTF-8: write a file as ./NAME"))
            };
        };
        self.locations.vault_path(text).map_err(|error| match hints::vault_as_path(value) {
            Some(hint) if !is_name(text) => {
                Failure::usage(super::report::with_causes(&error)).with_hint(hint)
            }
            _ => keys::nowhere(&error),
        })
    }

    /// How vaults are opened.
    pub(crate) fn options(&self) -> Options {
        self.options_with(self.globals.wait)
    }

    /// How vaults are opened, waiting for others at most this long.
    pub(crate) fn options_with(&self, wait: Duration) -> Options {
        self.with_known_vaults(self.options_for_copy(wait))
    }

    /// How a file is opened that is not the vault of its path: a backup.
    pub(crate) fn options_for_copy(&self, wait: Duration) -> Options {
        let options = Options::new().wait_in_all(wait).one_shot();
        if self.globals.network { options.allow_network_file_system() } else { options }
    }

    /// The vaults that are known, if there is a place for that.
    pub(crate) fn known_vaults(&self) -> Option<KnownVaults> {
        let path = self.locations.known_vaults().ok()?;
        Some(KnownVaults::in_file(&path))
    }

    fn with_known_vaults(&self, options: Options) -> Options {
        match self.known_vaults() {
            Some(known) => options.known_vaults(known),
            None => options,
        }
    }

    /// The keys to try.
    pub(crate) fn keys(&self) -> Result<Vec<KeySource>, Failure> {
        keys::sources(&self.globals, &self.locations)
    }

    /// Opens and unlocks the vault.
    pub(crate) fn open(&self) -> Result<Vault, Failure> {
        self.open_with(&self.keys()?)
    }

    /// Opens the vault and unlocks it with one of these keys.
    pub(crate) fn open_with(&self, keys: &[KeySource]) -> Result<Vault, Failure> {
        self.unlock(&LockedVault::open(&self.vault_path()?, &self.options())?, keys)
    }

    /// Unlocks a vault: with what needs no question, else with a passphrase that is asked for.
    pub(crate) fn unlock(
        &self,
        locked: &LockedVault,
        keys: &[KeySource],
    ) -> Result<Vault, Failure> {
        if self.globals.key.is_some() {
            // A key that was asked for is tried alone.
            return Ok(locked.unlock(keys)?);
        }
        self.unlock_or_ask(locked, keys)
    }

    /// Unlocks a vault for which no key was asked for.
    pub(crate) fn unlock_or_ask(
        &self,
        locked: &LockedVault,
        keys: &[KeySource],
    ) -> Result<Vault, Failure> {
        let failed = match unlock_with_all(locked, keys) {
            Err(error @ Error::Locked { .. }) => error,
            opened => return Ok(opened?),
        };
        match self.prompt() {
            Some(prompt) if locked.accepts(SlotKind::Passphrase)? => {
                passphrase::ask(prompt, locked, failed)
            }
            _ => Err(failed.into()),
        }
    }

    /// Unlocks a vault with what needs no question: one of these keys, or what `unlock` left
    /// with the kernel.
    pub(crate) fn unlock_unasked(
        &self,
        locked: &LockedVault,
        keys: &[KeySource],
    ) -> credb::Result<Vault> {
        // A key that was asked for is tried alone.
        if self.globals.key.is_some() { locked.unlock(keys) } else { unlock_with_all(locked, keys) }
    }

    /// Opens and unlocks the vault for many calls, each of which may wait for others anew.
    pub(crate) fn open_to_stay(&self) -> Result<Vault, Failure> {
        let options = self.with_known_vaults(Options::new().wait(self.globals.wait));
        let options =
            if self.globals.network { options.allow_network_file_system() } else { options };
        self.unlock(&LockedVault::open(&self.vault_path()?, &options)?, &self.keys()?)
    }

    /// Hints about another vault, named as for `--vault`.
    pub(crate) fn hints_of_vault(&self, name: &OsStr) -> Hints {
        Hints {
            vault: Some(name.to_string_lossy().into_owned()),
            environment_vault: None,
            root_may_have_it: root_may_have(Some(name), &self.locations),
            ..self.hints.clone()
        }
    }

    /// The failure to use a file that was named as an argument, and not as the vault.
    pub(crate) fn about_file(&self, path: &Path, error: Error) -> Failure {
        let hint = match &error {
            Error::VaultNotFound { .. } => return missing(path),
            error => self.hints.of_file(path).for_error(error),
        };
        let failure = Failure::from(error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }

    /// Someone to ask, if asking is possible and allowed.
    pub(crate) fn prompt(&self) -> Option<Prompt> {
        if self.globals.no_input { None } else { Prompt::on_terminal() }
    }

    /// Warns that an argument is visible to others.
    pub(crate) fn warn_of_arguments(&self, option: &str, instead: &str) {
        self.output.warning(&format!(
            "a secret in {option} is visible to other users in the process list and in sudo's \
             log: use {instead}"
        ));
    }
}

/// Unlocks a vault with one of these keys, or with what `unlock` left with the kernel.
fn unlock_with_all(locked: &LockedVault, keys: &[KeySource]) -> credb::Result<Vault> {
    match locked.unlock(keys) {
        Err(error @ Error::Locked { .. }) => locked.unlock_again()?.ok_or(error),
        opened => opened,
    }
}

/// The failure of a file operation of the program's own.
pub(crate) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> Failure + use<> {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }.into()
}

/// An input file that is not there.
fn missing(path: &Path) -> Failure {
    io_error("open", path)(rustix::io::Errno::NOENT.into())
}

/// Whether a text is well formed as a vault's name.
fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(is_inner)
        && text.strip_suffix(".redb").is_none()
}

fn hints_for(globals: &Globals, locations: &Locations, raw: &RawArguments) -> Hints {
    let said = |origin| {
        let chosen = globals.vault.as_ref().filter(|chosen| chosen.origin == origin)?;
        Some(chosen.value.to_string_lossy().into_owned())
    };
    let name = globals.vault.as_ref().map(|vault| vault.value.as_os_str());
    Hints {
        verb: raw.verb().map(str::to_owned),
        vault: said(Origin::Flag),
        environment_vault: said(Origin::Environment),
        root_may_have_it: root_may_have(name, locations),
        repeatable: raw.repeatable(),
        key_options: None,
    }
}

/// Whether root may have a vault of this name, or the default one, where this user has not.
fn root_may_have(name: Option<&OsStr>, locations: &Locations) -> bool {
    let is_path = name.is_some_and(|name| name.as_bytes().contains(&b'/'));
    !is_path && !locations.root && Path::new(hints::ROOT_DATA).is_dir()
}
