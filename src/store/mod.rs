//! Transactions over opaque rows: what a vault needs of a storage engine, and its limits.
//!
//! Knows no key and no credential. A transaction's body depends only on what it reads through
//! the transaction and may run again, so that an engine that detects conflicts fits here too.

mod ahead;
mod draft;
mod file;
mod leaf;
mod lease;
mod notice;
mod patience;
mod redb;
mod rows;
mod sorted;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

pub(crate) use self::draft::{build, create};
use self::file::{Access, Identity, Place};
pub(crate) use self::file::{FilePlace, FileSystems};
pub(crate) use self::leaf::scan;
pub(crate) use self::lease::{LONGEST_NOTE, LeaseFile, Leased};
pub(crate) use self::notice::Notices;
use self::patience::Budget;
pub(crate) use self::patience::Patience;
pub use self::redb::inside_store_call;
use self::redb::{Engine, OpenFailure};
pub(crate) use self::rows::{Later, ReadRows, Table, Verdict, Visit, VisitWhile, WriteRows};
use crate::error::{Error, Result};

/// The most times a file is repaired in one call: other processes may be killed in between, and
/// some damage makes each repair fail without a word.
const MOST_REPAIRS: u32 = 20;

/// Whether the file stays open between writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Kept open; the turnstile is held for each transaction.
    Long,
    /// Opened for each write; the turnstile is held from opening to closing.
    OneShot,
}

/// A place where a vault is, and an engine over it while it is open.
///
/// Belongs to the process that opened it.
#[derive(Debug)]
pub(crate) struct Store {
    place: Box<dyn Place>,
    patience: Patience,
    lifetime: Lifetime,
    pid: u32,
    poisoned: AtomicBool,
    /// Orders the writers of this process before the turnstile orders the processes.
    writers: Mutex<()>,
    open: Mutex<Option<Opened>>,
}

#[derive(Debug, Clone)]
struct Opened {
    engine: Arc<Engine>,
    identity: Identity,
}

