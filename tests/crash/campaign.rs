//! Every point of a record, and of each the losses to try: all of them where they are few, a
//! seeded sample where they are many.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use credb::simulate::Event;

use crate::disk::{Disk, Fate, Files, Loss};
use crate::random::Random;

/// What happened, from where, and how far what was done counts.
pub(crate) struct Record {
    pub(crate) name: &'static str,
    pub(crate) before: Disk,
    pub(crate) events: Vec<Event>,
    /// How many events had happened when each step was acknowledged.
    pub(crate) acknowledged: Vec<usize>,
}

impl Record {
    /// How many steps were acknowledged at this point.
    pub(crate) fn steps_at(&self, point: usize) -> usize {
        self.acknowledged.iter().filter(|done| **done <= point).count()
    }

    /// These events alone, as one step, on the disk as they found it.
    pub(crate) fn part(&self, events: Range<usize>) -> Self {
        let mut before = self.before.clone();
        for event in &self.events[..events.start] {
            before.apply(event);
        }
        let acknowledged = vec![events.len()];
        Self { name: self.name, before, events: self.events[events].to_vec(), acknowledged }
    }
}

/// How much to try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) seed: u64,
    /// Up to so many pending changes all subsets are tried.
    pub(crate) all_subsets: usize,
    /// Subsets tried at a point with more pending changes.
    pub(crate) sample: u64,
    /// Torn variants tried at each point.
    pub(crate) torn: u64,
    /// One image in so many is also cut during its recovery.
    pub(crate) recovery_every: u64,
}

/// An image that broke a promise.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) place: String,
    pub(crate) reason: String,
}

/// One image to check.
pub(crate) struct Image {
    pub(crate) files: Files,
    pub(crate) steps: usize,
    /// Whether its recovery is to be cut as well.
    pub(crate) cut_recovery: bool,
}

/// Checks the images of all points, on as many threads as there are processors; how many
/// different ones there were, and the first finding of each thread.
pub(crate) fn run<W>(
    record: &Record,
    effort: Effort,
    worker: impl Fn(usize) -> W + Sync,
    check: impl Fn(&mut W, &Image) -> Result<u64, String> + Sync,
) -> (u64, Vec<Finding>) {
    let disks = states(record);
    let next = AtomicUsize::new(0);
    let images = Mutex::new(0);
    let findings = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (disks, next, images, findings) = (&disks, &next, &images, &findings);
            let (worker, check) = (&worker, &check);
            scope.spawn(move || {
                let mut worker = worker(thread);
                loop {
                    let point = next.fetch_add(1, Ordering::Relaxed);
                    let Some(disk) = disks.get(point) else { break };
                    let mut check = |image: &Image| check(&mut worker, image);
                    match check_point(record, point, disk, effort, &mut check) {
                        Ok(count) => *images.lock().unwrap() += count,
                        Err(finding) => {
                            findings.lock().unwrap().push(finding);
                            next.store(disks.len(), Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    (images.into_inner().unwrap(), findings.into_inner().unwrap())
}

/// As [`run`], on this thread.
pub(crate) fn run_here(
    record: &Record,
    effort: Effort,
    mut check: impl FnMut(&Image) -> Result<u64, String>,
) -> (u64, Vec<Finding>) {
    let mut images = 0;
    for (point, disk) in states(record).iter().enumerate() {
        match check_point(record, point, disk, effort, &mut check) {
            Ok(count) => images += count,
            Err(finding) => return (images, vec![finding]),
        }
    }
    (images, Vec::new())
}

/// Checks the different images of one point; how many there were.
fn check_point(
    record: &Record,
    point: usize,
    disk: &Disk,
    effort: Effort,
    check: &mut impl FnMut(&Image) -> Result<u64, String>,
) -> Result<u64, Finding> {
    let mut seen = HashSet::new();
    let mut images = 0;
    for (number, loss) in losses(disk, point, effort).into_iter().enumerate() {
        let files = disk.after(&loss);
        if !seen.insert(fingerprint(&files)) {
            continue;
        }
        let cut_recovery =
            effort.recovery_every > 0 && (number as u64).is_multiple_of(effort.recovery_every);
        let image = Image { files, steps: record.steps_at(point), cut_recovery };
        images += check(&image).map_err(|reason| {
            let (name, seed, events) = (record.name, effort.seed, record.events.len());
            let place = format!(
                "{name} at event {point} of {events}, loss {number} (seed {seed}): {loss:?}"
            );
            Finding { place, reason }
        })?;
    }
    Ok(images)
}

/// The disk before the first event and after each.
fn states(record: &Record) -> Vec<Disk> {
    let mut disk = record.before.clone();
    let mut disks = vec![disk.clone()];
    for event in &record.events {
        disk.apply(event);
        disks.push(disk.clone());
    }
    disks
}

fn losses(disk: &Disk, point: usize, effort: Effort) -> Vec<Loss> {
    let count = disk.pending_changes();
    let mut random = Random::of(effort.seed, &[point as u64]);
    let subsets: Vec<Vec<bool>> = if count <= effort.all_subsets {
        (0..1_u64 << count).map(|bits| (0..count).map(|at| bits >> at & 1 == 1).collect()).collect()
    } else {
        sampled(count, &mut random, effort.sample)
    };
    let mut losses = Vec::new();
    for entries in 0..=disk.pending_entries() {
        let fate = |kept: &bool| if *kept { Fate::Whole } else { Fate::Lost };
        let whole = subsets.iter().map(|subset| subset.iter().map(fate).collect());
        losses.extend(whole.map(|changes| Loss { entries, changes }));
    }
    let whole = losses.len() as u64;
    for variant in 0..effort.torn {
        let mut loss = losses[usize::try_from(random.below(whole)).unwrap()].clone();
        tear(&mut loss.changes, if variant % 2 == 0 { 512 } else { 4_096 }, &mut random);
        losses.push(loss);
    }
    losses
}

/// None, all, all prefixes, each alone, all but each; the rest at random.
fn sampled(count: usize, random: &mut Random, sample: u64) -> Vec<Vec<bool>> {
    let of = |kept: &dyn Fn(usize) -> bool| (0..count).map(kept).collect::<Vec<bool>>();
    let mut subsets = vec![of(&|_| false), of(&|_| true)];
    for at in 0..count {
        subsets.push(of(&|other| other < at));
        subsets.push(of(&|other| other == at));
        subsets.push(of(&|other| other != at));
    }
    while (subsets.len() as u64) < sample {
        subsets.push((0..count).map(|_| random.below(2) == 1).collect());
    }
    subsets
}

/// Tears one or two of the writes that are kept.
fn tear(changes: &mut [Fate], sector: usize, random: &mut Random) {
    let kept: Vec<usize> = (0..changes.len()).filter(|at| changes[*at] == Fate::Whole).collect();
    if kept.is_empty() {
        return;
    }
    for _ in 0..=random.below(2) {
        let at = kept[usize::try_from(random.below(kept.len() as u64)).unwrap()];
        changes[at] = Fate::Torn { sector, seed: random.next() };
    }
}

fn fingerprint(files: &Files) -> u64 {
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    hasher.finish()
}
