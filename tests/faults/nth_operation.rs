//! For each operation on the vault's file: what if exactly this read, write, sync, change of
//! length or wait for a lock fails, alone or with all of its kind that follow?

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use credb::simulate::{Fault, Lasting, Operation, fail};
use credb::{
    Condition, CredentialId, Edit, Error, KeySource, NewKey, Options, Overwrite, Query, Result,
    Vault,
};
use tempfile::TempDir;

/// More operations of a kind than any change makes.
const MOST: usize = 400;

/// Longer than any change takes that waits for nobody.
const BOUND: Duration = Duration::from_secs(20);

const OPERATIONS: [Operation; 6] = [
    Operation::Read,
    Operation::Write,
    Operation::ShortWrite,
    Operation::Sync,
    Operation::SetLength,
    Operation::Lock,
];

type Change = (&'static str, fn(&Vault) -> Result<()>);

const CHANGES: [Change; 10] = [
    ("set a new one", |vault| set(vault, "new", "first")),
    ("set again", |vault| set(vault, "a", "second")),
    ("set a large one", |vault| set(vault, "large", &"x".repeat(65_536))),
    ("remove", |vault| vault.remove(&id("b"))),
    ("several", |vault| {
        vault.write(|transaction| {
            for name in ["a", "new", "newer"] {
                let edit = Edit::new().password("of several");
                transaction.set_if(&id(name), &edit, Condition::Always)?;
            }
            transaction.remove_if(&id("b"), Condition::Always)
        })
    }),
    ("add a slot", |vault| vault.add_slot(&host("host-b"), Some("second")).map(drop)),
    ("remove a slot", |vault| vault.remove_slot(2)),
    ("compact", |vault| vault.compact(&|_, _| {}).map(drop)),
    ("back up", |vault| {
        let copy = vault.path().with_extension("copy");
        vault.backup(&copy, Overwrite::Never, &|_, _| {}).map(drop)
    }),
    ("restore", |vault| {
        // From the older copy, in place of the vault itself.
        let old = vault.path().with_extension("old");
        let old = Vault::open(&old, &Options::new().one_shot(), &[key("host-a")])?;
        let options = Options::new().one_shot().wait(Duration::from_secs(5));
        old.restore(vault.path(), &options, &host("host-a"), &|_, _| {}).map(drop)
    }),
];

/// All that a user can see: versions and passwords, and the key slots.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    credentials: BTreeMap<String, (u64, Vec<u8>)>,
    slots: Vec<(u32, Option<String>)>,
}

#[test]
fn each_failure_leaves_the_state_before_or_after_for_a_handle_kept_open() {
    every_failure(&Options::new());
}

#[test]
fn each_failure_leaves_the_state_before_or_after_for_a_handle_of_one_call() {
    every_failure(&Options::new().one_shot());
}

#[test]
fn each_failure_leaves_a_whole_new_vault_or_none() {
    let mut runs = 0;
    for operation in OPERATIONS {
        for lasting in [Lasting::Once, Lasting::FromThenOn] {
            for nth in 1..MOST {
                let fault = Fault { operation, nth, lasting };
                if !create(fault) {
                    break;
                }
                runs += 1;
            }
        }
    }
    assert!(runs > 50, "too few operations were seen to fail: {runs}");
}

/// Makes a vault while the operation fails; false if it was never come to.
fn create(fault: Fault) -> bool {
    let dir = directory();
    let path = dir.path().join("v.redb");
    let options = Options::new().one_shot();
    let (created, failed) = fail(fault, || Vault::create(&path, &options, &host("host-a")));
    let names = fs::read_dir(dir.path()).expect("read a directory");
    let names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
    let exists = path.exists();
    match &created {
        // It is there, whole, or nothing is. What failed may be opening it again.
        Ok(_) => assert!(exists, "{fault:?}"),
        Err(Error::Io { .. } | Error::OutcomeUnknown { .. } | Error::Busy { .. }) => {}
        Err(error) => panic!("{fault:?}: {error:?}"),
    }
    let other = names.iter().filter(|name| *name != "v.redb" && *name != "v.redb.lock");
    assert_eq!(other.count(), 0, "{fault:?}: {names:?}");
    if exists {
        let found = state(&path).unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        assert!(found.credentials.is_empty() && found.slots.len() == 1, "{fault:?}: {found:?}");
    } else {
        Vault::create(&path, &options, &host("host-a")).expect("make it after all");
    }
    failed > 0
}

fn every_failure(options: &Options) {
    let original = Original::new();
    let mut runs = 0;
    for change in CHANGES {
        let after = original.after(change);
        for operation in OPERATIONS {
            for lasting in [Lasting::Once, Lasting::FromThenOn] {
                for nth in 1.. {
                    assert!(nth < MOST, "{}: no end of {operation:?}", change.0);
                    let fault = Fault { operation, nth, lasting };
                    let run = Run { original: &original, change, options, fault };
                    if !run.check(&after) {
                        break;
                    }
                    runs += 1;
                }
            }
        }
    }
    assert!(runs > 500, "too few operations were seen to fail: {runs}");
    report(&format!("{runs} operations failed"));
}

/// The vault that each run starts from a copy of, and an older state of it.
struct Original {
    dir: TempDir,
    before: State,
}

impl Original {
    fn new() -> Self {
        let dir = directory();
        let path = dir.path().join("v.redb");
        let vault = Vault::create(&path, &Options::new(), &host("host-a")).expect("create");
        set(&vault, "a", "first").expect("set");
        fs::copy(&path, path.with_extension("old")).expect("copy");
        for name in ["b", "c", "d"] {
            set(&vault, name, name).expect("set");
        }
        vault.add_slot(&host("host-c"), None).expect("add a slot");
        drop(vault);
        let before = state(&path).expect("read the state");
        Self { dir, before }
    }

