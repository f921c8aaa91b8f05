//! `unlock` and `lock`, with the keyring of this kernel where it is to be had.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Identity, Sandbox, Terminal};

/// A vault that only a passphrase opens, with the credential `a`, unlocked for this time; nothing
/// where the kernel has no keyring for us, which is said.
#[expect(clippy::print_stderr, reason = "a test that checks nothing should not look as if")]
fn unlocked(time: &str) -> Option<(Sandbox, String)> {
    let sandbox = Sandbox::new();
    let file = sandbox.file("phrase", "correct horse battery staple\n");
    let init = ["init", "--kdf-cost", "8,1", "--passphrase-file", &file];
    sandbox.credb(init).run().ok();
    let set = ["set", "a", "--password-stdin", "--passphrase-file", &file];
    sandbox.credb(set).stdin("pw").run().ok();
    let outcome = sandbox.credb(["unlock", "--for", time, "--passphrase-file", &file]).run();
    if outcome.stderr().contains("the kernel's keyring is not to be had here") {
        outcome.fails(5).hints("credb key add file:PATH");
        eprintln!("skipped: the kernel has no keyring for us");
        return None;
    }
    outcome.ok();
    Some((sandbox, file))
}

#[test]
fn an_unlocked_vault_opens_unasked_until_it_is_locked() {
    let Some((sandbox, file)) = unlocked("10m") else { return };
    sandbox.credb(["get", "a", "--field", "password"]).run().ok().stdout("pw\n");
    let info = sandbox.credb(["info", "--json"]).run().ok().json();
    assert!(info["unlocked_until"].is_string(), "{info}");
    let vaults = sandbox.credb(["vaults", "--json"]).run().ok().json();
    assert_eq!(vaults[0]["unlocked"], true);
    // A key that was asked for is tried alone.
    let wrong = sandbox.file("wrong", "wrong");
    sandbox.credb(["get", "a", "--passphrase-file", &wrong]).run().fails(5);

    let locked = sandbox.credb(["lock", "--json"]).run().ok().json();
    assert_eq!(locked["was_unlocked"], true);
    sandbox.credb(["get", "a"]).run().fails(5);
    let locked = sandbox.credb(["lock", "--json"]).run().ok().json();
    assert_eq!(locked["was_unlocked"], false);
    let info = sandbox.credb(["info", "--json", "--passphrase-file", &file]).run().ok().json();
    assert!(info.get("unlocked_until").is_none(), "{info}");
}

/// Becomes a command under a session keyring of its own, as a new login has it: keyctl(2) with
/// `KEYCTL_JOIN_SESSION_KEYRING`.
const NEW_SESSION: &str = "
import ctypes, os, platform, sys
number = {'x86_64': 250, 'aarch64': 219}[platform.machine()]
if ctypes.CDLL(None, use_errno=True).syscall(number, 1, None) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
";

#[test]
fn it_holds_in_every_session_of_the_user() {
    let Some((sandbox, file)) = unlocked("10m") else { return };
    let elsewhere = |arguments: &str| {
        let call = sandbox.shell(&format!("exec setsid -w python3 -c \"$0\" credb {arguments}"));
        call.args([NEW_SESSION]).run()
    };
    elsewhere("get a --field password").ok().stdout("pw\n");
    elsewhere("lock").ok();
    sandbox.credb(["get", "a"]).run().fails(5);
    elsewhere(&format!("unlock --passphrase-file {file}")).ok();
    sandbox.credb(["get", "a", "--field", "password"]).run().ok().stdout("pw\n");
    sandbox.credb(["lock"]).run().ok();
    elsewhere("get a").fails(5);
}

/// The kernel keeps the key for its user alone: whoever else has the file has to know a key.
#[test]
fn another_user_does_not_find_it() {
    let Some((sandbox, _)) = unlocked("10m") else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(other) = Identity::known_user() else { return };
    let theirs = Sandbox::new();
    other.owns(&theirs);
    let copy = theirs.file("copy.redb", sandbox.vault_bytes());
    theirs.set_mode("copy.redb", 0o666);
    let get = ["--vault", &copy, "get", "a", "--field", "password"];
    sandbox.credb(get).run().ok().stdout("pw\n");
    theirs.credb(get).identity(&other).run().fails(5).stderr_lacks("damaged");
    sandbox.credb(["lock"]).run().ok();
    sandbox.credb(get).run().fails(5);
}

#[test]
fn the_kernel_forgets_after_the_time_also_when_it_was_renewed() {
    let Some((sandbox, file)) = unlocked("10m") else { return };
    let renew = ["unlock", "--for", "1s", "--passphrase-file", &file];
    sandbox.credb(renew).run().ok();
    let end = Instant::now() + Duration::from_secs(60);
    while sandbox.credb(["get", "a"]).run().exit_code() == Some(0) {
        assert!(Instant::now() < end, "it is still unlocked");
        thread::sleep(Duration::from_millis(100));
    }
    sandbox.credb(["get", "a"]).run().fails(5);
}

#[test]
fn a_key_whose_slot_is_gone_is_ignored() {
    let Some((sandbox, file)) = unlocked("10m") else { return };
    let recovery = sandbox.credb(["key", "add", "recovery"]).run().ok().text();
    sandbox.credb(["key", "remove", "1", "--force"]).run().ok();
    let locked = sandbox.credb(["get", "a"]).run().fails(5);
    locked.stderr_lacks("keyring");
    sandbox.credb(["get", "a", "--passphrase-file", &file]).run().fails(5);
    let code = sandbox.file("code", recovery);
    sandbox.credb(["get", "a", "--recovery-file", &code]).run().ok();
    sandbox.credb(["lock"]).run().ok();
}

#[test]
fn a_terminal_is_asked_once() {
    let Some((sandbox, _)) = unlocked("10m") else { return };
    sandbox.credb(["lock"]).run().ok();
    let mut terminal = Terminal::start(&sandbox.credb(["unlock"]));
    terminal.expect("Passphrase of").type_text("correct horse battery staple\r");
    terminal.expect("is unlocked until");
    assert_eq!(terminal.exit_code(), Some(0));
    let (code, screen) = Terminal::start(&sandbox.credb(["get", "a"])).wait();
    assert_eq!(code, 0);
    assert!(!screen.contains("Passphrase"), "{screen}");
    sandbox.credb(["lock"]).run().ok();
}

#[test]
fn times_are_checked() {
    let sandbox = Sandbox::with_vault();
    for wrong in ["15", "never", "-1m", "x", ""] {
        sandbox.credb(["unlock", &format!("--for={wrong}")]).run().fails(2);
    }
    for wrong in ["0s", "31d"] {
        sandbox.credb(["unlock", "--for", wrong]).run().fails(9);
    }
}
