//! Earlier versions that a rename could not take along.
//!
//! A row of the history stays under the id that a credential had before where the new id has a row
//! for the same version. Nothing points there, so finding them takes a look at the whole history:
//! for those who ask why a version is missing, and not for ordinary reads.

use std::cmp::Reverse;

use super::history;
use super::snapshot::{Snapshot, open_record};
use crate::credential::{CredentialId, Earlier};
use crate::error::{Error, Result};
use crate::store::Table;

impl Snapshot<'_> {
    /// The earlier versions of this credential that are kept under ids it had before, since their
    /// numbers were taken under its present one; sorted by id, then the newest first. Opens most
    /// of the vault's earlier versions.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the vault never had it; [`Error::Corrupt`] and [`Error::Io`].
    pub fn left_behind(&self, id: &CredentialId) -> Result<Vec<Earlier>> {
        let vault = self.keys().vault_key().vault();
        let record = open_record(vault, id, &self.known(id)?)?;
        let (last, mut found) = (record.version.to_be_bytes(), Vec::new());
        for epoch in self.keys().epochs().all() {
            self.rows().rows(Table::History, &epoch.prefix(), &mut |key, stored| {
                // No version of it comes after its present one.
                if key.get(20..).is_some_and(|version| version >= &last[..]) {
                    return Ok(());
                }
                let row = history::open(vault, epoch, key, stored)
                    .map_err(|reason| Error::corrupt("a row of the history", reason))?;
                if row.uid == record.uid && row.id() != id {
                    found.push((epoch, row));
                }
                Ok(())
            })?;
        }
        found.sort_by_cached_key(|(_, row)| (row.id().clone(), Reverse(row.version())));
        let mut kept = Vec::with_capacity(found.len());
        for (epoch, row) in found {
            if self.kept_versions(epoch, row.id())?.contains(&row.version()) {
                kept.push(row.seen_from(record.uid));
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Condition, Edit, Lineage, NewKey, Options, Overwrite, Replacement, Vault};

    fn id(text: &str) -> CredentialId {
        CredentialId::new(text).unwrap()
    }

    #[test]
    fn versions_whose_numbers_were_taken_are_found_under_the_former_id() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.redb");
        let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("h".into())).unwrap();
        let set = |name: &str, password: &str| {
            assert!(vault.set(&id(name), &Edit::new().password(password)).unwrap().changed);
        };
        let left = |name: &str| {
            let left = vault.read(|snapshot| snapshot.left_behind(&id(name))).unwrap();
            let left = left.into_iter().map(|earlier| {
                assert_eq!(earlier.lineage, Lineage::Own);
                assert_eq!(earlier.replacement, Replacement::Updated);
                let metadata = earlier.credential.metadata;
                (metadata.id.as_str().to_owned(), metadata.version)
            });
            left.collect::<Vec<_>>()
        };
        for password in ["1", "2", "3"] {
            set("target", password);
            set("source", password);
        }
        assert_eq!((left("source"), left("target")), (vec![], vec![]));
        vault
            .write(|rows| {
                rows.rename(&id("source"), &id("target"), Overwrite::Allowed, Condition::Always)
            })
            .unwrap();
        let both = [2, 1].map(|version| ("source".to_owned(), version));
        assert_eq!(left("target"), both);
        assert_eq!(left("source"), [], "what is there now is nobody's");
        set("source", "4");
        assert_eq!((left("target"), left("source")), (both.to_vec(), vec![]));
        vault.configure(|config| config.history_keep = 1).unwrap();
        assert_eq!(left("target"), both[..1], "what is beyond the limit is as good as gone");
        let none = vault.read(|snapshot| snapshot.left_behind(&id("none")));
        assert!(matches!(none, Err(Error::NotFound { .. })), "{none:?}");
    }
}
