//! What a vault reads and changes through a transaction: tables of opaque rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::Result;

/// The tables of a vault; docs/format.md says what stands in each. The numbers stand in manifests
/// and are part of the format; new tables take the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Header = 0,
    Slots = 1,
    Epochs = 2,
    Records = 3,
    Index = 4,
    Settings = 5,
    Manifest = 6,
    History = 7,
}

impl Table {
    /// All tables, in the order of their declaration.
    pub(crate) const ALL: [Self; 8] = [
        Self::Header,
        Self::Slots,
        Self::Epochs,
        Self::Records,
        Self::Index,
        Self::Settings,
        Self::Manifest,
        Self::History,
    ];

    /// Those whose rows belong to an epoch, and are counted and summed up in the manifest.
    pub(crate) const OF_EPOCHS: [Self; 3] = [Self::Records, Self::Index, Self::History];

    /// The table's name in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Slots => "slots",
            Self::Epochs => "epochs",
            Self::Records => "records",
            Self::Index => "index",
            Self::Settings => "settings",
            Self::Manifest => "manifest",
            Self::History => "history",
        }
    }
}

/// Called with each row's key and value.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<()>;

/// Called with each row's key and value, as long as it goes on.
pub(crate) type VisitWhile<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>>;

/// Reads one committed state.
pub(crate) trait ReadRows {
    /// The value of a row.
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Checks that nothing hides a row that was not found: that no page on the way to it is
    /// damaged. [`Error::Corrupt`] if one is.
    fn check_way(&self, table: Table, key: &[u8]) -> Result<()>;

    /// Key and value of the table's last row.
    #[cfg(test)]
    fn last_row(&self, table: Table) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut last = None;
        let mut take = |key: &[u8], value: &[u8]| {
            last = Some((key.to_vec(), value.to_vec()));
            Ok(())
        };
        self.rows(table, &[], &mut take)?;
        Ok(last)
    }

    /// Visits the rows whose keys begin with `prefix`, in the order of their keys, until the
    /// visitor breaks off.
    fn rows_while(&self, table: Table, prefix: &[u8], visit: VisitWhile<'_>) -> Result<()>;

    /// Visits all rows whose keys begin with `prefix`, in the order of their keys.
    fn rows(&self, table: Table, prefix: &[u8], visit: Visit<'_>) -> Result<()> {
        let go_on = |()| ControlFlow::Continue(());
        self.rows_while(table, prefix, &mut |key, value| visit(key, value).map(go_on))
    }
}

/// Values of rows with one key, made when one is needed first, or before that by another thread.
pub(crate) trait Later: Send + Sync {
    /// Makes them, unless that is done; a second thread waits for the first.
    fn make(&self);

    /// Whether that is done.
    fn is_made(&self) -> bool;

    /// The value of the row in this table.
    fn value(&self, table: Table) -> &[u8];

    /// About how many bytes of memory each takes, made or not.
    fn size(&self) -> usize;
}

/// Changes rows; reads see the changes made so far.
pub(crate) trait WriteRows: ReadRows {
    /// Adds or replaces a row. [`Error::Corrupt`] if a page on the way to it is damaged.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<()>;

    /// As [`Self::put`] in each of these tables, of values that need not be there yet.
    fn put_later(&mut self, tables: &[Table], key: &[u8], values: Arc<dyn Later>) -> Result<()> {
        tables.iter().try_for_each(|table| self.put(*table, key, values.value(*table)))
    }

    /// Removes a row, if it is there. [`Error::Corrupt`] if a page on the way to it is damaged.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<()>;

    /// Makes all changes that were held back so far, and with them all values that were put later.
    ///
    /// # Errors
    ///
    /// Those of the changes, after which the transaction can only be rolled back.
    fn settle(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What becomes of a transaction whose body succeeded.
pub(crate) enum Verdict<T> {
    Commit(T),
    /// Nothing was changed that is worth a write.
    Rollback(T),
}
