//! Moves rows from the older epoch to the current one: opened with the one's keys, sealed with
//! the other's, within one transaction and with the manifest kept up to date.
//!
//! All rows of a credential move together: its record or tombstone first, then what belongs to
//! it.

use std::ops::ControlFlow;

use super::epochs::Epochs;
use super::history;
use super::manifest::Manifest;
use super::snapshot::{damaged, open_index};
use super::unlocked::StateKeys;
use crate::codec::RecordRow;
use crate::credential::CredentialId;
use crate::error::{Error, Result};
use crate::keys::EpochKeys;
use crate::store::{Table, WriteRows};

/// The most rows that one step moves, but for those of its last credential.
const STEP_ROWS: u64 = 64;

/// The most stored bytes that one step moves, but for those of its last credential.
const STEP_BYTES: usize = 1_048_576;

/// What moves rows in one transaction.
pub(super) struct Mover<'a> {
    rows: &'a mut dyn WriteRows,
    vault: &'a [u8; 16],
    epochs: &'a Epochs,
    manifest: &'a mut Manifest,
    moved: u64,
    bytes: usize,
}

impl<'a> Mover<'a> {
    pub(super) fn new(
        rows: &'a mut dyn WriteRows,
        keys: &'a StateKeys,
        manifest: &'a mut Manifest,
    ) -> Self {
        let (vault, epochs) = (keys.vault_key().vault(), keys.epochs());
        Self { rows, vault, epochs, manifest, moved: 0, bytes: 0 }
    }

    /// Moves one credential, if it is in the older epoch.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub(super) fn bring(mut self, id: &CredentialId) -> Result<()> {
        let Some(older) = self.epochs.older() else { return Ok(()) };
        let key = older.row_key(id);
        let Some(stored) = self.rows.row(Table::Records, &key)? else { return Ok(()) };
        self.credential(older, &key, &stored)
    }

    /// Moves the first credentials of the older epoch, as many as a step has room for: the
    /// number of rows that were moved, 0 if none is left.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub(super) fn step(mut self) -> Result<u64> {
        let Some(older) = self.epochs.older() else { return Ok(0) };
        for (key, stored) in self.first(older)? {
            if self.moved >= STEP_ROWS || self.bytes >= STEP_BYTES {
                break;
            }
            self.credential(older, &key, &stored)?;
        }
        Ok(self.moved)
    }

    /// The first records of the older epoch, more than enough for a step.
    fn first(&self, older: &EpochKeys) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let (mut first, mut bytes) = (Vec::new(), 0);
        self.rows.rows_while(Table::Records, &older.prefix(), &mut |key, stored| {
            bytes += stored.len();
            first.push((key.to_vec(), stored.to_vec()));
            let is_enough = first.len() as u64 >= STEP_ROWS || bytes >= STEP_BYTES;
            Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(first)
    }

    /// Moves all rows of the credential whose record is this one.
    fn credential(&mut self, older: &EpochKeys, key: &[u8], stored: &[u8]) -> Result<()> {
        let record_damaged = |reason| Error::corrupt("a record of the older epoch", reason);
        let plaintext =
            older.records.open(stored).ok_or_else(|| record_damaged("wrong key or altered"))?;
        let row = RecordRow::decode(self.vault, &plaintext).map_err(record_damaged)?;
        if older.row_key(&row.id) != key {
            return Err(damaged(&row.id, "its record stands in the place of another id"));
        }
        let current = self.epochs.current();
        let new_key = current.row_key(&row.id);
        let sealed = current.records.seal(&plaintext);
        self.row(Table::Records, (key, stored), (&new_key, &sealed), &row.id)?;
        let index = self.rows.row(Table::Index, key)?;
        if index.is_some() != row.is_live() {
            return Err(damaged(&row.id, "record and index disagree"));
        }
        if let Some(stored) = index {
            let index = open_index(self.vault, older, key, &stored)?;
            let sealed = current.index.seal(&index.encode(self.vault));
            self.row(Table::Index, (key, &stored), (&new_key, &sealed), &row.id)?;
        }
        let mut earlier = Vec::new();
        self.rows.rows(Table::History, key, &mut |key, stored| {
            earlier.push((key.to_vec(), stored.to_vec()));
            Ok(())
        })?;
        for (key, stored) in earlier {
            let earlier = history::open(self.vault, older, &key, &stored)
                .map_err(|reason| damaged(&row.id, reason))?;
            let new_key = current.history_key(&row.id, earlier.version());
            let sealed = current.history.seal(&earlier.encode(self.vault));
            self.row(Table::History, (&key, &stored), (&new_key, &sealed), &row.id)?;
        }
        Ok(())
    }

    /// Exchanges a row of the older epoch for one of the current.
    fn row(
        &mut self,
        table: Table,
        (old_key, old): (&[u8], &[u8]),
        (new_key, new): (&[u8], &[u8]),
        id: &CredentialId,
    ) -> Result<()> {
        if self.rows.row(table, new_key)?.is_some() {
            return Err(damaged(id, "it is in two epochs"));
        }
        let older = self.epochs.older().ok_or(Error::Poisoned)?;
        self.manifest.replace(older, table, old_key, (Some(old), None))?;
        self.manifest.replace(self.epochs.current(), table, new_key, (None, Some(new)))?;
        self.rows.delete(table, old_key)?;
        self.rows.put(table, new_key, new)?;
        self.moved += 1;
        self.bytes += old.len();
        Ok(())
    }
}
