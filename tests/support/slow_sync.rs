//! A slow disk, one that fails, and a process that stops in the middle of a write: a shim in C that
//! stands before libc's `fsync` and `fdatasync`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::Call;

/// The compiled shim.
pub(crate) struct SlowSync {
    library: PathBuf,
    _dir: TempDir,
}

impl SlowSync {
    /// Compiles it with the machine's C compiler.
    pub(crate) fn build() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/slow_sync.c");
        let dir = TempDir::new().expect("temporary directory");
        let library = dir.path().join("slow_sync.so");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .status()
            .expect("a C compiler called cc");
        assert!(status.success(), "cc failed");
        Self { library, _dir: dir }
    }

    /// Each sync of the call takes this much longer.
    pub(crate) fn slow(&self, call: Call, milliseconds: u32) -> Call {
        call.env("LD_PRELOAD", &self.library).env("CREDB_TEST_SYNC_MS", milliseconds.to_string())
    }

    /// Each sync of a directory fails.
    pub(crate) fn fail_directories(&self, call: Call) -> Call {
        call.env("LD_PRELOAD", &self.library).env("CREDB_TEST_FAIL_DIRECTORIES", "1")
    }

    /// The call stops itself (SIGSTOP) just before its sync of this number, the first being 1.
    pub(crate) fn stop_at(&self, call: Call, sync: u32) -> Call {
        call.env("LD_PRELOAD", &self.library).env("CREDB_TEST_STOP_AT_SYNC", sync.to_string())
    }
}
