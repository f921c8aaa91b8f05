//! Whole processes side by side: `credb` and a bare program that does the least that the same
//! work needs, one redb operation and one Fernet operation, on files with as many rows.
//!
//! Runs alternate, so that both meet the same machine; what counts is the ratio of the medians.
//! `cargo bench --bench against_bare` prints a table; `CREDB_BENCH_RUNS` sets the runs of each.

#[path = "support/bare.rs"]
mod bare;
#[path = "support/figures.rs"]
mod figures;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use credb::{Condition, CredentialId, Edit, NewKey, Options, Vault};
use fernet::Fernet;
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable};

use self::bare::{ROWS, builder, fernet, sealed};
use self::figures::{Anything, copied, median, ratio, setting};

fn main() -> Anything<()> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("bare-get") => bare_get(Path::new(&arguments[2]), &arguments[3]),
        Some("bare-set") => bare_set(Path::new(&arguments[2]), &arguments[3]),
        Some("bare-list") => bare_list(Path::new(&arguments[2])),
        _ => compare(),
    }
}

fn open_row(fernet: &Fernet, row: &[u8]) -> Anything<Vec<u8>> {
    let text = data_encoding::BASE64URL.encode(row);
    fernet.decrypt_at_time(&text, None, 0).map_err(|_| "altered".into())
}

fn bare_get(path: &Path, key: &str) -> Anything<()> {
    let file = FileBackend::new(std::fs::File::open(path)?)?;
    let database = builder().open_read_only_with_backend(file)?;
    let table = database.begin_read()?.open_table(ROWS)?;
    let row = table.get(key.as_bytes())?.ok_or("no such row")?;
    let plaintext = open_row(&fernet()?, row.value())?;
    std::io::stdout().write_all(&plaintext[..16])?;
    Ok(())
}

fn bare_set(path: &Path, key: &str) -> Anything<()> {
    let database: Database = builder().open(path)?;
    let transaction = database.begin_write()?;
    transaction.open_table(ROWS)?.insert(key.as_bytes(), sealed(&fernet()?)?.as_slice())?;
    transaction.commit()?;
    Ok(())
}

fn bare_list(path: &Path) -> Anything<()> {
    let file = FileBackend::new(std::fs::File::open(path)?)?;
    let database = builder().open_read_only_with_backend(file)?;
    let table = database.begin_read()?.open_table(ROWS)?;
    let fernet = fernet()?;
    let mut out = Vec::new();
    for entry in table.iter()? {
        let (key, row) = entry?;
        let plaintext = open_row(&fernet, row.value())?;
        out.extend_from_slice(key.value());
        out.push(b'\t');
        out.extend_from_slice(&plaintext[..16]);
        out.push(b'\n');
    }
    std::io::stdout().write_all(&out)?;
    Ok(())
}

fn vault(path: &Path, key_file: &Path, rows: u32) -> Anything<()> {
    let key = NewKey::File(key_file.to_owned());
    let vault = Vault::create(path, &Options::new(), &key)?;
    vault.write(|transaction| {
        for number in 0..rows {
            let edit = Edit::new().username("root").password("a password of usual length");
            let id = CredentialId::new(format!("id{number:07}"))?;
            transaction.set_if(&id, &edit, Condition::Always)?;
        }
        Ok(())
    })?;
    Ok(())
}

struct Side {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Side {
    fn run(&self, key_file: &Path, input: &str) -> Anything<Duration> {
        let started = Instant::now();
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env("CREDB_KEY_FILE", key_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        child.stdin.take().ok_or("stdin")?.write_all(input.as_bytes()).ok();
        let status = child.wait()?;
        let took = started.elapsed();
        if status.success() { Ok(took) } else { Err(format!("{:?}", self.arguments).into()) }
    }
}

fn compare() -> Anything<()> {
    let runs = setting("CREDB_BENCH_RUNS", 201);
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let bench = copied(&std::env::current_exe()?, directory.path())?;
    let credb = copied(Path::new(env!("CARGO_BIN_EXE_credb")), directory.path())?;
    let key_file = directory.path().join("bench.key");
    let mut out = std::io::stdout();
    writeln!(out, "| work | rows | credb, median | bare, median | ratio |")?;
    writeln!(out, "| --- | --- | --- | --- | --- |")?;
    for rows in [1_000, 100_000] {
        let ours = directory.path().join(format!("{rows}.redb"));
        let bare = directory.path().join(format!("{rows}.bare"));
        vault(&ours, &key_file, rows)?;
        bare::fill(&bare, rows as usize, |number| format!("id{number:07}"))?;
        let (ours, bare) = (ours.display().to_string(), bare.display().to_string());
        for work in ["get", "set", "list"] {
            if work == "list" && rows < 100_000 {
                continue;
            }
            let mut times = (Vec::new(), Vec::new());
            let count = if work == "list" { runs.div_ceil(10) } else { runs };
            for run in 0..count {
                let id = format!("id{:07}", (run * 7_919) % rows as usize);
                let mut left = vec!["--vault".to_owned(), ours.clone(), work.to_owned()];
                let mut right = vec![format!("bare-{work}"), bare.clone()];
                match work {
                    "get" => left.extend([id.clone(), "--field".into(), "password".into()]),
                    "set" => left.extend([id.clone(), "--password-stdin".into()]),
                    _ => {}
                }
                right.push(id);
                let input = format!("password number {run}");
                let left = Side { program: credb.clone(), arguments: left };
                let right = Side { program: bench.clone(), arguments: right };
                times.0.push(left.run(&key_file, &input)?);
                times.1.push(right.run(&key_file, &input)?);
            }
            let (left, right) = (median(times.0), median(times.1));
            let ratio = ratio(left, right);
            writeln!(out, "| {work} | {rows} | {left:.2?} | {right:.2?} | {ratio:.2} |")?;
        }
    }
    Ok(())
}
