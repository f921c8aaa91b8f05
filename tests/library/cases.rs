//! What the predecessor's users rely on, case by case.

use chrono::{DateTime, Timelike, Utc};
use credb::{Edit, Error, Patch, Query};
use tempfile::TempDir;

use crate::{Fixture, create, id, open, password};

fn listed(fixture: &Fixture) -> Vec<String> {
    let all = fixture.vault.list(&Query::all()).expect("list");
    all.into_iter().map(|metadata| metadata.id.as_str().to_owned()).collect()
}

// Opening.

#[test]
fn creating_makes_an_empty_vault() {
    let fixture = Fixture::new();
    assert!(fixture.path.is_file());
    assert_eq!(fixture.vault.path(), fixture.path);
    assert!(listed(&fixture).is_empty());
}

#[test]
fn opening_an_absent_file_fails_and_makes_none() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("absent.redb");
    assert!(matches!(open(&path), Err(Error::VaultNotFound { .. })));
    assert!(!path.exists());
}

#[test]
fn what_was_saved_is_loaded() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("v.redb");
    let vault = create(&path);
    vault.set(&id("a"), &Edit::new().username("root").password("pw")).unwrap();
    drop(vault);
    let vault = open(&path).unwrap();
    assert_eq!(password(&vault, "a"), "pw");
    assert_eq!(vault.metadata(&id("a")).unwrap().username.as_deref(), Some("root"));
}

#[test]
fn creating_over_an_existing_file_fails() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    let key = credb::NewKey::Hostname("host-b".to_owned());
    let again = credb::Vault::create(&fixture.path, &credb::Options::new(), &key);
    assert!(matches!(again, Err(Error::VaultExists { .. })));
    assert_eq!(password(&fixture.open(), "a"), "pw");
}

#[test]
fn opening_with_the_wrong_key_fails() {
    let fixture = Fixture::new();
    let wrong = [credb::KeySource::Hostname("host-b".to_owned())];
    let opened = credb::Vault::open(&fixture.path, &credb::Options::new(), &wrong);
    assert!(matches!(opened, Err(Error::Locked { attempts, .. }) if !attempts.is_empty()));
}

// Set, get, remove.

#[test]
fn setting_a_new_id_adds_it() {
    let fixture = Fixture::new();
    let change = fixture.vault.set(&id("a"), &Edit::new().password("pw")).unwrap();
    assert_eq!((change.created, change.changed, change.version), (true, true, 1));
    assert_eq!(change.id, id("a"));
}

#[test]
fn setting_an_existing_id_updates_it() {
    let fixture = Fixture::new();
    fixture.put("a", "first");
    let change = fixture.vault.set(&id("a"), &Edit::new().password("second")).unwrap();
    assert_eq!((change.created, change.changed, change.version), (false, true, 2));
    assert_eq!(password(&fixture.vault, "a"), "second");
    assert_eq!(listed(&fixture), ["a"]);
}

#[test]
fn getting_gives_all_fields() {
    let fixture = Fixture::new();
    let edit = Edit::new()
        .username("root")
        .password("P@ss")
        .url(Patch::Set("http://x".to_owned()))
        .description(Patch::Set("what for".to_owned()))
        .tags(["t1", "t2"])
        .field("pin", "1234");
    fixture.vault.set(&id("a"), &edit).unwrap();
    let credential = fixture.vault.get(&id("a")).unwrap();
    assert_eq!(credential.metadata.username.as_deref(), Some("root"));
    assert_eq!(credential.metadata.url.as_deref(), Some("http://x"));
    assert_eq!(credential.metadata.description.as_deref(), Some("what for"));
    assert_eq!(credential.metadata.tags, ["t1", "t2"]);
    assert_eq!(credential.metadata.field_names, ["pin"]);
    assert_eq!(credential.password.expose(), b"P@ss");
    assert_eq!(credential.field("pin").unwrap().expose(), b"1234");
    assert!(credential.field("none").is_none());
}

#[test]
fn getting_nothing_says_what_is_missing() {
    let fixture = Fixture::new();
    let error = fixture.vault.get(&id("a")).unwrap_err();
    assert!(matches!(&error, Error::NotFound { ids } if *ids == [id("a")]), "{error:?}");
    assert_eq!(error.to_string(), "no credential \"a\"");
}

