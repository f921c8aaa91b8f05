//! `key rotate`: new keys for all rows, killed and gone on with. `tests/processes/rotation.rs` does
//! it beside others who read and write.

use std::fs;
use std::thread;

use credb::{CredentialId, Error, KeySource, Options, Resealed, Vault};
use serde_json::{Value, json};

use crate::support::{Coprocess, Sandbox, alter_row, keys_in_order};

/// A vault with so many credentials, their passwords their ids.
fn filled(count: u32) -> Sandbox {
    let sandbox = Sandbox::with_vault();
    let entries = (0..count)
        .map(|number| json!({"id": format!("id{number}"), "password": format!("id{number}")}));
    let input = sandbox.file("in.json", entries.collect::<Value>().to_string());
    sandbox.credb(["set", "-f", &input]).run().ok();
    sandbox
}

fn open(sandbox: &Sandbox) -> Vault {
    let keys = [KeySource::Machine(sandbox.machine_key())];
    Vault::open(&sandbox.vault(), &Options::new(), &keys).expect("open the vault")
}

fn rotation(sandbox: &Sandbox) -> Value {
    sandbox.credb(["info", "--json"]).run().ok().json()["rotation"].clone()
}

#[test]
fn all_rows_get_new_keys() {
    let sandbox = filled(100);
    sandbox.credb(["remove", "id7", "--force"]).run().ok();
    let outcome = sandbox.credb(["key", "rotate", "--json"]).run().ok().silent();
    assert_eq!(keys_in_order(&outcome.text()), ["epoch", "rows", "resumed", "vault_key"]);
    assert_eq!(
        outcome.json(),
        json!({"epoch": 2, "rows": 200, "resumed": false, "vault_key": false})
    );
    assert_eq!(rotation(&sandbox), Value::Null);
    assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 99);
    assert_eq!(sandbox.password("id42"), "id42");
    sandbox.credb(["get", "id7"]).run().fails(3);
    sandbox.credb(["verify"]).run().ok();
    sandbox.credb(["key", "rotate"]).run().ok().stdout("").silent();
    assert_eq!(sandbox.credb(["key", "rotate", "--json"]).run().ok().json()["epoch"], 4);
}

#[test]
fn what_is_left_of_a_rotation_is_shown_and_completed() {
    let sandbox = filled(100);
    let vault = open(&sandbox);
    vault.begin_rotation().unwrap();
    vault.reseal_some().unwrap();
    assert_eq!(rotation(&sandbox), "resealing");
    let info = sandbox.credb(["info"]).run().ok().stderr_has("credb key rotate");
    sandbox.credb(["doctor"]).run().code(1).stdout_has("rotation_incomplete\t");
    assert!(info.text().contains("resealing, 136 rows left"), "{}", info.text());
    while vault.reseal_some().unwrap() != Resealed::All {}
    assert_eq!(rotation(&sandbox), "scrub pending");
    let outcome = sandbox.credb(["key", "rotate", "--json"]).run().ok();
    assert_eq!(outcome.json(), json!({"epoch": 2, "rows": 0, "resumed": true, "vault_key": false}));
    assert_eq!(rotation(&sandbox), Value::Null);
    // A rebuilt file is a scrubbed one, whoever asked for it.
    vault.begin_rotation().unwrap();
    while vault.reseal_some().unwrap() != Resealed::All {}
    sandbox.credb(["compact"]).run().ok();
    assert_eq!(rotation(&sandbox), Value::Null);
}

