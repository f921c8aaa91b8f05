//! Both rows of a credential, sealed when they are stored, or before that by a second thread.
//!
//! The manifest counts such rows at once. What they add to its sums is gathered here as they are
//! sealed, by whichever thread, and taken over when all are.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::manifest::{Manifest, Total};
use super::unlocked::StateKeys;
use crate::codec::{IndexRow, RecordRow};
use crate::credential::Credential;
use crate::keys::RowKey;
use crate::seal::random;
use crate::store::{Later, Table};

/// The tables that have a row for each credential.
pub(super) const TABLES: [Table; 2] = [Table::Records, Table::Index];

/// The stored bytes of each of the two rows of a small credential, with room for the end of its
/// base64.
const SMALL: usize = 336;

/// The rows of a credential as it was just written.
pub(super) struct CredentialRows {
    keys: Arc<StateKeys>,
    key: RowKey,
    uid: [u8; 16],
    sums: Arc<Sums>,
    plain: Credential,
    /// Room for the stored bytes, until they are there. Made and freed by the thread that the
    /// credential came from, as that is: what one thread allocates and another frees makes both
    /// wait for the allocator, again and again.
    room: Mutex<Vec<u8>>,
    sealed: OnceLock<Sealed>,
}

/// The stored bytes of both rows, in the order of [`TABLES`].
struct Sealed {
    bytes: Vec<u8>,
    /// The length of the first.
    first: usize,
}

impl Sealed {
    fn row(&self, table: Table) -> &[u8] {
        let (first, second) = self.bytes.split_at(self.first);
        if table == TABLES[0] { first } else { second }
    }
}

impl CredentialRows {
    /// Those of a credential whose rows have this key in the current epoch.
    pub(super) fn new(
        keys: &Arc<StateKeys>,
        sums: &Arc<Sums>,
        (key, uid): (RowKey, [u8; 16]),
        credential: Credential,
    ) -> Self {
        Self {
            keys: Arc::clone(keys),
            key,
            uid,
            sums: Arc::clone(sums),
            plain: credential,
            room: Mutex::new(Vec::with_capacity(TABLES.len() * SMALL)),
            sealed: OnceLock::new(),
        }
    }

    fn sealed(&self) -> &Sealed {
        self.sealed.get_or_init(|| {
            let (epoch, vault) = (self.keys.epochs().current(), self.keys.vault_key().vault());
            let mut bytes = std::mem::take(&mut *self.room.lock());
            let record = RecordRow::encode_live(vault, self.uid, &self.plain);
            let first = epoch.records.seal_into(&record, &mut bytes);
            let index = IndexRow::encode_of(vault, self.uid, &self.plain.metadata);
            epoch.index.seal_into(&index, &mut bytes);
            let sealed = Sealed { bytes, first };
            let mac = |table: Table| epoch.row_mac(table.name(), &self.key, sealed.row(table));
            self.sums.add(TABLES.map(mac));
            sealed
        })
    }
}

impl Later for CredentialRows {
    fn make(&self) {
        self.sealed();
    }

    fn is_made(&self) -> bool {
        self.sealed.get().is_some()
    }

    fn value(&self, table: Table) -> &[u8] {
        self.sealed().row(table)
    }

    fn size(&self) -> usize {
        let secrets = self.plain.fields.iter().map(|(_, value)| value.len());
        (size_of::<Self>() + secrets.sum::<usize>()) / TABLES.len()
            + self.plain.password.len()
            + SMALL
    }
}

/// What the rows of a transaction that are sealed by now add to the totals of [`TABLES`].
#[derive(Default)]
pub(super) struct Sums(Mutex<[Total; 2]>);

impl Sums {
    fn add(&self, macs: [[u8; 32]; 2]) {
        for (total, mac) in self.0.lock().iter_mut().zip(macs) {
            total.rows += 1;
            total.sum.add(&mac);
        }
    }

    /// Completes the manifest, which has counted so many credentials' rows in this epoch. All of
    /// them are sealed: those that were replaced were read before.
    pub(super) fn sum_up(&self, manifest: &mut Manifest, epoch: u32, counted: u64) {
        for (table, total) in TABLES.into_iter().zip(std::mem::take(&mut *self.0.lock())) {
            debug_assert_eq!(total.rows, counted, "rows that are sealed");
            manifest.sum_up(epoch, table, &total.sum);
        }
    }
}

/// Random uids of new credentials: the first one alone, then many at once, since each call for
/// random bytes costs about as much as a tenth of a credential.
#[derive(Default)]
pub(super) struct Uids {
    left: Vec<[u8; 16]>,
    is_large: bool,
}

impl Uids {
    pub(super) fn draw(&mut self) -> [u8; 16] {
        if let Some(uid) = self.left.pop() {
            return uid;
        }
        if self.is_large {
            let bytes = random::<1_024>();
            self.left.extend(bytes.chunks_exact(16).filter_map(|uid| uid.first_chunk().copied()));
        }
        self.is_large = true;
        *random()
    }
}

#[cfg(test)]
mod tests;
