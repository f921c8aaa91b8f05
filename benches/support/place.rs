//! The program in a place of its own, run as whole processes and timed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::figures::{Anything, copied};

/// Where everything lies, the machine's secret included.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    credb: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Anything<Self> {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let credb = copied(Path::new(env!("CARGO_BIN_EXE_credb")), directory.path())?;
        Ok(Self { directory, credb })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A process of the program on this vault, with this input and no answer.
    pub(crate) fn start(&self, vault: &str, arguments: &[&str], input: &str) -> Anything<Child> {
        let mut child = self.command(vault, arguments).stdout(Stdio::null()).spawn()?;
        child.stdin.take().ok_or("stdin")?.write_all(input.as_bytes()).ok();
        Ok(child)
    }

    /// The program on this vault, which is asked by a pipe.
    pub(crate) fn command(&self, vault: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.credb);
        command
            .arg("--vault")
            .arg(self.path(vault))
            .args(arguments)
            .env_clear()
            .env("HOME", self.directory.path())
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .stdin(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    pub(crate) fn run(&self, vault: &str, arguments: &[&str], input: &str) -> Anything<Duration> {
        let started = Instant::now();
        let status = self.start(vault, arguments, input)?.wait()?;
        let took = started.elapsed();
        if status.success() { Ok(took) } else { Err(format!("{arguments:?}: {status}").into()) }
    }

    /// A new vault with this key, opened so, with so many credentials.
    pub(crate) fn fill(
        &self,
        vault: &str,
        key: &[&str],
        opened: &[&str],
        rows: usize,
    ) -> Anything<()> {
        self.run(vault, &[&["init"], key].concat(), "")?;
        self.run(vault, &[&["batch"], opened].concat(), &batch(rows))?;
        Ok(())
    }
}

/// Lines that set so many credentials.
pub(crate) fn batch(rows: usize) -> String {
    let line = |number| {
        format!(r#"{{"op":"set","id":"id{number}","password":"a password of usual length"}}"#)
            + "\n"
    };
    (0..rows).map(line).collect()
}
