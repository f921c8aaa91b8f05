//! What changes in a vault, whoever changes it.
//!
//! Compares committed states, and so never misses the last one of an id; several changes between
//! two looks may be told as one. Between two looks nothing of the vault is held.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};

use chrono::{DateTime, Utc};

use super::manifest::Manifest;
use super::snapshot::{open_index, open_record};
use super::unlocked::StateKeys;
use super::{Vault, settings};
use crate::codec::RecordState;
use crate::credential::CredentialId;
use crate::error::{Error, Result};
use crate::store::{Notices, ReadRows, Table};

/// The bytes at the end of a token that authenticate all of it.
const TAIL: usize = 32;

/// Watches a vault for changes of its credentials.
#[derive(Debug)]
pub struct Watch<'a> {
    vault: &'a Vault,
    notices: Option<Notices>,
    /// Whether the vault was not found yet since its directory was moved or removed.
    displaced: bool,
    /// The rows that every change changes, as they were at the last look.
    marks: Vec<Option<Vec<u8>>>,
    rows: HashMap<Vec<u8>, Row>,
}

/// What is known of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    id: CredentialId,
    uid: [u8; 16],
    version: u64,
    updated_at: DateTime<Utc>,
}

/// A row of the index: while its end is the same, so is what stands in it.
#[derive(Debug, Clone)]
struct Row {
    tail: [u8; TAIL],
    seen: Seen,
}

/// One credential that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The id, after a change of it the new one.
    pub id: CredentialId,
    /// What happened.
    pub what: What,
    /// The version now; that of a removed credential is its last one, and none if that is no
    /// longer known.
    pub version: Option<u64>,
    /// When it happened, if that is known.
    pub updated_at: Option<DateTime<Utc>>,
}

/// What happened to a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// It is there, and was when the watch began.
    Present,
    /// It was not there before.
    Added,
    /// It has another version, or another credential took its place.
    Updated,
    /// It has this id no longer.
    Renamed(CredentialId),
    /// It is no longer there.
    Removed,
}

impl Vault {
    /// Watches the vault from now on.
    ///
    /// # Errors
    ///
    /// Those of [`Self::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{CredentialId, Edit, NewKey, Options, Vault, What};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// # let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// let mut watch = vault.watch()?;
    /// vault.set(&CredentialId::new("a")?, &Edit::new().password("p"))?;
    /// let events = watch.changes()?;
    /// assert_eq!((events[0].id.as_str(), &events[0].what), ("a", &What::Added));
    /// assert!(watch.changes()?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self) -> Result<Watch<'_>> {
        // Before the first look, so that nothing happens between the two unnoticed.
        let notices = Notices::about(self.path());
        let (marks, rows) = (Vec::new(), HashMap::new());
        let mut watch = Watch { vault: self, notices, displaced: false, marks, rows };
        watch.look()?;
        Ok(watch)
    }
}