#[test]
fn getting_twice_gives_the_same() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    let first = fixture.vault.get(&id("a")).unwrap();
    assert_eq!(fixture.vault.get(&id("a")).unwrap(), first);
}

#[test]
fn a_set_is_seen_by_a_get_that_was_cached() {
    let fixture = Fixture::new();
    fixture.put("a", "first");
    assert_eq!(password(&fixture.vault, "a"), "first");
    fixture.put("a", "second");
    assert_eq!(password(&fixture.vault, "a"), "second");
}

#[test]
fn removing_takes_it_away() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    fixture.vault.remove(&id("a")).unwrap();
    assert!(matches!(fixture.vault.get(&id("a")), Err(Error::NotFound { .. })));
    assert!(listed(&fixture).is_empty());
}

#[test]
fn removing_nothing_fails() {
    let fixture = Fixture::new();
    let removed = fixture.vault.remove(&id("a"));
    assert!(matches!(removed, Err(Error::NotFound { ids }) if ids == [id("a")]));
}

#[test]
fn a_removal_is_seen_by_a_get_that_was_cached() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    assert_eq!(password(&fixture.vault, "a"), "pw");
    fixture.vault.remove(&id("a")).unwrap();
    assert!(matches!(fixture.vault.get(&id("a")), Err(Error::NotFound { .. })));
}

// Listing.

#[test]
fn an_empty_vault_lists_nothing() {
    assert!(listed(&Fixture::new()).is_empty());
}

#[test]
fn a_list_is_sorted() {
    let fixture = Fixture::new();
    for name in ["smtp-x", "mysql-2", "Mysql-1", "mysql-10"] {
        fixture.put(name, "pw");
    }
    assert_eq!(listed(&fixture), ["Mysql-1", "mysql-10", "mysql-2", "smtp-x"]);
}

#[test]
fn what_exists_exists() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    assert!(fixture.vault.exists(&id("a")).unwrap());
}

#[test]
fn what_does_not_exist_does_not() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    assert!(!fixture.vault.exists(&id("A")).unwrap());
    assert!(!fixture.vault.exists(&id("aa")).unwrap());
}

// Sealing.

#[test]
fn stored_bytes_hold_no_plaintext() {
    let fixture = Fixture::new();
    let edit = Edit::new().username("visible-user").password("visible-password");
    fixture.vault.set(&id("visible-id"), &edit).unwrap();
    let bytes = std::fs::read(&fixture.path).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"visible"));
}

#[test]
fn values_come_back_as_they_were() {
    let fixture = Fixture::new();
    for value in ["x", "P\u{e4}ss w\u{f6}rd \u{1f511}", "\n\t\"'\\", &"long".repeat(16_000)] {
        fixture.put("a", value);
        assert_eq!(password(&fixture.vault, "a"), value);
    }
}

#[test]
fn the_same_value_is_sealed_differently_each_time() {
    let (first, second) = (Fixture::new(), Fixture::new());
    for fixture in [&first, &second] {
        fixture.put("a", "pw");
    }
    assert_ne!(std::fs::read(&first.path).unwrap(), std::fs::read(&second.path).unwrap());
    assert_ne!(first.vault.vault_id(), second.vault.vault_id());
}

// Metadata.

#[test]
fn metadata_of_what_exists_is_given() {
    let fixture = Fixture::new();
    let before = Utc::now();
    fixture.put("a", "pw");
    let metadata = fixture.vault.metadata(&id("a")).unwrap();
    assert_eq!(metadata.id, id("a"));
    assert_eq!(metadata.version, 1);
    assert_eq!(metadata.created_at, metadata.updated_at);
    let margin = chrono::TimeDelta::seconds(1);
    assert!(metadata.created_at >= before - margin && metadata.created_at <= Utc::now() + margin);
}

#[test]
fn metadata_of_what_does_not_exist_is_not_found() {
    let fixture = Fixture::new();
    assert!(matches!(fixture.vault.metadata(&id("a")), Err(Error::NotFound { .. })));
}

