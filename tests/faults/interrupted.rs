//! Ctrl-C and its like at any moment: before or after, never between.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Call, Outcome, Random, Sandbox, SlowSync};

/// Signals that ask a process to end, by number.
const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 2), (Signal::TERM, 15), (Signal::HUP, 1)];

/// Whether it ended by the signal, which a shell tells as 128 and its number.
fn was_interrupted(outcome: &Outcome, number: i32) -> bool {
    outcome.signal() == Some(number) || outcome.exit_code() == Some(128 + number)
}

/// The vault is as before or as after, and the next command works.
#[track_caller]
fn whole(sandbox: &Sandbox, outcome: Outcome, number: i32, new: &str) {
    let password = sandbox.password("a");
    if outcome.exit_code() == Some(0) {
        assert_eq!(password, new);
    } else {
        outcome.check(was_interrupted(&outcome, number), "interrupted or done");
        outcome.check(password == new || password == "secret of a", &password);
        outcome.stdout("").stderr_lacks("error");
    }
    sandbox.put("a", "secret of a");
    sandbox.credb(["list", "--ids"]).run().ok().stdout("a\n");
}

#[test]
fn an_interrupt_at_each_sync_leaves_a_whole_vault() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    for (signal, number) in SIGNALS {
        for sync in 1..=10 {
            let new = format!("{number} {sync}");
            let call = sandbox.credb(["set", "a", "--password-stdin"]).stdin(new.as_str());
            let mut writer = shim.stop_at(call, sync).spawn();
            if !writer.stops() {
                writer.wait().ok();
                sandbox.put("a", "secret of a");
                assert!(sync > 2, "a write should sync at least twice");
                break;
            }
            writer.signal(signal);
            writer.signal(Signal::CONT);
            whole(&sandbox, writer.wait(), number, &new);
        }
    }
}

#[test]
fn an_interrupt_at_any_moment_leaves_a_whole_vault() {
    let (mut random, seed) = Random::from_environment("CREDB_FAULT_SEED");
    let sandbox = Sandbox::with_ids(&["a"]);
    let mut interrupted = 0;
    for round in 0..60 {
        let new = format!("round {round} of {seed}");
        let call = sandbox.credb(["set", "a", "--password-stdin"]).stdin(new.as_str());
        let (outcome, number) = interrupt(&call, &mut random);
        interrupted += u32::from(outcome.exit_code() != Some(0));
        whole(&sandbox, outcome, number, &new);
    }
    assert!(interrupted > 0, "no call was interrupted");
}

#[test]
fn an_interrupted_init_leaves_a_whole_vault_or_none() {
    let (mut random, _) = Random::from_environment("CREDB_FAULT_SEED");
    for _ in 0..30 {
        let sandbox = Sandbox::new();
        let (outcome, number) = interrupt(&sandbox.credb(["init"]), &mut random);
        if sandbox.vault().exists() {
            sandbox.credb(["init"]).run().fails(4);
        } else {
            outcome.check(was_interrupted(&outcome, number), "interrupted");
            sandbox.init();
        }
        sandbox.put("a", "pw");
        assert_eq!(sandbox.password("a"), "pw");
    }
}

#[test]
fn an_interrupted_reader_disturbs_nobody() {
    let (mut random, _) = Random::from_environment("CREDB_FAULT_SEED");
    let sandbox = Sandbox::with_ids(&["a"]);
    for _ in 0..30 {
        let get = sandbox.credb(["get", "a", "--field", "password"]);
        let (outcome, number) = interrupt(&get, &mut random);
        if outcome.exit_code() == Some(0) {
            outcome.stdout("secret of a\n");
        } else {
            outcome.check(was_interrupted(&outcome, number), "interrupted or done");
        }
        sandbox.credb(["--wait", "0", "set", "b", "--generate"]).run().ok();
    }
}

/// Starts a call and interrupts it at some moment, of more than it takes.
fn interrupt(call: &Call, random: &mut Random) -> (Outcome, i32) {
    let (signal, number) = *random.pick(&SIGNALS);
    let mut running = call.spawn();
    thread::sleep(Duration::from_micros(random.below(25_000)));
    if !running.has_ended() {
        running.signal(signal);
    }
    (running.wait(), number)
}
