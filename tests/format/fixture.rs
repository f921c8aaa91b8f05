//! Vaults that were written once and must open for ever.
//!
//! `tests/data/format1.redb` is made by `make_the_fixture_of_format_1`, which is run by hand, and
//! never again once the format is released.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use credb::{
    CredentialId, Edit, Error, KdfCost, KeySource, NewKey, Options, Passphrase, Patch, Query,
    RecoveryCode, Replacement, SlotKind, Vault,
};
use tempfile::TempDir;

/// The host name that opens the fixture.
pub(crate) const HOST: &str = "fixture-host";

/// The bits 80 81 ... 93 as a recovery code.
const RECOVERY: &str = "G20R-50W4-GP38-F249-HA5R-S3CE-HY89-34MK-NP85";

/// A passphrase with an accent of its own.
const PASSPHRASE: &str = "p\u{e1}ss phrase";

/// The key file and the machine secret, in two of the forms that are read.
const KEY_FILE: &str = "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f\n";
const MACHINE: &str = "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=\n";

/// A copy of the fixture with its keys beside it: opening a vault may write beside it.
pub(crate) struct Copy {
    dir: TempDir,
}

impl Copy {
    pub(crate) fn new() -> Self {
        let copy = Self::without_vault();
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format1.redb");
        fs::copy(original, copy.vault()).expect("copy the fixture");
        copy
    }

