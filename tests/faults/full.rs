//! A disk without room, for real.

use std::collections::BTreeSet;
use std::fs;

use crate::small_disk::SmallDisk;
use crate::support::{Call, Sandbox};

const DISK_KIB: u32 = 1_024;

/// The text of any full disk.
const FULL: &str = "no space left on device";

/// A vault on a small disk, with its machine secret elsewhere.
struct Fixture {
    // Before the sandbox, in which it is mounted.
    disk: SmallDisk,
    sandbox: Sandbox,
}

impl Fixture {
    fn new() -> Option<Self> {
        let sandbox = Sandbox::new();
        let disk = SmallDisk::mount(&sandbox, DISK_KIB)?;
        let fixture = Self { disk, sandbox };
        fixture.credb(&["init"]).run().ok();
        Some(fixture)
    }

    fn credb(&self, arguments: &[&str]) -> Call {
        self.sandbox.credb(arguments).env("CREDB_VAULT", self.disk.path("v.redb"))
    }

    fn set(&self, id: &str, password: &str) -> Call {
        self.credb(&["set", id, "--password-stdin", "--exact"]).stdin(password)
    }

    fn password(&self, id: &str) -> String {
        self.credb(&["get", id, "--field", "password", "--raw"]).run().ok().text()
    }

    fn ids(&self) -> BTreeSet<String> {
        self.credb(&["list", "--ids"]).run().ok().lines().into_iter().collect()
    }
}

#[test]
fn what_does_not_fit_is_refused_and_the_rest_stays() {
    let Some(fixture) = Fixture::new() else { return };
    let large = |number: u32| format!("{number} ").repeat(8_000);
    let mut stored = BTreeSet::new();
    let mut refused = 0;
    for number in 0..100 {
        let id = format!("id-{number:02}");
        let outcome = fixture.set(&id, &large(number)).run();
        if outcome.exit_code() == Some(0) {
            stored.insert(id);
        } else {
            outcome.fails(8).stderr_has(FULL);
            refused += 1;
            assert_eq!(fixture.ids(), stored, "after {id} was refused");
        }
        if refused == 5 {
            break;
        }
    }
    assert!(refused == 5 && stored.len() > 3, "{refused} refused, {} stored", stored.len());
    for id in &stored {
        let number = id.trim_start_matches("id-").parse().unwrap();
        assert_eq!(fixture.password(id), large(number));
    }
    // Less fits after something was taken away; what is taken away needs room itself.
    let removed = stored.pop_first().unwrap();
    let outcome = fixture.credb(&["remove", &removed, "--force"]).run();
    if outcome.exit_code() != Some(0) {
        outcome.fails(8).stderr_has(FULL);
        stored.insert(removed);
    }
    assert_eq!(fixture.ids(), stored);
}

#[test]
fn with_any_room_left_a_change_is_made_or_refused() {
    let Some(fixture) = Fixture::new() else { return };
    let mut version = 0;
    let mut refused = 0;
    for room in (0..=64).step_by(4) {
        fixture.disk.fill(room);
        for size in [10, 5_000, 40_000] {
            let password = format!("{room} {size} ").repeat(size / 6);
            let outcome = fixture.set("a", &password).run();
            if outcome.exit_code() == Some(0) {
                version += 1;
                assert_eq!(fixture.password("a"), password);
            } else {
                outcome.fails(8).stderr_has(FULL);
                refused += 1;
            }
            if version > 0 {
                let credential = fixture.credb(&["get", "a", "--json"]).run().ok().json();
                assert_eq!(credential["version"], version, "{room} KiB left");
            } else {
                fixture.credb(&["get", "a"]).run().fails(3);
            }
        }
        fixture.disk.empty();
    }
    assert!(refused > 0, "the disk was never full");
    fixture.set("a", "with room").run().ok();
    assert_eq!(fixture.password("a"), "with room");
}

#[test]
fn nothing_is_begun_that_has_no_room() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.put("large", &"x".repeat(60_000));
    let Some(disk) = SmallDisk::mount(&sandbox, 256) else { return };
    for room in [0, 4, 16, 48] {
        disk.fill(room);
        let place = disk.path("new.redb").into_os_string().into_string().unwrap();
        sandbox.credb(["--vault", &place, "init"]).run().fails(8).stderr_has(FULL);
        let out = disk.path("out").into_os_string().into_string().unwrap();
        let get = ["get", "large", "--field", "password", "--out-file", &out];
        sandbox.credb(get).run().fails(8).stderr_has(FULL);
        let key = disk.path("sub/k").into_os_string().into_string().unwrap();
        let elsewhere = sandbox.path_text("elsewhere.redb");
        let init = sandbox.credb(["--vault", &elsewhere, "init", "--key", &format!("file:{key}")]);
        let outcome = init.run();
        if outcome.exit_code() == Some(0) {
            fs::remove_file(&elsewhere).unwrap();
            fs::remove_dir_all(disk.path("sub")).unwrap();
        } else {
            outcome.fails(8).stderr_has(FULL);
            assert!(!sandbox.path("elsewhere.redb").exists(), "{room} KiB left");
        }
        let left = fs::read_dir(disk.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name != "filler" && name != "sub").collect();
        assert!(left.is_empty(), "{room} KiB left: {left:?}");
        disk.empty();
    }
    let place = disk.path("new.redb").into_os_string().into_string().unwrap();
    sandbox.credb(["--vault", &place, "init"]).run().ok();
}

#[test]
fn reading_needs_no_room() {
    let Some(fixture) = Fixture::new() else { return };
    fixture.set("a", "pw").run().ok();
    fixture.disk.fill(0);
    assert_eq!(fixture.password("a"), "pw");
    assert_eq!(fixture.ids().len(), 1);
    fixture.credb(&["info"]).run().ok();
}

#[test]
fn a_full_pipe_of_output_is_an_error() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let full = "/dev/full";
    let get = format!("credb get a --field password > {full}");
    sandbox.shell(&get).run().fails(8).stderr_has(FULL);
    sandbox.shell(&format!("credb list > {full}")).run().fails(8).stderr_has(FULL);
    let stored = "what was asked for is done and stored";
    let set = format!("credb set b --generate --print > {full}");
    let outcome = sandbox.shell(&set).run().fails(8).stderr_has(FULL).stderr_has(stored);
    outcome.hints("`credb get b --field password`");
    assert_eq!(sandbox.version("b"), 1);
    for change in ["set b -u u", "tag add b t", "remove b --force"] {
        let change = format!("credb {change} --json > {full}");
        let outcome = sandbox.shell(&change).run().code(8);
        outcome.stderr_has(stored).stderr_has("\"io\"");
    }
    let got = sandbox.shell(&get).run().fails(8);
    assert!(!got.stderr().contains(stored), "{got}");
}
