//! The epochs of a committed state: the current one, in which rows are written, and during a
//! rotation an older one that rows move out of.
//!
//! All rows of a credential are in the same epoch; in both they are damage.

use super::manifest::Manifest;
use super::snapshot::damaged;
use crate::codec::Malformed;
use crate::credential::CredentialId;
use crate::error::{Error, Result};
use crate::keys::{EpochKeys, EpochRow, RowKey, VaultKey};
use crate::store::{ReadRows, Table};

/// The most epochs that a vault has at once.
pub(super) const MOST: usize = 2;

/// Why an epoch's row does not open, if it may be for want of the right vault key.
pub(super) const WRONG_KEY: Malformed = "wrong key or altered";

/// The stored rows of the epochs, the current one last.
pub(super) type StoredEpochs = Vec<(Vec<u8>, Vec<u8>)>;

/// The keys of the epochs of one committed state.
#[derive(Debug)]
pub(super) struct Epochs {
    current: EpochKeys,
    older: Option<EpochKeys>,
}

/// Where the rows of a credential are.
pub(super) struct Home<'a> {
    /// The epoch they are in.
    pub(super) epoch: &'a EpochKeys,
    /// The key of its record.
    pub(super) key: RowKey,
    /// The stored bytes of its record.
    pub(super) stored: Vec<u8>,
}

impl Epochs {
    /// The stored rows, read in one go.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if there is none or more than two, and [`Error::Io`].
    pub(super) fn stored(rows: &dyn ReadRows) -> Result<StoredEpochs> {
        let mut stored = StoredEpochs::new();
        rows.rows(Table::Epochs, &[], &mut |key, token| {
            if stored.len() == MOST {
                return Err(table_damaged("there are more than two"));
            }
            stored.push((key.to_vec(), token.to_vec()));
            Ok(())
        })?;
        if stored.is_empty() {
            return Err(table_damaged("there is none"));
        }
        Ok(stored)
    }

    /// Opens the stored rows; `None` if that of the current epoch does not open, be it for want of
    /// the right vault key.
    ///
    /// # Errors
    ///
    /// A reason, if a row is damaged.
    pub(super) fn open(
        stored: &StoredEpochs,
        vault_key: &VaultKey,
    ) -> std::result::Result<Option<Self>, Malformed> {
        let open = |(key, token): &(Vec<u8>, Vec<u8>)| EpochRow::open(vault_key, key, token);
        let keys = |row: EpochRow| row.keys(vault_key.vault());
        let (last, others) = stored.split_last().ok_or("there is none")?;
        let current = match open(last) {
            Err(WRONG_KEY) => return Ok(None),
            row => keys(row?),
        };
        let older = others.first().map(open).transpose()?.map(keys);
        Ok(Some(Self { current, older }))
    }

    /// The epoch that rows are written in.
    pub(super) fn current(&self) -> &EpochKeys {
        &self.current
    }

    /// During a rotation, the epoch that rows move out of.
    pub(super) fn older(&self) -> Option<&EpochKeys> {
        self.older.as_ref()
    }

    /// All of them, the current one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &EpochKeys> {
        std::iter::once(&self.current).chain(&self.older)
    }

    /// The epoch that a credential's rows are in. Where it has no record there must be none in
    /// the index either, and no damage that hides them.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], also if it is in both epochs, and [`Error::Io`].
    pub(super) fn home(&self, rows: &dyn ReadRows, id: &CredentialId) -> Result<Option<Home<'_>>> {
        self.home_beside(rows, id, self.current.row_key(id))
    }

    /// The same, where the key of its record in the current epoch is known.
    pub(super) fn home_beside(
        &self,
        rows: &dyn ReadRows,
        id: &CredentialId,
        current: RowKey,
    ) -> Result<Option<Home<'_>>> {
        let older = self.older.as_ref().map(|epoch| (epoch, epoch.row_key(id)));
        let places = || std::iter::once((&self.current, current)).chain(older);
        let mut home = None;
        for (epoch, key) in places() {
            let Some(stored) = rows.row(Table::Records, &key)? else { continue };
            if home.is_some() {
                return Err(damaged(id, "it has records in two epochs"));
            }
            home = Some(Home { epoch, key, stored });
        }
        if home.is_none() {
            for (_, key) in places() {
                if rows.row(Table::Index, &key)?.is_some() {
                    return Err(damaged(id, "its record is missing"));
                }
                rows.check_way(Table::Records, &key)?;
            }
        }
        Ok(home)
    }

    /// Checks that the manifest counts no rows of any other epoch: somebody without a key could
    /// take an epoch away, and all rows in it would seem not to be there.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`].
    pub(super) fn check(&self, manifest: &Manifest) -> Result<()> {
        let is_here = |number| self.all().any(|epoch| epoch.epoch() == number);
        if manifest.epochs().all(is_here) {
            return Ok(());
        }
        Err(table_damaged("one that has rows is missing"))
    }
}

fn table_damaged(reason: &str) -> Error {
    Error::corrupt("the table of epochs", reason)
}