impl Watch<'_> {
    /// What can be polled for reading, and then calls for [`Self::changes`]; another one after
    /// that if the directory of the vault is another one. `None` where the system has no such thing,
    /// or there is no directory: then look now and then, and seldom in any case.
    #[must_use]
    pub fn notices(&self) -> Option<BorrowedFd<'_>> {
        self.notices.as_ref().map(AsFd::as_fd)
    }

    /// Whether the directory of the vault was moved or removed, and [`Self::changes`] has failed
    /// since: it may be about to be made again.
    #[must_use]
    pub fn is_displaced(&self) -> bool {
        self.displaced
    }

    /// All credentials as they were at the last look, sorted by id.
    #[must_use]
    pub fn present(&self) -> Vec<Event> {
        self.by_id().into_values().map(|seen| event(seen, What::Present)).collect()
    }

    /// What is not as it was at the last look, in the order of its times. Costs the same whatever
    /// the number of credentials while nothing changed.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::read`]; [`Error::Corrupt`] also if a row of the index is damaged or
    /// missing.
    pub fn changes(&mut self) -> Result<Vec<Event>> {
        self.attend();
        let before: BTreeMap<CredentialId, Seen> =
            self.by_id().into_iter().map(|(id, seen)| (id.clone(), seen.clone())).collect();
        let looked = self.look()?;
        self.displaced = false;
        let Some(removed) = looked else { return Ok(Vec::new()) };
        let after = self.by_id();
        let mut events = compare(&before, &after);
        let living: HashSet<[u8; 16]> = after.values().map(|seen| seen.uid).collect();
        let is_gone = |seen: &&Seen| !after.contains_key(&seen.id) && !living.contains(&seen.uid);
        for seen in before.values().filter(is_gone) {
            let last = removed.get(&seen.id).copied();
            let (version, updated_at) = last.map_or((None, None), |(v, at)| (Some(v), Some(at)));
            events.push(Event { id: seen.id.clone(), what: What::Removed, version, updated_at });
        }
        events.sort_by_key(|event| event.updated_at);
        Ok(events)
    }

    /// Takes the notices that there are, before a look. Those about a directory that is no longer
    /// the vault's are given up for others.
    fn attend(&mut self) {
        let path = self.vault.path();
        if let Some(notices) = &mut self.notices {
            notices.take();
            if notices.are_about(path) {
                return;
            }
            self.displaced = true;
        }
        self.notices = Notices::about(path);
    }

    fn by_id(&self) -> BTreeMap<CredentialId, &Seen> {
        self.rows.values().map(|row| (row.seen.id.clone(), &row.seen)).collect()
    }

    /// Takes in the present state if it is another than at the last look. Then, what is left of
    /// the credentials that are gone.
    fn look(&mut self) -> Result<Option<Tombstones>> {
        let vault = self.vault;
        let (marks, known) = (&self.marks, &self.rows);
        let found = vault.store.read(|rows| {
            let now = vec![
                rows.row(Table::Manifest, Manifest::KEY)?,
                rows.row(Table::Settings, settings::KEY)?,
            ];
            if now == *marks {
                return Ok(None);
            }
            let keys = vault.keys.at(rows)?;
            let manifest = Manifest::read(rows, keys.vault_key())?;
            let found = scan(rows, &keys, &manifest, known)?;
            let gone = known.iter().filter(|(key, _)| !found.contains_key(*key));
            let mut tombstones = Tombstones::new();
            for (_, row) in gone {
                if let Some(last) = tombstone(rows, &keys, &row.seen.id)? {
                    tombstones.insert(row.seen.id.clone(), last);
                }
            }
            Ok(Some((now, found, tombstones)))
        })?;
        let Some((marks, rows, tombstones)) = found else { return Ok(None) };
        (self.marks, self.rows) = (marks, rows);
        Ok(Some(tombstones))
    }
}

/// Last version and removal of credentials.
type Tombstones = BTreeMap<CredentialId, (u64, DateTime<Utc>)>;

/// The rows of the index; opens those that were not known like this.
fn scan(
    rows: &dyn ReadRows,
    keys: &StateKeys,
    manifest: &Manifest,
    known: &HashMap<Vec<u8>, Row>,
) -> Result<HashMap<Vec<u8>, Row>> {
    keys.epochs().check(manifest)?;
    let mut found = HashMap::with_capacity(known.len());
    for epoch in keys.epochs().all() {
        let before = found.len();
        rows.rows(Table::Index, &epoch.prefix(), &mut |key, stored| {
            let tail = tail(stored);
            let row = if let Some(row) = known.get(key).filter(|row| row.tail == tail) {
                row.clone()
            } else {
                let row = open_index(keys.vault_key().vault(), epoch, key, stored)?;
                let metadata = row.metadata;
                let (version, updated_at) = (metadata.version, metadata.updated_at);
                Row { tail, seen: Seen { id: metadata.id, uid: row.uid, version, updated_at } }
            };
            found.insert(key.to_vec(), row);
            Ok(())
        })?;
        let count = (found.len() - before) as u64;
        let expected = manifest.total(epoch.epoch(), Table::Index).rows;
        if count != expected {
            let reason = format!("it has {count} rows, and there should be {expected}");
            return Err(Error::corrupt("the index", reason));
        }
    }
    Ok(found)
}

fn tail(stored: &[u8]) -> [u8; TAIL] {
    let mut tail = [0; TAIL];
    let end = &stored[stored.len().saturating_sub(TAIL)..];
    tail[..end.len()].copy_from_slice(end);
    tail
}

fn tombstone(
    rows: &dyn ReadRows,
    keys: &StateKeys,
    id: &CredentialId,
) -> Result<Option<(u64, DateTime<Utc>)>> {
    let Some(home) = keys.epochs().home(rows, id)? else { return Ok(None) };
    let row = open_record(keys.vault_key().vault(), id, &home)?;
    Ok(match row.state {
        RecordState::Removed { at } => Some((row.version, at)),
        RecordState::Live(_) => None,
    })
}

