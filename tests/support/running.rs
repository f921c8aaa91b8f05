//! A started call: feeds it, collects what it writes, and never waits for it without a limit.

use std::io::{Read, Write};
use std::process::{Child, ExitStatus};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Outcome;

/// How often a running process is looked at.
const POLL: Duration = Duration::from_millis(3);

/// A call that was started. Killed when dropped before its end.
pub(crate) struct Running {
    child: Child,
    command: String,
    started: Instant,
    timeout: Duration,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    pub(super) fn new(
        mut child: Child,
        command: String,
        stdin: Option<Vec<u8>>,
        timeout: Duration,
    ) -> Self {
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), stdin) {
            // A program that fails early closes its end; that is its right.
            thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        Self { child, command, started: Instant::now(), timeout, stdout, stderr }
    }

    /// Waits for its end; past the call's timeout kills it and fails the test.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Outcome {
        loop {
            if let Some(status) = self.child.try_wait().expect("wait for the program") {
                return self.outcome(status);
            }
            if self.started.elapsed() > self.timeout {
                self.child.kill().expect("kill the program");
                let status = self.child.wait().expect("wait for the program");
                let timeout = self.timeout;
                panic!("killed after {timeout:?}\n{}", self.outcome(status));
            }
            thread::sleep(POLL);
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("send a signal");
    }

    /// Waits until it was stopped by a signal. False if it ended instead.
    #[track_caller]
    pub(crate) fn stops(&mut self) -> bool {
        loop {
            if self.has_ended() {
                return false;
            }
            if self.state() == Some('T') {
                return true;
            }
            assert!(self.started.elapsed() < self.timeout, "neither stopped nor ended");
            thread::sleep(POLL);
        }
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("look at the program").is_some()
    }

    /// Waits until it has a file open whose name has this part.
    #[track_caller]
    pub(crate) fn await_open(&self, part: &str) {
        loop {
            let links = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
            let files = links.into_iter().flatten().flatten().map(|link| link.path());
            if files.flat_map(std::fs::read_link).any(|file| file.to_string_lossy().contains(part))
            {
                return;
            }
            assert!(self.started.elapsed() < self.timeout, "{part} was not opened");
            thread::sleep(POLL);
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The state letter of proc(5).
    fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    fn outcome(&mut self, status: ExitStatus) -> Outcome {
        let taken = self.started.elapsed();
        let joined = |reader: Option<JoinHandle<Vec<u8>>>| {
            reader.map(|reader| reader.join().expect("read output")).unwrap_or_default()
        };
        let stdout = joined(self.stdout.take());
        let stderr = joined(self.stderr.take());
        Outcome::new(std::mem::take(&mut self.command), status, stdout, stderr, taken)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came until the failure is worth more than the failure.
        drop(pipe.read_to_end(&mut bytes));
        bytes
    })
}

/// Whether this process, and so each that it starts, ignores a signal: inherited from whoever runs
/// the tests in the background, and no shell can undo it.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("this process's status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    ignored.expect("the signals that are ignored") >> (signal.as_raw() - 1) & 1 == 1
}

/// Whether the process with this number ends within some seconds.
pub(crate) fn is_gone(pid: &str) -> bool {
    (0..1_000).any(|_| {
        thread::sleep(Duration::from_millis(5));
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A zombie waits for whoever adopts it.
        stat.is_empty() || stat.contains(") Z ")
    })
}
