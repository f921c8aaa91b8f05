//! A disk that loses power: what a record of writes can leave behind.
//!
//! What was synced is there. Of what was not, any part may be: each write and each change of a
//! length for itself, whole, lost, or torn at sectors whose other half may hold garbage. Entries
//! of directories come in the order they were made, as journalling file systems keep them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use credb::simulate::{Event, Inode};

use crate::random::Random;

/// Names and contents.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The disk after some events of a record.
#[derive(Clone)]
pub(crate) struct Disk {
    contents: HashMap<Inode, Contents>,
    entries: BTreeMap<String, Inode>,
    pending: Vec<Entry>,
}

#[derive(Clone, Default)]
struct Contents {
    synced: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

#[derive(Clone)]
enum Entry {
    Link { file: Inode, name: String },
    Rename { file: Inode, from: String, to: String },
}

/// What becomes of one change that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Whole,
    /// Only some sectors of this many bytes; the random number says which, and with what else.
    Torn {
        sector: usize,
        seed: u64,
    },
}

/// What becomes of everything that was not synced.
#[derive(Debug, Clone)]
pub(crate) struct Loss {
    /// So many of the directory's pending entries are kept.
    pub(crate) entries: usize,
    /// One for each pending change of a file that is no draft, by the order of their inodes.
    pub(crate) changes: Vec<Fate>,
}

impl Disk {
    /// A disk with these files, all synced. Their inodes are those of the files in `base`.
    pub(crate) fn of(files: &BTreeMap<String, (Inode, Vec<u8>)>) -> Self {
        let contents = files.values().map(|(inode, bytes)| {
            (*inode, Contents { synced: bytes.clone(), pending: Vec::new() })
        });
        let entries = files.iter().map(|(name, (inode, _))| (name.clone(), *inode));
        Self { contents: contents.collect(), entries: entries.collect(), pending: Vec::new() }
    }

    /// Does what the event says.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Write { file, offset, data } => {
                let offset = usize::try_from(*offset).unwrap();
                self.pending_of(*file).push(Change::Write { offset, data: data.clone() });
            }
            Event::SetLength { file, length } => {
                let length = usize::try_from(*length).unwrap();
                self.pending_of(*file).push(Change::Length(length));
            }
            Event::Sync { file } => {
                let contents = self.contents.entry(*file).or_default();
                for change in std::mem::take(&mut contents.pending) {
                    change.apply(&mut contents.synced, Fate::Whole);
                }
            }
            Event::Link { file, path } => {
                self.pending.push(Entry::Link { file: *file, name: name(path) });
            }
            Event::Rename { file, from, to } => {
                let (from, to) = (name(from), name(to));
                self.pending.push(Entry::Rename { file: *file, from, to });
            }
            Event::SyncDirectory { .. } => {
                for entry in std::mem::take(&mut self.pending) {
                    entry.apply(&mut self.entries);
                }
            }
        }
    }

    fn pending_of(&mut self, file: Inode) -> &mut Vec<Change> {
        &mut self.contents.entry(file).or_default().pending
    }

    /// How many changes of files that somebody would look at are not synced.
    pub(crate) fn pending_changes(&self) -> usize {
        self.seen().iter().map(|inode| self.contents[inode].pending.len()).sum()
    }

    /// The files that have a name of their own or are about to have one, in the order of their
    /// inodes. What a draft holds nobody asks.
    fn seen(&self) -> BTreeSet<Inode> {
        let names = self.entries.iter().map(|(name, inode)| (name, *inode));
        let pending = self.pending.iter().map(|entry| match entry {
            Entry::Link { file, name } => (name, *file),
            Entry::Rename { file, to, .. } => (to, *file),
        });
        let seen = names.chain(pending).filter(|(name, _)| !is_draft(name));
        seen.map(|(_, inode)| inode).filter(|inode| self.contents.contains_key(inode)).collect()
    }

    /// How many directory entries are not synced.
    pub(crate) fn pending_entries(&self) -> usize {
        self.pending.len()
    }

    /// The files after a loss of power; drafts are empty.
    pub(crate) fn after(&self, loss: &Loss) -> Files {
        let mut entries = self.entries.clone();
        for entry in &self.pending[..loss.entries] {
            entry.apply(&mut entries);
        }
        let mut fates = loss.changes.iter().copied();
        let mut bytes: HashMap<Inode, Vec<u8>> = HashMap::new();
        for inode in self.seen() {
            let contents = &self.contents[&inode];
            let mut image = contents.synced.clone();
            for change in &contents.pending {
                change.apply(&mut image, fates.next().unwrap_or(Fate::Lost));
            }
            bytes.insert(inode, image);
        }
        let file = |inode| bytes.get(inode).cloned().unwrap_or_default();
        entries.iter().map(|(name, inode)| (name.clone(), file(inode))).collect()
    }
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>, fate: Fate) {
        match (self, fate) {
            (_, Fate::Lost) => {}
            (Self::Length(length), _) => image.resize(*length, 0),
            (Self::Write { offset, data }, Fate::Whole) => put(image, *offset, data),
            (Self::Write { offset, data }, Fate::Torn { sector, seed }) => {
                let mut random = Random::new(seed);
                // Sectors lie on the disk's grid, not on the write's.
                let mut start = 0;
                while start < data.len() {
                    let end = ((offset + start) / sector + 1) * sector - offset;
                    let end = end.min(data.len());
                    // Bytes that were not written share no fate with those that were ("powersafe
                    // overwrite", which redb relies on): only a sector that the write covers as
                    // a whole can come to hold garbage.
                    let garbage = end - start == sector;
                    match random.below(4) {
                        0 | 1 => put(image, offset + start, &data[start..end]),
                        3 if garbage => put(image, offset + start, &random.bytes(sector)),
                        _ => {}
                    }
                    start = end;
                }
            }
        }
    }
}

