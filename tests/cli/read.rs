//! `read`: what one reference stands for.

use std::fs;

use crate::support::{Sandbox, mode_of};

#[test]
fn a_reference_without_a_field_is_the_password() {
    let sandbox = Sandbox::with_ids(&["db/a", "odd #?% id"]);
    sandbox.credb(["read", "credb://db/a"]).run().ok().stdout("secret of db/a\n").silent();
    sandbox.credb(["read", "credb://db/a#password"]).run().ok().stdout("secret of db/a\n");
    let odd = "credb://odd%20%23%3F%25%20id";
    sandbox.credb(["read", odd, "--raw"]).run().ok().stdout("secret of odd #?% id");
}

#[test]
fn a_field_is_named_behind_the_number_sign() {
    let sandbox = Sandbox::with_vault();
    let set = ["set", "a", "-u", "root", "--generate", "--field", "pin code=\u{e9}"];
    sandbox.credb(set).run().ok();
    sandbox.credb(["read", "credb://a#username"]).run().ok().stdout("root\n");
    sandbox.credb(["read", "credb://a#pin%20code"]).run().ok().stdout("\u{e9}\n");
    let json = sandbox.credb(["read", "credb://a#username", "--json"]).run().ok().json();
    assert_eq!(json, serde_json::json!({"id": "a", "field": "username", "value": "root"}));
}

#[test]
fn what_is_missing_is_not_found_and_what_is_malformed_is_invalid() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for (reference, code) in [
        ("credb://b", 3),
        ("credb://a#url", 3),
        ("credb://a#none", 3),
        ("a", 9),
        ("credb://", 9),
        ("credb://a#", 9),
        ("credb://a?x", 9),
        ("credb://a%zz", 9),
        ("credb://a b", 9),
    ] {
        sandbox.credb(["read", reference]).run().fails(code);
    }
    sandbox.credb(["read"]).run().fails(2);
}

#[test]
fn a_file_gets_it_whole_with_its_mode() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let read = ["read", "credb://a", "--raw", "-o", "out"];
    sandbox.credb(read).run().ok().stdout("").silent();
    assert_eq!(fs::read(sandbox.path("out")).unwrap(), b"secret of a");
    assert_eq!(mode_of(&sandbox.path("out")), 0o600);
    sandbox.credb(read).args(["--file-mode", "640"]).run().ok();
    assert_eq!(mode_of(&sandbox.path("out")), 0o640);
}

#[test]
fn an_id_where_a_reference_is_wanted_comes_with_the_command_that_is_meant() {
    let sandbox = Sandbox::with_ids(&["db/test", "a b"]);
    for (given, meant) in [
        ("db/test", "`credb read credb://db/test`"),
        ("db/test#id", "`credb read 'credb://db/test#id'`"),
        ("a b", "`credb read credb://a%20b`"),
    ] {
        let outcome = sandbox.credb(["read", given]).run().fails(9).hints(meant);
        let hint = outcome.hint_lines().concat();
        sandbox.shell(hint.split('`').nth(1).expect("a command")).run().ok();
    }
    assert!(sandbox.credb(["read", "op://a/b"]).run().fails(9).hint_lines().is_empty());
}
