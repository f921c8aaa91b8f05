//! `watch`: lines for changes, and how it ends.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Coprocess, Running, Sandbox, is_ignored};

/// Watches with lines for what is there first, so that one can wait for it to have begun.
fn start(sandbox: &Sandbox, arguments: &[&str]) -> Coprocess {
    Coprocess::start(&sandbox.credb(["watch", "--initial"]).args(arguments))
}

/// A line without its time, which has to be there.
fn short(mut line: Value) -> Value {
    let object = line.as_object_mut().expect("an object");
    let time = object.remove("updated_at").expect("a time");
    assert_eq!(time.as_str().map(str::len), Some("2026-01-01T00:00:00Z".len()));
    line
}

#[test]
fn each_change_is_a_line() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let mut watch = start(&sandbox, &[]);
    let mut next = || short(watch.answer());
    assert_eq!(next(), json!({"id": "a", "version": 1, "what": "present"}));
    sandbox.put("b", "x");
    assert_eq!(next(), json!({"id": "b", "version": 1, "what": "added"}));
    sandbox.put("b", "y");
    assert_eq!(next(), json!({"id": "b", "version": 2, "what": "updated"}));
    sandbox.credb(["rename", "b", "c"]).run().ok();
    assert_eq!(next(), json!({"id": "c", "version": 3, "what": "renamed", "from": "b"}));
    sandbox.credb(["remove", "c", "--force"]).run().ok();
    assert_eq!(next(), json!({"id": "c", "version": 3, "what": "removed"}));
}

#[test]
fn ids_and_globs_choose() {
    let sandbox = Sandbox::with_ids(&["a", "db/x", "ab", "[x]", "last"]);
    let mut watch = start(&sandbox, &["a", "db/*", "--id", "[x]", "last"]);
    for id in ["[x]", "a", "db/x", "last"] {
        assert_eq!(watch.answer()["id"], id);
    }
    for id in ["ab", "x", "db/y", "last"] {
        sandbox.put(id, "new");
    }
    // Renamed away from what was chosen is told too.
    assert_eq!(watch.answer()["id"], "db/y");
    assert_eq!(watch.answer()["id"], "last");
    sandbox.credb(["rename", "a", "elsewhere"]).run().ok();
    assert_eq!(watch.answer()["from"], "a");
}

#[test]
fn compact_is_no_change_and_restore_is_many() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    sandbox.credb(["backup", "copy.redb"]).run().ok();
    sandbox.put("a", "later");
    sandbox.put("c", "later");
    let mut watch = start(&sandbox, &[]);
    for _ in 0..3 {
        assert_eq!(watch.answer()["what"], "present");
    }
    sandbox.credb(["compact"]).run().ok();
    sandbox.credb(["restore", "copy.redb", "--force"]).run().ok();
    let mut lines = [watch.answer(), watch.answer()];
    lines.sort_by_key(|line| line["id"].to_string());
    assert_eq!((&lines[0]["id"], &lines[0]["version"]), (&json!("a"), &json!(1)));
    assert_eq!((&lines[1]["id"], &lines[1]["what"]), (&json!("c"), &json!("removed")));
    assert_eq!(lines[1]["version"], json!(null), "nothing is left of it");
    sandbox.put("b", "and on");
    assert_eq!(watch.answer()["id"], "b");
}

#[test]
fn a_time_to_end_and_nothing_to_tell() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["watch", "--timeout", "0.2"]).run().ok().stdout("").silent();
    sandbox.credb(["watch", "--timeout", "0"]).run().ok().stdout("").silent();
    sandbox.credb(["watch", "--timeout", "x"]).run().fails(2);
    sandbox.credb(["watch", "a[", "--timeout", "0"]).run().fails(9);
}

/// Would break: notices that do not come, or a look that is not taken on one. Looks of its own are
/// thirty seconds apart, so this watch would take none but the last one, and tell of the first
/// change at its end.
#[test]
fn changes_are_told_because_they_are_noticed() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let mut watch = start(&sandbox, &["--timeout", "25"]);
    for version in 1..=10 {
        assert_eq!(watch.answer()["version"], version);
        sandbox.put("a", &version.to_string());
    }
}

/// Would break: polling. How often the watch gave up its core is counted; a busy machine makes
/// that less, never more.
#[test]
fn nothing_is_done_while_nothing_changes() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let mut watch = start(&sandbox, &[]);
    watch.answer();
    let waits = || -> u64 {
        let status = watch.handle().about("status").expect("the status of the watch");
        let status = String::from_utf8(status).expect("text");
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.expect("a count").trim().parse().expect("a number")
    };
    thread::sleep(Duration::from_millis(500));
    let before = waits();
    thread::sleep(Duration::from_secs(2));
    let times = waits() - before;
    assert!(times <= 2, "it woke up {times} times in two seconds");
}

#[test]
fn a_closed_pipe_ends_it_without_a_change() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.shell("credb watch --initial | head -1 >/dev/null; echo ended").run().ok();
}

fn started(sandbox: &Sandbox) -> Running {
    let running = sandbox.credb(["watch"]).spawn();
    running.await_open("inotify");
    // It looks for the first time after that.
    thread::sleep(Duration::from_millis(300));
    running
}

