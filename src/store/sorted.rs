//! Changes of a transaction, held back and made in the order of their keys.
//!
//! Keys look random: a large transaction that changed rows as they come would visit all pages of
//! a file again and again, more of them than the engine keeps in memory. In the order of the keys
//! each page is visited once.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use smallvec::SmallVec;

use super::ahead::Ahead;
use super::{Later, ReadRows, Table, VisitWhile, WriteRows};
use crate::error::Result;

/// The most bytes that are held back: enough for a batch of 100,000 small credentials.
const MOST_HELD: usize = 256 * 1_048_576;

/// What a row that is held back takes beside its bytes, about.
const EACH: usize = 128;

/// A row's key, in one piece with its neighbours: those of epochs have at most 28 bytes.
type Key = SmallVec<[u8; 28]>;

/// What becomes of a row.
enum Change {
    Removed,
    Value(Vec<u8>),
    Later(Arc<dyn Later>),
}

impl Change {
    /// The row's new value, or none.
    fn value(&self, table: Table) -> Option<&[u8]> {
        match self {
            Self::Removed => None,
            Self::Value(value) => Some(value),
            Self::Later(later) => Some(later.value(table)),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Removed => 0,
            Self::Value(value) => value.len(),
            Self::Later(later) => later.size(),
        }
    }

    fn later(&self) -> Option<&Arc<dyn Later>> {
        match self {
            Self::Later(later) => Some(later),
            _ => None,
        }
    }
}

/// Changes that are not made yet, in front of the rows they change.
pub(super) struct Sorted<'a> {
    rows: &'a mut dyn WriteRows,
    /// All tables in one: the rows of a credential stand side by side.
    held: BTreeMap<(Key, Table), Change>,
    ahead: Ahead,
    bytes: usize,
    most: usize,
}

impl<'a> Sorted<'a> {
    pub(super) fn new(rows: &'a mut dyn WriteRows) -> Self {
        Self { rows, held: BTreeMap::new(), ahead: Ahead::default(), bytes: 0, most: MOST_HELD }
    }

    fn hold(&mut self, table: Table, key: &[u8], change: Change) {
        self.bytes += key.len() + change.size() + EACH;
        if let Some(former) = self.held.insert((Key::from_slice(key), table), change) {
            self.bytes -= key.len() + former.size() + EACH;
        }
    }

    fn change(&mut self, table: Table, key: &[u8], change: Change) -> Result<()> {
        self.hold(table, key, change);
        self.settle_beyond()
    }

    /// Makes all changes if too many are held back.
    fn settle_beyond(&mut self) -> Result<()> {
        if self.bytes > self.most { self.settle() } else { Ok(()) }
    }

    fn held(&self, table: Table, key: &[u8]) -> Option<&Change> {
        self.held.get(&(Key::from_slice(key), table))
    }

    /// The changes of a table's rows whose keys begin with `prefix`.
    fn held_below<'s>(
        &'s self,
        table: Table,
        prefix: &'s [u8],
    ) -> impl Iterator<Item = (&'s Key, &'s Change)> {
        let first = Bound::Included((Key::from_slice(prefix), Table::ALL[0]));
        self.held
            .range((first, Bound::Unbounded))
            .take_while(move |((key, _), _)| key.starts_with(prefix))
            .filter(move |((_, own), _)| *own == table)
            .map(|((key, _), change)| (key, change))
    }
}

