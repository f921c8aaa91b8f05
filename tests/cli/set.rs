//! `set`: where a password comes from, what is kept, on what condition, and what is refused.

use serde_json::{Value, json};

use crate::support::Sandbox;

/// The credential with its secrets.
#[track_caller]
fn shown(sandbox: &Sandbox, id: &str) -> Value {
    sandbox.credb(["get", id, "--json", "--show-password"]).run().ok().json()
}

#[test]
fn one_final_newline_of_a_password_is_dropped() {
    let sandbox = Sandbox::with_vault();
    for (input, stored) in [
        ("pw", "pw"),
        ("pw\n", "pw"),
        ("pw\r\n", "pw"),
        ("pw\n\n", "pw\n"),
        ("pw\r\n\r\n", "pw\r\n"),
        ("pw\r", "pw\r"),
        (" pw ", " pw "),
        ("\npw\n", "\npw"),
    ] {
        sandbox.credb(["set", "a", "--password-stdin"]).stdin(input).run().ok();
        assert_eq!(sandbox.password("a"), stored, "{input:?} from stdin");
        let file = sandbox.file("pw", input);
        sandbox.credb(["set", "b", "--password-file", &file]).run().ok();
        assert_eq!(sandbox.password("b"), stored, "{input:?} from a file");
    }
}

#[test]
fn exact_keeps_every_byte_of_a_password() {
    let sandbox = Sandbox::with_vault();
    for input in ["pw\n", "pw\r\n", "\n", "\0a\0"] {
        sandbox.credb(["set", "a", "--password-stdin", "--exact"]).stdin(input).run().ok();
        assert_eq!(sandbox.password("a"), input);
        let file = sandbox.file("pw", input);
        sandbox.credb(["set", "b", "--password-file", &file, "--exact"]).run().ok();
        assert_eq!(sandbox.password("b"), input);
    }
}

#[test]
fn an_empty_password_needs_to_be_allowed() {
    let sandbox = Sandbox::with_vault();
    for input in ["", "\n", "\r\n"] {
        sandbox.credb(["set", "a", "--password-stdin"]).stdin(input).run().fails(9);
    }
    sandbox.credb(["get", "a"]).run().fails(3);
    sandbox.credb(["set", "a", "--password-stdin", "--allow-empty"]).stdin("").run().ok();
    assert_eq!(sandbox.password("a"), "");
}

#[test]
fn a_password_has_one_source_at_most() {
    let sandbox = Sandbox::with_vault();
    let file = sandbox.file("pw", "from file");
    let sources: [&[&str]; 4] =
        [&["--password-stdin"], &["--password-file", &file], &["--generate"], &["-p", "given"]];
    for (position, first) in sources.iter().enumerate() {
        for second in &sources[position + 1..] {
            let call = sandbox.credb(["set", "a"]).args(*first).args(*second).stdin("from stdin");
            call.run().code(2).stdout("");
        }
    }
    sandbox.credb(["list", "--ids"]).run().ok().stdout("");
}

#[test]
fn a_generated_password_has_32_letters_and_digits() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "a", "--generate"]).run().ok().stdout("");
    sandbox.credb(["set", "b", "--generate"]).run().ok().stdout("");
    let (first, second) = (sandbox.password("a"), sandbox.password("b"));
    for password in [&first, &second] {
        assert_eq!(password.len(), 32, "{password}");
        assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{password}");
    }
    assert_ne!(first, second);
}

#[test]
fn a_generated_password_has_the_length_asked_for() {
    let sandbox = Sandbox::with_vault();
    for length in [8, 64, 1_024] {
        sandbox.credb(["set", "a", &format!("--generate={length}")]).run().ok();
        assert_eq!(sandbox.password("a").len(), length);
    }
    for length in ["7", "1025", "0", "-1", "many", ""] {
        let outcome = sandbox.credb(["set", "b", &format!("--generate={length}")]).run();
        let code = outcome.exit_code();
        outcome.check(code == Some(2) || code == Some(9), "a wrong length is 2 or 9");
    }
    sandbox.credb(["get", "b"]).run().fails(3);
}

#[test]
fn a_generated_password_is_shown_with_print_only() {
    let sandbox = Sandbox::with_vault();
    let printed = sandbox.credb(["set", "a", "--generate", "--print"]).run().ok().text();
    assert_eq!(printed, format!("{}\n", sandbox.password("a")));
    let json = sandbox.credb(["set", "a", "--generate", "--json"]).run().ok();
    json.hides(&sandbox.password("a"));
}

#[test]
fn a_password_as_an_argument_works_with_a_warning() {
    let sandbox = Sandbox::with_vault();
    for option in ["-p", "--password"] {
        let outcome = sandbox.credb(["set", "a", option, "hunter2"]).run().ok().stdout("");
        outcome.stderr_has("warning").hides("hunter2");
    }
    assert_eq!(sandbox.password("a"), "hunter2");
    let field = sandbox.credb(["set", "a", "--field", "pin=hunter3"]).run().ok().stdout("");
    field.stderr_has("warning").hides("hunter3");
}

