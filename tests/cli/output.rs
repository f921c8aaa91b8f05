//! What stands on which stream, in which form: for people at a terminal, for scripts in pipes,
//! for programs in JSON.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Sandbox, alter_row, keys_in_order};

/// The keys of a credential without secrets, in their order.
const CREDENTIAL: [&str; 11] = [
    "id",
    "username",
    "url",
    "description",
    "tags",
    "field_names",
    "created_at",
    "updated_at",
    "password_changed_at",
    "expires_at",
    "version",
];

/// Whether this is a time as JSON output has it: `YYYY-MM-DDTHH:MM:SSZ`.
fn is_time(value: &Value) -> bool {
    let pattern = b"dddd-dd-ddTdd:dd:ddZ";
    let text = value.as_str().unwrap_or_default().as_bytes();
    text.len() == pattern.len()
        && text.iter().zip(pattern).all(|(byte, want)| match want {
            b'd' => byte.is_ascii_digit(),
            want => byte == want,
        })
}

#[test]
fn a_credential_in_json_has_exactly_its_keys_in_order() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let outcome = sandbox.credb(["get", "a", "--json"]).run().ok().silent();
    assert_eq!(keys_in_order(&outcome.text()), CREDENTIAL);
    let listed = sandbox.credb(["list", "--json"]).run().ok().silent().json();
    assert_eq!(listed, json!([outcome.json()]));
}

#[test]
fn a_credential_with_its_secrets_adds_password_and_fields() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["set", "a", "--field", "pin=1234"]).run().ok();
    let outcome = sandbox.credb(["get", "a", "--json", "--show-password"]).run().ok();
    let keys = keys_in_order(&outcome.text());
    assert_eq!(keys[..11], CREDENTIAL);
    assert_eq!(keys[11..], ["password", "fields"]);
    assert_eq!(outcome.json()["password"], "secret of a");
    assert_eq!(outcome.json()["fields"], json!({"pin": {"value": "1234"}}));
}

#[test]
fn json_bytes_that_are_not_utf_8_are_base64() {
    let sandbox = Sandbox::with_vault();
    let field = sandbox.file("field", b"\x00\xff");
    let set = ["set", "a", "--password-stdin", "--exact", "--field-file", &format!("k={field}")];
    sandbox.credb(set).stdin(b"\xff\xfe\n").run().ok();
    let shown = sandbox.credb(["get", "a", "--json", "--show-password"]).run().ok().json();
    assert_eq!(shown["password_base64"], "//4K");
    assert_eq!(shown["fields"], json!({"k": {"value_base64": "AP8="}}));
    assert!(shown.get("password").is_none());
}

#[test]
fn json_times_have_seconds_and_z_and_what_is_unset_is_null() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let credential = sandbox.credb(["get", "a", "--json"]).run().ok().json();
    for name in ["created_at", "updated_at", "password_changed_at"] {
        assert!(is_time(&credential[name]), "{name}: {}", credential[name]);
    }
    for name in ["username", "url", "description", "expires_at"] {
        assert_eq!(credential[name], Value::Null, "{name}");
    }
    assert_eq!(credential["tags"], json!([]));
    assert_eq!(credential["field_names"], json!([]));
}

#[test]
fn every_command_has_the_json_shape_it_promises() {
    let sandbox = Sandbox::new();
    let init = sandbox.credb(["init", "--json"]).run().ok();
    assert_eq!(keys_in_order(&init.text()), ["path", "vault_id", "slots"]);

    let set = sandbox.credb(["set", "a", "--generate", "--json"]).run().ok();
    let keys = ["id", "version", "created", "changed", "updated_at"];
    assert_eq!(keys_in_order(&set.text())[..5], keys);
    let set = set.json();
    assert_eq!((&set["id"], &set["version"]), (&json!("a"), &json!(1)));
    assert_eq!((&set["created"], &set["changed"]), (&json!(true), &json!(true)));
    assert!(is_time(&set["updated_at"]));

    let info = sandbox.credb(["info", "--json"]).run().ok();
    let keys = [
        "path",
        "vault_id",
        "format_version",
        "unlocked",
        "credentials",
        "file_size_bytes",
        "permissions",
        "slots",
        "created_at",
        "updated_at",
        "warnings",
    ];
    assert_eq!(keys_in_order(&info.text()), keys);

    let many = sandbox.credb(["set", "-f", "-", "--json"]).stdin("[]").run().ok();
    assert_eq!(keys_in_order(&many.text()), ["added", "updated", "unchanged", "refused"]);

    let field = sandbox.credb(["get", "a", "--field", "version", "--json"]).run().ok();
    assert_eq!(keys_in_order(&field.text()), ["id", "field", "value"]);

    let removed = sandbox.credb(["remove", "a", "--force", "--json"]).run().ok();
    assert_eq!(removed.json(), json!({"removed": ["a"]}));
}