impl ReadRows for Sorted<'_> {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.held(table, key) {
            Some(change) => Ok(change.value(table).map(<[u8]>::to_vec)),
            None => self.rows.row(table, key),
        }
    }

    fn check_way(&self, table: Table, key: &[u8]) -> Result<()> {
        self.rows.check_way(table, key)
    }

    fn rows_while(&self, table: Table, prefix: &[u8], visit: VisitWhile<'_>) -> Result<()> {
        let mut held = self.held_below(table, prefix).peekable();
        let mut flow = ControlFlow::Continue(());
        self.rows.rows_while(table, prefix, &mut |key, value| {
            flow = before(&mut held, (table, key), visit)?;
            if flow.is_continue() {
                let changed = held.next_if(|(own, _)| own.as_slice() == key);
                let value = changed.map_or(Some(value), |(_, change)| change.value(table));
                if let Some(value) = value {
                    flow = visit(key, value)?;
                }
            }
            Ok(flow)
        })?;
        for (key, change) in held {
            if flow.is_break() {
                break;
            }
            if let Some(value) = change.value(table) {
                flow = visit(key, value)?;
            }
        }
        Ok(())
    }
}

/// Visits the rows that are held back and come before `key`.
fn before<'s>(
    held: &mut Peekable<impl Iterator<Item = (&'s Key, &'s Change)>>,
    (table, key): (Table, &[u8]),
    visit: VisitWhile<'_>,
) -> Result<ControlFlow<()>> {
    while let Some((own, change)) = held.next_if(|(own, _)| own.as_slice() < key) {
        if let Some(value) = change.value(table)
            && visit(own, value)?.is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

impl WriteRows for Sorted<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<()> {
        self.change(table, key, Change::Value(value.to_vec()))
    }

    fn put_later(&mut self, tables: &[Table], key: &[u8], values: Arc<dyn Later>) -> Result<()> {
        self.ahead.make(&values);
        for table in tables {
            self.hold(*table, key, Change::Later(Arc::clone(&values)));
        }
        self.settle_beyond()
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<()> {
        self.change(table, key, Change::Removed)
    }

    fn settle(&mut self) -> Result<()> {
        self.bytes = 0;
        let held = std::mem::take(&mut self.held);
        self.ahead.follow(held.values().map(Change::later));
        for (position, ((key, table), change)) in held.into_iter().enumerate() {
            self.ahead.reach(position);
            match change.value(table) {
                Some(value) => self.rows.put(table, &key, value)?,
                None => self.rows.delete(table, &key)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows in memory, with the order in which they were changed.
    #[derive(Default)]
    struct Plain {
        rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
        changed: Vec<(Table, Vec<u8>)>,
    }

    impl ReadRows for Plain {
        fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
            Ok(self.rows.get(&(table, key.to_vec())).cloned())
        }

        fn check_way(&self, _: Table, _: &[u8]) -> Result<()> {
            Ok(())
        }

        fn rows_while(&self, table: Table, prefix: &[u8], visit: VisitWhile<'_>) -> Result<()> {
            for ((own, key), value) in &self.rows {
                let is_wanted = *own == table && key.starts_with(prefix);
                if is_wanted && visit(key, value)?.is_break() {
                    break;
                }
            }
            Ok(())
        }
    }

    impl WriteRows for Plain {
        fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<()> {
            self.changed.push((table, key.to_vec()));
            self.rows.insert((table, key.to_vec()), value.to_vec());
            Ok(())
        }

        fn delete(&mut self, table: Table, key: &[u8]) -> Result<()> {
            self.changed.push((table, key.to_vec()));
            self.rows.remove(&(table, key.to_vec()));
            Ok(())
        }
    }

    /// A value that is there already.
    struct Made(Vec<u8>);

    impl Later for Made {
        fn make(&self) {}

        fn is_made(&self) -> bool {
            true
        }

        fn value(&self, _: Table) -> &[u8] {
            &self.0
        }

        fn size(&self) -> usize {
            self.0.len()
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(Table, Vec<u8>, Vec<u8>),
        PutLater(Table, Vec<u8>, Vec<u8>),
        Delete(Table, Vec<u8>),
        Row(Table, Vec<u8>),
        Rows(Table, Vec<u8>, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let table = || prop_oneof![Just(Table::Records), Just(Table::Index)];
        let key = || prop::collection::vec(0..3_u8, 0..4);
        prop_oneof![
            4 => (table(), key(), prop::collection::vec(any::<u8>(), 0..4))
                .prop_map(|(table, key, value)| Step::Put(table, key, value)),
            2 => (table(), key(), prop::collection::vec(any::<u8>(), 0..4))
                .prop_map(|(table, key, value)| Step::PutLater(table, key, value)),
            2 => (table(), key()).prop_map(|(table, key)| Step::Delete(table, key)),
            1 => (table(), key()).prop_map(|(table, key)| Step::Row(table, key)),
            2 => (table(), key(), 1..9_usize)
                .prop_map(|(table, prefix, most)| Step::Rows(table, prefix, most)),
        ]
    }

    /// The first rows of a prefix, no more than `most`.
    fn first(
        rows: &dyn ReadRows,
        table: Table,
        prefix: &[u8],
        most: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut first = Vec::new();
        rows.rows_while(table, prefix, &mut |key, value| {
            assert!(first.len() < most, "visited after it broke off");
            first.push((key.to_vec(), value.to_vec()));
            let is_enough = first.len() == most;
            Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
        first
    }

    proptest! {
        /// Fails if a read does not see a change that is held back, or sees it in another order.
        #[test]
        fn what_is_held_back_reads_as_if_it_were_done(
            before in prop::collection::vec(step(), 0..20),
            steps in prop::collection::vec(step(), 0..40),
            most in prop_oneof![Just(MOST_HELD), Just(4 * EACH)],
        ) {
            let (mut done, mut below) = (Plain::default(), Plain::default());
            for step in before {
                if let Step::Put(table, key, value) = step {
                    done.put(table, &key, &value).unwrap();
                    below.put(table, &key, &value).unwrap();
                }
            }
            let mut sorted = Sorted { most, ..Sorted::new(&mut below) };
            for step in steps {
                match step {
                    Step::Put(table, key, value) => {
                        done.put(table, &key, &value).unwrap();
                        sorted.put(table, &key, &value).unwrap();
                    }
                    Step::PutLater(table, key, value) => {
                        done.put(table, &key, &value).unwrap();
                        sorted.put_later(&[table], &key, Arc::new(Made(value))).unwrap();
                    }
                    Step::Delete(table, key) => {
                        done.delete(table, &key).unwrap();
                        sorted.delete(table, &key).unwrap();
                    }
                    Step::Row(table, key) => prop_assert_eq!(
                        sorted.row(table, &key).unwrap(),
                        done.row(table, &key).unwrap()
                    ),
                    Step::Rows(table, prefix, most) => prop_assert_eq!(
                        first(&sorted, table, &prefix, most),
                        first(&done, table, &prefix, most)
                    ),
                }
            }
            sorted.settle().unwrap();
            prop_assert_eq!(below.rows, done.rows);
        }
    }

    #[test]
    fn changes_are_made_once_for_each_row_and_in_the_order_of_the_keys() {
        let mut below = Plain::default();
        let mut sorted = Sorted::new(&mut below);
        for key in [b"c", b"a", b"b", b"a"] {
            sorted.put(Table::Index, key, b"i").unwrap();
            sorted.put(Table::Records, key, b"r").unwrap();
        }
        sorted.delete(Table::Records, b"b").unwrap();
        sorted.settle().unwrap();
        let expected: Vec<(Table, Vec<u8>)> = [b"a", b"b", b"c"]
            .into_iter()
            .flat_map(|key| [Table::Records, Table::Index].map(|table| (table, key.to_vec())))
            .collect();
        assert_eq!(below.changed, expected);
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let mut below = Plain::default();
        let mut sorted = Sorted { most: 10 * (EACH + 8), ..Sorted::new(&mut below) };
        for number in 0..25_u32 {
            sorted.put(Table::Index, &number.to_be_bytes(), &[0; 4]).unwrap();
            // The same row again takes no more room.
            sorted.put(Table::Index, &number.to_be_bytes(), &[1; 4]).unwrap();
            assert!(sorted.bytes <= sorted.most);
        }
        assert_eq!(below.changed.len(), 22, "twice eleven of 25");
    }
}
