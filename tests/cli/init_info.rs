//! `init`, `info` and `vaults`: making a vault once, and saying what it is.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Running, Sandbox, mode_of};

#[test]
fn init_makes_a_vault_once() {
    let sandbox = Sandbox::new();
    let made = sandbox.credb(["init", "--json"]).run().ok().json();
    assert_eq!(made["path"], json!(sandbox.vault()));
    assert_eq!(made["slots"].as_array().map(Vec::len), Some(1));
    let before = sandbox.vault_bytes();
    sandbox.credb(["init"]).run().fails(4);
    sandbox.credb(["init", "--key", "hostname"]).run().fails(4);
    assert_eq!(sandbox.vault_bytes(), before);
}

#[test]
fn init_leaves_alone_whatever_is_at_the_path() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("notes", "my notes");
    sandbox.credb(["--vault", &file, "init"]).run().fails(4);
    assert_eq!(fs::read_to_string(&file).unwrap(), "my notes");
    let empty = sandbox.file("empty", "");
    sandbox.credb(["--vault", &empty, "init"]).run().fails(4);
    assert_eq!(fs::read(&empty).unwrap(), b"");
    std::os::unix::fs::symlink("nowhere", sandbox.path("dangling")).unwrap();
    let link = sandbox.path_text("dangling");
    sandbox.credb(["--vault", &link, "init"]).run().fails(4);
    assert!(!sandbox.path("nowhere").exists());
}

#[test]
fn init_that_fails_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    for arguments in [
        vec!["init", "--key", "no-such-kind"],
        vec!["init", "--key", "file:/proc/none/key"],
        vec!["--vault", "x.redb", "init"],
    ] {
        let outcome = sandbox.credb(&arguments).run();
        outcome.check(outcome.exit_code() != Some(0), "it should fail");
    }
    assert_eq!(sandbox.file_names(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn init_leaves_exactly_the_vault_the_machine_secret_and_what_knows_it() {
    let sandbox = Sandbox::with_vault();
    let known = sandbox.machine_key().with_file_name("known_vaults");
    let mut expected = vec![sandbox.vault(), sandbox.machine_key(), known];
    expected.sort();
    assert_eq!(sandbox.file_names(), expected);
}

#[test]
fn init_says_how_to_add_a_recovery_code() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.credb(["init"]).run().ok();
    outcome.stderr_has("credb key add recovery");
}

#[test]
fn init_with_a_key_file_makes_it_when_it_is_absent() {
    let sandbox = Sandbox::new();
    let key = sandbox.path_text("v.key");
    sandbox.credb(["init", "--key", &format!("file:{key}")]).run().ok();
    assert_eq!(mode_of(&sandbox.path("v.key")), 0o600);
    let text = fs::read_to_string(&key).unwrap();
    assert_eq!(text.trim_end().len(), 44, "base64 of 32 bytes");
    assert!(!sandbox.machine_key().exists());
    sandbox.credb(["list"]).run().fails(5);
    sandbox.credb(["list", "--key-file", &key]).run().ok();
}

#[test]
fn init_takes_the_given_key_file_for_its_key() {
    let sandbox = Sandbox::new();
    let key = sandbox.file("v.key", [7; 32]);
    sandbox.credb(["--key-file", &key, "init"]).run().ok();
    assert_eq!(fs::read(&key).unwrap(), [7; 32]);
    sandbox.credb(["list"]).env("CREDB_KEY_FILE", &key).run().ok();
}

#[test]
fn racing_inits_make_one_vault_under_one_machine_secret() {
    for _ in 0..5 {
        let sandbox = Sandbox::new();
        let racers: Vec<Running> = (0..8).map(|_| sandbox.credb(["init"]).spawn()).collect();
        let codes: Vec<_> = racers.into_iter().map(|racer| racer.wait().exit_code()).collect();
        let count = |code| codes.iter().filter(|own| **own == Some(code)).count();
        assert_eq!((count(0), count(4)), (1, 7), "{codes:?}");
        let known = sandbox.machine_key().with_file_name("known_vaults");
        let mut expected = vec![sandbox.vault(), sandbox.machine_key(), known];
        expected.sort();
        assert_eq!(sandbox.file_names(), expected);
        sandbox.put("a", "pw");
        assert_eq!(sandbox.password("a"), "pw");
    }
}

#[test]
fn racing_inits_of_several_vaults_share_one_machine_secret() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..8).map(|number| format!("v{number}")).collect();
    let init = |name: &String| sandbox.credb(["--vault", name, "init"]).spawn();
    let racers: Vec<Running> = names.iter().map(init).collect();
    for racer in racers {
        racer.wait().ok();
    }
    for name in &names {
        sandbox.credb(["--vault", name, "set", "a", "--generate"]).run().ok();
    }
}

