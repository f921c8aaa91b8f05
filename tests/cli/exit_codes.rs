//! Every exit code of the table with its JSON code, from what a user would do to meet it.
//! `cancelled` and 130 need a terminal: see `terminal`.

use std::fs;

use crate::support::{Sandbox, SlowSync};

#[test]
fn done_is_0() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "a", "--password-stdin"]).stdin("pw\n").run().ok().stdout("").silent();
    sandbox.credb(["list"]).run().ok().silent();
}

#[test]
fn some_entries_refused_is_1_partial() {
    let sandbox = Sandbox::with_vault();
    let input = sandbox.file("in.json", r#"[{"id":"a","password":"x"},{"id":"","password":"x"}]"#);
    let outcome = sandbox.credb(["set", "-f", &input, "--keep-going", "--json"]).run().code(1);
    assert_eq!(outcome.json()["added"], serde_json::json!(["a"]));
    assert_eq!(outcome.error_json()["code"], "partial");
}

#[test]
fn a_wrong_command_line_is_2_usage() {
    let sandbox = Sandbox::with_vault();
    for arguments in [
        vec![],
        vec!["no-such-command"],
        vec!["list", "--no-such-option"],
        vec!["get"],
        vec!["remove"],
        vec!["history"],
        vec!["config", "no.such.setting"],
        vec!["config", "--unset", "no.such.setting"],
        vec!["due", "--within", "soon"],
        vec!["due", "--within", "2027-01-01"],
        vec!["list", "--older-than", "never"],
        vec!["list", "--sort", "size"],
        vec!["undo", "a", "--to", "x"],
        vec!["purge", "a", "b"],
        vec!["get", "a", "b", "--at", "1"],
        vec!["set"],
        vec!["--wait", "soon", "list"],
        vec!["--wait", "-1", "list"],
        vec!["--wait", "86401", "list"],
        vec!["--color", "pink", "list"],
        vec!["get", "a", "--raw"],
        vec!["copy", "a"],
        vec!["copy", "a", "--to", ""],
        vec!["key", "no-such-command"],
        vec!["key", "rebind", "x"],
        vec!["key", "trust", "x"],
        vec!["unlock", "--for", "soon"],
        vec!["lock", "x"],
    ] {
        sandbox.credb(&arguments).run().code(2).stdout("");
        sandbox.credb(["--json"]).args(&arguments).run().fails_json(2, "usage");
    }
}

#[test]
fn a_question_that_must_not_be_asked_is_2_usage() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for arguments in [vec!["set", "new"], vec!["set", "a"], vec!["remove", "a"], vec!["purge", "a"]]
    {
        sandbox.credb(&arguments).run().fails(2);
        sandbox.credb(&arguments).args(["--json"]).run().fails_json(2, "usage");
    }
    assert_eq!(sandbox.version("a"), 1);
}

#[test]
fn what_is_not_there_is_3_not_found() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for arguments in [
        vec!["get", "b"],
        vec!["get", "a", "b"],
        vec!["get", "a", "--field", "url"],
        vec!["get", "a", "--field", "pin"],
        vec!["remove", "b", "--force"],
        vec!["history", "b"],
        vec!["get", "a", "--at", "2"],
        vec!["undo", "a"],
        vec!["undo", "a", "--to", "2"],
        vec!["purge", "b", "--force"],
        vec!["key", "remove", "99", "--force"],
        vec!["copy", "a", "--to", "other"],
        vec!["--vault", "other", "get", "a"],
        vec!["--vault", "other", "list"],
        vec!["--vault", "other", "info"],
        vec!["--vault", "other", "unlock"],
        vec!["--vault", "other", "lock"],
        vec!["--vault", "other", "key", "rebind"],
        vec!["--vault", "other", "key", "trust"],
    ] {
        sandbox.credb(&arguments).run().fails(3);
        sandbox.credb(&arguments).args(["--json"]).run().fails_json(3, "not_found");
    }
}