#[test]
fn signals_end_it_quietly() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let signals = [(Signal::INT, 130), (Signal::TERM, 143)];
    for (signal, code) in signals.into_iter().filter(|(signal, _)| !is_ignored(*signal)) {
        let running = started(&sandbox);
        running.signal(signal);
        running.wait().code(code).stdout("").silent();
    }
}

/// Would break: a write that waits for a reader, and no longer looks for signals or the time.
#[test]
fn a_reader_that_does_not_read_keeps_it_from_neither_signals_nor_the_end_of_its_time() {
    let sandbox = Sandbox::with_vault();
    // More than a pipe holds.
    let entries: Vec<String> =
        (0..1_000).map(|number| format!(r#"{{"id":"{number:0>100}","password":"x"}}"#)).collect();
    let entries = format!("[{}]", entries.join(","));
    sandbox.credb(["set", "-f", "-"]).stdin(entries).run().ok();
    let unread = |options: &str, then: &str| {
        let script = format!(
            "mkfifo pipe; exec 3<>pipe; timeout -s KILL 10 credb watch --initial {options} >&3 & \
             sleep 1; {then}; wait $!; echo ended $?; head -c 50 <&3; rm pipe"
        );
        sandbox.shell(&script).timeout(Duration::from_secs(20)).run().ok().lines()
    };
    let lines = unread("", "kill -TERM $!");
    assert_eq!(lines[0], "ended 143");
    assert!(lines[1].starts_with("{\"id\":\"000"), "{lines:?}");
    assert_eq!(unread("--timeout 1.5", "true")[0], "ended 0");
}

#[test]
fn a_reader_that_is_slow_gets_every_line_whole() {
    let sandbox = Sandbox::with_vault();
    let entries: Vec<String> =
        (0..1_000).map(|number| format!(r#"{{"id":"{number:0>100}","password":"x"}}"#)).collect();
    let entries = format!("[{}]", entries.join(","));
    sandbox.credb(["set", "-f", "-"]).stdin(entries).run().ok();
    let script = "credb watch --initial --timeout 3 | { sleep 1; cat; }";
    let lines = sandbox.shell(script).run().ok().lines();
    assert_eq!(lines.len(), 1_000);
    for (number, line) in lines.iter().enumerate() {
        let line: Value = serde_json::from_str(line).expect("a whole line");
        assert_eq!(line["id"], format!("{number:0>100}"));
    }
}

/// Would break: notices that stay those of the directory that was there first, of which there are
/// none any more. The next look without one would be the last.
#[test]
fn another_directory_in_the_place_of_the_vaults_is_watched_too() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let (there, copy) = (sandbox.path("data/credb"), sandbox.path("data/copy"));
    let mut watch = start(&sandbox, &["--timeout", "25"]);
    watch.answer();
    for round in 0..2 {
        fs::create_dir(&copy).unwrap();
        fs::copy(sandbox.vault(), copy.join("default.redb")).unwrap();
        fs::rename(&there, sandbox.path(format!("data/away{round}"))).unwrap();
        fs::rename(&copy, &there).unwrap();
        // After the look that this calls for.
        thread::sleep(Duration::from_millis(300));
        for change in 0..3 {
            sandbox.put("a", &format!("{round} {change}"));
            assert_eq!(watch.answer()["version"], 2 + 3 * round + change);
        }
    }
}

#[test]
fn a_directory_that_is_made_again_is_waited_for_as_long_as_others_are() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let (there, away) = (sandbox.path("data/credb"), sandbox.path("data/away"));
    let mut watch = start(&sandbox, &["--timeout", "25"]);
    watch.answer();
    fs::rename(&there, &away).unwrap();
    thread::sleep(Duration::from_millis(700));
    fs::create_dir(&there).unwrap();
    thread::sleep(Duration::from_millis(700));
    fs::copy(away.join("default.redb"), sandbox.vault()).unwrap();
    for version in 2..5 {
        sandbox.put("a", &version.to_string());
        assert_eq!(watch.answer()["version"], version);
    }
    drop(watch);
    fs::remove_dir_all(&away).unwrap();
    for wait in ["0", "0.7"] {
        let running = sandbox.credb(["watch", "--wait", wait]).spawn();
        running.await_open("inotify");
        thread::sleep(Duration::from_millis(300));
        fs::rename(&there, &away).unwrap();
        running.wait().fails(3).stderr_has("no vault at");
        fs::rename(&away, &there).unwrap();
    }
}

#[test]
fn a_vault_that_becomes_unreadable_is_an_error() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let running = started(&sandbox);
    fs::remove_file(sandbox.vault()).expect("remove the vault");
    running.wait().fails(3);
    let sandbox = Sandbox::with_ids(&["a"]);
    let running = started(&sandbox);
    let bytes = vec![7; sandbox.vault_bytes().len()];
    fs::write(sandbox.path("other"), bytes).expect("write a file");
    fs::rename(sandbox.path("other"), sandbox.vault()).expect("replace the vault");
    running.wait().fails(6);
}
