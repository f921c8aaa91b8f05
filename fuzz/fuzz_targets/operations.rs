//! Any sequence of operations on two handles of a real vault does what a map would.
//!
//! Three bytes are one operation: which, on which id and by which handle, and a value. Works in
//! /dev/shm where there is one, since every change is synced.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use credb::{
    Change, Condition, CredentialId, Edit, Error, KeySource, NewKey, Options, Overwrite, Patch,
    Purge, Query, Transaction, Vault,
};
use libfuzzer_sys::fuzz_target;

const IDS: [&str; 4] = ["a", "a/b", "b", "\u{e9}"];
const HOST: &str = "host-a";
const MOST_OPERATIONS: usize = 20;

/// What is stored under an id: its last version, and its password and user name unless it is
/// removed. A version of 0 is that of an id which was never used, or was purged.
#[derive(Default)]
struct Known {
    version: u64,
    live: Option<(Vec<u8>, Option<String>)>,
    pending: Option<Vec<u8>>,
}

type Model = BTreeMap<&'static str, Known>;

fuzz_target!(|input: &[u8]| {
    let template = template();
    let scratch = Scratch::new();
    let path = scratch.0.join("v.redb");
    fs::write(&path, template).expect("write a vault");
    let mut handles = [open(&path), open(&path)];
    let mut model = Model::new();
    for operation in input.chunks_exact(3).take(MOST_OPERATIONS) {
        let [what, who, value] = operation else { continue };
        let name = IDS[usize::from(who / 2) % IDS.len()];
        let handle = usize::from(who % 2);
        step(&mut handles[handle], &mut model, *what, name, *value);
    }
    for handle in &handles {
        compare(handle, &model);
    }
    assert!(handles[0].verify(&|_, _| {}).expect("verify").is_ok(), "it is damaged");
});

fn step(vault: &mut Vault, model: &mut Model, what: u8, name: &'static str, value: u8) {
    let condition = match value % 8 {
        0 => Condition::IfAbsent,
        1..=3 => Condition::IfVersion(u64::from(value / 8)),
        _ => Condition::Always,
    };
    match what % 20 {
        0..=4 => {
            let result = vault.set_if(&id(name), &edit(value), condition);
            expect_set(model, name, value, condition, result);
        }
        5..=6 => {
            let result = vault.write(|all| all.remove_if(&id(name), condition));
            expect_removed(model, name, condition, &result);
        }
        7 => expect_found(vault, model, name),
        8 => compare(vault, model),
        9 => *vault = open(vault.path()),
        10 => vault.clear_cache(),
        11 => drop(vault.compact(&|_, _| {}).expect("compact")),
        12..=13 => {
            let failed: credb::Result<()> = vault.write(|all| {
                twice(all, name, value)?;
                Err(Error::Poisoned)
            });
            assert!(matches!(failed, Err(Error::Poisoned)), "{failed:?}");
        }
        14 => rename(vault, model, (name, other(value)), condition, allowed(value)),
        15 => copy(vault, model, (name, other(value)), allowed(value)),
        16 => purge(vault, model, name, condition, value),
        17..=18 => pending(vault, model, name, condition, value),
        _ => {
            let [first, second] = vault.write(|all| twice(all, name, value)).expect("two changes");
            expect_set(model, name, value, Condition::Always, Ok(first));
            expect_set(model, IDS[0], value ^ 1, Condition::Always, Ok(second));
        }
    }
}

fn twice(all: &mut Transaction<'_>, name: &str, value: u8) -> credb::Result<[Change; 2]> {
    let first = all.set_if(&id(name), &edit(value), Condition::Always)?;
    let second = all.set_if(&id(IDS[0]), &edit(value ^ 1), Condition::Always)?;
    Ok([first, second])
}

fn other(value: u8) -> &'static str {
    IDS[usize::from(value / 8) % IDS.len()]
}

fn allowed(value: u8) -> Overwrite {
    if value < 128 { Overwrite::Never } else { Overwrite::Allowed }
}

fn password(value: u8) -> Vec<u8> {
    vec![value; 1 + 40 * usize::from(value)]
}

fn edit(value: u8) -> Edit {
    let edit = Edit::new().password(password(value).as_slice());
    if value % 3 == 0 { edit.username(format!("user {value}")) } else { edit }
}

