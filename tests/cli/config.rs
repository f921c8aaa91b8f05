//! `config`: what can be set, within which limits, and that it holds.

use serde_json::json;

use crate::support::Sandbox;

#[test]
fn settings_are_listed_with_their_defaults_shown_changed_and_unset() {
    let sandbox = Sandbox::with_vault();
    let list = || sandbox.credb(["config"]).run().ok().silent().text();
    assert_eq!(
        list(),
        "history.keep\t10\t10\npassword.max_age\tnever\tnever\nrotation.max_age\t365d\t365d\n"
    );
    sandbox.credb(["config", "history.keep", "25"]).run().ok().stdout("").silent();
    sandbox.credb(["config", "history.keep"]).run().ok().stdout("25\n");
    let set = sandbox.credb(["config", "password.max_age", "2w", "--json"]).run().ok().json();
    let expected = json!({"key": "password.max_age", "value": "14d", "default": "never"});
    let mut changed = expected.clone();
    changed["changed"] = true.into();
    assert_eq!(set, changed);
    let shown = sandbox.credb(["config", "password.max_age", "--json"]).run().ok().json();
    assert_eq!(shown, expected);
    sandbox.credb(["config", "rotation.max_age", "never"]).run().ok();
    assert_eq!(
        list(),
        "history.keep\t25\t10\npassword.max_age\t14d\tnever\nrotation.max_age\tnever\t365d\n"
    );
    let all = sandbox.credb(["config", "--json"]).run().ok().json();
    let rotation = json!({"key": "rotation.max_age", "value": "never", "default": "365d"});
    let keep = json!({"key": "history.keep", "value": 25, "default": 10});
    assert_eq!(all, json!([keep, expected, rotation]));
    sandbox.credb(["config", "--unset", "history.keep"]).run().ok();
    sandbox.credb(["config", "password.max_age", "never"]).run().ok();
    sandbox.credb(["config", "rotation.max_age", "365d"]).run().ok();
    assert_eq!(
        list(),
        "history.keep\t10\t10\npassword.max_age\tnever\tnever\nrotation.max_age\t365d\t365d\n"
    );
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn a_setting_that_changes_nothing_writes_nothing() {
    let sandbox = Sandbox::with_vault();
    let before = sandbox.state_token();
    for arguments in [vec!["history.keep", "10"], vec!["--unset", "password.max_age"]] {
        let outcome = sandbox.credb(["config", "--json"]).args(arguments).run().ok();
        assert_eq!(outcome.json()["changed"], false);
    }
    assert_eq!(sandbox.state_token(), before);
}

#[test]
fn wrong_values_are_invalid_and_wrong_names_are_usage() {
    let sandbox = Sandbox::with_vault();
    let before = sandbox.state_token();
    for (key, value) in [
        ("history.keep", "1001"),
        ("history.keep", "-1"),
        ("history.keep", "ten"),
        ("history.keep", ""),
        ("history.keep", "99999999999999999999999"),
        ("password.max_age", "90"),
        ("password.max_age", "0d"),
        ("password.max_age", "2027-01-31"),
        ("password.max_age", "9999999w"),
        ("rotation.max_age", "0s"),
        ("rotation.max_age", "always"),
    ] {
        sandbox.credb(["config", "--", key, value]).run().fails(9).stderr_has(key);
        sandbox.credb(["config", "--json", "--", key, value]).run().fails_json(9, "invalid");
    }
    for arguments in [&["History.keep"][..], &["x", "1"], &["--unset", "x"]] {
        let outcome = sandbox.credb(["config"]).args(arguments).run().fails(2);
        outcome.stderr_has("history.keep, password.max_age, rotation.max_age");
    }
    sandbox.credb(["config", "history.keep", "1", "--unset", "history.keep"]).run().fails(2);
    assert_eq!(sandbox.state_token(), before);
}

#[test]
fn the_number_of_versions_kept_holds_for_all() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["config", "history.keep", "2"]).run().ok();
    for password in ["1", "2", "3", "4", "5"] {
        sandbox.put("a", password);
    }
    let versions = || {
        let lines = sandbox.credb(["history", "a"]).run().ok().lines();
        lines.iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(versions(), ["4", "3"]);
    sandbox.credb(["config", "history.keep", "0"]).run().ok();
    assert_eq!(versions(), [""; 0]);
    sandbox.credb(["undo", "a", "--to", "4"]).run().fails(3);
    sandbox.credb(["remove", "a", "--force"]).run().ok();
    sandbox.credb(["undo", "a"]).run().fails(3).stderr_has("no earlier version");
}