impl Store {
    /// Opens the vault at a place for reading, repairing it first if its last writer died.
    ///
    /// # Errors
    ///
    /// [`Error::VaultNotFound`], [`Error::NotAVault`], [`Error::Corrupt`], [`Error::Busy`],
    /// [`Error::Io`] and [`Error::UnsupportedFileSystem`].
    pub(crate) fn open(
        place: Box<dyn Place>,
        patience: Patience,
        lifetime: Lifetime,
    ) -> Result<Self> {
        let store = Self {
            place,
            patience,
            lifetime,
            pid: std::process::id(),
            poisoned: AtomicBool::new(false),
            writers: Mutex::new(()),
            open: Mutex::new(None),
        };
        let budget = store.begin()?;
        budget.enter(|| store.opened(&budget))?;
        Ok(store)
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// Gives calls that draw on one budget of waiting this much from now on.
    pub(crate) fn wait_anew(&self, limit: Duration) {
        self.patience.renew(limit);
    }

    /// Runs `body` on one committed state. Waits for no writer.
    ///
    /// # Errors
    ///
    /// Those of `body` and of [`Self::open`]; [`Error::Forked`] and [`Error::Poisoned`].
    pub(crate) fn read<T>(&self, body: impl Fn(&dyn ReadRows) -> Result<T>) -> Result<T> {
        let budget = self.begin()?;
        budget.enter(|| {
            let opened = self.opened(&budget)?;
            match opened.engine.read(&body) {
                // A handle whose last writer died, or one that failed: a new one can tell.
                Err(OpenFailure::Stale(_)) => {
                    self.forget(&opened);
                    let opened = self.opened(&budget)?;
                    opened.engine.read(&body)
                }
                result => result,
            }
            .map_err(|failure| self.failed(failure, &budget))
        })
    }

    /// Runs `body` as one durable transaction, alone among all processes.
    ///
    /// # Errors
    ///
    /// Those of `body`, which roll everything back, and of [`Self::open`]; [`Error::Forked`],
    /// [`Error::Poisoned`], and [`Error::OutcomeUnknown`] if the disk fails during the commit.
    pub(crate) fn write<T>(
        &self,
        mut body: impl FnMut(&mut dyn WriteRows) -> Result<Verdict<T>>,
    ) -> Result<T> {
        let budget = self.begin()?;
        self.alone(&budget, || {
            loop {
                let opened = self.opened_for_writing(&budget)?;
                let place = self.place.as_ref();
                let mut checked = |rows: &mut dyn WriteRows| {
                    // Whoever does not queue at our turnstile may have replaced the file while
                    // we waited for the engine's own lock: a commit to it would be lost.
                    let replaced = place.identity()? != opened.identity;
                    if replaced { Ok(Verdict::Rollback(None)) } else { body(rows).map(some) }
                };
                let result = opened.engine.write(&mut checked);
                if !matches!(result, Ok(Some(_))) || self.lifetime == Lifetime::OneShot {
                    self.forget(&opened);
                    opened.close();
                }
                if let Some(value) = result.map_err(|failure| self.failed(failure, &budget))? {
                    return Ok(value);
                }
            }
        })
    }

    /// Runs `body` on the last committed state while no other process can commit to the file.
    /// The file stays as it is, and no reader waits.
    ///
    /// # Errors
    ///
    /// Those of [`Self::write`].
    pub(crate) fn hold<T>(&self, mut body: impl FnMut(&dyn ReadRows) -> Result<T>) -> Result<T> {
        let budget = self.begin()?;
        self.alone(&budget, || {
            let held = hold(self.place.as_ref(), &budget, &mut body);
            held.map_err(|failure| self.failed(failure, &budget))
        })
    }

    /// Checks the whole file, page by page: whether nothing is wrong with it. The file stays as
    /// it is; no other process writes meanwhile.
    ///
    /// # Errors
    ///
    /// Those of [`Self::write`].
    pub(crate) fn check_structure(&self) -> Result<bool> {
        let budget = self.begin()?;
        self.alone(&budget, || {
            let checked = budget.poll(|| {
                let (medium, _) = self.place.open(Access::Write)?;
                match Engine::check_structure(medium, self.path()) {
                    Err(OpenFailure::InUse) => Ok(None),
                    result => result.map(Some),
                }
            });
            checked.map_err(|failure| match failure {
                // The engine was this check's own: the handle is none the worse for it.
                OpenFailure::Panicked => {
                    let reason = "checking its pages failed unexpectedly";
                    Error::corrupt(self.path().display().to_string(), reason)
                }
                failure => self.failed(failure, &budget),
            })
        })
    }

    /// Runs `call` alone among the writers of this process, and then of all processes.
    fn alone<T>(&self, budget: &Arc<Budget>, call: impl FnOnce() -> Result<T>) -> Result<T> {
        budget.enter(|| {
            let _alone = budget
                .spend(|left| self.writers.try_lock_for(left))
                .ok_or_else(|| budget.exhausted())?;
            let _turn = self.place.turnstile(budget)?;
            call()
        })
    }

    /// Checks that this call may go on, and starts its budget of waiting.
    fn begin(&self) -> Result<Arc<Budget>> {
        if self.pid != std::process::id() {
            return Err(Error::Forked);
        }
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::Poisoned);
        }
        Ok(self.patience.budget())
    }

    /// The open engine, or a new one if there is none or the file was replaced.
    fn opened(&self, budget: &Budget) -> Result<Opened> {
        let current = self.place.identity()?;
        let known = self.open.lock().clone();
        if let Some(opened) = known.filter(|opened| opened.identity == current) {
            return Ok(opened);
        }
        // Not under the lock: this may wait for other processes.
        let opened = self.open_reader(budget)?;
        *self.open.lock() = Some(opened.clone());
        Ok(opened)
    }

    fn open_reader(&self, budget: &Budget) -> Result<Opened> {
        match self.try_open(Access::Read, budget) {
            Err(OpenFailure::NeedsRepair) => self.repair(budget),
            result => result.map_err(|failure| self.failed(failure, budget)),
        }
    }

    /// Opens the file for writing once, which repairs it after its last writer died, and then
    /// for reading again. Beside other processes that may be killed in turn this can take
    /// several rounds.
    fn repair(&self, budget: &Budget) -> Result<Opened> {
        let _turn = self.place.turnstile(budget).map_err(|error| match error {
            // The file beside the vault is not what the caller asked about.
            Error::Io { source, .. } => Error::io("repair", self.path())(source),
            other => other,
        })?;
        let mut rounds = 0;
        budget
            .poll(|| match self.try_open(Access::Read, budget) {
                Err(OpenFailure::NeedsRepair) if rounds < MOST_REPAIRS => {
                    rounds += 1;
                    let writer = self.try_open(Access::Write, budget)?;
                    let closed = Arc::into_inner(writer.engine).map_or(Ok(()), Engine::close);
                    if let Err(Error::Io { .. }) = closed {
                        // A repair that cannot be completed, on a full disk say, will not be by
                        // trying again; but this handle can read while it is open.
                        return self.try_open(Access::Write, budget).map(Some);
                    }
                    closed?;
                    Ok(None)
                }
                result => result.map(Some),
            })
            .map_err(|failure| self.failed(failure, budget))
    }

    fn opened_for_writing(&self, budget: &Budget) -> Result<Opened> {
        let current = self.place.identity()?;
        let known = self.open.lock().clone();
        if let Some(opened) = known
            && opened.identity == current
            && opened.engine.is_writer()
        {
            return Ok(opened);
        }
        let opened =
            self.try_open(Access::Write, budget).map_err(|failure| self.failed(failure, budget))?;
        if self.lifetime == Lifetime::Long {
            *self.open.lock() = Some(opened.clone());
        }
        Ok(opened)
    }

    /// Opens the engine, waiting while another process has the file open in an exclusive mode.
    fn try_open(&self, access: Access, budget: &Budget) -> Result<Opened, OpenFailure> {
        budget.poll(|| {
            let (medium, identity) = self.place.open(access)?;
            match Engine::open(medium, access, self.path()) {
                Ok(engine) => Ok(Some(Opened { engine: Arc::new(engine), identity })),
                Err(OpenFailure::InUse) => Ok(None),
                Err(failure) => Err(failure),
            }
        })
    }

    /// Drops this engine from the handle, unless another call has replaced it already.
    fn forget(&self, opened: &Opened) {
        let mut open = self.open.lock();
        if open.as_ref().is_some_and(|current| Arc::ptr_eq(&current.engine, &opened.engine)) {
            *open = None;
        }
    }

    /// The error of a failure, after what it means for this handle.
    fn failed(&self, failure: OpenFailure, budget: &Budget) -> Error {
        let error = match failure {
            OpenFailure::Known(error) | OpenFailure::Stale(error) => error,
            OpenFailure::InUse | OpenFailure::TimedOut => budget.exhausted(),
            OpenFailure::NeedsRepair => {
                Error::corrupt(self.path().display().to_string(), "it needs repair again and again")
            }
            OpenFailure::Panicked => {
                self.poisoned.store(true, Ordering::Release);
                Error::corrupt(self.path().display().to_string(), "reading it failed unexpectedly")
            }
        };
        if matches!(error, Error::OutcomeUnknown { .. }) {
            self.poisoned.store(true, Ordering::Release);
        }
        error
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.pid != std::process::id() {
            // Unlocking in a forked child would unlock for its parent: the description is shared.
            std::mem::forget(self.open.get_mut().take());
        }
    }
}

