//! The clear rows of `header`: what the file is, for those who have no key.

use std::path::Path;

use super::VaultId;
use crate::error::{Error, Result};
use crate::store::{ReadRows, Table, WriteRows};

/// The format this program writes.
pub(super) const FORMAT: u32 = 1;

const FORMAT_ROW: &[u8] = b"format";
const FEATURES_ROW: &[u8] = b"features";
pub(super) const VAULT_ROW: &[u8] = b"vault";

/// Feature bits that this program knows. Unknown *compatible* bits change nothing for it, with
/// unknown *read-compatible* ones it may read only, with unknown *incompatible* ones nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Features {
    compatible: u64,
    read_compatible: u64,
    incompatible: u64,
}

const KNOWN: Features = Features { compatible: 0, read_compatible: 0, incompatible: 0 };

/// What a transaction wants to do with the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Write,
}

/// Writes the header of a new vault.
pub(super) fn write(rows: &mut dyn WriteRows, vault: VaultId) -> Result<()> {
    rows.put(Table::Header, FORMAT_ROW, &FORMAT.to_be_bytes())?;
    let features = [KNOWN.compatible, KNOWN.read_compatible, KNOWN.incompatible];
    rows.put(Table::Header, FEATURES_ROW, &features.map(u64::to_be_bytes).concat())?;
    rows.put(Table::Header, VAULT_ROW, &vault.0)
}

/// The vault's id, if this program may do with the vault what it intends to.
///
/// # Errors
///
/// [`Error::NotAVault`], [`Error::NewerFormat`] and [`Error::Corrupt`].
pub(super) fn check(rows: &dyn ReadRows, path: &Path, intent: Intent) -> Result<VaultId> {
    let Some(format) = rows.row(Table::Header, FORMAT_ROW)? else {
        let reason = "it has no credb header".to_owned();
        return Err(Error::NotAVault { path: path.to_owned(), reason });
    };
    let damaged = |what| Error::corrupt(path.display().to_string(), what);
    let format = format.try_into().map_err(|_| damaged("its format number is malformed"))?;
    let format = u32::from_be_bytes(format);
    let newer = |reason: String| Error::NewerFormat { path: path.to_owned(), reason };
    if format != FORMAT {
        return Err(newer(format!("it has format {format}, this program knows format {FORMAT}")));
    }
    let features = rows.row(Table::Header, FEATURES_ROW)?.and_then(|row| Features::parse(&row));
    let features = features.ok_or_else(|| damaged("its feature bits are malformed"))?;
    let unknown = features.incompatible & !KNOWN.incompatible;
    if unknown != 0 {
        return Err(newer(format!("it uses features unknown here (bits {unknown:#x})")));
    }
    let unknown = features.read_compatible & !KNOWN.read_compatible;
    if unknown != 0 && intent == Intent::Write {
        return Err(newer(format!("writing needs features unknown here (bits {unknown:#x})")));
    }
    let vault = rows.row(Table::Header, VAULT_ROW)?.and_then(|row| row.try_into().ok());
    vault.map(VaultId).ok_or_else(|| damaged("its vault id is malformed"))
}

impl Features {
    fn parse(row: &[u8]) -> Option<Self> {
        let mut words = row.chunks_exact(8);
        let mut word = || Some(u64::from_be_bytes(words.next()?.try_into().ok()?));
        let features =
            Self { compatible: word()?, read_compatible: word()?, incompatible: word()? };
        (row.len() == 24).then_some(features)
    }
}
