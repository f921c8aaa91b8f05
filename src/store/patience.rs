//! How long a call waits for other processes: a budget that every wait of the call draws on.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::Error;

/// The first pause between two tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_micros(50);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// How long the engine's own locks are tried for even when the time is used up: they are held for
/// moments, also by readers, and giving up on one in the middle of a commit leaves it half done.
const MOMENT: Duration = Duration::from_millis(250);

/// The wait of an engine that closes outside of any call.
const UNATTENDED: Duration = Duration::from_secs(1);

thread_local! {
    /// The budget of the call that runs on this thread. The engine takes its locks on the
    /// calling thread, through a backend that many threads share.
    static CURRENT: RefCell<Option<Arc<Budget>>> = const { RefCell::new(None) };
}

/// Where the budgets of a handle's calls come from.
#[derive(Debug, Clone)]
pub(crate) enum Patience {
    /// Each call may wait this long.
    EachCall(PathBuf, Duration),
    /// All calls draw on one budget.
    InAll(Arc<Budget>),
}

impl Patience {
    pub(crate) fn each_call(path: PathBuf, limit: Duration) -> Self {
        Self::EachCall(path, limit)
    }

    pub(crate) fn in_all(path: PathBuf, limit: Duration) -> Self {
        Self::InAll(Arc::new(Budget::new(path, limit)))
    }

    pub(super) fn budget(&self) -> Arc<Budget> {
        match self {
            Self::EachCall(path, limit) => Arc::new(Budget::new(path.clone(), *limit)),
            Self::InAll(budget) => Arc::clone(budget),
        }
    }

    /// Gives the one budget of all calls this much time, whatever was used of it.
    pub(super) fn renew(&self, limit: Duration) {
        if let Self::InAll(budget) = self {
            *budget.time.lock() = Time { limit, left: limit };
        }
    }
}

/// The time that may still be waited.
#[derive(Debug)]
pub(crate) struct Budget {
    path: PathBuf,
    time: Mutex<Time>,
}

#[derive(Debug, Clone, Copy)]
struct Time {
    limit: Duration,
    left: Duration,
}

impl Budget {
    fn new(path: PathBuf, limit: Duration) -> Self {
        Self { path, time: Mutex::new(Time { limit, left: limit }) }
    }

    /// The time left.
    pub(super) fn left(&self) -> Duration {
        self.time.lock().left
    }

    /// Runs `wait` with the time left and takes off what it used.
    pub(super) fn spend<T>(&self, wait: impl FnOnce(Duration) -> T) -> T {
        let started = Instant::now();
        let result = wait(self.left());
        let mut time = self.time.lock();
        time.left = time.left.saturating_sub(started.elapsed());
        result
    }

    /// Tries now, and again with growing pauses until it succeeds or the time is used up.
    ///
    /// # Errors
    ///
    /// Those of `attempt`, and that of running out of time.
    pub(super) fn poll<T, E: From<OutOfTime>>(
        &self,
        attempt: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<T, E> {
        self.poll_for(Duration::ZERO, attempt)
    }

    /// As [`Self::poll`], but goes on for a moment when the time is used up.
    ///
    /// # Errors
    ///
    /// Those of [`Self::poll`].
    pub(super) fn poll_moment<T, E: From<OutOfTime>>(
        &self,
        attempt: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<T, E> {
        self.poll_for(MOMENT, attempt)
    }

    fn poll_for<T, E: From<OutOfTime>>(
        &self,
        least: Duration,
        mut attempt: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<T, E> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(value) = attempt()? {
                return Ok(value);
            }
            let left = self.left().max(least.saturating_sub(started.elapsed()));
            if left.is_zero() {
                return Err(E::from(OutOfTime));
            }
            self.spend(|_| std::thread::sleep(pause.min(left)));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Runs a call on this thread with this budget for the waits of the engine's backend.
    pub(super) fn enter<T>(self: &Arc<Self>, call: impl FnOnce() -> T) -> T {
        struct Restore(Option<Arc<Budget>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(Arc::clone(self))));
        call()
    }

    /// The budget of the call on this thread.
    pub(super) fn current() -> Arc<Self> {
        let current = CURRENT.with_borrow(Clone::clone);
        current.unwrap_or_else(|| Arc::new(Self::new(PathBuf::new(), UNATTENDED)))
    }

    /// The error when the time is used up.
    pub(super) fn exhausted(&self) -> Error {
        Error::Busy { path: self.path.clone(), waited: self.time.lock().limit }
    }
}

/// The budget is used up.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutOfTime;

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(limit: Duration) -> Arc<Budget> {
        Arc::new(Budget::new(PathBuf::from("v"), limit))
    }

    impl From<OutOfTime> for &'static str {
        fn from(_: OutOfTime) -> Self {
            "out of time"
        }
    }

    #[test]
    fn no_time_means_one_try() {
        let mut tries = 0;
        let result: Result<(), &str> = budget(Duration::ZERO).poll(|| {
            tries += 1;
            Ok(None)
        });
        assert_eq!((result, tries), (Err("out of time"), 1));
    }

    #[test]
    fn waits_of_one_call_add_up() {
        let budget = budget(Duration::from_millis(30));
        let result: Result<(), &str> = budget.poll(|| Ok(None));
        assert_eq!(result, Err("out of time"));
        assert_eq!(budget.left(), Duration::ZERO);
        let mut tries = 0;
        let again: Result<(), &str> = budget.poll(|| {
            tries += 1;
            Ok(None)
        });
        assert_eq!((again, tries), (Err("out of time"), 1));
    }

    #[test]
    fn time_that_was_used_comes_back_when_it_is_renewed() {
        let short = Duration::from_millis(1);
        let patience = Patience::in_all(PathBuf::from("v"), short);
        let used: Result<(), &str> = patience.budget().poll(|| Ok(None));
        assert_eq!((used, patience.budget().left()), (Err("out of time"), Duration::ZERO));
        patience.renew(Duration::from_secs(5));
        assert_eq!(patience.budget().left(), Duration::from_secs(5));
    }

    #[test]
    fn the_engine_finds_the_budget_of_its_call() {
        let outer = budget(Duration::from_secs(5));
        outer.enter(|| assert!(Arc::ptr_eq(&Budget::current(), &outer)));
        assert_eq!(Budget::current().left(), UNATTENDED);
    }
}
