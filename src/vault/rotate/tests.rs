//! Rotation seen from inside: what is read and written between its steps, what is refused, and
//! what is left in the file.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::credential::{Condition, CredentialId, Edit};
use crate::keys::{KeySource, NewKey, SlotRow};
use crate::store::VisitWhile;
use crate::vault::snapshot::Snapshot;
use crate::vault::{Options, Overwrite, Query};

fn quiet(_done: u64, _of: u64) {}

fn id(text: &str) -> CredentialId {
    CredentialId::new(text).unwrap()
}

fn host() -> String {
    "host-a".to_owned()
}

/// A vault with so many credentials, one of them removed and one longer than a step has room for.
fn filled(count: u32) -> (tempfile::TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.redb");
    let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname(host())).unwrap();
    let filled = vault.write(|transaction| {
        for number in 0..count {
            let text = number.to_string();
            let edit = Edit::new().password(text.as_str());
            transaction.set_if(&id(&text), &edit, Condition::Always)?;
        }
        let mut edit = Edit::new().password("long");
        for field in 0..16 {
            edit = edit.field(format!("f{field}"), "x".repeat(65_000));
        }
        transaction.set_if(&id("long"), &edit, Condition::Always)?;
        transaction.set_if(&id("removed"), &Edit::new().password("r"), Condition::Always)
    });
    filled.unwrap();
    vault.remove(&id("removed")).unwrap();
    (dir, vault)
}

fn contents(vault: &Vault) -> BTreeMap<String, (u64, Vec<u8>)> {
    let removed = vault.history(&id("removed")).unwrap();
    assert_eq!(removed.last().unwrap().credential.password.expose(), b"r");
    let read = vault.read(|snapshot| {
        let listed = snapshot.list(&Query::all())?.into_iter().map(|metadata| {
            let credential = snapshot.get(&metadata.id)?;
            assert_eq!(credential.metadata, metadata);
            let password = credential.password.expose().to_vec();
            Ok((metadata.id.to_string(), (metadata.version, password)))
        });
        listed.collect()
    });
    read.unwrap()
}

fn state(vault: &Vault) -> RotationState {
    vault.info().unwrap().rotation
}

fn write(vault: &Vault, mut body: impl FnMut(&mut dyn WriteRows) -> Result<()>) {
    vault.store.write(|rows| body(rows).map(Verdict::Commit)).unwrap();
}

