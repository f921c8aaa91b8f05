//! `doctor`: each finding from the state that brings it about, to the command that mends it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Call, Sandbox, Terminal};

/// A vault about which there is nothing to find.
fn healthy() -> Sandbox {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["key", "add", "recovery"]).run().ok();
    sandbox.credb(["doctor"]).run().ok().stdout("").silent();
    sandbox
}

/// The findings of a call: codes and commands.
#[track_caller]
fn found(call: &Call) -> Vec<(String, String)> {
    let json = call.clone().args(["--json"]).run().code(1).silent().json();
    let text = call.run().code(1).silent().lines();
    let rows = json["findings"].as_array().expect("findings").clone();
    let part = |row: &Value, name: &str| row[name].as_str().expect("text").to_owned();
    let line = |row| [part(row, "code"), part(row, "message"), part(row, "command")].join("\t");
    assert_eq!(text, rows.iter().map(line).collect::<Vec<_>>());
    rows.iter().map(|row| (part(row, "code"), part(row, "command"))).collect()
}

/// There is this finding alone, `info` warns of it, its command mends it.
#[track_caller]
fn mends(sandbox: &Sandbox, code: &str) {
    let findings = found(&sandbox.credb(["doctor"]));
    let [(own, command)] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(own, code);
    let warnings = sandbox.credb(["info", "--json"]).run().json()["warnings"].clone();
    let warned = warnings[0].as_str().is_some_and(|text| text.contains(command.as_str()));
    assert!(warned && warnings.as_array().map(Vec::len) == Some(1), "{warnings}");
    sandbox.shell(command).run().ok();
    sandbox.credb(["doctor"]).run().ok().stdout("");
}

#[test]
fn nothing_found_is_one_line_on_a_terminal() {
    let sandbox = healthy();
    let screen = Terminal::start(&sandbox.credb(["doctor"])).ends(0);
    assert_eq!(screen.trim(), "nothing found");
    let json = sandbox.credb(["doctor", "--json"]).run().ok().json();
    assert_eq!(json, json!({ "findings": [] }));
}

#[test]
fn a_vault_that_only_the_machine_opens_has_no_recovery() {
    mends(&Sandbox::with_vault(), "no_recovery");
}

#[test]
fn a_hostname_slot_is_found_and_removed_once_there_is_another_key() {
    let sandbox = Sandbox::new();
    sandbox.credb(["init", "--key", "hostname"]).run().ok();
    let findings = found(&sandbox.credb(["doctor"]));
    assert_eq!(findings, [("hostname_slot".to_owned(), "credb key add machine".to_owned())]);
    sandbox.credb(["key", "add", "machine"]).run().ok();
    sandbox.credb(["key", "add", "recovery"]).run().ok();
    let findings = found(&sandbox.credb(["doctor"]));
    assert_eq!(findings, [("hostname_slot".to_owned(), "credb key remove 1".to_owned())]);
    sandbox.credb(["key", "remove", "1", "--force"]).run().ok();
    sandbox.credb(["doctor"]).run().ok();
}

#[test]
fn commands_name_the_vault_that_was_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.credb(["init", "--vault", "work"]).run().ok();
    let findings = found(&sandbox.credb(["doctor", "--vault", "work"]));
    assert_eq!(findings[0].1, "credb key add recovery --vault work");
}

#[test]
fn a_passphrase_that_is_cheap_to_guess_is_found() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("passphrase", "correct horse battery staple");
    let init = |vault, cost| {
        let key = ["init", "--vault", vault, "--key", "passphrase", "--kdf-cost", cost];
        sandbox.credb(key).args(["--new-passphrase-file", &file]).run().ok();
    };
    let doctor =
        |vault| sandbox.credb(["doctor", "--vault", vault]).args(["--passphrase-file", &file]);
    for (vault, cost) in [("memory", "32,8"), ("passes", "64,1")] {
        init(vault, cost);
        let findings = found(&doctor(vault));
        assert_eq!(findings[0].0, "weak_passphrase");
        assert_eq!(findings[0].1, format!("credb key add passphrase --vault {vault}"));
        assert_eq!(findings.len(), 1);
    }
    init("default-cost", "64,3");
    doctor("default-cost").run().ok();
}

