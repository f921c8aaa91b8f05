//! Changes rows of a vault behind the program's back, through redb and with its checksums right.

use std::path::Path;

use redb::{Builder, ConcurrencyMode, Database, ReadableDatabase, ReadableTable, TableHandle};

type Definition<'a> = redb::TableDefinition<'a, &'static [u8], &'static [u8]>;

fn open(vault: &Path) -> Database {
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::MultiWriter);
    builder.open(vault).expect("open as redb does")
}

/// The bytes of all rows, keys and values.
pub(crate) fn bytes_of_rows(vault: &Path) -> u64 {
    let database = open(vault);
    let transaction = database.begin_read().expect("begin");
    let mut bytes = 0;
    for table in transaction.list_tables().expect("the tables") {
        let rows = transaction.open_table(Definition::new(table.name())).expect("the table");
        for row in rows.iter().expect("the rows") {
            let (key, value) = row.expect("a row");
            bytes += key.value().len() + value.value().len();
        }
    }
    bytes as u64
}

/// The values of all rows of these tables.
pub(crate) fn values_of_rows(vault: &Path, tables: &[&str]) -> Vec<Vec<u8>> {
    let database = open(vault);
    let transaction = database.begin_read().expect("begin");
    let mut values = Vec::new();
    for table in tables {
        let rows = transaction.open_table(Definition::new(table)).expect("the table");
        let all = rows.iter().expect("the rows");
        values.extend(all.map(|row| row.expect("a row").1.value().to_vec()));
    }
    values
}

/// Puts a value in the place of one that is there.
pub(crate) fn put_row(vault: &Path, table: &str, key: &[u8], value: &[u8]) {
    let transaction = open(vault).begin_write().expect("begin");
    let mut rows = transaction.open_table(Definition::new(table)).expect("the table");
    let former = rows.insert(key, value).expect("put").is_some();
    assert!(former, "table {table} should have such a row");
    drop(rows);
    transaction.commit().expect("commit");
}

/// Flips a bit in the last byte of the table's first row.
pub(crate) fn alter_row(vault: &Path, table: &str) {
    let transaction = open(vault).begin_write().expect("begin");
    let mut rows = transaction.open_table(Definition::new(table)).expect("the table");
    let (key, mut value) = {
        let (key, value) = rows.first().expect("read").expect("a row");
        (key.value().to_vec(), value.value().to_vec())
    };
    *value.last_mut().expect("a byte") ^= 1;
    rows.insert(key.as_slice(), value.as_slice()).expect("put");
    drop(rows);
    transaction.commit().expect("commit");
}