#[test]
fn the_mask_has_twelve_stars_whatever_it_hides() {
    let sandbox = Sandbox::with_vault();
    for (id, password) in [("short", "xyzzy"), ("long", "0123456789abcdefghijklmnop")] {
        sandbox.put(id, password);
        let shown = sandbox.credb(["get", id]).run().ok().hides(password).text();
        let stars = shown.chars().filter(|letter| *letter == '*').count();
        assert_eq!(stars, 12, "{shown}");
        assert!(shown.contains("************"), "{shown}");
    }
}

#[test]
fn a_masked_password_in_a_pipe_comes_with_a_hint() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["get", "a"]).run().ok().hints("credb get a --field password");
    sandbox.credb(["get", "a", "--quiet"]).run().ok().silent();
}

#[test]
fn success_says_nothing_where_nobody_watches() {
    let sandbox = Sandbox::new();
    sandbox.credb(["init", "--quiet"]).run().ok().silent();
    sandbox.credb(["set", "a", "--password-stdin"]).stdin("pw").run().ok().stdout("").silent();
    sandbox.credb(["set", "b", "--generate"]).run().ok().stdout("").silent();
    sandbox.credb(["remove", "a", "--force"]).run().ok().stdout("").silent();
    sandbox.credb(["list", "--ids"]).run().ok().stdout("b\n").silent();
}

#[test]
fn quiet_leaves_errors_and_their_hints() {
    let sandbox = Sandbox::with_vault();
    let set = ["--quiet", "set", "a", "-p", "hunter2"];
    sandbox.credb(set).run().ok().stdout("").silent();
    sandbox.credb(["--quiet", "--vault", "none", "list"]).run().fails(3).hints("credb");
}

#[test]
fn a_list_in_a_pipe_is_tab_separated_without_header_and_whole() {
    let sandbox = Sandbox::with_vault();
    let long = "n".repeat(255);
    let description = "word ".repeat(200) + "end";
    for id in ["a", &long] {
        let set = ["set", id, "-u", "who", "-d", &description, "--generate"];
        sandbox.credb(set).run().ok();
    }
    let lines = sandbox.credb(["list"]).env("COLUMNS", "80").run().ok().silent().lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("a\t"), "{lines:?}");
    assert!(lines[1].starts_with(&format!("{long}\t")), "{lines:?}");
    let columns = |line: &str| line.split('\t').count();
    assert_eq!(columns(&lines[0]), columns(&lines[1]));
    assert!(lines.iter().all(|line| line.contains("who")), "{lines:?}");
}

#[test]
fn text_in_a_pipe_is_not_escaped() {
    let sandbox = Sandbox::with_vault();
    let text = "\u{1b}[31mred\u{202e}";
    sandbox.credb(["set", "a", "-u", text, "-d", text, "--generate"]).run().ok();
    for field in ["username", "description"] {
        let shown = sandbox.credb(["get", "a", "--field", field]).run().ok();
        shown.stdout(format!("{text}\n"));
    }
    sandbox.credb(["get", "a"]).run().ok().stdout_has(text);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let sandbox = Sandbox::with_vault();
    let long = "x".repeat(3_000);
    let many: Vec<Value> = (0..200)
        .map(|n| json!({"id": format!("id-{n:03}"), "password": "p", "description": long}))
        .collect();
    let input = serde_json::to_vec(&many).unwrap();
    sandbox.credb(["set", "-f", "-"]).stdin(input).run().ok();
    for command in ["list --json", "list --long", "list"] {
        let script = format!("{{ credb {command}; echo code $? >&2; }} | head -c 1 >/dev/null");
        let outcome = sandbox.shell(&script).run().ok();
        assert_eq!(outcome.stderr(), "code 0\n", "{command}");
    }
}

/// What the command exits with when nobody reads what it prints.
fn unread(sandbox: &Sandbox, command: &str) -> String {
    // The reader is gone before anything is written.
    let script = format!("{{ sleep 0.2; credb {command} 2>/dev/null; echo $? >&2; }} | :");
    sandbox.shell(&script).run().ok().stderr().to_owned()
}