fn put(image: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(data);
}

impl Entry {
    fn apply(&self, entries: &mut BTreeMap<String, Inode>) {
        match self {
            Self::Link { file, name } => drop(entries.insert(name.clone(), *file)),
            Self::Rename { file, from, to } => {
                entries.remove(from);
                entries.insert(to.clone(), *file);
            }
        }
    }
}

/// Whether the name is one under which files are made before they have their own.
fn is_draft(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".credb-draft")
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: u64, data: &[u8]) -> Event {
        Event::Write { file: 1, offset, data: data.to_vec() }
    }

    fn disk() -> Disk {
        Disk::of(&BTreeMap::from([("v".to_owned(), (1, b"old old ".to_vec()))]))
    }

    #[test]
    fn what_is_synced_stays_and_the_rest_is_as_it_is_told() {
        let mut disk = disk();
        disk.apply(&write(0, b"new"));
        disk.apply(&Event::Sync { file: 1 });
        disk.apply(&write(4, b"new"));
        disk.apply(&Event::SetLength { file: 1, length: 7 });
        let after = |changes: &[Fate]| {
            let loss = Loss { entries: 0, changes: changes.to_vec() };
            disk.after(&loss)["v"].clone()
        };
        assert_eq!(after(&[Fate::Lost, Fate::Lost]), b"new old ");
        assert_eq!(after(&[Fate::Whole, Fate::Lost]), b"new new ");
        assert_eq!(after(&[Fate::Whole, Fate::Whole]), b"new new");
    }

    #[test]
    fn entries_come_in_their_order() {
        let mut disk = disk();
        disk.apply(&Event::Link { file: 2, path: "d/t".into() });
        disk.apply(&Event::Rename { file: 2, from: "d/t".into(), to: "d/v".into() });
        let names = |entries| -> Vec<String> {
            disk.after(&Loss { entries, changes: Vec::new() }).into_keys().collect()
        };
        assert_eq!(names(0), ["v"]);
        assert_eq!(names(1), ["t", "v"]);
        assert_eq!(names(2), ["v"]);
    }

    #[test]
    fn a_torn_write_leaves_whole_sectors() {
        let mut disk = disk();
        disk.apply(&write(0, &[b'n'; 2_048]));
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let fate = Fate::Torn { sector: 512, seed };
            let image = &disk.after(&Loss { entries: 0, changes: vec![fate] })["v"];
            for sector in image.chunks(512) {
                let new = sector.iter().all(|byte| *byte == b'n');
                kinds.insert(if new { "new" } else { "other" });
            }
        }
        assert_eq!(kinds.len(), 2);
    }
}
