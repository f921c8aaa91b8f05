//! `rotate`: the new password is never lost, and never the present one before its time.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Call, Running, Sandbox, SlowSync};

fn rotate(sandbox: &Sandbox, options: &[&str], script: &str) -> Call {
    sandbox.credb(["rotate", "a"]).args(options).args(["--", "sh", "-c", script])
}

/// The command is given both passwords, and keeps what it was given.
const SERVICE: &str = "cat \"$CREDB_OLD\" > old; cat \"$CREDB_NEW\" > new";

fn given(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.path(name)).expect("what the command was given")
}

fn pending(sandbox: &Sandbox) -> bool {
    let shown = sandbox.credb(["get", "a", "--json"]).run().ok().json();
    shown.get("pending_since").is_some()
}

#[test]
fn a_command_that_succeeds_makes_the_new_password_the_present_one() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["set", "a", "-u", "root", "--expires", "1d"]).run().ok();
    let options = ["--generate=40", "--hex", "--expires", "90d", "--json"];
    let script = format!("{SERVICE}; cat $CREDB_NEW $CREDB_NEW >/dev/null; echo $CREDB_ID >&2");
    let outcome = rotate(&sandbox, &options, &script).run().code(0).stderr_has("a\n");
    assert_eq!(outcome.json()["version"], 4);
    assert_eq!(given(&sandbox, "old"), "secret of a");
    let new = given(&sandbox, "new");
    assert!(new.len() == 40 && new.bytes().all(|byte| byte.is_ascii_hexdigit()), "{new}");
    assert_eq!(sandbox.password("a"), new);
    let shown = sandbox.credb(["get", "a", "--json"]).run().ok().json();
    assert_eq!(shown["username"], "root");
    assert!(shown["expires_at"].is_string() && shown.get("pending_since").is_none());
    rotate(&sandbox, &[], "true").run().ok().stdout("").silent();
    let shown = sandbox.credb(["get", "a", "--json"]).run().ok().json();
    assert!(shown["expires_at"].is_null(), "an expiry is that of one password");
}

#[test]
fn what_the_command_prints_is_not_the_result() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let outcome = rotate(&sandbox, &[], "echo printed; cat; ls -l /proc/self/fd").stdin("x").run();
    outcome.code(0).stdout("").stderr_has("printed").hides("default.redb").hides("secret of");
}

#[test]
fn a_command_that_fails_leaves_both_passwords_there() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let failed = rotate(&sandbox, &[], &format!("{SERVICE}; exit 42")).run().fails(42);
    failed.stderr_has("kept as pending").hints("--resume -- COMMAND");
    assert_eq!(sandbox.password("a"), "secret of a");
    let new = given(&sandbox, "new");
    for shown in [&["get", "a", "--show-password"][..], &["get", "a", "--json", "--show-password"]]
    {
        let shown = sandbox.credb(shown).run().ok().hides(&new);
        shown.stdout_has("pending");
    }
    // Another one, or one at the same time, is refused.
    rotate(&sandbox, &[], "touch started").run().fails(4).hints("--abandon");
    rotate(&sandbox, &["--json"], "touch started").run().fails_json(4, "conflict");
    assert!(!sandbox.path("started").exists());

    // Ordinary changes leave it alone, and it goes with its credential.
    sandbox.credb(["set", "a", "-d", "changed"]).run().ok();
    sandbox.credb(["rename", "a", "b"]).run().ok();
    sandbox.credb(["backup", "copy.redb"]).run().ok();
    sandbox.credb(["rename", "b", "a"]).run().ok();
    let copied = ["--vault", "./copy.redb", "rotate", "b", "--accept"];
    sandbox.credb(copied).run().ok();
    let copied = ["--vault", "./copy.redb", "get", "b", "--field", "password", "--raw"];
    sandbox.credb(copied).run().ok().stdout(&new);

    rotate(&sandbox, &["--resume"], &format!("{SERVICE}; exit 1")).run().fails(1);
    assert_eq!(given(&sandbox, "new"), new, "the same one");
    rotate(&sandbox, &["--resume"], "true").run().ok();
    assert_eq!(sandbox.password("a"), new);
    assert!(!pending(&sandbox));
}

