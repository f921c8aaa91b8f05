//! Rotation: a new epoch with a new root key, into which all rows move while the vault is in use.
//!
//! Each step is a short transaction that finds what is left to do in the vault itself: a rotation
//! can be stopped anywhere, and anybody who opens the vault can go on with it.

mod vault_key;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};

use super::Vault;
use super::epochs::Epochs;
use super::header::{self, Intent};
use super::manifest::{Manifest, Total};
use super::mover::Mover;
use super::settings::{self, Pending, Settings};
use super::unlocked::StateKeys;
use super::verify::Progress;
use crate::error::{Error, Result};
use crate::keys::{EpochKeys, EpochRow};
use crate::store::{ReadRows, Table, Verdict, WriteRows};

/// The pause between two steps while nobody else writes: long enough for a writer that waits at
/// the turnstile to wake up and take its turn.
const PAUSE: Duration = Duration::from_micros(500);

/// The longest pause between two steps while others write.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RotationState {
    /// No rotation is under way.
    Complete,
    /// Rows are still sealed under the older epoch's keys.
    Resealing {
        /// How many rows that are.
        rows: u64,
    },
    /// All rows are resealed and the older epoch's key is gone, but free pages of the file may
    /// still hold what was sealed under it.
    ScrubPending,
}

/// What a step of a rotation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resealed {
    /// Some rows were resealed.
    Some {
        /// How many rows were.
        rows: u64,
        /// How many are still to be.
        left: u64,
    },
    /// None is left: the older epoch's key was deleted, or had been before.
    All,
}

/// What [`Vault::rotate`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotated {
    /// The number of the epoch that all rows are in now.
    pub epoch: u32,
    /// The number of rows that this call resealed; others may have helped.
    pub rows: u64,
    /// Whether a rotation that was under way was completed, and none begun.
    pub resumed: bool,
}

impl RotationState {
    pub(super) fn of(epochs: &Epochs, manifest: &Manifest, settings: &Settings) -> Self {
        match (epochs.older(), settings.scrub_pending()) {
            (Some(older), _) => Self::Resealing { rows: left(older, manifest) },
            (None, Pending::Yes) => Self::ScrubPending,
            (None, Pending::No) => Self::Complete,
        }
    }
}

