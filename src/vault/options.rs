//! How a vault is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::VaultId;
use crate::known::KnownVaults;
use crate::store::{FileSystems, Lifetime, Patience};

/// The wait for other processes if nothing else is asked for.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// How a vault is opened: how long to wait for other processes, and for how long it stays open.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let options = credb::Options::new().wait(Duration::from_secs(5));
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    wait: Wait,
    lifetime: Lifetime,
    file_systems: FileSystems,
    known: Option<KnownVaults>,
}

#[derive(Debug, Clone, Copy)]
enum Wait {
    EachCall(Duration),
    InAll(Duration),
}

impl Options {
    /// Waits at most 30 seconds in each call, and keeps the file open between writes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            wait: Wait::EachCall(DEFAULT_WAIT),
            lifetime: Lifetime::Long,
            file_systems: FileSystems::Local,
            known: None,
        }
    }

    /// The longest wait for other processes in each call; zero means one try.
    #[must_use]
    pub fn wait(mut self, limit: Duration) -> Self {
        self.wait = Wait::EachCall(limit);
        self
    }

    /// The longest wait for other processes in all calls on a handle together, its opening
    /// included.
    #[must_use]
    pub fn wait_in_all(mut self, limit: Duration) -> Self {
        self.wait = Wait::InAll(limit);
        self
    }

    /// For a program that ends after a write or two: opens and closes the file for each.
    #[must_use]
    pub fn one_shot(mut self) -> Self {
        self.lifetime = Lifetime::OneShot;
        self
    }

    /// Opens vaults on network file systems too, whose locks and syncs nobody vouches for.
    #[must_use]
    pub fn allow_network_file_system(mut self) -> Self {
        self.file_systems = FileSystems::Any;
        self
    }

    /// Opens a vault only if it is the one that this file knows at its path. A vault at a path
    /// that is not known yet is known once a key has opened it; making one, or restoring or
    /// salvaging one to a path, makes it the one that is known there.
    #[must_use]
    pub fn known_vaults(mut self, known: KnownVaults) -> Self {
        self.known = Some(known);
        self
    }

    /// The same for a file that is not the vault of its path: a backup.
    pub(super) fn for_copy(&self) -> Self {
        Self { known: None, ..self.clone() }
    }

    pub(super) fn known(&self) -> Option<&KnownVaults> {
        self.known.as_ref()
    }

    /// Knows the vault that was just placed at a path, as far as that can be written down.
    pub(super) fn placed(&self, path: &Path, vault: VaultId) {
        if let Some(known) = &self.known {
            known.note(path, vault);
        }
    }

    pub(super) fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    pub(super) fn file_systems(&self) -> FileSystems {
        self.file_systems
    }

    pub(super) fn patience(&self, path: &Path) -> Patience {
        let path: PathBuf = path.to_owned();
        match self.wait {
            Wait::EachCall(limit) => Patience::each_call(path, limit),
            Wait::InAll(limit) => Patience::in_all(path, limit),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