#[test]
fn a_rotation_can_be_accepted_or_abandoned_by_hand() {
    let sandbox = Sandbox::with_ids(&["a"]);
    rotate(&sandbox, &[], &format!("{SERVICE}; exit 1")).run().fails(1);
    sandbox.credb(["rotate", "a", "--accept", "--expires", "1d"]).run().ok().silent();
    assert_eq!(sandbox.password("a"), given(&sandbox, "new"));
    rotate(&sandbox, &[], "exit 1").run().fails(1);
    sandbox.credb(["rotate", "a", "--abandon"]).run().ok().silent();
    assert_eq!(sandbox.password("a"), given(&sandbox, "new"));
    for end in ["--accept", "--abandon"] {
        sandbox.credb(["rotate", "a", end]).run().fails(3);
        sandbox.credb(["rotate", "none", end]).run().fails(3);
    }
    rotate(&sandbox, &["--resume"], "touch started").run().fails(3);
    sandbox.credb(["rotate", "none", "--", "touch", "started"]).run().fails(3);
    assert!(!sandbox.path("started").exists());
}

#[test]
fn a_command_that_never_ran_leaves_nothing_pending() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["rotate", "a", "--", "no-such-command"]).run().fails(127);
    assert!(!pending(&sandbox));
}

#[test]
fn a_change_by_somebody_else_is_a_conflict_and_loses_nothing() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let script = format!("{SERVICE}; echo by hand | credb set a --password-stdin");
    let failed = rotate(&sandbox, &[], &script).run().fails(4).stderr_has("kept as pending");
    failed.stderr_has("the command that rotates \"a\" succeeded").hints("credb rotate a --accept");
    assert_eq!(sandbox.password("a"), "by hand");
    sandbox.credb(["rotate", "a", "--accept"]).run().ok();
    assert_eq!(sandbox.password("a"), given(&sandbox, "new"));
}

/// A rotation whose command runs until `go` is there.
fn running(sandbox: &Sandbox) -> Running {
    let script =
        format!("{SERVICE}; touch began; while test -e began && ! test -e go; do sleep 0.01; done");
    let running = rotate(sandbox, &[], &script).spawn();
    await_began(sandbox);
    running
}

#[track_caller]
fn await_began(sandbox: &Sandbox) {
    let began = (0..4_000).any(|_| {
        thread::sleep(Duration::from_millis(5));
        sandbox.path("began").exists()
    });
    assert!(began, "the command did not start");
}

#[test]
fn of_two_rotations_one_is_refused_and_readers_go_on() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    let first = running(&sandbox);
    for options in [&[][..], &["--resume"]] {
        rotate(&sandbox, options, "touch started").run().fails(4).stderr_has("right now");
    }
    sandbox.credb(["rotate", "a", "--abandon"]).run().fails(4);
    sandbox.credb(["rotate", "b", "--", "true"]).run().ok();
    assert_eq!(sandbox.password("a"), "secret of a");
    sandbox.file("go", "");
    first.wait().ok();
    assert_eq!(sandbox.password("a"), given(&sandbox, "new"));
    assert!(!sandbox.path("started").exists());
    let files = sandbox.file_names();
    assert!(!files.iter().any(|name| name.to_string_lossy().contains("lease")), "{files:?}");
}

#[test]
fn a_rotation_that_is_killed_can_be_brought_to_an_end() {
    for signal in [Signal::KILL, Signal::TERM] {
        let sandbox = Sandbox::with_ids(&["a"]);
        let first = running(&sandbox);
        first.signal(signal);
        if signal == Signal::TERM {
            first.wait().fails(143).hints("--accept");
        } else {
            // Its command lives on, and has its stderr.
            sandbox.file("go", "");
            first.wait();
        }
        rotate(&sandbox, &[], "true").run().fails(4).hints("--resume");
        let new = given(&sandbox, "new");
        rotate(&sandbox, &["--resume"], SERVICE).run().ok();
        assert_eq!(given(&sandbox, "new"), new);
        assert_eq!(sandbox.password("a"), new);
    }
}

