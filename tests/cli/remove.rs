//! `remove`: all named or none, on a condition, and never without being sure.

use serde_json::json;

use crate::support::Sandbox;

#[test]
fn a_removed_credential_is_gone() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    sandbox.credb(["remove", "a", "--force"]).run().ok().stdout("").silent();
    sandbox.credb(["get", "a"]).run().fails(3);
    sandbox.credb(["list", "--ids"]).run().ok().stdout("b\n");
}

#[test]
fn where_nobody_can_be_asked_it_takes_force() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["remove", "a"]).run().fails(2).stderr_has("--force");
    sandbox.credb(["remove", "a"]).stdin("y\n").run().fails(2);
    sandbox.credb(["remove", "a", "--json"]).run().fails_json(2, "usage");
    sandbox.credb(["remove", "a", "-f"]).run().ok();
}

#[test]
fn several_ids_are_all_removed_or_none() {
    let sandbox = Sandbox::with_ids(&["a", "b", "c"]);
    let missing = sandbox.credb(["remove", "a", "x", "b", "y", "--force"]).run().fails(3);
    missing.stderr_has("\"x\"").stderr_has("\"y\"").stderr_lacks("\"b\"");
    sandbox.credb(["list", "--ids"]).run().ok().stdout("a\nb\nc\n");
    let removed = sandbox.credb(["remove", "c", "a", "--force", "--json"]).run().ok().json();
    assert_eq!(removed, json!({"removed": ["c", "a"]}));
    sandbox.credb(["list", "--ids"]).run().ok().stdout("b\n");
}

#[test]
fn ignore_missing_removes_what_is_there() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let remove = ["remove", "a", "x", "--force", "--ignore-missing", "--json"];
    assert_eq!(sandbox.credb(remove).run().ok().json(), json!({"removed": ["a"]}));
    assert_eq!(sandbox.credb(remove).run().ok().json(), json!({"removed": []}));
}

#[test]
fn a_version_that_has_moved_on_is_not_removed() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.put("a", "newer");
    sandbox.credb(["remove", "a", "--force", "--if-version", "1"]).run().fails(4);
    assert_eq!(sandbox.password("a"), "newer");
    sandbox.credb(["remove", "a", "--force", "--if-version", "2"]).run().ok();
    sandbox.credb(["get", "a"]).run().fails(3);
}
