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
mod records;
mod stage;

use std::path::Path;

use credb::simulate::{self, Event};
use credb::{KeySource, Options};

use crate::campaign::{Effort, Image, Record};
use crate::records::CHANGES;
use crate::stage::{Stage, State};

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

/// As [`sound`], of a vault that must be in one of these states at each point.
fn always_one_of(record: &Record, states: &[State], effort: Effort) -> u64 {
    sound(record, effort, |stage, steps| one_of(states, steps, &stage.path("v.redb")))
}

/// The vault must be in the state after the acknowledged steps, or after one more.
fn one_of(states: &[State], steps: usize, path: &Path) -> Result<(), String> {
    match stage::contents(path, &records::hosts()) {
        Ok(Some(state)) if states[steps..].iter().take(2).any(|known| *known == state) => Ok(()),
        Ok(Some(state)) => {
            let known = states.iter().position(|known| *known == state);
            Err(format!("{steps} steps were acknowledged, and there is the state after {known:?}"))
        }
        Ok(None) => Err("there is no vault".to_owned()),
        Err(error) => Err(format!("{error} ({error:?})")),
    }
}

/// No vault until it is acknowledged, or a whole one (with its slot) that its secret opens.
fn made(stage: &Stage, steps: usize) -> Result<(), String> {
    let keys = [KeySource::Machine(stage.path("machine.key"))];
    match stage::contents(&stage.path("v.redb"), &keys) {
        // The slot, which key opened it, the setting, and the number of writes.
        Ok(Some(state)) if state.len() == 4 => Ok(()),
        Ok(None) if steps == 0 => Ok(()),
        other => Err(format!("after {steps} steps: {other:?}")),
    }
}

/// Either vault as it was; and where the new one is, the old one is kept.
fn kept(states: &[State], stage: &Stage, steps: usize) -> Result<(), String> {
    one_of(states, steps, &stage.path("v.redb"))?;
    let here =
        stage::contents(&stage.path("v.redb"), &records::hosts()).map_err(|e| e.to_string())?;
    if here.as_ref() != Some(&states[1]) {
        return Ok(());
    }
    let files = stage::files_in(stage.path("").as_path());
    let Some(name) = files.keys().find(|name| name.contains(".before-")) else {
        return Err("the vault that was replaced is not kept".to_owned());
    };
    match stage::contents(&stage.path(name), &records::hosts()) {
        Ok(Some(state)) if state == states[0] => Ok(()),
        other => Err(format!("what was kept is not what was replaced: {other:?}")),
    }
}

#[test]
fn no_loss_of_power_loses_what_was_acknowledged() {
    let mut images = sound(&records::making(), effort(60, 60), made);
    // Opening and closing is the same whatever is changed in between.
    let changes = [
        records::changes("kept open", &Options::new(), CHANGES),
        records::changes("one shot", &Options::new().one_shot(), 4),
    ];
    for (record, states) in changes {
        images += always_one_of(&record, &states, effort(30, 30));
    }
    for (record, states) in [records::rotating(), records::rotating_vault_key()] {
        images += always_one_of(&record, &states, effort(8, 4));
    }
    let (record, states) = records::compacting();
    images += always_one_of(&record, &states, effort(60, 60));
    let (record, states) = records::restoring();
    images += sound(&record, effort(60, 60), |stage, steps| kept(&states, stage, steps));
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
    let (record, states) = records::changes("a sync left out", &Options::new(), CHANGES);
    all_syncs_matter(&record, &states, effort(30, 30));
    // All but the last step, which is no write of the file that is there.
    for (mut record, states) in [records::rotating(), records::rotating_vault_key()] {
        record.acknowledged.pop();
        all_syncs_matter(&record, &states, Effort { all_subsets: 3, ..effort(8, 4) });
    }
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
    let record = records::making();
    let syncs: Vec<usize> = (0..record.events.len())
        .filter(|at| matches!(record.events[*at], Event::SyncDirectory { .. }))
        .collect();
    let broken = without(&record, *syncs.last().unwrap(), "init, its last sync left out");
    let effort = Effort { recovery_every: 0, ..effort(100, 0) };
    let (_, findings) = campaign(&broken, effort, made);
    assert!(!findings.is_empty(), "an init without its last sync went unnoticed");
}
