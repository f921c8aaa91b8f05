//! The crash simulator: a vault after a loss of power at every point of its writes.
//!
//! A record of what the library did to its files is replayed up to each of its points; what was
//! not synced by then is lost, kept or torn in every way (or a seeded sample of them); the files
//! are laid out and opened through the ordinary `Vault`. Every acknowledged change must be there,
//! an unacknowledged one whole or absent, and the vault must verify. What would break this: a
//! sync that is left out (see `a_sync_left_out_is_noticed`), a page or an entry of a directory
//! that is changed in place, an acknowledgement that comes too early.
//!
//! `CREDB_CRASH_SEED` repeats a run, `CREDB_CRASH_FACTOR` makes it that many times as long.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "how much was tried, and from which seed")]

mod campaign;
mod disk;
mod random;
mod stage;

use std::cell::{Cell, RefCell};
use std::path::Path;

use credb::simulate::{self, Event};
use credb::{
    Change, Condition, Edit, KeySource, NewKey, Options, Overwrite, Patch, Purge, Transaction,
    Vault,
};

use crate::campaign::{Effort, Image, Record};
use crate::stage::{Stage, State, id};

/// All workloads together are to check at least so many images.
const LEAST_IMAGES: u64 = 100_000;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn effort(sample: u64, torn: u64) -> Effort {
    let factor = number("CREDB_CRASH_FACTOR", 1);
    let seed = number("CREDB_CRASH_SEED", 20_261_123);
    let (sample, torn) = (sample * factor, torn * factor);
    Effort { seed, all_subsets: 10, sample, torn, recovery_every: 200 }
}

fn host_key() -> NewKey {
    NewKey::Hostname("host-a".to_owned())
}

fn host() -> Vec<KeySource> {
    vec![KeySource::Hostname("host-a".to_owned())]
}

/// Checks one image, and those of its own recovery being cut; how many that were.
fn check_image(
    stage: &mut Stage,
    image: &Image,
    check: &dyn Fn(&Stage, usize) -> Result<(), String>,
) -> Result<u64, String> {
    stage.lay_out(&image.files);
    if !image.cut_recovery {
        return check(stage, image.steps).map(|()| 1);
    }
    let before = stage.disk();
    let (result, events) = simulate::record(|| check(stage, image.steps));
    result?;
    let recovery = Record { name: "recovery", before, events, acknowledged: Vec::new() };
    let effort = Effort { all_subsets: 3, recovery_every: 0, ..effort(8, 2) };
    let steps = image.steps;
    let (images, findings) = campaign::run_here(&recovery, effort, |cut| {
        stage.lay_out(&cut.files);
        check(stage, steps).map(|()| 1)
    });
    match findings.into_iter().next() {
        None => Ok(1 + images),
        Some(finding) => {
            Err(format!("after a cut recovery ({}): {}", finding.place, finding.reason))
        }
    }
}

fn campaign(
    record: &Record,
    effort: Effort,
    check: impl Fn(&Stage, usize) -> Result<(), String> + Sync,
) -> (u64, Vec<campaign::Finding>) {
    campaign::run(
        record,
        effort,
        |_| Stage::new(),
        |stage, image| check_image(stage, image, &check),
    )
}

/// The campaign's images, after printing how many there were; fails on any finding.
fn sound(
    record: &Record,
    effort: Effort,
    check: impl Fn(&Stage, usize) -> Result<(), String> + Sync,
) -> u64 {
    let (images, findings) = campaign(record, effort, check);
    println!(
        "{}: {images} images of {} events, seed {}",
        record.name,
        record.events.len(),
        effort.seed
    );
    assert!(findings.is_empty(), "{findings:#?}");
    images
}

/// The vault must be in the state after the acknowledged steps, or after one more.
fn one_of(states: &[State], steps: usize, path: &Path) -> Result<(), String> {
    match stage::contents(path, &host()) {
        Ok(Some(state)) if states[steps..].iter().take(2).any(|known| *known == state) => Ok(()),
        Ok(Some(state)) => {
            let known = states.iter().position(|known| *known == state);
            Err(format!("{steps} steps were acknowledged, and there is the state after {known:?}"))
        }
        Ok(None) => Err("there is no vault".to_owned()),
        Err(error) => Err(format!("{error} ({error:?})")),
    }
}

