//! The row of `manifest`: how many rows each table has, a secret sum over them, and how many
//! writes the vault has seen. Kept up to date in each write, at a cost that does not depend on
//! the number of rows.

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::codec::{self, Binding, from_micros, micros};
use crate::error::{Error, Result};
use crate::keys::{EpochKeys, VaultKey};
use crate::seal::Key;
use crate::store::{ReadRows, Table, WriteRows};

/// Tables without an epoch, authenticated as a whole: they change seldom and are small.
const FIXED: [Table; 4] = [Table::Header, Table::Slots, Table::Epochs, Table::Settings];

/// A 256-bit number, little-endian; sums of row MACs are taken modulo 2^256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Sum([u64; 4]);

impl Sum {
    /// Adds a row's MAC.
    pub(crate) fn add(&mut self, mac: &[u8; 32]) {
        self.add_words(words(mac));
    }

    fn add_words(&mut self, words: impl Iterator<Item = u64>) {
        let mut carry = false;
        for (own, other) in self.0.iter_mut().zip(words) {
            let (sum, first) = own.overflowing_add(other);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*own, carry) = (sum, first || second);
        }
    }

    /// Takes a row's MAC off.
    pub(crate) fn subtract(&mut self, mac: &[u8; 32]) {
        let mut borrow = false;
        for (own, other) in self.0.iter_mut().zip(words(mac)) {
            let (rest, first) = own.overflowing_sub(other);
            let (rest, second) = rest.overflowing_sub(u64::from(borrow));
            (*own, borrow) = (rest, first || second);
        }
    }
}

