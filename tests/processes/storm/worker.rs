//! What a process of a storm does until it is killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use credb::{
    Condition, Credential, CredentialId, Edit, Error, KeySource, NewKey, Options, Overwrite, Query,
    Result, Vault,
};

use super::log::Writer;
use super::{HOST, moves, open, rotation, this_program, vault_path};
use crate::history::{Answer, Call};
use crate::support::Random;

/// The ids that are changed one by one.
pub(super) const IDS: [&str; 5] = ["counter", "a", "b", "c", "d"];

/// The ids that are only changed together.
pub(super) const PAIR: [&str; 2] = ["left", "right"];

/// The id that goes back and forth between its first two values.
const UNDONE: &str = "undone";

/// Names the directory of a process; makes this test program one.
const DIRECTORY: &str = "CREDB_STORM_DIRECTORY";

/// Its name, role, lifetime and seed.
const PLAN: &str = "CREDB_STORM_PLAN";

/// Longer than the others work together.
const WAIT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Mixed,
    /// Takes copies and restores them.
    Restoring,
}

/// Starts a process.
pub(super) fn start(dir: &Path, name: &str, role: Role, seed: u64) -> Child {
    let role = if role == Role::Mixed { "mixed" } else { "restoring" };
    this_program()
        .args(["storm::worker::process", "--exact"])
        .env(DIRECTORY, dir)
        .env(PLAN, format!("{name} {role} {seed}"))
        .spawn()
        .expect("start a process")
}

/// No test: what a process does.
#[test]
fn process() {
    let Some(dir) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let plan = std::env::var(PLAN).expect("a plan");
    let plan: Vec<&str> = plan.split(' ').collect();
    let mut random = Random::new(plan[2].parse().expect("a seed"));
    let options = Options::new().wait(WAIT);
    let keeps_open = random.below(2) == 0;
    let options = if keeps_open { options } else { options.one_shot() };
    let writer = Writer::open(&dir, plan[0]);
    let mut worker =
        Worker { vault: None, options, keeps_open, writer, random, seen: BTreeMap::new(), dir };
    while !worker.dir.join("stop").exists() {
        let done = if plan[1] == "mixed" { worker.step() } else { worker.restore() };
        if let Err(error) = done {
            worker.writer.failed(&format!("{error:?}"));
        }
    }
}

struct Worker {
    dir: PathBuf,
    options: Options,
    keeps_open: bool,
    vault: Option<Vault>,
    writer: Writer,
    random: Random,
    /// The versions last seen, for conditions.
    seen: BTreeMap<&'static str, u64>,
}

impl Worker {
    fn open(&mut self) -> Result<Vault> {
        if let Some(vault) = self.vault.take() {
            return Ok(vault);
        }
        let key = [KeySource::Hostname(HOST.to_owned())];
        Vault::open(&vault_path(&self.dir), &self.options, &key)
    }

    /// One call. An error is one that must not be.
    fn step(&mut self) -> Result<()> {
        let vault = self.open()?;
        let one = *self.random.pick(&IDS);
        let value = format!("{:016x}", self.random.next());
        match self.random.below(100) {
            0..19 => self.set_if(&vault, one, value)?,
            19..25 => moves::step(&vault, &mut self.random, &value, &self.writer)?,
            71..75 => moves::read(&vault, &self.writer).map(drop)?,
            25..40 => {
                let call = Call::Set(value.clone());
                self.change(&[one], &call, || {
                    vault.set(&id(one), &edit(&value)).map(|change| stored(&change))
                })?;
            }
            40..52 => {
                let change = || {
                    vault.write(|transaction| {
                        for one in PAIR {
                            transaction.set_if(&id(one), &edit(&value), Condition::Always)?;
                        }
                        Ok(transaction
                            .find(&id(PAIR[0]))?
                            .map_or(0, |found| found.metadata.version))
                    })
                };
                self.change(&PAIR, &Call::Set(value.clone()), || change().map(Answer::Stored))?;
            }
            52..60 if one != "counter" => {
                let change = || vault.remove(&id(one)).map(|()| Answer::Done);
                self.change(&[one], &Call::Remove, change)?;
            }
            52..75 => {
                let version = read(&vault, one, &self.writer);
                self.seen.insert(one, version);
            }
            75..85 => read_pair(&vault, &self.writer)?,
            85..88 => undo(&vault, &value)?,
            88..91 => read_history(&vault, &self.writer)?,
            91..95 => list(&vault, &Call::Read, &self.writer),
            95..98 => rotation::rotate(&vault, &mut self.random, &self.writer)?,
            _ => match vault.compact(&|_, _| {}) {
                Ok(_) | Err(Error::OutcomeUnknown { .. }) => {}
                Err(error) => return Err(error),
            },
        }
        if self.keeps_open {
            self.vault = Some(vault);
        }
        Ok(())
    }