impl Opened {
    /// Closes a writer within the budget of the call; a reader has nothing to close.
    fn close(self) {
        // What was committed is durable already; a close that fails leaves the file for repair.
        drop(self.engine);
    }
}

/// Runs `body` at the turn of its caller, alone also among those who do not queue.
fn hold<T>(
    place: &dyn Place,
    budget: &Budget,
    body: &mut dyn FnMut(&dyn ReadRows) -> Result<T>,
) -> Result<T, OpenFailure> {
    budget.poll(|| {
        let (medium, identity) = place.open(Access::Write)?;
        let held = Engine::hold(medium, place.path(), &mut |rows| {
            let replaced = place.identity()? != identity;
            if replaced { Ok(None) } else { body(rows).map(Some) }
        });
        match held {
            Err(OpenFailure::InUse) => Ok(None),
            held => held,
        }
    })
}

/// Runs `swap`, which replaces the file at `path`, while no other process can commit to that
/// file, whatever state it is in. That file stays as it is.
///
/// # Errors
///
/// [`Error::Busy`], [`Error::Io`] and those of `swap`.
pub(crate) fn replace(
    path: &Path,
    file_systems: FileSystems,
    patience: &Patience,
    mut swap: impl FnMut() -> Result<()>,
) -> Result<()> {
    let place = FilePlace::find(path, file_systems)?;
    let budget = patience.budget();
    budget.enter(|| {
        let _turn = place.turnstile(&budget)?;
        let mut swapped = false;
        let held = hold(&place, &budget, &mut |_| {
            swap()?;
            swapped = true;
            Ok(())
        });
        match held {
            Ok(()) => Ok(()),
            // Letting the old file go failed: it is of no more interest.
            Err(_) if swapped => Ok(()),
            // A file that is no vault any more has no writers but those at the turnstile.
            Err(
                OpenFailure::Known(Error::Corrupt { .. } | Error::NotAVault { .. })
                | OpenFailure::NeedsRepair
                | OpenFailure::Panicked,
            ) => swap(),
            Err(OpenFailure::Known(error) | OpenFailure::Stale(error)) => Err(error),
            Err(OpenFailure::InUse | OpenFailure::TimedOut) => Err(budget.exhausted()),
        }
    })
}

fn some<T>(verdict: Verdict<T>) -> Verdict<Option<T>> {
    match verdict {
        Verdict::Commit(value) => Verdict::Commit(Some(value)),
        Verdict::Rollback(value) => Verdict::Rollback(Some(value)),
    }
}

/// The file beside a vault that its writers queue at.
pub(crate) fn turnstile_path(vault: &Path) -> PathBuf {
    let mut name = vault.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
