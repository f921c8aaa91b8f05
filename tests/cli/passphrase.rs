//! Passphrase slots: made and opened from files, descriptors and the terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Sandbox, Terminal};

/// The least cost, for tests.
const CHEAP: [&str; 2] = ["--kdf-cost", "8,1"];

const PHRASE: &str = "correct horse battery staple";

/// A vault that only a passphrase opens, with the credential `a`; and the file that holds it.
fn under_passphrase() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let file = sandbox.file("phrase", format!("{PHRASE}\n"));
    let init = ["init", "--key", "passphrase", "--passphrase-file", &file];
    sandbox.credb(init).args(CHEAP).run().ok();
    let set = ["set", "a", "--password-stdin", "--passphrase-file", &file];
    sandbox.credb(set).stdin("pw").run().ok();
    (sandbox, file)
}

#[test]
fn a_passphrase_opens_from_a_file_a_variable_and_a_descriptor() {
    let (sandbox, file) = under_passphrase();
    let get = ["get", "a", "--field", "password"];
    sandbox.credb(get).args(["--passphrase-file", &file]).run().ok().stdout("pw\n");
    sandbox.credb(get).env("CREDB_PASSPHRASE_FILE", &file).run().ok().stdout("pw\n");
    let piped = sandbox.credb(get).args(["--passphrase-fd", "0"]).stdin(PHRASE);
    piped.run().ok().stdout("pw\n");
    assert!(!sandbox.machine_key().exists(), "no machine secret was made");
    for wrong in ["", "Correct horse battery staple", "correct horse battery staple\n\n", "\u{7f}"]
    {
        let file = sandbox.file("wrong", wrong);
        let outcome = sandbox.credb(["get", "a", "--passphrase-file", &file]).run();
        outcome.check(matches!(outcome.exit_code(), Some(5)), "refused");
        outcome.hides(PHRASE);
    }
}

#[test]
fn a_passphrase_file_that_others_can_read_is_refused() {
    let (sandbox, file) = under_passphrase();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = sandbox.credb(["get", "a", "--passphrase-file", &file]).run().fails(5);
    refused.stderr_has("can be read by others (mode 644)").stderr_has("chmod 600");
    let delivered = sandbox.credb(["get", "a", "--passphrase-file", &file]);
    delivered.env("CREDB_ALLOW_LOOSE_KEY", "1").run().ok();
    let missing = sandbox.credb(["get", "a", "--passphrase-file", "/nowhere/phrase"]).run();
    missing.fails(5).stderr_has("/nowhere/phrase");
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let (sandbox, _) = under_passphrase();
    let locked = sandbox.credb(["get", "a"]).run().fails(5);
    locked.stderr_has("slot 1, passphrase: no such key was given").stderr_has("--passphrase-file");
    sandbox.credb(["key", "add", "passphrase"]).run().fails(5);
    let other = Sandbox::with_vault();
    let usage = other.credb(["key", "add", "passphrase"]).run().fails(2);
    usage.stderr_has("--new-passphrase-file");
    Sandbox::new().credb(["init", "--key", "passphrase"]).run().fails(2);
    assert_eq!(
        other.credb(["key", "list", "--json"]).run().ok().json().as_array().unwrap().len(),
        1
    );
}

#[test]
fn a_passphrase_is_added_to_a_vault_that_other_keys_open() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let first = sandbox.file("first", "tra\u{301}iler park hypnosis\n");
    let add =
        ["key", "add", "passphrase", "--label", "head", "--passphrase-file", &first, "--json"];
    let slot = sandbox.credb(add).args(CHEAP).run().ok().json();
    assert_eq!(slot["kind"], "passphrase");
    assert_eq!(slot["label"], "head");
    let strength = slot["strength"].as_str().unwrap();
    assert!(strength.contains("(8 MiB, 1 passes)"), "{strength}");
    fs::remove_file(sandbox.machine_key()).unwrap();
    // The same in another form of Unicode.
    let typed = sandbox.file("typed", "tr\u{e1}iler park hypnosis");
    sandbox.credb(["get", "a", "--passphrase-file", &typed]).run().ok();

    let second = sandbox.file("second", "another phrase altogether");
    let add = ["key", "add", "passphrase", "--passphrase-file", &first];
    let locked = sandbox.credb(add).args(CHEAP).run().fails(5);
    locked.stderr_has("machine secret");
    let add = sandbox.credb(add).args(["--new-passphrase-file", &second]);
    add.args(CHEAP).run().ok();
    sandbox.credb(["get", "a", "--passphrase-file", &second]).run().ok();
    let remove = ["key", "remove", "2", "--force", "--passphrase-file", &second];
    sandbox.credb(remove).run().ok();
    sandbox.credb(["get", "a", "--passphrase-file", &first]).run().fails(5);
}

