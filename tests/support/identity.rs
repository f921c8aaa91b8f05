//! Runs a call as another user, which needs root, or a user namespace where the tests are not
//! run by root.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::Sandbox;

/// A user id with no entry in the password database.
const UNKNOWN_USER: u32 = 54_321;

/// Somebody to run as.
pub(crate) struct Identity {
    user: u32,
    namespace: bool,
}

impl Identity {
    /// Effective user id 0.
    pub(crate) fn root() -> Option<Self> {
        Self::of(0)
    }

    /// Some user with an entry in the password database who is not root.
    pub(crate) fn known_user() -> Option<Self> {
        let own = rustix::process::geteuid().as_raw();
        Self::of(if own == 0 { 65_534 } else { own })
    }

    /// A user who has no entry in the password database.
    pub(crate) fn unknown_user() -> Option<Self> {
        Self::of(UNKNOWN_USER)
    }

    /// `None`, saying so, where this machine does not let us.
    #[expect(clippy::print_stderr, reason = "a test that checks nothing should not look as if")]
    fn of(user: u32) -> Option<Self> {
        let own = rustix::process::geteuid();
        let identity = Self { user, namespace: !own.is_root() };
        let works = own.as_raw() == user
            || Command::new(identity.program())
                .args(identity.arguments())
                .arg("true")
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
        if !works {
            eprintln!("skipped: this machine does not let the tests run as user {user}");
        }
        works.then_some(identity)
    }

    /// The home directory that the password database gives.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let passwd = fs::read_to_string("/etc/passwd").ok()?;
        let entries = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let user = self.user.to_string();
        let entry = entries.into_iter().find(|entry| entry.get(2) == Some(&user.as_str()))?;
        entry.get(5).map(PathBuf::from)
    }

    /// Gives all of a sandbox to this user.
    pub(crate) fn owns(&self, sandbox: &Sandbox) {
        if self.namespace {
            return;
        }
        for name in [".", "home", "data", "config"] {
            chown(sandbox.path(name), Some(self.user), Some(self.user)).expect("change an owner");
        }
    }

    pub(super) fn program(&self) -> &Path {
        Path::new(if self.namespace { "unshare" } else { "setpriv" })
    }

    pub(super) fn arguments(&self) -> Vec<OsString> {
        let user = self.user;
        let arguments = if self.namespace {
            vec!["--user".to_owned(), format!("--map-user={user}"), "--".to_owned()]
        } else {
            vec![
                format!("--reuid={user}"),
                format!("--regid={user}"),
                "--clear-groups".to_owned(),
                "--".to_owned(),
            ]
        };
        arguments.into_iter().map(OsString::from).collect()
    }

    /// The program where this user can reach it: build directories may be closed to others.
    pub(super) fn reachable(&self, program: PathBuf) -> PathBuf {
        static COPY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
        if self.namespace || program != Path::new(env!("CARGO_BIN_EXE_credb")) {
            return program;
        }
        let (_, copy) = COPY.get_or_init(|| {
            let dir = TempDir::new().expect("temporary directory");
            let copy = dir.path().join("credb");
            fs::copy(&program, &copy).expect("copy the program");
            for path in [dir.path(), copy.as_path()] {
                fs::set_permissions(path, fs::Permissions::from_mode(0o755))
                    .expect("change a mode");
            }
            (dir, copy)
        });
        copy.clone()
    }
}
