//! Checks the way to a row: that each page on it is as it was written.
//!
//! redb's reads and writes believe its pages. One that was damaged, or put in the place of another,
//! can hide a row, which no row can authenticate; and a change on it would give it a checksum as
//! if it were whole. But each page has a checksum in the page above it, and so up to the header.
//! This goes the way from there to where a row is or would be and compares them; redb itself does
//! so only when it repairs or checks a whole file. The layout is that of redb 4.6, file format 3
//! (its docs/design.md, and the sources in `tree_store/`).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;

use twox_hash::XxHash3_128;

use super::header::Header;
use crate::store::Table;
use crate::store::leaf::{Leaf, read_at};

/// What the way to a row is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All as it was written.
    Intact,
    /// A page on it is not.
    Damaged,
    /// Others changed the file each time it was gone.
    Unsettled,
}

/// How often the way is gone again because somebody committed meanwhile.
const ATTEMPTS: u32 = 100;

/// No tree is deeper.
const DEPTH: u32 = 128;

/// The most branches that are kept.
const KEPT: usize = 4_096;

/// The most bytes of a branch page.
const LARGEST_BRANCH: usize = 4 * 1_048_576;

/// A file whose last committed state is looked at without the engine.
pub(super) struct Pages<'a> {
    file: &'a File,
    /// The state that was looked at last.
    state: RefCell<Option<State>>,
}

impl<'a> Pages<'a> {
    pub(super) fn of(file: &'a File) -> Self {
        Self { file, state: RefCell::new(None) }
    }

    /// Goes the way to a row of a table, which is there or not. Pages are looked at once for each
    /// state, as long as nobody else commits.
    ///
    /// # Errors
    ///
    /// Those of reading the file.
    pub(super) fn check(&self, table: Table, key: &[u8]) -> io::Result<Way> {
        let mut known = self.state.borrow_mut();
        for _ in 0..ATTEMPTS {
            let mut state = match known.take() {
                Some(state) => state,
                None => State::read(self.file)?,
            };
            let way = match state.check(self.file, table, key) {
                Ok(()) => Way::Intact,
                Err(Fault::Damaged) => Way::Damaged,
                Err(Fault::Io(error)) => return Err(error),
            };
            // A page may have been used again since, but not before the header has changed.
            if way == Way::Intact || Header::read(self.file)? == state.header {
                *known = Some(state);
                return Ok(way);
            }
        }
        Ok(Way::Unsettled)
    }
}

/// Why a way cannot be gone.
enum Fault {
    Damaged,
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A page as the one above it knows it.
#[derive(Clone, Copy)]
struct Child {
    number: u64,
    checksum: u128,
}

/// One committed state.
struct State {
    header: Header,
    length: u64,
    /// The roots of the tables that were asked for; a table without rows has none.
    roots: BTreeMap<Table, Option<Child>>,
    /// Branches that are as they were written, by their numbers.
    branches: HashMap<u64, Vec<u8>>,
    /// The numbers of leaves that are as they were written.
    leaves: HashSet<u64>,
}

impl State {
    fn read(file: &File) -> io::Result<Self> {
        Ok(Self {
            header: Header::read(file)?,
            length: file.metadata()?.len(),
            roots: BTreeMap::new(),
            branches: HashMap::new(),
            leaves: HashSet::new(),
        })
    }

    fn check(&mut self, file: &File, table: Table, key: &[u8]) -> Result<(), Fault> {
        let Some(root) = self.root(file, table)? else { return Ok(()) };
        let leaf = self.leaf_of(file, root, key)?;
        if !self.leaves.contains(&leaf.number) {
            self.leaf(file, leaf)?;
            self.leaves.insert(leaf.number);
        }
        Ok(())
    }

    /// The root of a table; one without rows has none. A vault has all its tables from the start.
    fn root(&mut self, file: &File, table: Table) -> Result<Option<Child>, Fault> {
        if let Some(root) = self.roots.get(&table) {
            return Ok(*root);
        }
        let tables = self.tables().ok_or(Fault::Damaged)?;
        let definition = self.find(file, tables, table.name().as_bytes())?.ok_or(Fault::Damaged)?;
        // Type and number of rows, whether there is a root, the root.
        let root = match definition.get(9).ok_or(Fault::Damaged)? {
            0 => None,
            _ => Some(child(&definition, 10).ok_or(Fault::Damaged)?),
        };
        self.roots.insert(table, root);
        Ok(root)
    }