fn expect_set(
    model: &mut Model,
    name: &'static str,
    value: u8,
    condition: Condition,
    result: credb::Result<Change>,
) {
    let known = model.entry(name).or_default();
    if !holds(known, condition) {
        let refused =
            matches!(result, Err(Error::AlreadyExists { .. } | Error::VersionMismatch { .. }));
        assert!(refused, "{result:?}");
        return;
    }
    let change = result.expect("set");
    let password = password(value);
    let kept = known.live.as_ref().and_then(|(_, username)| username.clone());
    let username = if value % 3 == 0 { Some(format!("user {value}")) } else { kept };
    let new = Some((password, username));
    assert_eq!(change.created, known.live.is_none());
    assert_eq!(change.changed, known.live != new);
    if known.live != new {
        let pending = known.pending.take().filter(|_| known.live.is_some());
        *known = Known { version: known.version + 1, live: new, pending };
    }
    assert_eq!(change.version, known.version);
}

fn expect_removed(
    model: &mut Model,
    name: &'static str,
    condition: Condition,
    result: &credb::Result<()>,
) {
    let known = model.entry(name).or_default();
    if known.live.is_none() {
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
    } else if holds(known, condition) {
        assert!(result.is_ok(), "{result:?}");
        (known.live, known.pending) = (None, None);
    } else {
        let refused =
            matches!(result, Err(Error::AlreadyExists { .. } | Error::VersionMismatch { .. }));
        assert!(refused, "{result:?}");
    }
}

/// The credential moves with all it has; its version follows the last ones of both ids.
fn rename(
    vault: &Vault,
    model: &mut Model,
    (from, to): (&'static str, &'static str),
    condition: Condition,
    overwrite: Overwrite,
) {
    let result = vault.write(|all| all.rename(&id(from), &id(to), overwrite, condition));
    let Some(source) = model.get_mut(from).filter(|known| known.live.is_some()) else {
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
        return;
    };
    if !holds(source, condition) {
        return expect_refused(&result);
    }
    let version = source.version;
    let moved = if from == to { None } else { Some((source.live.take(), source.pending.take())) };
    let target = model.entry(to).or_default();
    let taken = moved.is_none() || target.live.is_some();
    let waits = moved.is_some() && target.pending.is_some();
    if taken && overwrite == Overwrite::Never || waits {
        if let Some((live, pending)) = moved {
            let source = model.entry(from).or_default();
            (source.live, source.pending) = (live, pending);
        }
        return if overwrite == Overwrite::Never {
            expect_refused(&result)
        } else {
            expect_pending(&result)
        };
    }
    let change = result.expect("rename");
    assert_eq!((change.created, change.changed), (!taken, moved.is_some()));
    if let Some((live, pending)) = moved {
        *target = Known { version: target.version.max(version) + 1, live, pending };
    }
    assert_eq!(change.version, target.version);
}

/// A copy has no password that waits.
fn copy(
    vault: &Vault,
    model: &mut Model,
    (from, to): (&'static str, &'static str),
    overwrite: Overwrite,
) {
    let result = vault.write(|all| all.copy(&id(from), &id(to), overwrite));
    let Some(live) = model.get(from).and_then(|known| known.live.clone()) else {
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
        return;
    };
    let target = model.entry(to).or_default();
    if target.live.is_some() && overwrite == Overwrite::Never {
        return expect_refused(&result);
    }
    if target.pending.is_some() {
        return expect_pending(&result);
    }
    let change = result.expect("copy");
    let live = Some(live);
    assert_eq!((change.created, change.changed), (target.live.is_none(), target.live != live));
    if target.live != live {
        *target = Known { version: target.version + 1, live, pending: None };
    }
    assert_eq!(change.version, target.version);
}

/// Afterwards versions begin again; without the earlier ones alone nothing else is different.
fn purge(vault: &Vault, model: &mut Model, name: &'static str, condition: Condition, value: u8) {
    let what = if value < 128 { Purge::All } else { Purge::History };
    let result = vault.write(|all| all.purge(&id(name), what, condition));
    let known = model.entry(name).or_default();
    if known.version == 0 {
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
    } else if holds(known, condition) {
        assert!(result.is_ok(), "{result:?}");
        if what == Purge::All {
            *known = Known::default();
        } else {
            let left = vault.history(&id(name)).expect("the history");
            assert!(left.is_empty(), "earlier versions are left");
        }
    } else {
        expect_refused(&result);
    }
}

