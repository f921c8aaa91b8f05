//! A call that is kept open and asked line by line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Call;

/// The longest wait for an answer or an end, on any machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running call with both ends at hand. Killed when dropped before its end.
pub(crate) struct Coprocess {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// Who it is, for a thread that is to end it.
pub(crate) struct Handle(Pid);

impl Handle {
    /// A file about it in `/proc`, if it may be read.
    pub(crate) fn about(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(format!("/proc/{}/{name}", self.0.as_raw_pid())).ok()
    }

    /// Sends it a signal, if it is there still.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(self.0, signal);
    }
}

impl Coprocess {
    /// Starts it.
    #[track_caller]
    pub(crate) fn start(call: &Call) -> Self {
        let mut child = call.start_open();
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("its output");
        let (sender, lines) = channel();
        thread::spawn(move || {
            let answers = BufReader::new(stdout).lines().map_while(Result::ok);
            answers.map(|line| sender.send(line)).take_while(Result::is_ok).for_each(drop);
        });
        Self { child, stdin, lines }
    }

    /// Who it is.
    pub(crate) fn handle(&self) -> Handle {
        Handle(Pid::from_child(&self.child))
    }

    /// Waits for its end by a signal; whether it left a core dump.
    #[track_caller]
    pub(crate) fn dumps_core(mut self) -> bool {
        assert_eq!(self.try_answer(), None);
        let status = self.child.wait().expect("wait for the coprocess");
        assert!(status.signal().is_some(), "{status}");
        status.core_dumped()
    }

    /// Writes this to it as it is.
    #[track_caller]
    pub(crate) fn send(&mut self, text: &str) {
        self.try_send(text).expect("write to the coprocess");
    }

    /// Its next line.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Value {
        self.try_answer().expect("the coprocess ended")
    }

    /// Sends one line and gives its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        self.send(&format!("{line}\n"));
        self.answer()
    }

    /// The same, or nothing if it has ended.
    #[track_caller]
    pub(crate) fn try_ask(&mut self, line: &str) -> Option<Value> {
        self.try_send(&format!("{line}\n")).ok()?;
        self.try_answer()
    }

    /// Closes its input, after which it ends with this code and says nothing more.
    #[track_caller]
    pub(crate) fn ends(mut self, code: i32) {
        drop(self.stdin.take());
        assert_eq!(self.try_answer(), None);
        let status = self.child.wait().expect("wait for the coprocess");
        assert_eq!(status.code(), Some(code));
    }

    fn try_send(&mut self, text: &str) -> std::io::Result<()> {
        self.stdin.as_mut().expect("its input").write_all(text.as_bytes())
    }

    /// The next line, or nothing at the end of its output.
    #[track_caller]
    fn try_answer(&mut self) -> Option<Value> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(serde_json::from_str(&line).expect("a line of JSON")),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no answer"),
        }
    }
}

impl Drop for Coprocess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
