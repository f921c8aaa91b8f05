//! One call of the program as data: arguments, a clean environment, standard input, identity.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Identity, Outcome, Running};

/// A call that has not started yet.
#[derive(Clone)]
pub(crate) struct Call {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: BTreeMap<OsString, OsString>,
    pub(super) directory: PathBuf,
    pub(super) timeout: Duration,
    stdin: Option<Vec<u8>>,
}

impl Call {
    /// A program in a sandbox's environment. The data and configuration directories are set,
    /// since the tests may run as root, whose default ones are the machine's.
    pub(super) fn new(program: &Path, root: &Path) -> Self {
        let call = Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            directory: root.to_owned(),
            timeout: Duration::from_secs(60),
            stdin: None,
        };
        call.env("PATH", path_with_program())
            .env("HOME", root.join("home"))
            .env("XDG_DATA_HOME", root.join("data"))
            .env("XDG_CONFIG_HOME", root.join("config"))
            .env("TZ", "UTC")
    }

    /// Further arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.into(), value.as_ref().to_owned());
        self
    }

    /// Takes a variable away.
    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.environment.remove(OsStr::new(name));
        self
    }

    /// What it reads; without this, nothing.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// The working directory, instead of the sandbox's root.
    pub(crate) fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.directory);
        self
    }

    /// How long it may take before it is killed and the test fails.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs as somebody else.
    pub(crate) fn identity(mut self, identity: &Identity) -> Self {
        let own = std::mem::replace(&mut self.program, identity.program().to_owned());
        let mut arguments = identity.arguments();
        arguments.push(identity.reachable(own).into());
        arguments.append(&mut self.arguments);
        self.arguments = arguments;
        self
    }

    /// Runs with this much address space, in bytes.
    pub(crate) fn address_space(mut self, bytes: u64) -> Self {
        let own = std::mem::replace(&mut self.program, "/bin/sh".into());
        let script = format!("ulimit -v {} && exec \"$0\" \"$@\"", bytes / 1_024);
        self.arguments.splice(0..0, ["-c".into(), script.into(), own.into_os_string()]);
        self
    }

    /// Starts it and waits for its end.
    #[track_caller]
    pub(crate) fn run(&self) -> Outcome {
        self.spawn().wait()
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn spawn(&self) -> Running {
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut command = self.command();
        command.stdin(stdin).stderr(Stdio::piped());
        let child = command.spawn().expect("start the program");
        Running::new(child, self.to_string(), self.stdin.clone(), self.timeout)
    }
}

impl Call {
    /// Starts it with its input open and nobody at its errors.
    #[track_caller]
    pub(super) fn start_open(&self) -> Child {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        command.spawn().expect("start the program")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // A group of its own under a parent of another: one without such a parent, as under some
        // CI runners, ignores the signals of job control.
        command.process_group(0);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory)
            .stdout(Stdio::piped());
        command
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.program.file_name().unwrap_or_default();
        write!(formatter, "{}", name.display())?;
        for argument in &self.arguments {
            write!(formatter, " {}", argument.display())?;
        }
        Ok(())
    }
}

/// The machine's `PATH` with the directory of the program in front.
fn path_with_program() -> OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_credb"));
    let own = program.parent().expect("directory of the program").to_owned();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(own).chain(std::env::split_paths(&inherited));
    std::env::join_paths(directories).expect("a search path")
}
