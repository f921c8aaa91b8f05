//! `rename` and `copy`: what stays, what goes on, and what is never overwritten unasked.

use serde_json::Value;

use crate::support::{Sandbox, keys_in_order};

#[track_caller]
fn shown(sandbox: &Sandbox, id: &str) -> Value {
    sandbox.credb(["get", "--id", id, "--json", "--show-password"]).run().ok().json()
}

#[test]
fn a_renamed_credential_is_the_same_under_another_id() {
    let sandbox = Sandbox::with_ids(&["old"]);
    sandbox.credb(["set", "old", "--username", "u", "--tag", "t", "--field", "pin=1"]).run().ok();
    let before = shown(&sandbox, "old");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let renamed = sandbox.credb(["rename", "old", "new", "--json"]).run().ok().silent().json();
    let keys = ["id", "version", "created", "changed", "updated_at", "from"];
    assert_eq!(keys_in_order(&renamed.to_string()), keys);
    assert_eq!((&renamed["from"], &renamed["id"]), (&"old".into(), &"new".into()));
    assert_eq!((&renamed["version"], &renamed["created"]), (&3.into(), &true.into()));
    sandbox.credb(["get", "old"]).run().fails(3);
    let after = shown(&sandbox, "new");
    for kept in ["username", "tags", "password", "fields", "created_at", "password_changed_at"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_ne!(after["updated_at"], before["updated_at"]);
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn versions_go_on_from_the_last_of_both_ids() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    for password in ["1", "2", "3"] {
        sandbox.put("b", password);
    }
    sandbox.credb(["remove", "b", "--force"]).run().ok();
    sandbox.credb(["mv", "a", "b"]).run().ok().stdout("").silent();
    assert_eq!(sandbox.version("b"), 5);
    sandbox.put("a", "again");
    assert_eq!(sandbox.version("a"), 2, "the old id goes on too");
    sandbox.credb(["rename", "b", "a", "--force"]).run().ok();
    assert_eq!(sandbox.version("a"), 6);
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn nothing_is_overwritten_without_force() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    for verb in ["rename", "copy"] {
        let before = sandbox.state_token();
        sandbox.credb([verb, "a", "b"]).run().fails(4).stderr_has("\"b\" exists already");
        sandbox.credb([verb, "a", "b", "--json"]).run().fails_json(4, "conflict");
        sandbox.credb([verb, "x", "b"]).run().fails(3).stderr_has("\"x\"");
        sandbox.credb([verb, "x", "y", "--force"]).run().fails(3);
        sandbox.credb([verb, "a", "a"]).run().fails(4);
        sandbox.credb([verb, "a", " bad"]).run().fails(9);
        sandbox.credb([verb, "a"]).run().fails(2);
        sandbox.credb([verb, "a", "b", "c"]).run().fails(2);
        sandbox.credb([verb, "a", "a", "--force"]).run().ok();
        assert_eq!(sandbox.state_token(), before, "{verb} wrote something");
    }
    sandbox.credb(["copy", "a", "b", "--force"]).run().ok();
    assert_eq!(sandbox.password("b"), "secret of a");
    sandbox.put("a", "newer");
    sandbox.credb(["rename", "a", "b", "-f"]).run().ok();
    assert_eq!(sandbox.password("b"), "newer");
    sandbox.credb(["list", "--ids"]).run().ok().stdout("b\n");
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn a_copy_is_a_credential_of_its_own() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.put("a", "second");
    let copied = sandbox.credb(["cp", "a", "b", "--json"]).run().ok().json();
    assert_eq!((&copied["from"], &copied["version"]), (&"a".into(), &1.into()));
    assert_eq!(copied["changed"], true);
    let again = sandbox.credb(["copy", "a", "b", "--force", "--json"]).run().ok().json();
    assert_eq!((&again["version"], &again["changed"]), (&1.into(), &false.into()));
    sandbox.put("b", "of b");
    assert_eq!(sandbox.password("a"), "second");
    assert_eq!(sandbox.version("a"), 2);
    let original = shown(&sandbox, "a");
    sandbox.credb(["copy", "a", "c"]).run().ok();
    assert_eq!(shown(&sandbox, "c")["password_changed_at"], original["password_changed_at"]);
}

#[test]
fn ids_that_look_like_options_can_be_moved() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "--id=-a", "--password-stdin"]).stdin("secret of -a").run().ok();
    sandbox.credb(["rename", "--id=-a", "--id=-b"]).run().ok();
    sandbox.credb(["rename", "--id=-b", "--id=c"]).run().ok();
    // Which of the two would be the old one?
    for mixed in [["rename", "c", "--id=d"], ["copy", "--id=c", "d"]] {
        sandbox.credb(mixed).run().fails(2).stderr_has("not both");
    }
    sandbox.credb(["copy", "--", "c", "-d"]).run().ok();
    let password = sandbox.credb(["get", "--id=-d", "--field", "password", "--raw"]);
    password.run().ok().stdout("secret of -a");
}

#[test]
fn a_credential_that_has_moved_on_is_not_renamed() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    sandbox.put("a", "second");
    let before = sandbox.state_token();
    for version in ["0", "1", "3"] {
        let rename = ["rename", "a", "c", "--if-version", version];
        sandbox.credb(rename).run().fails(4).stderr_has("at version 2");
        sandbox.credb(rename).args(["--json"]).run().fails_json(4, "conflict");
    }
    // The condition is about the one that is moved, and replaces no consent.
    sandbox.credb(["rename", "a", "b", "--if-version", "2"]).run().fails(4).stderr_has("\"b\"");
    sandbox.credb(["rename", "none", "c", "--if-version", "0"]).run().fails(3);
    let line = r#"{"op":"rename","id":"a","to":"c","if_version":1}"#;
    sandbox.credb(["batch"]).stdin(line).run().code(4);
    assert_eq!(sandbox.state_token(), before);
    let line = r#"{"op":"rename","id":"a","to":"b","if_version":2,"force":true}"#;
    sandbox.credb(["batch"]).stdin(line).run().ok();
    sandbox.credb(["rename", "b", "c", "--if-version", "3"]).run().ok();
    assert_eq!(sandbox.password("c"), "second");
}