/// Would break: a wait that was used up before the command, which changed the password already.
#[test]
fn to_accept_the_new_password_there_is_all_of_the_wait_once_more() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    let stopped = |id: &str| {
        let set = sandbox.credb(["set", id, "--password-stdin"]).stdin("x");
        let mut writer = shim.stop_at(set, 1).spawn();
        assert!(writer.stops());
        writer
    };
    let go_on = |writer: Running| {
        thread::sleep(Duration::from_secs(6));
        writer.signal(Signal::CONT);
        writer.wait().ok();
    };
    let before = stopped("b");
    let script = format!("{SERVICE}; touch began; while ! test -e go; do sleep 0.01; done");
    // Enough for one of the two waits, and not for both.
    let rotating = rotate(&sandbox, &["--wait", "10"], &script).spawn();
    go_on(before);
    await_began(&sandbox);
    let after = stopped("c");
    sandbox.file("go", "");
    go_on(after);
    rotating.wait().ok();
    assert_eq!(sandbox.password("a"), given(&sandbox, "new"));
}

#[test]
fn what_is_said_of_the_new_password_is_so_when_it_is_said() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let removed = rotate(&sandbox, &[], "credb remove a --force").run().fails(3);
    removed.stderr_has("succeeded, but the credential was removed").hints("`credb undo a`");
    sandbox.credb(["undo", "a"]).run().ok();
    assert!(pending(&sandbox));
    sandbox.credb(["rotate", "a", "--abandon"]).run().ok();
    let over = rotate(&sandbox, &[], "credb purge a --force; credb set a --generate; exit 5");
    over.run().fails(5).stderr_has("the new password is not pending any more");
}

#[test]
fn the_way_on_repeats_the_expiry_that_was_asked_for() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let failed = rotate(&sandbox, &["--expires", "90d"], "exit 5").run().fails(5);
    failed.hints("`credb rotate a --accept --expires 90d`");
    let resumed = sandbox.credb(["rotate", "a", "--resume", "--", "no-such-command"]);
    resumed.run().fails(127).stderr_has("kept as pending").hints("`credb rotate a --accept`");
    sandbox.credb(["rotate", "a", "--accept", "--expires", "90d"]).run().ok();
    let shown = sandbox.credb(["get", "a", "--json"]).run().ok().json();
    assert!(shown["expires_at"].is_string());
}

#[test]
fn a_command_that_takes_too_long_is_ended() {
    let sandbox = Sandbox::with_ids(&["a"]);
    rotate(&sandbox, &["--timeout", "0.3"], "sleep 600").run().fails(124);
    assert!(pending(&sandbox));
}

#[test]
fn neither_password_is_in_arguments_environment_or_files() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let script = "new=$(cat $CREDB_NEW); env > env; tr '\\0' ' ' < /proc/$$/cmdline > arguments; \
                  tr '\\0' ' ' < /proc/$PPID/cmdline >> arguments; \
                  grep -rlF -e \"$new\" -e \"secret\"\" of a\" . > found; exit 0";
    rotate(&sandbox, &[], script).run().ok();
    let new = sandbox.password("a");
    assert_eq!(given(&sandbox, "found"), "");
    for name in ["env", "arguments"] {
        let text = given(&sandbox, name);
        assert!(!text.contains(&new) && !text.contains("secret of a"), "{text}");
    }
}

#[test]
fn wrong_command_lines_are_2() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for arguments in [
        &["rotate", "a"][..],
        &["rotate", "--", "true"],
        &["rotate", "a", "--resume"],
        &["rotate", "a", "--accept", "--", "true"],
        &["rotate", "a", "--accept", "--abandon"],
        &["rotate", "a", "--accept", "--generate"],
        &["rotate", "a", "--resume", "--hex", "--", "true"],
        &["rotate", "a", "--expires", "x", "--", "true"],
    ] {
        sandbox.credb(arguments).run().fails(2);
    }
    assert_eq!(sandbox.version("a"), 1);
}
