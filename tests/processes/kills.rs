//! Processes that die in the middle of their work.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Sandbox, SlowSync};

#[test]
fn what_was_acknowledged_survives_while_others_are_killed() {
    let sandbox = Sandbox::with_vault();
    let shim = SlowSync::build();
    let acknowledged: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..8_u32)
            .map(|worker| {
                let (sandbox, shim) = (&sandbox, &shim);
                scope.spawn(move || work_and_die(sandbox, shim, worker))
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    assert!(acknowledged.len() >= 8 * 8, "too few were left alive: {}", acknowledged.len());
    let listed = sandbox.credb(["list", "--ids"]).run().ok().lines();
    for id in &acknowledged {
        assert!(listed.contains(id), "{id} was acknowledged and is gone");
        assert_eq!(sandbox.password(id), *id);
    }
    // What was not acknowledged is there whole or not at all.
    for id in &listed {
        assert_eq!(sandbox.password(id), *id);
    }
}

/// Sets 25 ids, killing every third process at a moment that differs from round to round.
fn work_and_die(sandbox: &Sandbox, shim: &SlowSync, worker: u32) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for round in 0..25 {
        let id = format!("{worker}-{round:02}");
        let set = ["--wait", "50", "set", &id, "--password-stdin", "--json"];
        let call = sandbox.credb(set).stdin(id.as_str());
        if round % 3 != 0 {
            call.run().ok();
            acknowledged.push(id);
            continue;
        }
        let mut running = shim.slow(call, 5).spawn();
        thread::sleep(Duration::from_millis(u64::from(worker * 7 + round * 5)));
        if !running.has_ended() {
            running.signal(Signal::KILL);
        }
        let outcome = running.wait();
        if outcome.exit_code() == Some(0) {
            acknowledged.push(id);
        } else {
            outcome.check(outcome.signal().is_some(), "it should end well or be killed");
        }
    }
    acknowledged
}

#[test]
fn a_reader_after_a_kill_finds_the_vault_whole() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    for sync in 1..=8 {
        let call = sandbox.credb(["set", "b", "--password-stdin"]).stdin(format!("b {sync}"));
        let mut writer = shim.stop_at(call, sync).spawn();
        if !writer.stops() {
            writer.wait().ok();
            break;
        }
        drop(writer);
        assert_eq!(sandbox.password("a"), "secret of a", "killed at sync {sync}");
        let b = sandbox.credb(["get", "b", "--field", "password", "--raw"]).run();
        if b.exit_code() != Some(3) {
            let text = b.ok().text();
            let earlier = (1..=sync).any(|earlier| text == format!("b {earlier}"));
            assert!(earlier, "{text} after a kill at sync {sync}");
        }
        sandbox.put("c", "still writable");
    }
}