#[test]
fn a_usage_error_never_repeats_an_argument_of_set() {
    let sandbox = Sandbox::with_vault();
    for arguments in [
        vec!["set", "a", "-p", "hunter2", "--bogus"],
        vec!["set", "a", "hunter2"],
        vec!["set", "a", "--pasword", "hunter2"],
        vec!["set", "a", "--pasword=hunter2"],
        vec!["set", "a", "--field", "hunter2"],
        vec!["set", "a", "--generate=hunter2"],
        vec!["set", "a", "--generate", "hunter2"],
        vec!["set", "a", "--expires", "hunter2", "--generate"],
        vec!["set", "a", "--if-version", "hunter2", "--generate"],
        vec!["add", "a", "hunter2"],
        vec!["vault-add", "--id", "a", "--username", "u", "hunter2"],
        vec!["vault-add", "--id", "a", "--secret", "hunter2"],
        vec!["--wait", "1", "set", "a", "hunter2"],
    ] {
        for json in [&[][..], &["--json"]] {
            let outcome = sandbox.credb(&arguments).args(json).run().hides("hunter2");
            let code = outcome.exit_code();
            outcome.check(code == Some(2) || code == Some(9), "it should be refused");
        }
    }
    sandbox.credb(["get", "a"]).run().fails(3);
}

#[test]
fn without_a_source_a_new_id_is_refused_where_nobody_can_be_asked() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "a", "-u", "who"]).run().fails(2).hints("--password-stdin");
    sandbox.credb(["get", "a"]).run().fails(3);
}

#[test]
fn without_a_source_an_existing_password_stays() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["set", "a", "-u", "who"]).run().ok();
    assert_eq!(sandbox.password("a"), "secret of a");
    assert_eq!(shown(&sandbox, "a")["username"], "who");
}

#[test]
fn what_is_left_out_is_kept() {
    let sandbox = Sandbox::with_vault();
    let all = ["-u", "who", "-d", "what", "--url", "http://x", "--tag", "t1", "--tag", "t2"];
    let more = ["--field", "pin=1", "--expires", "2031-02-03"];
    sandbox.credb(["set", "a", "-p", "pw"]).args(all).args(more).run().ok();
    let before = shown(&sandbox, "a");
    sandbox.credb(["set", "a", "--password-stdin"]).stdin("new").run().ok();
    let after = shown(&sandbox, "a");
    for key in ["username", "description", "url", "tags", "fields", "expires_at", "created_at"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    assert_eq!(after["password"], "new");
    assert_eq!(after["expires_at"], "2031-02-03T00:00:00Z");
    assert_eq!(after["tags"], json!(["t1", "t2"]));
    assert_eq!(after["version"], 2);
}

#[test]
fn tags_are_replaced_and_fields_are_added() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "a", "--generate", "--tag", "old", "--field", "k1=1"]).run().ok();
    sandbox.credb(["set", "a", "--tag", "new", "--field", "k2=2"]).run().ok();
    let after = shown(&sandbox, "a");
    assert_eq!(after["tags"], json!(["new"]));
    assert_eq!(after["fields"], json!({"k1": {"value": "1"}, "k2": {"value": "2"}}));
    assert_eq!(after["field_names"], json!(["k1", "k2"]));
}

#[test]
fn each_optional_field_can_be_unset() {
    let sandbox = Sandbox::with_vault();
    let all = ["-d", "what", "--url", "http://x", "--tag", "t", "--expires", "9d"];
    sandbox.credb(["set", "a", "--generate", "--field", "pin=1"]).args(all).run().ok();
    for (name, key, cleared) in [
        ("url", "url", Value::Null),
        ("description", "description", Value::Null),
        ("tags", "tags", json!([])),
        ("expires", "expires_at", Value::Null),
        ("field:pin", "field_names", json!([])),
    ] {
        assert_ne!(shown(&sandbox, "a")[key], cleared, "{name} should be set before");
        sandbox.credb(["set", "a", "--unset", name]).run().ok();
        assert_eq!(shown(&sandbox, "a")[key], cleared, "{name}");
    }
    sandbox.credb(["set", "a", "--unset", "password"]).run().code(2);
}

#[test]
fn an_empty_username_is_unset() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "a", "-u", "who", "--generate"]).run().ok();
    sandbox.credb(["set", "a", "-u", ""]).run().ok();
    assert_eq!(shown(&sandbox, "a")["username"], Value::Null);
}

#[test]
fn a_condition_that_holds_lets_the_change_happen() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "a", "--generate", "--if-absent"]).run().ok();
    sandbox.credb(["set", "a", "--generate", "--if-version", "1"]).run().ok();
    sandbox.credb(["set", "b", "--generate", "--if-version", "0"]).run().ok();
    assert_eq!((sandbox.version("a"), sandbox.version("b")), (2, 1));
}

