//! Ids and values that are meant to break something.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::Sandbox;

#[test]
fn strange_ids_are_kept_byte_by_byte() {
    let sandbox = Sandbox::with_vault();
    let long = "x".repeat(255);
    let emoji = "\u{1f511}".repeat(63);
    for id in [
        "../x",
        "/etc/passwd",
        "a b",
        "*",
        "[",
        "a\"b'c",
        "$(touch pwned)",
        "\u{202e}gnp.exe",
        "caf\u{e9}",
        "cafe\u{301}",
        "a\u{200b}b",
        "%s%n",
        "\\",
        "NULL",
        &long,
        &emoji,
    ] {
        sandbox.put(id, id);
        assert_eq!(sandbox.password(id), id);
        let get = ["get", id, "--json"];
        assert_eq!(sandbox.credb(get).run().ok().json()["id"], id);
    }
    let listed = sandbox.credb(["list", "--ids"]).run().ok().lines();
    assert_eq!(listed.len(), 16);
    assert!(!sandbox.path("pwned").exists());
    assert!(!sandbox.path("data/x").exists());
}

#[test]
fn ids_that_break_the_rules_are_refused() {
    let sandbox = Sandbox::with_vault();
    let long = "x".repeat(256);
    let emoji = "\u{1f511}".repeat(64);
    for id in
        ["", " ", " a", "a ", "a\tb", "a\nb", "a\u{1b}[2J", "\u{7f}", "a\u{85}b", &long, &emoji]
    {
        let outcome = sandbox.credb(["set", "--generate", "--", id]).run().fails(9);
        outcome.stderr_lacks("\u{1b}");
        sandbox.credb(["get", "--", id]).run().fails(9);
        sandbox.credb(["remove", "--force", "--", id]).run().fails(9);
    }
    sandbox.credb(["set", "--generate", &long]).run().fails(9).stderr_has("256").stderr_has("255");
    sandbox.credb(["list", "--ids"]).run().ok().stdout("");
}

#[test]
fn an_id_may_start_with_a_dash() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "--generate", "--", "-x"]).run().ok();
    sandbox.credb(["set", "--generate", "--id=--force"]).run().ok();
    sandbox.credb(["list", "--ids"]).run().ok().stdout("--force\n-x\n");
    sandbox.credb(["get", "--id=-x"]).run().ok();
    sandbox.credb(["remove", "--force", "--", "--force"]).run().ok();
    sandbox.credb(["list", "--ids"]).run().ok().stdout("-x\n");
}

#[test]
fn arguments_that_are_not_utf_8_are_refused() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let bytes = OsStr::from_bytes(b"\xff\xfe");
    for arguments in [
        [OsStr::new("get"), bytes],
        [OsStr::new("list"), bytes],
        [OsStr::new("key"), bytes],
        [OsStr::new("--vault"), bytes],
    ] {
        let outcome = sandbox.credb(arguments).run();
        let refused = matches!(outcome.exit_code(), Some(2 | 9));
        outcome.check(refused, "it should be refused");
        outcome.stdout("");
    }
    for option in ["-u", "-d", "--url", "--tag", "-p"] {
        let arguments = [OsStr::new("set"), OsStr::new("a"), OsStr::new(option), bytes];
        let outcome = sandbox.credb(arguments).run();
        let taken = option == "-p" && outcome.exit_code() == Some(0);
        let refused = matches!(outcome.exit_code(), Some(2 | 9));
        outcome.check(taken || refused, "only a password may be any bytes");
    }
}

#[test]
fn a_path_that_is_not_utf_8_works() {
    let sandbox = Sandbox::new();
    let path = sandbox.path(OsStr::from_bytes(b"v\xff.redb"));
    let vault = [OsStr::new("--vault"), path.as_os_str()];
    sandbox.credb(vault).args(["init"]).run().ok();
    sandbox.credb(vault).args(["set", "a", "--generate"]).run().ok();
    sandbox.credb(vault).args(["list", "--ids"]).run().ok().stdout("a\n");
    assert!(path.is_file());
}

#[test]
fn values_of_any_bytes_and_of_the_full_size_come_back() {
    let sandbox = Sandbox::with_vault();
    let set = ["set", "a", "--password-stdin", "--exact"];
    let get = ["get", "a", "--field", "password", "--raw"];
    for value in [
        vec![0; 65_536],
        (0..=255).cycle().take(65_536).collect(),
        b"\n".repeat(65_536),
        b"\xc3\x28".to_vec(),
        b"\xef\xbb\xbfbom".to_vec(),
        b"a\0b".to_vec(),
    ] {
        sandbox.credb(set).stdin(value.clone()).run().ok();
        sandbox.credb(get).run().ok().stdout(&value);
    }
    sandbox.credb(set).stdin(vec![0; 65_537]).run().fails(9);
}

#[test]
fn input_without_an_end_is_refused_at_the_limit() {
    let sandbox = Sandbox::with_vault();
    sandbox.shell("credb set a --password-stdin --exact < /dev/zero").run().fails(9);
    sandbox.shell("credb set a --password-file /dev/zero").run().fails(9);
    sandbox.shell("credb --key-file /dev/zero list").run().code(5);
    sandbox.credb(["list", "--ids"]).run().ok().stdout("");
}

#[test]
fn names_with_control_characters_do_not_reach_the_error_raw() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let name = "\u{1b}]0;owned\u{7}";
    for arguments in [
        vec!["get", "a", "--field", name],
        vec!["--vault", name, "list"],
        vec!["set", "a", "--unset", name],
        vec!["init", "--key", name],
        vec![name],
    ] {
        let outcome = sandbox.credb(&arguments).run();
        outcome.check(outcome.exit_code() != Some(0), "it should be refused");
        outcome.stderr_lacks("\u{1b}]").stderr_lacks("\u{7}");
    }
}
