//! A rotation of the keys beside writers, readers and listers, killed at random and gone on with.
//!
//!   `CREDB_ROTATE_CREDENTIALS`   how many credentials are in the vault (default 2,000)
//!   `CREDB_ROTATE_SEED`          where it is killed

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use credb::{
    Condition, CredentialId, Edit, Error, KeySource, Options, Query, RotationState, Vault, fuzzing,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Call, Random, Running, Sandbox, values_of_rows};

/// How often the rotation is killed, at the least.
const KILLS: usize = 20;

/// So many of the kills wait for the file to be rebuilt.
const LATE: usize = 4;

/// A kill that comes when all is done does not count; this many in all are enough.
const MOST_TRIES: usize = 60;

/// The ids that are counted up on condition of their versions, and after them those that are
/// set whatever they were. The others are only read.
const COUNTERS: u32 = 10;
const PLAIN: u32 = 10;

/// Would break: a reader that looks into one epoch only, a writer that leaves the older row, a
/// step that moves half a credential, overwrites what was written meanwhile or is begun anew
/// after a kill, a lock or a temporary file that outlives its process, an older epoch's key that
/// is kept, a rebuilt file that takes free pages along.
#[test]
fn killed_under_load_it_loses_nothing_and_leaves_nothing_behind() {
    let (random, _) = Random::from_environment("CREDB_ROTATE_SEED");
    let load = Load::new(size());
    let old = Old::of(&load);
    assert_eq!(old.left(&load), old.pieces.len(), "the search should find what is there");
    let (kills, done) = thread::scope(|scope| {
        let load = &load;
        let stop = Stop(load);
        let counters: Vec<_> = (0..2).map(|_| scope.spawn(|| load.count_up())).collect();
        let plain = scope.spawn(|| load.set());
        let readers = [scope.spawn(|| load.read()), scope.spawn(|| load.list())];
        let kills = load.rotate(random);
        drop(stop);
        let counted: u64 = counters.into_iter().map(|one| one.join().expect("a counter")).sum();
        let plain = plain.join().expect("a writer");
        let listings = readers.map(|one| one.join().expect("a reader"));
        (kills, (counted, plain, listings))
    });
    let (counted, plain, listings) = done;
    let sets: u64 = plain.iter().sum();
    report(&format!(
        "{} credentials: {kills:?}; meanwhile {counted} changes on condition, {sets} others, \
         {listings:?} listings",
        load.count
    ));
    let vault = load.open();
    assert_eq!((0..COUNTERS).map(|id| number(&vault, id).1).sum::<u64>(), counted, "lost updates");
    for (id, value) in (COUNTERS..).zip(plain) {
        assert_eq!(
            number(&vault, id),
            (value + 1, value),
            "id{id}: the last that was acknowledged"
        );
    }
    assert!(counted > 0 && sets > 0 && listings.iter().all(|count| *count > 0));
    assert_eq!(vault.info().expect("info").rotation, RotationState::Complete);
    load.credb(&["verify"]).run().ok();
    assert_eq!(
        values_of_rows(&load.sandbox.vault(), &["epochs"]).len(),
        1,
        "the older key is kept"
    );
    assert_eq!(old.keys.opens(&vault).expect("all rows"), 0, "rows open with the older keys");
    assert_eq!(old.left(&load), 0, "what was sealed under the older key is in a file");
}

/// A vault, what its credentials should be, and those who work with it.
struct Load {
    sandbox: Sandbox,
    count: u32,
    /// Set when the rotation is over.
    done: AtomicBool,
}

/// Ends the work when dropped, also where an assertion failed.
struct Stop<'a>(&'a Load);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Relaxed);
    }
}

/// When the rotation was killed.
#[derive(Debug, Default)]
struct Kills {
    resealing: usize,
    rebuilding: usize,
    /// The rotation was done before the signal came.
    too_late: usize,
}

impl Load {
    /// The password of each credential is its id; the vault opens with either of two keys.
    fn new(count: u32) -> Self {
        let sandbox = Sandbox::with_vault();
        let entries = (0..count)
            .map(|number| json!({"id": format!("id{number}"), "password": format!("id{number}")}));
        let input = sandbox.file("in.json", entries.collect::<Value>().to_string());
        let load = Self { sandbox, count, done: AtomicBool::new(false) };
        load.credb(&["set", "-f", &input]).run().ok();
        let slot = format!("file:{}", load.sandbox.path_text("second.key"));
        load.credb(&["key", "add", &slot]).run().ok();
        load
    }

