//! Earlier versions seen from inside: their rows, how many there are, and rows out of place.

use super::*;
use crate::credential::{Condition, Edit};
use crate::keys::NewKey;
use crate::store::Verdict;
use crate::vault::backup::Overwrite;
use crate::vault::{Options, Query};

fn vault() -> (tempfile::TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let key = NewKey::Hostname("host-a".to_owned());
    let vault = Vault::create(&dir.path().join("v.redb"), &Options::new(), &key).unwrap();
    (dir, vault)
}

fn id(text: &str) -> CredentialId {
    CredentialId::new(text).unwrap()
}

fn set(vault: &Vault, name: &str, password: &str) -> u64 {
    vault.set(&id(name), &Edit::new().password(password)).unwrap().version
}

fn rename(vault: &Vault, from: &str, to: &str) {
    vault
        .write(|body| body.rename(&id(from), &id(to), Overwrite::Allowed, Condition::Always))
        .unwrap();
}

/// Versions, passwords and what replaced them, the newest first.
fn history(vault: &Vault, name: &str) -> Vec<(u64, String, &'static str)> {
    let shown = |earlier: &Earlier| {
        let password = earlier.credential.password.expose_str().unwrap().to_owned();
        assert_eq!(earlier.credential.metadata.id, id(name));
        (earlier.credential.metadata.version, password, earlier.replacement.as_str())
    };
    vault.history(&id(name)).unwrap().iter().map(shown).collect()
}

fn versions(vault: &Vault, name: &str) -> Vec<u64> {
    history(vault, name).into_iter().map(|(version, _, _)| version).collect()
}

/// How many rows the table has, as the manifest counts them; all of it verifies.
fn rows(vault: &Vault) -> u64 {
    let found = vault.verify(&|_, _| {}).unwrap();
    assert!(found.is_ok(), "{:?}", found.damaged);
    assert_eq!(found.checked.history, vault.info().unwrap().earlier_versions);
    found.checked.history
}

fn stored(vault: &Vault, name: &str, version: u64) -> (HistoryKey, Vec<u8>) {
    let found = vault.store.read(|rows| {
        let key = vault.keys.at(rows)?.epochs().current().history_key(&id(name), version);
        Ok((key, rows.row(Table::History, &key)?.unwrap()))
    });
    found.unwrap()
}

fn replace(vault: &Vault, key: &[u8], value: Option<&[u8]>) {
    let write = vault.store.write(|rows| {
        match value {
            Some(value) => rows.put(Table::History, key, value)?,
            None => rows.delete(Table::History, key)?,
        }
        Ok(Verdict::Commit(()))
    });
    write.unwrap();
}

#[test]
fn every_change_keeps_what_it_replaces() {
    let (_dir, vault) = vault();
    for password in ["one", "two", "two", "three"] {
        set(&vault, "a", password);
    }
    vault.set(&id("a"), &Edit::new().tags(["t"])).unwrap();
    vault.remove(&id("a")).unwrap();
    let expected = [(4, "three", "removed"), (3, "three", "updated"), (2, "two", "updated")];
    let expected = expected.into_iter().chain([(1, "one", "updated")]);
    let expected: Vec<_> =
        expected.map(|(version, password, how)| (version, password.to_owned(), how)).collect();
    assert_eq!(history(&vault, "a"), expected);
    assert_eq!(set(&vault, "a", "four"), 5);
    assert_eq!(history(&vault, "a"), expected, "a tombstone is nothing to keep");
    assert_eq!(rows(&vault), 4);
    assert!(matches!(vault.history(&id("b")), Err(Error::NotFound { .. })));
    set(&vault, "b", "x");
    assert_eq!(history(&vault, "b"), []);
}

#[test]
fn all_changes_of_a_transaction_are_kept_or_none() {
    let (_dir, vault) = vault();
    set(&vault, "a", "zero");
    let edit = |password: &str| Edit::new().password(password);
    let failed: Result<()> = vault.write(|transaction| {
        transaction.set_if(&id("a"), &edit("one"), Condition::Always)?;
        Err(Error::invalid("test", "fails"))
    });
    assert!(failed.is_err());
    assert_eq!(rows(&vault), 0);
    let change = vault.write(|transaction| {
        transaction.set_if(&id("a"), &edit("one"), Condition::Always)?;
        transaction.remove_if(&id("a"), Condition::Always)?;
        transaction.set_if(&id("a"), &edit("two"), Condition::Always)
    });
    assert_eq!(change.unwrap().version, 3);
    assert_eq!(versions(&vault, "a"), [2, 1]);
}

