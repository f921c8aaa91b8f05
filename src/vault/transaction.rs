//! Several changes as one.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::config::Config;
use super::header::{self, Intent};
use super::list::{self, Query};
use super::manifest::Manifest;
use super::mover::Mover;
use super::sealing::{CredentialRows, Sums, TABLES, Uids};
use super::settings::Settings;
use super::snapshot::{damaged, open_record};
use super::unlocked::{StateKeys, Unlocked};
use crate::codec::{RecordRow, RecordState};
use crate::credential::{
    Change, Condition, Credential, CredentialId, Edit, Metadata, Replacement, same_content,
};
use crate::error::{Error, Result};
use crate::keys::{EpochKeys, RowKey};
use crate::store::{ReadRows, Table, WriteRows};

/// Several changes that happen together or not at all. Reads see the changes made so far.
pub struct Transaction<'a> {
    rows: &'a mut dyn WriteRows,
    keys: Arc<StateKeys>,
    /// Its counts are right at any time, its sums without `sums`.
    manifest: Manifest,
    /// Those of so many credentials' rows, which are sealed later.
    sums: Arc<Sums>,
    unsummed: u64,
    uids: Uids,
    now: DateTime<Utc>,
    /// How many earlier versions are kept, once it was read.
    history_limit: Option<usize>,
    changed: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(
        rows: &'a mut dyn WriteRows,
        keys: &Unlocked,
        path: &Path,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        header::check(rows, path, Intent::Write)?;
        let keys = keys.at(rows)?;
        let manifest = Manifest::read(rows, keys.vault_key())?;
        keys.epochs().check(&manifest)?;
        let (sums, unsummed, uids) = (Arc::default(), 0, Uids::default());
        let (history_limit, changed) = (None, false);
        Ok(Self { rows, keys, manifest, sums, unsummed, uids, now, history_limit, changed })
    }

    /// The credential of this id, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub fn find(&self, id: &CredentialId) -> Result<Option<Credential>> {
        Ok(match self.record(id)?.map(|row| row.state) {
            Some(RecordState::Live(credential)) => Some(*credential),
            _ => None,
        })
    }

    /// The credential of this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Corrupt`] and [`Error::Io`].
    pub fn get(&self, id: &CredentialId) -> Result<Credential> {
        self.find(id)?.ok_or_else(|| Error::NotFound { ids: vec![id.clone()] })
    }

    /// The credentials that match, without their secrets, sorted by id in byte order.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], also if rows are missing, and [`Error::Io`].
    pub fn list(&self, query: &Query) -> Result<Vec<Metadata>> {
        let rows: &dyn ReadRows = self.rows;
        list::list(rows, &self.keys, &self.manifest, query)
    }

    /// Adds or updates a credential on a condition. An error of the first three kinds leaves the
    /// transaction as it was: others of its changes may go on.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`], [`Error::VersionMismatch`], [`Error::Invalid`],
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub fn set_if(
        &mut self,
        id: &CredentialId,
        edit: &Edit,
        condition: Condition,
    ) -> Result<Change> {
        let key = self.epoch().row_key(id);
        let before = self.record_beside(id, key)?;
        let (last_version, uid) =
            before.as_ref().map_or((0, None), |row| (row.version, Some(row.uid)));
        let stored = match before.map(|row| row.state) {
            Some(RecordState::Live(credential)) => Some(*credential),
            _ => None,
        };
        condition.check(id, stored.as_ref().map_or(0, |_| last_version))?;
        let credential = edit.apply(id, stored.as_ref(), last_version, self.now)?;
        if let Some(stored) = stored.as_ref().filter(|stored| same_content(stored, &credential)) {
            return Ok(change(stored, false, false));
        }
        let change = change(&credential, stored.is_none(), true);
        let Some(uid) = uid else {
            let uid = self.uids.draw();
            self.add((key, uid), credential)?;
            return Ok(change);
        };
        if let Some(stored) = stored {
            self.keep(uid, stored, Replacement::Updated)?;
        }
        self.put(uid, credential)?;
        Ok(change)
    }

    /// Removes a credential on a condition. An error of the first two kinds leaves the
    /// transaction as it was.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::Corrupt`] and [`Error::Io`].
    pub fn remove_if(&mut self, id: &CredentialId, condition: Condition) -> Result<()> {
        let row = self.live(id)?;
        condition.check(id, row.version)?;
        if let RecordState::Live(credential) = &row.state {
            self.keep(row.uid, credential.as_ref().clone(), Replacement::Removed)?;
        }
        self.bury(row)
    }

    /// Completes the transaction; whether there is anything to commit.
    pub(super) fn finish(mut self) -> Result<bool> {
        if self.changed {
            self.rows.settle()?;
            let epoch = self.keys.epochs().current().epoch();
            self.sums.sum_up(&mut self.manifest, epoch, self.unsummed);
            self.manifest.write(self.rows, self.keys.vault_key(), self.now)?;
        }
        Ok(self.changed)
    }

    /// When all of this happens.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The row of a credential that is there.
    pub(super) fn live(&self, id: &CredentialId) -> Result<RecordRow> {
        self.record(id)?
            .filter(RecordRow::is_live)
            .ok_or_else(|| Error::NotFound { ids: vec![id.clone()] })
    }

    /// Replaces the credential of a row by a tombstone.
    pub(super) fn bury(&mut self, row: RecordRow) -> Result<()> {
        self.bring(&row.id)?;
        let key = self.epoch().row_key(&row.id);
        let tombstone = RecordRow { state: RecordState::Removed { at: self.now }, ..row };
        let record = self.epoch().records.seal(&tombstone.encode(self.vault()));
        self.replace(Table::Records, &key, Some(&record))?;
        self.replace(Table::Index, &key, None)
    }

    pub(super) fn put(&mut self, uid: [u8; 16], credential: Credential) -> Result<()> {
        self.bring(&credential.metadata.id)?;
        let key = self.epoch().row_key(&credential.metadata.id);
        for table in TABLES {
            let old = self.rows.row(table, &key)?;
            self.manifest.replace(
                self.keys.epochs().current(),
                table,
                &key,
                (old.as_deref(), None),
            )?;
        }
        self.add((key, uid), credential)
    }

    /// As [`Self::put`], of an id that the manifest counts no rows of in this epoch, and the key
    /// that they get.
    fn add(&mut self, place: (RowKey, [u8; 16]), credential: Credential) -> Result<()> {
        let epoch = self.keys.epochs().current().epoch();
        for table in TABLES {
            self.manifest.count(epoch, table);
        }
        self.unsummed += 1;
        self.changed = true;
        let rows = CredentialRows::new(&self.keys, &self.sums, place, credential);
        self.rows.put_later(&TABLES, &place.0, Arc::new(rows))
    }

    /// Moves a credential's rows to the current epoch, if they are still in the older one. Comes
    /// before each change of them: all that is written is written there.
    pub(super) fn bring(&mut self, id: &CredentialId) -> Result<()> {
        Mover::new(self.rows, &self.keys, &mut self.manifest).bring(id)
    }

    /// Changes one row of the current epoch and the manifest with it.
    pub(super) fn replace(&mut self, table: Table, key: &[u8], new: Option<&[u8]>) -> Result<()> {
        let old = self.rows.row(table, key)?;
        self.exchange(table, key, (old.as_deref(), new))
    }

    /// Changes one row of it, whose stored bytes are known, and the manifest with it; `None` stands for
    /// no row.
    pub(super) fn exchange(
        &mut self,
        table: Table,
        key: &[u8],
        (old, new): (Option<&[u8]>, Option<&[u8]>),
    ) -> Result<()> {
        self.manifest.replace(self.keys.epochs().current(), table, key, (old, new))?;
        self.changed = true;
        match new {
            Some(value) => self.rows.put(table, key, value),
            None => self.rows.delete(table, key),
        }
    }

    pub(super) fn record(&self, id: &CredentialId) -> Result<Option<RecordRow>> {
        self.record_beside(id, self.epoch().row_key(id))
    }

    /// The same, where the key of its row in the current epoch is known.
    fn record_beside(&self, id: &CredentialId, current: RowKey) -> Result<Option<RecordRow>> {
        let rows: &dyn ReadRows = self.rows;
        let Some(home) = self.keys.epochs().home_beside(rows, id, current)? else {
            return Ok(None);
        };
        let row = open_record(self.vault(), id, &home)?;
        // Changing one of two that disagree would leave a row that nobody finds, or two.
        let is_listed = rows.row(Table::Index, &home.key)?.is_some();
        if is_listed != row.is_live() {
            return Err(damaged(id, "record and index disagree"));
        }
        Ok(Some(row))
    }

    pub(super) fn rows(&self) -> &dyn ReadRows {
        self.rows
    }

    /// The epoch that is written in.
    pub(super) fn epoch(&self) -> &EpochKeys {
        self.keys.epochs().current()
    }

    /// How many earlier versions of each credential are kept.
    pub(super) fn history_limit(&mut self) -> Result<usize> {
        if let Some(limit) = self.history_limit {
            return Ok(limit);
        }
        let settings = Settings::read(self.rows, self.keys.vault_key())?;
        let limit = Config::of(&settings)?.history_keep;
        self.history_limit = Some(limit);
        Ok(limit)
    }

    pub(super) fn vault(&self) -> &[u8; 16] {
        self.keys.vault_key().vault()
    }
}

/// What a change came to.
pub(super) fn change(credential: &Credential, created: bool, changed: bool) -> Change {
    let metadata = &credential.metadata;
    Change {
        id: metadata.id.clone(),
        version: metadata.version,
        created,
        changed,
        updated_at: metadata.updated_at,
    }
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Transaction")
    }
}
