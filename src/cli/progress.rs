//! A sign of life on stderr for what takes longer than a second.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;

/// How long something may take without a sign of life.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows a spinner from one second after its start until it is dropped.
pub(crate) struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// Starts waiting, if progress may be shown at all.
    pub(crate) fn start(output: &Output, what: &'static str) -> Self {
        if !output.shows_progress() {
            return Self(None);
        }
        let (ended, end) = mpsc::channel::<()>();
        let shown = thread::Builder::new().spawn(move || {
            if end.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let spinner = spinner(what);
            // Dropping the sender ends the wait.
            let _ = end.recv();
            spinner.finish_and_clear();
        });
        // Without a thread to spare there is no sign of life.
        Self(shown.ok().map(|shown| (ended, shown)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((ended, shown)) = self.0.take() {
            drop(ended);
            // A spinner that failed has nothing to say.
            let _ = shown.join();
        }
    }
}

fn spinner(what: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}