#[test]
fn no_more_versions_are_kept_than_the_limit_says() {
    let (_dir, vault) = vault();
    for number in 1..=15 {
        set(&vault, "a", &number.to_string());
    }
    assert_eq!(versions(&vault, "a"), (5..=14).rev().collect::<Vec<_>>());
    assert_eq!(rows(&vault), 10);
    let found = vault.version(&id("a"), 5).unwrap();
    assert_eq!((found.password.expose(), found.metadata.version), (&b"5"[..], 5));
    assert_eq!(vault.version(&id("a"), 15).unwrap().password.expose(), b"15");
    for gone in [0, 4, 16] {
        let found = vault.version(&id("a"), gone);
        assert!(matches!(found, Err(Error::VersionNotFound { .. })), "{found:?}");
    }
}

#[test]
fn a_lower_limit_holds_at_once_and_costs_each_change_a_few_rows() {
    let (_dir, vault) = vault();
    vault.configure(|config| config.history_keep = 40).unwrap();
    for number in 1..=41 {
        set(&vault, "a", &number.to_string());
    }
    assert_eq!(rows(&vault), 40);
    vault.configure(|config| config.history_keep = 2).unwrap();
    assert_eq!(versions(&vault, "a"), [40, 39]);
    assert!(vault.version(&id("a"), 38).is_err(), "its row is still there");
    let mut before = rows(&vault);
    for number in 42..=50 {
        set(&vault, "a", &number.to_string());
        let after = rows(&vault);
        assert!(after + 8 > before, "one comes, at most eight go: {before}, {after}");
        assert_eq!(versions(&vault, "a"), [number - 1, number - 2]);
        before = after;
    }
    assert_eq!(before, 2);
    vault.configure(|config| config.history_keep = 0).unwrap();
    assert_eq!(history(&vault, "a"), []);
    vault.remove(&id("a")).unwrap();
    assert_eq!(rows(&vault), 0);
}

#[test]
fn a_rename_takes_the_earlier_versions_along() {
    let (_dir, vault) = vault();
    for password in ["one", "two", "three"] {
        set(&vault, "a", password);
    }
    rename(&vault, "a", "b");
    let kept = history(&vault, "b");
    let expected = [(3, "three", "renamed"), (2, "two", "updated"), (1, "one", "updated")];
    let expected = expected.map(|(version, password, how)| (version, password.to_owned(), how));
    assert_eq!(kept, expected);
    let from = &vault.history(&id("b")).unwrap()[0].replacement;
    assert_eq!(*from, Replacement::Renamed { from: id("a") });
    assert_eq!(history(&vault, "a"), []);
    rename(&vault, "b", "a");
    assert_eq!(versions(&vault, "a"), [4, 3, 2, 1]);
    assert_eq!(rows(&vault), 4);
}

#[test]
fn a_rename_onto_another_loses_nothing_and_keeps_to_the_limit() {
    let (_dir, vault) = vault();
    for (name, passwords) in [("a", &["a1", "a2", "a3", "a4"][..]), ("b", &["b1", "b2"])] {
        for password in passwords {
            set(&vault, name, password);
        }
    }
    rename(&vault, "a", "b");
    let passwords = |name| history(&vault, name).into_iter().map(|(_, password, _)| password);
    assert_eq!(passwords("b").collect::<Vec<_>>(), ["a4", "a3", "b2", "b1"]);
    assert_eq!(passwords("a").collect::<Vec<_>>(), ["a2", "a1"], "their numbers were taken");
    vault.configure(|config| config.history_keep = 3).unwrap();
    rename(&vault, "b", "c");
    assert_eq!(versions(&vault, "c"), [5, 4, 3]);
    assert_eq!(rows(&vault), 5);
    let copied = vault.write(|body| body.copy(&id("c"), &id("d"), Overwrite::Never)).unwrap();
    assert_eq!((copied.version, history(&vault, "d")), (1, vec![]), "a copy begins anew");
    set(&vault, "e", "e1");
    vault.write(|body| body.copy(&id("c"), &id("e"), Overwrite::Allowed)).unwrap();
    assert_eq!(versions(&vault, "e"), [1]);
}

