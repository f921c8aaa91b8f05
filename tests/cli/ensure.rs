//! `ensure`: a fresh password, renewed by a command if need be, and what its failures leave behind.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Call, Outcome, Running, Sandbox, SlowSync, Terminal, is_gone, is_ignored};

/// A call that renews what is older than an hour by a shell script.
fn ensure(sandbox: &Sandbox, options: &[&str], script: &str) -> Call {
    let call = sandbox.credb(["ensure", "a", "--max-age", "1h"]).args(options);
    call.args(["--", "sh", "-c", script])
}

/// With a credential whose password has expired.
fn expired() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    let old =
        r#"{"id":"a","username":"root","password":"old","expires_at":"2020-01-01T00:00:00Z"}"#;
    sandbox.credb(["set", "-f", "-"]).stdin(old).run().ok();
    sandbox
}

/// Waits for a file, which a command makes.
#[track_caller]
fn await_file(sandbox: &Sandbox, name: &str) {
    for _ in 0..4_000 {
        if sandbox.path(name).exists() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("{name} was not made");
}

fn leases(sandbox: &Sandbox) -> usize {
    let entries = fs::read_dir(sandbox.path("data/credb")).expect("the data directory").flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().contains("lease")).count()
}

#[test]
fn a_new_credential_is_made_and_then_is_fresh() {
    let sandbox = Sandbox::with_vault();
    let call = ensure(&sandbox, &[], "echo ran >> log; echo token");
    call.run().ok().silent().stdout("token\n");
    call.run().ok().silent().stdout("token\n");
    ensure(&sandbox, &["--raw"], "exit 1").run().ok().stdout("token");
    assert_eq!(fs::read_to_string(sandbox.path("log")).unwrap(), "ran\n");
    assert_eq!(sandbox.version("a"), 1);
    assert_eq!(leases(&sandbox), 0);
}

#[test]
fn json_says_whether_it_was_renewed() {
    let sandbox = expired();
    let call = ensure(&sandbox, &["--json"], "echo new");
    let first = call.run().ok().silent().json();
    assert_eq!((&first["id"], &first["version"]), (&json!("a"), &json!(2)));
    assert_eq!((&first["refreshed"], &first["password"]), (&json!(true), &json!("new")));
    assert_eq!(first["expires_at"], json!(null), "that was the old password's");
    let second = call.run().ok().json();
    assert_eq!((&second["version"], &second["refreshed"]), (&json!(2), &json!(false)));
    let shown = sandbox.credb(["get", "a", "--json"]).run().ok().json();
    assert_eq!(shown["username"], "root", "what is not named is kept");
}

#[test]
fn age_and_expiry_decide() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["set", "a", "--expires", "10m"]).run().ok();
    ensure(&sandbox, &["--before-expiry", "9m"], "exit 1").run().ok();
    ensure(&sandbox, &["--before-expiry", "11m", "--expires", "1h"], "echo 1").run().ok();
    ensure(&sandbox, &["--before-expiry", "11m"], "exit 1").run().ok().stdout("1\n");
    thread::sleep(Duration::from_millis(1));
    let young = ["ensure", "a", "--max-age", "0s", "--", "echo", "2"];
    sandbox.credb(young).run().ok().stdout("2\n");
}

#[test]
fn a_command_can_say_more_in_json() {
    let sandbox = expired();
    let script = r#"printf '%s' '{"password":"n","username":"u","expires_at":"2099-01-01T00:00:00Z",
        "fields":{"secret":{"value":"s"}}}'"#;
    ensure(&sandbox, &["--output-json"], script).run().ok().stdout("n\n");
    let stored = sandbox.credb(["get", "a", "--json", "--show-password"]).run().ok().json();
    assert_eq!(stored["username"], "u");
    assert_eq!(stored["expires_at"], "2099-01-01T00:00:00Z");
    assert_eq!(stored["fields"]["secret"]["value"], "s");
}

