//! `restore`: works or changes nothing, and loses nothing of what it replaces.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::support::{Sandbox, Terminal, alter_row, keys_in_order, mode_of};

/// A vault with `a` and `b`, of which `copy.redb` has `a` alone.
fn with_copy() -> Sandbox {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["backup", "copy.redb", "--quiet"]).run().ok();
    sandbox.put("b", "secret of b");
    sandbox
}

fn ids(sandbox: &Sandbox, vault: &str) -> BTreeSet<String> {
    let listed = sandbox.credb(["list", "--ids", "--vault", vault]).run().ok().lines();
    listed.into_iter().collect()
}

#[test]
fn where_no_vault_is_it_makes_one() {
    let sandbox = with_copy();
    fs::remove_dir_all(sandbox.path("data/credb")).unwrap();
    let outcome = sandbox.credb(["restore", "copy.redb", "--json"]).run().ok().silent();
    assert_eq!(keys_in_order(&outcome.text()), ["path", "credentials", "kept"]);
    let report = outcome.json();
    assert_eq!(report["path"], sandbox.vault().to_str().unwrap());
    assert_eq!((&report["credentials"], &report["kept"]), (&1.into(), &Value::Null));
    assert_eq!(sandbox.password("a"), "secret of a");
    assert_eq!(mode_of(&sandbox.vault()), 0o600);
    sandbox.credb(["--vault", "second", "restore", "copy.redb"]).run().ok().stdout("").silent();
}

#[test]
fn what_it_replaces_is_kept_and_named() {
    let sandbox = with_copy();
    sandbox.set_mode("data/credb/default.redb", 0o640);
    let old = sandbox.vault_bytes();
    let text = sandbox.credb(["restore", "copy.redb", "--force"]).run().ok().silent().text();
    let kept = PathBuf::from(text.trim().strip_prefix("kept:").unwrap().trim());
    assert_eq!(kept.parent(), sandbox.vault().parent());
    assert!(fs::read(&kept).unwrap() == old, "the file that is kept was changed");
    assert_eq!(mode_of(&sandbox.vault()), 0o640);
    sandbox.credb(["get", "b"]).run().fails(3);
    assert_eq!(ids(&sandbox, kept.to_str().unwrap()).len(), 2);
    let again = sandbox.credb(["restore", "copy.redb", "--force", "--json"]).run().ok().json();
    assert_ne!(again["kept"], kept.to_str().unwrap());
    sandbox.credb(["vaults"]).run().ok();
    assert_eq!(sandbox.credb(["vaults", "--json"]).run().ok().json().as_array().unwrap().len(), 1);
}

#[test]
fn replacing_a_vault_takes_force_where_nobody_can_be_asked() {
    let sandbox = with_copy();
    let before = sandbox.files();
    let refused = sandbox.credb(["restore", "copy.redb"]).run().fails(2);
    refused.hints("credb restore copy.redb --force");
    sandbox.credb(["restore", "copy.redb", "--json"]).run().fails_json(2, "usage");
    sandbox.credb(["restore", "copy.redb"]).stdin("y\n").run().fails(2);
    assert_eq!(sandbox.files(), before);
}

#[test]
fn somebody_at_a_terminal_is_asked() {
    let sandbox = with_copy();
    let mut terminal = Terminal::start(&sandbox.credb(["restore", "copy.redb"]));
    terminal.expect("Replace").expect("?").type_text("n\r");
    terminal.ends(1);
    assert_eq!(sandbox.password("b"), "secret of b");
    let mut terminal = Terminal::start(&sandbox.credb(["restore", "copy.redb"]));
    terminal.expect("Replace").expect("?").type_text("y\r");
    let screen = terminal.ends(0);
    assert!(screen.contains(".before-"), "{screen}");
    sandbox.credb(["get", "b"]).run().fails(3);
    let call = sandbox.credb(["--vault", "new", "restore", "copy.redb"]);
    Terminal::start(&call).ends(0);
}

#[test]
fn a_recovery_code_restores_on_another_machine() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    let code = sandbox.credb(["key", "add", "recovery"]).run().ok().text();
    sandbox.credb(["backup", "copy.redb"]).run().ok().silent();

    let other = Sandbox::new();
    let code = other.file("code.txt", code);
    fs::copy(sandbox.path("copy.redb"), other.path("copy.redb")).unwrap();
    let before = other.files();
    other.credb(["restore", "copy.redb"]).run().fails(5).stderr_has("copy.redb");
    assert_eq!(other.files(), before, "a restore that fails changes nothing");
    other.credb(["restore", "copy.redb", "--recovery-file", &code]).run().ok();
    // From now on the machine's own secret does.
    assert_eq!(other.password("b"), "secret of b");
    other.credb(["list", "--recovery-file", &code]).run().ok();
    let kinds = other.credb(["key", "list", "--json"]).run().ok().json();
    let kinds: Vec<_> = kinds.as_array().unwrap().iter().map(|slot| slot["kind"].clone()).collect();
    assert_eq!(kinds, ["machine", "recovery", "machine"]);
}

