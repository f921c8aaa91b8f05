//! Rows of new credentials, sealed beside the work on the next ones.
//!
//! Nothing reads the rows that a large batch adds before it ends: a second thread seals them while
//! the first goes on. Whoever needs a row that is not sealed yet seals it itself, so that nobody
//! waits for the other thread, and nothing depends on there being one.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use super::manifest::Manifest;
use super::unlocked::StateKeys;
use crate::codec::{IndexRow, RecordRow, RecordState};
use crate::credential::Credential;
use crate::keys::{EpochKeys, RowKey};
use crate::seal::random;
use crate::store::{Later, Table};

/// How many credentials are handed over at once. A transaction with fewer has no second thread.
const GROUP: usize = 64;

/// About what each of the two rows takes in memory, sealed or not, beside long texts.
const SMALL: usize = 416;

/// Record and row of the index of a credential, each with its stored bytes, in this order.
pub(super) type Rows = [(Table, Vec<u8>); 2];

/// Seals both rows of a credential in the current epoch.
pub(super) fn seal(keys: &StateKeys, uid: [u8; 16], credential: Credential) -> Rows {
    let (epoch, vault) = (keys.epochs().current(), keys.vault_key().vault());
    let metadata = credential.metadata.clone();
    let (id, version) = (metadata.id.clone(), metadata.version);
    let index = IndexRow { uid, metadata };
    let state = RecordState::Live(Box::new(credential));
    let record = RecordRow { id, uid, version, state };
    let record = epoch.records.seal(&record.encode(vault));
    let index = epoch.index.seal(&index.encode(vault));
    [(Table::Records, record), (Table::Index, index)]
}

/// The rows of a new credential.
pub(super) struct NewRows {
    keys: Arc<StateKeys>,
    key: RowKey,
    size: usize,
    /// What is to be sealed, until it is.
    plain: Mutex<Option<Credential>>,
    sealed: OnceLock<Sealed>,
}

struct Sealed {
    rows: Rows,
    /// What each adds to its table's sum.
    macs: [[u8; 32]; 2],
}

impl NewRows {
    /// Those of a credential of an id that has none, which gets a new random uid.
    pub(super) fn new(keys: &Arc<StateKeys>, key: RowKey, credential: Credential) -> Self {
        let fields = credential.fields.iter().map(|(_, value)| value.len()).sum::<usize>();
        let size = SMALL + credential.password.len() + fields;
        let plain = Mutex::new(Some(credential));
        Self { keys: Arc::clone(keys), key, size, plain, sealed: OnceLock::new() }
    }

    fn epoch(&self) -> &EpochKeys {
        self.keys.epochs().current()
    }

    /// Seals them, unless it is done; a second thread waits for the first.
    fn sealed(&self) -> &Sealed {
        self.sealed.get_or_init(|| {
            #[expect(clippy::expect_used, reason = "taken here alone, and this runs once")]
            let credential = self.plain.lock().take().expect("a credential to seal");
            let rows = seal(&self.keys, *random(), credential);
            let mac = |(table, stored): &(Table, Vec<u8>)| {
                self.epoch().row_mac(table.name(), &self.key, stored)
            };
            let macs = [mac(&rows[0]), mac(&rows[1])];
            Sealed { rows, macs }
        })
    }

    fn sum_up(&self, manifest: &mut Manifest) {
        let Sealed { rows, macs } = self.sealed();
        for ((table, _), mac) in rows.iter().zip(macs) {
            manifest.sum_up(self.epoch().epoch(), *table, mac);
        }
    }
}

impl Later for NewRows {
    fn value(&self, table: Table) -> &[u8] {
        let rows = &self.sealed().rows;
        &rows[usize::from(rows[0].0 != table)].1
    }

    fn size(&self) -> usize {
        self.size
    }
}

/// The new rows of a transaction that the manifest has counted, and not summed up yet.
#[derive(Default)]
pub(super) struct Sealing {
    oldest_first: VecDeque<Arc<NewRows>>,
    waiting: Vec<Weak<NewRows>>,
    helper: Option<Helper>,
}

impl Sealing {
    /// Counts these, and has them sealed.
    pub(super) fn add(&mut self, rows: Arc<NewRows>, manifest: &mut Manifest) {
        let epoch = rows.epoch().epoch();
        manifest.count(epoch, Table::Records);
        manifest.count(epoch, Table::Index);
        self.waiting.push(Arc::downgrade(&rows));
        self.oldest_first.push_back(rows);
        if self.waiting.len() < GROUP {
            return;
        }
        if self.helper.is_none() {
            self.helper = Helper::start();
        }
        let group = mem::replace(&mut self.waiting, Vec::with_capacity(GROUP));
        if let Some(helper) = &self.helper {
            helper.take(group);
        }
        // Those that are sealed need not be remembered any longer.
        while self.oldest_first.front().is_some_and(|rows| rows.sealed.get().is_some()) {
            if let Some(rows) = self.oldest_first.pop_front() {
                rows.sum_up(manifest);
            }
        }
    }

    /// Completes the manifest's sums.
    pub(super) fn sum_up(&mut self, manifest: &mut Manifest) {
        // From the newest on, so as not to meet the helper at each.
        while let Some(rows) = self.oldest_first.pop_back() {
            rows.sum_up(manifest);
        }
    }
}

/// A thread that seals, and ends with the transaction.
struct Helper {
    groups: Option<Sender<Vec<Weak<NewRows>>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    /// None where there is no processor for it.
    fn start() -> Option<Self> {
        if thread::available_parallelism().is_ok_and(|processors| processors.get() < 2) {
            return None;
        }
        let (groups, taken) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let given_up = Arc::clone(&is_over);
        let seal = move || seal_all(&taken, &given_up);
        let thread = thread::Builder::new().name("seal".to_owned()).spawn(seal).ok()?;
        Some(Self { groups: Some(groups), is_over, thread: Some(thread) })
    }

    fn take(&self, group: Vec<Weak<NewRows>>) {
        if let Some(groups) = &self.groups {
            // If the helper is gone, whoever needs the rows seals them.
            let _ = groups.send(group);
        }
    }
}

fn seal_all(groups: &Receiver<Vec<Weak<NewRows>>>, is_over: &AtomicBool) {
    for rows in groups.iter().flatten().filter_map(|rows| rows.upgrade()) {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        rows.sealed();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(self.groups.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