impl Vault {
    /// Seals every row again under the keys of a new epoch, while other handles and processes
    /// read and write, and then compacts the file, which removes what was sealed under the older
    /// one. If a rotation is under way, completes that one instead: whoever was stopped while
    /// rotating, anybody can go on.
    ///
    /// Costs a transaction for each 64 rows and a pass over the file.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if a row is damaged or tables were altered by somebody without the key;
    /// [`Error::Invalid`] after 2^32 - 1 epochs; and those of [`Vault::write`]. What was done
    /// until then stays done.
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{CredentialId, Edit, NewKey, Options, RotationState, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// # let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// vault.set(&CredentialId::new("a")?, &Edit::new().password("p"))?;
    /// let rotated = vault.rotate(&|_done, _of| {}, &|_done, _of| {})?;
    /// assert_eq!((rotated.epoch, rotated.rows), (2, 2));
    /// assert_eq!(vault.info()?.rotation, RotationState::Complete);
    /// # Ok(())
    /// # }
    /// ```
    pub fn rotate(&self, resealing: Progress<'_>, scrubbing: Progress<'_>) -> Result<Rotated> {
        let resumed = !self.begin_rotation()?;
        let rows = self.reseal_all(resealing)?;
        self.compact(scrubbing)?;
        Ok(Rotated { epoch: self.current_epoch()?, rows, resumed })
    }

    fn current_epoch(&self) -> Result<u32> {
        self.store.read(|rows| Ok(self.keys.at(rows)?.epochs().current().epoch()))
    }

    /// Makes a new epoch, in which everybody writes from then on; `false` if a rotation is not
    /// complete yet, and nothing was changed. Rows stay where they are until they are changed or
    /// [`Self::reseal_some`] moves them.
    ///
    /// # Errors
    ///
    /// Those of [`Self::rotate`].
    pub fn begin_rotation(&self) -> Result<bool> {
        let now = Utc::now().trunc_subsecs(6);
        self.store.write(|rows| {
            let mut state = self.rotation(rows)?;
            if RotationState::of(state.keys.epochs(), &state.manifest, &state.settings)
                != RotationState::Complete
            {
                return Ok(Verdict::Rollback(false));
            }
            let next = EpochRow::generate(state.next_epoch()?);
            rows.put(Table::Epochs, &next.key(), &next.seal(state.keys.vault_key()))?;
            state.settings.set_rotated_at(now);
            let settings = state.settings.seal(state.keys.vault_key());
            rows.put(Table::Settings, settings::KEY, &settings)?;
            state.complete(rows, now)?;
            Ok(Verdict::Commit(true))
        })
    }

    /// One step of a rotation, a transaction of its own: reseals some 64 rows or 1 MiB, or
    /// deletes the older epoch's key if no row is left in it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::rotate`].
    pub fn reseal_some(&self) -> Result<Resealed> {
        Ok(self.step()?.resealed)
    }

    /// All steps that are left, with pauses for others.
    fn reseal_all(&self, progress: Progress<'_>) -> Result<u64> {
        let (mut moved, mut all, mut last) = (0, 0, None);
        loop {
            let step = self.step()?;
            let Resealed::Some { rows, left } = step.resealed else { return Ok(moved) };
            moved += rows;
            all = all.max(rows + left);
            progress(all - left, all);
            // A turn that is let go is there for the next that asks, even if others have waited:
            // without a pause that would be ourselves, again and again.
            let alone = last.is_none_or(|last| step.generation == last + 1);
            last = Some(step.generation);
            let pause = if alone { PAUSE } else { step.taken.min(LONGEST_PAUSE) };
            thread::sleep(pause.max(PAUSE));
        }
    }

    fn step(&self) -> Result<Step> {
        let now = Utc::now().trunc_subsecs(6);
        let mut turn = Instant::now();
        let mut step = self.store.write(|rows| {
            turn = Instant::now();
            let mut state = self.rotation(rows)?;
            let keys = Arc::clone(&state.keys);
            let generation = state.manifest.generation();
            let Some(older) = keys.epochs().older() else {
                return Ok(Verdict::Rollback(Step {
                    resealed: Resealed::All,
                    generation,
                    taken: Duration::ZERO,
                }));
            };
            let moved = Mover::new(rows, &keys, &mut state.manifest).step()?;
            let resealed = if moved == 0 {
                state.end(rows, older)?;
                state.complete(rows, now)?;
                Resealed::All
            } else {
                state.manifest.write(rows, keys.vault_key(), now)?;
                Resealed::Some { rows: moved, left: left(older, &state.manifest) }
            };
            let generation = generation + 1;
            Ok(Verdict::Commit(Step { resealed, generation, taken: Duration::ZERO }))
        })?;
        // With its commit, but without the wait for the turn.
        step.taken = turn.elapsed();
        Ok(step)
    }

    /// What a rotation works with, after checking that nobody without the key has changed the
    /// tables it relies on.
    fn rotation(&self, rows: &dyn ReadRows) -> Result<State> {
        header::check(rows, self.path(), Intent::Write)?;
        let keys = self.keys.at(rows)?;
        let key = keys.vault_key();
        let manifest = Manifest::read(rows, key)?;
        keys.epochs().check(&manifest)?;
        manifest.check_fixed(rows, key)?;
        let settings = Settings::read(rows, key)?;
        Ok(State { keys, manifest, settings })
    }

    /// Notes in a new file of the vault's rows that it holds nothing else.
    pub(super) fn note_scrubbed(&self, new: &mut dyn WriteRows, now: DateTime<Utc>) -> Result<()> {
        let keys = self.keys.at(new)?;
        let key = keys.vault_key();
        let mut settings = Settings::read(new, key)?;
        if settings.scrub_pending() == Pending::No {
            return Ok(());
        }
        let mut manifest = Manifest::read(new, key)?;
        if !manifest.fixed_agrees(new, key)? {
            // The copy is about to be verified, and refused.
            return Ok(());
        }
        settings.set_scrub_pending(Pending::No);
        new.put(Table::Settings, settings::KEY, &settings.seal(key))?;
        manifest.renew_fixed(new, key)?;
        manifest.write(new, key, now)
    }
}

/// What one step did, the vault's generation after it, and how long others waited for it.
struct Step {
    resealed: Resealed,
    generation: u64,
    taken: Duration,
}

/// What a rotation works with in one transaction.
struct State {
    keys: Arc<StateKeys>,
    manifest: Manifest,
    settings: Settings,
}

impl State {
    fn next_epoch(&self) -> Result<u32> {
        let last = self.keys.epochs().current().epoch();
        last.checked_add(1).ok_or_else(|| Error::invalid("epoch", "cannot rise any further"))
    }

    /// Deletes the key of an epoch that has no rows any more.
    fn end(&mut self, rows: &mut dyn WriteRows, older: &EpochKeys) -> Result<()> {
        for table in Table::OF_EPOCHS {
            let mut is_empty = true;
            rows.rows_while(table, &older.prefix(), &mut |_, _| {
                is_empty = false;
                Ok(ControlFlow::Break(()))
            })?;
            if !is_empty || self.manifest.total(older.epoch(), table) != Total::default() {
                let reason = "the older epoch has rows that cannot be moved";
                return Err(Error::corrupt(format!("table {}", table.name()), reason));
            }
        }
        rows.delete(Table::Epochs, &older.prefix())?;
        self.settings.set_scrub_pending(Pending::Yes);
        rows.put(Table::Settings, settings::KEY, &self.settings.seal(self.keys.vault_key()))
    }

    /// Brings the manifest up to what was written.
    fn complete(&mut self, rows: &mut dyn WriteRows, now: DateTime<Utc>) -> Result<()> {
        self.manifest.renew_fixed(rows, self.keys.vault_key())?;
        self.manifest.write(rows, self.keys.vault_key(), now)
    }
}

/// The number of rows that are still in an epoch.
fn left(epoch: &EpochKeys, manifest: &Manifest) -> u64 {
    let totals = Table::OF_EPOCHS.map(|table| manifest.total(epoch.epoch(), table).rows);
    totals.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