#[test]
fn keys_are_due_at_the_age_that_was_chosen_and_a_rotation_makes_new_ones() {
    let sandbox = healthy();
    let info = || sandbox.credb(["info", "--json"]).run().json();
    let mut last = info()["created_at"].clone();
    assert_eq!(info()["rotated_at"], Value::Null);
    for rotate in [&["key", "rotate"][..], &["key", "rotate", "--vault-key"]] {
        sandbox.credb(["config", "rotation.max_age", "1s"]).run().ok();
        thread::sleep(Duration::from_millis(1_100));
        let overdue = [("rotation_overdue".to_owned(), "credb key rotate".to_owned())];
        assert_eq!(found(&sandbox.credb(["doctor"])), overdue);
        assert!(info()["warnings"][0].as_str().is_some_and(|text| text.contains("key rotate")));
        sandbox.credb(rotate).run().ok();
        let rotated = info()["rotated_at"].clone();
        assert!(rotated.as_str() > last.as_str(), "{rotated} after {last}");
        last = rotated;
        sandbox.credb(["config", "rotation.max_age", "1d"]).run().ok();
        sandbox.credb(["doctor"]).run().ok().stdout("");
    }
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn loose_permissions_are_found() {
    let sandbox = healthy();
    sandbox.set_mode("data/credb/default.redb", 0o640);
    mends(&sandbox, "vault_permissions");
    sandbox.set_mode("data/credb/default.redb.lock", 0o604);
    mends(&sandbox, "lock_permissions");
    sandbox.set_mode("data/credb", 0o720);
    mends(&sandbox, "directory_permissions");
    sandbox.set_mode("data", 0o757);
    mends(&sandbox, "parent_permissions");
    // Where only owners rename and remove, others can do nothing.
    sandbox.set_mode("data", 0o1777);
    sandbox.set_mode("data/credb", 0o1777);
    sandbox.credb(["doctor"]).run().ok();
}

#[test]
fn a_key_that_others_can_read_is_found_although_it_opens_nothing() {
    let sandbox = healthy();
    sandbox.set_mode("config/credb/machine.key", 0o644);
    sandbox.credb(["list"]).run().fails(5);
    mends(&sandbox, "key_permissions");
    sandbox.set_mode("config/credb/machine.key", 0o644);
    sandbox.credb(["doctor"]).env("CREDB_ALLOW_LOOSE_KEY", "1").run().ok();
    // Keys that a system delivers may be loose, but not what lies beside them.
    let config = sandbox.path("config");
    let doctor = |key| {
        let call = sandbox.credb(["doctor", "--key-file"]).args([config.join(key)]);
        call.env("CREDENTIALS_DIRECTORY", config.join("credb"))
    };
    doctor("credb/machine.key").run().ok();
    for key in ["credb/../credb/machine.key", "credb/../credb/../credb/machine.key"] {
        assert_eq!(found(&doctor(key))[0].0, "key_permissions", "{key}");
    }
}

#[test]
fn a_locked_vault_is_looked_at_as_far_as_it_can_be() {
    let sandbox = Sandbox::with_vault();
    fs::remove_file(sandbox.machine_key()).expect("remove the key");
    sandbox.set_mode("data/credb/default.redb", 0o604);
    let codes: Vec<_> = found(&sandbox.credb(["doctor"])).into_iter().map(|row| row.0).collect();
    assert_eq!(codes, ["no_recovery", "vault_permissions"]);
    let screen = Terminal::start(&sandbox.credb(["doctor"])).ends(1);
    assert!(screen.contains("the vault is locked"), "{screen}");
}

#[test]
fn a_key_in_the_directory_of_the_vault_or_below_is_found() {
    let sandbox = healthy();
    let vault = sandbox.path_text("data/credb/default.redb");
    for key in ["data/credb/usb.key", "data/credb/keys/usb.key"] {
        let path = sandbox.path_text(key);
        fs::create_dir_all(Path::new(&path).parent().expect("a directory")).expect("make it");
        sandbox.credb(["key", "add", &format!("file:{path}")]).run().ok();
        // Both ways lead to one vault.
        let doctor = sandbox.credb(["doctor", "--vault", &vault, "--key-file", &path]);
        let findings = found(&doctor);
        assert_eq!(findings, [("key_with_vault".to_owned(), format!("mv {path} DIRECTORY"))]);
    }
    let path = sandbox.path_text("data/usb.key");
    sandbox.credb(["key", "add", &format!("file:{path}")]).run().ok();
    sandbox.credb(["doctor", "--key-file", &path]).run().ok();
    // In one home, as they are by default.
    let home = ["doctor", "--vault", "home/v.redb", "--key-file", "home/keys/usb.key"];
    sandbox.credb(["init", "--vault", "home/v.redb", "--key", "file:home/keys/usb.key"]).run().ok();
    sandbox.credb(home).run().ok();
}

/// Runs git in the vault's directory; false where there is none.
fn git(sandbox: &Sandbox, words: &[&str]) -> bool {
    let directory = sandbox.path("data/credb");
    let git = Command::new("git").arg("-C").arg(directory).args(words).output();
    git.is_ok_and(|output| output.status.success())
}

#[test]
fn a_vault_in_a_work_tree_of_git_is_found_until_it_is_ignored() {
    let sandbox = healthy();
    if !git(&sandbox, &["init", "--quiet"]) {
        return;
    }
    // A work tree may not have others run its programs.
    git(&sandbox, &["config", "core.fsmonitor", "touch fsmonitor; false"]);
    mends(&sandbox, "in_git");
    assert!(!sandbox.path("data/credb/fsmonitor").exists());
    // What is tracked is published whatever is ignored.
    assert!(git(&sandbox, &["add", "--force", "default.redb"]));
    let environment = [("GIT_DIR", "/nowhere"), ("GIT_INDEX_FILE", "/nowhere")];
    let doctor = sandbox.credb(["doctor"]);
    let doctor = environment.iter().fold(doctor, |call, (name, value)| call.env(name, value));
    assert!(found(&doctor)[0].1.contains("rm --cached"));
    mends(&sandbox, "in_git");
}

#[test]
fn a_work_tree_is_found_where_git_is_not() {
    let sandbox = healthy();
    let program = Path::new(env!("CARGO_BIN_EXE_credb")).parent().expect("a directory");
    let doctor = sandbox.credb(["doctor"]).env("PATH", program);
    doctor.run().ok();
    fs::create_dir(sandbox.path("data/.git")).expect("make a directory");
    assert_eq!(found(&doctor)[0].0, "in_git");
}