#[test]
fn output_that_cannot_be_stored_is_9_and_keeps_the_old_password() {
    let sandbox = expired();
    for script in ["true", "echo", "printf '\\r\\n'", "head -c 70000 /dev/zero", "yes"] {
        ensure(&sandbox, &[], script).run().fails(9);
    }
    for output in [
        "",
        "s3cret",
        "[]",
        r#"{"username":"u"}"#,
        r#"{"password":""}"#,
        r#"{"password":null}"#,
        r#"{"password":1}"#,
        r#"{"password":"s3cret","password":"s3cret"}"#,
        r#"{"password":"s3cret","unknown":"s3cret"}"#,
        r#"{"password":"s3cret","id":"b"}"#,
        r#"{"password":"s3cret","expires_at":"2020-01-01T00:00:00Z"}"#,
    ] {
        let script = format!("printf %s '{output}'");
        ensure(&sandbox, &["--output-json"], &script).run().fails(9).hides("s3cret");
    }
    assert_eq!(sandbox.password("a"), "old");
    assert_eq!(sandbox.version("a"), 1);
    assert_eq!(leases(&sandbox), 0);
}

#[test]
fn exit_codes_are_the_commands() {
    let sandbox = expired();
    for code in [1, 3, 42, 255] {
        let script = format!("echo why >&2; echo half; exit {code}");
        let outcome = ensure(&sandbox, &[], &script).run().code(code).stdout("");
        outcome.stderr_has("why").stderr_has(&format!("exit code {code}"));
    }
    ensure(&sandbox, &[], "kill -KILL $$").run().fails(137);
    ensure(&sandbox, &["--json"], "exit 3").run().fails_json(3, "command");
    sandbox.file("plain", "#!/bin/sh\n");
    for (command, code) in [("no-such-command", 127), ("./plain", 126)] {
        let call = ["ensure", "a", "--max-age", "1h", "--", command];
        sandbox.credb(call).run().fails(code).stderr_has(command);
    }
    assert_eq!(sandbox.password("a"), "old");
}

