//! `migrate --rewrite`: references in the place of passwords; and `inject`, which gives the
//! configuration back.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use serde_json::{Value, json};

use crate::support::{Identity, Sandbox, mode_of};

const CONFIGURATION: &str = include_str!("../data/vya_backupbd.json");
const KEPT: &str = "c.json.before-rewrite";

fn prepared() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    sandbox.file("c.json", CONFIGURATION);
    sandbox.set_mode("c.json", 0o640);
    sandbox
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.path(name)).expect("read a file")
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn passwords_become_references_and_the_file_is_kept_as_it_was() {
    let sandbox = prepared();
    let inode = fs::metadata(sandbox.path("c.json")).unwrap().ino();
    let call = sandbox.shell("umask 0; exec credb migrate c.json --rewrite");
    let outcome = call.run().ok().stderr_has("c.json has 4 references now");
    outcome.stderr_has(KEPT).stderr_has("still holds 1 secret in clear");
    let expected = ["smtp-password", "password-1", "password-2-ção", "password-3"]
        .into_iter()
        .zip(["smtp-smtp.example.com", "mysql-1", "mysql-2", "postgresql-3"])
        .fold(CONFIGURATION.to_owned(), |text, (secret, id)| {
            text.replace(&format!("\"not-a-real-{secret}\""), &format!("\"credb://{id}\""))
        });
    assert_eq!(read(&sandbox, "c.json"), expected);
    assert_eq!(mode_of(&sandbox.path("c.json")), 0o640);
    assert_ne!(fs::metadata(sandbox.path("c.json")).unwrap().ino(), inode, "not written over");
    assert_eq!(read(&sandbox, KEPT), CONFIGURATION);
    assert_eq!(mode_of(&sandbox.path(KEPT)), 0o600);

    // The same again finds nothing to do, whether the kept file is still there or not, and never
    // takes a reference for a password.
    sandbox.credb(["migrate", "c.json", "--rewrite"]).run().ok();
    assert_eq!(read(&sandbox, KEPT), CONFIGURATION);
    fs::remove_file(sandbox.path(KEPT)).unwrap();
    let again = sandbox.credb(["migrate", "c.json", "--rewrite", "--json"]).run().ok().json();
    assert_eq!((&again["rewritten"], &again["kept_as"]), (&json!(0), &Value::Null));
    assert_eq!(again["skipped"][0]["reason"], "has a reference already");
    assert_eq!(read(&sandbox, "c.json"), expected);
    assert!(!sandbox.path(KEPT).exists());
    assert_eq!(sandbox.password("mysql-2"), "not-a-real-password-2-ção");
}

#[test]
fn inject_gives_the_configuration_back() {
    let sandbox = prepared();
    let hard = "q\"uote \\ back\nslash \u{1f511} \u{7f}</script>";
    let mut configuration = parsed(CONFIGURATION);
    configuration["db_config"][1]["secret"] = hard.into();
    sandbox.file("c.json", configuration.to_string());
    sandbox.credb(["migrate", "c.json", "--rewrite"]).run().ok();
    let disabled = "warning: db_config[3]: is disabled, and the vault has no \"mysql-4\": the \
                    secret in clear is used\n";
    let full = sandbox.credb(["inject", "-i", "c.json"]).run().ok();
    assert_eq!(parsed(&full.text()), configuration);
    assert_eq!(full.stderr(), disabled);

    // What was rotated since comes from the vault, also where the file was never rewritten.
    sandbox.put("mysql-2", "rotated \"since\"");
    configuration["db_config"][1]["secret"] = "rotated \"since\"".into();
    for file in ["c.json", KEPT] {
        let outcome = sandbox.credb(["inject", "-i", file, "-o", "full.json"]).run().ok();
        assert_eq!(outcome.stderr(), disabled);
        assert_eq!(parsed(&read(&sandbox, "full.json")), configuration, "{file}");
        assert_eq!(mode_of(&sandbox.path("full.json")), 0o600);
    }
}

