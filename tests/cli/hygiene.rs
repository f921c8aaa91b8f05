//! What the world around a running command sees of secrets: core dumps, `/proc`, swap, umask.

use rustix::process::{Resource, Signal, getrlimit};

use crate::support::{Coprocess, Identity, Sandbox, mode_of};

/// A process that has just handled a secret, and waits.
fn busy(sandbox: &Sandbox, before: &str) -> Coprocess {
    let script = format!("{before}; exec credb batch --each");
    let mut batch = Coprocess::start(&sandbox.shell(&script));
    let answer = batch.ask(r#"{"op":"set","id":"b","password":"hunter2"}"#);
    assert_eq!(answer["ok"], true, "{answer}");
    batch
}

#[test]
fn a_core_dump_is_refused() {
    let sandbox = Sandbox::with_ids(&["a"]);
    // Fails for those whose hard limit is lower: then there is no dump for another reason.
    let batch = busy(&sandbox, "ulimit -S -c unlimited 2>/dev/null || :");
    let about = batch.handle();
    let limits = String::from_utf8(about.about("limits").expect("its limits")).expect("text");
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    let soft = core.and_then(|line| line.split_whitespace().nth(4));
    assert_eq!(soft, Some("0"), "{limits}");
    about.signal(Signal::ABORT);
    assert!(!batch.dumps_core());
}

#[test]
fn arguments_and_environment_of_a_running_command_hold_no_secret() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let batch = busy(&sandbox, ":");
    let about = batch.handle();
    let key = std::fs::read(sandbox.machine_key()).expect("the machine secret");
    let shown = about.about("cmdline").expect("its arguments");
    assert!(shown.starts_with(b"credb"), "the search should see the command");
    for name in ["cmdline", "environ"] {
        // The environment is closed to all but root.
        let shown = about.about(name).unwrap_or_default();
        for secret in [b"hunter2".as_slice(), key.trim_ascii()] {
            assert!(!shown.windows(secret.len()).any(|window| window == secret), "{name}");
        }
    }
    batch.ends(0);
}

#[test]
fn memory_is_locked_as_far_as_the_limit_allows() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let batch = busy(&sandbox, "ulimit -S -l 64");
    assert!(locked_memory(&batch) >= 32);
    batch.ends(0);
    // A limit of nothing is no error.
    busy(&sandbox, "ulimit -S -l 0").ends(0);
}

#[test]
fn memory_of_a_user_is_locked_up_to_the_limit() {
    let limit = getrlimit(Resource::Memlock).current;
    let Some(user) = Identity::known_user().filter(|_| limit.is_none_or(|bytes| bytes >= 65_536))
    else {
        return;
    };
    let sandbox = Sandbox::new();
    user.owns(&sandbox);
    sandbox.credb(["init"]).identity(&user).run().ok();
    let mut batch = Coprocess::start(&sandbox.credb(["batch", "--each"]).identity(&user));
    batch.ask(r#"{"op":"set","id":"a","password":"hunter2"}"#);
    // The first mebibyte, less what the heap begins with, and it has not shrunk since.
    let least = limit.map_or(768, |bytes| (bytes / 1_024 - 32).min(768));
    assert!(locked_memory(&batch) >= least);
    batch.ends(0);
}

#[test]
fn a_limit_that_lets_nothing_be_locked_stops_nobody() {
    let Some(user) = Identity::known_user() else { return };
    for limit in ["0", "64"] {
        let sandbox = Sandbox::new();
        user.owns(&sandbox);
        // A passphrase of the usual cost works on 64 MiB.
        let script = format!(
            "umask 077 && echo correct horse battery staple > phrase && ulimit -l {limit} && \
             credb init --key passphrase --new-passphrase-file phrase && \
             credb set a --generate --passphrase-file phrase && \
             credb get a --field password --passphrase-file phrase"
        );
        let outcome = sandbox.shell(&script).identity(&user).run().ok();
        assert_eq!(outcome.lines().len(), 1);
        assert!(!outcome.stderr().contains("lock"), "{}", outcome.stderr());
    }
}

/// How much memory of a process the kernel keeps out of swap, in kilobytes.
fn locked_memory(process: &Coprocess) -> u64 {
    let status = process.handle().about("status").expect("its status");
    let status = String::from_utf8(status).expect("text");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kilobytes.expect("how much is locked")
}

#[test]
fn the_umask_of_the_caller_does_not_matter() {
    for umask in ["000", "022", "077", "777"] {
        let sandbox = Sandbox::new();
        let script = format!("umask {umask}; credb init && credb set a --generate && credb get a");
        sandbox.shell(&script).run().ok();
        for path in [sandbox.vault(), sandbox.machine_key(), sandbox.path("data/credb")] {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode_of(&path) & 0o777, expected, "umask {umask}: {}", path.display());
        }
        let lock = sandbox.vault().with_extension("redb.lock");
        assert_eq!(mode_of(&lock) & 0o777, 0o600, "umask {umask}");
    }
}
