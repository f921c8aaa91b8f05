//! `get`: one credential, several, one field, into a file.

use std::fs;

use serde_json::json;

use crate::support::{Sandbox, mode_of};

#[test]
fn a_credential_is_shown_with_all_that_is_set() {
    let sandbox = Sandbox::with_vault();
    let set = ["set", "a", "-u", "who", "-d", "what for", "--url", "http://x", "--tag", "blue"];
    sandbox.credb(set).args(["--field", "pin=1234", "-p", "hunter2"]).run().ok();
    let shown = sandbox.credb(["get", "a"]).run().ok().hides("hunter2").hides("1234").text();
    for part in ["who", "what for", "http://x", "blue", "pin"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let open = sandbox.credb(["get", "a", "--show-password"]).run().ok();
    open.stdout_has("hunter2").stdout_has("1234");
}

#[test]
fn a_field_is_printed_alone() {
    let sandbox = Sandbox::with_vault();
    let set = ["set", "a", "-u", "who", "-d", "what", "--url", "http://x", "-p", "hunter2"];
    sandbox.credb(set).args(["--field", "pin=1234"]).run().ok();
    for (field, value) in [
        ("password", "hunter2"),
        ("username", "who"),
        ("description", "what"),
        ("url", "http://x"),
        ("pin", "1234"),
        ("id", "a"),
        ("version", "1"),
    ] {
        let get = ["get", "a", "--field", field];
        sandbox.credb(get).run().ok().silent().stdout(format!("{value}\n"));
        sandbox.credb(get).args(["--raw"]).run().ok().silent().stdout(value);
    }
    let json = sandbox.credb(["get", "a", "--field", "pin", "--json"]).run().ok().json();
    assert_eq!(json, json!({"id": "a", "field": "pin", "value": "1234"}));
}

#[test]
fn a_field_that_is_unset_is_not_found() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for field in ["username", "url", "description", "expires_at", "pin"] {
        sandbox.credb(["get", "a", "--field", field]).run().fails(3).stderr_has(field);
    }
}

#[test]
fn raw_bytes_come_out_as_they_went_in() {
    let sandbox = Sandbox::with_vault();
    let every: Vec<u8> = (0..=255).collect();
    let set = ["set", "a", "--password-stdin", "--exact"];
    sandbox.credb(set).stdin(every.clone()).run().ok();
    let get = ["get", "a", "--field", "password"];
    sandbox.credb(get).args(["--raw"]).run().ok().silent().stdout(&every);
    sandbox.credb(get).run().ok().stdout([every.as_slice(), b"\n"].concat());
}

#[test]
fn several_ids_come_in_the_order_asked_for() {
    let sandbox = Sandbox::with_ids(&["a", "b", "c"]);
    let got = sandbox.credb(["get", "c", "a", "--json"]).run().ok().json();
    let ids: Vec<_> = got.as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, ["c", "a"]);
    let missing = sandbox.credb(["get", "a", "x", "b", "y"]).run().fails(3);
    missing.stderr_has("\"x\"").stderr_has("\"y\"").stderr_lacks("\"a\"");
}

#[test]
fn out_file_writes_a_closed_file_and_nothing_to_stdout() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let file = sandbox.path_text("out");
    let get = ["get", "a", "--field", "password", "--raw", "-o", &file];
    sandbox.credb(get).run().ok().stdout("").silent();
    assert_eq!(fs::read_to_string(&file).unwrap(), "secret of a");
    assert_eq!(mode_of(&sandbox.path("out")), 0o600);
    sandbox.credb(get).args(["--file-mode", "0640"]).run().ok();
    assert_eq!(mode_of(&sandbox.path("out")), 0o640);
}

#[test]
fn out_file_is_left_alone_when_there_is_nothing_to_write() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let file = sandbox.file("out", "before");
    let get = ["get", "b", "--field", "password", "--out-file", &file];
    sandbox.credb(get).run().fails(3);
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    let nowhere = sandbox.path_text("no/such/dir");
    let get = ["get", "a", "--field", "password", "--out-file", &nowhere];
    sandbox.credb(get).run().fails(8);
}

#[test]
fn an_expired_credential_is_given_out_and_marked() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["set", "a", "--expires", "2001-01-01"]).run().ok();
    sandbox.credb(["get", "a"]).run().ok().stdout_has("expired");
    assert_eq!(sandbox.password("a"), "secret of a");
}
