//! Key slots, key files and recovery codes: what opens a vault, and what is refused.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::Sandbox;

/// 32 bytes in the forms that a key file can have.
const KEY: [u8; 32] = *b"0123456789abcdef0123456789ABCDEF";
const KEY_BASE64: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY=";
const KEY_HEX: &str = "3031323334353637383961626364656630313233343536373839414243444546";

/// The numbers of all slots.
#[track_caller]
fn slots(sandbox: &Sandbox) -> Vec<Value> {
    let listed = sandbox.credb(["key", "list", "--json"]).run().ok().json();
    listed.as_array().cloned().expect("an array")
}

/// A vault that only this key file opens, with the credential `a`.
fn under_key_file(content: impl AsRef<[u8]>) -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let key = sandbox.file("v.key", content);
    sandbox.credb(["--key-file", &key, "init"]).run().ok();
    let set = ["--key-file", &key, "set", "a", "--password-stdin"];
    sandbox.credb(set).stdin("pw").run().ok();
    (sandbox, key)
}

#[test]
fn a_recovery_code_opens_when_the_machine_secret_is_lost() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let code = sandbox.credb(["key", "add", "recovery"]).run().ok().text();
    assert_eq!(code.lines().count(), 1, "the code alone on stdout: {code}");
    let file = sandbox.file("code", &code);
    fs::remove_file(sandbox.machine_key()).unwrap();
    sandbox.credb(["get", "a"]).run().fails(5);
    let get = ["get", "a", "--field", "password", "--recovery-file"];
    sandbox.credb(get).args([&file]).run().ok().stdout("secret of a\n");
    let variable = sandbox.credb(["list"]).env("CREDB_RECOVERY_FILE", &file);
    variable.run().ok();
}

#[test]
fn a_recovery_code_may_be_typed_carelessly_but_not_wrongly() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let code = sandbox.credb(["key", "add", "recovery"]).run().ok().text();
    let code = code.trim_end().to_owned();
    for same in [
        code.to_lowercase(),
        code.to_uppercase(),
        code.replace('-', " "),
        code.replace('-', ""),
        format!("  {code}\r\n"),
    ] {
        let file = sandbox.file("code", same);
        sandbox.credb(["list", "--recovery-file", &file]).run().ok();
    }
    let first = code.chars().next().unwrap();
    let other = if first == 'A' || first == 'a' { 'B' } else { 'A' };
    let typo = format!("{other}{}", &code[1..]);
    let short = &code[..code.len() - 1];
    for wrong in [typo.as_str(), short, "", "no code"] {
        let file = sandbox.file("code", wrong);
        let outcome = sandbox.credb(["list", "--recovery-file", &file]).run();
        let refused = matches!(outcome.exit_code(), Some(5 | 9));
        outcome.check(refused, "a wrong code is refused");
        outcome.hides(short);
    }
}

#[test]
fn a_hostname_slot_is_rebound_after_a_rename() {
    let sandbox = Sandbox::new();
    sandbox.credb(["init", "--key", "hostname", "--hostname", "old-name"]).run().ok();
    let old = ["--hostname", "old-name"];
    sandbox.credb(["key", "add", "recovery", "--label", "safe"]).args(old).run().ok();
    sandbox.credb(["list"]).run().fails(5).hints("credb key rebind --hostname OLD_NAME");
    let rebound = sandbox.credb(["key", "rebind", "--json"]).args(old).run().ok().json();
    assert_eq!((&rebound["slot"], &rebound["kind"]), (&1.into(), &"hostname".into()));
    sandbox.credb(["list"]).run().ok();
    sandbox.credb(["list"]).args(old).run().fails(5);
    assert_eq!(slots(&sandbox).len(), 2);
    sandbox.credb(["verify"]).run().ok();

    sandbox.credb(["key", "rebind", "2"]).run().fails(2).stderr_has("no hostname slot");
    sandbox.credb(["key", "rebind", "7"]).run().fails(3);
    sandbox.credb(["key", "add", "hostname", "--hostname", "other"]).run().fails(5);
    let file = sandbox.file("other", KEY);
    sandbox.credb(["key", "add", &format!("file:{file}")]).run().ok();
    let other = ["key", "add", "hostname", "--hostname", "other", "--key-file", &file];
    sandbox.credb(other).run().ok();
    sandbox.credb(["key", "rebind"]).run().fails(2).hints("credb key rebind 1");
    sandbox.credb(["key", "rebind", "4"]).run().ok();
    sandbox.credb(["key", "remove", "4", "--force"]).run().ok();
    sandbox.credb(["key", "remove", "1", "--force", "--key-file", &file]).run().ok();
    let none = sandbox.credb(["key", "rebind", "--key-file", &file]).run().fails(2);
    none.hints("credb key add hostname");
    fs::write(sandbox.vault(), "no vault").unwrap();
    sandbox.credb(["key", "rebind"]).run().fails(6);
}

