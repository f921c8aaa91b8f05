//! How a vault is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

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
