//! Where images are laid out and opened: a directory in memory, and the ordinary `Vault`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use credb::simulate::Inode;
use credb::{CredentialId, Error, KeySource, Options, Query, RotationState, Vault};

use crate::disk::{Disk, Files};

/// A directory in memory, if there is one.
pub(crate) fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let builder = || tempfile::Builder::new().prefix("credb-crash.").to_owned();
    if memory.is_dir() { builder().tempdir_in(memory) } else { builder().tempdir() }.unwrap()
}

/// Files by name, with the inodes they have now.
pub(crate) fn files_in(directory: &Path) -> BTreeMap<String, (Inode, Vec<u8>)> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_file() && !name.contains(".lock") {
            let bytes = fs::read(entry.path()).unwrap();
            files.insert(name, (entry.metadata().unwrap().ino(), bytes));
        }
    }
    files
}

/// What a vault holds: ids with versions and passwords, their earlier versions, its key slots and
/// what opens it, its settings, how far a rotation is, and how many writes there were.
pub(crate) type State = BTreeMap<String, (u64, Vec<u8>)>;

/// A directory to lay images out in.
pub(crate) struct Stage {
    directory: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { directory: directory() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Lays out these files and no others.
    pub(crate) fn lay_out(&self, files: &Files) {
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let entry = entry.unwrap();
            if !files.contains_key(&*entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        for (name, bytes) in files {
            fs::write(self.path(name), bytes).unwrap();
            set_private(&self.path(name));
        }
    }

    /// The disk as it is now, all synced.
    pub(crate) fn disk(&self) -> Disk {
        Disk::of(&files_in(self.directory.path()))
    }
}

fn set_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The vault's contents, read and verified through the ordinary interface, and the first of these
/// keys that opens it; `None` if there is no vault.
pub(crate) fn contents(path: &Path, keys: &[KeySource]) -> Result<Option<State>, Error> {
    let Some((key, vault)) = opened(path, keys)? else { return Ok(None) };
    let mut state = state(&vault)?;
    state.insert(format!("opened by key {key}"), (0, Vec::new()));
    let found = vault.verify(&|_, _| {})?;
    match found.damaged.first() {
        None => Ok(Some(state)),
        Some(damage) => {
            Err(Error::Corrupt { what: damage.table.to_owned(), reason: damage.reason.clone() })
        }
    }
}

fn opened(path: &Path, keys: &[KeySource]) -> Result<Option<(usize, Vault)>, Error> {
    let mut locked = Ok(None);
    for (number, key) in keys.iter().enumerate() {
        match Vault::open(path, &Options::new(), std::slice::from_ref(key)) {
            Ok(vault) => return Ok(Some((number, vault))),
            Err(Error::VaultNotFound { .. }) => return Ok(None),
            Err(error @ Error::Locked { .. }) => locked = Err(error),
            Err(error) => return Err(error),
        }
    }
    locked
}

/// The contents of an open vault, from one snapshot.
fn state(vault: &Vault) -> Result<State, Error> {
    let slots = vault.slots()?;
    let info = vault.info()?;
    let rotation = info.rotation;
    vault.read(|snapshot| {
        let slot = |slot: &credb::Slot| (format!("slot {}", slot.number), (0, Vec::new()));
        let mut state: State = slots.iter().map(slot).collect();
        if rotation != RotationState::Complete {
            state.insert(format!("rotation {rotation:?}"), (0, Vec::new()));
        }
        // Each write makes another state, also one that only renews what cannot be seen.
        state.insert("writes".to_owned(), (info.generation, Vec::new()));
        for metadata in snapshot.list(&Query::all())? {
            let credential = snapshot.get(&metadata.id)?;
            let value = (metadata.version, credential.password.expose().to_vec());
            state.insert(metadata.id.to_string(), value);
            if let Some(pending) = credential.pending {
                let value = (metadata.version, pending.password.expose().to_vec());
                state.insert(format!("pending for {}", metadata.id), value);
            }
        }
        for name in
            ["a", "b", "id0", "id2", "id3", "id9", "n", "new", "old0", "old1", "old2", "old3"]
        {
            let earlier = match snapshot.history(&id(name)) {
                Err(Error::NotFound { .. }) => continue,
                earlier => earlier?,
            };
            for earlier in earlier {
                let (credential, how) = (earlier.credential, earlier.replacement);
                let key = format!("{name} at {}, {how}", credential.metadata.version);
                state.insert(key, (0, credential.password.expose().to_vec()));
            }
        }
        let keep = snapshot.config()?.history_keep as u64;
        state.insert("history.keep".to_owned(), (keep, Vec::new()));
        Ok(state)
    })
}

/// An id that the tests use.
pub(crate) fn id(text: &str) -> CredentialId {
    CredentialId::new(text).unwrap()
}
