//! Kill storms: eight processes that set, set on conditions, change several at once, remove, read,
//! list, rename, copy, purge, prepare new passwords, compact, rotate keys and restore, killed at
//! random. Every call and every answer is logged,
//! and must fit some order of the calls.
//!
//! The processes are this test program again, with handles kept open or opened for each call. The
//! log is one file that all append to: a line before and a line after each call, so that the order
//! of its lines is one in time.
//!
//!   `CREDB_STORM_SECONDS`   how long each of the storms takes (default 25)
//!   `CREDB_STORM_SEED`      which choices are made

mod log;
mod moves;
mod rotation;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use credb::{KeySource, NewKey, Options, Vault};
use tempfile::TempDir;

use self::log::{Log, Writer};
use self::worker::{IDS, PAIR, Role};
use crate::history;
use crate::support::Random;

const PROCESSES: usize = 8;
const HOST: &str = "host-a";

#[test]
fn every_answer_fits_an_order_of_the_calls() {
    Storm::new().run(&[Role::Mixed; PROCESSES]).check();
}

#[test]
fn every_answer_fits_an_order_of_the_calls_with_restores_among_them() {
    let mut roles = [Role::Mixed; PROCESSES];
    roles[0] = Role::Restoring;
    let storm = Storm::new().run(&roles);
    storm.kept();
    storm.check();
}

/// A vault and the processes on it.
struct Storm {
    dir: TempDir,
    random: Random,
    seed: u64,
    kills: usize,
}

impl Storm {
    fn new() -> Self {
        let (random, seed) = Random::from_environment("CREDB_STORM_SEED");
        let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
        let dir = dir.expect("temporary directory");
        let key = NewKey::Hostname(HOST.to_owned());
        Vault::create(&vault_path(dir.path()), &Options::new(), &key).expect("create a vault");
        Self { dir, random, seed, kills: 0 }
    }

    /// Keeps one process of each role going, kills it at random and starts it again.
    fn run(mut self, roles: &[Role]) -> Self {
        let writer = Writer::open(self.dir.path(), "storm");
        let mut started = 0;
        let mut processes: Vec<Process> = Vec::new();
        for role in roles {
            processes.push(self.start(*role, &mut started));
        }
        let end = Instant::now() + duration();
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(1 + self.random.below(12)));
            for process in &mut processes {
                if process.until < Instant::now() || process.has_ended() {
                    process.kill();
                    self.kills += 1;
                    writer.died(&process.name);
                    *process = self.start(process.role, &mut started);
                }
            }
        }
        fs::write(self.dir.path().join("stop"), "").expect("write a file");
        for mut process in processes {
            process.ends();
            writer.died(&process.name);
        }
        self.read_all(&writer);
        self
    }

    fn start(&mut self, role: Role, started: &mut usize) -> Process {
        *started += 1;
        let name = format!("p{started}");
        let seed = self.random.next();
        let child = worker::start(self.dir.path(), &name, role, seed);
        let until = Instant::now() + Duration::from_millis(20 + self.random.below(900));
        Process { child, name, role, until }
    }

    /// The last reads of the history, and whether the vault is whole.
    fn read_all(&self, writer: &Writer) {
        let vault = open(&vault_path(self.dir.path()));
        for id in IDS.iter().chain(&PAIR) {
            worker::read(&vault, id, writer);
        }
        worker::list(&vault, &history::Call::Read, writer);
        rotation::complete(&vault);
        worker::list(&vault, &history::Call::Read, writer);
        assert!(moves::read(&vault, writer).expect("read"), "seed {}: nothing moved", self.seed);
        let found = vault.verify(&|_, _| {}).expect("verify");
        assert!(found.is_ok(), "seed {}: {:?}", self.seed, found.damaged);
    }

    /// What the acknowledged restores kept is whole.
    fn kept(&self) {
        for path in Log::read(self.dir.path()).kept() {
            let found = open(&path).verify(&|_, _| {}).expect("verify what was kept");
            assert!(found.is_ok(), "seed {}: {}: {:?}", self.seed, path.display(), found.damaged);
        }
    }

    fn check(&self) {
        let log = Log::read(self.dir.path());
        let summary = log.summary();
        report(&format!("{} kills; {summary}", self.kills));
        assert!(log.failures().is_empty(), "seed {}: {:#?}", self.seed, log.failures());
        for id in IDS.iter().chain(&PAIR) {
            if let Err(impossible) = history::check(&log.history(id)) {
                let kept = self.keep_log();
                panic!("seed {}: \"{id}\": {impossible} (log: {})", self.seed, kept.display());
            }
        }
        log.versions_are_dense_and_unique();
        log.pairs_agree();
        assert!(log.rotations() > 0, "no rotation came to its end: {summary}");
        assert!(log.acknowledged() > 100, "too little was done: {summary}");
    }

    fn keep_log(&self) -> PathBuf {
        let kept = std::env::temp_dir().join(format!("credb-storm-{}.log", self.seed));
        fs::copy(self.dir.path().join(log::NAME), &kept).expect("keep the log");
        kept
    }
}

struct Process {
    child: Child,
    name: String,
    role: Role,
    until: Instant,
}

impl Process {
    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("look at a process").is_some()
    }

    fn kill(&mut self) {
        drop(self.child.kill());
        self.child.wait().expect("wait for a process");
    }

    /// Ends by itself, soon.
    fn ends(&mut self) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.has_ended() {
            assert!(Instant::now() < end, "{} does not come to its end", self.name);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn duration() -> Duration {
    let seconds = std::env::var("CREDB_STORM_SECONDS").ok();
    let seconds = seconds.map_or(25, |text| text.parse().expect("CREDB_STORM_SECONDS"));
    Duration::from_secs(seconds)
}

fn vault_path(dir: &Path) -> PathBuf {
    dir.join("v.redb")
}

fn open(path: &Path) -> Vault {
    let key = [KeySource::Hostname(HOST.to_owned())];
    Vault::open(path, &Options::new(), &key).expect("open a vault")
}

fn this_program() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[expect(clippy::print_stderr, reason = "how much was checked belongs into the test's output")]
fn report(text: &str) {
    eprintln!("{text}");
}