#[test]
fn times_are_kept_to_the_microsecond_and_in_order() {
    let fixture = Fixture::new();
    fixture.put("a", "first");
    let first = fixture.vault.metadata(&id("a")).unwrap();
    fixture.put("a", "second");
    let second = fixture.vault.metadata(&id("a")).unwrap();
    assert_eq!(first.created_at, second.created_at);
    assert!(second.updated_at >= first.updated_at);
    assert_eq!(second.password_changed_at, second.updated_at);
    assert_eq!(second.updated_at.nanosecond() % 1_000, 0);
    let text = second.updated_at.to_rfc3339();
    assert_eq!(text.parse::<DateTime<Utc>>().unwrap(), second.updated_at);
}

#[test]
fn a_password_that_stays_keeps_its_time() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    let first = fixture.vault.metadata(&id("a")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    fixture.vault.set(&id("a"), &Edit::new().username("who")).unwrap();
    let second = fixture.vault.metadata(&id("a")).unwrap();
    assert_eq!(second.password_changed_at, first.password_changed_at);
    assert!(second.updated_at > first.updated_at);
}

// Cache.

#[test]
fn a_cleared_cache_loses_nothing() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    assert_eq!(password(&fixture.vault, "a"), "pw");
    fixture.vault.clear_cache();
    assert_eq!(password(&fixture.vault, "a"), "pw");
}

#[test]
fn locking_and_unlocking_starts_afresh() {
    let fixture = Fixture::new();
    fixture.put("a", "first");
    let other = fixture.open();
    assert_eq!(password(&other, "a"), "first");
    let locked = other.lock();
    fixture.put("a", "second");
    let keys = [credb::KeySource::Hostname(crate::HOST.to_owned())];
    let other = locked.unlock(&keys).unwrap();
    assert_eq!(password(&other, "a"), "second");
}

// Info.

#[test]
fn info_of_an_empty_vault_counts_none() {
    let fixture = Fixture::new();
    let info = fixture.vault.info().unwrap();
    assert_eq!(info.credentials, 0);
    assert_eq!(info.path, fixture.path);
    assert_eq!(info.vault_id, fixture.vault.vault_id());
    assert_eq!(info.slots.len(), 1);
}

#[test]
fn info_of_a_filled_vault_counts_what_is_there() {
    let fixture = Fixture::new();
    for name in ["a", "b", "c"] {
        fixture.put(name, "pw");
    }
    fixture.put("a", "again");
    fixture.vault.remove(&id("b")).unwrap();
    let info = fixture.vault.info().unwrap();
    assert_eq!(info.credentials, 2);
    assert!(info.updated_at >= info.created_at);
}

// Several at once.

#[test]
fn many_credentials_persist() {
    let fixture = Fixture::new();
    let names: Vec<String> = (0..100).map(|number| format!("id-{number:03}")).collect();
    fixture
        .vault
        .write(|transaction| {
            for name in &names {
                let edit = Edit::new().password(format!("secret of {name}"));
                transaction.set_if(&id(name), &edit, credb::Condition::IfAbsent)?;
            }
            Ok(())
        })
        .unwrap();
    let other = fixture.open();
    assert_eq!(listed(&fixture), names);
    for name in &names {
        assert_eq!(password(&other, name), format!("secret of {name}"));
    }
}

#[test]
fn an_update_is_seen_by_another_handle() {
    let fixture = Fixture::new();
    let other = fixture.open();
    fixture.put("a", "first");
    assert_eq!(password(&other, "a"), "first");
    other.set(&id("a"), &Edit::new().password("second")).unwrap();
    assert_eq!(password(&fixture.vault, "a"), "second");
    other.remove(&id("a")).unwrap();
    assert!(!fixture.vault.exists(&id("a")).unwrap());
}

#[test]
fn a_transaction_that_fails_changes_nothing() {
    let fixture = Fixture::new();
    fixture.put("a", "before");
    let failed = fixture.vault.write(|transaction| {
        let always = credb::Condition::Always;
        transaction.set_if(&id("a"), &Edit::new().password("after"), always)?;
        transaction.set_if(&id("b"), &Edit::new().password("new"), always)?;
        assert!(transaction.find(&id("b"))?.is_some(), "reads see the changes so far");
        transaction.remove_if(&id("none"), always)
    });
    assert!(matches!(failed, Err(Error::NotFound { .. })));
    assert_eq!(password(&fixture.vault, "a"), "before");
    assert!(!fixture.vault.exists(&id("b")).unwrap());
}