#[test]
fn info_describes_an_open_vault() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    sandbox.credb(["key", "add", "recovery"]).run().ok();
    let info = sandbox.credb(["info", "--json"]).run().ok().json();
    assert_eq!(info["path"], json!(sandbox.vault()));
    assert_eq!(info["unlocked"], true);
    assert_eq!(info["format_version"], 1);
    assert_eq!(info["credentials"], 2);
    assert_eq!(info["permissions"], "600");
    assert_eq!(info["file_size_bytes"], sandbox.vault_bytes().len());
    assert_eq!(info["warnings"], json!([]));
    let text = sandbox.credb(["info"]).run().ok().text();
    assert!(text.contains(sandbox.vault().to_str().unwrap()), "{text}");
    assert!(text.contains("machine"), "{text}");
}

#[test]
fn info_of_a_locked_vault_shows_the_clear_part() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let open = sandbox.credb(["info", "--json"]).run().ok().json();
    fs::remove_file(sandbox.machine_key()).unwrap();
    let outcome = sandbox.credb(["info", "--json"]).run().code(5);
    let locked = outcome.json();
    assert_eq!(locked["unlocked"], false);
    for key in ["path", "vault_id", "format_version", "file_size_bytes", "permissions"] {
        assert_eq!(locked[key], open[key], "{key}");
    }
    assert_eq!(locked["credentials"], Value::Null);
    assert_eq!(locked["slots"].as_array().map(Vec::len), Some(1));
    let text = sandbox.credb(["info"]).run().code(5);
    text.stdout_has(sandbox.vault().to_str().unwrap()).stderr_has("error: ");
}

#[test]
fn info_warns_of_what_is_weak() {
    let sandbox = Sandbox::new();
    sandbox.credb(["init", "--key", "hostname", "--hostname", "host-a"]).run().ok();
    let info = ["info", "--json", "--hostname", "host-a"];
    let warnings = sandbox.credb(info).run().ok().json()["warnings"].clone();
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    sandbox.set_mode("data/credb/default.redb", 0o644);
    let more = sandbox.credb(info).run().ok().json();
    assert_eq!(more["permissions"], "644");
    assert_eq!(more["warnings"].as_array().map(Vec::len), Some(2), "{more}");
    let text = sandbox.credb(["info", "--hostname", "host-a"]).run().ok();
    text.stderr_lacks("error").stdout_has("644");
}

#[test]
fn vaults_lists_the_data_directory_and_what_opens() {
    let sandbox = Sandbox::new();
    sandbox.credb(["vaults"]).run().ok().stdout("");
    sandbox.init();
    sandbox.credb(["--vault", "other", "init", "--key", "hostname", "--hostname", "x"]).run().ok();
    sandbox.file("data/credb/notes.txt", "no vault");
    let vaults = sandbox.credb(["vaults", "--json"]).run().ok().json();
    let vaults = vaults.as_array().unwrap();
    let names: Vec<_> = vaults.iter().map(|vault| vault["name"].clone()).collect();
    assert_eq!(names, ["default", "other"]);
    let lines = sandbox.credb(["vaults"]).run().ok().lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("default\t") && lines[1].starts_with("other\t"), "{lines:?}");
}