    /// The root of the table of tables in the commit slot that counts.
    fn tables(&self) -> Option<Child> {
        const PRIMARY: u8 = 1;
        const UNFLUSHED: u8 = 8;
        let Header(header) = &self.header;
        let flags = header[9];
        // Until the primary slot is known to be on the disk, the other one counts.
        let second = (flags & PRIMARY != 0) != (flags & UNFLUSHED != 0);
        let slot = &header[if second { 192.. } else { 64.. }][..128];
        let is_intact = u128_at(slot, 112)? == XxHash3_128::oneshot(&slot[..112]);
        (is_intact && slot[1] != 0).then(|| child(slot, 8))?
    }

    /// Looks a key up below a page.
    fn find(&mut self, file: &File, root: Child, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let leaf = self.leaf_of(file, root, key)?;
        let leaf = self.leaf(file, leaf)?;
        let row = leaf.rows().find(|(own, _)| *own == key);
        Ok(row.map(|(_, value)| value.to_vec()))
    }

    /// The page below all branches on the way to a key; it should be a leaf.
    fn leaf_of(&mut self, file: &File, mut child: Child, key: &[u8]) -> Result<Child, Fault> {
        for _ in 0..DEPTH {
            if !self.branches.contains_key(&child.number) {
                let start = self.address(child.number).ok_or(Fault::Damaged)?;
                let Some(branch) = branch(file, start)? else { return Ok(child) };
                if XxHash3_128::oneshot(&branch) != child.checksum {
                    return Err(Fault::Damaged);
                }
                if self.branches.len() >= KEPT {
                    self.branches.clear();
                }
                self.branches.insert(child.number, branch);
            }
            child = next(&self.branches[&child.number], key).ok_or(Fault::Damaged)?;
        }
        Err(Fault::Damaged)
    }

    /// The leaf, as it was written.
    fn leaf(&self, file: &File, child: Child) -> Result<Leaf, Fault> {
        let start = self.address(child.number).ok_or(Fault::Damaged)?;
        let leaf = Leaf::read(file, start, self.length)?.ok_or(Fault::Damaged)?;
        let is_intact = XxHash3_128::oneshot(leaf.bytes()) == child.checksum;
        if is_intact { Ok(leaf) } else { Err(Fault::Damaged) }
    }

    /// Where the page of this number begins.
    fn address(&self, number: u64) -> Option<u64> {
        let header = |at| u32_at(&self.header.0, at).map(u64::from);
        let (page, head, most) = (header(12)?, header(16)?, header(20)?);
        let (order, region) = (number >> 59, number >> 20 & 0xf_ffff);
        let index = number & (0xf_ffff >> order);
        let before = region.checked_mul(head.checked_add(most)?)?.checked_add(head)?;
        let pages = before.checked_add(index.checked_shl(u32::try_from(order).ok()?)?)?;
        let start = pages.checked_add(1)?.checked_mul(page)?;
        (start < self.length).then_some(start)
    }
}

/// The bytes of a branch page up to the end of its last key.
fn branch(file: &File, start: u64) -> io::Result<Option<Vec<u8>>> {
    const BRANCH: u8 = 2;
    let mut bytes = vec![0; 8];
    if !read_at(file, &mut bytes, start)? || bytes[0] != BRANCH {
        return Ok(None);
    }
    let keys = branch_keys(&bytes);
    bytes.resize(ends_of_keys(keys) + 4 * keys, 0);
    if keys == 0 || !read_at(file, &mut bytes, start)? {
        return Ok(None);
    }
    let Some(end) = u32_at(&bytes, bytes.len() - 4).map(|end| end as usize) else {
        return Ok(None);
    };
    if end < bytes.len() || end > LARGEST_BRANCH {
        return Ok(None);
    }
    bytes.resize(end, 0);
    Ok(read_at(file, &mut bytes, start)?.then_some(bytes))
}

/// The child of a branch that a key is below. Its layout: type, unused, number of keys (u16),
/// unused to 8, checksums of the children, their numbers, the ends of the keys (u32), the keys.
/// Each key is at least the greatest one below the child before it.
fn next(branch: &[u8], key: &[u8]) -> Option<Child> {
    let keys = branch_keys(branch);
    let ends = ends_of_keys(keys);
    let mut begin = ends + 4 * keys;
    let mut position = 0;
    while position < keys {
        let end = u32_at(branch, ends + 4 * position)? as usize;
        if key <= branch.get(begin..end)? {
            break;
        }
        (begin, position) = (end, position + 1);
    }
    let number = u64_at(branch, 8 + 16 * (keys + 1) + 8 * position)?;
    Some(Child { number, checksum: u128_at(branch, 8 + 16 * position)? })
}

fn branch_keys(branch: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([branch[2], branch[3]]))
}

