//! A vault that cannot be read is never taken for an empty one: whatever state the file is in, every
//! command says so, and none but `init`, `restore` and `salvage` makes a vault.

use std::fs;
use std::path::Path;

use redb::{Builder, ConcurrencyMode, TableDefinition};

use crate::support::{Call, Sandbox, SlowSync, put_row};

/// The predecessor's configuration with one login, for `migrate`.
const OLD_CONFIGURATION: &str = r#"{"db_config": [{
    "id_dbms": 1, "dbms": "mysql", "host": "h", "port": 3306, "user": "u", "secret": "s"
}]}"#;

/// Every command that opens a vault, with arguments that would do something. Reads first.
const READS: [&[&str]; 17] = [
    &["get", "a"],
    &["get", "a", "--field", "password"],
    &["get", "a", "--at", "1"],
    &["history", "a"],
    &["read", "credb://a"],
    &["inject", "-i", "template"],
    &["list"],
    &["list", "nothing"],
    &["list", "--search", "nothing"],
    &["batch", "reads.jsonl"],
    &["config"],
    &["due"],
    &["info"],
    &["key", "list"],
    &["migrate", "old.json", "--dry-run", "--rewrite"],
    &["copy", "a", "--to", "other", "--force"],
    &["verify"],
];
/// What reads the vault, and must understand all that is in it.
const COPIES: [&[&str]; 1] = [&["backup", "copy.redb"]];
const WRITES: [&[&str]; 27] = [
    &["set", "a", "--generate"],
    &["set", "a", "--if-absent", "--generate"],
    &["set", "b", "--if-absent", "--generate", "--print"],
    &["set", "--from-file", "many.json"],
    &["remove", "a", "--force"],
    &["remove", "b", "--force", "--ignore-missing"],
    &["rename", "a", "c"],
    &["copy", "a", "c"],
    &["undo", "a"],
    &["purge", "a", "--force"],
    &["purge", "a", "--history", "--force"],
    &["tag", "add", "a", "x"],
    &["tag", "remove", "a", "x"],
    &["batch", "writes.jsonl"],
    &["batch", "--chunk", "1", "writes.jsonl"],
    &["config", "history.keep", "3"],
    &["rotate", "a", "--accept"],
    &["rotate", "a", "--abandon"],
    &["key", "add", "hostname"],
    &["key", "add", "recovery"],
    &["key", "remove", "1", "--force"],
    &["key", "rotate"],
    &["key", "rotate", "--vault-key"],
    &["migrate", "old.json"],
    &["migrate", "old.json", "--rewrite"],
    &["migrate", "old.json", "--dry-run"],
    &["compact"],
];

/// A sandbox with the credential `a`, and the files that the commands read.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["tag", "add", "a", "earlier"]).run().ok();
    sandbox.credb(["init", "--vault", "other"]).run().ok();
    add_inputs(&sandbox);
    sandbox
}

