//! Rows of an open transaction, each call marked as the engine's.

use std::cell::{OnceCell, RefCell};
use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

use ::redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::checksums::{Pages, Way};
use super::failure::{storage_error, table_error};
use super::inside;
use crate::error::{Error, Result};
use crate::store::{ReadRows, Table, VisitWhile, WriteRows};

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
type ReadTable = ReadOnlyTable<&'static [u8], &'static [u8]>;
type WriteTable<'txn> = ::redb::Table<'txn, &'static [u8], &'static [u8]>;

/// Reads the rows of one committed state.
pub(super) struct Reading<'a> {
    pub(super) transaction: ReadTransaction,
    pub(super) tables: [OnceCell<ReadTable>; Table::ALL.len()],
    pub(super) pages: Pages<'a>,
    pub(super) path: &'a Path,
}

impl Reading<'_> {
    fn table(&self, table: Table) -> Result<&ReadTable> {
        let cell = &self.tables[table as usize];
        if let Some(open) = cell.get() {
            return Ok(open);
        }
        let open = inside(|| self.transaction.open_table(definition(table)))
            .map_err(|error| table_error(error, table, self.path))?;
        Ok(cell.get_or_init(|| open))
    }
}

impl ReadRows for Reading<'_> {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        get(self.table(table)?, key, self.path)
    }

    fn check_way(&self, table: Table, key: &[u8]) -> Result<()> {
        check_way(&self.pages, table, key, self.path)
    }

    fn rows_while(&self, table: Table, prefix: &[u8], visit: VisitWhile<'_>) -> Result<()> {
        each(self.table(table)?, prefix, visit, self.path)
    }
}

/// Changes rows in one transaction; tables stay open until it ends.
pub(super) struct Writing<'a> {
    pub(super) transaction: &'a WriteTransaction,
    pub(super) tables: [RefCell<Option<WriteTable<'a>>>; Table::ALL.len()],
    /// None for a file in the making.
    pub(super) pages: Option<Pages<'a>>,
    pub(super) path: &'a Path,
}

impl<'a> Writing<'a> {
    /// Runs `call` on the table, which stays open for the rest of the transaction.
    fn with<T>(
        &self,
        table: Table,
        call: impl FnOnce(&mut WriteTable<'a>) -> Result<T>,
    ) -> Result<T> {
        let mut slot = self.tables[table as usize].borrow_mut();
        if slot.is_none() {
            let open = inside(|| self.transaction.open_table(definition(table)))
                .map_err(|error| table_error(error, table, self.path))?;
            *slot = Some(open);
        }
        match slot.as_mut() {
            Some(open) => call(open),
            None => Err(Error::Poisoned),
        }
    }
}

impl ReadRows for Writing<'_> {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.with(table, |open| get(open, key, self.path))
    }

    fn check_way(&self, table: Table, key: &[u8]) -> Result<()> {
        // This transaction's own changes are not in the file yet, but they have hidden no row.
        self.pages.as_ref().map_or(Ok(()), |pages| check_way(pages, table, key, self.path))
    }

    fn rows_while(&self, table: Table, prefix: &[u8], visit: VisitWhile<'_>) -> Result<()> {
        self.with(table, |open| each(open, prefix, visit, self.path))
    }
}

impl WriteRows for Writing<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<()> {
        self.check_way(table, key)?;
        self.with(table, |open| {
            inside(|| open.insert(key, value).map(drop)).map_err(|e| storage_error(e, self.path))
        })
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<()> {
        self.check_way(table, key)?;
        self.with(table, |open| {
            inside(|| open.remove(key).map(drop)).map_err(|e| storage_error(e, self.path))
        })
    }
}

type Rows = &'static [u8];

fn get(table: &impl ReadableTable<Rows, Rows>, key: &[u8], path: &Path) -> Result<Option<Vec<u8>>> {
    inside(|| Ok(table.get(key)?.map(|value| value.value().to_vec())))
        .map_err(|error| storage_error(error, path))
}

fn each(
    table: &impl ReadableTable<Rows, Rows>,
    prefix: &[u8],
    visit: VisitWhile<'_>,
    path: &Path,
) -> Result<()> {
    let mut range = inside(|| table.range::<&[u8]>((Bound::Included(prefix), Bound::Unbounded)))
        .map_err(|error| storage_error(error, path))?;
    while let Some(entry) = inside(|| range.next()) {
        let (key, value) = entry.map_err(|error| storage_error(error, path))?;
        // Where a row ends is read from its page only now.
        let (key, value) = inside(|| (key.value(), value.value()));
        if !key.starts_with(prefix) || visit(key, value)?.is_break() {
            break;
        }
    }
    Ok(())
}

fn check_way(pages: &Pages<'_>, table: Table, key: &[u8], path: &Path) -> Result<()> {
    match pages.check(table, key).map_err(Error::io("read", path))? {
        Way::Intact => Ok(()),
        Way::Damaged => {
            let reason = "a page on the way to a row is not as it was written";
            Err(Error::corrupt(path.display().to_string(), reason))
        }
        Way::Unsettled => Err(Error::Busy { path: path.to_owned(), waited: Duration::ZERO }),
    }
}

fn definition(table: Table) -> Definition {
    TableDefinition::new(table.name())
}
