//! A limit of file sizes (`ulimit -f`): an error, no signal.

use std::fs;

use crate::support::{Outcome, Sandbox};

/// The text of `EFBIG`.
const TOO_LARGE: &str = "file too large";

/// A shell's blocks for `ulimit -f`, in bytes (POSIX).
const BLOCK: u64 = 512;

fn limited(sandbox: &Sandbox, bytes: u64, command: &str, stdin: &str) -> Outcome {
    let script = format!("ulimit -f {} && exec credb {command}", bytes / BLOCK);
    sandbox.shell(&script).stdin(stdin).run()
}

#[test]
fn a_write_beyond_the_limit_is_refused_and_changes_nothing() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let length = fs::metadata(sandbox.vault()).unwrap().len();
    let password = "x".repeat(50_000);
    let mut refused = 0;
    for limit in (0..length + 300_000).step_by(20_480) {
        let before = sandbox.version("a");
        let outcome = limited(&sandbox, limit, "set a --password-stdin", &password);
        if outcome.exit_code() == Some(0) {
            // The same again would change nothing.
            sandbox.put("a", "short");
        } else {
            outcome.fails(8).stderr_has(TOO_LARGE);
            assert_eq!(sandbox.version("a"), before, "at a limit of {limit}");
            assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines(), ["a"]);
            refused += 1;
        }
    }
    assert!(refused > 2, "the limit was met only {refused} times");
    sandbox.put("a", "without a limit");
    assert_eq!(sandbox.password("a"), "without a limit");
}

#[test]
fn a_vault_that_may_not_be_written_whole_is_not_made() {
    let sandbox = Sandbox::new();
    for limit in [0, 512, 4_096, 20_480, 61_440] {
        limited(&sandbox, limit, "init", "").fails(8).stderr_has(TOO_LARGE);
        assert!(!sandbox.vault().exists());
        let names = sandbox.file_names();
        let left = names.iter().filter(|path| **path != sandbox.machine_key());
        assert_eq!(left.count(), 0, "{names:?}");
    }
    sandbox.init();
}

#[test]
fn reading_writes_nothing() {
    let sandbox = Sandbox::with_ids(&["a"]);
    limited(&sandbox, 0, "get a", "").ok();
    limited(&sandbox, 0, "list", "").ok();
    limited(&sandbox, 0, "info", "").ok();
}

#[test]
fn output_beyond_the_limit_is_an_error() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.put("a", &"x".repeat(10_000));
    limited(&sandbox, 4_096, "get a --field password > out", "").fails(8).stderr_has(TOO_LARGE);
    let out = "get a --field password --out-file out2";
    limited(&sandbox, 4_096, out, "").fails(8).stderr_has(TOO_LARGE);
    assert!(!sandbox.path("out2").exists());
}