    /// The state after a change that nothing went wrong with.
    fn after(&self, change: Change) -> State {
        let (_dir, path) = self.copy();
        (change.1)(&open(&path, &Options::new()).expect("open")).expect(change.0);
        state(&path).expect("read the state")
    }

    fn copy(&self) -> (TempDir, PathBuf) {
        let dir = directory();
        for name in ["v.redb", "v.old"] {
            fs::copy(self.dir.path().join(name), dir.path().join(name)).expect("copy");
        }
        let path = dir.path().join("v.redb");
        (dir, path)
    }
}

struct Run<'a> {
    original: &'a Original,
    change: Change,
    options: &'a Options,
    fault: Fault,
}

impl Run<'_> {
    /// Makes the change while the operation fails; false if it was never come to.
    fn check(&self, after: &State) -> bool {
        let (_dir, path) = self.original.copy();
        let vault = open(&path, self.options).expect("open");
        let started = Instant::now();
        let (result, failed) = fail(self.fault, || (self.change.1)(&vault));
        self.holds(started.elapsed() < BOUND, &"it took too long");
        if failed == 0 {
            return false;
        }
        self.no_leftovers(&path);
        let found = state(&path).unwrap_or_else(|error| self.fails(&error));
        let before = &self.original.before;
        match &result {
            Ok(()) => self.holds(found == *after, &("acknowledged and not there", &found)),
            Err(Error::OutcomeUnknown { .. }) => {
                self.holds(found == *before || found == *after, &("between", &found));
            }
            Err(Error::Io { .. }) if self.fault.operation != Operation::Lock || self.copies() => {
                self.holds(found == *before, &("it failed and is there", &result));
            }
            Err(Error::Busy { .. }) if self.fault.operation == Operation::Lock => {
                self.holds(found == *before, &("it failed and is there", &result));
            }
            Err(error) => self.fails(&("another error was expected", error)),
        }
        let poisoned = matches!(result, Err(Error::OutcomeUnknown { .. }));
        self.same_handle(&vault, poisoned, &found);
        self.next_handle(&path);
        true
    }

    /// Whether the change makes a file of its own, which nobody else can hold a lock of.
    fn copies(&self) -> bool {
        ["compact", "back up", "restore"].contains(&self.change.0)
    }

    /// The handle goes on working with what is there, unless it said that it cannot know.
    fn same_handle(&self, vault: &Vault, poisoned: bool, found: &State) {
        let read = vault.list(&Query::all());
        let written = set(vault, "c", "after the failure");
        if poisoned && self.change.0 != "restore" && self.change.0 != "back up" {
            self.holds(matches!(read, Err(Error::Poisoned)), &read);
            self.holds(matches!(written, Err(Error::Poisoned)), &written);
            return;
        }
        let read = read.unwrap_or_else(|error| self.fails(&error));
        let names: Vec<&str> = read.iter().map(|metadata| metadata.id.as_str()).collect();
        let expected: Vec<&str> = found.credentials.keys().map(String::as_str).collect();
        self.holds(names == expected, &names);
        written.unwrap_or_else(|error| self.fails(&error));
    }

    fn next_handle(&self, path: &Path) {
        let vault = open(path, self.options).unwrap_or_else(|error| self.fails(&error));
        let next = set(&vault, "next", "works").and_then(|()| vault.get(&id("next")));
        next.unwrap_or_else(|error| self.fails(&error));
        let verified = vault.verify(&|_, _| {}).unwrap_or_else(|error| self.fails(&error));
        self.holds(verified.is_ok(), &verified.damaged);
        self.holds(verified.checked.structure, &"the pages were not checked");
    }

    fn no_leftovers(&self, path: &Path) {
        let directory = path.parent().expect("a directory");
        for entry in fs::read_dir(directory).expect("read a directory") {
            let name = entry.expect("an entry").path();
            self.holds(name.extension() != Some(OsStr::new("new")), &name);
        }
    }

    #[track_caller]
    fn holds(&self, holds: bool, what: &dyn Debug) {
        assert!(holds, "{} with {:?}: {what:?}", self.change.0, self.fault);
    }

    #[track_caller]
    fn fails(&self, what: &dyn Debug) -> ! {
        panic!("{} with {:?}: {what:?}", self.change.0, self.fault)
    }
}

fn state(path: &Path) -> Result<State> {
    let vault = open(path, &Options::new())?;
    let mut credentials = BTreeMap::new();
    for metadata in vault.list(&Query::all())? {
        let credential = vault.get(&metadata.id)?;
        let password = credential.password.expose().to_vec();
        credentials.insert(metadata.id.to_string(), (metadata.version, password));
    }
    let slots = vault.slots()?.into_iter().map(|slot| (slot.number, slot.label)).collect();
    Ok(State { credentials, slots })
}

fn open(path: &Path, options: &Options) -> Result<Vault> {
    Vault::open(path, options, &[key("host-a")])
}

fn set(vault: &Vault, name: &str, password: &str) -> Result<()> {
    vault.set(&id(name), &Edit::new().password(password)).map(drop)
}

fn host(name: &str) -> NewKey {
    NewKey::Hostname(name.to_owned())
}

fn key(name: &str) -> KeySource {
    KeySource::Hostname(name.to_owned())
}

fn id(text: &str) -> CredentialId {
    CredentialId::new(text).expect("an id")
}

/// In memory where the machine has such a place: thousands of syncs would take minutes.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let dir = TempDir::new_in(memory).or_else(|_| TempDir::new());
    dir.expect("temporary directory")
}

#[expect(clippy::print_stderr, reason = "how much was checked belongs into the test's output")]
fn report(text: &str) {
    eprintln!("{text}");
}
