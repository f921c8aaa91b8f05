//! What a vault does with its rows, seen from inside: swapped, truncated and foreign ones.

use super::*;
use crate::error::Error;
use crate::keys::NewKey;
use crate::store::Table;

pub(super) fn vault() -> (tempfile::TempDir, Vault) {
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
        let key = vault.keys.at(rows)?.epochs().current().row_key(&id(of));
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

fn quiet(_done: u64, _of: u64) {}

fn filled(names: &[&str]) -> (tempfile::TempDir, Vault) {
    let (dir, vault) = vault();
    for name in names {
        vault.set(&id(name), &Edit::new().password(*name).username("u")).unwrap();
    }
    (dir, vault)
}

fn assert_found(vault: &Vault, table: &str) {
    let found = vault.verify(&quiet).unwrap();
    assert!(found.damaged.iter().any(|damage| damage.table == table), "{found:?}");
}

#[test]
fn a_sound_vault_verifies() {
    let (_dir, vault) = filled(&["a", "b", "c"]);
    vault.remove(&id("b")).unwrap();
    vault.add_slot(&NewKey::Hostname("host-b".to_owned()), Some("second")).unwrap();
    let found = vault.verify(&quiet).unwrap();
    assert!(found.is_ok(), "{found:?}");
    let checked = found.checked;
    assert_eq!((checked.records, checked.index, checked.tombstones), (3, 2, 1));
    assert_eq!((checked.slots, checked.epochs, checked.structure), (2, 1, true));
}

#[test]
fn a_row_that_was_rolled_back_is_found() {
    let (_dir, vault) = filled(&["a", "b"]);
    let (key, old_record) = row(&vault, Table::Records, "a");
    let (_, old_index) = row(&vault, Table::Index, "a");
    vault.set(&id("a"), &Edit::new().password("new")).unwrap();
    replace(&vault, Table::Records, &key, Some(&old_record));
    replace(&vault, Table::Index, &key, Some(&old_index));
    assert_eq!(vault.get(&id("a")).unwrap().password.expose(), b"a", "each row is authentic");
    assert_found(&vault, "records");
    assert_found(&vault, "index");
}

#[test]
fn a_row_that_was_deleted_or_inserted_is_found() {
    let (_dir, vault) = filled(&["a", "b"]);
    let (key, record) = row(&vault, Table::Records, "a");
    let (_, index) = row(&vault, Table::Index, "a");
    vault.remove(&id("a")).unwrap();
    replace(&vault, Table::Records, &key, Some(&record));
    replace(&vault, Table::Index, &key, Some(&index));
    assert_found(&vault, "records");
    replace(&vault, Table::Records, &key, None);
    replace(&vault, Table::Index, &key, None);
    assert_found(&vault, "records");
}

#[test]
fn a_slot_that_was_put_back_is_found() {
    let (_dir, vault) = filled(&["a"]);
    let added = vault.add_slot(&NewKey::Hostname("host-b".to_owned()), None).unwrap();
    let number = added.number.to_be_bytes();
    let stored = vault.store.read(|rows| rows.row(Table::Slots, &number)).unwrap().unwrap();
    vault.remove_slot(added.number).unwrap();
    replace(&vault, Table::Slots, &number, Some(&stored));
    assert_found(&vault, "manifest");
}

#[test]
fn a_rolled_back_file_is_older_than_its_token() {
    let (dir, vault) = filled(&["a"]);
    let copy = dir.path().join("copy.redb");
    std::fs::copy(vault.path(), &copy).unwrap();
    vault.set(&id("b"), &Edit::new().password("b")).unwrap();
    let token = vault.verify(&quiet).unwrap().state_token.unwrap();
    let keys = [KeySource::Hostname("host-a".to_owned())];
    let old = Vault::open(&copy, &Options::new(), &keys).unwrap();
    let then = old.verify(&quiet).unwrap().state_token.unwrap();
    assert_eq!(then.since(&token), Since::Older);
    assert_eq!(token.since(&then), Since::Later);
    old.set(&id("c"), &Edit::new().password("c")).unwrap();
    let fork = old.verify(&quiet).unwrap().state_token.unwrap();
    assert_eq!(fork.since(&token), Since::Another, "as many writes, but others");
}

#[test]
fn a_backup_is_whole_and_is_restored() {
    let (dir, vault) = filled(&["a", "b"]);
    let backup = dir.path().join("backup.redb");
    let made = vault.backup(&backup, Overwrite::Never, &quiet).unwrap();
    assert_eq!((made.credentials, made.portable), (2, false));
    let again = vault.backup(&backup, Overwrite::Never, &quiet);
    assert!(matches!(again, Err(Error::VaultExists { .. })), "{again:?}");

    vault.set(&id("c"), &Edit::new().password("c")).unwrap();
    let key = NewKey::Hostname("host-new".to_owned());
    let copy = Vault::open(&backup, &Options::new(), &[KeySource::Hostname("host-a".to_owned())]);
    let copy = copy.unwrap();
    let restored = copy.restore(vault.path(), &Options::new(), &key, &quiet).unwrap();
    assert_eq!(restored.credentials, 2);

    // The open handle goes on with what is there now; what was replaced is kept.
    assert!(!vault.exists(&id("c")).unwrap());
    vault.set(&id("d"), &Edit::new().password("d")).unwrap();
    assert_eq!(vault.list(&Query::all()).unwrap().len(), 3);
    let new = Vault::open(vault.path(), &Options::new(), &[KeySource::from(&key)]).unwrap();
    assert!(new.verify(&quiet).unwrap().is_ok());
    let keys = [KeySource::Hostname("host-a".to_owned())];
    let kept = Vault::open(&restored.kept.unwrap(), &Options::new(), &keys).unwrap();
    assert!(kept.exists(&id("c")).unwrap());
}

#[test]
fn compacting_gives_pages_back_under_open_handles() {
    let (_dir, vault) = vault();
    for password in ["p".repeat(4_096), "q".to_owned()] {
        vault
            .write(|transaction| {
                for number in 0..2_000 {
                    let edit = Edit::new().password(password.as_str());
                    transaction.set_if(&id(&format!("id{number}")), &edit, Condition::Always)?;
                }
                Ok(())
            })
            .unwrap();
    }
    let keys = [KeySource::Hostname("host-a".to_owned())];
    let other = Vault::open(vault.path(), &Options::new(), &keys).unwrap();
    other.set(&id("before"), &Edit::new().password("p")).unwrap();
    let compaction = vault.compact(&quiet).unwrap();
    assert!(compaction.after < compaction.before, "{compaction:?}");
    other.set(&id("after"), &Edit::new().password("p")).unwrap();
    assert_eq!(vault.list(&Query::all()).unwrap().len(), 2_002);
    assert!(vault.verify(&quiet).unwrap().is_ok());
}

#[test]
fn one_damaged_page_costs_the_rows_on_it() {
    let names: Vec<String> = (0..60).map(|number| format!("id{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (dir, vault) = filled(&names);
    vault.add_slot(&NewKey::Hostname("host-b".to_owned()), None).unwrap();
    vault.remove(&id("id0")).unwrap();
    vault.compact(&quiet).unwrap();
    let path = vault.path().to_owned();
    drop(vault);
    let whole = std::fs::read(&path).unwrap();
    let key = NewKey::Hostname("host-new".to_owned());
    let sources = [KeySource::Hostname("host-a".to_owned())];
    let mut fewest = u64::MAX;
    for page in 1..whole.len() / 4_096 {
        let mut bytes = whole.clone();
        bytes[page * 4_096..][..4_096].fill(0);
        let damaged = dir.path().join("damaged.redb");
        std::fs::write(&damaged, bytes).unwrap();
        let new = dir.path().join(format!("new{page}.redb"));
        let result = Vault::salvage(&damaged, &new, &Options::new(), &sources, None, &key);
        let salvaged = match result {
            Ok(salvaged) => salvaged,
            // The page of the slots, of the epochs, or of the vault's id: the copy has them.
            Err(Error::Corrupt { .. } | Error::Locked { .. }) => {
                Vault::salvage(&damaged, &new, &Options::new(), &sources, Some(&path), &key)
                    .unwrap()
            }
            Err(error) => panic!("{error}"),
        };
        fewest = fewest.min(salvaged.recovered);
        assert_eq!(salvaged.recovered == 59, salvaged.lost.iter().all(|lost| lost.id.is_none()));
        let opened = Vault::open(&new, &Options::new(), &[KeySource::from(&key)]).unwrap();
        assert_eq!(opened.list(&Query::all()).unwrap().len() as u64, salvaged.recovered);
        assert!(!opened.exists(&id("id0")).unwrap(), "a removed one stays removed");
        assert!(opened.verify(&quiet).unwrap().is_ok());
    }
    assert!((40..59).contains(&fewest), "a page holds a few rows: {fewest}");
}

/// A copy of a vault's file with some bytes of it changed.
fn altered(vault: &Vault, change: impl Fn(&mut [u8])) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("altered.redb");
    let mut bytes = std::fs::read(vault.path()).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

#[test]
fn verifying_leaves_the_file_as_it_is() {
    let names: Vec<String> = (0..60).map(|number| format!("id{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_dir, vault) = filled(&names);
    vault.compact(&quiet).unwrap();
    let keys = [KeySource::Hostname("host-a".to_owned())];
    let pages = std::fs::read(vault.path()).unwrap().len() / 4_096;
    let mut damaged = 0;
    for page in 0..pages {
        for offset in [0, 3, 2_000] {
            let (_dir, path) = altered(&vault, |bytes| bytes[page * 4_096 + offset] ^= 0xa5);
            let before = std::fs::read(&path).unwrap();
            let found =
                Vault::open(&path, &Options::new(), &keys).and_then(|vault| vault.verify(&quiet));
            match found {
                Ok(found) => damaged += usize::from(!found.is_ok()),
                Err(Error::Corrupt { .. } | Error::NotAVault { .. }) => damaged += 1,
                Err(error) => panic!("{error}"),
            }
            assert_eq!(std::fs::read(&path).unwrap(), before, "page {page}, offset {offset}");
        }
    }
    assert!(damaged > pages / 2, "{damaged} of {pages} pages");
}

#[test]
fn a_damaged_copy_is_not_restored_and_nothing_is_made() {
    let (_dir, vault) = filled(&["a", "b"]);
    let (key, _) = row(&vault, Table::Records, "a");
    let (_, other) = row(&vault, Table::Records, "b");
    replace(&vault, Table::Records, &key, Some(&other));
    let dir = tempfile::tempdir().unwrap();
    let new = NewKey::File(dir.path().join("k"));
    let restored = vault.restore(&dir.path().join("d/v.redb"), &Options::new(), &new, &quiet);
    assert_damaged(restored);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn keys_of_another_vault_salvage_nothing() {
    let (dir, vault) = filled(&["a"]);
    let (_other_dir, other) = filled(&["b"]);
    let keys = [KeySource::Hostname("host-a".to_owned())];
    let (new, key) = (dir.path().join("new.redb"), NewKey::Hostname("host-a".to_owned()));
    let from = Some(other.path());
    let result = Vault::salvage(vault.path(), &new, &Options::new(), &keys, from, &key);
    assert!(matches!(result, Err(Error::Invalid { .. })), "{result:?}");
    assert!(!new.exists());
}

#[test]
fn what_this_program_does_not_know_is_not_copied_in_part() {
    let (dir, vault) = filled(&["a"]);
    let features = [0, 1_u64, 0].map(u64::to_be_bytes).concat();
    replace(&vault, Table::Header, b"features", Some(&features));
    let newer = |result: Result<()>| {
        assert!(matches!(result, Err(Error::NewerFormat { .. })), "{result:?}");
    };
    let copy = dir.path().join("copy.redb");
    newer(vault.backup(&copy, Overwrite::Never, &quiet).map(drop));
    newer(vault.compact(&quiet).map(drop));
    let key = NewKey::Hostname("host-a".to_owned());
    newer(vault.restore(&copy, &Options::new(), &key, &quiet).map(drop));
    assert!(!copy.exists());
}