fn all_rows(vault: &Vault, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let read = vault.store.read(|rows| {
        let mut rows_found = Vec::new();
        rows.rows(table, &[], &mut |key, value| {
            rows_found.push((key.to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(rows_found)
    });
    found.extend(read.unwrap());
    found
}

fn assert_damaged<T: std::fmt::Debug>(result: impl Into<Result<T>>) {
    let result = result.into();
    assert!(matches!(result, Err(Error::Corrupt { .. })), "{result:?}");
}

#[test]
fn everything_reads_the_same_after_each_step() {
    let (_dir, vault) = filled(70);
    let before = contents(&vault);
    assert!(vault.begin_rotation().unwrap());
    assert_eq!(state(&vault), RotationState::Resealing { rows: 71 * 2 + 2 });
    let mut steps = 0;
    let mut expected = 71 * 2 + 2;
    loop {
        assert_eq!(contents(&vault), before);
        assert!(vault.verify(&quiet).unwrap().is_ok());
        match vault.reseal_some().unwrap() {
            Resealed::All => break,
            Resealed::Some { rows, left } => {
                assert!((1..=66).contains(&rows), "{rows}");
                expected -= rows;
                assert_eq!(left, expected);
                assert_eq!(state(&vault), RotationState::Resealing { rows: left });
            }
        }
        steps += 1;
    }
    assert!(expected == 0 && (3..=4).contains(&steps), "{expected} {steps}");
    assert_eq!(state(&vault), RotationState::ScrubPending);
    assert_eq!(vault.reseal_some().unwrap(), Resealed::All);
    vault.compact(&quiet).unwrap();
    assert_eq!(state(&vault), RotationState::Complete);
    assert_eq!(contents(&vault), before);
    assert!(vault.verify(&quiet).unwrap().is_ok());
    // The tombstone came along.
    assert_eq!(vault.set(&id("removed"), &Edit::new().password("r")).unwrap().version, 2);
}

#[test]
fn every_change_is_made_in_the_current_epoch() {
    let (_dir, vault) = filled(3);
    vault.begin_rotation().unwrap();
    let other = Vault::open(vault.path(), &Options::new(), &[KeySource::Hostname(host())]).unwrap();
    let edit = Edit::new().password("new");
    assert_eq!(other.set(&id("0"), &edit).unwrap().version, 2);
    assert_eq!(other.set_if(&id("0"), &edit, Condition::IfVersion(2)).unwrap().version, 2);
    assert!(other.set_if(&id("1"), &edit, Condition::IfVersion(2)).is_err());
    assert!(other.set_if(&id("1"), &edit, Condition::IfAbsent).is_err());
    other.remove(&id("1")).unwrap();
    assert_eq!(other.set(&id("1"), &edit).unwrap().version, 2);
    assert_eq!(other.set(&id("removed"), &edit).unwrap().version, 2);
    assert!(other.set(&id("absent"), &edit).unwrap().created);
    let renamed = other.write(|transaction| {
        transaction.copy(&id("2"), &id("copy"), Overwrite::Never)?;
        transaction.rename(&id("2"), &id("0"), Overwrite::Allowed, Condition::Always)
    });
    assert_eq!(renamed.unwrap().version, 3);
    let now = contents(&vault);
    assert_eq!(
        now.keys().map(String::as_str).collect::<Vec<_>>(),
        ["0", "1", "absent", "copy", "long", "removed"]
    );
    assert_eq!(now["0"], (3, b"2".to_vec()));
    let versions = |name: &str| vault.history(&id(name)).unwrap().len();
    assert_eq!((versions("0"), versions("1"), versions("removed")), (2, 1, 1));
    assert_eq!(vault.version(&id("0"), 1).unwrap().password.expose(), b"0");
    // Only what nobody touched is still where it was.
    assert_eq!(state(&vault), RotationState::Resealing { rows: 2 });
    assert!(vault.verify(&quiet).unwrap().is_ok());
    vault.rotate(&quiet, &quiet).unwrap();
    assert_eq!(contents(&vault), now);
}

#[test]
fn a_rotation_that_was_stopped_is_completed_by_anybody() {
    let (_dir, vault) = filled(40);
    vault.begin_rotation().unwrap();
    vault.reseal_some().unwrap();
    let other = Vault::open(vault.path(), &Options::new(), &[KeySource::Hostname(host())]).unwrap();
    assert!(!other.begin_rotation().unwrap(), "there would be three epochs");
    let rotated = other.rotate(&quiet, &quiet).unwrap();
    assert_eq!((rotated.epoch, rotated.resumed), (2, true));
    assert_eq!(state(&vault), RotationState::Complete);
    let rotated = vault.rotate(&quiet, &quiet).unwrap();
    assert_eq!((rotated.epoch, rotated.rows, rotated.resumed), (3, 84, false));
    assert_eq!(all_rows(&vault, Table::Epochs).len(), 1);
}

#[test]
fn nothing_of_the_older_epoch_is_left() {
    let (_dir, vault) = filled(40);
    let path = vault.path().to_owned();
    let key = vault.store.read(|rows| vault.keys.vault_key(rows)).unwrap();
    let root = &all_rows(&vault, Table::Epochs)[0];
    let old = EpochRow::open(&key, &root.0, &root.1).unwrap().keys(key.vault());
    let mut stored = vec![root.1.clone()];
    stored.extend(
        Table::OF_EPOCHS.iter().flat_map(|table| all_rows(&vault, *table)).map(|row| row.1),
    );
    let left = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        // Enough of each row to be found in one page.
        let found = |row: &&Vec<u8>| bytes.windows(48).any(|window| window == &row[9..57]);
        stored.iter().filter(found).count()
    };
    vault.begin_rotation().unwrap();
    while vault.reseal_some().unwrap() != Resealed::All {}
    assert!(left(&path) > 0, "free pages should still hold some");
    vault.compact(&quiet).unwrap();
    assert_eq!(left(&path), 0);
    for (_, row) in all_rows(&vault, Table::Records) {
        assert!(old.records.open(&row).is_none());
    }
    for (_, row) in all_rows(&vault, Table::Index) {
        assert!(old.index.open(&row).is_none());
    }
}

#[test]
fn a_credential_in_two_epochs_is_damage() {
    let (_dir, vault) = filled(2);
    let (records, index) = (all_rows(&vault, Table::Records), all_rows(&vault, Table::Index));
    vault.begin_rotation().unwrap();
    vault.set(&id("0"), &Edit::new().password("new")).unwrap();
    write(&vault, |rows| {
        for (key, value) in &records {
            rows.put(Table::Records, key, value)?;
        }
        for (key, value) in &index {
            rows.put(Table::Index, key, value)?;
        }
        Ok(())
    });
    assert_damaged(vault.get(&id("0")));
    assert_damaged(vault.list(&Query::all()));
    assert_damaged(vault.set(&id("0"), &Edit::new().password("newer")));
    assert_damaged(vault.rotate(&quiet, &quiet));
    let found = vault.verify(&quiet).unwrap();
    assert!(found.damaged.iter().any(|damage| damage.reason.contains("two epochs")));
    assert!(vault.get(&id("1")).is_ok());
}

#[test]
fn an_epoch_that_was_taken_away_or_put_in_is_damage() {
    let (_dir, vault) = filled(40);
    let first = all_rows(&vault, Table::Epochs).remove(0);
    vault.begin_rotation().unwrap();
    vault.reseal_some().unwrap();
    let epochs = all_rows(&vault, Table::Epochs);
    for (key, value) in &epochs {
        write(&vault, |rows| rows.delete(Table::Epochs, key));
        assert_damaged(vault.list(&Query::all()));
        assert_damaged(vault.set(&id("0"), &Edit::new().password("new")));
        assert_damaged(vault.begin_rotation());
        assert_damaged(vault.reseal_some());
        for number in 0..40 {
            let found = vault.get(&id(&number.to_string()));
            assert!(matches!(found, Ok(_) | Err(Error::Corrupt { .. })), "{found:?}");
        }
        assert!(!vault.verify(&quiet).unwrap().is_ok());
        write(&vault, |rows| rows.put(Table::Epochs, key, value));
    }
    write(&vault, |rows| rows.put(Table::Epochs, &[0, 0, 0, 9], &first.1));
    assert_damaged(vault.get(&id("0")));
    write(&vault, |rows| rows.delete(Table::Epochs, &[0, 0, 0, 9]));
    vault.rotate(&quiet, &quiet).unwrap();
    // The old key put back after the rotation.
    write(&vault, |rows| rows.put(Table::Epochs, &first.0, &first.1));
    assert_damaged(vault.reseal_some());
    assert!(!vault.verify(&quiet).unwrap().is_ok());
}

#[test]
fn copies_in_the_middle_of_a_rotation_are_whole() {
    let (dir, vault) = filled(40);
    vault.begin_rotation().unwrap();
    vault.reseal_some().unwrap();
    let before = contents(&vault);
    let copy = dir.path().join("copy.redb");
    vault.backup(&copy, Overwrite::Never, &quiet).unwrap();
    vault.compact(&quiet).unwrap();
    assert_eq!(contents(&vault), before);
    let keys = [KeySource::Hostname(host())];
    let copy = Vault::open(&copy, &Options::new(), &keys).unwrap();
    assert_eq!(contents(&copy), before);
    copy.rotate(&quiet, &quiet).unwrap();
    assert_eq!(contents(&copy), before);
    let restored = dir.path().join("restored.redb");
    vault.restore(&restored, &Options::new(), &NewKey::Hostname(host()), &quiet).unwrap();
    let restored = Vault::open(&restored, &Options::new(), &keys).unwrap();
    restored.rotate(&quiet, &quiet).unwrap();
    assert_eq!(contents(&restored), before);
}

#[test]
fn salvage_finds_the_rows_of_both_epochs() {
    let (dir, vault) = filled(40);
    vault.begin_rotation().unwrap();
    vault.reseal_some().unwrap();
    vault.set(&id("0"), &Edit::new().password("new")).unwrap();
    let before = contents(&vault);
    for (name, stage) in [("middle", 0), ("before-the-scrub", 1)] {
        if stage == 1 {
            while vault.reseal_some().unwrap() != Resealed::All {}
        }
        let new = dir.path().join(name);
        let keys = [KeySource::Hostname(host())];
        let new_key = NewKey::Hostname(host());
        let salvaged =
            Vault::salvage(vault.path(), &new, &Options::new(), &keys, None, &new_key).unwrap();
        assert_eq!((salvaged.recovered, salvaged.lost), (41, vec![]), "{name}");
        let new = Vault::open(&new, &Options::new(), &keys).unwrap();
        assert_eq!(contents(&new), before, "{name}");
        assert_eq!(state(&new), RotationState::Complete);
        assert!(new.verify(&quiet).unwrap().is_ok());
    }
}

/// Counts what is read.
struct Counting<'a> {
    rows: &'a dyn ReadRows,
    reads: Cell<u32>,
}

impl ReadRows for Counting<'_> {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.reads.set(self.reads.get() + 1);
        self.rows.row(table, key)
    }

    fn check_way(&self, table: Table, key: &[u8]) -> Result<()> {
        self.rows.check_way(table, key)
    }

    fn rows_while(&self, table: Table, prefix: &[u8], visit: VisitWhile<'_>) -> Result<()> {
        self.reads.set(self.reads.get() + 1);
        self.rows.rows_while(table, prefix, visit)
    }
}

