//! The program on any vault file: it ends in time, by no signal and with an exit code for damage;
//! where it succeeds it gives what was stored.
//!
//! The program is a child, since the storage engine may panic, abort or ask for any memory on a
//! damaged file. `CREDB_FUZZ_PROGRAM` names it (default: ../target/debug/credb). An input that begins
//! as redb files do is the file; any other one is a script that damages `tests/data/format1.redb`.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;

const FIXTURE: &[u8] = include_bytes!("../../tests/data/format1.redb");
const IDS: &str = "api/\u{1f511}\ndb/mysql-prod\nempty\nlarge\nnot-utf8\n";
const PAGE: usize = 4_096;

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The address space that a call may have, in KiB.
const MEMORY: u64 = 2_097_152;

fuzz_target!(|input: &[u8]| {
    let scratch = Scratch::new();
    let vault = scratch.0.join("v.redb");
    let (file, choice) = file(input);
    fs::write(&vault, file).expect("write a vault");

    let listed = scratch.call(&vault, &["list", "--ids"]);
    if let Some(ids) = succeeded(&listed) {
        assert_eq!(String::from_utf8_lossy(ids), IDS, "a wrong list");
    }
    let stored = scratch.call(&vault, &["get", "db/mysql-prod", "--field", "password", "--raw"]);
    if let Some(password) = succeeded(&stored) {
        assert_eq!(password, b"P@ss word", "a wrong password");
    }
    match choice % 4 {
        0 => written(&scratch, &vault, &["set", "new", "--generate"], "new"),
        1 => written(&scratch, &vault, &["set", "large", "--generate"], "large"),
        2 => drop(succeeded(&scratch.call(&vault, &["info", "--json"]))),
        _ => {}
    }
});

/// A write that succeeds can be read, unless other damage shows then.
fn written(scratch: &Scratch, vault: &Path, arguments: &[&str], id: &str) {
    if succeeded(&scratch.call(vault, arguments)).is_some() {
        let found = scratch.call(vault, &["get", id, "--field", "password", "--raw"]);
        if let Some(password) = succeeded(&found) {
            assert!(password.len() >= 16, "not what was generated");
        }
    }
}

/// What it printed, if it succeeded; nothing if it told of damage.
fn succeeded(output: &Output) -> Option<&[u8]> {
    let told = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Some(&output.stdout),
        // The keys do not open, or the file is damaged or none of ours.
        Some(5 | 6) => None,
        _ => panic!("{}\n{told}", output.status),
    }
}

/// The file, and the byte that chooses what is done with it.
fn file(input: &[u8]) -> (Vec<u8>, u8) {
    if input.starts_with(b"redb") {
        return (input.to_vec(), input.last().copied().unwrap_or_default());
    }
    let mut file = FIXTURE.to_vec();
    let mut script = input.iter().copied();
    let choice = script.next().unwrap_or_default();
    while damage(&mut file, &mut script).is_some() {}
    (file, choice)
}

/// Carries out one command of the script: what, a page, an offset in it, and arguments.
fn damage(file: &mut Vec<u8>, script: &mut impl Iterator<Item = u8>) -> Option<()> {
    let what = script.next()?;
    let page = usize::from(script.next()?);
    let within = usize::from(u16::from_le_bytes([script.next()?, script.next()?]));
    if file.is_empty() {
        return None;
    }
    let at = (page * PAGE + within % PAGE) % file.len();
    match what % 8 {
        0..=2 => {
            let length = usize::from(script.next()?) % 16 + 1;
            for byte in file.iter_mut().skip(at).take(length) {
                *byte = script.next()?;
            }
        }
        3..=4 => file[at] ^= script.next()?,
        5 => file[at] = file[at].wrapping_add(script.next()?),
        6 => file.truncate(at),
        _ => {
            let from = usize::from(script.next()?) * PAGE % file.len() / PAGE * PAGE;
            let to = at / PAGE * PAGE;
            let end = (from + PAGE).min(file.len());
            let length = end.min(file.len() - to + from) - from;
            file.copy_within(from..from + length, to);
        }
    }
    Some(())
}

/// A directory for one run. Stays after a crash.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = parent.join(format!("credb-vault-file-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("make a directory");
        Self(path)
    }

    /// Runs the program and waits for its end, killing it past the limit.
    fn call(&self, vault: &Path, arguments: &[&str]) -> Output {
        let mut child = Command::new("/bin/sh")
            .args(["-c", &format!("ulimit -v {MEMORY}; exec \"$@\""), "sh"])
            .arg(program())
            .arg("--vault")
            .arg(vault)
            .args(["--hostname", "fixture-host", "--wait", "5"])
            .args(arguments)
            .env_clear()
            .env("HOME", &self.0)
            .env("XDG_DATA_HOME", &self.0)
            .env("XDG_CONFIG_HOME", &self.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the program");
        let started = Instant::now();
        // What it prints fits into a pipe.
        while child.try_wait().expect("wait for the program").is_none() {
            if started.elapsed() > LIMIT {
                let _ = child.kill();
                let output = child.wait_with_output().expect("wait for the program");
                panic!("no end of {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
            }
            sleep(Duration::from_micros(500));
        }
        child.wait_with_output().expect("read what it printed")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn program() -> PathBuf {
    std::env::var_os("CREDB_FUZZ_PROGRAM").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/credb"),
        PathBuf::from,
    )
}
