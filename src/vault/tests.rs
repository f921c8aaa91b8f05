//! What a vault does with its rows, seen from inside: swapped, truncated and foreign ones.

use super::*;
use crate::error::Error;
use crate::keys::NewKey;
use crate::store::Table;

fn vault() -> (tempfile::TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.redb");
    let key = NewKey::Hostname("host-a".to_owned());
    let vault = Vault::create(&path, &Options::new(), &key).unwrap();
    (dir, vault)
}

fn id(text: &str) -> CredentialId {
    CredentialId::new(text).unwrap()
}

fn row(vault: &Vault, table: Table, of: &str) -> ([u8; 20], Vec<u8>) {
    let found = vault.store.read(|rows| {
        let key = vault.keys.epoch(rows)?.row_key(&id(of));
        Ok((key, rows.row(table, &key)?.unwrap()))
    });
    found.unwrap()
}

fn replace(vault: &Vault, table: Table, key: &[u8], value: Option<&[u8]>) {
    let result = vault.store.write(|rows| {
        match value {
            Some(value) => rows.put(table, key, value)?,
            None => rows.delete(table, key)?,
        }
        Ok(Verdict::Commit(()))
    });
    result.unwrap();
}

fn assert_damaged<T: fmt::Debug>(result: impl Into<Result<T>>) {
    let result = result.into();
    assert!(matches!(result, Err(Error::Corrupt { .. })), "{result:?}");
}

#[test]
fn swapped_records_are_refused() {
    let (_dir, vault) = vault();
    for name in ["a", "b"] {
        vault.set(&id(name), &Edit::new().password(name)).unwrap();
    }
    let (key, _) = row(&vault, Table::Records, "a");
    let (_, other) = row(&vault, Table::Records, "b");
    replace(&vault, Table::Records, &key, Some(&other));
    assert_damaged(vault.get(&id("a")));
    assert_eq!(vault.get(&id("b")).unwrap().password.expose(), b"b");
}

#[test]
fn swapped_index_rows_are_refused() {
    let (_dir, vault) = vault();
    for name in ["a", "b"] {
        vault.set(&id(name), &Edit::new().password(name)).unwrap();
    }
    let (key_a, row_a) = row(&vault, Table::Index, "a");
    let (key_b, row_b) = row(&vault, Table::Index, "b");
    replace(&vault, Table::Index, &key_a, Some(&row_b));
    replace(&vault, Table::Index, &key_b, Some(&row_a));
    assert_damaged(vault.list(&Query::all()));
}

#[test]
fn a_record_in_the_place_of_an_index_row_is_refused() {
    let (_dir, vault) = vault();
    vault.set(&id("a"), &Edit::new().password("a")).unwrap();
    let (key, record) = row(&vault, Table::Records, "a");
    replace(&vault, Table::Index, &key, Some(&record));
    assert_damaged(vault.list(&Query::all()));
}

#[test]
fn truncated_and_altered_rows_are_refused() {
    let (_dir, vault) = vault();
    vault.set(&id("a"), &Edit::new().password("a")).unwrap();
    let (key, stored) = row(&vault, Table::Records, "a");
    for length in [0, 1, 57, stored.len() - 1] {
        replace(&vault, Table::Records, &key, Some(&stored[..length]));
        assert_damaged(vault.get(&id("a")));
    }
    for position in [0, 1, 9, 30, stored.len() - 1] {
        let mut altered = stored.clone();
        altered[position] ^= 1;
        replace(&vault, Table::Records, &key, Some(&altered));
        assert_damaged(vault.get(&id("a")));
        assert_damaged(vault.set(&id("a"), &Edit::new().password("b")));
    }
}

#[test]
fn a_row_of_another_vault_is_refused() {
    let ((_dir, ours), (_other_dir, other)) = (vault(), vault());
    for vault in [&ours, &other] {
        vault.set(&id("a"), &Edit::new().password("a")).unwrap();
    }
    let (key, _) = row(&ours, Table::Records, "a");
    let (_, foreign) = row(&other, Table::Records, "a");
    replace(&ours, Table::Records, &key, Some(&foreign));
    assert_damaged(ours.get(&id("a")));
}

#[test]
fn a_missing_row_is_never_not_found_nor_a_shorter_list() {
    let (_dir, vault) = vault();
    vault.set(&id("a"), &Edit::new().password("a")).unwrap();
    let (key, _) = row(&vault, Table::Records, "a");
    replace(&vault, Table::Records, &key, None);
    assert_damaged(vault.get(&id("a")));
    assert_damaged(vault.exists(&id("a")));
    replace(&vault, Table::Index, &key, None);
    assert_damaged(vault.list(&Query::all()));
}

#[test]
fn a_newer_format_is_not_touched() {
    let (_dir, vault) = vault();
    replace(
        &vault,
        Table::Header,
        b"features",
        Some(&[[0; 8], [0, 0, 0, 0, 0, 0, 0, 1], [0; 8]].concat()),
    );
    let refused = vault.set(&id("a"), &Edit::new().password("a"));
    assert!(matches!(refused, Err(Error::NewerFormat { .. })), "{refused:?}");
    assert!(LockedVault::open(vault.path(), &Options::new()).is_ok(), "reading is allowed");
    replace(&vault, Table::Header, b"format", Some(&2_u32.to_be_bytes()));
    let refused = LockedVault::open(vault.path(), &Options::new());
    assert!(matches!(refused, Err(Error::NewerFormat { .. })), "{refused:?}");
}

#[test]
fn reading_again_is_answered_by_the_cache() {
    let (_dir, vault) = vault();
    vault.set(&id("a"), &Edit::new().password("a")).unwrap();
    vault.get(&id("a")).unwrap();
    let (key, stored) = row(&vault, Table::Records, "a");
    assert!(vault.cache.find(&key, &stored).is_some());
    vault.set(&id("b"), &Edit::new().password("b")).unwrap();
    assert!(vault.cache.find(&key, &stored).is_none(), "a set clears the cache");
    vault.get(&id("a")).unwrap();
    vault.remove(&id("b")).unwrap();
    assert!(vault.cache.find(&key, &stored).is_none(), "a removal clears the cache");
}

#[test]
fn versions_go_on_after_a_removal() {
    let (_dir, vault) = vault();
    vault.set(&id("a"), &Edit::new().password("a")).unwrap();
    vault.set(&id("a"), &Edit::new().password("b")).unwrap();
    vault.remove(&id("a")).unwrap();
    assert!(matches!(vault.get(&id("a")), Err(Error::NotFound { .. })));
    assert!(matches!(vault.remove(&id("a")), Err(Error::NotFound { .. })));
    let change = vault.set(&id("a"), &Edit::new().password("c")).unwrap();
    assert_eq!((change.version, change.created), (3, true));
}

#[test]
fn a_set_that_changes_nothing_writes_nothing() {
    let (_dir, vault) = vault();
    let edit = Edit::new().password("a").username("u");
    let first = vault.set(&id("a"), &edit).unwrap();
    let generation = vault.info().unwrap().generation;
    let again = vault.set(&id("a"), &edit).unwrap();
    assert_eq!((again.version, again.changed), (1, false));
    assert_eq!(again.updated_at, first.updated_at);
    assert_eq!(vault.info().unwrap().generation, generation);
}

#[test]
fn the_handle_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Vault>();
    shared::<LockedVault>();
}
