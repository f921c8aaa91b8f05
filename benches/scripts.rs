//! What scripts save: one coprocess against a process for each `set`, `ensure` against `get`, and
//! a large batch against a bare program that seals and stores as many rows, sorted by their keys.
//!
//! What is compared runs in turns on the same machine; what counts is the ratio of the medians.
//! `cargo bench --bench scripts` prints a table; `CREDB_BENCH_RUNS` sets the runs of each call, and
//! `CREDB_BENCH_ROWS` the credentials of the batch.

#[path = "support/bare.rs"]
mod bare;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/place.rs"]
mod place;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use self::figures::{Anything, median, ratio, setting};
use self::place::{Place, batch};

const VAULT: &str = "scripts.redb";

fn main() -> Anything<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).map(String::as_str) == Some("bare-load") {
        // Two rows for each credential, in the order of their keys, in one transaction.
        let rows = 2 * arguments[3].parse::<usize>()?;
        return bare::fill(Path::new(&arguments[2]), rows, |number| format!("{number:020}"));
    }
    let place = Place::new()?;
    place.fill(VAULT, &[], &[], 1_000)?;
    let mut out = std::io::stdout();
    writeln!(out, "| one call | median | against | median | ratio |")?;
    writeln!(out, "| --- | --- | --- | --- | --- |")?;
    let (line, process) = sets(&place)?;
    let gain = ratio(line, process);
    writeln!(out, "| a line of `batch --each` | {line:.2?} | `set` | {process:.2?} | {gain:.2} |")?;
    let (ensure, get) = fresh(&place)?;
    let cost = ratio(ensure, get);
    writeln!(out, "| `ensure`, fresh | {ensure:.2?} | `get` | {get:.2?} | {cost:.2} |")?;
    let rows = setting("CREDB_BENCH_ROWS", 100_000);
    let (batch, bare) = loads(&place, rows)?;
    let cost = ratio(batch, bare);
    writeln!(out, "| `batch` of {rows} | {batch:.2?} | bare | {bare:.2?} | {cost:.2} |")?;
    Ok(())
}

fn runs() -> usize {
    setting("CREDB_BENCH_RUNS", 201)
}

/// A `set` as a line of a coprocess, and as a process: both durable when they are answered.
fn sets(place: &Place) -> Anything<(Duration, Duration)> {
    let mut coprocess = Coprocess::start(place)?;
    let mut times = (Vec::new(), Vec::new());
    for number in 0..runs() {
        let id = format!("id{}", (number * 7_919) % 1_000);
        let password = format!("password number {number}");
        times.0.push(coprocess.set(&id, &password)?);
        times.1.push(place.run(VAULT, &["set", &id, "--password-stdin"], &password)?);
    }
    coprocess.end()?;
    Ok((median(times.0), median(times.1)))
}

/// `ensure` of a password that is fresh, which runs nothing, and a `get` of it.
fn fresh(place: &Place) -> Anything<(Duration, Duration)> {
    let ensure = ["ensure", "id7", "--max-age", "1d", "--", "false"];
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..runs() {
        times.0.push(place.run(VAULT, &ensure, "")?);
        times.1.push(place.run(VAULT, &["get", "id7", "--field", "password"], "")?);
    }
    Ok((median(times.0), median(times.1)))
}

/// New credentials in one transaction, and as many records and rows of an index in a bare file.
fn loads(place: &Place, rows: usize) -> Anything<(Duration, Duration)> {
    let mut times = (Vec::new(), Vec::new());
    for run in 0..3 {
        let vault = format!("load{run}.redb");
        place.fill(&vault, &[], &[], 0)?;
        let lines = batch(rows);
        times.0.push(place.run(&vault, &["batch"], &lines)?);
        let started = Instant::now();
        let status = Command::new(std::env::current_exe()?)
            .arg("bare-load")
            .arg(place.path(&format!("load{run}.bare")))
            .arg(rows.to_string())
            .status()?;
        if !status.success() {
            return Err("the bare program".into());
        }
        times.1.push(started.elapsed());
    }
    Ok((median(times.0), median(times.1)))
}

/// `batch --each`, asked line by line.
struct Coprocess {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Coprocess {
    fn start(place: &Place) -> Anything<Self> {
        let mut command = place.command(VAULT, &["batch", "--each"]);
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let answers = BufReader::new(process.stdout.take().ok_or("stdout")?);
        Ok(Self { process, answers })
    }

    fn set(&mut self, id: &str, password: &str) -> Anything<Duration> {
        let started = Instant::now();
        let stdin = self.process.stdin.as_mut().ok_or("stdin")?;
        writeln!(stdin, r#"{{"op":"set","id":"{id}","password":"{password}"}}"#)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let took = started.elapsed();
        if answer.starts_with(r#"{"ok":true"#) { Ok(took) } else { Err(answer.into()) }
    }

    fn end(mut self) -> Anything<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { Err(format!("batch: {status}").into()) }
    }
}
