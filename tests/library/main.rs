//! The library as a program would use it, through its public interface alone.

mod cases;
mod fork;
mod open_handle;
mod operations;
mod plaintext;
mod resolve;
mod threads;

use std::path::{Path, PathBuf};

use credb::{CredentialId, Edit, KeySource, NewKey, Options, Secret, Vault};
use tempfile::TempDir;

/// The host name of the key of all these vaults.
const HOST: &str = "host-a";

/// A vault in a directory of its own.
struct Fixture {
    vault: Vault,
    path: PathBuf,
    _dir: TempDir,
}

impl Fixture {
    /// An empty vault.
    fn new() -> Self {
        let dir = TempDir::new().expect("temporary directory");
        let path = dir.path().canonicalize().expect("canonical path").join("v.redb");
        let vault = create(&path);
        Self { vault, path, _dir: dir }
    }

    /// One more handle on the same file.
    fn open(&self) -> Vault {
        open(&self.path).expect("open the vault")
    }

    /// Stores a password.
    #[track_caller]
    fn put(&self, id_text: &str, password: &str) {
        self.vault.set(&id(id_text), &Edit::new().password(password)).expect("set");
    }
}

fn create(path: &Path) -> Vault {
    let key = NewKey::Hostname(HOST.to_owned());
    Vault::create(path, &Options::new(), &key).expect("create a vault")
}

fn open(path: &Path) -> credb::Result<Vault> {
    Vault::open(path, &Options::new(), &[KeySource::Hostname(HOST.to_owned())])
}

#[track_caller]
fn id(text: &str) -> CredentialId {
    CredentialId::new(text).expect("an id")
}

/// The stored password as text.
#[track_caller]
fn password(vault: &Vault, id_text: &str) -> String {
    let credential = vault.get(&id(id_text)).expect("get");
    credential.password.expose_str().expect("a password of text").to_owned()
}

#[test]
fn a_secret_shows_itself_to_nobody_who_does_not_ask() {
    let fixture = Fixture::new();
    let edit = Edit::new().password("hunter2").field("pin", "hunter3");
    fixture.vault.set(&id("a"), &edit).unwrap();
    let credential = fixture.vault.get(&id("a")).unwrap();
    let shown =
        format!("{credential:?} {:?} {edit:?} {:?}", fixture.vault, Secret::from("hunter2"));
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(shown.contains("[redacted]"), "{shown}");
}
