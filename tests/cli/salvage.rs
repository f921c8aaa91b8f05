//! `salvage`: what still authenticates, and an honest list of what does not.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Sandbox, keys_in_order};

const ROWS: usize = 40;

/// A vault of 40 credentials without unused pages, and its bytes.
fn prepared() -> (Sandbox, Vec<u8>) {
    let sandbox = Sandbox::with_vault();
    let entries = (0..ROWS).map(|number| json!({"id": format!("id{number}"), "password": "pw"}));
    let input = sandbox.file("in.json", entries.collect::<Value>().to_string());
    sandbox.credb(["set", "-f", &input]).run().ok();
    sandbox.credb(["compact"]).run().ok();
    let whole = sandbox.vault_bytes();
    (sandbox, whole)
}

#[test]
fn a_whole_file_loses_nothing() {
    let (sandbox, whole) = prepared();
    sandbox.file("old.redb", &whole);
    let outcome = sandbox.credb(["salvage", "old.redb", "new.redb", "--json"]).run().ok();
    assert_eq!(keys_in_order(&outcome.text()), ["path", "recovered", "lost"]);
    let report = outcome.json();
    assert_eq!(report["path"], sandbox.path_text("new.redb"));
    assert_eq!((&report["recovered"], &report["lost"]), (&json!(ROWS), &json!([])));
    let text = sandbox.credb(["salvage", "old.redb", "second.redb"]).run().ok();
    text.stdout_has("recovered:        40").stderr_has("key add recovery");
    sandbox.credb(["verify", "--vault", "./new.redb"]).run().ok();
    assert_eq!(fs::read(sandbox.path("old.redb")).unwrap(), whole);
}

#[test]
fn a_zeroed_page_costs_the_rows_on_it_and_they_are_named() {
    let (sandbox, whole) = prepared();
    sandbox.file("backup.redb", &whole);
    let (mut partial, mut without_keys) = (0, 0);
    for page in 1..whole.len() / 4_096 {
        let mut bytes = whole.clone();
        bytes[page * 4_096..][..4_096].fill(0);
        sandbox.file("damaged.redb", &bytes);
        let new = format!("./new{page}.redb");
        let salvage = ["salvage", "damaged.redb", &new, "--json"];
        let mut outcome = sandbox.credb(salvage).run();
        if !matches!(outcome.exit_code(), Some(0 | 1)) {
            let refused = matches!(outcome.exit_code(), Some(5 | 6));
            outcome.check(refused, "without the page of the keys it is locked or damaged");
            let error = outcome.error_json();
            assert!(error["hint"].as_str().unwrap().contains("--keys-from"), "{error}");
            assert!(!sandbox.path(&new).exists());
            without_keys += 1;
            outcome = sandbox.credb(salvage).args(["--keys-from", "backup.redb"]).run();
        }
        let report = outcome.json();
        let lost = report["lost"].as_array().unwrap();
        let recovered = report["recovered"].as_u64().unwrap();
        if lost.is_empty() {
            outcome.ok();
            assert_eq!(recovered, ROWS as u64, "page {page}");
        } else {
            let error = outcome.code(1).error_json();
            assert_eq!(error["code"], "partial");
            partial += 1;
        }
        let named = lost.iter().filter(|lost| lost["id"].is_string()).count() as u64;
        assert_eq!(recovered + named, ROWS as u64, "page {page}: {report}");
        let listed = sandbox.credb(["list", "--ids", "--vault", &new]).run().ok().lines();
        assert_eq!(listed.len() as u64, recovered, "page {page}");
        sandbox.credb(["verify", "--vault", &new]).run().ok();
    }
    assert!(partial >= 3 && without_keys >= 1, "{partial} {without_keys}");
}

#[test]
fn what_is_lost_is_listed_as_text_too() {
    let (sandbox, whole) = prepared();
    for page in 1..whole.len() / 4_096 {
        let mut bytes = whole.clone();
        bytes[page * 4_096..][..4_096].fill(0);
        sandbox.file("damaged.redb", &bytes);
        let new = format!("new{page}.redb");
        let outcome = sandbox.credb(["salvage", "damaged.redb", &new]).run();
        if outcome.exit_code() == Some(1) && outcome.text().contains("id") {
            outcome.stdout_has("lost:\n").stderr_has("error: ").stderr_has("warning: ");
            return;
        }
    }
    panic!("some page should cost a row");
}

#[test]
fn it_makes_a_vault_where_nothing_is_and_of_something() {
    let (sandbox, whole) = prepared();
    sandbox.file("old.redb", &whole);
    sandbox.file("taken.redb", "precious");
    sandbox.file("empty.redb", "");
    sandbox.file("notes.redb", "my notes\n".repeat(10_000));
    let other = Sandbox::with_ids(&["x"]);
    sandbox.file("foreign.redb", other.vault_bytes());
    sandbox.credb(["--vault", "other", "init"]).run().ok();
    let own = sandbox.path_text("data/credb/other.redb");
    let before = sandbox.files();
    for (arguments, code) in [
        (vec!["old.redb"], 2),
        (vec!["old.redb", "taken.redb"], 4),
        (vec!["old.redb", "old.redb"], 4),
        (vec!["none.redb", "new.redb"], 8),
        (vec!["none/none.redb", "new.redb"], 8),
        (vec!["old.redb", "new.redb", "--keys-from", "none.redb"], 8),
        (vec!["old.redb", "/proc/none/new.redb"], 8),
        (vec!["empty.redb", "new.redb"], 6),
        (vec!["notes.redb", "new.redb"], 6),
        (vec!["foreign.redb", "new.redb"], 5),
        (vec!["old.redb", "new.redb", "--keys-from", "foreign.redb"], 5),
        (vec!["old.redb", "new.redb", "--keys-from", "notes.redb"], 6),
        (vec!["old.redb", "new.redb", "--keys-from", &own], 9),
    ] {
        sandbox.credb(["salvage"]).args(&arguments).run().fails(code);
        let outcome = sandbox.credb(["salvage", "--json"]).args(&arguments).run().code(code);
        outcome.check(outcome.error_json()["code"] != Value::Null, "an error is told");
        outcome.stdout("");
    }
    assert_eq!(sandbox.files(), before);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let sandbox = Sandbox::with_vault();
    let script = "mkfifo pipe && exec credb salvage pipe new.redb";
    sandbox.shell(script).run().fails(6);
}
