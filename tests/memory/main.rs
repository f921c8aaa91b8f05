//! What is left in the memory of a process after a vault was used and dropped.
//!
//! This program has the allocator of `credb`. A process of its own opens a vault, and must not know
//! beforehand what is searched for: the parent makes the vault and hands over masked bytes.

mod image;
#[path = "../../src/cli/memory/wiping.rs"]
#[expect(unsafe_code, reason = "the allocator of the program")]
mod wiping;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use credb::{CredentialId, Edit, KeySource, NewKey, Options, Secret, Vault};

use self::image::{Needle, mapping_of, search};

#[global_allocator]
static ALLOCATOR: wiping::Wiping = wiping::Wiping;

/// Where the child finds its vault.
const DIRECTORY: &str = "CREDB_TEST_DIRECTORY";

#[test]
fn nothing_is_left_on_the_heap_of_a_process_that_dropped_its_vault() {
    let dir = tempfile::tempdir().expect("temporary directory");
    prepare(dir.path());
    let child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "a_process_of_its_own", "--ignored", "--nocapture"])
        .env(DIRECTORY, dir.path())
        .output()
        .expect("start this program");
    let text = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "the other half of the test above"]
fn a_process_of_its_own() {
    let dir = PathBuf::from(env::var_os(DIRECTORY).expect("the directory of the vault"));
    let lines = fs::read_to_string(dir.join("needles")).expect("what to search for");
    let needles: Vec<Needle> = lines.lines().map(Needle::parse).collect();
    let here = 0_u8;
    let own = mapping_of(&raw const here as usize);

    let (vault, read, stack) = on_a_thread({
        let dir = dir.clone();
        move || {
            let vault = open(&dir);
            let read = vault.get(&id("kept")).expect("get");
            (Box::new(vault), read)
        }
    });
    let stacks = [own.clone(), stack];
    let found = search(&needles, &stacks);
    for name in ["password", "vault-key", "slot-key"] {
        let is_found = found.iter().any(|text| text.starts_with(name) && !text.ends_with("stack"));
        assert!(is_found, "the search should find what is in use: {name}, {found:?}");
    }
    drop((vault, read));
    check(&search(&needles, &stacks), "after reading");

    let ((), (), stack) = on_a_thread(move || {
        let vault = open(&dir);
        vault.set(&id("kept"), &Edit::new().username("ada")).expect("set");
        vault.history(&id("kept")).expect("history");
        vault.verify(&|_, _| {}).expect("verify");
        ((), ())
    });
    check(&search(&needles, &[own, stack]), "after writing");
}

/// Fails if anything was found outside of stacks; tells what was found on them.
#[track_caller]
#[expect(clippy::print_stderr, reason = "what docs/threat-model.md says of the stack is from here")]
fn check(found: &std::collections::BTreeSet<String>, when: &str) {
    eprintln!("{when}: {found:?}");
    let elsewhere: Vec<_> = found.iter().filter(|text| !text.ends_with("stack")).collect();
    assert!(elsewhere.is_empty(), "{when}: {elsewhere:?}");
}

/// Runs on a thread of its own, and tells where its stack was.
fn on_a_thread<A: Send + 'static, B: Send + 'static>(
    body: impl FnOnce() -> (A, B) + Send + 'static,
) -> (A, B, std::ops::Range<usize>) {
    let thread = thread::spawn(|| {
        let here = 0_u8;
        let stack = mapping_of(&raw const here as usize);
        let (first, second) = body();
        (first, second, stack)
    });
    thread.join().expect("the thread")
}

/// Makes the vault, and the list of what must not be left.
fn prepare(dir: &Path) {
    let key = NewKey::Machine(dir.join("machine.key"));
    let vault = Vault::create(&dir.join("v.redb"), &Options::new(), &key).expect("create a vault");
    let password = "Aequam memento rebus in arduis";
    let field = "servare mentem, non secus in bonis";
    let edit = Edit::new().password(password).field("pin", Secret::from(field));
    vault.set(&id("kept"), &edit).expect("set");
    let secret = fs::read(dir.join("machine.key")).expect("the machine secret");
    let mut lines = String::new();
    add(&mut lines, "machine-secret-text", secret.trim_ascii());
    let secret = data_encoding::BASE64.decode(secret.trim_ascii()).expect("base64");
    add(&mut lines, "machine-secret", &secret);
    add(&mut lines, "password", password.as_bytes());
    add(&mut lines, "field", field.as_bytes());
    let keys = credb::fuzzing::keys(&vault).expect("the keys");
    for (name, key) in ["slot-key", "vault-key", "root-key"].into_iter().zip(&keys) {
        add(&mut lines, name, key.expose());
        add(&mut lines, &format!("{name}-base64"), encoded(key.expose()).as_bytes());
    }
    fs::write(dir.join("needles"), lines).expect("write the list");
}

/// Both halves, as Fernet has two keys in one.
fn add(lines: &mut String, name: &str, bytes: &[u8]) {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    lines.push_str(&Needle::line(&format!("{name}:1"), first));
    lines.push_str(&Needle::line(&format!("{name}:2"), second));
}

fn encoded(key: &[u8]) -> String {
    data_encoding::BASE64URL.encode(key)
}

fn open(dir: &Path) -> Vault {
    let sources = [KeySource::Machine(dir.join("machine.key"))];
    Vault::open(&dir.join("v.redb"), &Options::new(), &sources).expect("open the vault")
}

fn id(text: &str) -> CredentialId {
    CredentialId::new(text).expect("an id")
}
