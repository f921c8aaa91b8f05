//! Makes values of rows in a second thread, ahead of the transaction that will store them.
//!
//! Nothing reads the rows that a large transaction adds before it ends: while it goes on, a
//! second thread makes them. Whoever needs one that is not made yet makes it itself, so that
//! nobody waits for a turn of the other thread, and nothing depends on there being one.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use super::Later;

/// How many values are handed over at once. A transaction with fewer has no second thread.
const GROUP: usize = 64;

/// How many rows the second thread stays ahead of who stores them: if it made the very next one,
/// both would be done with it at the same time, one of them waiting, again and again.
const LEAD: usize = 32;

/// Hands values over to a second thread.
#[derive(Default)]
pub(super) struct Ahead {
    waiting: Vec<Weak<dyn Later>>,
    helper: Option<Helper>,
}

impl Ahead {
    /// Has one more value made, after those before it.
    pub(super) fn make(&mut self, value: &Arc<dyn Later>) {
        self.waiting.push(Arc::downgrade(value));
        if self.waiting.len() < GROUP {
            return;
        }
        if self.helper.is_none() {
            self.helper = Helper::start();
        }
        let group = mem::replace(&mut self.waiting, Vec::with_capacity(GROUP));
        if let Some(helper) = &self.helper {
            helper.take(Work::Group(group));
        }
    }

    /// Has those of these rows' values made that are made later, and forgets others. The rows
    /// will be stored in this order; [`Self::reach`] tells how far that is.
    pub(super) fn follow<'a>(&mut self, rows: impl Iterator<Item = Option<&'a Arc<dyn Later>>>) {
        self.waiting.clear();
        if self.helper.take().is_none() {
            return;
        }
        self.helper = Helper::start();
        if let Some(helper) = &self.helper {
            let left = rows.enumerate().filter_map(|(position, value)| {
                let value = value.filter(|value| !value.is_made())?;
                Some((position, Arc::downgrade(value)))
            });
            helper.take(Work::Course(left.collect()));
        }
    }

    /// The row at this position is about to be stored.
    pub(super) fn reach(&self, position: usize) {
        if let Some(helper) = &self.helper {
            helper.shared.reached.store(position, Ordering::Relaxed);
        }
    }
}

/// Values to make, unless nobody needs them any more.
enum Work {
    Group(Vec<Weak<dyn Later>>),
    /// With the positions of their rows.
    Course(Vec<(usize, Weak<dyn Later>)>),
}

/// A thread that makes values, and ends with the transaction.
struct Helper {
    work: Option<Sender<Work>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    reached: AtomicUsize,
}

impl Helper {
    /// None where there is no processor for it.
    fn start() -> Option<Self> {
        if thread::available_parallelism().is_ok_and(|processors| processors.get() < 2) {
            return None;
        }
        let (work, taken) = channel();
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        let make = move || own.make_all(&taken);
        let thread = thread::Builder::new().name("ahead".to_owned()).spawn(make).ok()?;
        Some(Self { work: Some(work), shared, thread: Some(thread) })
    }

    fn take(&self, work: Work) {
        if let Some(channel) = &self.work {
            // If the helper is gone, whoever needs the values makes them.
            let _ = channel.send(work);
        }
    }
}

impl Shared {
    fn make_all(&self, work: &Receiver<Work>) {
        for work in work {
            match work {
                Work::Group(group) => group.iter().for_each(|value| self.make(value)),
                Work::Course(course) => {
                    for (position, value) in course {
                        if position >= self.reached.load(Ordering::Relaxed) + LEAD {
                            self.make(&value);
                        }
                    }
                }
            }
        }
    }

    fn make(&self, value: &Weak<dyn Later>) {
        if self.is_over.load(Ordering::Relaxed) {
            return;
        }
        if let Some(value) = value.upgrade() {
            value.make();
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        drop(self.work.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::thread::ThreadId;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::store::Table;

    /// Remembers which thread made it.
    #[derive(Default)]
    struct Value(OnceLock<ThreadId>);

    impl Later for Value {
        fn make(&self) {
            self.0.get_or_init(|| thread::current().id());
        }

        fn is_made(&self) -> bool {
            self.0.get().is_some()
        }

        fn value(&self, _: Table) -> &[u8] {
            &[]
        }

        fn size(&self) -> usize {
            0
        }
    }

    fn values(count: usize) -> Vec<Arc<dyn Later>> {
        (0..count).map(|_| Arc::new(Value::default()) as Arc<dyn Later>).collect()
    }

    fn made(values: &[Arc<dyn Later>]) -> usize {
        values.iter().filter(|value| value.is_made()).count()
    }

    fn course(values: &[Arc<dyn Later>]) -> Work {
        Work::Course(values.iter().map(Arc::downgrade).enumerate().collect())
    }

    #[test]
    fn whole_groups_are_made_without_anybody_needing_them() {
        let values = values(3 * GROUP + 1);
        let mut ahead = Ahead::default();
        for value in &values {
            ahead.make(value);
        }
        if ahead.helper.is_none() {
            return;
        }
        let started = Instant::now();
        while made(&values) < 3 * GROUP {
            assert!(started.elapsed() < Duration::from_secs(60), "{} made", made(&values));
            thread::sleep(Duration::from_millis(1));
        }
        drop(ahead);
        assert_eq!(made(&values), 3 * GROUP, "the last one has no group");
    }

    /// Fails if the second thread makes what the first is about to make, or has passed.
    #[test]
    fn rows_are_made_some_way_ahead_of_what_is_reached() {
        let values = values(500);
        let shared = Shared::default();
        shared.reached.store(100, Ordering::Relaxed);
        let (work, taken) = channel();
        work.send(course(&values)).unwrap();
        drop(work);
        shared.make_all(&taken);
        assert_eq!(made(&values[..100 + LEAD]), 0);
        assert_eq!(made(&values[100 + LEAD..]), 400 - LEAD);
    }

    #[test]
    fn nothing_is_made_once_it_is_over_or_nobody_needs_it() {
        let values = values(500);
        let shared = Shared::default();
        let (work, taken) = channel();
        work.send(course(&self::values(500))).unwrap();
        shared.is_over.store(true, Ordering::Relaxed);
        work.send(Work::Group(values.iter().map(Arc::downgrade).collect())).unwrap();
        drop(work);
        shared.make_all(&taken);
        assert_eq!(made(&values), 0);
    }
}
