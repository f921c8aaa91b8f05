//! A sign of life on stderr for what takes longer than a second: a bar once it is known how much
//! there is to do, a spinner until then.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::output::Output;

/// How long something may take without a sign of life.
const PATIENCE: Duration = Duration::from_secs(1);

/// The time between two pictures.
const TICK: Duration = Duration::from_millis(120);

const SPINNER: &str = "{spinner} {msg} ({elapsed})";
const BAR: &str = "{spinner} {msg} {wide_bar} {human_pos}/{human_len} ({rate}, {elapsed})";

/// Shows how it goes from one second after its start until it is dropped.
pub(crate) struct Progress {
    count: Arc<Count>,
    shown: Option<(Sender<()>, JoinHandle<()>)>,
}

/// How much is done, and of how much; nothing of nothing until that is known.
#[derive(Default)]
struct Count {
    done: AtomicU64,
    all: AtomicU64,
}

impl Progress {
    /// Starts waiting, if progress may be shown at all.
    pub(crate) fn start(output: &Output, what: &'static str) -> Self {
        let count = Arc::<Count>::default();
        if !output.shows_progress() {
            return Self { count, shown: None };
        }
        let (ended, end) = mpsc::channel::<()>();
        let counted = Arc::clone(&count);
        // Dropping the sender ends the wait.
        let goes_on = move |time| end.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        let shown = thread::Builder::new().spawn(move || {
            if goes_on(PATIENCE) {
                let bar = ProgressBar::new_spinner().with_message(what).with_elapsed(PATIENCE);
                dress(&bar, SPINNER);
                counted.show(&bar);
                while goes_on(TICK) {
                    counted.show(&bar);
                }
                bar.finish_and_clear();
            }
        });
        // Without a thread to spare there is no sign of life.
        Self { count, shown: shown.ok().map(|shown| (ended, shown)) }
    }

    /// Takes note of how much is done, and of how much.
    pub(crate) fn update(&self, done: u64, all: u64) {
        self.count.done.store(done, Ordering::Relaxed);
        self.count.all.store(all, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((ended, shown)) = self.shown.take() {
            drop(ended);
            // A picture that failed has nothing to say.
            let _ = shown.join();
        }
    }
}

impl Count {
    fn show(&self, bar: &ProgressBar) {
        let all = self.all.load(Ordering::Relaxed);
        if all > 0 {
            if bar.length().is_none() {
                dress(bar, BAR);
            }
            bar.set_length(all);
            bar.set_position(self.done.load(Ordering::Relaxed).min(all));
        }
        bar.tick();
    }
}

fn dress(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            // A sign of life that cannot be written is none.
            let _ = write!(out, "{:.0}/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spinner_becomes_a_bar_when_there_is_a_total() {
        let bar = ProgressBar::hidden();
        bar.unset_length();
        let count = Count::default();
        count.show(&bar);
        assert_eq!(bar.length(), None);
        count.all.store(512, Ordering::Relaxed);
        count.done.store(256, Ordering::Relaxed);
        count.show(&bar);
        assert_eq!((bar.length(), bar.position()), (Some(512), 256));
    }
}