#[test]
fn a_get_reads_twice_and_once_more_during_a_rotation() {
    let (_dir, vault) = filled(1);
    let reads = || {
        let counted = vault.store.read(|rows| {
            let counting = Counting { rows, reads: Cell::new(0) };
            Snapshot::new(&counting, &vault.keys, &vault.cache)?.get(&id("0"))?;
            Ok(counting.reads.get())
        });
        counted.unwrap()
    };
    assert_eq!(reads(), 2, "the epochs and the record");
    vault.begin_rotation().unwrap();
    assert_eq!(reads(), 3, "the record in either epoch");
    vault.rotate(&quiet, &quiet).unwrap();
    assert_eq!(reads(), 2);
}

#[test]
fn a_slot_that_no_new_key_can_be_wrapped_for_is_named_and_nothing_is_changed() {
    let (_dir, vault) = filled(2);
    vault.add_slot(&NewKey::Hostname("host-b".to_owned()), None).unwrap();
    // By somebody with the key: a recipient key of low order agrees on what everybody knows.
    let changed = vault.store.write(|rows| {
        let keys = vault.keys.at(rows)?;
        let (key, stored) = rows.last_row(Table::Slots)?.unwrap();
        let slot = SlotRow::from_bytes(&key, &stored).unwrap().with_recipient([0; 32]);
        rows.put(Table::Slots, &key, &slot.to_bytes())?;
        let mut manifest = Manifest::read(rows, keys.vault_key())?;
        manifest.renew_fixed(rows, keys.vault_key())?;
        manifest.write(rows, keys.vault_key(), Utc::now())?;
        Ok(Verdict::Commit(()))
    });
    changed.unwrap();
    let before = vault.info().unwrap();
    let refused = vault.begin_vault_key_rotation(&[]);
    let Err(Error::Invalid { reason, .. }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("slot 2 (its recipient key is of no use)"), "{reason}");
    assert!(reason.contains("drop it"), "{reason}");
    assert_eq!(vault.info().unwrap(), before);
    assert!(vault.begin_vault_key_rotation(&[2]).unwrap());
    assert_eq!(vault.info().unwrap().slots.len(), 1);
}
