//! `copy --to`: into another vault, with the keys of both, whole or not at all.

use std::fs;

use serde_json::Value;

use crate::support::{Sandbox, SlowSync, Terminal};

/// Two vaults under the machine key, the first with the credential `a`.
fn two_vaults() -> Sandbox {
    let sandbox = Sandbox::with_ids(&["a"]);
    let options = ["-u", "u", "--tag", "t", "--field", "pin=1", "--expires", "2099-01-01"];
    sandbox.credb(["set", "a", "-d", "text", "--url", "x://y"]).args(options).run().ok();
    sandbox.credb(["init", "--vault", "other"]).run().ok();
    sandbox
}

#[track_caller]
fn shown(sandbox: &Sandbox, vault: &str, id: &str) -> Value {
    let get = ["get", "--vault", vault, "--id", id, "--json", "--show-password"];
    sandbox.credb(get).run().ok().json()
}

#[track_caller]
fn ids(sandbox: &Sandbox, vault: &str) -> String {
    sandbox.credb(["list", "--ids", "--vault", vault]).run().ok().text()
}

#[test]
fn a_copy_has_all_but_the_times_and_the_version() {
    let sandbox = two_vaults();
    let before = (sandbox.state_token(), shown(&sandbox, "default", "a"));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let copied = sandbox.credb(["copy", "a", "b", "--to", "other", "--json"]).run().ok().silent();
    let copied = copied.json();
    assert_eq!((&copied["from"], &copied["id"]), (&"a".into(), &"b".into()));
    assert_eq!((&copied["version"], &copied["created"]), (&1.into(), &true.into()));
    assert_eq!(copied["to_vault"], sandbox.path_text("data/credb/other.redb"));
    let copy = shown(&sandbox, "other", "b");
    for kept in ["username", "url", "description", "tags", "password", "fields", "expires_at"] {
        assert_eq!(copy[kept], before.1[kept], "{kept}");
    }
    assert_eq!(copy["password_changed_at"], before.1["password_changed_at"]);
    assert_ne!(copy["created_at"], before.1["created_at"]);
    assert_eq!(sandbox.state_token(), before.0, "the first vault was written");
    sandbox.credb(["cp", "a", "--to", "other"]).run().ok().stdout("").silent();
    assert_eq!(ids(&sandbox, "other"), "a\nb\n");
    sandbox.credb(["verify", "--vault", "other"]).run().ok();
}

#[test]
fn nothing_is_overwritten_in_the_other_vault_without_force() {
    let sandbox = two_vaults();
    let set = ["set", "a", "--password-stdin", "--vault", "other"];
    sandbox.credb(set).stdin("of the other").run().ok();
    let created = shown(&sandbox, "other", "a")["created_at"].clone();
    let outcome = sandbox.credb(["copy", "a", "--to", "other"]).run().fails(4);
    outcome.stderr_has("exists already").stderr_has("`credb get a --vault other`");
    sandbox.credb(["copy", "a", "--to", "other", "--json"]).run().fails_json(4, "conflict");
    assert_eq!(shown(&sandbox, "other", "a")["password"], "of the other");
    sandbox.credb(["copy", "a", "--to", "other", "--force"]).run().ok();
    let copy = shown(&sandbox, "other", "a");
    assert_eq!((&copy["password"], &copy["version"]), (&"secret of a".into(), &2.into()));
    assert_eq!(copy["created_at"], created);
    let earlier = ["get", "a", "--at", "1", "--field", "password", "--vault", "other"];
    sandbox.credb(earlier).run().ok().stdout("of the other\n");
    let again = sandbox.credb(["copy", "a", "--to", "other", "-f", "--json"]).run().ok().json();
    assert_eq!((&again["version"], &again["changed"]), (&2.into(), &false.into()));
}