#[test]
fn versions_go_on_after_a_removal() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["remove", "a", "--force"]).run().ok();
    let set = ["set", "a", "--generate", "--json"];
    sandbox.credb(set).args(["--if-version", "1"]).run().fails_json(4, "conflict");
    let added = sandbox.credb(set).args(["--if-version", "0"]).run().ok().json();
    assert_eq!(added["created"], true);
    // The removal was a change of its own or not; never is an old number given again.
    assert!(added["version"].as_u64().unwrap() >= 2, "{added}");
}

#[test]
fn a_change_of_nothing_writes_nothing() {
    let sandbox = Sandbox::with_vault();
    let set = ["set", "a", "-u", "who", "--tag", "t", "--password-stdin", "--json"];
    let first = sandbox.credb(set).stdin("pw").run().ok().json();
    let before = shown(&sandbox, "a");
    let second = sandbox.credb(set).stdin("pw").run().ok().json();
    assert_eq!(second["changed"], false);
    assert_eq!(second["created"], false);
    assert_eq!(second["updated_at"], first["updated_at"]);
    assert_eq!(second["version"], 1);
    assert_eq!(shown(&sandbox, "a"), before);
}

#[test]
fn an_expiry_is_a_span_a_date_a_time_or_never() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for (when, stored) in [
        ("2031-01-31", json!("2031-01-31T00:00:00Z")),
        ("2031-01-31T12:00:00Z", json!("2031-01-31T12:00:00Z")),
        ("2031-01-31T12:00:00+02:00", json!("2031-01-31T10:00:00Z")),
        ("never", Value::Null),
    ] {
        sandbox.credb(["set", "a", "--expires", when]).run().ok();
        assert_eq!(shown(&sandbox, "a")["expires_at"], stored, "{when}");
    }
    for when in ["30s", "15m", "12h", "90d", "2w"] {
        sandbox.credb(["set", "a", "--expires", when]).run().ok();
        assert!(shown(&sandbox, "a")["expires_at"].is_string(), "{when}");
    }
    for when in ["90", "d", "2031-13-01", "2031-02-30", "tomorrow", "", "99999999999999w"] {
        let outcome = sandbox.credb(["set", "b", "--generate", "--expires", when]).run();
        let code = outcome.exit_code();
        outcome.check(code == Some(2) || code == Some(9), "a wrong time is 2 or 9");
    }
    sandbox.credb(["get", "b"]).run().fails(3);
}

#[test]
fn limits_are_exact_and_what_is_beyond_changes_nothing() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let before = shown(&sandbox, "a");
    for (option, limit) in [("-u", 1_024), ("-d", 4_096), ("--url", 2_048), ("--tag", 64)] {
        let over = "x".repeat(limit + 1);
        let outcome = sandbox.credb(["set", "a", option, &over]).run().fails(9);
        outcome.stderr_has(&limit.to_string()).stderr_has(&(limit + 1).to_string());
        sandbox.credb(["set", "new", "--generate", option, &over]).run().fails(9);
        let exact = "x".repeat(limit);
        sandbox.credb(["set", "exact", "--generate", option, &exact]).run().ok();
    }
    let over = "x".repeat(65_537);
    let outcome = sandbox.credb(["set", "a", "--password-stdin"]).stdin(over).run().fails(9);
    outcome.stderr_has("65536");
    assert_eq!(shown(&sandbox, "a"), before);
    sandbox.credb(["list", "--ids"]).run().ok().stdout("a\nexact\n");
    let exact = "x".repeat(65_536);
    sandbox.credb(["set", "a", "--password-stdin"]).stdin(exact.as_str()).run().ok();
    assert_eq!(sandbox.password("a"), exact);
}

#[test]
fn the_number_of_tags_and_fields_is_limited() {
    let sandbox = Sandbox::with_vault();
    let tags = |count: usize| (0..count).flat_map(|n| ["--tag".to_owned(), format!("t{n}")]);
    let set = ["set", "a", "--generate"];
    sandbox.credb(set).args(tags(33)).run().fails(9).stderr_has("32").stderr_has("33");
    sandbox.credb(set).args(tags(32)).run().ok();
    let fields = |count: usize| (0..count).flat_map(|n| ["--field".to_owned(), format!("f{n}=x")]);
    let outcome = sandbox.credb(["set", "a"]).args(fields(65)).run().fails(9);
    outcome.stderr_has("64").stderr_has("65");
    sandbox.credb(["set", "a"]).args(fields(64)).run().ok();
    assert_eq!(shown(&sandbox, "a")["field_names"].as_array().map(Vec::len), Some(64));
}

#[test]
fn a_field_may_not_have_the_name_of_a_built_in_one() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for name in ["password", "username", "id", "url", "version", "tags", "fields", "expires_at"] {
        sandbox.credb(["set", "a", "--field", &format!("{name}=x")]).run().fails(9);
    }
    assert_eq!(sandbox.version("a"), 1);
}

#[test]
fn a_field_value_keeps_what_stands_after_the_first_equals_sign() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["set", "a", "--field", "k=x=y="]).run().ok();
    let get = ["get", "a", "--field", "k", "--raw"];
    sandbox.credb(get).run().ok().stdout("x=y=");
}
