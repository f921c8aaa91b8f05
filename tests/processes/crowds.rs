//! Crowds of processes that all finish their work.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use crate::support::{Running, Sandbox, SlowSync};

/// Long enough for any machine: what is checked is that nothing fails or is lost.
const PATIENT: [&str; 2] = ["--wait", "280"];
const TIMEOUT: Duration = Duration::from_secs(300);

#[test]
fn eight_processes_of_25_sets_each_lose_nothing() {
    let sandbox = Sandbox::with_vault();
    thread::scope(|scope| {
        for process in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for round in 0..25 {
                    let id = format!("{process}-{round:02}");
                    let set = ["set", &id, "--password-stdin"];
                    sandbox.credb(PATIENT).args(set).stdin(id.as_str()).run().ok().silent();
                }
            });
        }
    });
    let listed: BTreeSet<String> =
        sandbox.credb(["list", "--ids"]).run().ok().lines().into_iter().collect();
    let expected: BTreeSet<String> = (0..8)
        .flat_map(|process| (0..25).map(move |round| format!("{process}-{round:02}")))
        .collect();
    assert_eq!(listed, expected);
    for id in ["0-00", "7-24", "3-12"] {
        assert_eq!(sandbox.password(id), id);
    }
}

#[test]
fn sets_on_a_condition_count_without_losing_one() {
    let sandbox = Sandbox::with_ids(&["counter"]);
    sandbox.put("counter", "0");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10).for_each(|_| count(&sandbox)));
        }
    });
    assert_eq!(sandbox.password("counter"), "40");
}

/// Reads, adds one, and writes if nobody was faster.
fn count(sandbox: &Sandbox) {
    loop {
        let read = ["get", "counter", "--json", "--show-password"];
        let read = sandbox.credb(read).run().ok().json();
        let value: u32 = read["password"].as_str().expect("digits").parse().expect("a count");
        let version = read["version"].to_string();
        let set = ["set", "counter", "--if-version", &version, "--password-stdin"];
        let call = sandbox.credb(PATIENT).args(set).stdin((value + 1).to_string());
        let outcome = call.timeout(TIMEOUT).run();
        if outcome.exit_code() != Some(4) {
            outcome.ok();
            return;
        }
    }
}

#[test]
fn all_commands_work_beside_each_other() {
    let sandbox = Sandbox::with_ids(&["fixed"]);
    thread::scope(|scope| {
        for process in 0..4 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let id = format!("own-{process}");
                for round in 0..8 {
                    let value = format!("{process}-{round}");
                    let set = ["set", &id, "--password-stdin"];
                    sandbox.credb(PATIENT).args(set).stdin(value.as_str()).run().ok();
                    assert_eq!(sandbox.password(&id), value);
                    assert_eq!(sandbox.password("fixed"), "secret of fixed");
                    let listed = sandbox.credb(["list", "--ids"]).run().ok().lines();
                    assert!(listed.contains(&id) && listed.contains(&"fixed".to_owned()));
                    sandbox.credb(["info"]).run().ok();
                    let copy = format!("copy-{process}.redb");
                    let backup = ["backup", &copy, "--overwrite", "--quiet"];
                    sandbox.credb(backup).run().ok().silent();
                    let other: &[&str] = if process == 0 { &["compact"] } else { &["verify"] };
                    sandbox.credb(PATIENT).args(other).run().ok();
                    sandbox.credb(PATIENT).args(["remove", &id, "--force"]).run().ok();
                    sandbox.credb(["get", &id]).run().fails(3);
                }
            });
        }
    });
    sandbox.credb(["list", "--ids"]).run().ok().stdout("fixed\n");
}

#[test]
fn two_hundred_processes_at_once_on_a_slow_disk_all_succeed() {
    let sandbox = Sandbox::with_vault();
    let shim = SlowSync::build();
    let start = |number: u32| -> Running {
        let id = format!("id-{number:03}");
        let set = ["set", &id, "--password-stdin"];
        let call = sandbox.credb(PATIENT).args(set).stdin(id.as_str()).timeout(TIMEOUT);
        shim.slow(call, 10).spawn()
    };
    let running: Vec<Running> = (0..200).map(start).collect();
    for process in running {
        process.wait().ok().silent();
    }
    assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 200);
}