/// A record of changes of rows and slots, and the states between them.
fn changes(name: &'static str, options: &Options) -> (Record, Vec<State>) {
    let stage = Stage::new();
    let path = stage.path("v.redb");
    let vault = Vault::create(&path, &Options::new(), &host_key()).unwrap();
    for number in 0..4 {
        let edit = Edit::new().password(format!("first of {number}"));
        vault.set(&id(&format!("old{number}")), &edit).unwrap();
    }
    drop(vault);
    let before = stage.disk();
    let vault = Vault::open(&path, options, &host()).unwrap();
    let states = RefCell::new(vec![stage::state(&vault).unwrap()]);
    let slot = Cell::new(0);
    let long = "x".repeat(6_000);
    let steps: [&dyn Fn(); 15] = [
        &|| drop(vault.set(&id("new"), &Edit::new().password("one")).unwrap()),
        &|| drop(vault.set(&id("old0"), &Edit::new().password("two")).unwrap()),
        &|| drop(vault.set(&id("long"), &Edit::new().password(long.as_str())).unwrap()),
        &|| vault.remove(&id("old1")).unwrap(),
        &|| several(&vault),
        &|| slot.set(vault.add_slot(&NewKey::Hostname("b".into()), None).unwrap().number),
        &|| vault.remove_slot(slot.get()).unwrap(),
        &|| drop(vault.set(&id("old1"), &Edit::new().password("back")).unwrap()),
        &|| {
            moved(&vault, |transaction| {
                transaction.rename(&id("old1"), &id("n"), Overwrite::Never, Condition::Always)
            });
        },
        &|| prepared(&vault),
        &|| {
            moved(&vault, |transaction| {
                transaction.accept(&id("n"), Condition::Always, &Patch::Clear)
            });
        },
        &|| {
            moved(&vault, |transaction| {
                transaction.copy(&id("n"), &id("old2"), Overwrite::Allowed)
            });
        },
        &|| moved(&vault, |body| Ok(body.undo(&id("old2"), None, Condition::Always)?.change)),
        &|| assert_eq!(vault.configure(|c| c.history_keep = 2).unwrap().history_keep, 2),
        &|| {
            let purge = vault.write(|body| body.purge(&id("n"), Purge::All, Condition::Always));
            assert!(purge.unwrap() > 0);
        },
    ];
    let (acknowledged, events) = simulate::record(|| {
        let mut acknowledged = Vec::new();
        for step in steps {
            step();
            acknowledged.push(simulate::recorded());
            // Reading changes nothing on the disk.
            states.borrow_mut().push(stage::state(&vault).unwrap());
        }
        acknowledged
    });
    let ((), closing) = simulate::record(|| drop(vault));
    let events = [events, closing].concat();
    (Record { name, before, events, acknowledged }, states.into_inner())
}

