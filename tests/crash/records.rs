//! The workloads, recorded: what the library did to its files step by step, and the states between.

use std::cell::Cell;

use credb::simulate;
use credb::{
    Change, Condition, Edit, KeySource, NewKey, Options, Overwrite, Patch, Purge, Resealed,
    Transaction, Vault,
};

use crate::campaign::Record;
use crate::stage::{self, Stage, State, id};

/// The name of the host that the vaults are made on, and the one that it has later.
const HOSTS: [&str; 2] = ["host-a", "renamed"];

/// The number of all [`changes`].
pub(crate) const CHANGES: usize = 17;

fn host_key() -> NewKey {
    NewKey::Hostname(HOSTS[0].to_owned())
}

/// What opens the vaults; which of them does belongs to a vault's state.
pub(crate) fn hosts() -> Vec<KeySource> {
    HOSTS.iter().map(|host| KeySource::Hostname((*host).to_owned())).collect()
}

/// Does these steps with the vault on a stage; the states are those before the first and after
/// each.
fn recorded(name: &'static str, stage: &Stage, steps: &[&dyn Fn()]) -> (Record, Vec<State>) {
    let path = stage.path("v.redb");
    // Reading changes nothing on the disk.
    let state = || stage::contents(&path, &hosts()).unwrap().unwrap();
    let before = stage.disk();
    let (mut events, mut acknowledged, mut states) = (Vec::new(), Vec::new(), vec![state()]);
    for step in steps {
        let ((), done) = simulate::record(step);
        events.extend(done);
        acknowledged.push(events.len());
        states.push(state());
    }
    (Record { name, before, events, acknowledged }, states)
}

/// Adds what closing the vault does to the end of the record.
fn closed((mut record, states): (Record, Vec<State>), vault: Vault) -> (Record, Vec<State>) {
    let ((), closing) = simulate::record(|| drop(vault));
    record.events.extend(closing);
    (record, states)
}

fn made(stage: &Stage) -> Vault {
    Vault::create(&stage.path("v.redb"), &Options::new(), &host_key()).unwrap()
}

fn opened(stage: &Stage, options: &Options) -> Vault {
    Vault::open(&stage.path("v.redb"), options, &hosts()[..1]).unwrap()
}

fn set(vault: &Vault, name: &str, password: &str) {
    assert!(vault.set(&id(name), &Edit::new().password(password)).unwrap().changed);
}

fn purge(vault: &Vault, name: &str, what: Purge) {
    let purged = vault.write(|body| body.purge(&id(name), what, Condition::Always));
    assert!(purged.unwrap() > 0);
}

fn compact(vault: &Vault) {
    assert!(vault.compact(&|_, _| {}).unwrap().after > 0);
}

/// One transaction of a rotation that moves rows.
fn reseal(vault: &Vault) {
    assert!(matches!(vault.reseal_some().unwrap(), Resealed::Some { .. }));
}

/// The transaction that ends a rotation.
fn end(vault: &Vault) {
    assert!(matches!(vault.reseal_some().unwrap(), Resealed::All));
}

/// A record of changes of rows and slots, of the first so many of them.
pub(crate) fn changes(name: &'static str, options: &Options, count: usize) -> (Record, Vec<State>) {
    let stage = Stage::new();
    let vault = made(&stage);
    for number in 0..4 {
        set(&vault, &format!("old{number}"), &format!("first of {number}"));
    }
    drop(vault);
    let vault = opened(&stage, options);
    let slot = Cell::new(0);
    let long = "x".repeat(6_000);
    let steps: [&dyn Fn(); CHANGES] = [
        &|| set(&vault, "new", "one"),
        &|| set(&vault, "old0", "two"),
        &|| set(&vault, "long", &long),
        &|| vault.remove(&id("old1")).unwrap(),
        &|| several(&vault),
        &|| slot.set(vault.add_slot(&NewKey::Hostname("b".into()), None).unwrap().number),
        &|| vault.remove_slot(slot.get()).unwrap(),
        &|| set(&vault, "old1", "back"),
        &|| {
            moved(&vault, |body| {
                body.rename(&id("old1"), &id("n"), Overwrite::Never, Condition::Always)
            });
        },
        &|| prepared(&vault),
        &|| moved(&vault, |body| body.accept(&id("n"), Condition::Always, &Patch::Clear)),
        &|| moved(&vault, |body| body.copy(&id("n"), &id("old2"), Overwrite::Allowed)),
        &|| moved(&vault, |body| Ok(body.undo(&id("old2"), None, Condition::Always)?.change)),
        &|| assert_eq!(vault.configure(|c| c.history_keep = 2).unwrap().history_keep, 2),
        &|| purge(&vault, "n", Purge::All),
        &|| drop(vault.rebind_slot(1, &NewKey::Hostname(HOSTS[1].to_owned())).unwrap()),
        &|| set(&vault, "old3", "after the host was renamed"),
    ];
    let record = recorded(name, &stage, &steps[..count]);
    closed(record, vault)
}