fn ends_of_keys(keys: usize) -> usize {
    8 + (16 + 8) * (keys + 1)
}

/// Number and checksum of a page, as a header of a tree has them.
fn child(bytes: &[u8], at: usize) -> Option<Child> {
    Some(Child { number: u64_at(bytes, at)?, checksum: u128_at(bytes, at + 8)? })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u128_at(bytes: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use ::redb::{Database, TableDefinition};

    use super::*;

    const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

    fn key(number: u32) -> Vec<u8> {
        // Even numbers only are there, in an order that is not that of the keys.
        number.wrapping_mul(0x9e37_79b9).to_be_bytes().to_vec()
    }

    fn database(rows: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut builder = Database::builder();
        builder.set_concurrency_mode(::redb::ConcurrencyMode::MultiWriter);
        let database = builder.create(file.path()).unwrap();
        for part in 0..3 {
            let transaction = database.begin_write().unwrap();
            let mut table = transaction.open_table(TABLE).unwrap();
            for number in (0..rows).filter(|number| number % 3 == part) {
                let value = vec![7; number as usize % 900];
                table.insert(key(2 * number).as_slice(), value.as_slice()).unwrap();
            }
            drop(table);
            transaction.commit().unwrap();
        }
        drop(database);
        file
    }

    /// Whether the row is there, as the pages have it.
    fn is_there(file: &File, key: &[u8]) -> Option<bool> {
        let mut state = State::read(file).unwrap();
        match state.root(file, Table::Records).ok()? {
            None => Some(false),
            Some(root) => Some(state.find(file, root, key).ok()?.is_some()),
        }
    }

    #[test]
    fn says_what_the_engine_says_of_trees_of_all_depths() {
        for rows in [0, 1, 10, 3_000, 60_000] {
            let file = database(rows);
            let pages = Pages::of(file.as_file());
            for number in 0..rows.clamp(10, 2_000) {
                let expected = number % 2 == 0 && number / 2 < rows;
                let found = is_there(file.as_file(), &key(number));
                assert_eq!(found, Some(expected), "{number} of {rows}");
                let way = pages.check(Table::Records, &key(number)).unwrap();
                assert_eq!(way, Way::Intact, "{number} of {rows}");
            }
        }
    }

    #[test]
    fn a_changed_byte_on_the_way_is_found() {
        let file = database(3_000);
        let file = file.as_file();
        let check = |number| Pages::of(file).check(Table::Records, &key(number)).unwrap();
        let length = file.metadata().unwrap().len();
        let mut damaged = 0;
        for page in (4_096..length).step_by(4_096) {
            // In the checksums of a branch, in the lengths of a leaf.
            let mut byte = [0];
            file.read_exact_at(&mut byte, page + 9).unwrap();
            file.write_all_at(&[byte[0] ^ 1], page + 9).unwrap();
            damaged += (1..200).filter(|number| check(*number) == Way::Damaged).count();
            file.write_all_at(&byte, page + 9).unwrap();
        }
        // Each key has at least a leaf of its table, a branch and a leaf of the table of tables.
        assert!(damaged >= 3 * 199, "{damaged}");
        assert_eq!(check(1), Way::Intact);
        let missing = Pages::of(file).check(Table::Index, &key(1)).unwrap();
        assert_eq!(missing, Way::Damaged, "no vault lacks a table");
    }
}
