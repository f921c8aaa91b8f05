//! What a vault should hold: credentials by id, and the earlier versions of each.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use credb::{Condition, Lineage, Purge};

use super::IDS;

/// What a credential should be. Kept after removal for its version.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    pub(super) present: bool,
    pub(super) password: String,
    pub(super) username: String,
    pub(super) version: u64,
    /// The password that is to take the place of the present one, or was at the removal.
    pub(super) pending: Option<String>,
    /// Which credential it is: an id can be that of several, one after the other.
    number: u32,
    /// What was before, by version.
    earlier: BTreeMap<u64, Earlier>,
}

/// An earlier version: of which credential, its password and its user name.
#[derive(Debug, Clone)]
struct Earlier {
    number: u32,
    password: String,
    username: String,
}

/// An earlier version as `history` shows it: its number, whose it is, password and user name.
pub(super) type Shown = (u64, Lineage, String, String);

impl Expected {
    fn same_content(&self, other: &Self) -> bool {
        (&self.password, &self.username) == (&other.password, &other.username)
    }

    /// Keeps what is about to be replaced.
    fn keep(&mut self, keep: usize) {
        self.earlier.insert(self.version, self.as_earlier());
        self.trim(keep);
    }

    fn as_earlier(&self) -> Earlier {
        let (password, username) = (self.password.clone(), self.username.clone());
        Earlier { number: self.number, password, username }
    }

    fn trim(&mut self, keep: usize) {
        while self.earlier.len() > keep {
            self.earlier.pop_first();
        }
    }
}

/// What becomes of the credential under the old id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Old {
    Removed,
    Kept,
}

#[derive(Clone)]
pub(super) struct Model {
    ids: BTreeMap<&'static str, Expected>,
    keep: usize,
    /// How many credentials there were.
    credentials: u32,
}

impl Model {
    pub(super) fn new(keep: usize) -> Self {
        Self { ids: BTreeMap::new(), keep, credentials: 0 }
    }

    pub(super) fn version(&self, id: usize) -> u64 {
        self.present(id).map_or(0, |expected| expected.version)
    }

    pub(super) fn present(&self, id: usize) -> Option<&Expected> {
        self.ids.get(IDS[id]).filter(|expected| expected.present)
    }

    /// Whether the id was ever used, and not purged since.
    pub(super) fn knows(&self, id: usize) -> bool {
        self.ids.contains_key(IDS[id])
    }

    pub(super) fn holds(&self, id: usize, condition: Condition) -> bool {
        match condition {
            Condition::Always => true,
            Condition::IfAbsent => self.version(id) == 0,
            Condition::IfVersion(version) => self.version(id) == version,
        }
    }

    pub(super) fn list(&self) -> Vec<(String, u64)> {
        let present = self.ids.iter().filter(|(_, expected)| expected.present);
        present.map(|(id, expected)| ((*id).to_owned(), expected.version)).collect()
    }

    /// The newest first.
    pub(super) fn history(&self, id: usize) -> Option<Vec<Shown>> {
        let expected = self.ids.get(IDS[id])?;
        let shown = |(version, earlier): (&u64, &Earlier)| {
            let own = earlier.number == expected.number;
            let lineage = if own { Lineage::Own } else { Lineage::Other };
            (*version, lineage, earlier.password.clone(), earlier.username.clone())
        };
        Some(expected.earlier.iter().rev().map(shown).collect())
    }

    /// The earlier versions of this credential under other ids: these and their versions.
    pub(super) fn left_behind(&self, id: usize) -> Vec<(&'static str, u64)> {
        let Some(expected) = self.ids.get(IDS[id]) else { return Vec::new() };
        let others = self.ids.iter().filter(|(other, _)| **other != IDS[id]);
        let rows = others.flat_map(|(other, there)| {
            there.earlier.iter().rev().map(|(version, earlier)| (*other, *version, earlier.number))
        });
        rows.filter(|row| row.2 == expected.number).map(|row| (row.0, row.1)).collect()
    }

    /// The number of a credential that was not there before.
    fn next(&mut self) -> u32 {
        self.credentials += 1;
        self.credentials
    }

    /// The next version, in which this is done to the credential; what it replaces is kept.
    fn change(&mut self, id: usize, change: impl FnOnce(&mut Expected)) {
        let keep = self.keep;
        let expected = self.ids.entry(IDS[id]).or_default();
        expected.keep(keep);
        change(expected);
        expected.version += 1;
    }

    /// The next version, in which this is done to what is not its content: nothing is kept.
    fn step(&mut self, id: usize, step: impl FnOnce(&mut Expected)) {
        let expected = self.ids.entry(IDS[id]).or_default();
        step(expected);
        expected.version += 1;
    }

    /// Whether a password can be made to wait.
    pub(super) fn prepare(&mut self, id: usize, password: &str) -> bool {
        let is_free =
            self.present(id).is_some_and(|now| now.pending.is_none() && now.password != password);
        if is_free {
            self.step(id, |expected| expected.pending = Some(password.to_owned()));
        }
        is_free
    }

    /// Whether there was a password that waited; it is the present one now.
    pub(super) fn accept(&mut self, id: usize) -> bool {
        let pending = self.present(id).and_then(|now| now.pending.clone());
        let is_pending = pending.is_some();
        if let Some(password) = pending {
            self.change(id, |expected| {
                (expected.password, expected.pending) = (password, None);
            });
        }
        is_pending
    }