#[test]
fn a_restored_vault_begins_a_new_life() {
    let sandbox = with_copy();
    let token = sandbox.credb(["verify", "--json"]).run().ok().json()["state_token"].clone();
    sandbox.credb(["restore", "copy.redb", "--force"]).run().ok();
    let outcome = sandbox.credb(["verify", "--expect", token.as_str().unwrap()]).run().code(6);
    outcome.stderr_has("restored");
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn a_backup_that_cannot_be_used_changes_nothing() {
    let sandbox = with_copy();
    let copy = fs::read(sandbox.path("copy.redb")).unwrap();
    sandbox.file("empty.redb", "");
    sandbox.file("notes.redb", "my notes\n".repeat(10_000));
    // What is behind the last page in use can be missing.
    sandbox.file("cut.redb", &copy[..copy.len() / 4]);
    sandbox.file("zeros.redb", vec![0; copy.len()]);
    for table in ["records", "index", "settings", "manifest", "epochs"] {
        sandbox.file(&format!("{table}.redb"), &copy);
        alter_row(&sandbox.path(format!("{table}.redb")), table);
    }
    fs::create_dir(sandbox.path("dir.redb")).unwrap();
    let other = Sandbox::with_ids(&["x"]);
    sandbox.file("foreign.redb", other.vault_bytes());
    let before = sandbox.files();
    for (name, code) in [
        ("none.redb", 8),
        ("none/none.redb", 8),
        ("dir.redb", 6),
        ("empty.redb", 6),
        ("notes.redb", 6),
        ("cut.redb", 6),
        ("zeros.redb", 6),
        ("records.redb", 6),
        ("index.redb", 6),
        ("settings.redb", 6),
        ("manifest.redb", 6),
        ("epochs.redb", 6),
        ("foreign.redb", 5),
    ] {
        sandbox.credb(["restore", name, "--force"]).run().fails(code);
        let fresh = ["--vault", "fresh", "restore", name, "--json"];
        let outcome = sandbox.credb(fresh).run().code(code).stdout("");
        outcome.check(outcome.error_json()["code"] != Value::Null, "an error is told");
    }
    let vault = sandbox.vault();
    sandbox.credb(["restore", vault.to_str().unwrap(), "--force"]).run().fails(9);
    assert_eq!(sandbox.files(), before);
}

#[test]
fn a_vault_that_is_damaged_can_be_replaced() {
    let sandbox = with_copy();
    let good = sandbox.vault_bytes();
    let mut damaged = vec![Vec::new(), b"notes".to_vec(), vec![0; good.len()]];
    damaged.extend([1, 2, 5, 9].map(|page| {
        let mut bytes = good.clone();
        bytes[page * 4_096..][..4_096].fill(0xa5);
        bytes
    }));
    for bytes in damaged {
        fs::write(sandbox.vault(), &bytes).unwrap();
        let report = sandbox.credb(["restore", "copy.redb", "--force", "--json"]).run().ok().json();
        let kept = fs::read(report["kept"].as_str().unwrap()).unwrap();
        assert!(kept == bytes, "the file that is kept was changed");
        assert_eq!(sandbox.password("a"), "secret of a");
    }
}

#[test]
fn what_a_writer_was_told_is_in_the_kept_file_or_in_the_new_one() {
    let sandbox = with_copy();
    let stop = AtomicBool::new(false);
    let mut found = BTreeSet::new();
    let acknowledged = thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let (sandbox, stop) = (&sandbox, &stop);
                scope.spawn(move || {
                    let mut acknowledged = BTreeSet::new();
                    for round in 0.. {
                        let id = format!("{writer}-{round}");
                        let set = ["set", &id, "--password-stdin", "--wait", "100"];
                        sandbox.credb(set).stdin(id.as_str()).run().ok();
                        acknowledged.insert(id);
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        for _ in 0..8 {
            let restore = ["restore", "copy.redb", "--force", "--json", "--wait", "100"];
            let report = sandbox.credb(restore).run().ok().json();
            found.extend(ids(&sandbox, report["kept"].as_str().unwrap()));
        }
        stop.store(true, Ordering::Relaxed);
        let joined = writers.into_iter().map(|writer| writer.join().unwrap());
        joined.flatten().collect::<BTreeSet<_>>()
    });
    found.extend(ids(&sandbox, "default"));
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?} of {} are nowhere", acknowledged.len());
    assert!(acknowledged.len() > 8, "the writers wrote beside: {}", acknowledged.len());
}