#[test]
fn rows_out_of_place_are_damage() {
    let (_dir, vault) = vault();
    for name in ["a", "b"] {
        for number in 0..3 {
            set(&vault, name, &format!("{name}{number}"));
        }
    }
    let (key, row) = stored(&vault, "a", 1);
    let (_, other_id) = stored(&vault, "b", 1);
    let (_, other_version) = stored(&vault, "a", 2);
    let record = vault.store.read(|rows| {
        let key = vault.keys.at(rows)?.epochs().current().row_key(&id("a"));
        rows.row(Table::Records, &key)
    });
    let record = record.unwrap().unwrap();
    for wrong in [other_id, other_version, record, row[..row.len() - 1].to_vec()] {
        replace(&vault, &key, Some(&wrong));
        let found = vault.history(&id("a"));
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{found:?}");
        assert!(!vault.verify(&|_, _| {}).unwrap().is_ok());
        assert_eq!(vault.get(&id("a")).unwrap().password.expose(), b"a2");
    }
    replace(&vault, &key, None);
    let found = vault.verify(&|_, _| {}).unwrap();
    assert_eq!(found.damaged.len(), 1, "one that was taken away: {found:?}");
    replace(&vault, &key, Some(&row));
    assert_eq!(rows(&vault), 4);
    vault.remove(&id("a")).unwrap();
    replace(&vault, &stored(&vault, "b", 2).0, None);
    assert!(!vault.verify(&|_, _| {}).unwrap().is_ok());
}

#[test]
fn a_dropped_row_that_is_put_back_is_found() {
    let (_dir, vault) = vault();
    vault.configure(|config| config.history_keep = 1).unwrap();
    for number in 0..2 {
        set(&vault, "a", &number.to_string());
    }
    let (key, row) = stored(&vault, "a", 1);
    set(&vault, "a", "2");
    replace(&vault, &key, Some(&row));
    assert_eq!(versions(&vault, "a"), [2], "it is beyond the limit");
    let found = vault.verify(&|_, _| {}).unwrap();
    assert_eq!(found.damaged[0].table, "history", "{found:?}");
}

#[test]
fn copies_of_a_vault_have_its_history() {
    let (dir, vault) = vault();
    for number in 0..4 {
        set(&vault, "a", &number.to_string());
    }
    let copy = dir.path().join("copy.redb");
    vault.backup(&copy, Overwrite::Never, &|_, _| {}).unwrap();
    let keys = [crate::KeySource::Hostname("host-a".to_owned())];
    let opened = Vault::open(&copy, &Options::new(), &keys).unwrap();
    assert_eq!(versions(&opened, "a"), [3, 2, 1]);
    vault.compact(&|_, _| {}).unwrap();
    assert_eq!(versions(&vault, "a"), [3, 2, 1]);
    let restored = dir.path().join("restored.redb");
    let key = NewKey::Hostname("host-b".to_owned());
    opened.restore(&restored, &Options::new(), &key, &|_, _| {}).unwrap();
    let restored = Vault::open(&restored, &Options::new(), &keys).unwrap();
    assert_eq!((versions(&restored, "a"), rows(&restored)), (vec![3, 2, 1], 3));
}

#[test]
fn salvage_brings_earlier_versions_and_they_stand_in_for_a_lost_record() {
    let (dir, vault) = vault();
    vault.configure(|config| config.history_keep = 5).unwrap();
    for name in ["a", "gone", "removed"] {
        for number in 0..8 {
            set(&vault, name, &number.to_string());
        }
    }
    vault.remove(&id("removed")).unwrap();
    for name in ["gone", "removed"] {
        let lose = vault.store.write(|rows| {
            let key = vault.keys.at(rows)?.epochs().current().row_key(&id(name));
            rows.delete(Table::Records, &key)?;
            rows.delete(Table::Index, &key)?;
            Ok(Verdict::Commit(()))
        });
        lose.unwrap();
    }
    // Only what is in use: no page has remains of the records.
    let copy = dir.path().join("copy.redb");
    let file_systems = crate::store::FileSystems::Local;
    let draft = vault.store.read(|rows| {
        crate::store::build(&copy, file_systems, |new| crate::vault::backup::copy(rows, new))
    });
    assert!(draft.unwrap().place(&copy).unwrap());
    let new = dir.path().join("new.redb");
    let key = NewKey::Hostname("host-a".to_owned());
    let keys = [crate::KeySource::from(&key)];
    let salvaged = Vault::salvage(&copy, &new, &Options::new(), &keys, None, &key).unwrap();
    assert_eq!(salvaged.recovered, 2);
    let lost: Vec<_> = salvaged.lost.iter().filter_map(|lost| lost.id.clone()).collect();
    assert_eq!(lost, [id("gone")], "{salvaged:?}");
    let vault = Vault::open(&new, &Options::new(), &keys).unwrap();
    assert_eq!(versions(&vault, "a"), [7, 6, 5, 4, 3]);
    assert_eq!(vault.get(&id("gone")).unwrap().metadata.version, 7);
    assert_eq!(versions(&vault, "gone"), [6, 5, 4, 3]);
    assert_eq!(versions(&vault, "removed"), [8, 7, 6, 5, 4]);
    assert_eq!(vault.list(&Query::all()).unwrap().len(), 2);
    assert_eq!(rows(&vault), 14);
    assert_eq!(set(&vault, "removed", "again"), 9);
}

