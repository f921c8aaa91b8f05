//! `compact`: smaller, the same file to everybody else, and in nobody's way.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{Sandbox, SlowSync, alter_row, bytes_of_rows, keys_in_order, mode_of};

/// A vault whose file is much larger than what it holds.
fn wasteful() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    // What was replaced is to be free space.
    sandbox.credb(["config", "history.keep", "0"]).run().ok();
    for size in [8_192, 1] {
        let entries = (0..200)
            .map(|number| json!({"id": format!("id{number}"), "password": "x".repeat(size)}));
        let input = sandbox.file("in.json", entries.collect::<Value>().to_string());
        sandbox.credb(["set", "-f", &input]).run().ok();
    }
    sandbox
}

#[test]
fn the_file_shrinks_and_keeps_its_owner_and_mode() {
    let sandbox = wasteful();
    sandbox.set_mode("data/credb/default.redb", 0o640);
    if rustix::process::geteuid().is_root() {
        chown(sandbox.vault(), Some(54_321), Some(12_345)).unwrap();
    }
    let before = fs::metadata(sandbox.vault()).unwrap();
    let outcome = sandbox.credb(["compact", "--json"]).run().ok().silent();
    assert_eq!(keys_in_order(&outcome.text()), ["path", "before_bytes", "after_bytes"]);
    let report = outcome.json();
    let after = fs::metadata(sandbox.vault()).unwrap();
    assert!(after.len() < before.len() / 2, "{} of {}", after.len(), before.len());
    assert_eq!(report["path"], json!(sandbox.vault()));
    assert_eq!(
        (&report["before_bytes"], &report["after_bytes"]),
        (&json!(before.len()), &json!(after.len()))
    );
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert_eq!(mode_of(&sandbox.vault()), 0o640);
    sandbox.credb(["verify"]).run().ok();
    assert_eq!(sandbox.password("id199"), "x");
    sandbox.credb(["compact"]).run().ok().stdout("").silent();
}

/// The engine puts rows that share no page into pages of 4 KiB times a power of two: where that fits
/// badly no file is smaller.
#[test]
fn the_file_is_hardly_larger_than_its_rows() {
    for (count, size, percent) in [(2_000, 24, 120), (100, 60_000, 120), (400, 9_000, 180)] {
        let sandbox = Sandbox::with_vault();
        let entries = (0..count)
            .map(|number| json!({"id": format!("id{number}"), "password": "x".repeat(size)}));
        let input = sandbox.file("in.json", entries.collect::<Value>().to_string());
        sandbox.credb(["set", "-f", &input]).run().ok();
        sandbox.credb(["compact"]).run().ok();
        let length = fs::metadata(sandbox.vault()).unwrap().len();
        let rows = bytes_of_rows(&sandbox.vault());
        assert!(length * 100 <= rows * percent, "{length} bytes for {rows} of passwords of {size}");
        let copy = sandbox.path("copy.redb");
        sandbox.credb(["backup"]).args([&copy]).run().ok();
        assert_eq!(fs::metadata(&copy).unwrap().len(), length, "a backup is compact too");
    }
}

#[test]
fn a_damaged_vault_stays_as_it_is() {
    let sandbox = wasteful();
    alter_row(&sandbox.vault(), "records");
    let names = sandbox.file_names();
    sandbox.credb(["compact"]).run().fails(6).hints("credb verify");
    assert_eq!(sandbox.file_names(), names);
    assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 200);
}

#[test]
fn readers_and_writers_go_on_meanwhile() {
    let sandbox = wasteful();
    thread::scope(|scope| {
        for reader in 0..2 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for round in 0..15 {
                    let id = format!("id{}", reader * 100 + round);
                    let get = ["--wait", "5", "get", &id, "--field", "password"];
                    sandbox.credb(get).run().ok().stdout("x\n");
                }
            });
        }
        for round in 0..10 {
            let id = format!("new{round}");
            sandbox.put(&id, &id);
            sandbox.credb(["compact"]).run().ok();
        }
    });
    assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 210);
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn no_reader_waits_for_a_compaction_that_stands_still() {
    let sandbox = wasteful();
    let shim = SlowSync::build();
    let mut answered = 0;
    for sync in 1..=20 {
        let mut holder = shim.stop_at(sandbox.credb(["compact"]), sync).spawn();
        if !holder.stops() {
            holder.wait().ok();
            break;
        }
        let get = ["--wait", "0.5", "get", "id7", "--field", "password"];
        sandbox.credb(get).run().ok().stdout("x\n");
        let set = ["--wait", "0.1", "set", "id7", "--password-stdin"];
        sandbox.credb(set).stdin("y").run().fails(7);
        answered += 1;
        drop(holder);
        sandbox.credb(["verify"]).run().ok();
    }
    assert!(answered >= 3, "a compaction should sync: {answered}");
}

#[test]
fn what_a_killed_compaction_leaves_a_later_one_removes() {
    let sandbox = wasteful();
    let names = sandbox.file_names();
    let shim = SlowSync::build();
    let mut holder = shim.stop_at(sandbox.credb(["compact"]), 1).spawn();
    assert!(holder.stops(), "a compaction syncs");
    drop(holder);
    let left: Vec<_> =
        sandbox.file_names().into_iter().filter(|name| !names.contains(name)).collect();
    assert_eq!(left.len(), 1, "it was at work on a draft: {left:?}");
    sandbox.credb(["compact"]).run().ok();
    assert!(sandbox.file_names().contains(&left[0]), "somebody may be at work on it");
    let draft = fs::File::open(&left[0]).unwrap();
    draft.set_modified(SystemTime::now() - Duration::from_secs(3 * 86_400)).unwrap();
    sandbox.credb(["compact"]).run().ok();
    assert_eq!(sandbox.file_names(), names);
}