    fn set_if(&mut self, vault: &Vault, one: &'static str, value: String) -> Result<()> {
        let version = self.seen.get(one).copied().unwrap_or_default();
        let condition =
            if version == 0 { Condition::IfAbsent } else { Condition::IfVersion(version) };
        let edit = edit(&value);
        let call = Call::SetIf(version, value);
        let change = || vault.set_if(&id(one), &edit, condition).map(|change| stored(&change));
        let answer = self.change(&[one], &call, change)?;
        if let Some(Answer::Stored(version) | Answer::Refused(version)) = answer {
            self.seen.insert(one, version);
        }
        Ok(())
    }

    /// Logs a change of these ids and its answer, which is the same for all.
    fn change(
        &self,
        ids: &[&str],
        call: &Call,
        work: impl FnOnce() -> Result<Answer>,
    ) -> Result<Option<Answer>> {
        let name = self.writer.begin(ids, call);
        let answer = match work() {
            Ok(answer) => Some(answer),
            Err(Error::NotFound { .. }) => Some(Answer::Absent),
            Err(Error::AlreadyExists { version, .. }) => Some(Answer::Refused(version)),
            Err(Error::VersionMismatch { actual, .. }) => Some(Answer::Refused(actual)),
            Err(Error::OutcomeUnknown { .. }) => None,
            Err(error) => return Err(error),
        };
        let answers: Vec<_> = match &answer {
            Some(answer) => ids.iter().map(|id| (*id, answer.clone())).collect(),
            None => Vec::new(),
        };
        self.writer.end(&name, &answers);
        Ok(answer)
    }

    /// Takes a copy and, a little later, restores it.
    fn restore(&mut self) -> Result<()> {
        let all = [&IDS[..], &PAIR].concat();
        let number = u32::try_from(self.random.below(u64::from(u32::MAX))).expect("a number");
        let copy = self.dir.join(format!("copy-{number}.redb"));
        let vault = self.open()?;
        let back_up = || vault.backup(&copy, Overwrite::Never, &|_, _| {}).map(|_| Answer::Done);
        self.change(&all, &Call::Save(number), back_up)?;
        drop(vault);
        std::thread::sleep(Duration::from_millis(self.random.below(300)));
        let key = NewKey::Hostname(HOST.to_owned());
        let source = Vault::open(&copy, &self.options, &[KeySource::from(&key)])?;
        let mut kept = None;
        let restore = || {
            let done = source.restore(&vault_path(&self.dir), &self.options, &key, &|_, _| {})?;
            kept = done.kept;
            Ok(Answer::Done)
        };
        self.change(&all, &Call::Restore(number), restore)?;
        if let Some(kept) = kept {
            self.writer.keeps(&kept);
            // Nothing acknowledged is lost: what was there before is in the file that is kept.
            list(&open(&kept), &Call::ReadKept(number), &self.writer);
        }
        std::thread::sleep(Duration::from_millis(self.random.below(300)));
        Ok(())
    }
}

