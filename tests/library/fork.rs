//! A handle belongs to the process that opened it. Locks are shared with a forked child, so its
//! calls must fail instead of working on state that it believes to be its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::exit;

use credb::{Edit, Error, Query, Vault};
use fork::{Fork, fork};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::{Fixture, id, password};

/// Runs `body` in a forked child and gives what it returned.
fn in_child(body: impl FnOnce() -> u8) -> u8 {
    exit_code(start_child(body))
}

/// Starts `body` in a forked child. The child must not return from a test: it ends here.
#[expect(clippy::exit, reason = "the forked child may not go on as a second test runner")]
fn start_child(body: impl FnOnce() -> u8) -> Pid {
    match fork().expect("fork") {
        Fork::Child => exit(catch_unwind(AssertUnwindSafe(body)).map_or(101, i32::from)),
        Fork::Parent(pid) => Pid::from_raw(pid).expect("a process id"),
    }
}

fn exit_code(pid: Pid) -> u8 {
    let ended = waitpid(Some(pid), WaitOptions::empty());
    let (_, status) = ended.expect("wait for the child").expect("an ended child");
    let code = status.exit_status().expect("the child should exit, not die of a signal");
    u8::try_from(code).expect("an exit code")
}

/// The number of calls of the inherited handle that did not fail with [`Error::Forked`].
fn calls_that_did_not_refuse(vault: &Vault) -> u8 {
    let refusals = [
        matches!(vault.get(&id("a")), Err(Error::Forked)),
        matches!(vault.metadata(&id("a")), Err(Error::Forked)),
        matches!(vault.exists(&id("a")), Err(Error::Forked)),
        matches!(vault.list(&Query::all()), Err(Error::Forked)),
        matches!(vault.info(), Err(Error::Forked)),
        matches!(vault.slots(), Err(Error::Forked)),
        matches!(vault.set(&id("b"), &Edit::new().password("child")), Err(Error::Forked)),
        matches!(vault.remove(&id("a")), Err(Error::Forked)),
        matches!(vault.read(|snapshot| snapshot.exists(&id("a"))), Err(Error::Forked)),
    ];
    refusals.into_iter().map(|refused| u8::from(!refused)).sum()
}

#[test]
fn a_forked_childs_calls_are_refused_and_the_parent_goes_on() {
    let fixture = Fixture::new();
    fixture.put("a", "before");
    assert_eq!(in_child(|| calls_that_did_not_refuse(&fixture.vault)), 0);
    assert_eq!(password(&fixture.vault, "a"), "before");
    assert!(!fixture.vault.exists(&id("b")).unwrap());
    fixture.put("a", "after");
    assert_eq!(password(&fixture.open(), "a"), "after");
}

#[test]
fn a_child_that_drops_the_handle_does_not_unlock_the_parents() {
    let Fixture { vault, path, _dir: dir } = Fixture::new();
    vault.set(&id("a"), &Edit::new().password("before")).unwrap();
    let mut inherited = Some(vault);
    let code = in_child(|| {
        drop(inherited.take());
        0
    });
    assert_eq!(code, 0);
    let vault = inherited.expect("the parent's handle");
    vault.set(&id("a"), &Edit::new().password("after")).unwrap();
    assert_eq!(password(&crate::open(&path).unwrap(), "a"), "after");
    drop((vault, dir));
}

#[test]
fn a_child_that_opens_the_vault_again_works() {
    let fixture = Fixture::new();
    let path: PathBuf = fixture.path.clone();
    let code = in_child(|| {
        let set = crate::open(&path)
            .and_then(|own| own.set(&id("of child"), &Edit::new().password("pw")));
        u8::from(set.is_err())
    });
    assert_eq!(code, 0);
    assert_eq!(password(&fixture.vault, "of child"), "pw");
}

#[test]
fn increments_of_parent_and_child_are_all_there() {
    let fixture = Fixture::new();
    fixture.put("counter", "0");
    let increment = |vault: &Vault| {
        vault.write(|transaction| {
            let found = transaction.find(&id("counter"))?.expect("the counter");
            let count: u32 = found.password.expose_str().expect("digits").parse().expect("a count");
            let edit = Edit::new().password((count + 1).to_string());
            transaction.set_if(&id("counter"), &edit, credb::Condition::Always)
        })
    };
    let path = fixture.path.clone();
    let child = start_child(|| {
        let own = crate::open(&path).expect("open the vault");
        u8::from((0..25).any(|_| increment(&own).is_err()))
    });
    for _ in 0..25 {
        increment(&fixture.vault).unwrap();
    }
    assert_eq!(exit_code(child), 0);
    assert_eq!(password(&fixture.vault, "counter"), "50");
}