fn add_inputs(sandbox: &Sandbox) {
    sandbox.file("many.json", r#"[{"id": "b", "password": "x"}]"#);
    sandbox.file("reads.jsonl", "{\"op\":\"get\",\"id\":\"a\"}\n{\"op\":\"list\"}\n");
    sandbox.file("writes.jsonl", r#"{"op":"set","id":"a","password":"of a batch"}"#);
    sandbox.file("old.json", OLD_CONFIGURATION);
    sandbox.file("template", "credb://a\n");
}

fn every_command(sandbox: &Sandbox) -> Vec<Call> {
    READS.iter().chain(&COPIES).chain(&WRITES).map(|arguments| sandbox.credb(*arguments)).collect()
}

/// Every command fails with this code, in text and in JSON, and the file stays as it is.
#[track_caller]
fn all_fail(sandbox: &Sandbox, code: i32, names: &[&str]) {
    let before = fs::read(sandbox.vault()).ok();
    for call in every_command(sandbox) {
        let line = call.to_string();
        // What is known is what these were asked for.
        let reports =
            code == 5 && line.ends_with(" info") || code == 6 && line.ends_with(" verify");
        let text = call.run().code(code).stderr_has("error: ");
        let json = call.args(["--json"]).run().code(code);
        let error = json.error_json();
        let expected = error["code"].as_str().is_some_and(|name| names.contains(&name));
        json.check(expected, &format!("one of the JSON codes {names:?} was expected"));
        if !reports {
            text.stdout("");
            json.stdout("");
        }
        assert!(fs::read(sandbox.vault()).ok() == before, "the file was changed by {line}");
        assert!(!sandbox.path("copy.redb").exists(), "a copy was made");
    }
    for arguments in [&["unlock"][..], &["key", "rebind"]] {
        sandbox.credb(arguments).run().fails(code);
    }
    if code != 5 {
        // These need no key: what a locked vault shows is enough.
        for arguments in [&["doctor"][..], &["lock"], &["key", "trust"]] {
            sandbox.credb(arguments).run().fails(code);
        }
    }
    // Its own failures all have one code, and nothing may start.
    let run = ["run", "--env", "A=credb://a", "--json", "--", "touch", "started"];
    let ensure = ["ensure", "b", "--max-age", "1h", "--json", "--", "touch", "started"];
    let rotate = ["rotate", "a", "--json", "--", "touch", "started"];
    for (call, code) in [(&run[..], 125), (&ensure, code), (&rotate, code)] {
        let outcome = sandbox.credb(call).run().code(code);
        let error = outcome.error_json();
        let expected = error["code"].as_str().is_some_and(|name| names.contains(&name));
        outcome.check(expected, &format!("one of the JSON codes {names:?} was expected"));
    }
    assert!(!sandbox.path("started").exists(), "the command was run");
}

/// `init` leaves alone what is there.
#[track_caller]
fn init_conflicts(sandbox: &Sandbox) {
    let before = sandbox.vault_bytes();
    sandbox.credb(["init"]).run().fails(4);
    assert_eq!(sandbox.vault_bytes(), before);
}

#[test]
fn a_missing_vault_is_not_found_and_none_is_made() {
    let sandbox = Sandbox::new();
    add_inputs(&sandbox);
    let before = sandbox.files();
    all_fail(&sandbox, 3, &["not_found"]);
    assert_eq!(sandbox.files(), before, "a file was made");
    assert!(!sandbox.path("data/credb").exists());
}

#[test]
fn a_missing_vault_beside_a_machine_secret_is_not_found() {
    let sandbox = prepared();
    fs::remove_file(sandbox.vault()).unwrap();
    all_fail(&sandbox, 3, &["not_found"]);
    assert!(!sandbox.vault().exists());
}

#[test]
fn a_vault_without_its_key_is_locked() {
    let sandbox = prepared();
    fs::remove_file(sandbox.machine_key()).unwrap();
    all_fail(&sandbox, 5, &["locked"]);
    init_conflicts(&sandbox);
}

#[test]
fn a_vault_under_another_machines_key_is_locked() {
    let sandbox = prepared();
    let other = Sandbox::with_vault();
    fs::copy(other.machine_key(), sandbox.machine_key()).unwrap();
    all_fail(&sandbox, 5, &["locked"]);
}

#[test]
fn a_damaged_vault_is_damaged() {
    let sandbox = prepared();
    let good = sandbox.vault_bytes();
    let noise: Vec<u8> =
        (0..good.len()).map(|at| (at.wrapping_mul(31) ^ (at >> 7)).to_le_bytes()[0]).collect();
    let mut no_header = good.clone();
    no_header[..512].fill(0);
    let half_noise = [&good[..good.len() / 2], &noise[..good.len() / 2]].concat();
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("one byte", &good[..1]),
        ("100 bytes", &good[..100]),
        ("one page", &good[..4_096]),
        ("half", &good[..good.len() / 2]),
        ("noise", &noise),
        ("half noise", &half_noise),
        ("no header", &no_header),
        ("zeros", &vec![0; good.len()]),
    ] {
        eprintln!("{name}");
        fs::write(sandbox.vault(), bytes).unwrap();
        all_fail(&sandbox, 6, &["corrupt", "not_a_vault"]);
        init_conflicts(&sandbox);
    }
    fs::write(sandbox.vault(), good).unwrap();
    assert_eq!(sandbox.password("a"), "secret of a");
}

#[test]
fn a_vault_that_lost_its_end_gives_the_right_answer_or_none() {
    let sandbox = prepared();
    let good = sandbox.vault_bytes();
    for lost in [1, 512, 4_096, 20_000] {
        fs::write(sandbox.vault(), &good[..good.len() - lost]).unwrap();
        let password = sandbox.credb(["get", "a", "--field", "password"]).run();
        if password.exit_code() != Some(6) {
            password.ok().stdout("secret of a\n");
        }
        let listed = sandbox.credb(["list", "--ids"]).run();
        if listed.exit_code() != Some(6) {
            listed.ok().stdout("a\n");
        }
        let set = sandbox.credb(["set", "b", "--password-stdin"]).stdin("pw").run();
        if set.exit_code() != Some(6) {
            set.ok();
            assert_eq!(sandbox.password("a"), "secret of a", "{lost}");
            assert_eq!(sandbox.password("b"), "pw", "{lost}");
        }
    }
}

#[test]
fn a_file_of_another_kind_is_not_a_vault() {
    let sandbox = prepared();
    let text = "my notes\n".repeat(10_000);
    let token = format!("gAAAAA{}", "x".repeat(20_000));
    for bytes in
        [text.as_bytes(), token.as_bytes(), OLD_CONFIGURATION.as_bytes(), b"SQLite format 3\0"]
    {
        fs::write(sandbox.vault(), bytes).unwrap();
        all_fail(&sandbox, 6, &["not_a_vault", "corrupt"]);
        init_conflicts(&sandbox);
    }
}

#[test]
fn a_database_of_somebody_else_is_not_a_vault() {
    let sandbox = prepared();
    fs::remove_file(sandbox.vault()).unwrap();
    let table = TableDefinition::<&str, u64>::new("counters");
    let database = builder().create(sandbox.vault()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert("a", 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for call in every_command(&sandbox) {
        call.args(["--json"]).run().fails_json(6, "not_a_vault");
    }
    init_conflicts(&sandbox);
}

#[test]
fn a_directory_is_not_a_vault() {
    let sandbox = prepared();
    fs::remove_file(sandbox.vault()).unwrap();
    fs::create_dir(sandbox.vault()).unwrap();
    for call in every_command(&sandbox) {
        let outcome = call.run();
        let refused = matches!(outcome.exit_code(), Some(6 | 8));
        outcome.check(refused, "a directory is refused");
        outcome.stdout("");
    }
    sandbox.credb(["init"]).run().fails(4);
}

#[test]
fn a_vault_of_a_newer_format_is_not_touched() {
    let sandbox = prepared();
    put_header(&sandbox.vault(), b"format", &2_u32.to_be_bytes());
    for call in every_command(&sandbox) {
        call.args(["--json"]).run().fails_json(6, "newer_format");
    }
    init_conflicts(&sandbox);
}

#[test]
fn a_vault_with_an_unknown_feature_is_not_touched() {
    let sandbox = prepared();
    let features = [0, 0, 1_u64].map(u64::to_be_bytes).concat();
    put_header(&sandbox.vault(), b"features", &features);
    for call in every_command(&sandbox) {
        call.args(["--json"]).run().fails_json(6, "newer_format");
    }
}

#[test]
fn a_vault_with_a_feature_unknown_to_writers_is_only_read() {
    let sandbox = prepared();
    let features = [0, 1_u64, 0].map(u64::to_be_bytes).concat();
    put_header(&sandbox.vault(), b"features", &features);
    for arguments in READS.iter().filter(|arguments| **arguments != ["verify"]) {
        sandbox.credb(*arguments).run().ok();
    }
    // Whoever changed that row had no key.
    sandbox.credb(["verify"]).run().code(6).stderr_has("header");
    let writes = WRITES.iter().filter(|arguments| !arguments.contains(&"--dry-run"));
    for arguments in COPIES.iter().chain(writes) {
        sandbox.credb(*arguments).args(["--json"]).run().fails_json(6, "newer_format");
    }
}

#[test]
fn a_vault_in_use_is_busy_for_writers_and_whole_for_readers() {
    let sandbox = prepared();
    let shim = SlowSync::build();
    let holder = sandbox.credb(["set", "c", "--generate"]);
    let mut holder = shim.stop_at(holder, 2).spawn();
    assert!(holder.stops(), "a write should sync at least twice");
    for arguments in READS.iter().chain(&COPIES) {
        let outcome = sandbox.credb(*arguments).args(["--wait", "0.2"]).run();
        if outcome.exit_code() != Some(7) {
            outcome.ok();
        }
    }
    for arguments in WRITES.iter().filter(|arguments| !arguments.contains(&"--dry-run")) {
        let call = sandbox.credb(*arguments).args(["--wait", "0.2", "--json"]);
        call.run().fails_json(7, "busy");
    }
    drop(holder);
    assert_eq!(sandbox.password("a"), "secret of a");
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::MultiWriter);
    builder
}

/// Overwrites a row that says what the file is, as a newer program would write it.
fn put_header(vault: &Path, name: &[u8], value: &[u8]) {
    put_row(vault, "header", name, value);
}