#[test]
fn what_the_vault_does_not_have_is_taken_from_the_file_with_a_warning_each() {
    let sandbox = prepared();
    sandbox.put("mysql-1", "of the vault");
    let outcome = sandbox.credb(["inject", "-i", "c.json"]).run().ok();
    let mut expected = parsed(CONFIGURATION);
    expected["db_config"][0]["secret"] = "of the vault".into();
    assert_eq!(parsed(&outcome.text()), expected);
    let warnings: Vec<&str> = outcome.stderr().lines().collect();
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert!(warnings[1].starts_with("warning: db_config[1]: the vault has no \"mysql-2\""));
    assert!(!outcome.stderr().contains("not-a-real"));

    // A reference has nothing to fall back to: nothing is written.
    sandbox.credb(["migrate", "c.json", "--rewrite", "--on-conflict", "skip"]).run().ok();
    sandbox.credb(["remove", "mysql-2", "--force"]).run().ok();
    sandbox.credb(["inject", "-i", "c.json", "-o", "new"]).run().fails(3).stderr_has("mysql-2");
    assert!(!sandbox.path("new").exists());
    // Without a vault nothing is served from the file in silence.
    let other = sandbox.credb(["inject", "-i", KEPT, "--vault", "nowhere"]);
    other.run().fails(3);
}

#[test]
fn only_what_the_vault_took_is_replaced() {
    let sandbox = prepared();
    sandbox.put("mysql-1", "another one");
    let before = read(&sandbox, "c.json");
    sandbox.credb(["migrate", "c.json", "--rewrite"]).run().fails(4);
    assert_eq!(read(&sandbox, "c.json"), before);
    assert!(!sandbox.path(KEPT).exists());
    let skip = ["migrate", "c.json", "--rewrite", "--on-conflict", "skip"];
    sandbox.credb(skip).run().ok().stderr_has("still holds 2 secrets in clear");
    let after = parsed(&read(&sandbox, "c.json"));
    assert_eq!(after["db_config"][0]["secret"], "not-a-real-password-1");
    assert_eq!(after["db_config"][1]["secret"], "credb://mysql-2");
    assert_eq!(sandbox.password("mysql-1"), "another one");
}

#[test]
fn a_dry_run_writes_nothing_and_a_vault_cannot_be_rewritten() {
    let sandbox = prepared();
    let dry = ["migrate", "c.json", "--rewrite", "--dry-run", "--json"];
    let report = sandbox.credb(dry).run().ok().json();
    assert_eq!((&report["rewritten"], &report["kept_as"]), (&json!(4), &Value::Null));
    assert_eq!(read(&sandbox, "c.json"), CONFIGURATION);
    let old = include_bytes!("../data/vault.json.enc");
    sandbox.file("old", old);
    let outcome = sandbox.credb(["migrate", "old", "--source-hostname", "old-host", "--rewrite"]);
    outcome.run().fails(9).stderr_has("no configuration");
    sandbox.credb(["list"]).run().ok().stdout("");
}

#[test]
fn a_file_that_was_kept_before_is_never_written_over() {
    let sandbox = prepared();
    sandbox.file(KEPT, "of last year");
    sandbox.credb(["migrate", "c.json", "--rewrite"]).run().fails(9).stderr_has(KEPT);
    sandbox.credb(["list"]).run().ok().stdout("");
    assert_eq!(read(&sandbox, KEPT), "of last year");
    // As a call leaves it that was killed between keeping and replacing.
    sandbox.file(KEPT, CONFIGURATION);
    sandbox.set_mode(KEPT, 0o644);
    sandbox.credb(["migrate", "c.json", "--rewrite"]).run().ok();
    assert_eq!(mode_of(&sandbox.path(KEPT)), 0o600);
    assert!(read(&sandbox, "c.json").contains("credb://mysql-1"));
}