#[test]
fn wrong_command_lines_are_2() {
    let sandbox = expired();
    for arguments in [
        &["ensure", "a", "--max-age", "1h"][..],
        &["ensure", "a", "--", "true"],
        &["ensure", "--max-age", "1h", "--", "true"],
        &["ensure", "a", "--max-age", "1", "--", "true"],
        &["ensure", "a", "--max-age", "-1h", "--", "true"],
        &["ensure", "a", "--max-age", "1h", "--timeout", "0", "--", "true"],
        &["ensure", "a", "--max-age", "1h", "--before-expiry", "x", "--", "true"],
        &["ensure", "a", "--max-age", "1h", "--expires", "x", "--", "true"],
    ] {
        sandbox.credb(arguments).run().fails(2);
    }
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_its_children() {
    let sandbox = expired();
    let script = "trap '' TERM; sleep 600 & echo $! > child; touch started; wait; sleep 600";
    let outcome = ensure(&sandbox, &["--timeout", "0.5"], script).run();
    outcome.fails(124).stderr_has("--timeout");
    let child = fs::read_to_string(sandbox.path("child")).unwrap();
    assert!(is_gone(child.trim()), "the child of the command still runs");
    assert_eq!(sandbox.password("a"), "old");
}

#[test]
fn the_command_gets_no_input_and_no_file_of_credb_unless_asked() {
    let sandbox = expired();
    let script = "cat; ls -l /proc/self/fd >&2; echo new";
    let outcome = ensure(&sandbox, &[], script).stdin("input").run().code(0).stdout("new\n");
    outcome.hides("default.redb");
    let again = ["ensure", "b", "--max-age", "1h", "--stdin", "--", "cat"];
    sandbox.credb(again).stdin("input").run().ok().stdout("input\n");
}

/// A command that begins, and ends when `go` is there.
const WAITS: &str = "touch began; while test -e began && ! test -e go; do sleep 0.01; done";

/// Would break: a token that a service gave out, and that is thrown away since others wrote.
#[test]
fn what_was_fetched_is_stored_when_others_let_go_of_the_vault() {
    let sandbox = expired();
    let shim = SlowSync::build();
    let renewing = ensure(&sandbox, &["--wait", "60"], &format!("{WAITS}; echo new")).spawn();
    await_file(&sandbox, "began");
    let set = sandbox.credb(["set", "b", "--password-stdin"]).stdin("x");
    let mut writer = shim.stop_at(set, 1).spawn();
    assert!(writer.stops());
    sandbox.file("go", "");
    thread::sleep(Duration::from_secs(1));
    writer.signal(Signal::CONT);
    writer.wait().ok();
    renewing.wait().ok().stdout("new\n");
    assert_eq!(sandbox.password("a"), "new");
}

#[test]
fn an_expiry_that_is_over_is_refused_before_anything_runs() {
    let sandbox = expired();
    for over in ["0s", "2020-01-01"] {
        ensure(&sandbox, &["--expires", over], "touch ran").run().fails(2);
    }
    assert!(!sandbox.path("ran").exists());
}

#[test]
fn the_very_same_password_keeps_its_expiry() {
    let sandbox = expired();
    let expires = || {
        sandbox.credb(["get", "a", "--json"]).run().ok().json()["expires_at"]
            .as_str()
            .map(str::to_owned)
    };
    let before = expires();
    assert!(before.is_some());
    let same = sandbox.password("a");
    ensure(&sandbox, &[], &format!("echo '{same}'")).run().ok();
    assert_eq!(expires(), before);
    ensure(&sandbox, &["--expires", "never"], &format!("echo '{same}'")).run().ok();
    assert_eq!(expires(), None);
}

#[test]
fn an_expiry_counts_from_when_the_password_is_there() {
    let sandbox = expired();
    ensure(&sandbox, &["--expires", "2s"], "sleep 3; echo new").run().ok().stdout("new\n");
    assert_eq!(sandbox.password("a"), "new");
}

#[test]
fn a_script_without_an_interpreter_is_the_shells() {
    let sandbox = expired();
    sandbox.file("home/fetch", "echo \"$0 $1\"\n");
    sandbox.set_mode("home/fetch", 0o700);
    let shown = ["./home/fetch", "home/fetch"];
    for (command, id) in shown.into_iter().zip(["b", "c"]) {
        let call = ["ensure", id, "--max-age", "1h", "--", command, "x"];
        let printed = sandbox.credb(call).run().ok().silent().text();
        assert!(printed.ends_with("home/fetch x\n"), "{printed}");
    }
    let path = std::env::join_paths([sandbox.path("none"), sandbox.path("home")]).unwrap();
    let path = format!("{}:/usr/bin:/bin", path.to_str().unwrap());
    let call = sandbox.credb(["ensure", "d", "--max-age", "1h", "--", "fetch", "x"]);
    let printed = call.env("PATH", path).run().ok().silent().text();
    assert!(printed.ends_with("home/fetch x\n"), "{printed}");
}

#[test]
fn limits_of_core_dumps_are_as_they_were() {
    let sandbox = expired();
    let script = "ulimit -S -c 64 2>/dev/null; ulimit -c; \
                  credb ensure a --max-age 1h -- sh -c 'ulimit -c'";
    let lines = sandbox.shell(script).run().ok().lines();
    assert_eq!(lines[0], lines[1]);
}

/// Callers that wait for a command which runs until `go` is there.
fn crowd(sandbox: &Sandbox, script: &str) -> (Running, Vec<Running>) {
    // Nor beyond the end of the test.
    let waits = "while test -e log && ! test -e go; do sleep 0.01; done";
    let script = format!("echo x >> log; {waits}; {script}");
    let call = ensure(sandbox, &[], &script);
    let first = call.spawn();
    await_file(sandbox, "log");
    let others: Vec<Running> = (0..5).map(|_| call.spawn()).collect();
    // All of them stand in the queue.
    for other in &others {
        other.await_open("lease");
    }
    (first, others)
}

#[test]
fn those_who_wait_get_the_same_password() {
    let sandbox = expired();
    let (first, others) = crowd(&sandbox, "date +%N");
    assert_eq!(sandbox.password("a"), "old", "readers do not wait");
    sandbox.put("b", "writers do not either");
    sandbox.file("go", "");
    let expected = first.wait().ok().text();
    for other in others {
        other.wait().ok().silent().stdout(&expected);
    }
    assert_eq!(fs::read_to_string(sandbox.path("log")).unwrap(), "x\n");
    assert_eq!(leases(&sandbox), 0);
}

#[test]
fn those_who_wait_fail_as_the_command_did() {
    let sandbox = expired();
    for (script, code) in [("exit 42", 42), ("true", 9)] {
        fs::remove_file(sandbox.path("go")).ok();
        fs::remove_file(sandbox.path("log")).ok();
        let (first, others) = crowd(&sandbox, script);
        sandbox.file("go", "");
        first.wait().fails(code);
        for other in others {
            other.wait().fails(code).stderr_has("another caller");
        }
        assert_eq!(fs::read_to_string(sandbox.path("log")).unwrap(), "x\n");
    }
    assert_eq!(sandbox.password("a"), "old");
    ensure(&sandbox, &[], "echo later").run().ok().stdout("later\n");
}

#[test]
fn a_caller_that_is_killed_leaves_the_work_to_the_next() {
    let sandbox = expired();
    let (first, others) = crowd(&sandbox, "echo new");
    first.signal(Signal::KILL);
    sandbox.file("go", "");
    for other in others {
        other.wait().ok().stdout("new\n");
    }
    assert_eq!(fs::read_to_string(sandbox.path("log")).unwrap(), "x\nx\n");
    assert_eq!(sandbox.version("a"), 2);
}

#[test]
fn a_caller_that_is_told_to_stop_ends_its_command_and_leaves_the_work_to_the_next() {
    let signals = [(Signal::TERM, 143), (Signal::HUP, 129)];
    for (signal, code) in signals.into_iter().filter(|(signal, _)| !is_ignored(*signal)) {
        let sandbox = expired();
        let (first, others) = crowd(&sandbox, "echo new");
        first.signal(signal);
        first.wait().code(code).stdout("").silent();
        sandbox.file("go", "");
        for other in others {
            other.wait().ok().stdout("new\n");
        }
        assert_eq!(fs::read_to_string(sandbox.path("log")).unwrap(), "x\nx\n");
    }
}

#[test]
fn ctrl_c_ends_the_command_and_is_130() {
    let sandbox = expired();
    let call = ensure(&sandbox, &[], "echo ready >&2; sleep 600");
    let mut terminal = Terminal::start(&call);
    terminal.expect("ready").interrupt();
    terminal.ends(130);
    assert_eq!(sandbox.password("a"), "old");
}

#[test]
fn a_wait_for_another_caller_has_a_limit() {
    let sandbox = expired();
    let (first, others) = crowd(&sandbox, "echo new");
    let impatient = ["--wait", "0.1", "--timeout", "0.1", "--json"];
    ensure(&sandbox, &impatient, "echo x >> log").run().fails_json(7, "busy");
    assert_eq!(fs::read_to_string(sandbox.path("log")).unwrap(), "x\n");
    drop((first, others));
}

#[test]
fn ids_do_not_wait_for_each_other() {
    let sandbox = expired();
    let (_first, _others) = crowd(&sandbox, "echo new");
    let other = ["ensure", "b", "--max-age", "1h", "--", "echo", "b"];
    sandbox.credb(other).run().ok().stdout("b\n");
}

#[test]
fn a_credential_that_was_removed_meanwhile_stays_removed() {
    let sandbox = expired();
    let (first, _others) = crowd(&sandbox, "echo new");
    sandbox.credb(["remove", "a", "--force"]).run().ok();
    sandbox.file("go", "");
    first.wait().fails(4).stderr_has("succeeded, but its output is not stored");
    sandbox.credb(["get", "a"]).run().fails(3);
}

#[test]
fn what_was_changed_meanwhile_is_kept_but_for_the_password() {
    let sandbox = expired();
    let (first, _others) = crowd(&sandbox, "echo new");
    sandbox.credb(["set", "a", "-d", "changed"]).run().ok();
    sandbox.file("go", "");
    first.wait().ok().stdout("new\n");
    let shown = sandbox.credb(["get", "a", "--json"]).run().ok().json();
    assert_eq!((&shown["description"], &shown["version"]), (&json!("changed"), &json!(3)));
}

#[test]
fn no_lease_tells_an_id_and_none_is_readable_by_others() {
    let sandbox = expired();
    let (_first, _others) = crowd(&sandbox, "echo new");
    let directory = fs::read_dir(sandbox.path("data/credb")).unwrap().flatten();
    let lease =
        directory.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("lease"));
    let lease = lease.expect("a lease");
    assert_eq!(fs::read(&lease).unwrap(), b"");
    assert_eq!(crate::support::mode_of(&lease), 0o600);
    let name = lease.file_name().unwrap().to_str().unwrap();
    let digits = name.strip_prefix("default.redb.lease-").expect("the name of a lease");
    assert!(digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
}

#[test]
fn fresh_ones_are_printed_where_no_lease_can_be_had() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.set_mode("data/credb", 0o500);
    let outcome: Outcome = ensure(&sandbox, &[], "exit 1").run();
    sandbox.set_mode("data/credb", 0o700);
    outcome.ok().stdout("secret of a\n");
}