fn words(mac: &[u8; 32]) -> impl Iterator<Item = u64> {
    mac.chunks_exact(8)
        .map(|bytes| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

/// Rows and sum of one table in one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Total {
    pub(crate) rows: u64,
    pub(crate) sum: Sum,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wire {
    generation: u64,
    changed_at: i64,
    /// Sorted by epoch and table; tables without rows are left out.
    totals: Vec<(u32, u8, Total)>,
    fixed: [u8; 32],
}

/// The manifest as it stands in a committed state or is to be written.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    wire: Wire,
}

impl Manifest {
    /// The row's key in the table.
    pub(crate) const KEY: &[u8] = b"manifest";

    /// That of a vault without rows yet.
    pub(crate) fn new() -> Self {
        Self { wire: Wire { generation: 0, changed_at: 0, totals: Vec::new(), fixed: [0; 32] } }
    }

    /// Reads the row.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`].
    pub(crate) fn read(rows: &dyn ReadRows, key: &VaultKey) -> Result<Self> {
        let token = rows.row(Table::Manifest, Self::KEY)?;
        let missing = || Error::corrupt("the manifest row", "it is missing");
        Self::open(&token.ok_or_else(missing)?, key)
    }

    /// Opens the row's stored bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`].
    pub(crate) fn open(token: &[u8], key: &VaultKey) -> Result<Self> {
        let damaged = |reason| Error::corrupt("the manifest row", reason);
        let plaintext =
            key.manifest().open(token).ok_or_else(|| damaged("wrong key or altered"))?;
        let wire = codec::decode(key.vault(), Binding::Manifest, &plaintext).map_err(damaged)?;
        Ok(Self { wire })
    }

    /// The same without any row, its generation kept.
    pub(crate) fn emptied(mut self) -> Self {
        self.wire.totals.clear();
        self
    }

    /// Writes the row, one generation on.
    pub(crate) fn write(
        &mut self,
        rows: &mut dyn WriteRows,
        key: &VaultKey,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.wire.generation += 1;
        self.wire.changed_at = micros(now);
        let plaintext = codec::encode(key.vault(), Binding::Manifest, &self.wire);
        rows.put(Table::Manifest, Self::KEY, &key.manifest().seal(&plaintext))
    }

    /// Rises by one with each write.
    pub(crate) fn generation(&self) -> u64 {
        self.wire.generation
    }

    /// When the vault last changed.
    pub(crate) fn changed_at(&self) -> Result<DateTime<Utc>> {
        from_micros(self.wire.changed_at)
            .map_err(|reason| Error::corrupt("the manifest row", reason))
    }

    /// The total of a table in an epoch.
    pub(crate) fn total(&self, epoch: u32, table: Table) -> Total {
        let key = (epoch, table as u8);
        let found = self.wire.totals.iter().find(|(epoch, table, _)| (*epoch, *table) == key);
        found.map_or_else(Total::default, |(_, _, total)| *total)
    }

    /// The epochs that have rows.
    pub(crate) fn epochs(&self) -> impl Iterator<Item = u32> {
        self.wire.totals.iter().map(|(epoch, _, _)| *epoch)
    }

    /// The rows of a table in all epochs.
    pub(crate) fn rows(&self, table: Table) -> u64 {
        let of_table = self.wire.totals.iter().filter(|(_, own, _)| *own == table as u8);
        of_table.fold(0, |rows, (_, _, total)| total.rows.saturating_add(rows))
    }

    /// Replaces a row's share in its table's total; `None` stands for no row.
    pub(crate) fn replace(
        &mut self,
        epoch: &EpochKeys,
        table: Table,
        key: &[u8],
        (old, new): (Option<&[u8]>, Option<&[u8]>),
    ) -> Result<()> {
        if old.is_some() && self.total(epoch.epoch(), table).rows == 0 {
            let reason = "it counts fewer rows than there are";
            return Err(Error::corrupt("the manifest row", reason));
        }
        let mac = |stored| epoch.row_mac(table.name(), key, stored);
        self.change(epoch.epoch(), table, |total| {
            if let Some(stored) = old {
                total.rows -= 1;
                total.sum.subtract(&mac(stored));
            }
            if let Some(stored) = new {
                total.rows += 1;
                total.sum.add(&mac(stored));
            }
        });
        Ok(())
    }

    /// Counts a new row whose MAC is still to be made; [`Self::sum_up`] completes it.
    pub(crate) fn count(&mut self, epoch: u32, table: Table) {
        self.change(epoch, table, |total| total.rows += 1);
    }

    /// Adds the MACs of rows that were counted.
    pub(crate) fn sum_up(&mut self, epoch: u32, table: Table, macs: &Sum) {
        self.change(epoch, table, |total| total.sum.add_words(macs.0.into_iter()));
    }

    fn change(&mut self, epoch: u32, table: Table, change: impl FnOnce(&mut Total)) {
        let totals = &mut self.wire.totals;
        let place = (epoch, table as u8);
        let found = totals.binary_search_by_key(&place, |(epoch, table, _)| (*epoch, *table));
        let mut total = found.map_or_else(|_| Total::default(), |at| totals[at].2);
        change(&mut total);
        match found {
            Ok(at) if total == Total::default() => drop(totals.remove(at)),
            Ok(at) => totals[at].2 = total,
            Err(_) if total == Total::default() => {}
            Err(at) => totals.insert(at, (epoch, table as u8, total)),
        }
    }

    /// Whether the tables without an epoch are as they were when last taken in.
    pub(crate) fn fixed_agrees(&self, rows: &dyn ReadRows, key: &VaultKey) -> Result<bool> {
        Ok(fixed_mac(rows, key)? == self.wire.fixed)
    }

    /// Checks that the tables without an epoch, the slots and their recipient keys among them, are
    /// as they were when last taken in by somebody with the vault key.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`].
    pub(crate) fn check_fixed(&self, rows: &dyn ReadRows, key: &VaultKey) -> Result<()> {
        if self.fixed_agrees(rows, key)? {
            return Ok(());
        }
        let reason = "header, slots, epochs or settings are not as last written";
        Err(Error::corrupt("the manifest row", reason))
    }

    /// A MAC over all that the manifest says and the vault's incarnation.
    pub(crate) fn digest(&self, key: &VaultKey, incarnation: &[u8; 16]) -> [u8; 32] {
        let mut mac = keyed(&key.state());
        mac.update(incarnation);
        mac.update(&codec::encode_plain(&self.wire));
        mac.finalize().into_bytes().into()
    }

    /// Takes in the tables without an epoch as they stand now.
    pub(crate) fn renew_fixed(&mut self, rows: &dyn ReadRows, key: &VaultKey) -> Result<()> {
        self.wire.fixed = fixed_mac(rows, key)?;
        Ok(())
    }
}

/// HMAC over all rows of the tables without an epoch: table, key and value, each after its
/// length.
fn fixed_mac(rows: &dyn ReadRows, key: &VaultKey) -> Result<[u8; 32]> {
    let mut mac = keyed(&key.fixed_rows());
    let mut update = |bytes: &[u8]| {
        mac.update(&(bytes.len() as u64).to_be_bytes());
        mac.update(bytes);
    };
    for table in FIXED {
        rows.rows(table, &[], &mut |row, value| {
            update(table.name().as_bytes());
            update(row);
            update(value);
            Ok(())
        })?;
    }
    Ok(mac.finalize().into_bytes().into())
}

fn keyed(key: &Key) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    Hmac::new_from_slice(key.as_slice()).expect("a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_taken_off_leaves_nothing() {
        let macs = [[0xff; 32], [1; 32], [0x80; 32], [0; 32]];
        let mut sum = Sum::default();
        for mac in &macs {
            sum.add(mac);
        }
        assert_ne!(sum, Sum::default());
        for mac in macs.iter().rev() {
            sum.subtract(mac);
        }
        assert_eq!(sum, Sum::default());
    }

    #[test]
    fn a_carry_runs_through_all_words() {
        let mut one = [0; 32];
        one[0] = 1;
        let mut sum = Sum::default();
        sum.add(&[0xff; 32]);
        sum.add(&one);
        assert_eq!(sum, Sum::default(), "2^256 is 0");
        sum.subtract(&one);
        assert_eq!(sum, Sum([u64::MAX; 4]));
    }
}
