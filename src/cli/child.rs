//! Commands that credb starts and waits for: bounded in time and in what they print, in a process
//! group of their own, which ends with them where they do not end by themselves.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use zeroize::Zeroizing;

use super::input::grow;
use super::interrupts::Interrupts;
use super::process;

/// How long a command that was asked to end may take until it is killed.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// The longest time between two looks at a command.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// ENOEXEC of execve(2).
const NO_PROGRAM: i32 = Errno::NOEXEC.raw_os_error();

/// What a command may do.
pub(crate) struct Bounds {
    /// How long it may run.
    pub(crate) time: Duration,
    /// How many bytes it may print; without a number its output goes to stderr.
    pub(crate) output: Option<usize>,
    /// Whether it has the standard input of this process.
    pub(crate) stdin: bool,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself, well, after printing this.
    Done(Zeroizing<Vec<u8>>),
    /// By itself, with this code: its own, or that of a shell for a signal that ended it.
    Failed(u8),
    /// It was ended, since it ran for too long.
    TimedOut,
    /// It was ended, since it printed too much.
    TooMuch,
    /// It was ended, since this signal asked this process to stop.
    Interrupted(u8),
    /// It could not be started; the code is that of a shell.
    NotStarted(io::Error, u8),
}

/// Runs a command to its end and collects what it prints.
pub(crate) fn run(mut command: Command, bounds: &Bounds) -> io::Result<End> {
    // Before it is started, so that no signal is missed.
    let interrupts = Interrupts::watch()?;
    // Reading a terminal from a group in the background would stop it.
    let on_terminal = bounds.stdin && io::IsTerminal::is_terminal(&io::stdin());
    let start = |command: &mut Command| {
        command.stdin(if bounds.stdin { Stdio::inherit() } else { Stdio::null() });
        command.stdout(if bounds.output.is_some() {
            Stdio::piped()
        } else {
            Stdio::from(io::stderr().as_fd().try_clone_to_owned()?)
        });
        if !on_terminal {
            command.process_group(0);
        }
        command.spawn()
    };
    process::allow_core_dumps();
    let started = start(&mut command).or_else(|error| match script(&command) {
        Some(mut script) if error.raw_os_error() == Some(NO_PROGRAM) => start(&mut script),
        _ => Err(error),
    });
    process::forbid_core_dumps();
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            return Ok(End::NotStarted(error, code));
        }
    };
    Started { child, interrupts, grouped: !on_terminal }.finish(bounds)
}

/// A command from the words of a command line.
pub(crate) fn command(words: Vec<OsString>) -> Option<Command> {
    let mut words = words.into_iter();
    let mut command = Command::new(words.next()?);
    command.args(words);
    Some(command)
}

/// The same command if its file is neither a program nor begins with `#!`: a shell reads it, as
/// execvp(3) has it and so `run`.
fn script(command: &Command) -> Option<Command> {
    let mut shell = Command::new("/bin/sh");
    shell.arg(found(command.get_program())?).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Some(shell)
}

/// Where a command is found, never to be taken for an option.
fn found(program: &OsStr) -> Option<PathBuf> {
    let path = if program.as_bytes().contains(&b'/') {
        program.into()
    } else {
        let directories = env::var_os("PATH")?;
        let mut paths = env::split_paths(&directories).map(|directory| directory.join(program));
        paths.find(|path| path.is_file() && access(path, Access::EXEC_OK).is_ok())?
    };
    let is_option = path.as_os_str().as_bytes().starts_with(b"-");
    Some(if is_option { Path::new(".").join(path) } else { path })
}

/// A command that runs. Ended when dropped before its end.
struct Started {
    child: Child,
    interrupts: Interrupts,
    grouped: bool,
}

impl Started {
    fn finish(mut self, bounds: &Bounds) -> io::Result<End> {
        let until = Instant::now() + bounds.time;
        let mut stdout = self.child.stdout.take();
        let mut printed = Zeroizing::new(Vec::new());
        loop {
            if stdout.is_none()
                && let Some(status) = self.child.try_wait()?
            {
                let code = code(status);
                return Ok(if code == 0 { End::Done(printed) } else { End::Failed(code) });
            }
            if let Some(signal) = self.interrupts.signal() {
                return self.end(Signal::from_named_raw(signal.into()), End::Interrupted(signal));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.end(Some(Signal::TERM), End::TimedOut);
            }
            let nap = left.min(LONGEST_NAP);
            if let Some(pipe) = &mut stdout {
                let [ready] = self.interrupts.wait([(pipe.as_fd(), PollFlags::IN)], nap)?;
                if ready && !read(pipe, &mut printed)? {
                    stdout = None;
                }
            } else {
                self.interrupts.wait([], nap)?;
            }
            if bounds.output.is_some_and(|largest| printed.len() > largest) {
                return self.end(Some(Signal::TERM), End::TooMuch);
            }
        }
    }

    /// Asks the command to end, and kills what is left of it and its children.
    fn end(&mut self, signal: Option<Signal>, end: End) -> io::Result<End> {
        self.send(signal.unwrap_or(Signal::TERM));
        // A stopped one could not hear it.
        self.send(Signal::CONT);
        let until = Instant::now() + LAST_WORDS;
        while !self.has_ended()? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.interrupts.wait([], left.min(LONGEST_NAP))?;
        }
        self.kill();
        Ok(end)
    }

    /// Whether the command has ended. It keeps its number, which so stays that of its group.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.child)), options)?.is_some())
    }

    fn kill(&mut self) {
        // The group outlives its leader while there are others in it.
        self.send(Signal::KILL);
        let _ = self.child.wait();
    }

    /// A group or process that is gone needs no signal.
    fn send(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        let _ =
            if self.grouped { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

/// Reads what is there; whether there may be more.
fn read(pipe: &mut ChildStdout, printed: &mut Zeroizing<Vec<u8>>) -> io::Result<bool> {
    let mut chunk = Zeroizing::new([0; 16 << 10]);
    match pipe.read(&mut chunk[..]) {
        Ok(0) => Ok(false),
        Ok(count) => {
            grow(printed, count);
            printed.extend_from_slice(&chunk[..count]);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

/// The exit code as a shell gives it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
