//! A bare program: redb as we open it, Fernet, and rows of the size that ours have.

use std::path::Path;

use fernet::Fernet;
use redb::{Builder, ConcurrencyMode, TableDefinition};

use crate::figures::Anything;

pub(crate) const ROWS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("rows");
pub(crate) const KEY: &str = "wVHjkspS1XP0W53oSvTloX9wH8Unch9YZOLuVqgFza0=";

pub(crate) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::MultiWriter);
    builder.set_cache_size(32 * 1_048_576);
    builder
}

pub(crate) fn fernet() -> Anything<Fernet> {
    Fernet::new(KEY).ok_or_else(|| "the key".into())
}

/// A padded row as ours are: 256 bytes sealed.
pub(crate) fn sealed(fernet: &Fernet) -> Anything<Vec<u8>> {
    let token = fernet.encrypt_at_time(&[7; 256], 0);
    Ok(data_encoding::BASE64URL.decode(token.as_bytes())?)
}

/// Makes a file with so many rows, in the order of their numbers.
pub(crate) fn fill(path: &Path, rows: usize, key: impl Fn(usize) -> String) -> Anything<()> {
    let database = builder().create(path)?;
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(ROWS)?;
        let fernet = fernet()?;
        for number in 0..rows {
            table.insert(key(number).as_bytes(), sealed(&fernet)?.as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}
