//! Taking over the predecessor's files into a vault: once, again, and against what is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;

use credb::exchange::migrate::{self, Import, OnConflict, Report};
use credb::{CredentialId, Edit, Error, NewKey, Options, Patch, Query, Vault};

struct Scene {
    vault: Vault,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.redb");
        let key = NewKey::Hostname("test-host".to_owned());
        let vault = Vault::create(&path, &Options::new(), &key).unwrap();
        Self { vault, _directory: directory }
    }

    fn apply(&self, import: &Import, on_conflict: OnConflict) -> credb::Result<Report> {
        self.vault.write(|transaction| migrate::apply(transaction, import, on_conflict))
    }

    fn ids(&self) -> Vec<String> {
        let list = self.vault.list(&Query::all()).unwrap();
        list.into_iter().map(|metadata| metadata.id.to_string()).collect()
    }
}

fn configuration() -> Import {
    let bytes = include_bytes!("data/vya_backupbd.json");
    migrate::read(Path::new("vya_backupbd.json"), bytes, "unused").unwrap()
}

fn old_vault() -> Import {
    let bytes = include_bytes!("data/vault.json.enc");
    migrate::read(Path::new("vault.json.enc"), bytes, "old-host").unwrap()
}

fn id(text: &str) -> CredentialId {
    CredentialId::new(text).unwrap()
}

fn names(ids: &[CredentialId]) -> Vec<&str> {
    ids.iter().map(CredentialId::as_str).collect()
}

const CONFIGURED: [&str; 4] = ["smtp-smtp.example.com", "mysql-1", "mysql-2", "postgresql-3"];

#[test]
fn a_configuration_is_taken_over_and_taking_it_over_again_changes_nothing() {
    let scene = Scene::new();
    let report = scene.apply(&configuration(), OnConflict::Fail).unwrap();
    assert_eq!(names(&report.added), CONFIGURED);
    assert_eq!(report.skipped.len(), 2);
    let before = scene.vault.list(&Query::all()).unwrap();
    assert_eq!(before.len(), 4);
    let stored = scene.vault.get(&id("mysql-1")).unwrap();
    assert_eq!(stored.password.expose(), b"not-a-real-password-1");
    assert_eq!(stored.field("database").unwrap().expose(), b"shop,crm");

    for on_conflict in [OnConflict::Fail, OnConflict::Skip, OnConflict::Overwrite] {
        let report = scene.apply(&configuration(), on_conflict).unwrap();
        assert_eq!(names(&report.unchanged), CONFIGURED);
        assert!(report.added.is_empty() && report.updated.is_empty());
        assert_eq!(scene.vault.list(&Query::all()).unwrap(), before);
    }
}

#[test]
fn an_old_vault_keeps_its_times_and_comes_over_once() {
    let scene = Scene::new();
    let report = scene.apply(&old_vault(), OnConflict::Fail).unwrap();
    assert_eq!(names(&report.added), ["smtp-smtp.example.com", "mysql-1", "app_token.v2"]);
    let stored = scene.vault.metadata(&id("smtp-smtp.example.com")).unwrap();
    assert_eq!(stored.created_at.to_rfc3339(), "2024-03-01T08:30:00.123456+00:00");
    assert_eq!(stored.updated_at.to_rfc3339(), "2024-11-05T17:45:10.000001+00:00");
    assert_eq!(stored.version, 1);

    let report = scene.apply(&old_vault(), OnConflict::Fail).unwrap();
    assert_eq!(report.unchanged.len(), 3);
    assert_eq!(scene.vault.metadata(&id("smtp-smtp.example.com")).unwrap(), stored);
}

#[test]
fn a_conflict_fails_the_whole_and_stores_nothing() {
    let scene = Scene::new();
    scene.vault.set(&id("postgresql-3"), &Edit::new().password("other")).unwrap();
    let error = scene.apply(&configuration(), OnConflict::Fail).unwrap_err();
    let Error::AlreadyExists { id: conflict, version } = error else { panic!("{error:?}") };
    assert_eq!((conflict.as_str(), version), ("postgresql-3", 1));
    assert_eq!(scene.ids(), ["postgresql-3"]);
}

#[test]
fn a_conflict_can_be_skipped() {
    let scene = Scene::new();
    scene.vault.set(&id("postgresql-3"), &Edit::new().password("other")).unwrap();
    let report = scene.apply(&configuration(), OnConflict::Skip).unwrap();
    assert_eq!(names(&report.added), &CONFIGURED[..3]);
    let last = report.skipped.last().unwrap();
    assert_eq!(last.position, "db_config[2]");
    assert_eq!(last.id.as_deref(), Some("postgresql-3"));
    assert_eq!(scene.vault.get(&id("postgresql-3")).unwrap().password.expose(), b"other");
}

#[test]
fn a_conflict_can_be_overwritten_and_keeps_what_the_file_does_not_name() {
    let scene = Scene::new();
    let edit = Edit::new().password("other").tags(["prod"]).url(Patch::Set("pg://x".to_owned()));
    scene.vault.set(&id("postgresql-3"), &edit).unwrap();
    let report = scene.apply(&configuration(), OnConflict::Overwrite).unwrap();
    assert_eq!(names(&report.updated), ["postgresql-3"]);
    assert_eq!(names(&report.added), &CONFIGURED[..3]);
    let stored = scene.vault.get(&id("postgresql-3")).unwrap();
    assert_eq!(stored.password.expose(), b"not-a-real-password-3");
    assert_eq!(stored.metadata.tags, ["prod"]);
    assert_eq!(stored.metadata.url.as_deref(), Some("pg://x"));
    assert_eq!(stored.metadata.version, 2);
}

#[test]
fn a_preview_says_the_same_and_stores_nothing() {
    let scene = Scene::new();
    scene.vault.set(&id("mysql-2"), &Edit::new().password("other")).unwrap();
    let import = configuration();
    let preview =
        |on_conflict| scene.vault.read(|snapshot| migrate::preview(snapshot, &import, on_conflict));
    assert!(matches!(preview(OnConflict::Fail), Err(Error::AlreadyExists { .. })));
    let foreseen = preview(OnConflict::Overwrite).unwrap();
    assert_eq!(scene.ids(), ["mysql-2"]);
    let done = scene.apply(&import, OnConflict::Overwrite).unwrap();
    assert_eq!(foreseen.added, done.added);
    assert_eq!(foreseen.updated, done.updated);
    assert_eq!(foreseen.skipped, done.skipped);
}
