//! `backup`: a whole and sealed copy, beside writers, never over a file that was not offered.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{Sandbox, alter_row, keys_in_order, mode_of};

fn ids(sandbox: &Sandbox, vault: &str) -> BTreeSet<String> {
    let listed = sandbox.credb(["list", "--ids", "--vault", vault]).run().ok().lines();
    listed.into_iter().collect()
}

#[test]
fn a_copy_holds_the_same_and_is_the_owners_alone() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    let outcome = sandbox.credb(["backup", "copy.redb", "--json"]).run().ok();
    let expected = ["path", "credentials", "file_size_bytes", "portable"];
    assert_eq!(keys_in_order(&outcome.text()), expected);
    let made = outcome.json();
    let copy = sandbox.path("copy.redb");
    assert_eq!(made["path"], sandbox.path_text("copy.redb"));
    assert_eq!((&made["credentials"], &made["portable"]), (&2.into(), &false.into()));
    assert_eq!(made["file_size_bytes"], fs::metadata(&copy).unwrap().len());
    assert_eq!(mode_of(&copy), 0o600);
    let bytes = fs::read(&copy).unwrap();
    assert!(!bytes.windows(9).any(|window| window == b"secret of"), "it is sealed");
    let get = ["get", "b", "--field", "password", "--vault", "./copy.redb"];
    sandbox.credb(get).run().ok().stdout("secret of b\n");
    sandbox.credb(["verify", "--vault", "./copy.redb"]).run().ok();
}

#[test]
fn a_copy_that_only_this_machine_opens_is_warned_of() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let outcome = sandbox.credb(["backup", "one.redb"]).run().ok().stdout("");
    outcome.stderr_has("warning: ").hints("credb key add recovery");
    sandbox.credb(["backup", "two.redb", "--quiet"]).run().ok().silent();
    sandbox.credb(["key", "add", "recovery"]).run().ok();
    sandbox.credb(["backup", "three.redb"]).run().ok().stdout("").silent();
    let made = sandbox.credb(["backup", "four.redb", "--json"]).run().ok().silent().json();
    assert_eq!(made["portable"], true);
}

#[test]
fn a_file_that_is_there_stays_unless_it_may_be_overwritten() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.file("copy.redb", "precious");
    let before = sandbox.files();
    sandbox
        .credb(["backup", "copy.redb"])
        .run()
        .fails(4)
        .hints("credb backup copy.redb --overwrite");
    sandbox.credb(["backup", "copy.redb", "--json"]).run().fails_json(4, "conflict");
    assert_eq!(sandbox.files(), before);
    sandbox.credb(["backup", "copy.redb", "--overwrite"]).run().ok();
    assert_eq!(ids(&sandbox, "./copy.redb").len(), 1);
}

#[test]
fn standard_output_is_no_place_for_a_copy() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let names = sandbox.file_names();
    sandbox.credb(["backup", "-"]).run().fails(2).hints("credb backup ./-");
    assert_eq!(sandbox.file_names(), names);
    sandbox.credb(["backup", "./-"]).run().ok();
    assert!(sandbox.path("-").exists());
}

#[test]
fn nothing_is_left_of_a_copy_that_failed() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    fs::create_dir(sandbox.path("dir")).unwrap();
    let vault = sandbox.vault().into_os_string().into_string().unwrap();
    let names = sandbox.file_names();
    for (arguments, code) in [
        (vec!["none/copy.redb"], 8),
        (vec!["dir"], 8),
        (vec!["dir", "--overwrite"], 8),
        (vec![""], 2),
        (vec![vault.as_str()], 4),
        (vec![vault.as_str(), "--overwrite"], 9),
    ] {
        sandbox.credb(["backup"]).args(&arguments).run().fails(code);
    }
    for table in ["records", "index", "settings"] {
        alter_row(&sandbox.vault(), table);
        sandbox.credb(["backup", "copy.redb"]).run().fails(6);
        sandbox.credb(["backup", "copy.redb", "--json"]).run().fails_json(6, "corrupt");
    }
    assert_eq!(sandbox.file_names(), names);
}

#[test]
fn a_damaged_vault_does_not_replace_an_older_copy() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["backup", "copy.redb"]).run().ok();
    let copy = fs::read(sandbox.path("copy.redb")).unwrap();
    alter_row(&sandbox.vault(), "records");
    sandbox.credb(["backup", "copy.redb", "--overwrite"]).run().fails(6);
    assert_eq!(fs::read(sandbox.path("copy.redb")).unwrap(), copy);
}

#[test]
fn what_was_acknowledged_before_is_in_the_copy() {
    let sandbox = Sandbox::with_vault();
    let acknowledged = Mutex::new(BTreeSet::new());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..4 {
            let (sandbox, acknowledged, stop) = (&sandbox, &acknowledged, &stop);
            scope.spawn(move || {
                for round in 0.. {
                    let id = format!("{writer}-{round}");
                    let set = ["set", &id, "--password-stdin", "--wait", "100"];
                    sandbox.credb(set).stdin(id.as_str()).run().ok();
                    acknowledged.lock().unwrap().insert(id);
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        for round in 0..6 {
            let before = acknowledged.lock().unwrap().clone();
            let name = format!("./copy{round}.redb");
            sandbox.credb(["backup", &name]).run().ok();
            let copied = ids(&sandbox, &name);
            let lost: Vec<_> = before.difference(&copied).collect();
            assert!(lost.is_empty(), "{lost:?} of {} are not in the copy", before.len());
            sandbox.credb(["verify", "--vault", &name]).run().ok();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(ids(&sandbox, "default"), acknowledged.into_inner().unwrap());
}