    /// Whether there was a password that waited; it is forgotten.
    pub(super) fn abandon(&mut self, id: usize) -> bool {
        let is_pending = self.present(id).is_some_and(|now| now.pending.is_some());
        if is_pending {
            self.step(id, |expected| expected.pending = None);
        }
        is_pending
    }

    /// The rows of all histories.
    pub(super) fn rows(&self) -> u64 {
        self.ids.values().map(|expected| expected.earlier.len() as u64).sum()
    }

    /// Whether it was created and whether anything changed.
    pub(super) fn set(
        &mut self,
        id: usize,
        password: Option<&str>,
        username: Option<&str>,
    ) -> (bool, bool) {
        let (keep, next) = (self.keep, self.next());
        let new = || Expected { number: next, ..Expected::default() };
        let expected = self.ids.entry(IDS[id]).or_insert_with(new);
        let created = !expected.present;
        let mut after = expected.clone();
        if created {
            (after.password, after.username, after.pending) = Default::default();
        }
        password.unwrap_or(&after.password.clone()).clone_into(&mut after.password);
        username.unwrap_or(&after.username.clone()).clone_into(&mut after.username);
        let changed = created || !after.same_content(expected);
        if changed {
            if !created {
                expected.keep(keep);
            }
            let earlier = std::mem::take(&mut expected.earlier);
            *expected = Expected { present: true, version: after.version + 1, earlier, ..after };
        }
        (created, changed)
    }

    pub(super) fn remove(&mut self, id: usize) {
        let keep = self.keep;
        if let Some(expected) = self.ids.get_mut(IDS[id]).filter(|expected| expected.present) {
            expected.keep(keep);
            expected.present = false;
        }
    }

    /// Which version it goes back to, and whether that changes anything.
    pub(super) fn undo(&mut self, id: usize, to: Option<u64>) -> Option<(u64, bool)> {
        let expected = self.ids.get(IDS[id])?;
        if let Some(to) = to.filter(|to| expected.present && *to == expected.version) {
            return Some((to, false));
        }
        let differs = |earlier: &Earlier| {
            let Earlier { password, username, .. } = earlier;
            !expected.present || (password, username) != (&expected.password, &expected.username)
        };
        let (to, content) = match to {
            Some(to) => (to, expected.earlier.get(&to)?),
            None => expected
                .earlier
                .iter()
                .rev()
                .find(|(_, earlier)| earlier.number == expected.number && differs(earlier))
                .map(|(version, earlier)| (*version, earlier))?,
        };
        let Earlier { password, username, .. } = content.clone();
        // A rotation goes on, also one that a removal cut short; none that is over comes back.
        let goes_on = expected.present || to == expected.version;
        let pending = expected.pending.clone().filter(|_| goes_on);
        let (_, changed) = self.set(id, Some(&password), Some(&username));
        self.ids.entry(IDS[id]).or_default().pending = pending;
        Some((to, changed))
    }

    /// How many versions are forgotten.
    pub(super) fn purge(&mut self, id: usize, what: Purge) -> Option<usize> {
        let expected = self.ids.get_mut(IDS[id])?;
        let versions = std::mem::take(&mut expected.earlier).len();
        if what == Purge::All {
            self.ids.remove(IDS[id]);
        }
        Some(versions)
    }

    /// Whether renaming or copying this credential changes anything.
    pub(super) fn move_to(&mut self, from: usize, to: usize, old: Old, source: &Expected) -> bool {
        let next = self.next();
        let new = || Expected { number: next, ..Expected::default() };
        let mut target = self.ids.get(IDS[to]).cloned().unwrap_or_else(new);
        let same = target.present && target.same_content(source);
        if from == to || (same && old == Old::Kept) {
            return false;
        }
        if target.present {
            target.keep(self.keep);
        }
        let mut last = target.version;
        if old == Old::Removed {
            last = last.max(source.version);
            self.carry(from, source, &mut target);
        }
        let number = if old == Old::Removed { source.number } else { target.number };
        let earlier = target.earlier;
        let version = last + 1;
        // A copy is a credential of its own: what waits, waits for the other one.
        let pending = source.pending.clone().filter(|_| old == Old::Removed);
        let moved = Expected { present: true, version, number, earlier, pending, ..source.clone() };
        self.ids.insert(IDS[to], moved);
        true
    }

    /// Takes the earlier versions along, but for those whose number is taken.
    fn carry(&mut self, from: usize, source: &Expected, target: &mut Expected) {
        let next = self.next();
        let Some(left) = self.ids.get_mut(IDS[from]) else { return };
        // What is added there later is another credential.
        (left.present, left.pending, left.number) = (false, None, next);
        let mut moving = std::mem::take(&mut left.earlier);
        moving.insert(source.version, source.as_earlier());
        for (version, content) in moving {
            match target.earlier.entry(version) {
                Entry::Vacant(free) => {
                    free.insert(content);
                }
                Entry::Occupied(_) if version == source.version => {}
                Entry::Occupied(_) => drop(left.earlier.insert(version, content)),
            }
        }
        target.trim(self.keep);
    }
}