/// What was added, updated and renamed.
fn compare(
    before: &BTreeMap<CredentialId, Seen>,
    after: &BTreeMap<CredentialId, &Seen>,
) -> Vec<Event> {
    let homes: HashMap<[u8; 16], &CredentialId> =
        before.values().map(|seen| (seen.uid, &seen.id)).collect();
    let mut events = Vec::new();
    for (id, seen) in after {
        let old = before.get(id);
        if old == Some(*seen) {
            continue;
        }
        // Where two changed places, both are there under both ids.
        let moved = homes.get(&seen.uid).filter(|home| !after.contains_key(**home));
        let what = match (moved, old) {
            (Some(from), _) => What::Renamed((*from).clone()),
            (None, Some(_)) => What::Updated,
            (None, None) => What::Added,
        };
        events.push(event(seen, what));
    }
    events
}

fn event(seen: &Seen, what: What) -> Event {
    let (version, updated_at) = (Some(seen.version), Some(seen.updated_at));
    Event { id: seen.id.clone(), what, version, updated_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Condition, Edit, NewKey, Options, Overwrite};

    fn id(text: &str) -> CredentialId {
        CredentialId::new(text).unwrap()
    }

    fn told(watch: &mut Watch<'_>) -> Vec<(String, What, Option<u64>)> {
        let events = watch.changes().unwrap();
        events.into_iter().map(|e| (e.id.as_str().to_owned(), e.what, e.version)).collect()
    }

    #[test]
    fn each_kind_of_change_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.redb");
        let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("h".into())).unwrap();
        vault.set(&id("old"), &Edit::new().password("p")).unwrap();
        let mut watch = vault.watch().unwrap();
        assert_eq!(watch.present().len(), 1);
        assert_eq!(told(&mut watch), []);

        vault.set(&id("a"), &Edit::new().password("p")).unwrap();
        assert_eq!(told(&mut watch), [("a".to_owned(), What::Added, Some(1))]);
        vault.set(&id("a"), &Edit::new().password("q")).unwrap();
        vault.set(&id("a"), &Edit::new().password("r")).unwrap();
        assert_eq!(told(&mut watch), [("a".to_owned(), What::Updated, Some(3))]);
        vault.set(&id("a"), &Edit::new().password("r")).unwrap();
        assert_eq!(told(&mut watch), [], "nothing was changed");

        let rename = |from, to| {
            vault
                .write(|rows| {
                    rows.rename(&id(from), &id(to), Overwrite::Allowed, Condition::Always)
                })
                .unwrap();
        };
        rename("a", "b");
        assert_eq!(told(&mut watch), [("b".to_owned(), What::Renamed(id("a")), Some(4))]);
        rename("b", "old");
        assert_eq!(told(&mut watch), [("old".to_owned(), What::Renamed(id("b")), Some(5))]);

        vault.set(&id("other"), &Edit::new().password("p")).unwrap();
        watch.changes().unwrap();
        rename("old", "third");
        rename("other", "old");
        rename("third", "other");
        let swapped = told(&mut watch);
        assert!(swapped.iter().all(|(_, what, _)| *what == What::Updated), "{swapped:?}");
        vault.remove(&id("other")).unwrap();
        watch.changes().unwrap();

        vault.remove(&id("old")).unwrap();
        assert_eq!(told(&mut watch), [("old".to_owned(), What::Removed, Some(6))]);
        vault
            .write(|rows| {
                rows.set_if(&id("c"), &Edit::new().password("p"), Condition::Always)?;
                rows.remove_if(&id("c"), Condition::Always)
            })
            .unwrap();
        assert_eq!(told(&mut watch), [], "it came and went between two looks");
        assert!(watch.present().is_empty());
    }

    #[test]
    fn a_replaced_file_is_compared_with_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.redb");
        let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("h".into())).unwrap();
        vault.set(&id("a"), &Edit::new().password("p")).unwrap();
        let mut watch = vault.watch().unwrap();
        vault.compact(&|_, _| {}).unwrap();
        assert_eq!(told(&mut watch), []);
        vault.set(&id("a"), &Edit::new().password("q")).unwrap();
        assert_eq!(told(&mut watch), [("a".to_owned(), What::Updated, Some(2))]);
    }
}