#[test]
fn the_code_of_another_vault_does_not_open() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["key", "add", "recovery"]).run().ok();
    let other = Sandbox::with_vault();
    let code = other.credb(["key", "add", "recovery"]).run().ok().text();
    let file = sandbox.file("code", code);
    sandbox.credb(["list", "--recovery-file", &file]).run().fails(5);
}

#[test]
fn slots_come_and_go() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let key = sandbox.path_text("second.key");
    let add = ["key", "add", &format!("file:{key}"), "--label", "second"];
    sandbox.credb(add).run().ok();
    assert_eq!(slots(&sandbox).len(), 2);
    sandbox.credb(["list", "--key-file", &key]).run().ok();
    let listed = sandbox.credb(["key", "list"]).run().ok();
    listed.stdout_has("machine").stdout_has("second");

    let number = sandbox.credb(["key", "list"]).run().ok().lines()[1].clone();
    let number = number.split('\t').next().unwrap().to_owned();
    sandbox.credb(["key", "remove", &number]).run().fails(2);
    sandbox.credb(["key", "remove", &number, "--force"]).run().ok();
    assert_eq!(slots(&sandbox).len(), 1);
    sandbox.credb(["list", "--key-file", &key]).run().fails(5);
    sandbox.credb(["list"]).run().ok();
}

#[test]
fn the_last_slot_stays() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let number = sandbox.credb(["key", "list"]).run().ok().lines()[0].clone();
    let number = number.split('\t').next().unwrap().to_owned();
    let outcome = sandbox.credb(["key", "remove", &number, "--force"]).run();
    outcome.check(outcome.exit_code() != Some(0), "it should be refused");
    assert_eq!(sandbox.password("a"), "secret of a");
}

#[test]
fn a_key_file_is_raw_or_base64_or_hex() {
    let forms: [Vec<u8>; 5] = [
        KEY.to_vec(),
        KEY_BASE64.into(),
        format!("{KEY_BASE64}\n").into(),
        KEY_HEX.into(),
        format!("{}\n", KEY_HEX.to_uppercase()).into(),
    ];
    let (sandbox, _) = under_key_file(KEY);
    for form in forms {
        let key = sandbox.file("form.key", form);
        let get = ["--key-file", &key, "get", "a", "--field", "password"];
        sandbox.credb(get).run().ok().stdout("pw\n");
    }
}

#[test]
fn a_malformed_key_file_is_refused_by_name() {
    let (sandbox, _) = under_key_file(KEY);
    for form in ["", "short", &KEY_HEX[..62], &format!("{KEY_HEX}00"), &"x".repeat(100_000)] {
        let key = sandbox.file("bad.key", form);
        let outcome = sandbox.credb(["--key-file", &key, "list"]).run();
        let refused = matches!(outcome.exit_code(), Some(5 | 9));
        outcome.check(refused, "a malformed key file is refused");
        outcome.stderr_has("bad.key");
    }
}

#[test]
fn a_given_key_file_is_the_only_key_tried() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let key = sandbox.file("wrong.key", KEY);
    let outcome = sandbox.credb(["list", "--key-file", &key]).run().fails(5);
    outcome.stderr_has("wrong.key").stderr_lacks("machine.key");
    sandbox.credb(["list", "--key-file", &sandbox.path_text("none")]).run().fails(5);
}

