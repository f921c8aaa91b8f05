//! What happens to a file under an open handle: the handle follows it or fails, and never serves
//! what is not there any more.

use std::fs;

use credb::{Edit, Error};

use crate::{Fixture, create, id, password};

#[test]
fn a_file_that_is_gone_is_not_found() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    assert_eq!(password(&fixture.vault, "a"), "pw");
    fs::remove_file(&fixture.path).unwrap();
    let got = fixture.vault.get(&id("a"));
    assert!(matches!(got, Err(Error::VaultNotFound { .. })), "{got:?}");
    let set = fixture.vault.set(&id("a"), &Edit::new().password("new"));
    assert!(matches!(set, Err(Error::VaultNotFound { .. })), "{set:?}");
    assert!(!fixture.path.exists());
}

#[test]
fn a_file_that_came_back_is_used_again() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    let aside = fixture.path.with_extension("aside");
    fs::rename(&fixture.path, &aside).unwrap();
    assert!(fixture.vault.get(&id("a")).is_err());
    fs::rename(&aside, &fixture.path).unwrap();
    assert_eq!(password(&fixture.vault, "a"), "pw");
}

#[test]
fn a_copy_of_the_same_vault_that_took_its_place_is_followed() {
    let fixture = Fixture::new();
    fixture.put("a", "old");
    let copy = fixture.path.with_extension("copy");
    fs::copy(&fixture.path, &copy).unwrap();
    fixture.put("a", "new");
    fs::rename(&copy, &fixture.path).unwrap();
    assert_eq!(password(&fixture.vault, "a"), "old");
    fixture.put("a", "newest");
    assert_eq!(password(&fixture.open(), "a"), "newest", "a write must reach the file at the path");
}

#[test]
fn another_vault_that_took_its_place_is_refused() {
    let fixture = Fixture::new();
    fixture.put("a", "pw");
    let other = fixture.path.with_extension("other");
    let vault = create(&other);
    vault.set(&id("a"), &Edit::new().password("of another")).unwrap();
    drop(vault);
    fs::rename(&other, &fixture.path).unwrap();
    assert!(fixture.vault.get(&id("a")).is_err());
    assert!(fixture.vault.set(&id("b"), &Edit::new().password("pw")).is_err());
    assert_eq!(password(&fixture.open(), "a"), "of another");
    assert!(!fixture.open().exists(&id("b")).unwrap());
}

#[test]
fn a_truncated_file_is_an_error_and_no_empty_vault() {
    for length in [0, 100, 4_096] {
        let fixture = Fixture::new();
        fixture.put("a", "pw");
        let file = fs::OpenOptions::new().write(true).open(&fixture.path).unwrap();
        file.set_len(length).unwrap();
        for _ in 0..2 {
            let got = fixture.vault.get(&id("a"));
            assert!(!matches!(got, Err(Error::NotFound { .. })), "{length}: {got:?}");
            let set = fixture.vault.set(&id("b"), &Edit::new().password("pw"));
            assert!(set.is_err(), "{length}: {set:?}");
            assert!(fixture.vault.list(&credb::Query::all()).is_err(), "{length}");
        }
        assert!(crate::open(&fixture.path).is_err(), "{length}");
    }
}
