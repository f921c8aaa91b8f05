//! A file system of its own for a test: small, in memory, and read-only when asked to be.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::Sandbox;

/// Mounted inside a sandbox. Unmounted when dropped.
pub(crate) struct SmallDisk {
    root: PathBuf,
}

impl SmallDisk {
    /// Of so many KiB. `None`, saying so, where this machine does not let us.
    #[expect(clippy::print_stderr, reason = "a test that checks nothing should not look as if")]
    pub(crate) fn mount(sandbox: &Sandbox, kib: u32) -> Option<Self> {
        let root = sandbox.path("disk");
        std::fs::create_dir(&root).expect("a place to mount at");
        let size = format!("size={kib}k,mode=0700");
        if run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs"], &root) {
            return Some(Self { root });
        }
        eprintln!("skipped: this machine does not let the tests mount a file system");
        None
    }

    /// A path on it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Fills it but for this many KiB.
    pub(crate) fn fill(&self, but_kib: usize) {
        let mut filler = File::create(self.path("filler")).expect("create the filler");
        let chunk = [0xff; 1_024];
        while filler.write_all(&chunk).is_ok() {}
        let length = filler.metadata().expect("metadata of the filler").len();
        let rest = length.saturating_sub(but_kib as u64 * 1_024);
        filler.set_len(rest).expect("shorten the filler");
    }

    /// Takes the filler away.
    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.path("filler")).expect("remove the filler");
    }

    /// Makes it read-only.
    pub(crate) fn protect(&self) {
        assert!(run("mount", &["-o", "remount,ro"], &self.root), "cannot remount read-only");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.root);
    }
}

fn run(program: &str, arguments: &[&str], place: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).arg(place).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
