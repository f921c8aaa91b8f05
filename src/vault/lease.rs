//! Leases: of all processes that would renew a credential, one does.
//!
//! A lease protects no data, and nobody who writes without one is refused. It is the agreement of
//! those who ask for it, and spares all but one of them the work.

use std::time::Duration;

use super::Vault;
use crate::credential::CredentialId;
use crate::error::{Error, Result};
use crate::store::{LONGEST_NOTE, LeaseFile, Leased};

/// What came of waiting for a lease.
#[derive(Debug)]
pub enum Lease {
    /// It is this caller's. Read the credential again before you renew it: somebody may have done
    /// so just before.
    Held(HeldLease),
    /// Another process had it while this one waited, and left this note.
    Left(Vec<u8>),
}

/// What a lease is for; leases for different purposes do not wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To fetch a fresh secret.
    Renewal,
    /// To make a secret and have it take the place of another one elsewhere.
    Rotation,
}

/// A lease that is held. Dropped, or when its process ends, it goes to the next that waits.
#[derive(Debug)]
pub struct HeldLease(LeaseFile);

impl Vault {
    /// Waits at most this long to be the only one that does this to the credential of this id,
    /// which need not exist. No transaction is open and no lock of the vault is held meanwhile or
    /// afterwards. Leases of different ids do not wait for each other.
    ///
    /// A lease is the lock of a file beside the vault, whose name tells nothing about the id. The
    /// directory must be one that this process can write.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if others had it for too long; [`Error::Io`], [`Error::VaultNotFound`],
    /// [`Error::Forked`] and [`Error::Poisoned`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{CredentialId, Edit, Lease, NewKey, Options, Purpose, Vault};
    /// # use std::time::Duration;
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// # let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// let id = CredentialId::new("api/token")?;
    /// match vault.lease(&id, Purpose::Renewal, Duration::from_secs(60))? {
    ///     Lease::Held(lease) => {
    ///         vault.set(&id, &Edit::new().password("fetched from somewhere"))?;
    ///         lease.leave(b"done")?;
    ///     }
    ///     Lease::Left(note) => assert_eq!(note, b"done"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn lease(&self, id: &CredentialId, purpose: Purpose, limit: Duration) -> Result<Lease> {
        let purpose = match purpose {
            Purpose::Renewal => 1,
            Purpose::Rotation => 2,
        };
        let vault_key = self.store.read(|rows| self.keys.vault_key(rows))?;
        let name = vault_key.lease_name(purpose, id.as_str());
        Ok(match self.store.lease(&name, limit)? {
            Leased::Held(file) => Lease::Held(HeldLease(file)),
            Leased::Left(note) => Lease::Left(note),
        })
    }
}

impl HeldLease {
    /// Ends the lease. All that wait for it get this note, of 1 to 256 bytes, instead of the
    /// lease. It stands in a file in clear for a moment: nothing secret belongs there.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a note of another length, and [`Error::Io`]; then the next that
    /// waits gets the lease.
    pub fn leave(self, note: &[u8]) -> Result<()> {
        if note.is_empty() {
            return Err(Error::invalid("note", "is empty"));
        }
        if note.len() > LONGEST_NOTE {
            return Err(Error::too_large("note", note.len(), LONGEST_NOTE, "bytes"));
        }
        self.0.leave(note)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{NewKey, Options};

    const NOW: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(60);

    fn id(text: &str) -> CredentialId {
        CredentialId::new(text).unwrap()
    }

    fn vault(directory: &Path) -> Vault {
        let path = directory.join("v.redb");
        Vault::create(&path, &Options::new(), &NewKey::Hostname("h".into())).unwrap()
    }

    fn held(vault: &Vault, id: &CredentialId, limit: Duration) -> HeldLease {
        match vault.lease(id, Purpose::Renewal, limit).unwrap() {
            Lease::Held(lease) => lease,
            Lease::Left(note) => panic!("left: {note:?}"),
        }
    }

    fn files(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("lease")).collect()
    }

    #[test]
    fn one_has_it_and_ids_do_not_wait_for_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(directory.path());
        let lease = held(&vault, &id("a"), NOW);
        assert!(matches!(vault.lease(&id("a"), Purpose::Renewal, NOW), Err(Error::Busy { .. })));
        match vault.lease(&id("a"), Purpose::Rotation, NOW).unwrap() {
            Lease::Held(lease) => lease.leave(b"x").unwrap(),
            Lease::Left(note) => panic!("left: {note:?}"),
        }
        let other = held(&vault, &id("b"), NOW);
        let names = files(directory.path());
        assert_eq!(names.len(), 2);
        assert!(names.iter().all(|name| name.len() == "v.redb.lease-".len() + 16), "{names:?}");
        lease.leave(b"x").unwrap();
        other.leave(b"x").unwrap();
        assert!(files(directory.path()).is_empty());
        held(&vault, &id("a"), NOW);
    }

    #[test]
    fn those_who_wait_get_the_note_and_later_ones_the_lease() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(directory.path());
        let lease = held(&vault, &id("a"), NOW);
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| vault.lease(&id("a"), Purpose::Renewal, LONG).unwrap()))
                .collect();
            while open_files(directory.path()) < 5 {
                std::thread::yield_now();
            }
            lease.leave(b"the note").unwrap();
            for waiting in waiting {
                match waiting.join().unwrap() {
                    Lease::Left(note) => assert_eq!(note, b"the note"),
                    Lease::Held(_) => panic!("it had been done"),
                }
            }
        });
        held(&vault, &id("a"), NOW);
    }

    #[test]
    fn a_lease_that_is_dropped_goes_to_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(directory.path());
        drop(held(&vault, &id("a"), NOW));
        assert_eq!(files(directory.path()).len(), 1, "as if its process had died");
        held(&vault, &id("a"), NOW).leave(b"x").unwrap();
        assert!(files(directory.path()).is_empty());
    }

    #[test]
    fn notes_keep_to_their_limit() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(directory.path());
        for length in [0, LONGEST_NOTE + 1] {
            let refused = held(&vault, &id("a"), NOW).leave(&vec![b'x'; length]);
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{length}");
        }
        held(&vault, &id("a"), NOW).leave(&[b'x'; LONGEST_NOTE]).unwrap();
    }

    /// How many descriptors of this process are lease files in this directory.
    fn open_files(directory: &Path) -> usize {
        let lease = directory.canonicalize().unwrap().join("v.redb.lease-");
        let lease = lease.to_str().unwrap();
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let files = links.filter_map(|link| std::fs::read_link(link.path()).ok());
        files.filter(|file| file.to_string_lossy().starts_with(lease)).count()
    }
}