/// Reads one and logs it; its version, or 0.
pub(super) fn read(vault: &Vault, one: &str, writer: &Writer) -> u64 {
    let name = writer.begin(&[one], &Call::Read);
    match vault.read(|snapshot| snapshot.find(&id(one))) {
        Ok(found) => {
            let answer = found.as_ref().map_or(Answer::Absent, answer);
            writer.end(&name, &[(one, answer)]);
            found.map_or(0, |found| found.metadata.version)
        }
        Err(error) => {
            writer.failed(&format!("read: {error:?}"));
            0
        }
    }
}

/// Goes back one version of an id of its own, or makes it. What comes back is what was stored.
fn undo(vault: &Vault, value: &str) -> Result<()> {
    vault.write(|transaction| {
        let undone = transaction.undo(&id(UNDONE), None, Condition::Always);
        match undone {
            Err(Error::NotFound { .. } | Error::NoEarlierVersion { .. }) => {}
            undone => return undone.map(drop),
        }
        transaction.set_if(&id(UNDONE), &edit(value), Condition::Always).map(drop)
    })
}

/// One committed state has the versions just before the present one, ten at most, and a present
/// one that went back has the value of one of them.
fn read_history(vault: &Vault, writer: &Writer) -> Result<()> {
    for one in IDS.iter().chain(&PAIR).chain(&[UNDONE, moves::PURGED]) {
        let (found, history) = vault.read(|snapshot| {
            let history = match snapshot.history(&id(one)) {
                Err(Error::NotFound { .. }) => Vec::new(),
                history => history?,
            };
            Ok((snapshot.find(&id(one))?, history))
        })?;
        let versions: Vec<u64> =
            history.iter().map(|earlier| earlier.credential.metadata.version).collect();
        let newest = found.as_ref().map_or_else(
            || versions.first().copied().unwrap_or_default(),
            |found| found.metadata.version - 1,
        );
        let expected: Vec<u64> = (1..=newest).rev().take(10).collect();
        if versions != expected {
            writer.failed(&format!("history of {one}: {versions:?} and not {expected:?}"));
        }
        let before = history.get(1).map(|earlier| &earlier.credential.password);
        if let (UNDONE, Some(found), Some(before)) = (*one, found, before)
            && found.metadata.version >= 3
            && found.password != *before
        {
            writer.failed("an undo that did not bring back what was before");
        }
    }
    Ok(())
}

fn read_pair(vault: &Vault, writer: &Writer) -> Result<()> {
    let name = writer.begin(&PAIR, &Call::Read);
    let found =
        vault.read(|snapshot| Ok([snapshot.find(&id(PAIR[0]))?, snapshot.find(&id(PAIR[1]))?]))?;
    let [left, right] = found.map(|found| found.as_ref().map_or(Answer::Absent, answer));
    writer.end(&name, &[(PAIR[0], left), (PAIR[1], right)]);
    Ok(())
}

/// Lists all and logs it.
pub(super) fn list(vault: &Vault, call: &Call, writer: &Writer) {
    let all = [&IDS[..], &PAIR].concat();
    let name = writer.begin(&all, call);
    let listed = match vault.list(&Query::all()) {
        Ok(listed) => listed,
        Err(error) => return writer.failed(&format!("list: {error:?}")),
    };
    let answers: Vec<(&str, Answer)> = all
        .iter()
        .map(|one| {
            let found = listed.iter().find(|found| found.id.as_str() == *one);
            let found = found.map(|metadata| Answer::Found(metadata.version, None));
            (*one, found.unwrap_or(Answer::Absent))
        })
        .collect();
    writer.end(&name, &answers);
}

fn answer(found: &Credential) -> Answer {
    let value = found.password.expose_str().map(str::to_owned);
    Answer::Found(found.metadata.version, value)
}

fn stored(change: &credb::Change) -> Answer {
    Answer::Stored(change.version)
}

pub(super) fn edit(value: &str) -> Edit {
    Edit::new().password(value)
}

pub(super) fn id(text: &str) -> CredentialId {
    CredentialId::new(text).expect("an id")
}