#[test]
fn a_weak_passphrase_or_cost_is_warned_of_and_taken() {
    let sandbox = Sandbox::new();
    let weak = sandbox.file("weak", "password1");
    let init = ["init", "--key", "passphrase", "--passphrase-file", &weak];
    let made = sandbox.credb(init).args(CHEAP).run().ok();
    made.stderr_has("this passphrase is weak").stderr_has("costs 8 MiB").hides("password1");
    let strong = sandbox.file("strong", "gauze-tuba-59-ravioli-hinge");
    let new = ["key", "add", "passphrase", "--passphrase-file", &weak];
    let new = sandbox.credb(new).args(["--new-passphrase-file", &strong]).args(CHEAP).run().ok();
    assert!(!new.stderr().contains("weak"), "{}", new.stderr());
}

#[test]
fn costs_and_sources_are_checked() {
    let sandbox = Sandbox::with_vault();
    let file = sandbox.file("phrase", PHRASE);
    for cost in ["64", "7,1", "4096,3", "64,0", "8,1,1", "-8,1", ""] {
        let add = ["key", "add", "passphrase", "--new-passphrase-file", &file, "--kdf-cost", cost];
        sandbox.credb(add).run().fails(2);
    }
    sandbox.credb(["key", "add", "recovery", "--kdf-cost", "8,1"]).run().fails(2);
    sandbox.credb(["key", "add", "machine", "--new-passphrase-file", &file]).run().fails(2);
    let both = ["list", "--passphrase-file", &file, "--key-file", &file];
    sandbox.credb(both).run().fails(2).stderr_has("--passphrase-file");
    sandbox.credb(["list", "--passphrase-file", ""]).run().fails(2);
    sandbox.credb(["list", "--passphrase-fd", "x"]).run().fails(2);
}

#[test]
fn the_usual_cost_is_that_of_the_document() {
    let sandbox = Sandbox::with_vault();
    let file = sandbox.file("phrase", PHRASE);
    let add = ["key", "add", "passphrase", "--new-passphrase-file", &file, "--json"];
    let slot: Value = sandbox.credb(add).run().ok().json();
    let strength = slot["strength"].as_str().unwrap();
    assert!(strength.ends_with("(64 MiB, 3 passes)"), "{strength}");
}

#[test]
fn a_terminal_is_asked_last_and_three_times() {
    let (sandbox, _) = under_passphrase();
    let mut terminal = Terminal::start(&sandbox.credb(["get", "a", "--field", "password"]));
    terminal.expect("Passphrase of").type_text("wrong\r");
    terminal.expect("no slot opens with that").expect("Passphrase of");
    terminal.type_text(&format!("{PHRASE}\r")).expect("pw");
    let before = terminal.modes_before();
    assert_eq!(terminal.exit_code(), Some(0));
    assert!(!terminal.screen().contains("horse"), "{}", terminal.screen());
    assert_eq!(terminal.modes(), before);

    let mut terminal = Terminal::start(&sandbox.credb(["get", "a"]));
    for _ in 0..3 {
        terminal.expect("Passphrase of").type_text("wrong\r");
    }
    terminal.expect("slot 1, passphrase: wrong key");
    assert_eq!(terminal.exit_code(), Some(5));

    let mut terminal = Terminal::start(&sandbox.credb(["get", "a"]));
    terminal.expect("Passphrase of").type_text("\r");
    assert_eq!(terminal.exit_code(), Some(5));
    let mut terminal = Terminal::start(&sandbox.credb(["get", "a", "--no-input"]));
    assert_eq!(terminal.exit_code(), Some(5));
}

#[test]
fn a_vault_that_another_key_opens_asks_nothing() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let mut terminal = Terminal::start(&sandbox.credb(["key", "add", "passphrase"]).args(CHEAP));
    terminal.expect("New passphrase").type_text(&format!("{PHRASE}\r"));
    terminal.expect("Once more").type_text(&format!("{PHRASE}\r")).expect("added slot 2");
    assert_eq!(terminal.exit_code(), Some(0));
    let (code, screen) = Terminal::start(&sandbox.credb(["get", "a"])).wait();
    assert_eq!(code, 0);
    assert!(!screen.contains("Passphrase"), "{screen}");
}
