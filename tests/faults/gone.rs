//! A directory that vanishes, before a command and in the middle of one.

use std::fs;

use rustix::process::Signal;

use crate::support::{Sandbox, SlowSync};

#[test]
fn a_vanished_directory_is_a_missing_vault() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let (data, aside) = (sandbox.path("data"), sandbox.path("aside"));
    fs::rename(&data, &aside).unwrap();
    for arguments in [&["get", "a"][..], &["list"], &["set", "a", "--generate"], &["info"]] {
        sandbox.credb(arguments).run().fails(3);
    }
    assert!(!data.exists(), "a command made the directory again");
    fs::rename(&aside, &data).unwrap();
    assert_eq!(sandbox.password("a"), "secret of a");
}

#[test]
fn a_directory_that_vanishes_under_a_writer_leaves_it_whole() {
    let shim = SlowSync::build();
    let mut stops = 0;
    for sync in 1..=10 {
        let sandbox = Sandbox::with_ids(&["a"]);
        let (data, aside) = (sandbox.path("data"), sandbox.path("aside"));
        let call = sandbox.credb(["set", "a", "--password-stdin"]).stdin("new");
        let mut writer = shim.stop_at(call, sync).spawn();
        if !writer.stops() {
            writer.wait().ok();
            break;
        }
        stops += 1;
        fs::rename(&data, &aside).unwrap();
        writer.signal(Signal::CONT);
        let outcome = writer.wait();
        assert!(!data.exists(), "the writer made the directory again");
        fs::rename(&aside, &data).unwrap();
        let password = sandbox.password("a");
        if outcome.exit_code() == Some(0) {
            assert_eq!(password, "new", "gone at sync {sync}");
        } else {
            outcome.fails(3);
            assert_eq!(password, "secret of a", "gone at sync {sync}");
        }
        sandbox.put("a", "next");
    }
    assert!(stops >= 2, "a write should sync at least twice: {stops}");
}

#[test]
fn a_vault_deleted_under_a_writer_is_not_made_again() {
    let shim = SlowSync::build();
    for sync in 1..=4 {
        let sandbox = Sandbox::with_ids(&["a"]);
        let mut writer = shim.stop_at(sandbox.credb(["set", "a", "--generate"]), sync).spawn();
        assert!(writer.stops());
        fs::remove_dir_all(sandbox.path("data")).unwrap();
        writer.signal(Signal::CONT);
        let outcome = writer.wait();
        outcome.check(matches!(outcome.exit_code(), Some(0 | 3)), "done before, or not found");
        sandbox.credb(["get", "a"]).run().fails(3);
        assert!(!sandbox.path("data").exists());
    }
}
