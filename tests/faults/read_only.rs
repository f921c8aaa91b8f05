//! Files and file systems that may only be read.

use crate::small_disk::SmallDisk;
use crate::support::{Call, Identity, Sandbox, SlowSync};

const READS: [&[&str]; 5] =
    [&["get", "a"], &["list"], &["info"], &["key", "list"], &["get", "a", "--json"]];

const WRITES: [&[&str]; 4] = [
    &["set", "a", "--generate"],
    &["set", "b", "--generate"],
    &["remove", "a", "--force"],
    &["key", "add", "hostname"],
];

/// All of it is there, reads work, and writes say why they do not.
#[track_caller]
fn only_read(call: impl Fn(&[&str]) -> Call, why: &str) {
    for arguments in READS {
        call(arguments).run().ok();
    }
    for arguments in WRITES {
        call(arguments).run().fails(8).stderr_has(why);
    }
    call(&["get", "a", "--field", "password"]).run().ok().stdout("pw\n");
}

#[test]
fn a_read_only_file_system_serves_readers_and_refuses_writers() {
    let sandbox = Sandbox::new();
    let Some(disk) = SmallDisk::mount(&sandbox, 2_048) else { return };
    let call =
        |arguments: &[&str]| sandbox.credb(arguments).env("CREDB_VAULT", disk.path("v.redb"));
    call(&["init"]).run().ok();
    call(&["set", "a", "--password-stdin"]).stdin("pw").run().ok();
    disk.protect();
    only_read(call, "read-only file system");
    sandbox.credb(["init", "--vault"]).args([disk.path("n.redb")]).run().fails(8);
}

#[test]
fn a_read_only_file_system_without_a_turnstile_serves_readers_too() {
    let sandbox = Sandbox::new();
    let Some(disk) = SmallDisk::mount(&sandbox, 2_048) else { return };
    let call =
        |arguments: &[&str]| sandbox.credb(arguments).env("CREDB_VAULT", disk.path("v.redb"));
    call(&["init"]).run().ok();
    call(&["set", "a", "--password-stdin"]).stdin("pw").run().ok();
    std::fs::remove_file(disk.path("v.redb.lock")).unwrap();
    disk.protect();
    only_read(call, "read-only file system");
}

#[test]
fn what_needs_repair_and_may_only_be_read_is_no_damage() {
    let sandbox = Sandbox::new();
    let Some(disk) = SmallDisk::mount(&sandbox, 2_048) else { return };
    let call =
        |arguments: &[&str]| sandbox.credb(arguments).env("CREDB_VAULT", disk.path("v.redb"));
    call(&["init"]).run().ok();
    call(&["set", "a", "--password-stdin"]).stdin("pw").run().ok();
    let shim = SlowSync::build();
    let mut writer = shim.stop_at(call(&["set", "b", "--generate"]), 2).spawn();
    assert!(writer.stops());
    drop(writer);
    disk.protect();
    for arguments in READS.iter().filter(|arguments| !arguments.contains(&"--json")) {
        call(arguments).run().fails(8).stderr_has("cannot repair").stderr_has("read-only");
    }
}

#[test]
fn a_file_without_leave_to_write_serves_readers_and_refuses_writers() {
    let Some(user) = Identity::known_user() else { return };
    let sandbox = Sandbox::new();
    user.owns(&sandbox);
    let call = |arguments: &[&str]| sandbox.credb(arguments).identity(&user);
    call(&["init"]).run().ok();
    call(&["set", "a", "--password-stdin"]).stdin("pw").run().ok();
    sandbox.set_mode("data/credb/default.redb", 0o400);
    only_read(call, "permission denied");
}

#[test]
fn a_directory_without_leave_to_write_serves_all_who_need_no_new_file() {
    let Some(user) = Identity::known_user() else { return };
    let sandbox = Sandbox::new();
    user.owns(&sandbox);
    let call = |arguments: &[&str]| sandbox.credb(arguments).identity(&user);
    call(&["init"]).run().ok();
    call(&["set", "a", "--password-stdin"]).stdin("pw").run().ok();
    sandbox.set_mode("data/credb", 0o500);
    call(&["set", "b", "--generate"]).run().ok();
    let turnstile = sandbox.path("data/credb/default.redb.lock");
    sandbox.set_mode("data/credb", 0o700);
    std::fs::remove_file(turnstile).unwrap();
    sandbox.set_mode("data/credb", 0o500);
    only_read(call, "permission denied");
    sandbox.set_mode("data/credb", 0o700);
    call(&["set", "a", "--generate"]).run().ok();
}