    fn without_vault() -> Self {
        let copy = Self { dir: TempDir::new().expect("temporary directory") };
        for (name, text) in [("k", KEY_FILE), ("m", MACHINE)] {
            fs::write(copy.path(name), text).expect("write a key");
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(copy.path(name), private).expect("change a mode");
        }
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn vault(&self) -> PathBuf {
        self.path("format1.redb")
    }

    pub(crate) fn open(&self) -> Vault {
        self.open_with(KeySource::Hostname(HOST.to_owned()))
    }

    fn open_with(&self, key: KeySource) -> Vault {
        Vault::open(&self.vault(), &Options::new(), &[key]).expect("open the fixture")
    }
}

fn id(text: &str) -> CredentialId {
    CredentialId::new(text).expect("an id")
}

/// What the fixture holds, in the order of the ids: id, version, edit.
fn contents() -> [(&'static str, u64, Edit); 5] {
    let utc = |text: &str| text.parse().expect("a time");
    [
        ("api/\u{1f511}", 1, Edit::new().password("token-\u{e7}\u{e3}o")),
        (
            "db/mysql-prod",
            3,
            Edit::new()
                .username("root")
                .password("P@ss word")
                .url(Patch::Set("mysql://db1.example.com:3306/shop".to_owned()))
                .description(Patch::Set("Production MySQL".to_owned()))
                .tags(["prod", "db"])
                .expires_at(Patch::Set(utc("2031-01-02T03:04:05Z")))
                .field("port", "3306")
                .field("ca", &b"\x00\xff\xfe"[..]),
        ),
        ("empty", 1, Edit::new().password("").allow_empty()),
        ("large", 1, Edit::new().password(vec![b'x'; 5_000].as_slice()).username("big")),
        ("not-utf8", 1, Edit::new().password(&b"\xff\x00\x80 pass"[..]).tags(["binary"])),
    ]
}

#[test]
fn a_vault_of_format_1_opens_and_holds_what_was_stored() {
    let copy = Copy::new();
    let vault = copy.open();
    let listed = vault.list(&Query::all()).unwrap();
    let ids: Vec<&str> = listed.iter().map(|metadata| metadata.id.as_str()).collect();
    assert_eq!(ids, contents().map(|(id, _, _)| id));
    for (name, version, edit) in contents() {
        let stored = vault.get(&id(name)).unwrap();
        assert_eq!(stored.metadata.version, version, "{name}");
        assert!(stored.metadata.created_at <= stored.metadata.updated_at, "{name}");
        let change = vault.set(&id(name), &edit).unwrap();
        assert!(!change.changed, "{name} is not as it was stored");
    }
    let stored = vault.get(&id("db/mysql-prod")).unwrap();
    assert_eq!(stored.password.expose(), b"P@ss word");
    assert_eq!(stored.metadata.username.as_deref(), Some("root"));
    assert_eq!(stored.metadata.tags, ["prod", "db"]);
    assert_eq!(stored.metadata.field_names, ["ca", "port"]);
    assert_eq!(stored.field("ca").unwrap().expose(), b"\x00\xff\xfe");
    let stored = vault.get(&id("not-utf8")).unwrap();
    assert_eq!(stored.password.expose(), b"\xff\x00\x80 pass");
}

#[test]
fn a_removed_credential_of_format_1_stays_removed_and_keeps_its_version() {
    let copy = Copy::new();
    let vault = copy.open();
    assert!(matches!(vault.get(&id("removed")), Err(Error::NotFound { .. })));
    let kept = vault.history(&id("removed")).unwrap();
    let kept: Vec<_> = kept.iter().map(|kept| (kept.credential.metadata.version, kept)).collect();
    assert_eq!(kept.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(kept[0].1.replacement, Replacement::Removed);
    assert_eq!(kept[0].1.credential.password.expose(), b"second");
    let change = vault.set(&id("removed"), &Edit::new().password("again")).unwrap();
    assert_eq!((change.version, change.created), (3, true));
}

#[test]
fn a_vault_of_format_1_verifies_before_and_after_it_is_changed() {
    let copy = Copy::new();
    let vault = copy.open();
    let found = vault.verify(&|_, _| {}).unwrap();
    assert_eq!(found.damaged, []);
    assert_eq!((found.checked.index, found.checked.tombstones), (5, 1));
    assert_eq!((found.checked.slots, found.checked.epochs, found.checked.history), (5, 1, 4));
    let info = vault.info().unwrap();
    assert_eq!((info.format_version, info.credentials), (1, 5));
    let before = info.generation;
    vault.remove(&id("large")).unwrap();
    vault.set(&id("new"), &Edit::new().password("new")).unwrap();
    assert_eq!(vault.info().unwrap().generation, before + 2);
    assert_eq!(vault.verify(&|_, _| {}).unwrap().damaged, []);
}

#[test]
fn a_vault_of_format_1_opens_with_a_key_of_every_kind() {
    let copy = Copy::new();
    let slots = copy.open().slots().unwrap();
    let slots: Vec<_> = slots.iter().map(|slot| (slot.kind, slot.label.as_deref())).collect();
    let expected = [
        (SlotKind::Hostname, None),
        (SlotKind::File, Some("key file")),
        (SlotKind::Machine, None),
        (SlotKind::Recovery, Some("in the s\u{e1}fe")),
        (SlotKind::Passphrase, None),
    ];
    assert_eq!(slots, expected);
    let keys = [
        KeySource::KeyFile(copy.path("k")),
        KeySource::Machine(copy.path("m")),
        KeySource::Recovery(RecoveryCode::parse(RECOVERY).unwrap()),
        // Typed with a combining accent.
        KeySource::Passphrase(Passphrase::new("pa\u{301}ss phrase").unwrap()),
    ];
    for key in keys {
        let vault = copy.open_with(key);
        assert_eq!(vault.get(&id("db/mysql-prod")).unwrap().password.expose(), b"P@ss word");
    }
    let wrong = [KeySource::Hostname("another-host".to_owned())];
    let opened = Vault::open(&copy.vault(), &Options::new(), &wrong);
    assert!(matches!(opened, Err(Error::Locked { .. })), "{opened:?}");
}

#[test]
fn rows_that_end_beyond_their_page_are_damage_and_no_panic() {
    let whole = fs::read(Copy::new().vault()).unwrap();
    // A leaf begins with 1, nothing, the number of rows, and four bytes for each end.
    let leaves = (4_096..whole.len()).step_by(4_096).filter(|start| whole[*start] == 1);
    let ends = leaves.flat_map(|start| {
        let rows = usize::from(whole[start + 2]);
        (0..2 * rows).map(move |end| start + 4 + 4 * end)
    });
    let copy = Copy::new();
    let mut damaged = 0;
    for end in ends {
        let mut bytes = whole.clone();
        bytes[end..end + 4].copy_from_slice(&0x00ff_ffff_u32.to_le_bytes());
        fs::write(copy.vault(), bytes).unwrap();
        let key = [KeySource::Hostname(HOST.to_owned())];
        let listed = Vault::open(&copy.vault(), &Options::new(), &key)
            .and_then(|vault| vault.list(&Query::all()));
        match listed {
            Ok(listed) => assert_eq!(listed.len(), contents().len(), "byte {end}"),
            Err(Error::Corrupt { .. } | Error::NotAVault { .. }) => damaged += 1,
            Err(error) => panic!("byte {end}: {error:?}"),
        }
    }
    assert!(damaged > 20, "the pages that are read were among them: {damaged}");
}

#[test]
#[ignore = "writes tests/data/format1.redb anew, as long as format 1 is not released"]
fn make_the_fixture_of_format_1() {
    let copy = Copy::without_vault();
    let key = NewKey::Hostname(HOST.to_owned());
    let vault = Vault::create(&copy.vault(), &Options::new(), &key).unwrap();
    vault.add_slot(&NewKey::File(copy.path("k")), Some("key file")).unwrap();
    vault.add_slot(&NewKey::Machine(copy.path("m")), None).unwrap();
    let code = RecoveryCode::parse(RECOVERY).unwrap();
    vault.add_slot(&NewKey::Recovery(code), Some("in the s\u{e1}fe")).unwrap();
    let passphrase = Passphrase::new(PASSPHRASE).unwrap();
    let cost = KdfCost::new(8, 1).unwrap();
    vault.add_slot(&NewKey::Passphrase(passphrase, cost), None).unwrap();
    for earlier in ["first", "second"] {
        vault.set(&id("db/mysql-prod"), &Edit::new().password(earlier)).unwrap();
        vault.set(&id("removed"), &Edit::new().password(earlier)).unwrap();
    }
    for (name, _, edit) in contents() {
        vault.set(&id(name), &edit).unwrap();
    }
    vault.remove(&id("removed")).unwrap();
    vault.compact(&|_, _| {}).unwrap();
    drop(vault);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format1.redb");
    fs::copy(copy.vault(), &fixture).unwrap();
    fs::set_permissions(&fixture, fs::Permissions::from_mode(0o644)).unwrap();
}