/// A record of a rotation with changes in between, up to the rebuilding of the file, and the
/// states between its steps: the last two are those before and after that.
fn rotating() -> (Record, Vec<State>) {
    let stage = Stage::new();
    let path = stage.path("v.redb");
    let vault = Vault::create(&path, &Options::new(), &host_key()).unwrap();
    for number in 0..40 {
        let edit = Edit::new().password(format!("password {number}"));
        vault.set(&id(&format!("id{number}")), &edit).unwrap();
    }
    vault.remove(&id("id9")).unwrap();
    drop(vault);
    let before = stage.disk();
    let vault = Vault::open(&path, &Options::new(), &host()).unwrap();
    let states = RefCell::new(vec![stage::state(&vault).unwrap()]);
    let step = || assert!(vault.reseal_some().is_ok());
    let steps: [&dyn Fn(); 8] = [
        &|| assert!(vault.begin_rotation().unwrap()),
        &|| drop(vault.set(&id("id0"), &Edit::new().password("in between")).unwrap()),
        &step,
        &|| vault.remove(&id("id1")).unwrap(),
        &|| drop(vault.set(&id("id9"), &Edit::new().password("back")).unwrap()),
        &step,
        &step,
        &|| assert!(vault.compact(&|_, _| {}).is_ok()),
    ];
    let (acknowledged, events) = simulate::record(|| {
        let mut acknowledged = Vec::new();
        for step in steps {
            step();
            acknowledged.push(simulate::recorded());
            states.borrow_mut().push(stage::state(&vault).unwrap());
        }
        acknowledged
    });
    let states = states.into_inner();
    assert!(states.windows(2).all(|pair| pair[0] != pair[1]), "each step is to be seen");
    (Record { name: "rotate", before, events, acknowledged }, states)
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
fn making() -> Record {
    let stage = Stage::new();
    let before = stage.disk();
    let ((), events) = simulate::record(|| {
        let key = NewKey::Machine(stage.path("machine.key"));
        Vault::create(&stage.path("v.redb"), &Options::new(), &key).unwrap();
    });
    let acknowledged = vec![events.len()];
    Record { name: "init", before, events, acknowledged }
}

/// No vault until it is acknowledged, or a whole one (with its slot) that its secret opens.
fn made(stage: &Stage, steps: usize) -> Result<(), String> {
    let keys = [KeySource::Machine(stage.path("machine.key"))];
    match stage::contents(&stage.path("v.redb"), &keys) {
        // The slot and the setting.
        Ok(Some(state)) if state.len() == 2 => Ok(()),
        Ok(None) if steps == 0 => Ok(()),
        other => Err(format!("after {steps} steps: {other:?}")),
    }
}

/// A vault with free pages, compacted.
fn compacting() -> (Record, Vec<State>) {
    let stage = Stage::new();
    let vault = Vault::create(&stage.path("v.redb"), &Options::new(), &host_key()).unwrap();
    for number in 0..30 {
        let edit = Edit::new().password(format!("password {number}"));
        vault.set(&id(&format!("id{}", number % 7)), &edit).unwrap();
    }
    drop(vault);
    let before = stage.disk();
    let vault = Vault::open(&stage.path("v.redb"), &Options::new(), &host()).unwrap();
    let state = stage::state(&vault).unwrap();
    let ((), events) = simulate::record(|| {
        vault.compact(&|_, _| {}).unwrap();
        drop(vault);
    });
    let acknowledged = vec![events.len()];
    (Record { name: "compact", before, events, acknowledged }, vec![state.clone(), state])
}

/// A backup restored over a vault that went on.
fn restoring() -> (Record, Vec<State>) {
    let stage = Stage::new();
    let path = stage.path("v.redb");
    let vault = Vault::create(&path, &Options::new(), &host_key()).unwrap();
    vault.set(&id("a"), &Edit::new().password("in the backup")).unwrap();
    let restored = stage::state(&vault).unwrap();
    let backup = stage.path("backup.redb");
    vault.backup(&backup, Overwrite::Never, &|_, _| {}).unwrap();
    vault.set(&id("b"), &Edit::new().password("after the backup")).unwrap();
    let replaced = stage::state(&vault).unwrap();
    drop(vault);
    let before = stage.disk();
    let copy = Vault::open(&backup, &Options::new(), &host()).unwrap();
    let ((), events) = simulate::record(|| {
        copy.restore(&path, &Options::new(), &host_key(), &|_, _| {}).unwrap();
    });
    let acknowledged = vec![events.len()];
    (Record { name: "restore", before, events, acknowledged }, vec![replaced, restored])
}

/// Either vault as it was; and where the new one is, the old one is kept.
fn kept(states: &[State], stage: &Stage, steps: usize) -> Result<(), String> {
    one_of(states, steps, &stage.path("v.redb"))?;
    let here = stage::contents(&stage.path("v.redb"), &host()).map_err(|e| e.to_string())?;
    if here.as_ref() != Some(&states[1]) {
        return Ok(());
    }
    let files = stage::files_in(stage.path("").as_path());
    let Some(name) = files.keys().find(|name| name.contains(".before-")) else {
        return Err("the vault that was replaced is not kept".to_owned());
    };
    match stage::contents(&stage.path(name), &host()) {
        Ok(Some(state)) if state == states[0] => Ok(()),
        other => Err(format!("what was kept is not what was replaced: {other:?}")),
    }
}

#[test]
fn no_loss_of_power_loses_what_was_acknowledged() {
    let mut images = 0;
    for (name, options) in [("kept open", Options::new()), ("one shot", Options::new().one_shot())]
    {
        let (record, states) = changes(name, &options);
        images += sound(&record, effort(60, 60), |stage, steps| {
            one_of(&states, steps, &stage.path("v.redb"))
        });
    }
    images += sound(&making(), effort(60, 60), made);
    let (record, states) = rotating();
    let fewer = Effort { all_subsets: 3, ..effort(8, 4) };
    images += sound(&record, fewer, |stage, steps| one_of(&states, steps, &stage.path("v.redb")));
    let (record, states) = compacting();
    let effort = Effort { all_subsets: 3, ..effort(8, 4) };
    images += sound(&record, effort, |stage, steps| one_of(&states, steps, &stage.path("v.redb")));
    let (record, states) = restoring();
    images += sound(&record, effort, |stage, steps| kept(&states, stage, steps));
    println!("{images} images in all");
    assert!(images >= LEAST_IMAGES, "only {images} images were checked");
}

/// The events without the one at `position`, and the acknowledgements moved with it.
fn without(record: &Record, position: usize, name: &'static str) -> Record {
    let mut events = record.events.clone();
    events.remove(position);
    let acknowledged =
        record.acknowledged.iter().map(|done| done - usize::from(*done > position)).collect();
    Record { name, before: record.before.clone(), events, acknowledged }
}

#[test]
fn a_sync_left_out_is_noticed() {
    // In a file that stays open, a write ends with the two syncs of its commit; one before them
    // belongs to a file that grows. (The first write opens the file, with syncs of its own.)
    let (record, states) = changes("kept open, a sync left out", &Options::new());
    all_syncs_matter(&record, &states, effort(60, 60));
    // All but its last step, which is no write of the file that is there.
    let (mut record, states) = rotating();
    record.acknowledged.pop();
    all_syncs_matter(&record, &states, Effort { all_subsets: 3, ..effort(8, 4) });
}

/// Leaves each sync out of each write's commit, but for the first write's: each time there has to
/// be a loss of power that loses what was acknowledged.
fn all_syncs_matter(record: &Record, states: &[State], effort: Effort) {
    for (step, done) in record.acknowledged.windows(2).enumerate() {
        let write = record.part(done[0]..done[1]);
        let states = &states[step + 1..step + 3];
        let is_sync = |at: &usize| matches!(write.events[*at], Event::Sync { .. });
        let syncs: Vec<usize> = (0..write.events.len()).filter(is_sync).collect();
        assert!((2..=3).contains(&syncs.len()), "{} syncs in a write", syncs.len());
        for sync in &syncs[syncs.len() - 2..] {
            let broken = without(&write, *sync, record.name);
            let effort = Effort { recovery_every: 0, ..effort };
            let (_, findings) = campaign(&broken, effort, |stage, steps| {
                one_of(states, steps, &stage.path("v.redb"))
            });
            assert!(!findings.is_empty(), "step {}: sync {sync} went unnoticed", step + 1);
        }
    }
}

#[test]
fn an_entry_of_a_directory_left_unsynced_is_noticed() {
    let record = making();
    let syncs: Vec<usize> = (0..record.events.len())
        .filter(|at| matches!(record.events[*at], Event::SyncDirectory { .. }))
        .collect();
    let broken = without(&record, *syncs.last().unwrap(), "init, its last sync left out");
    let effort = Effort { recovery_every: 0, ..effort(100, 0) };
    let (_, findings) = campaign(&broken, effort, made);
    assert!(!findings.is_empty(), "an init without its last sync went unnoticed");
}
