//! A temporary directory with a home, a data directory and a configuration directory of its own,
//! in which the program runs without seeing anything of the machine around it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Call;

/// Where one test runs. Removed when dropped.
pub(crate) struct Sandbox {
    // Canonical, since messages name canonical paths.
    root: PathBuf,
    _dir: TempDir,
}

impl Sandbox {
    /// An empty home; no vault yet.
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().expect("temporary directory");
        let root = dir.path().canonicalize().expect("canonical path");
        for name in ["home", "data", "config"] {
            fs::create_dir(root.join(name)).expect("directory of the sandbox");
        }
        Self { root, _dir: dir }
    }

    /// With a vault under the machine key.
    pub(crate) fn with_vault() -> Self {
        let sandbox = Self::new();
        sandbox.init();
        sandbox
    }

    /// With a vault that holds these ids, each with the password `secret of ID`.
    pub(crate) fn with_ids(ids: &[&str]) -> Self {
        let sandbox = Self::with_vault();
        for id in ids {
            sandbox.put(id, &format!("secret of {id}"));
        }
        sandbox
    }

    /// Makes the default vault.
    #[track_caller]
    pub(crate) fn init(&self) {
        self.credb(["init"]).run().ok();
    }

    /// Stores a password.
    #[track_caller]
    pub(crate) fn put(&self, id: &str, password: &str) {
        self.credb(["set", "--id", id, "--password-stdin", "--exact"]).stdin(password).run().ok();
    }

    /// The stored password.
    #[track_caller]
    pub(crate) fn password(&self, id: &str) -> String {
        self.credb(["get", "--id", id, "--field", "password", "--raw"]).run().ok().text()
    }

    /// The stored version.
    #[track_caller]
    pub(crate) fn version(&self, id: &str) -> u64 {
        let credential = self.credb(["get", "--id", id, "--json"]).run().ok().json();
        credential["version"].as_u64().expect("a version")
    }

    /// What stands for the state of the vault: it changes with each change of a credential.
    #[track_caller]
    pub(crate) fn state_token(&self) -> String {
        let report = self.credb(["verify", "--json"]).run().ok().json();
        report["state_token"].as_str().expect("a state token").to_owned()
    }

    /// A call of the program with these arguments.
    pub(crate) fn credb<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Call {
        Call::new(Path::new(env!("CARGO_BIN_EXE_credb")), &self.root).args(arguments)
    }

    /// A shell script in which `credb` is the program.
    pub(crate) fn shell(&self, script: &str) -> Call {
        Call::new(Path::new("/bin/sh"), &self.root).args(["-c", script])
    }

    /// A path inside the sandbox.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// The same as text, for arguments and messages.
    pub(crate) fn path_text(&self, name: impl AsRef<Path>) -> String {
        self.path(name).into_os_string().into_string().expect("a temporary path in UTF-8")
    }

    /// Where the default vault is.
    pub(crate) fn vault(&self) -> PathBuf {
        self.path("data/credb/default.redb")
    }

    /// Where the machine secret is.
    pub(crate) fn machine_key(&self) -> PathBuf {
        self.path("config/credb/machine.key")
    }

    /// Writes a file of mode 0600 and gives its path as text.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).expect("write a file");
        self.set_mode(name, 0o600);
        self.path_text(name)
    }

    /// Sets the mode of something in the sandbox.
    pub(crate) fn set_mode(&self, name: impl AsRef<Path>, mode: u32) {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path(name), permissions).expect("change a mode");
    }

    /// The bytes of the default vault.
    pub(crate) fn vault_bytes(&self) -> Vec<u8> {
        fs::read(self.vault()).expect("read the vault")
    }

    /// Every file of the sandbox with its bytes, to compare before and after.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect_files(&self.root, &mut files);
        files.sort();
        files
    }

    /// The names of all files, without the turnstile's, which holds nothing.
    pub(crate) fn file_names(&self) -> Vec<PathBuf> {
        let names = self.files().into_iter().map(|(path, _)| path);
        names.filter(|path| path.extension() != Some(OsStr::new("lock"))).collect()
    }
}

fn collect_files(dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).expect("read a directory") {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            collect_files(&path, files);
        } else {
            let bytes = fs::read(&path).expect("read a file");
            files.push((path, bytes));
        }
    }
}

/// The permission bits of a file or directory.
pub(crate) fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o7777
}
