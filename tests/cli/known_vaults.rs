//! Known vaults: one that somebody put in the place of another is not used in silence.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::{Sandbox, Terminal, mode_of};

fn list(sandbox: &Sandbox) -> PathBuf {
    sandbox.machine_key().with_file_name("known_vaults")
}

/// A vault that was replaced by one with a host name slot, which opens without a complaint.
fn planted() -> (Sandbox, String) {
    let sandbox = Sandbox::with_ids(&["a"]);
    let known = sandbox.credb(["info", "--json"]).run().ok().json()["vault_id"].to_string();
    let other = ["--vault", "other", "init", "--key", "hostname"];
    sandbox.credb(other).run().ok();
    let other = sandbox.vault().with_file_name("other.redb");
    fs::rename(other, sandbox.vault()).expect("replace the vault");
    (sandbox, known.trim_matches('"').to_owned())
}

#[test]
fn a_vault_put_in_the_place_of_another_is_refused_until_it_is_trusted() {
    let (sandbox, known) = planted();
    assert_eq!(mode_of(&list(&sandbox)), 0o600);
    let before = fs::read(sandbox.vault()).unwrap();
    for command in [&["get", "a"][..], &["set", "b", "--generate"], &["info"], &["key", "list"]] {
        let refused = sandbox.credb(command.iter().copied()).run().fails(6);
        refused.stderr_has(&known).hints("credb key trust");
    }
    sandbox.credb(["list"]).args(["--json"]).run().fails_json(6, "not_a_vault");
    assert_eq!(fs::read(sandbox.vault()).unwrap(), before, "nothing is written to it");
    sandbox.credb(["key", "trust"]).run().fails(2).hints("credb key trust --force");
    let trusted = sandbox.credb(["key", "trust", "--force", "--json"]).run().ok().json();
    assert_eq!(trusted["replaced"], known.as_str());
    sandbox.credb(["set", "b", "--generate"]).run().ok();
    let again = sandbox.credb(["key", "trust", "--json"]).run().ok().json();
    assert!(again["replaced"].is_null());
}

#[test]
fn a_terminal_is_asked_whether_to_trust() {
    let (sandbox, known) = planted();
    let mut terminal = Terminal::start(&sandbox.credb(["key", "trust"]));
    terminal.expect(&known).expect("[y/N]").type_text("n\r");
    assert_eq!(terminal.exit_code(), Some(1));
    sandbox.credb(["list"]).run().fails(6);
    let mut terminal = Terminal::start(&sandbox.credb(["key", "trust"]));
    terminal.expect("[y/N]").type_text("y\r");
    assert_eq!(terminal.exit_code(), Some(0));
    sandbox.credb(["list"]).run().ok();
}

#[test]
fn init_restore_and_salvage_make_the_vault_known() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["backup", "copy.redb"]).run().ok();
    fs::remove_file(sandbox.vault()).unwrap();
    sandbox.credb(["init"]).run().ok();
    sandbox.credb(["list"]).run().ok();
    sandbox.credb(["restore", "copy.redb", "--force"]).run().ok();
    sandbox.credb(["get", "a"]).run().ok();
    let damaged = sandbox.vault().with_file_name("damaged.redb");
    fs::rename(sandbox.vault(), &damaged).unwrap();
    sandbox.credb(["init"]).run().ok();
    fs::remove_file(sandbox.vault()).unwrap();
    sandbox.credb(["salvage", damaged.to_str().unwrap()]).args([sandbox.vault()]).run().ok();
    sandbox.credb(["get", "a"]).run().ok();
}

#[test]
fn what_cannot_be_written_down_stops_nobody() {
    let sandbox = Sandbox::with_ids(&["a"]);
    fs::remove_file(list(&sandbox)).unwrap();
    let directory = list(&sandbox).parent().unwrap().to_owned();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o500)).unwrap();
    sandbox.credb(["list", "--ids"]).run().ok().silent();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    sandbox.credb(["get", "a"]).run().ok();
    assert!(list(&sandbox).exists(), "it is known from its first opening on");

    let elsewhere = sandbox.file("k", [7; 32]);
    fs::remove_dir_all(&directory).unwrap();
    let made = ["--vault", "./v.redb", "--key-file", &elsewhere, "init"];
    sandbox.credb(made).run().ok();
    sandbox.credb(["--vault", "./v.redb", "--key-file", &elsewhere, "list"]).run().ok();
    assert!(!directory.exists(), "no directory is made for it");
}

#[test]
fn a_damaged_list_is_named_and_left_alone() {
    let sandbox = Sandbox::with_ids(&["a"]);
    fs::write(list(&sandbox), "nonsense\n").unwrap();
    let refused = sandbox.credb(["get", "a"]).run().fails(6);
    refused.stderr_has("known_vaults is damaged: line 1").hints("rm ");
    assert_eq!(fs::read(list(&sandbox)).unwrap(), b"nonsense\n");
    fs::remove_file(list(&sandbox)).unwrap();
    sandbox.credb(["get", "a"]).run().ok();
}

#[test]
fn fifty_first_openings_at_once_lose_no_pin() {
    let sandbox = Sandbox::new();
    sandbox.credb(["init"]).run().ok();
    let key = sandbox.file("k", [7; 32]);
    let paths: Vec<String> = (0..50).map(|number| format!("./v{number}.redb")).collect();
    for path in &paths {
        sandbox.credb(["--vault", path, "--key-file", &key, "init"]).run().ok();
    }
    fs::remove_file(list(&sandbox)).unwrap();
    std::thread::scope(|scope| {
        for path in &paths {
            let call = sandbox.credb(["--vault", path, "--key-file", &key, "list"]);
            scope.spawn(move || call.run().ok());
        }
    });
    let text = fs::read_to_string(list(&sandbox)).unwrap();
    assert_eq!(text.lines().count(), 51, "{text}");
}