#[test]
fn what_is_wrong_with_the_other_vault_is_told_of_that_one() {
    let sandbox = two_vaults();
    let copy = ["copy", "a", "--to", "third"];
    let outcome = sandbox.credb(copy).run().fails(3);
    outcome.stderr_has("third.redb").stderr_has("`credb init --vault third`");
    sandbox.credb(copy).args(["--json"]).run().fails_json(3, "not_found");
    assert!(!sandbox.path("data/credb/third.redb").exists(), "a vault was made");

    let key = sandbox.path_text("third.key");
    sandbox.credb(["init", "--vault", "third", "--key-file", &key]).run().ok();
    let outcome = sandbox.credb(copy).run().fails(5);
    outcome.stderr_has("`credb info --vault third`").stderr_has("--to-key-file");
    sandbox.credb(["copy", "none", "--to", "third"]).run().fails(3).stderr_has("\"none\"");
    sandbox.credb(copy).args(["--to-key-file", &key]).run().ok();
    assert_eq!(ids_with(&sandbox, "third", &key), "a\n");

    let path = sandbox.path("data/credb/other.redb");
    let whole = fs::read(&path).unwrap();
    for (bytes, code) in [(vec![], "corrupt"), (vec![7; 40_000], "not_a_vault")] {
        fs::write(&path, &bytes).unwrap();
        let json = sandbox.credb(["copy", "a", "--to", "other", "--json"]).run();
        json.fails_json(6, code);
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    fs::write(&path, whole).unwrap();
    sandbox.credb(["copy", "a", "--to", "other"]).run().ok();
    for wrong in [
        &["copy", "--to", "other"][..],
        &["copy", "a", "b", "c", "--to", "other"],
        &["copy", "a", "--to", ""],
        &["copy", "a", "--to", "x.redb"],
        &["copy", "a"],
        &["copy", "a", "b", "--to-key-file", "k"],
        &["copy", "a", "--to", "x", "--to-key-file", "k", "--to-passphrase-file", "p"],
    ] {
        sandbox.credb(wrong).run().fails(2);
        sandbox.credb(wrong).args(["--json"]).run().fails_json(2, "usage");
    }
}

#[track_caller]
fn ids_with(sandbox: &Sandbox, vault: &str, key: &str) -> String {
    sandbox.credb(["list", "--ids", "--vault", vault, "--key-file", key]).run().ok().text()
}

#[test]
fn a_key_for_one_vault_does_not_shut_the_other() {
    let sandbox = Sandbox::new();
    let (first, second) = (sandbox.path_text("first.key"), sandbox.path_text("second.key"));
    for (vault, key) in [("one", &first), ("two", &second)] {
        sandbox.credb(["init", "--vault", vault, "--key-file", key]).run().ok();
    }
    sandbox.credb(["init", "--vault", "three"]).run().ok();
    let set = ["set", "a", "--generate", "--vault", "one", "--key-file", &first];
    sandbox.credb(set).run().ok();
    let copy = ["copy", "a", "--vault", "one", "--key-file", &first];
    // The key that opens the first one is not the one key of the other.
    sandbox.credb(copy).args(["--to", "three"]).run().ok();
    sandbox.credb(copy).args(["--to", "two"]).run().fails(5);
    sandbox.credb(copy).args(["--to", "two", "--to-key-file", &second]).run().ok();
    // One that is named is.
    let wrong = ["--to", "three", "--to-key-file", &second, "--force"];
    sandbox.credb(copy).args(wrong).run().fails(5);
    // Back, with the first key for the other one.
    let back = ["copy", "a", "b", "--vault", "three", "--to", "one", "--to-key-file", &first];
    sandbox.credb(back).run().ok();
    assert_eq!(ids_with(&sandbox, "one", &first), "a\nb\n");
    // Both at once through the environment.
    let call = sandbox.credb(["copy", "a", "c", "--vault", "one", "--to", "./data/credb/one.redb"]);
    call.env("CREDB_KEY_FILE", &first).run().ok();
    assert_eq!(ids_with(&sandbox, "one", &first), "a\nb\nc\n");
}

#[test]
fn a_passphrase_is_read_for_the_other_vault_or_asked_for() {
    let sandbox = two_vaults();
    let passphrase = sandbox.file("passphrase", "a passphrase of the third\n");
    let cost = ["--kdf-cost", "8,1"];
    let init =
        ["init", "--vault", "third", "--key", "passphrase", "--passphrase-file", &passphrase];
    sandbox.credb(init).args(cost).run().ok();
    let copy = ["copy", "a", "--to", "third"];
    sandbox.credb(copy).run().fails(5);
    sandbox.credb(copy).args(["--to-passphrase-file", &passphrase]).run().ok();
    let mut terminal = Terminal::start(&sandbox.credb(["copy", "a", "b", "--to", "third"]));
    terminal.expect("Passphrase of").type_text("a passphrase of the third\r");
    let screen = terminal.ends(0);
    assert!(screen.contains("copied a to b in third (version 1)"), "{screen:?}");
}

#[test]
fn another_vault_that_is_in_use_is_busy_and_stays_as_it_is() {
    let sandbox = two_vaults();
    let shim = SlowSync::build();
    let holder = sandbox.credb(["set", "c", "--generate", "--vault", "other"]);
    let mut holder = shim.stop_at(holder, 2).spawn();
    assert!(holder.stops(), "a write should sync at least twice");
    let copy = ["copy", "a", "--to", "other", "--wait", "0.2"];
    let outcome = sandbox.credb(copy).run().fails(7);
    outcome.stderr_has("other.redb");
    sandbox.credb(copy).args(["--json"]).run().fails_json(7, "busy");
    drop(holder);
    assert!(!ids(&sandbox, "other").contains("a\n"));
    // Who writes the first one is in nobody's way.
    let holder = sandbox.credb(["set", "c", "--generate"]);
    let mut holder = shim.stop_at(holder, 2).spawn();
    assert!(holder.stops(), "a write should sync at least twice");
    sandbox.credb(copy).run().ok();
    drop(holder);
}

#[test]
fn another_vault_at_a_known_path_is_refused() {
    let sandbox = two_vaults();
    let elsewhere = Sandbox::with_vault();
    fs::copy(elsewhere.vault(), sandbox.path("data/credb/other.redb")).unwrap();
    let outcome = sandbox.credb(["copy", "a", "--to", "other"]).run().fails(6);
    outcome.stderr_has("`credb key trust --vault other`");
}