    fn credb(&self, arguments: &[&str]) -> Call {
        let limit = Duration::from_secs(120 + u64::from(self.count) / 50);
        self.sandbox.credb(arguments).timeout(limit)
    }

    fn open(&self) -> Vault {
        let keys = [KeySource::Machine(self.sandbox.machine_key())];
        Vault::open(&self.sandbox.vault(), &Options::new(), &keys).expect("open the vault")
    }

    fn goes_on(&self) -> bool {
        !self.done.load(Ordering::Relaxed)
    }

    /// Adds one to one counter after the other, unless somebody else was faster; how often.
    fn count_up(&self) -> u64 {
        let vault = self.open();
        let mut added = 0;
        for id in (0..COUNTERS).cycle() {
            if !self.goes_on() {
                break;
            }
            let (version, value) = number(&vault, id);
            let edit = Edit::new().password((value + 1).to_string());
            match vault.set_if(&name(id), &edit, Condition::IfVersion(version)) {
                Ok(_) => added += 1,
                Err(Error::VersionMismatch { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        added
    }

    /// Sets with the program; how often each of its ids, which is also the last value.
    fn set(&self) -> Vec<u64> {
        let mut values = vec![0_u64; PLAIN as usize];
        for (id, value) in (COUNTERS..).zip(&mut values).collect::<Vec<_>>().into_iter().rev() {
            // At least once each, and then for as long as the rotation takes.
            while *value == 0 || (id == COUNTERS && self.goes_on()) {
                let set = ["set", &format!("id{id}"), "--password-stdin", "--json"];
                let call = self.credb(&set).stdin((*value + 1).to_string());
                let written = call.run().ok().json()["version"].as_u64();
                assert_eq!(written, Some(*value + 2), "a lost update of id{id}");
                *value += 1;
            }
        }
        values
    }

    /// Lists and reads through one handle; how often.
    fn read(&self) -> u64 {
        let vault = self.open();
        let mut listings = 0;
        while self.goes_on() || listings == 0 {
            let listed = vault.list(&Query::all()).expect("list");
            assert_eq!(listed.len(), self.count as usize, "an id is missing, or there twice");
            assert!(listed.windows(2).all(|pair| pair[0].id < pair[1].id), "an id is there twice");
            for number in (COUNTERS + PLAIN..self.count).step_by(97) {
                let id = name(number);
                let found = vault.get(&id).expect("get");
                assert_eq!(found.password.expose(), id.as_str().as_bytes());
            }
            listings += 1;
        }
        listings
    }

    /// Lists with the program; how often.
    fn list(&self) -> u64 {
        let mut listings = 0;
        while self.goes_on() || listings == 0 {
            let listed = self.credb(&["list", "--ids"]).run().ok().lines();
            let ids: HashSet<&String> = listed.iter().collect();
            let all = self.count as usize;
            assert_eq!((listed.len(), ids.len()), (all, all), "ids are missing, or there twice");
            listings += 1;
        }
        listings
    }

    /// Rotates and kills it, and does it again with either key, until it may complete.
    fn rotate(&self, mut random: Random) -> Kills {
        let (vault, mut kills) = (self.open(), Kills::default());
        let rows = u64::from(self.count) * 2;
        let mut points: Vec<u64> = (LATE..KILLS).map(|_| random.below(rows)).collect();
        points.sort_unstable();
        let mut points = points.into_iter();
        for _ in 0..MOST_TRIES {
            if kills.resealing + kills.rebuilding >= KILLS {
                break;
            }
            let mut rotating = self.start(&mut random, &["key", "rotate"]).spawn();
            match points.next() {
                Some(moved) => await_rows(&vault, rows - moved, &mut rotating),
                None => self.await_draft(&mut random, &mut rotating),
            }
            // Anywhere in a step, or between two.
            thread::sleep(Duration::from_micros(random.below(30_000)));
            if !rotating.has_ended() {
                rotating.signal(Signal::KILL);
            }
            let outcome = rotating.wait();
            if outcome.signal().is_none() {
                outcome.ok();
                kills.too_late += 1;
            } else if state(&vault) == RotationState::ScrubPending {
                kills.rebuilding += 1;
            } else {
                kills.resealing += 1;
            }
        }
        assert!(kills.resealing + kills.rebuilding >= KILLS, "{kills:?}");
        assert!(kills.rebuilding > 0, "{kills:?}");
        let is_left = state(&vault) != RotationState::Complete;
        let done = self.start(&mut random, &["key", "rotate", "--json"]).run().ok().json();
        assert_eq!(done["resumed"], is_left);
        kills
    }

    /// A call that comes with one of the two keys.
    fn start(&self, random: &mut Random, arguments: &[&str]) -> Call {
        let second = self.sandbox.path_text("second.key");
        let key: &[&str] = if random.below(2) == 0 { &[] } else { &["--key-file", &second] };
        self.credb(arguments).args(key)
    }

    /// Waits until a part of a new file is written.
    fn await_draft(&self, random: &mut Random, rotating: &mut Running) {
        let before = self.drafts();
        let length = fs::metadata(self.sandbox.vault()).expect("the vault").len();
        let part = random.below(length / 8);
        let is_written = || {
            let new = self.drafts().into_iter().filter(|path| !before.contains(path));
            new.filter_map(|path| fs::metadata(path).ok()).any(|draft| draft.len() > part)
        };
        while !rotating.has_ended() && !is_written() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn drafts(&self) -> HashSet<PathBuf> {
        let is_draft = |path: &PathBuf| path.extension().is_some_and(|end| end == "credb-draft");
        self.files().into_iter().filter(is_draft).collect()
    }

    /// The vault's file and what is beside it.
    fn files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.sandbox.path("data/credb")).expect("the vault's directory");
        files.map(|entry| entry.expect("a file").path()).collect()
    }
}

/// What should not be left: the older epoch's keys, and what they sealed.
struct Old {
    keys: fuzzing::Keys,
    /// Of each row the random bytes at its beginning, and the last ones.
    pieces: HashSet<[u8; 16]>,
}

impl Old {
    fn of(load: &Load) -> Self {
        let vault = load.open();
        let keys = fuzzing::Keys::current(&vault).expect("the keys of the epoch");
        let opened = keys.opens(&vault).expect("all rows");
        assert_eq!(opened, u64::from(load.count) * 2, "the keys should open what is there");
        drop(vault);
        let rows = values_of_rows(&load.sandbox.vault(), &["epochs", "records", "index"]);
        let piece = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).expect("16 bytes");
        let pieces = |row: &Vec<u8>| [piece(&row[9..25]), piece(&row[row.len() - 16..])];
        Self { keys, pieces: rows.iter().flat_map(pieces).collect() }
    }

    /// How many pieces are in the vault's file or one beside it.
    fn left(&self, load: &Load) -> usize {
        let mut found = HashSet::new();
        for file in load.files() {
            let bytes = fs::read(file).expect("read a file");
            found.extend(bytes.windows(16).filter_map(|window| self.pieces.get(window).copied()));
        }
        found.len()
    }
}

/// Waits until no more rows than these are left to be moved.
fn await_rows(vault: &Vault, most: u64, rotating: &mut Running) {
    let is_reached = || match state(vault) {
        RotationState::Resealing { rows } => rows <= most,
        RotationState::ScrubPending => true,
        _ => false,
    };
    while !rotating.has_ended() && !is_reached() {
        thread::sleep(Duration::from_millis(1));
    }
}

fn state(vault: &Vault) -> RotationState {
    vault.info().expect("info").rotation
}

/// The version of a credential and its value, 0 if that is still its id.
fn number(vault: &Vault, id: u32) -> (u64, u64) {
    let found = vault.get(&name(id)).expect("get");
    let text = found.password.expose_str().expect("text");
    (found.metadata.version, text.parse().unwrap_or(0))
}

fn name(number: u32) -> CredentialId {
    CredentialId::new(format!("id{number}")).expect("an id")
}

fn size() -> u32 {
    let asked = std::env::var("CREDB_ROTATE_CREDENTIALS");
    asked.map_or(2_000, |text| text.parse().expect("CREDB_ROTATE_CREDENTIALS"))
}

#[expect(clippy::print_stderr, reason = "how much was checked belongs into the test's output")]
fn report(text: &str) {
    eprintln!("{text}");
}