#[test]
fn a_locked_vault_says_what_was_tried() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let key = sandbox.path_text("second.key");
    sandbox.credb(["key", "add", &format!("file:{key}")]).run().ok();
    let secret = sandbox.machine_key();
    fs::write(&secret, KEY).unwrap();
    let outcome = sandbox.credb(["list"]).run().fails(5);
    outcome.stderr_has(secret.to_str().unwrap()).stderr_has("slot");
}

#[test]
fn a_loose_key_is_refused_with_the_command_that_mends_it() {
    let (sandbox, key) = under_key_file(KEY);
    for mode in [0o640, 0o604, 0o620, 0o666] {
        sandbox.set_mode("v.key", mode);
        let outcome = sandbox.credb(["--key-file", &key, "list"]).run().fails(5);
        outcome.stderr_has(&key).stderr_has("chmod");
    }
    for mode in [0o600, 0o400] {
        sandbox.set_mode("v.key", mode);
        sandbox.credb(["--key-file", &key, "list"]).run().ok();
    }
    let machine = Sandbox::with_ids(&["a"]);
    machine.set_mode("config/credb/machine.key", 0o644);
    machine.credb(["list"]).run().fails(5).stderr_has("chmod");
}

#[test]
fn a_loose_key_is_read_where_services_get_theirs_or_when_told_so() {
    let (sandbox, key) = under_key_file(KEY);
    sandbox.set_mode("v.key", 0o440);
    let list = || sandbox.credb(["--key-file", &key, "list"]);
    list().run().fails(5);
    let directory = PathBuf::from(&key).parent().unwrap().to_owned();
    list().env("CREDENTIALS_DIRECTORY", directory).run().ok();
    list().env("CREDENTIALS_DIRECTORY", sandbox.path("home")).run().fails(5);
    list().env("CREDENTIALS_DIRECTORY", "").run().fails(5);
    list().env("CREDB_ALLOW_LOOSE_KEY", "1").run().ok();
    list().env("CREDB_ALLOW_LOOSE_KEY", "").run().fails(5);
}

#[test]
fn a_key_file_may_be_a_descriptor() {
    let (sandbox, key) = under_key_file(KEY_BASE64);
    let script = format!("credb --key-file /dev/fd/3 get a --field password 3< {key}");
    sandbox.shell(&script).run().ok().stdout("pw\n");
    let script = format!("cat {key} | credb --key-file /dev/stdin get a --field password");
    sandbox.shell(&script).run().ok().stdout("pw\n");
    let script = format!("credb --key-file /dev/fd/4 get a --field password 4< {key}");
    sandbox.shell(&script).run().ok().stdout("pw\n");
    sandbox.shell("credb --key-file /dev/fd/9 list").run().fails(5);
}

#[test]
fn a_hostname_vault_opens_under_its_name_only() {
    let sandbox = Sandbox::new();
    sandbox.credb(["init", "--key", "hostname", "--hostname", "host-a"]).run().ok();
    let set = ["--hostname", "host-a", "set", "a", "--password-stdin"];
    sandbox.credb(set).stdin("pw").run().ok();
    sandbox.credb(["list"]).env("CREDB_HOSTNAME", "host-a").run().ok();
    sandbox.credb(["list", "--hostname", "host-b"]).run().fails(5);
    let bytes = sandbox.vault_bytes();
    assert!(!bytes.windows(6).any(|window| window == b"host-a"), "the name is never stored");
    sandbox.credb(["key", "list", "--hostname", "host-a"]).run().ok().stdout_has("weak");
}

#[test]
fn opening_makes_no_machine_secret() {
    let sandbox = Sandbox::with_ids(&["a"]);
    fs::remove_file(sandbox.machine_key()).unwrap();
    sandbox.credb(["list"]).run().fails(5);
    sandbox.credb(["set", "b", "--generate"]).run().fails(5);
    assert!(!sandbox.machine_key().exists());
}

#[test]
fn a_tilde_that_no_shell_expanded_makes_no_directory() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.credb(["init", "--key", "file:~/v.key"]).run();
    outcome.fails(2).stderr_has("cannot begin with ~");
    assert!(sandbox.file_names().is_empty());
}