/// A step of a new password that waits to take the place of the present one.
fn pending(vault: &Vault, model: &mut Model, name: &'static str, condition: Condition, value: u8) {
    let (own, new) = (id(name), password(value / 32));
    let result = vault.write(|all| match value / 8 % 4 {
        0 | 1 => all.prepare(&own, &new.as_slice().into(), condition),
        2 => all.accept(&own, condition, &Patch::Clear),
        _ => all.abandon(&own, condition),
    });
    let known = model.entry(name).or_default();
    if known.live.is_some() && !holds(known, condition) {
        return expect_refused(&result);
    }
    let Some((present, _)) = &mut known.live else {
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
        return;
    };
    match (value / 8 % 4, known.pending.take()) {
        (0 | 1, Some(pending)) => {
            assert!(matches!(result, Err(Error::Pending { .. })), "{result:?}");
            known.pending = Some(pending);
            return;
        }
        (0 | 1, None) if *present == new => {
            assert!(matches!(result, Err(Error::Invalid { .. })), "{result:?}");
            return;
        }
        (0 | 1, None) => known.pending = Some(new),
        (_, None) => {
            assert!(matches!(result, Err(Error::NotPending { .. })), "{result:?}");
            return;
        }
        (2, Some(pending)) => *present = pending,
        (_, Some(_)) => {}
    }
    known.version += 1;
    assert_eq!(result.expect("a step").version, known.version);
}

fn expect_refused<T: std::fmt::Debug>(result: &credb::Result<T>) {
    let refused =
        matches!(result, Err(Error::AlreadyExists { .. } | Error::VersionMismatch { .. }));
    assert!(refused, "{result:?}");
}

/// Nothing is put over a password that waits.
fn expect_pending<T: std::fmt::Debug>(result: &credb::Result<T>) {
    assert!(matches!(result, Err(Error::Pending { .. })), "{result:?}");
}

fn holds(known: &Known, condition: Condition) -> bool {
    let version = if known.live.is_some() { known.version } else { 0 };
    match condition {
        Condition::Always => true,
        Condition::IfAbsent => version == 0,
        Condition::IfVersion(expected) => version == expected,
    }
}

fn expect_found(vault: &Vault, model: &Model, name: &str) {
    let found = vault.read(|snapshot| snapshot.find(&id(name))).expect("read");
    let known = model.get(name);
    let live = known.and_then(|known| known.live.as_ref());
    assert_eq!(found.is_some(), live.is_some());
    if let (Some(found), Some((password, username))) = (found, live) {
        assert_eq!(found.password.expose(), password);
        assert_eq!(found.metadata.username, *username);
        let pending = found.pending.as_ref().map(|pending| pending.password.expose());
        assert_eq!(pending, known.and_then(|known| known.pending.as_deref()));
        assert_eq!(Some(found.metadata.version), known.map(|known| known.version));
    }
}

fn compare(vault: &Vault, model: &Model) {
    let listed = vault.list(&Query::all()).expect("list");
    let listed: Vec<(&str, u64)> =
        listed.iter().map(|one| (one.id.as_str(), one.version)).collect();
    let live = model.iter().filter(|(_, known)| known.live.is_some());
    let expected: Vec<(&str, u64)> = live.map(|(name, known)| (*name, known.version)).collect();
    assert_eq!(listed, expected);
    for name in IDS {
        expect_found(vault, model, name);
    }
}

fn id(name: &str) -> CredentialId {
    CredentialId::new(name).expect("an id")
}

fn open(path: &Path) -> Vault {
    let key = KeySource::Hostname(HOST.to_owned());
    Vault::open(path, &Options::new(), &[key]).expect("open the vault")
}

/// The bytes of an empty vault: making one costs more than most sequences.
fn template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let scratch = Scratch::new();
        let path = scratch.0.join("v.redb");
        let key = NewKey::Hostname(HOST.to_owned());
        drop(Vault::create(&path, &Options::new(), &key).expect("make a vault"));
        fs::read(&path).expect("read a vault")
    })
}

/// A directory for one run. Stays after a crash.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = parent.join(format!("credb-operations-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("make a directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
