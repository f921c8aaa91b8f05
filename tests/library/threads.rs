//! One handle shared by threads.

use std::sync::Barrier;
use std::thread;

use credb::{Condition, Edit, LockedVault, Query, Secret, Vault};

use crate::{Fixture, id, password};

/// How many threads, and how often each does its work.
const THREADS: usize = 8;
const ROUNDS: usize = 10;

#[test]
fn handles_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Vault>();
    shared::<LockedVault>();
    shared::<Secret>();
    shared::<credb::Error>();
}

#[test]
fn threads_that_write_lose_nothing() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let name = format!("{thread}-{round}");
                    vault.set(&id(&name), &Edit::new().password(name.as_str())).unwrap();
                }
            });
        }
    });
    let all = fixture.open().list(&Query::all()).unwrap();
    assert_eq!(all.len(), THREADS * ROUNDS);
    for one in all {
        assert_eq!(password(vault, one.id.as_str()), one.id.as_str());
    }
}

#[test]
fn threads_that_count_in_one_credential_lose_no_count() {
    let fixture = Fixture::new();
    fixture.put("counter", "0");
    let vault = &fixture.vault;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    count(vault);
                }
            });
        }
    });
    assert_eq!(password(vault, "counter"), (THREADS * ROUNDS).to_string());
    let version = vault.metadata(&id("counter")).unwrap().version;
    assert_eq!(version, (THREADS * ROUNDS + 1) as u64);
}

fn count(vault: &Vault) {
    vault
        .write(|transaction| {
            let found = transaction.find(&id("counter"))?.expect("the counter");
            let count: u32 = found.password.expose_str().expect("digits").parse().expect("a count");
            let edit = Edit::new().password((count + 1).to_string());
            transaction.set_if(&id("counter"), &edit, Condition::Always)
        })
        .expect("count");
}

#[test]
fn readers_see_both_halves_of_a_change_or_none() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let set_both = |number: usize| {
        vault.write(|transaction| {
            for name in ["left", "right"] {
                let edit = Edit::new().password(number.to_string());
                transaction.set_if(&id(name), &edit, Condition::Always)?;
            }
            Ok(())
        })
    };
    set_both(0).unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| (1..=40).try_for_each(set_both));
        while !writer.is_finished() {
            let (left, right) = vault
                .read(|snapshot| Ok((snapshot.get(&id("left"))?, snapshot.get(&id("right"))?)))
                .unwrap();
            assert_eq!(left.password, right.password);
        }
        writer.join().unwrap().unwrap();
    });
}
