//! Workers that go through the images, and who watches over them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::check::{Step, check};
use crate::image::Image;
use crate::support::Random;
use crate::vault::{Known, make};

/// Names the directory of a worker; makes this test program one.
const WORKER: &str = "CREDB_DAMAGE_WORKER";

/// The first position of a worker, its workers' number, the seed.
const PLAN: &str = "CREDB_DAMAGE_PLAN";

const WORKERS: usize = 2;

/// The memory of a worker in bytes.
const MEMORY: u64 = 6 * 1_073_741_824;

/// What no step takes: then it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// After so many steps a worker's watch tells how far it is.
const TOLD: usize = 50_000;

/// The exit code of the panic hook.
const DAMAGED: i32 = 6;

/// How many of what there were.
type Tally = BTreeMap<String, usize>;

#[test]
fn every_answer_from_a_damaged_vault_is_right_or_an_error() {
    let (_, seed) = Random::from_environment("CREDB_DAMAGE_SEED");
    let dir = directory();
    make(&dir.path().join("good.redb")).expect("make the vault");
    let good = fs::read(dir.path().join("good.redb")).expect("read the vault");
    let images = Image::all(good.len(), seed, scale());
    let known = Known::new();
    let intact = check(&dir.path().join("good.redb"), Image::Cut(good.len()), Step::Read, &known);
    assert!(intact.violations.is_empty() && intact.errors.is_empty(), "{:?}", intact.violations);
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let watch = |number| {
            let (dir, images) = (dir.path(), &images);
            scope.spawn(move || Watch::new(dir, images, seed, number).run())
        };
        let watches: Vec<_> = (0..WORKERS).map(watch).collect();
        watches.into_iter().map(|watch| watch.join().expect("a watch")).collect()
    });
    let mut tally = Tally::new();
    for (name, count) in tallies.into_iter().flatten() {
        *tally.entry(name).or_default() += count;
    }
    report(&format!("{} images of {} bytes: {tally:#?}", images.len(), good.len()));
    let wrong: Vec<_> = tally.keys().filter(|name| name.starts_with("WRONG")).collect();
    assert!(wrong.is_empty(), "{} wrong answers: {wrong:#?}", wrong.len());
}

/// Starts a worker again wherever it ends.
struct Watch<'a> {
    dir: &'a Path,
    images: &'a [Image],
    seed: u64,
    number: usize,
    tally: Tally,
    /// The position that was told last.
    told: usize,
}

impl<'a> Watch<'a> {
    fn new(dir: &'a Path, images: &'a [Image], seed: u64, number: usize) -> Self {
        Self { dir, images, seed, number, tally: Tally::new(), told: 0 }
    }

    fn run(mut self) -> Tally {
        let end = self.images.len() * Step::ALL.len();
        let mut position = 0;
        while position < end {
            let mut child = self.start(position);
            let lines = lines(&mut child);
            loop {
                match lines.recv_timeout(PATIENCE) {
                    Ok(line) => self.take(&line, &mut position),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        self.wrong(position, "it hangs");
                        child.kill().expect("kill a worker");
                    }
                }
            }
            let status = child.wait().expect("wait for a worker");
            if position < end {
                match status.code() {
                    Some(DAMAGED) => self.count("gave up on by the engine"),
                    _ => self.wrong(position, &format!("{:?} {status}", status.signal())),
                }
                position += 1;
            }
        }
        self.tally
    }

    fn start(&self, position: usize) -> Child {
        Command::new(std::env::current_exe().expect("this program"))
            .args(["sweep::worker", "--exact", "--nocapture", "--quiet"])
            .env(WORKER, self.dir)
            .env(PLAN, format!("{position} {} {}", self.number, self.seed))
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start a worker")
    }

    /// A line of a worker: `at POSITION` before a step, else what came of it.
    fn take(&mut self, line: &str, position: &mut usize) {
        match line.split_once(' ') {
            Some(("@at", at)) => {
                *position = at.parse().expect("a position");
                self.tell(*position);
            }
            Some(("@is", what)) => self.count(what),
            Some(("@wrong", what)) => self.wrong(*position, what),
            _ => {}
        }
    }

    /// How far a long run is.
    fn tell(&mut self, position: usize) {
        if position >= self.told + TOLD {
            self.told = position;
            let wrong = self.tally.keys().filter(|name| name.starts_with("WRONG"));
            let steps = self.images.len() * Step::ALL.len();
            report(&format!("{position} of {steps} steps, {} wrong answers", wrong.count()));
        }
    }

    fn count(&mut self, what: &str) {
        *self.tally.entry(what.to_owned()).or_default() += 1;
    }

    fn wrong(&mut self, position: usize, what: &str) {
        let (image, step) = self.at(position);
        self.count(&format!("WRONG {image:?} {step:?}: {what}"));
    }

    fn at(&self, position: usize) -> (Image, Step) {
        let steps = Step::ALL.len();
        (self.images[position / steps], Step::ALL[position % steps])
    }
}

/// No test: what a worker does.
#[test]
fn worker() {
    let Some(dir) = std::env::var_os(WORKER) else { return };
    let dir = Path::new(&dir);
    let plan = std::env::var(PLAN).expect("a plan");
    let plan: Vec<u64> = plan.split(' ').map(|part| part.parse().expect("a number")).collect();
    let [first, number, seed] = plan[..] else { panic!("a plan of three") };
    confine();
    let good = fs::read(dir.join("good.redb")).expect("read the vault");
    let images = Image::all(good.len(), seed, scale());
    let known = Known::new();
    // A worker that ended in the middle of a copy leaves its draft behind.
    let own = dir.join(format!("worker-{number}"));
    drop(fs::remove_dir_all(&own));
    fs::create_dir(&own).expect("make a directory");
    let path = own.join("v.redb");
    let steps = Step::ALL.len();
    for position in usize::try_from(first).expect("a position")..images.len() * steps {
        if position / steps % WORKERS != usize::try_from(number).expect("a number") {
            continue;
        }
        let (image, step) = (images[position / steps], Step::ALL[position % steps]);
        println!("@at {position}");
        fs::write(&path, image.of(&good)).expect("write an image");
        let check = check(&path, image, step, &known);
        for wrong in &check.violations {
            println!("@wrong {wrong}");
        }
        println!("@is {step:?}: {}", check.summary());
    }
    println!("@at {}", images.len() * steps);
}

/// As the terminal program sets itself up, and with bounded memory.
#[expect(clippy::exit, reason = "what the panic hook of the program does")]
fn confine() {
    let mut limit = getrlimit(Resource::As);
    limit.current = Some(MEMORY);
    setrlimit(Resource::As, limit).expect("bound the memory");
    std::panic::set_hook(Box::new(|panic| {
        if credb::inside_store_call() {
            drop(std::io::stdout().flush());
            std::process::exit(DAMAGED);
        }
        drop(writeln!(std::io::stdout(), "@wrong {panic}"));
    }));
}

fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take().expect("a pipe");
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// How many times the usual sample is checked.
pub(crate) fn scale() -> usize {
    match std::env::var("CREDB_DAMAGE") {
        Ok(value) if value == "full" => usize::MAX,
        Ok(value) => value.parse().expect("CREDB_DAMAGE: a number or `full`"),
        Err(_) => 1,
    }
}

/// In memory where the machine has such a place.
fn directory() -> TempDir {
    let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
    dir.expect("temporary directory")
}

#[expect(clippy::print_stderr, reason = "how much was checked belongs into the test's output")]
pub(crate) fn report(text: &str) {
    eprintln!("{text}");
}
