//! Python's `cryptography` and a reader in Python, against the program: what one seals the other
//! opens, and docs/format.md is enough to read a vault.
//!
//! `CREDB_TEST_PYTHON` names the Python to use; else it is `python3`, if it has the package.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use credb::{CredentialId, Edit, KeySource, Options, RotationState, Vault};

use crate::fixture::{Copy, HOST};
use crate::support::Sandbox;

/// A Python that has `cryptography`, or none, saying so.
#[expect(clippy::print_stderr, reason = "a test that checks nothing should not look as if")]
fn python() -> Option<&'static str> {
    static PYTHON: OnceLock<Option<String>> = OnceLock::new();
    let found = PYTHON.get_or_init(|| {
        if let Ok(python) = std::env::var("CREDB_TEST_PYTHON") {
            return Some(python);
        }
        let mut command = Command::new("python3");
        command.args(["-c", "import cryptography"]).stdout(Stdio::null()).stderr(Stdio::null());
        let works = command.status().is_ok_and(|status| status.success());
        works.then(|| "python3".to_owned())
    });
    if found.is_none() {
        eprintln!("skipped: no Python with the package `cryptography`");
    }
    found.as_deref()
}

/// The script that reads vaults.
#[track_caller]
fn read_vault(python: &str, vault: &Path, host: &str, arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/read_vault.py");
    let mut command = Command::new(python);
    command.arg("-B").arg(script).arg(vault).arg(host).args(arguments);
    command.output().expect("start Python")
}

/// What the script prints.
#[track_caller]
fn printed(python: &str, vault: &Path, host: &str, arguments: &[&str]) -> Vec<u8> {
    let output = read_vault(python, vault, host, arguments);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{messages}", output.status);
    output.stdout
}

/// A vault of the predecessor's form: its tokens carry the present time, and stand on an id, a
/// password and a description that are not ASCII.
const PREDECESSOR: &str = r#"
import base64, datetime, hashlib, json, sys
from cryptography.fernet import Fernet
fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"h\xc3\xb6st").digest()))
seal = lambda text: fernet.encrypt(text.encode()).decode()
now = datetime.datetime.now(datetime.timezone.utc).isoformat()
entry = lambda name, password: {
    "username": seal(name), "password": seal(password),
    "metadata": {"created_at": now, "updated_at": now, "description": "Servi\u00e7o"},
}
credentials = {"mysql-1": entry("root", "P@ss word"), "app_\u00e7.v2": entry("", "\U0001f511")}
text = json.dumps({"version": "1.0.0", "credentials": credentials})
open(sys.argv[1], "w").write(seal(text))
"#;

#[test]
fn a_vault_that_python_sealed_is_taken_over() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::with_vault();
    let file = sandbox.file("vault.json.enc", "");
    let status = Command::new(python).args(["-c", PREDECESSOR, &file]).status();
    assert!(status.expect("start Python").success());
    let wrong = ["migrate", &file, "--source-hostname", "host"];
    sandbox.credb(wrong).run().fails(5);
    sandbox.credb(["migrate", &file, "--source-hostname", "h\u{f6}st"]).run().ok();
    assert_eq!(sandbox.password("mysql-1"), "P@ss word");
    assert_eq!(sandbox.password("app_\u{e7}.v2"), "\u{1f511}");
    let description = ["get", "mysql-1", "--field", "description"];
    sandbox.credb(description).run().ok().stdout("Servi\u{e7}o\n");
}

#[test]
fn a_reader_in_python_opens_the_fixture() {
    let Some(python) = python() else { return };
    let copy = Copy::new();
    let read = |arguments: &[&str]| printed(python, &copy.vault(), HOST, arguments);
    assert_eq!(read(&["get", "db/mysql-prod"]), b"P@ss word");
    assert_eq!(read(&["get", "not-utf8"]), b"\xff\x00\x80 pass");
    assert_eq!(read(&["get", "large"]), [b'x'; 5_000]);
    assert_eq!(read(&["get", "empty"]), b"");
    let ids = "api/\u{1f511}\ndb/mysql-prod\nempty\nlarge\nnot-utf8\n";
    assert_eq!(read(&["ids"]), ids.as_bytes());
    let earlier = "2 updated second\n1 updated first\n";
    assert_eq!(read(&["earlier", "db/mysql-prod"]), earlier.as_bytes());
    let earlier = "2 removed second\n1 updated first\n";
    assert_eq!(read(&["earlier", "removed"]), earlier.as_bytes());
    for absent in ["removed", "never-there"] {
        let output = read_vault(python, &copy.vault(), HOST, &["get", absent]);
        assert_eq!(output.status.code(), Some(4), "{absent}");
    }
    let token = copy.open().verify(&|_, _| {}).unwrap().state_token.expect("a state token");
    assert_eq!(read(&["state"]), format!("{token}\n").as_bytes());
}

#[test]
fn a_reader_in_python_opens_what_the_program_wrote() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::new();
    sandbox.credb(["init", "--key", "hostname"]).env("CREDB_HOSTNAME", "host-a").run().ok();
    let credb = |arguments: &[&str]| sandbox.credb(arguments).env("CREDB_HOSTNAME", "host-a");
    for password in ["first", "second"] {
        credb(&["set", "a", "--password-stdin", "--exact"]).stdin(password).run().ok();
    }
    credb(&["set", "b", "--password-stdin", "--exact"]).stdin("gone").run().ok();
    credb(&["remove", "b", "--force"]).run().ok();
    assert_eq!(printed(python, &sandbox.vault(), "host-a", &["get", "a"]), b"second");
    assert_eq!(printed(python, &sandbox.vault(), "host-a", &["ids"]), b"a\n");
}

#[test]
fn a_reader_in_python_opens_what_a_rotation_left_and_is_in_the_middle_of() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::new();
    let key = sandbox.path_text("k");
    let credb = |arguments: &[&str]| sandbox.credb(arguments).env("CREDB_HOSTNAME", "host-a");
    credb(&["init", "--key", "hostname"]).run().ok();
    credb(&["key", "add", &format!("file:{key}")]).run().ok();
    for id in ["a", "b", "c"] {
        credb(&["set", id, "--password-stdin", "--exact"]).stdin(id).run().ok();
    }
    let reads = |ids: [&str; 3]| {
        for id in ids {
            let password = printed(python, &sandbox.vault(), "host-a", &["get", id]);
            assert_eq!(password, id.as_bytes());
        }
    };
    // The host's name at hand, and then only its slot's recipient key.
    for opened_by in [&[][..], &["--key-file", &key]] {
        credb(&["key", "rotate", "--vault-key"]).args(opened_by).run().ok();
        reads(["a", "b", "c"]);
    }
    let keys = [KeySource::Hostname("host-a".to_owned())];
    let vault = Vault::open(&sandbox.vault(), &Options::new(), &keys).unwrap();
    vault.begin_rotation().unwrap();
    // One in the newer epoch, two in the older.
    let edit = Edit::new().username("moved");
    vault.set(&CredentialId::new("b").unwrap(), &edit).unwrap();
    assert!(matches!(vault.info().unwrap().rotation, RotationState::Resealing { rows: 4 }));
    reads(["a", "b", "c"]);
    assert_eq!(printed(python, &sandbox.vault(), "host-a", &["ids"]), b"a\nb\nc\n");
}