fn undo(vault: &Vault, name: &str, to: Option<u64>) -> Result<crate::Undone> {
    vault.write(|transaction| transaction.undo(&id(name), to, Condition::Always))
}

#[test]
fn undo_goes_back_and_a_second_one_forward_again() {
    let (_dir, vault) = vault();
    for password in ["one", "two", "three"] {
        set(&vault, "a", password);
    }
    let changed_at = |name| vault.get(&id(name)).unwrap().metadata.password_changed_at;
    let three = changed_at("a");
    let undone = undo(&vault, "a", None).unwrap();
    assert_eq!((undone.to, undone.change.version, undone.change.created), (2, 4, false));
    assert!(changed_at("a") < three, "the password is as old as it is");
    let undone = undo(&vault, "a", None).unwrap();
    assert_eq!((undone.to, undone.change.version), (3, 5));
    assert_eq!(
        (vault.get(&id("a")).unwrap().password.expose(), changed_at("a")),
        (&b"three"[..], three)
    );
    assert_eq!(undo(&vault, "a", Some(1)).unwrap().change.version, 6);
    assert_eq!(vault.get(&id("a")).unwrap().password.expose(), b"one");
    let same = undo(&vault, "a", Some(6)).unwrap();
    assert_eq!((same.change.changed, same.change.version), (false, 6));
    let gone = undo(&vault, "a", Some(9));
    assert!(matches!(gone, Err(Error::VersionNotFound { version: 9, .. })), "{gone:?}");
    let none = undo(&vault, "b", None);
    assert!(matches!(none, Err(Error::NotFound { .. })), "{none:?}");
    let moved = vault.write(|body| body.undo(&id("a"), None, Condition::IfVersion(5)));
    assert!(matches!(moved, Err(Error::VersionMismatch { actual: 6, .. })), "{moved:?}");
    rows(&vault);
}

#[test]
fn undo_brings_a_removed_credential_back_and_needs_something_to_go_back_to() {
    let (_dir, vault) = vault();
    set(&vault, "a", "one");
    let none = undo(&vault, "a", None);
    assert!(matches!(none, Err(Error::NoEarlierVersion { .. })), "{none:?}");
    rename(&vault, "a", "b");
    let same = undo(&vault, "b", None);
    assert!(matches!(same, Err(Error::NoEarlierVersion { .. })), "only the id changed: {same:?}");
    vault.remove(&id("b")).unwrap();
    let back = undo(&vault, "b", None).unwrap();
    assert_eq!((back.to, back.change.version, back.change.created), (2, 3, true));
    assert_eq!(versions(&vault, "b"), [2, 1]);
    assert_eq!(rows(&vault), 2);
    vault.configure(|config| config.history_keep = 0).unwrap();
    assert!(matches!(undo(&vault, "b", Some(1)), Err(Error::VersionNotFound { .. })));
}

#[test]
fn purge_forgets_and_lets_versions_begin_again() {
    let (_dir, vault) = vault();
    for password in ["one", "two", "three"] {
        set(&vault, "a", password);
    }
    let purge = |name, what, condition| {
        vault.write(|transaction| transaction.purge(&id(name), what, condition))
    };
    let moved = purge("a", crate::Purge::All, Condition::IfVersion(2));
    assert!(matches!(moved, Err(Error::VersionMismatch { .. })), "{moved:?}");
    assert_eq!(purge("a", crate::Purge::History, Condition::IfVersion(3)).unwrap(), 2);
    assert_eq!((versions(&vault, "a"), set(&vault, "a", "four")), (vec![], 4));
    let generation = vault.info().unwrap().generation;
    set(&vault, "b", "one");
    assert_eq!(purge("b", crate::Purge::History, Condition::Always).unwrap(), 0);
    assert_eq!(vault.info().unwrap().generation, generation + 1, "nothing to forget is no write");
    assert_eq!(purge("a", crate::Purge::All, Condition::Always).unwrap(), 1);
    assert!(!vault.exists(&id("a")).unwrap());
    assert!(matches!(vault.history(&id("a")), Err(Error::NotFound { .. })));
    assert_eq!(set(&vault, "a", "again"), 1);
    vault.remove(&id("a")).unwrap();
    assert_eq!(purge("a", crate::Purge::All, Condition::Always).unwrap(), 1);
    let none = purge("a", crate::Purge::All, Condition::Always);
    assert!(matches!(none, Err(Error::NotFound { .. })), "{none:?}");
    assert_eq!(rows(&vault), 0);
}
