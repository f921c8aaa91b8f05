//! `verify`: what it checks, what it finds, and the state token that finds a rolled-back file.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use crate::support::{Identity, Sandbox, alter_row, keys_in_order};

fn token(sandbox: &Sandbox) -> String {
    let report = sandbox.credb(["verify", "--json"]).run().ok().json();
    report["state_token"].as_str().expect("a state token").to_owned()
}

#[test]
fn a_sound_vault_verifies_and_says_what_was_checked() {
    let sandbox = Sandbox::with_ids(&["a", "b", "c"]);
    sandbox.credb(["remove", "c", "--force"]).run().ok();
    let before = sandbox.vault_bytes();
    let outcome = sandbox.credb(["verify", "--json"]).run().ok().silent();
    assert_eq!(keys_in_order(&outcome.text()), ["ok", "checked", "damaged", "state_token"]);
    let report = outcome.json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["damaged"], json!([]));
    let checked = json!({"credentials": 2, "tombstones": 1, "records": 3, "history": 1, "slots": 1,
        "epochs": 1, "pages": true});
    assert_eq!(report["checked"], checked);
    let token = report["state_token"].as_str().unwrap();
    let text = sandbox.credb(["verify"]).run().ok().silent().text();
    for part in ["earlier versions: 1", "pages:            checked", token] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(sandbox.vault_bytes(), before, "verifying changes nothing");
}

#[test]
fn a_vault_that_went_on_fits_its_token() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let token = token(&sandbox);
    sandbox.credb(["verify", "--expect", &token]).run().ok();
    sandbox.put("b", "pw");
    sandbox.credb(["compact"]).run().ok();
    sandbox.credb(["verify", "--expect", &format!(" {token}\n")]).run().ok();
}

#[test]
fn a_rolled_back_file_is_found() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let old = sandbox.vault_bytes();
    sandbox.put("b", "pw");
    let token = token(&sandbox);
    fs::write(sandbox.vault(), old).unwrap();
    sandbox.credb(["verify"]).run().ok();
    let outcome = sandbox.credb(["verify", "--expect", &token, "--json"]).run().code(6);
    assert_eq!(outcome.error_json()["code"], "corrupt");
    let report = outcome.json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["damaged"][0]["table"], "file");
    let text = sandbox.credb(["verify", "--expect", &token]).run().code(6);
    text.stdout_has("state token:").stderr_has("older");
    // Going on from the old file is not going on from the state with that token.
    sandbox.put("c", "pw");
    sandbox.credb(["verify", "--expect", &token]).run().code(6).stderr_has("another way");
}

#[test]
fn another_vault_is_not_the_expected_one() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let token = token(&sandbox);
    sandbox.credb(["--vault", "other", "init"]).run().ok();
    sandbox.credb(["--vault", "other", "verify", "--expect", &token]).run().code(6);
}

#[test]
fn a_malformed_token_is_invalid_and_nothing_is_opened() {
    let sandbox = Sandbox::new();
    for token in ["", "x", "credb1-00-1-00", "credb1", "credb2-0101010101010101-1-00"] {
        sandbox.credb(["verify", "--expect", token]).run().fails(9).stderr_has("state token");
        sandbox.credb(["verify", "--expect", token, "--json"]).run().fails_json(9, "invalid");
    }
    let bytes = [OsStr::new("verify"), OsStr::new("--expect"), OsStr::from_bytes(b"\xff")];
    sandbox.credb(bytes).run().fails(9);
}

#[test]
fn damaged_rows_are_named_by_their_ids() {
    for table in ["records", "index"] {
        let sandbox = Sandbox::with_ids(&["a", "b"]);
        alter_row(&sandbox.vault(), table);
        let before = sandbox.vault_bytes();
        let outcome = sandbox.credb(["verify", "--json"]).run().code(6);
        let report = outcome.json();
        assert_eq!(report["ok"], false);
        let damaged = report["damaged"].as_array().unwrap();
        assert!(damaged.iter().any(|damage| damage["table"] == table), "{report}");
        if table == "records" {
            let id = damaged.iter().find_map(|damage| damage["id"].as_str()).expect("an id");
            let error = outcome.error_json()["message"].as_str().unwrap().to_owned();
            assert!(error.contains(&format!("\"{id}\"")), "{error}");
        }
        let text = sandbox.credb(["verify"]).run().code(6);
        text.stdout_has("damaged:\n")
            .stdout_has(table)
            .stderr_has("error: ")
            .hints("credb salvage");
        assert_eq!(sandbox.vault_bytes(), before, "verifying mends nothing");
    }
}

#[test]
fn a_tampered_file_is_found_whatever_page_it_is() {
    let ids: Vec<String> = (0..40).map(|number| format!("id{number}")).collect();
    let sandbox = Sandbox::with_vault();
    let entries: Vec<Value> = ids.iter().map(|id| json!({"id": id, "password": id})).collect();
    let input = sandbox.file("in.json", Value::from(entries).to_string());
    sandbox.credb(["set", "-f", &input]).run().ok();
    sandbox.credb(["compact"]).run().ok();
    let whole = sandbox.vault_bytes();
    let mut found = 0;
    let mut named = 0;
    for page in 0..whole.len() / 4_096 {
        let mut bytes = whole.clone();
        for byte in &mut bytes[page * 4_096 + 1_000..][..2_000] {
            *byte ^= 0xff;
        }
        fs::write(sandbox.vault(), &bytes).unwrap();
        let outcome = sandbox.credb(["verify", "--json"]).run();
        assert_eq!(sandbox.vault_bytes(), bytes, "page {page}");
        if outcome.exit_code() == Some(0) {
            continue;
        }
        let outcome = outcome.code(6);
        found += 1;
        outcome.check(outcome.error_json()["code"] != Value::Null, "an error is told");
        if !outcome.bytes().is_empty() {
            let report = outcome.json();
            assert_eq!(report["ok"], false);
            let damaged = report["damaged"].as_array().unwrap();
            named += usize::from(damaged.iter().any(|damage| damage["id"].is_string()));
        }
    }
    assert!(found >= 6, "pages in use hold 40 credentials: {found}");
    assert!(named >= 1, "records are named: {named}");
}

#[test]
fn pages_are_not_checked_where_the_file_cannot_be_written() {
    let Some(user) = Identity::known_user() else { return };
    let sandbox = Sandbox::new();
    user.owns(&sandbox);
    sandbox.credb(["init"]).identity(&user).run().ok();
    sandbox.set_mode("data/credb/default.redb", 0o400);
    let report = sandbox.credb(["verify", "--json"]).identity(&user).run().ok().json();
    assert_eq!((&report["ok"], &report["checked"]["pages"]), (&json!(true), &json!(false)));
    let text = sandbox.credb(["verify"]).identity(&user).run().ok();
    text.stdout_has("not checked");
}
