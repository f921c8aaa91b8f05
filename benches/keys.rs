//! What keys cost: the first command with each kind of key, and a rotation beside its users.
//!
//! Whole processes. What is compared runs in turns on the same machine; what counts is the ratio
//! of the medians. `cargo bench --bench keys` prints two tables; `CREDB_BENCH_RUNS` sets the runs
//! of each command, `CREDB_BENCH_ROWS` the credentials that are rotated.

#[path = "support/bare.rs"]
mod bare;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/place.rs"]
mod place;

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fernet::Fernet;
use redb::ReadableTable;

use self::bare::{ROWS, builder};
use self::figures::{Anything, median, ratio, setting};
use self::place::Place;

/// The key that rows are sealed with again.
const NEW_KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

/// How many rows a step of a rotation moves, as ours does.
const STEP: usize = 64;

fn main() -> Anything<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).map(String::as_str) == Some("bare-reseal") {
        return bare_reseal(Path::new(&arguments[2]));
    }
    let place = Place::new()?;
    first_commands(&place)?;
    rotation(&place)
}

fn first_commands(place: &Place) -> Anything<()> {
    let file = place.path("passphrase");
    std::fs::write(&file, "correct horse battery staple of the bench")?;
    std::fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    let file = file.display().to_string();
    let (made, opened) = (["--new-passphrase-file", &file], ["--passphrase-file", &file]);
    let key = [&["--key", "passphrase"], &made[..]].concat();
    place.fill("machine.redb", &[], &[], 1_000)?;
    place.fill("passphrase.redb", &key, &opened, 1_000)?;
    place.fill("unlocked.redb", &key, &opened, 1_000)?;
    place.run("unlocked.redb", &[&["unlock"], &opened[..]].concat(), "")?;

    let get = ["get", "id7", "--field", "password"];
    let asked = [&get[..], &opened].concat();
    let kinds: [(&str, &str, &[&str]); 3] = [
        ("machine key", "machine.redb", &get),
        ("kernel keyring", "unlocked.redb", &get),
        ("passphrase", "passphrase.redb", &asked),
    ];
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..setting("CREDB_BENCH_RUNS", 51) {
        for ((_, vault, arguments), times) in kinds.iter().zip(&mut times) {
            // The one before has emptied the processor's caches, that with Argon2 most of all.
            place.run(vault, arguments, "")?;
            times.push(place.run(vault, arguments, "")?);
        }
    }
    place.run("unlocked.redb", &["lock"], "")?;
    let [machine, keyring, passphrase] = times.map(median);
    let mut out = std::io::stdout();
    writeln!(out, "| `get` with | median | ratio |\n| --- | --- | --- |")?;
    for ((kind, _, _), time) in kinds.iter().zip([machine, keyring, passphrase]) {
        writeln!(out, "| {kind} | {time:.2?} | {:.2} |", ratio(time, machine))?;
    }
    Ok(())
}

fn rotation(place: &Place) -> Anything<()> {
    let rows = setting("CREDB_BENCH_ROWS", 20_000);
    place.fill("rotated.redb", &[], &[], rows)?;
    let set = |number: usize| -> Anything<Duration> {
        let id = format!("id{}", number % rows);
        place.run("rotated.redb", &["set", &id, "--password-stdin"], &format!("p{number}"))
    };
    let before: Vec<_> = (0..101).map(set).collect::<Anything<_>>()?;
    let alone = place.run("rotated.redb", &["key", "rotate"], "")?;
    let bare = bare_rotation(place, rows)?;

    let started = Instant::now();
    let mut rotating = place.start("rotated.redb", &["key", "rotate"], "")?;
    let mut during = Vec::new();
    let status = loop {
        if let Some(status) = rotating.try_wait()? {
            break status;
        }
        during.push(set(during.len())?);
    };
    let beside = started.elapsed();
    if !status.success() {
        return Err(format!("key rotate: {status}").into());
    }
    let sealed = 2.0 * f64::from(u32::try_from(rows)?);
    let per_second = |took: Duration| sealed / took.as_secs_f64();
    let sets = during.len();
    let longest = during.iter().max().copied().unwrap_or_default();
    let (before, during) = (median(before), median(during));
    let mut out = std::io::stdout();
    writeln!(out, "\n| rotation of {rows} credentials | result |\n| --- | --- |")?;
    writeln!(out, "| alone, rows per second | {:.0} |", per_second(alone))?;
    writeln!(out, "| alone, against the bare program | {:.2} |", ratio(alone, bare))?;
    writeln!(out, "| beside a writer, rows per second | {:.0} |", per_second(beside))?;
    writeln!(out, "| `set` before, median | {before:.2?} |")?;
    writeln!(out, "| `set` meanwhile, median of {sets} | {during:.2?} |")?;
    writeln!(out, "| `set` meanwhile against before | {:.2} |", ratio(during, before))?;
    writeln!(out, "| longest `set` meanwhile | {longest:.2?} |")?;
    Ok(())
}

/// How long a bare program takes to seal as many rows again, as many at a time.
fn bare_rotation(place: &Place, rows: usize) -> Anything<Duration> {
    let path = place.path("rotated.bare");
    // A record and a row of the index each.
    bare::fill(&path, 2 * rows, |number| format!("0id{number:07}"))?;
    let started = Instant::now();
    let bench = std::env::current_exe()?;
    let status = Command::new(bench).arg("bare-reseal").arg(&path).status()?;
    if status.success() { Ok(started.elapsed()) } else { Err("the bare program".into()) }
}

/// Moves all rows below `0` to `1`, sealed with the other key.
fn bare_reseal(path: &Path) -> Anything<()> {
    let database = builder().open(path)?;
    let (old, new) = (bare::fernet()?, Fernet::new(NEW_KEY).ok_or("the new key")?);
    loop {
        let transaction = database.begin_write()?;
        let mut moved = 0;
        {
            let mut table = transaction.open_table(ROWS)?;
            let rows = table
                .range::<&[u8]>(b"0".as_slice()..b"1".as_slice())?
                .take(STEP)
                .map(|entry| entry.map(|(key, row)| (key.value().to_vec(), row.value().to_vec())))
                .collect::<Result<Vec<_>, _>>()?;
            for (mut key, row) in rows {
                table.remove(key.as_slice())?;
                let text = data_encoding::BASE64URL.encode(&row);
                let plain = old.decrypt_at_time(&text, None, 0).map_err(|_| "altered")?;
                let row =
                    data_encoding::BASE64URL.decode(new.encrypt_at_time(&plain, 0).as_bytes())?;
                key[0] = b'1';
                table.insert(key.as_slice(), row.as_slice())?;
                moved += 1;
            }
        }
        transaction.commit()?;
        if moved == 0 {
            return Ok(());
        }
    }
}
