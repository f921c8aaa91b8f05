//! `set --from-file`: many credentials as one change.

use serde_json::{Value, json};

use crate::support::{Outcome, Sandbox};

/// Sets many from standard input.
#[track_caller]
fn set_many(sandbox: &Sandbox, input: &Value, options: &[&str]) -> Outcome {
    let call = sandbox.credb(["set", "--from-file", "-", "--json"]).args(options);
    call.stdin(input.to_string()).run()
}

#[test]
fn an_array_adds_updates_and_leaves_alone() {
    let sandbox = Sandbox::with_ids(&["old", "same"]);
    let input = json!([
        {"id": "old", "password": "new"},
        {"id": "same", "password": "secret of same"},
        {"id": "added", "password": "x", "username": "who", "tags": ["t"], "url": "http://x"},
    ]);
    let outcome = set_many(&sandbox, &input, &[]).ok();
    let expected =
        json!({"added": ["added"], "updated": ["old"], "unchanged": ["same"], "refused": []});
    assert_eq!(outcome.json(), expected);
    assert_eq!(sandbox.password("old"), "new");
    assert_eq!((sandbox.version("old"), sandbox.version("same")), (2, 1));
}

#[test]
fn one_object_is_taken_and_a_file_may_be_named() {
    let sandbox = Sandbox::with_vault();
    let file = sandbox.file("in.json", r#"{"id": "a", "password": "x"}"#);
    sandbox.credb(["set", "-f", &file]).run().ok().stdout("").silent();
    assert_eq!(sandbox.password("a"), "x");
}

#[test]
fn one_bad_entry_refuses_all() {
    let sandbox = Sandbox::with_ids(&["old"]);
    for bad in [
        json!({"id": "", "password": "x"}),
        json!({"password": "x"}),
        json!({"id": "b"}),
        json!({"id": "b", "password": "x", "unknown": 1}),
        json!({"id": "b", "password": 5}),
        json!({"id": "b", "password": "x".repeat(65_537)}),
        json!({"id": "old", "password": "x"}),
        json!({"id": "b", "password": "x", "password_base64": "eA=="}),
        json!({"id": "b", "password_base64": "?"}),
        json!("b"),
    ] {
        let input = json!([{"id": "old", "password": "new"}, bad]);
        set_many(&sandbox, &input, &[]).fails_json(9, "invalid");
        assert_eq!(sandbox.password("old"), "secret of old", "{bad}");
    }
    sandbox.credb(["list", "--ids"]).run().ok().stdout("old\n");
}

#[test]
fn keep_going_keeps_the_good_entries_and_lists_the_bad() {
    let sandbox = Sandbox::with_vault();
    let input = json!([
        {"id": "better", "password": "x"},
        {"id": " bad", "password": "x"},
        {"id": "good", "password": "x"},
    ]);
    let outcome = set_many(&sandbox, &input, &["--keep-going"]).code(1);
    let report = outcome.json();
    assert_eq!(report["added"], json!(["better", "good"]));
    let refused = report["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["index"], 1);
    assert!(refused[0]["reason"].is_string());
    sandbox.credb(["list", "--ids"]).run().ok().stdout("better\ngood\n");
}

#[test]
fn what_is_not_json_is_refused() {
    let sandbox = Sandbox::with_vault();
    for input in ["", "[", "null", "1", "[1]", r#"[{"id":"a","password":"x"}] x"#, "\u{feff}"] {
        let outcome = sandbox.credb(["set", "-f", "-"]).stdin(input).run().fails(9);
        outcome.hides("panicked");
    }
    sandbox.credb(["set", "-f", "-"]).stdin(b"[{\"id\":\"\xff\"}]").run().fails(9);
    let deep = "[".repeat(100_000);
    sandbox.credb(["set", "-f", "-"]).stdin(deep).run().fails(9);
    sandbox.credb(["list", "--ids"]).run().ok().stdout("");
}

#[test]
fn a_malformed_file_is_refused_without_its_secrets() {
    let sandbox = Sandbox::with_vault();
    for input in [
        r#"[{"id":"a","password":"hunter2","password":"hunter2"}]"#,
        r#"[{"id":"a","hunter2":"x","password":"x"},{"id":"a","password":"hunter2"}]"#,
        r#"[{"id":"a","password":"x","version":"hunter2"#,
        r#"{"id":"a","password":{"value":"hunter2"}}"#,
        r#"{"id":"a","password":"x","tags":"hunter2"}"#,
        r#"{"id":"a","password":"x","expires_at":"hunter2"}"#,
    ] {
        let outcome = sandbox.credb(["set", "-f", "-"]).stdin(input).run();
        // An unknown key is named; a value never is.
        let outcome = outcome.fails(9);
        if !input.contains(r#""hunter2":"#) {
            outcome.hides("hunter2");
        }
    }
}

#[test]
fn an_absent_key_keeps_and_null_clears() {
    let sandbox = Sandbox::with_vault();
    let all = json!({
        "id": "a", "password": "x", "username": "who", "url": "http://x", "description": "what",
        "tags": ["t"], "fields": {"k": {"value": "v"}}, "expires_at": "2031-01-31T00:00:00Z",
    });
    set_many(&sandbox, &all, &[]).ok();
    let get = ["get", "a", "--json", "--show-password"];
    let before = sandbox.credb(get).run().ok().json();
    set_many(&sandbox, &json!({"id": "a"}), &[]).ok();
    assert_eq!(sandbox.credb(get).run().ok().json(), before);
    for (key, cleared) in [
        ("username", Value::Null),
        ("url", Value::Null),
        ("description", Value::Null),
        ("expires_at", Value::Null),
        ("tags", json!([])),
        ("fields", json!({})),
    ] {
        assert_ne!(before[key], cleared, "{key}");
        set_many(&sandbox, &json!({"id": "a", key: null}), &[]).ok();
        assert_eq!(sandbox.credb(get).run().ok().json()[key], cleared, "{key}");
    }
}

#[test]
fn what_get_prints_is_taken_back() {
    let sandbox = Sandbox::with_vault();
    let all = json!([
        {"id": "a", "password": "", "username": "who", "tags": ["t"], "url": "u"},
        {"id": "b", "password_base64": "//4K", "fields": {"k": {"value_base64": "AP8="}}},
    ]);
    set_many(&sandbox, &all, &[]).ok();
    let get = ["get", "a", "b", "--json", "--show-password"];
    let printed = sandbox.credb(get).run().ok().json();
    let again = set_many(&sandbox, &printed, &[]).ok().json();
    assert_eq!(again["unchanged"], json!(["a", "b"]));

    let other = Sandbox::with_vault();
    set_many(&other, &printed, &[]).ok();
    let copied = other.credb(get).run().ok().json();
    for position in 0..2 {
        for key in ["id", "username", "password", "password_base64", "fields", "tags", "url"] {
            assert_eq!(copied[position][key], printed[position][key], "{key}");
        }
        assert_eq!(copied[position]["version"], 1);
    }
}
