//! Many that need the same fresh token at once.

use std::fs;
use std::time::Duration;

use crate::support::{Running, Sandbox};

#[test]
fn fifty_callers_of_an_expired_token_start_its_command_once() {
    let sandbox = Sandbox::with_vault();
    let old = r#"{"id":"token","password":"old","expires_at":"2020-01-01T00:00:00Z"}"#;
    sandbox.credb(["set", "-f", "-"]).stdin(old).run().ok();
    for round in 0..3 {
        // The later ones come while the command runs, and after it.
        let script = format!("echo started >> log; sleep 0.3; echo token-{round}");
        let options = ["--max-age", "1h", "--expires", "1h", "--", "sh", "-c", &script];
        let start = |_| -> Running {
            let call = sandbox.credb(["ensure", "token"]).args(options);
            call.timeout(Duration::from_secs(300)).spawn()
        };
        let running: Vec<Running> = (0..50).map(start).collect();
        let expected = format!("token-{round}\n");
        for process in running {
            process.wait().ok().silent().stdout(&expected);
        }
        let starts = fs::read_to_string(sandbox.path("log")).expect("the log");
        assert_eq!(starts.lines().count(), round + 1, "one start a round");
        sandbox.credb(["set", "-f", "-"]).stdin(old.replace("old", "older")).run().ok();
    }
    let names = fs::read_dir(sandbox.path("data/credb")).expect("the data directory").flatten();
    let leases = names.filter(|name| name.file_name().to_string_lossy().contains("lease"));
    assert_eq!(leases.count(), 0, "no lease is left");
}