/// A record of a rotation with changes and purges in between. The last step rebuilds the file.
pub(crate) fn rotating() -> (Record, Vec<State>) {
    let stage = Stage::new();
    let vault = made(&stage);
    for number in 0..40 {
        set(&vault, &format!("id{number}"), &format!("password {number}"));
    }
    for name in ["id0", "id2", "id3"] {
        set(&vault, name, "another");
    }
    vault.remove(&id("id9")).unwrap();
    drop(vault);
    let vault = opened(&stage, &Options::new());
    let steps: [&dyn Fn(); 12] = [
        &|| assert!(vault.begin_rotation().unwrap()),
        &|| set(&vault, "id0", "in between"),
        // One credential that has moved to the new epoch, and two that have not.
        &|| purge(&vault, "id0", Purge::History),
        &|| purge(&vault, "id2", Purge::All),
        &|| purge(&vault, "id3", Purge::History),
        &|| reseal(&vault),
        &|| vault.remove(&id("id1")).unwrap(),
        &|| set(&vault, "id9", "back"),
        &|| reseal(&vault),
        &|| purge(&vault, "id9", Purge::All),
        &|| end(&vault),
        &|| compact(&vault),
    ];
    let record = recorded("rotate", &stage, &steps);
    closed(record, vault)
}

/// A record of a rotation of the vault key that drops a slot and keeps two. The last step rebuilds
/// the file.
pub(crate) fn rotating_vault_key() -> (Record, Vec<State>) {
    let stage = Stage::new();
    let vault = made(&stage);
    for name in ["kept", "dropped"] {
        drop(vault.add_slot(&NewKey::Hostname(name.to_owned()), Some(name)).unwrap());
    }
    for number in 0..8 {
        set(&vault, &format!("id{number}"), &format!("password {number}"));
    }
    drop(vault);
    let vault = opened(&stage, &Options::new());
    let steps: [&dyn Fn(); 6] = [
        &|| set(&vault, "id0", "before"),
        &|| assert!(vault.begin_vault_key_rotation(&[3]).unwrap()),
        &|| set(&vault, "id1", "in between"),
        &|| reseal(&vault),
        &|| end(&vault),
        &|| compact(&vault),
    ];
    let record = recorded("rotate the vault key", &stage, &steps);
    closed(record, vault)
}

fn moved(vault: &Vault, body: impl Fn(&mut Transaction<'_>) -> credb::Result<Change>) {
    assert!(vault.write(body).unwrap().changed);
}

/// Stores a password that is pending: lost, or half there, it would differ from all states.
fn prepared(vault: &Vault) {
    moved(vault, |transaction| transaction.prepare(&id("n"), &"new".into(), Condition::Always));
}

fn several(vault: &Vault) {
    let done = vault.write(|transaction| {
        for number in 0..5 {
            let edit = Edit::new().password(format!("several {number}"));
            transaction.set_if(&id(&format!("many{number}")), &edit, Condition::Always)?;
        }
        transaction.remove_if(&id("new"), Condition::Always)
    });
    done.unwrap();
}

/// Making a vault, with a machine secret that is new too.
pub(crate) fn making() -> Record {
    let stage = Stage::new();
    let before = stage.disk();
    let ((), events) = simulate::record(|| {
        let key = NewKey::Machine(stage.path("machine.key"));
        Vault::create(&stage.path("v.redb"), &Options::new(), &key).unwrap();
    });
    let acknowledged = vec![events.len()];
    Record { name: "init", before, events, acknowledged }
}

/// A vault with free pages, compacted.
pub(crate) fn compacting() -> (Record, Vec<State>) {
    let stage = Stage::new();
    let vault = made(&stage);
    for number in 0..30 {
        set(&vault, &format!("id{}", number % 7), &format!("password {number}"));
    }
    drop(vault);
    let vault = opened(&stage, &Options::new());
    let record = recorded("compact", &stage, &[&|| compact(&vault)]);
    closed(record, vault)
}

/// A backup restored over a vault that went on.
pub(crate) fn restoring() -> (Record, Vec<State>) {
    let stage = Stage::new();
    let vault = made(&stage);
    set(&vault, "a", "in the backup");
    let backup = stage.path("backup.redb");
    vault.backup(&backup, Overwrite::Never, &|_, _| {}).unwrap();
    set(&vault, "b", "after the backup");
    drop(vault);
    let copy = Vault::open(&backup, &Options::new(), &hosts()).unwrap();
    let path = stage.path("v.redb");
    let restore = || drop(copy.restore(&path, &Options::new(), &host_key(), &|_, _| {}).unwrap());
    recorded("restore", &stage, &[&restore])
}
