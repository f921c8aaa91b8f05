//! A call in a pseudo-terminal, driven as by somebody at the keyboard.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

use super::Call;

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program at a terminal.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    screen: Arc<Screen>,
    /// The terminal's modes before the program began.
    modes_before: String,
    /// How much of the screen the test has looked at.
    seen: usize,
}

fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("terminal modes"))
}

/// All that appeared so far.
#[derive(Default)]
struct Screen {
    state: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Terminal {
    /// Starts the call with standard input, output and error at a terminal.
    pub(crate) fn start(call: &Call) -> Self {
        let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("open a pseudo-terminal");
        let mut command = CommandBuilder::new(&call.program);
        command.args(&call.arguments);
        command.env_clear();
        for (name, value) in &call.environment {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        command.cwd(&call.directory);
        let reader = pair.master.try_clone_reader().expect("read the terminal");
        let writer = pair.master.take_writer().expect("write the terminal");
        let modes_before = modes(pair.master.as_ref());
        let child = pair.slave.spawn_command(command).expect("start the program");
        let screen = Arc::new(Screen::default());
        let shown = Arc::clone(&screen);
        thread::spawn(move || shown.fill(reader));
        Self { child, master: pair.master, writer, screen, modes_before, seen: 0 }
    }

    /// Waits until this appears after what was looked at so far.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> &mut Self {
        let found = self.screen.wait_until(|bytes, _| {
            let unseen = &bytes[self.seen..];
            unseen.windows(text.len()).position(|window| window == text.as_bytes())
        });
        let Some(position) = found else {
            panic!("{text:?} did not appear; the terminal shows:\n{}", self.screen.text());
        };
        self.seen += position + text.len();
        self
    }

    /// Types this, `\r` being the return key.
    pub(crate) fn type_text(&mut self, text: &str) -> &mut Self {
        self.writer.write_all(text.as_bytes()).expect("type");
        self.writer.flush().expect("type");
        self
    }

    /// Types Ctrl-C.
    pub(crate) fn interrupt(&mut self) -> &mut Self {
        self.type_text("\u{3}")
    }

    /// Sends the program a signal.
    pub(crate) fn send_signal(&mut self, signal: Signal) -> &mut Self {
        let id = self.child.process_id().and_then(|id| i32::try_from(id).ok());
        let pid = id.and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("send a signal");
        self
    }

    /// The terminal's modes (echo, line editing and so on) in a form that can be compared.
    pub(crate) fn modes(&self) -> String {
        modes(self.master.as_ref())
    }

    /// The modes before the program began.
    pub(crate) fn modes_before(&self) -> String {
        self.modes_before.clone()
    }

    /// All that appeared so far.
    pub(crate) fn screen(&self) -> String {
        self.screen.text()
    }

    /// Waits for the end of the program: its exit code, or none after a signal.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<u32> {
        let status = self.status();
        status.signal().is_none().then(|| status.exit_code())
    }

    /// Waits for the end of the program: its exit code and all that appeared.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (u32, String) {
        let status = self.status();
        let _ = self.screen.wait_until(|_, ended| ended.then_some(()));
        let text = self.screen.text();
        assert_eq!(status.signal(), None, "ended by a signal; the terminal shows:\n{text}");
        (status.exit_code(), text)
    }

    /// The same, and the exit code is this.
    #[track_caller]
    pub(crate) fn ends(self, code: u32) -> String {
        let (actual, text) = self.wait();
        assert_eq!(actual, code, "exit code; the terminal shows:\n{text}");
        text
    }

    #[track_caller]
    fn status(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait for the program") {
                return status;
            }
            if Instant::now() > deadline {
                drop(self.child.kill());
                panic!("did not end; the terminal shows:\n{}", self.screen.text());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Screen {
    fn fill(&self, mut reader: impl Read) {
        let mut buffer = [0; 4_096];
        // A terminal whose last user is gone reads as an error, not as an end.
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            self.update(|state| state.0.extend_from_slice(&buffer[..length]));
        }
        self.update(|state| state.1 = true);
    }

    fn update(&self, change: impl FnOnce(&mut (Vec<u8>, bool))) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Looks after each change until there is an answer; `None` after [`PATIENCE`].
    fn wait_until<T>(&self, look: impl Fn(&[u8], bool) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = look(&state.0, state.1) {
                return Some(answer);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            if state.1 {
                return None;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn text(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&state.0).into_owned()
    }
}
