//! `history`, `get --at`, `undo` and `purge`: what was before can be seen, had back and forgotten.

use serde_json::{Value, json};

use crate::support::{Sandbox, keys_in_order};

/// The credential `a` at version 3, its passwords `one`, `two` and `three`.
fn changed() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    for password in ["one", "two", "three"] {
        sandbox.put("a", password);
    }
    sandbox
}

#[track_caller]
fn history(sandbox: &Sandbox, id: &str) -> Value {
    sandbox.credb(["history", id, "--show-password", "--json"]).run().ok().silent().json()
}

/// Version, password and what took the place of each.
#[track_caller]
fn brief(sandbox: &Sandbox, id: &str) -> Value {
    let history = history(sandbox, id);
    let row = |row: &Value| json!([row["version"], row["password"], row["how"]]);
    history.as_array().expect("an array").iter().map(row).collect()
}

#[test]
fn a_history_shows_earlier_versions_newest_first_and_masked() {
    let sandbox = changed();
    let lines = sandbox.credb(["history", "a"]).run().ok().silent().hides("two").lines();
    let cells: Vec<Vec<&str>> = lines.iter().map(|line| line.split('\t').collect()).collect();
    assert_eq!((cells.len(), cells[0][0], cells[1][0]), (2, "2", "1"));
    assert_eq!((cells[0][3], cells[0][5]), ("updated", "************"));
    assert!(cells[0][1] <= cells[0][2], "{cells:?}");
    let masked = sandbox.credb(["history", "a", "--json"]).run().ok().hides("two").json();
    let keys = keys_in_order(&masked[0].to_string());
    assert_eq!(keys[keys.len() - 3..], ["replaced_at", "how", "renamed_from"]);
    assert_eq!(masked[0]["id"], "a");
    assert_eq!(brief(&sandbox, "a"), json!([[2, "two", "updated"], [1, "one", "updated"]]));
    let shown = sandbox.credb(["history", "a", "--show-password"]).run().ok();
    shown.stdout_has("password:         two\n").stdout_has(", updated\n");
    sandbox.credb(["set", "new", "--generate"]).run().ok();
    sandbox.credb(["history", "new"]).run().ok().stdout("").silent();
    assert_eq!(history(&sandbox, "new"), json!([]));
}

#[test]
fn an_earlier_version_is_shown_as_the_present_one_is() {
    let sandbox = changed();
    let at = |version: &str| sandbox.credb(["get", "a", "--at", version]);
    at("1").args(["--field", "password", "--raw"]).run().ok().stdout("one");
    at("2").run().ok().stdout_has("version:          2\n").hides("two").hints("--at 2");
    at("3").args(["--field", "password"]).run().ok().stdout("three\n");
    let whole = at("2").args(["--json", "--show-password"]).run().ok().json();
    assert_eq!((&whole["version"], &whole["password"]), (&json!(2), &json!("two")));
    at("4").run().fails(3).stderr_has("no version 4").hints("credb history a");
    at("0").args(["--json"]).run().fails_json(3, "not_found");
    sandbox.credb(["get", "b", "--at", "1"]).run().fails(3).stderr_has("no credential");
}

#[test]
fn undo_makes_a_new_version_of_what_was() {
    let sandbox = changed();
    let undone = sandbox.credb(["undo", "a", "--json"]).run().ok().silent().json();
    let keys = ["id", "version", "created", "changed", "updated_at", "to"];
    assert_eq!(keys_in_order(&undone.to_string()), keys);
    assert_eq!((&undone["version"], &undone["to"]), (&json!(4), &json!(2)));
    assert_eq!(sandbox.password("a"), "two");
    sandbox.credb(["undo", "--id", "a"]).run().ok().stdout("").silent();
    assert_eq!(sandbox.password("a"), "three");
    sandbox.credb(["undo", "a", "--to", "1", "--if-version", "4"]).run().fails(4);
    sandbox.credb(["undo", "a", "--to", "1", "--if-version", "5"]).run().ok();
    assert_eq!((sandbox.password("a"), sandbox.version("a")), ("one".to_owned(), 6));
    let same = sandbox.credb(["undo", "a", "--to", "1", "--json"]).run().ok().json();
    assert_eq!((&same["changed"], &same["version"]), (&json!(false), &json!(6)));
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn undo_brings_back_what_was_removed() {
    let sandbox = changed();
    sandbox.credb(["remove", "a", "--force"]).run().ok();
    assert_eq!(brief(&sandbox, "a")[0], json!([3, "three", "removed"]));
    sandbox.credb(["get", "a", "--at", "3", "--field", "password"]).run().ok().stdout("three\n");
    sandbox.credb(["undo", "a", "--if-version", "3"]).run().fails(4);
    let undone = sandbox.credb(["undo", "a", "--if-version", "0", "--json"]).run().ok().json();
    assert_eq!((&undone["version"], &undone["created"]), (&json!(4), &json!(true)));
    assert_eq!(sandbox.password("a"), "three");
}

#[test]
fn a_renamed_credential_has_its_history_with_it() {
    let sandbox = changed();
    sandbox.credb(["rename", "a", "b"]).run().ok();
    assert_eq!(brief(&sandbox, "a"), json!([]));
    let history = history(&sandbox, "b");
    assert_eq!(history[0]["renamed_from"], "a");
    assert_eq!(history[1]["renamed_from"], Value::Null);
    sandbox.credb(["history", "b"]).run().ok().stdout_has("\trenamed from a\t");
    sandbox.credb(["undo", "b"]).run().ok();
    assert_eq!(sandbox.password("b"), "two");
}

/// `target` was one credential, and is now another that was `source`.
fn moved_onto_a_used_id() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    for password in ["t1", "t2", "t3", "t4"] {
        sandbox.put("target", password);
    }
    sandbox.credb(["remove", "target", "--force"]).run().ok();
    sandbox.put("source", "s1");
    sandbox.put("source", "s2");
    sandbox.credb(["rename", "source", "target"]).run().ok();
    sandbox
}

