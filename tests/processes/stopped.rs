//! A process that stands still (SIGSTOP) while it holds the vault: nobody else waits longer than
//! asked, and when it goes on, its work is done.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Call, Outcome, Random, Running, Sandbox, SlowSync};

/// The longest wait that the others are given, and what may come on top of it.
const WAIT: &str = "0.5";
const BOUND: Duration = Duration::from_millis(1_500);

const COMMANDS: [&[&str]; 12] = [
    &["get", "a"],
    &["list"],
    &["info"],
    &["key", "list"],
    &["verify"],
    &["backup", "copy.redb", "--overwrite"],
    &["compact"],
    &["set", "d", "--generate"],
    &["set", "a", "--if-version", "9", "--generate"],
    &["remove", "a", "--force", "--if-version", "9"],
    &["key", "add", "hostname"],
    &["key", "remove", "9", "--force"],
];

/// How many of the commands only read.
const READS: usize = 6;

/// All commands, one after the other, with a short patience.
fn all_commands(sandbox: &Sandbox) -> Vec<Outcome> {
    let call = |arguments: &&[&str]| -> Call {
        sandbox.credb(["--wait", WAIT, "--json"]).args(*arguments)
    };
    COMMANDS.iter().map(|arguments| call(arguments).run()).collect()
}

#[test]
fn nobody_waits_longer_than_asked_for_a_stopped_writer() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    let mut stops = 0;
    for sync in 1..=10 {
        let id = format!("b{sync}");
        let call = sandbox.credb(["set", &id, "--password-stdin"]).stdin("pw");
        let mut holder = shim.stop_at(call, sync).spawn();
        if !holder.stops() {
            holder.wait().ok();
            break;
        }
        stops += 1;
        for (position, outcome) in all_commands(&sandbox).into_iter().enumerate() {
            outcome.check(outcome.taken() < BOUND, "it should give up in time");
            if position >= READS || outcome.exit_code() != Some(0) {
                outcome.fails_json(7, "busy");
            }
        }
        holder.signal(Signal::CONT);
        holder.wait().ok();
        assert_eq!(sandbox.password(&id), "pw", "stopped at sync {sync}");
    }
    assert!(stops >= 2, "a write should sync at least twice: {stops}");
    assert_eq!(sandbox.version("a"), 1);
}

/// Commands that are stopped at any moment, be it of reading.
const STOPPED: [&[&str]; 4] =
    [&["set", "b", "--generate"], &["get", "a"], &["list"], &["remove", "c", "--force"]];

#[test]
fn nobody_waits_longer_than_asked_for_whoever_is_stopped_at_any_moment() {
    let (mut random, seed) = Random::from_environment("CREDB_STOP_SEED");
    let sandbox = Sandbox::with_ids(&["a", "c"]);
    let mut busy = 0;
    for round in 0..24 {
        sandbox.put("c", "to be removed");
        let running: Vec<Running> =
            (0..3).map(|_| sandbox.credb(*random.pick(&STOPPED)).spawn()).collect();
        thread::sleep(Duration::from_micros(random.below(15_000)));
        for process in &running {
            process.signal(Signal::STOP);
        }
        for arguments in [&["get", "a", "--field", "password"][..], &["set", "d", "--generate"]] {
            let outcome = sandbox.credb(["--wait", "0.2"]).args(arguments).run();
            let say = format!("round {round} of seed {seed}");
            outcome.check(outcome.taken() < Duration::from_millis(1_200), &say);
            match outcome.exit_code() {
                Some(7) => busy += 1,
                _ => drop(outcome.ok()),
            }
        }
        for process in &running {
            process.signal(Signal::CONT);
        }
        for process in running {
            let outcome = process.wait();
            // Another one may have removed it first.
            outcome.check(matches!(outcome.exit_code(), Some(0 | 3)), "its work is done");
        }
        assert_eq!(sandbox.password("a"), "secret of a");
    }
    assert!(busy > 0, "nobody was ever stopped while it held the vault");
}

#[test]
fn no_wait_at_all_is_one_try() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    let mut holder = shim.stop_at(sandbox.credb(["set", "b", "--generate"]), 2).spawn();
    assert!(holder.stops());
    let outcome = sandbox.credb(["--wait", "0", "set", "a", "--generate"]).run().fails(7);
    outcome.check(outcome.taken() < Duration::from_secs(1), "it should not wait");
    holder.signal(Signal::CONT);
    holder.wait().ok();
    sandbox.credb(["--wait", "0", "set", "a", "--generate"]).run().ok();
}

#[test]
fn a_process_stopped_while_it_waits_holds_up_nobody() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    let mut holder = shim.stop_at(sandbox.credb(["set", "b", "--generate"]), 2).spawn();
    assert!(holder.stops());
    let waiting = sandbox.credb(["set", "c", "--generate"]).spawn();
    thread::sleep(Duration::from_millis(300));
    waiting.signal(Signal::STOP);
    holder.signal(Signal::CONT);
    holder.wait().ok();
    // The one that was stopped while it waited may by now have been given its turn, and may hold
    // it: then others are busy. But they answer, and reading goes on.
    assert_eq!(sandbox.password("a"), "secret of a");
    let outcome = sandbox.credb(["--wait", WAIT, "set", "a", "--generate"]).run();
    outcome.check(outcome.taken() < BOUND, "it should give up in time");
    outcome.check(matches!(outcome.exit_code(), Some(0 | 7)), "done or busy");
    waiting.signal(Signal::CONT);
    waiting.wait().ok();
}

#[test]
fn a_waiting_process_goes_on_when_the_holder_does() {
    let sandbox = Sandbox::with_vault();
    let shim = SlowSync::build();
    let mut holder = shim.stop_at(sandbox.credb(["set", "b", "--generate"]), 2).spawn();
    assert!(holder.stops());
    let mut waiting = sandbox.credb(["set", "c", "--generate"]).spawn();
    thread::sleep(Duration::from_millis(300));
    assert!(!waiting.has_ended(), "it should wait");
    holder.signal(Signal::CONT);
    holder.wait().ok();
    waiting.wait().ok();
    sandbox.credb(["list", "--ids"]).run().ok().stdout("b\nc\n");
}

#[test]
fn a_killed_holder_holds_up_nobody() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    let mut holder = shim.stop_at(sandbox.credb(["set", "b", "--generate"]), 2).spawn();
    assert!(holder.stops());
    drop(holder);
    sandbox.put("a", "after");
    assert_eq!(sandbox.password("a"), "after");
}

/// Fails if a coprocess reads in the transaction of a change that stands behind in its input.
#[test]
fn what_a_coprocess_reads_before_a_change_waits_for_no_writer() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    let mut holder = shim.stop_at(sandbox.credb(["set", "b", "--generate"]), 2).spawn();
    assert!(holder.stops());
    let get = r#"{"op":"get","id":"a"}"#;
    let set = r#"{"op":"set","id":"a","password":"new"}"#;
    let lines = format!("{get}\n{get}\n{set}\n{get}\n");
    let call = sandbox.credb(["--wait", WAIT, "batch", "--each"]).stdin(lines);
    let outcome = call.run().code(1).stderr_has("2 lines were refused");
    let lines = outcome.lines();
    let answered: Vec<bool> = lines.iter().map(|line| line.starts_with(r#"{"ok":true"#)).collect();
    assert_eq!(answered, [true, true, false, false]);
    holder.signal(Signal::CONT);
    holder.wait().ok();
}
