//! A watcher beside many that change the vault and replace its file.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Coprocess, Sandbox};

/// The longest wait for the last line, on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_thousand_changes_and_two_replaced_files_end_in_the_same_state() {
    let sandbox = Sandbox::with_ids(&["kept"]);
    sandbox.credb(["backup", "copy.redb"]).run().ok();
    let watch = sandbox.shell("exec credb watch --initial > lines").spawn();
    thread::scope(|scope| {
        for process in 0..4 {
            let sandbox = &sandbox;
            scope.spawn(move || change(sandbox, process));
        }
        scope.spawn(|| {
            for command in [&["compact"][..], &["restore", "copy.redb", "--force"], &["compact"]] {
                thread::sleep(Duration::from_millis(200));
                sandbox.credb(["--wait", "280"]).args(command).run().ok();
            }
        });
    });
    let listed = sandbox.credb(["list", "--json"]).run().ok().json();
    let listed = listed.as_array().expect("an array").iter();
    let expected: BTreeMap<String, u64> = listed.map(|entry| (id(entry), version(entry))).collect();
    assert!(expected.len() > 4, "{expected:?}");
    let started = Instant::now();
    while told(&sandbox) != expected {
        assert!(started.elapsed() < PATIENCE, "{:?} is not {expected:?}", told(&sandbox));
        thread::sleep(Duration::from_millis(20));
    }
    drop(watch);
}

/// 250 changes: sets of a few ids, with renames and removals among them.
fn change(sandbox: &Sandbox, process: u32) {
    let call = sandbox.credb(["batch", "--each", "--wait", "280"]);
    let mut batch = Coprocess::start(&call);
    for round in 0..250 {
        let id = format!("{process}-{}", round % 7);
        let line = match round % 11 {
            9 => format!(r#"{{"op":"remove","id":"{id}"}}"#),
            10 => format!(r#"{{"op":"rename","id":"{id}","to":"{process}-moved","force":true}}"#),
            _ => format!(r#"{{"op":"set","id":"{id}","password":"of round {round}"}}"#),
        };
        // What is not there (any more) cannot be removed or renamed.
        batch.ask(&line);
    }
}

/// The state that all lines together tell.
fn told(sandbox: &Sandbox) -> BTreeMap<String, u64> {
    let mut state = BTreeMap::new();
    let lines = fs::read_to_string(sandbox.path("lines")).unwrap_or_default();
    // A line that is written at this moment may be there in part.
    for line in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if line["what"] == "removed" {
            state.remove(&id(&line));
            continue;
        }
        if let Some(from) = line["from"].as_str() {
            state.remove(from);
        }
        state.insert(id(&line), version(&line));
    }
    state
}

fn id(entry: &Value) -> String {
    entry["id"].as_str().expect("an id").to_owned()
}

fn version(entry: &Value) -> u64 {
    entry["version"].as_u64().expect("a version")
}