#[test]
fn undo_does_not_bring_the_secret_of_another_credential_back_unasked() {
    let sandbox = moved_onto_a_used_id();
    let undo = sandbox.credb(["undo", "target"]).run().fails(3).hides("t4");
    undo.stderr_has("no earlier version of credential \"target\"").hints("credb history source");
    sandbox.credb(["undo", "target", "--json"]).run().fails_json(3, "not_found");
    assert_eq!((sandbox.password("target"), sandbox.version("target")), ("s2".to_owned(), 5));
    assert_eq!(brief(&sandbox, "source"), json!([[1, "s1", "updated"]]));
    sandbox.put("target", "s3");
    sandbox.credb(["undo", "target"]).run().ok();
    assert_eq!(sandbox.password("target"), "s2");
    sandbox.credb(["undo", "target", "--to", "4"]).run().ok();
    assert_eq!(sandbox.password("target"), "t4", "it was asked for");
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn a_history_marks_what_belongs_to_another_credential() {
    let sandbox = moved_onto_a_used_id();
    sandbox.put("target", "s3");
    let marks: Value = history(&sandbox, "target")
        .as_array()
        .expect("an array")
        .iter()
        .map(|row| json!([row["password"], row["of_another_credential"]]))
        .collect();
    let others = ["t4", "t3", "t2", "t1"].map(|password| json!([password, true]));
    let expected: Value = [json!(["s2", false])].into_iter().chain(others).collect();
    assert_eq!(marks, expected);
    let lines = sandbox.credb(["history", "target"]).run().ok().lines();
    let how: Vec<&str> = lines.iter().filter_map(|line| line.split('\t').nth(3)).collect();
    assert_eq!(how[..2], ["updated", "removed (another credential)"]);
    let whole = sandbox.credb(["history", "target", "--show-password"]).run().ok();
    whole.stdout_has(", updated (another credential)\n");
    // Whose they are does not hang on the id: `source` is nobody's now.
    assert_eq!(history(&sandbox, "source")[0]["of_another_credential"], true);
}

#[test]
fn undo_names_what_there_is_instead() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    sandbox.put("b", "second of b");
    sandbox.credb(["rename", "a", "b", "--force"]).run().ok();
    let undo = sandbox.credb(["undo", "b"]).run().fails(3);
    undo.stderr_has("versions 2 and 1 are of another").hints("credb undo b --to 2");
    sandbox.credb(["set", "new", "--generate"]).run().ok();
    sandbox.credb(["undo", "new"]).run().fails(3).hints("credb history new");
}

#[test]
fn purge_forgets_for_good() {
    let sandbox = changed();
    sandbox.credb(["purge", "a"]).run().fails(2).hints("credb purge a --force");
    let purged = sandbox.credb(["purge", "a", "--history", "--force", "--json"]);
    let purged = purged.run().ok().silent().json();
    assert_eq!(purged, json!({"id": "a", "credential": false, "versions": 2}));
    assert_eq!((brief(&sandbox, "a"), sandbox.version("a")), (json!([]), 3));
    sandbox.put("a", "four");
    sandbox.credb(["remove", "a", "--force"]).run().ok();
    let purged = sandbox.credb(["purge", "a", "-f", "--json"]).run().ok().json();
    assert_eq!(purged, json!({"id": "a", "credential": true, "versions": 2}));
    sandbox.credb(["undo", "a"]).run().fails(3);
    sandbox.credb(["purge", "a", "--force"]).run().fails(3);
    sandbox.put("a", "again");
    assert_eq!(sandbox.version("a"), 1);
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn what_a_batch_or_a_file_replaces_is_kept_too() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let lines =
        "{\"op\":\"set\",\"id\":\"a\",\"password\":\"x\"}\n{\"op\":\"remove\",\"id\":\"a\"}";
    sandbox.credb(["batch"]).stdin(lines).run().ok();
    sandbox.file("many.json", r#"[{"id":"a","password":"y"}]"#);
    sandbox.credb(["set", "--from-file", "many.json"]).run().ok();
    sandbox.credb(["tag", "add", "a", "t"]).run().ok();
    let expected = json!([[3, "y", "updated"], [2, "x", "removed"], [1, "secret of a", "updated"]]);
    assert_eq!(brief(&sandbox, "a"), expected);
}