#[test]
fn what_exists_or_has_moved_on_is_4_conflict() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for arguments in [
        vec!["init"],
        vec!["set", "a", "--if-absent", "--password-stdin"],
        vec!["set", "a", "--if-version", "0", "--password-stdin"],
        vec!["set", "a", "--if-version", "2", "--password-stdin"],
        vec!["set", "b", "--if-version", "1", "--password-stdin"],
        vec!["remove", "a", "--force", "--if-version", "2"],
        vec!["undo", "a", "--if-version", "2"],
        vec!["rename", "a", "b", "--if-version", "2"],
        vec!["copy", "a", "--to", "default"],
    ] {
        sandbox.credb(&arguments).stdin("new").run().fails(4);
        let with_json = sandbox.credb(&arguments).args(["--json"]).stdin("new");
        with_json.run().fails_json(4, "conflict");
    }
    assert_eq!(sandbox.password("a"), "secret of a");
}

#[test]
fn no_key_that_opens_is_5_locked() {
    let sandbox = Sandbox::with_ids(&["a"]);
    fs::remove_file(sandbox.machine_key()).unwrap();
    let key = sandbox.machine_key();
    sandbox.credb(["get", "a"]).run().fails(5).stderr_has(key.to_str().unwrap());
    sandbox.credb(["get", "a", "--json"]).run().fails_json(5, "locked");
}

#[test]
fn a_vault_that_cannot_be_trusted_is_6() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let length = sandbox.vault_bytes().len();
    fs::write(sandbox.vault(), vec![0; length]).unwrap();
    sandbox.credb(["get", "a"]).run().fails(6);

    sandbox.file("notes.redb", "These are my notes, and no vault at all.\n".repeat(1_000));
    sandbox.credb(["--vault", "./notes.redb", "get", "a"]).run().fails(6);
    let json = sandbox.credb(["--vault", "./notes.redb", "get", "a", "--json"]).run();
    json.fails_json(6, "not_a_vault");

    fs::write(sandbox.vault(), b"").unwrap();
    sandbox.credb(["get", "a", "--json"]).run().fails_json(6, "corrupt");
}

#[test]
fn a_vault_in_use_for_too_long_is_7_busy() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    let holder = sandbox.credb(["set", "b", "--password-stdin"]).stdin("pw");
    let mut holder = shim.stop_at(holder, 2).spawn();
    assert!(holder.stops(), "a write should sync at least twice");
    let set = ["--wait", "0.3", "set", "a", "--password-stdin"];
    sandbox.credb(set).stdin("pw").run().fails(7);
    sandbox.credb(set).args(["--json"]).stdin("pw").run().fails_json(7, "busy");
}

#[test]
fn what_the_file_system_refuses_is_8_io() {
    let sandbox = Sandbox::with_vault();
    let missing = sandbox.path_text("missing");
    for arguments in [
        vec!["set", "a", "--password-file", &missing],
        vec!["set", "--from-file", &missing],
        vec!["set", "a", "--generate", "--field-file", &format!("pin={missing}")],
        vec!["migrate", &missing],
        vec!["--vault", "/proc/none/v.redb", "init"],
    ] {
        sandbox.credb(&arguments).run().fails(8);
        sandbox.credb(&arguments).args(["--json"]).run().fails_json(8, "io");
    }
    sandbox.credb(["get", "a"]).run().fails(3);
}

#[test]
fn input_that_breaks_a_rule_is_9_invalid() {
    let sandbox = Sandbox::with_vault();
    let broken = sandbox.file("in.json", "[{");
    for arguments in [
        vec!["set", " a", "--generate"],
        vec!["set", "", "--generate"],
        vec!["set", "a", "--password-stdin"],
        vec!["set", "a", "--password", ""],
        vec!["set", "--from-file", &broken],
    ] {
        sandbox.credb(&arguments).stdin("").run().fails(9);
        let with_json = sandbox.credb(&arguments).args(["--json"]).stdin("");
        with_json.run().fails_json(9, "invalid");
    }
    sandbox.credb(["list", "--ids"]).run().ok().stdout("");
}