#[test]
fn a_closed_pipe_makes_no_refusal_a_success() {
    let sandbox = Sandbox::with_vault();
    sandbox.file("many.json", r#"[{"id":"a","password":"p"},{"id":" bad","password":"p"}]"#);
    assert_eq!(unread(&sandbox, "set -f many.json --keep-going --json"), "1\n");
    assert_eq!(sandbox.password("a"), "p");
    let old = r#"{"db_config":[
        {"id_dbms":1,"dbms":"mysql","host":"h","user":"u","secret":"s3cret"},
        {"dbms":"mysql","host":"h","user":"u","secret":"s3cret"}]}"#;
    sandbox.file("vya_backupbd.json", old);
    for json in ["", " --json"] {
        let migrate = format!("migrate vya_backupbd.json --keep-going{json}");
        assert_eq!(unread(&sandbox, &migrate), "1\n");
        sandbox.credb(["set", "a", "--expires", "1d"]).run().ok();
        assert_eq!(unread(&sandbox, &format!("due --exit-code{json}")), "10\n");
        sandbox.set_mode("data/credb/default.redb", 0o644);
        assert_eq!(unread(&sandbox, &format!("doctor{json}")), "1\n");
        sandbox.set_mode("data/credb/default.redb", 0o600);
    }
    assert_eq!(sandbox.password("mysql-1"), "s3cret");
    fs::rename(sandbox.machine_key(), sandbox.path("key")).unwrap();
    assert_eq!(unread(&sandbox, "info"), "5\n");
    fs::rename(sandbox.path("key"), sandbox.machine_key()).unwrap();
    alter_row(&sandbox.vault(), "records");
    assert_eq!(unread(&sandbox, "verify"), "6\n");
}

#[test]
fn global_options_stand_before_or_after_the_command_but_not_after_two_dashes() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let before = sandbox.credb(["--json", "--vault", "default", "list"]).run().ok().json();
    let after = sandbox.credb(["list", "--vault", "default", "--json"]).run().ok().json();
    assert_eq!(before, after);
    sandbox.credb(["get", "--", "--json"]).run().fails(3).stderr_has("--json");
}

#[test]
fn empty_variables_count_as_unset() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let names = [
        "CREDB_VAULT",
        "CREDB_KEY_FILE",
        "CREDB_RECOVERY_FILE",
        "CREDB_PASSPHRASE_FILE",
        "CREDB_HOSTNAME",
        "CREDB_WAIT",
        "CREDB_NO_INPUT",
        "NO_COLOR",
        "CLICOLOR_FORCE",
    ];
    let call = sandbox.credb(["list", "--ids"]);
    names.into_iter().fold(call, |call, name| call.env(name, "")).run().ok().stdout("a\n");
}

#[test]
fn variables_stand_for_their_options() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["list"]).env("CREDB_VAULT", "other").run().fails(3);
    sandbox.credb(["list"]).env("CREDB_WAIT", "soon").run().fails(2);
    sandbox.credb(["list"]).env("CREDB_KEY_FILE", sandbox.path("none")).run().fails(5);
    sandbox.credb(["--wait", "1", "list"]).env("CREDB_WAIT", "soon").run().ok();
}

#[test]
fn no_arguments_give_a_short_help_on_stderr() {
    let sandbox = Sandbox::new();
    let empty: [&str; 0] = [];
    let outcome = sandbox.credb(empty).run().code(2).stdout("");
    outcome.stderr_has("Usage").stderr_has("get").stderr_has("set");
}

#[test]
fn help_and_version_go_to_stdout() {
    let sandbox = Sandbox::new();
    sandbox.credb(["--help"]).run().ok().silent().stdout_has("--vault");
    let version = format!("credb {}\n", env!("CARGO_PKG_VERSION"));
    sandbox.credb(["--version"]).run().ok().silent().stdout(version);
    for command in ["init", "set", "get", "list", "remove", "info", "vaults", "key", "migrate"] {
        sandbox.credb([command, "--help"]).run().ok().silent().stdout_has("Usage");
    }
}

#[test]
fn colours_appear_when_forced_only() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for call in [
        sandbox.credb(["get", "b"]),
        sandbox.credb(["get", "b", "--color", "never"]).env("CLICOLOR_FORCE", "1"),
    ] {
        call.run().fails(3).stderr_lacks("\u{1b}[");
    }
    let forced = sandbox.credb(["get", "b", "--color", "always"]).run().code(3);
    forced.stderr_has("\u{1b}[");
}