#[test]
fn a_link_is_followed_and_mode_and_directory_stay_as_they_are() {
    let sandbox = Sandbox::with_vault();
    fs::create_dir(sandbox.path("etc")).unwrap();
    sandbox.file("etc/c.json", CONFIGURATION);
    sandbox.set_mode("etc/c.json", 0o400);
    symlink("etc/c.json", sandbox.path("link")).unwrap();
    sandbox.credb(["migrate", "link", "--rewrite"]).run().ok();
    assert!(fs::symlink_metadata(sandbox.path("link")).unwrap().is_symlink());
    assert!(read(&sandbox, "etc/c.json").contains("credb://mysql-1"));
    assert_eq!(mode_of(&sandbox.path("etc/c.json")), 0o400);
    assert_eq!(read(&sandbox, "etc/c.json.before-rewrite"), CONFIGURATION);
    assert_eq!(fs::read_dir(sandbox.path("etc")).unwrap().count(), 2, "no draft is left");
}

#[test]
fn references_in_any_json_are_filled_in_as_json_wants_them() {
    let sandbox = Sandbox::with_vault();
    sandbox.put("a", "quote \" and \\");
    let filled = sandbox.credb(["inject"]).stdin(r#"{"x": ["credb://a", "u:{{ credb://a }}"]}"#);
    let value = parsed(&filled.run().ok().text());
    assert_eq!(value, json!({"x": ["quote \" and \\", "u:quote \" and \\"]}));
    sandbox.credb(["set", "b", "--password-stdin"]).stdin(*b"\xff\xfe").run().ok();
    let outcome = sandbox.credb(["inject"]).stdin(r#"["credb://b"]"#).run().fails(9);
    outcome.stderr_has("credb://b (line 1) is not UTF-8");
    // What is no JSON gets the bytes.
    sandbox.credb(["inject"]).stdin("{{ credb://a }}").run().ok().stdout("quote \" and \\");
}

#[test]
fn a_file_that_cannot_be_replaced_leaves_no_second_one_and_the_message_says_what_is_stored() {
    let Some(user) = Identity::unknown_user() else { return };
    let sandbox = Sandbox::new();
    user.owns(&sandbox);
    let credb = |arguments: &[&str]| sandbox.credb(arguments).identity(&user).run();
    credb(&["init"]).ok();
    // Of somebody else, whom the new file cannot be given to.
    sandbox.file("c.json", CONFIGURATION);
    sandbox.set_mode("c.json", 0o644);
    let before = sandbox.file_names();
    let outcome = credb(&["migrate", "c.json", "--rewrite"]);
    if fs::metadata(sandbox.path("data")).unwrap().uid()
        == fs::metadata(sandbox.path("c.json")).unwrap().uid()
    {
        return;
    }
    outcome.fails(8).stderr_has("the vault has the 4 credentials of c.json nevertheless");
    assert_eq!(read(&sandbox, "c.json"), CONFIGURATION);
    assert_eq!(sandbox.file_names(), before);
    assert_eq!(credb(&["list", "--ids"]).ok().lines().len(), 4);
}

#[test]
fn a_conflict_names_commands_that_work_when_they_are_pasted() {
    for (how, password) in [("skip", "another one"), ("overwrite", "not-a-real-password-1")] {
        let sandbox = prepared();
        sandbox.put("mysql-1", "another one");
        let call = ["migrate", "c.json", "--rewrite", "--source-hostname", "h x", "--wait", "9"];
        let outcome = sandbox.credb(call).run().fails(4);
        let hint = outcome.hint_lines().concat();
        let commands: Vec<&str> = hint.split('`').skip(1).step_by(2).collect();
        assert_eq!(commands.len(), 2, "{hint}");
        let command = commands.iter().find(|command| command.ends_with(how)).expect("a command");
        sandbox.shell(command).run().ok();
        assert!(read(&sandbox, "c.json").contains("credb://mysql-2"));
        assert_eq!(sandbox.password("mysql-1"), password);
    }
}

#[test]
fn secrets_that_stay_in_clear_come_with_the_command_that_replaces_them() {
    let sandbox = prepared();
    sandbox.put("mysql-1", "another one");
    let outcome = sandbox.credb(["migrate", "c.json", "--on-conflict", "skip"]).run().ok();
    let command = "credb migrate c.json --rewrite --on-conflict skip";
    outcome.stderr_has(&format!("put references there: `{command}`"));
    let again = sandbox.shell(command).run().ok().stderr_lacks("put references there");
    again.stderr_has("c.json has 3 references now");
}