#[test]
fn a_removed_slot_opens_no_copy_after_a_new_vault_key() {
    let sandbox = filled(40);
    let (kept, removed) = (sandbox.path_text("kept"), sandbox.path_text("removed"));
    for path in [&kept, &removed] {
        sandbox.credb(["key", "add", &format!("file:{path}")]).run().ok();
    }
    let keys = [KeySource::KeyFile(kept.clone().into())];
    let other = Vault::open(&sandbox.vault(), &Options::new(), &keys).unwrap();
    let keys = [KeySource::KeyFile(removed.clone().into())];
    let ended = Vault::open(&sandbox.vault(), &Options::new(), &keys).unwrap();
    // The slot as it was, for somebody who kept a copy.
    let with = |key: &str| sandbox.credb(["--key-file", key, "get", "id7", "--field", "password"]);
    with(&removed).run().ok();
    let before = sandbox.state_token();
    let rotate = ["key", "rotate", "--vault-key", "--json", "--drop-slot"];
    sandbox.credb(rotate).args(["9"]).run().fails_json(3, "not_found");
    sandbox.credb(rotate).args(["1"]).run().fails_json(9, "invalid");
    sandbox.credb(["key", "rotate", "--drop-slot", "3"]).run().fails(2);
    assert_eq!(sandbox.state_token(), before, "a refusal changed the vault");
    let outcome = sandbox.credb(rotate).args(["3"]).run().ok();
    assert_eq!(outcome.json()["vault_key"], true);
    with(&removed).run().fails(5);
    with(&kept).run().ok().stdout("id7\n");
    assert_eq!(sandbox.password("id7"), "id7");
    let id = CredentialId::new("id7").unwrap();
    assert_eq!(other.get(&id).unwrap().password.expose(), b"id7");
    assert!(matches!(ended.get(&id), Err(Error::Locked { .. })));
    let copy = sandbox.path_text("copy.redb");
    sandbox.credb(["backup", &copy]).run().ok();
    with(&removed).args(["--vault", &copy]).run().fails(5);
    with(&kept).args(["--vault", &copy]).run().ok().stdout("id7\n");
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn a_passphrase_goes_on_opening_after_a_new_vault_key_that_nobody_typed_it_for() {
    let sandbox = filled(3);
    let file = sandbox.file("phrase", "correct horse battery staple");
    sandbox.set_mode("phrase", 0o600);
    let add = ["key", "add", "passphrase", "--kdf-cost", "8,1", "--new-passphrase-file", &file];
    sandbox.credb(add).run().ok();
    // Where there is no machine secret.
    let elsewhere = sandbox.path("elsewhere");
    let by_phrase = |words: &[&str]| {
        let call = sandbox.credb(words).args(["--passphrase-file", &file]);
        call.env("XDG_CONFIG_HOME", &elsewhere)
    };
    let mut open = Coprocess::start(&by_phrase(&["batch", "--each"]));
    let read = r#"{"op":"get","id":"id1"}"#;
    assert_eq!(open.ask(read)["ok"], true);
    sandbox.credb(["key", "rotate", "--vault-key"]).run().ok();
    assert_eq!(open.ask(read)["credential"]["password"], "id1", "an open vault goes on");
    open.ask(r#"{"op":"set","id":"id1","password":"changed"}"#);
    open.ends(0);
    by_phrase(&["get", "id1", "--field", "password"]).run().ok().stdout("changed\n");
    // And once more, now with nothing at hand but the passphrase.
    by_phrase(&["key", "rotate", "--vault-key", "--drop-slot", "1"]).run().ok();
    by_phrase(&["get", "id2", "--field", "password"]).run().ok().stdout("id2\n");
    sandbox.credb(["get", "id2"]).run().fails(5);
    sandbox.credb(["verify", "--passphrase-file", &file]).run().ok();
}

#[test]
fn a_damaged_row_stops_it_and_nothing_is_lost() {
    let sandbox = filled(40);
    alter_row(&sandbox.vault(), "records");
    sandbox.credb(["key", "rotate"]).run().fails(6).hints("credb verify");
    sandbox.credb(["key", "rotate", "--json"]).run().fails_json(6, "corrupt");
    assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 40);
}

#[test]
fn it_can_be_killed_anywhere_and_gone_on_with() {
    let sandbox = filled(1_000);
    let whole = sandbox.credb(["key", "rotate"]).run().ok().taken();
    let mut unfinished = 0;
    for kill in 0..20 {
        let rotating = sandbox.credb(["key", "rotate"]).spawn();
        thread::sleep(whole * kill / 20);
        drop(rotating);
        unfinished += u32::from(!rotation(&sandbox).is_null());
        let id = format!("id{kill}");
        assert_eq!(sandbox.password(&id), id);
        assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 1_000);
    }
    assert!(unfinished >= 3, "only {unfinished} of the kills came in time");
    sandbox.credb(["key", "rotate"]).run().ok();
    assert_eq!(rotation(&sandbox), Value::Null);
    sandbox.credb(["verify"]).run().ok();
    assert!(fs::read_dir(sandbox.path("data/credb")).unwrap().count() <= 3 + 20);
}
