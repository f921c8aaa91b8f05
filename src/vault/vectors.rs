//! The test vectors of docs/format.md against the code, which may not drift apart from them.

mod fresh;
mod slots;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use data_encoding::{BASE64URL, HEXLOWER};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use super::manifest::Manifest;
use super::settings::{self, Settings};
use super::token::StateToken;
use super::{VaultId, header, history};
use crate::codec::{HistoryRow, IndexRow, RecordRow, RecordState};
use crate::credential::{Credential, CredentialId, Edit, Patch, Pending, Replacement};
use crate::error::Result;
use crate::keys::{EpochKeys, EpochRow, VaultKey};
use crate::seal::Sealer;
use crate::store::{ReadRows, Table, VisitWhile, WriteRows};

use self::fresh::{Fresh, numbers};
use self::slots::{DETAILS, SLOTS};

const DOCUMENT: &str = include_str!("../../docs/format.md");

const ID: &str = "db/mysql-prod";

/// The vectors of the document by name.
struct Vectors(BTreeMap<&'static str, String>);

impl Vectors {
    /// `name = value` in the blocks marked as vectors; lines that begin with a space go on with
    /// the value before.
    fn of_document() -> Self {
        let mut vectors = BTreeMap::new();
        let mut inside = false;
        let mut last = "";
        for line in DOCUMENT.lines() {
            if line.starts_with("```") {
                inside = line == "```text vectors";
            } else if inside && line.starts_with(' ') {
                vectors.entry(last).or_insert_with(String::new).push_str(line.trim());
            } else if inside {
                let (name, value) = line.split_once(" = ").expect("a name and a value");
                assert!(vectors.insert(name, value.to_owned()).is_none(), "{name} stands twice");
                last = name;
            }
        }
        Self(vectors)
    }

    #[track_caller]
    fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("docs/format.md has no vector {name}"))
    }

    #[track_caller]
    fn bytes(&self, name: &str) -> Vec<u8> {
        HEXLOWER.decode(self.text(name).as_bytes()).expect("hexadecimal digits")
    }

    #[track_caller]
    fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().expect("a vector of that length")
    }

    fn vault_key(&self) -> VaultKey {
        VaultKey::from_bytes(self.array("vault.id"), self.array("vault.key").into())
    }

    fn epoch(&self) -> EpochKeys {
        let key = self.vault_key();
        let row = EpochRow::open(&key, &[0, 0, 0, 1], &self.bytes("epoch.token"));
        row.expect("the row of the epoch").keys(key.vault())
    }

    fn record(&self) -> RecordRow {
        let opened = self.epoch().records.open(&self.bytes("record.token")).expect("the record");
        RecordRow::decode(&self.array("vault.id"), &opened).expect("a row of a record")
    }

    /// All rows of the documented vault.
    fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        header::write(&mut rows, VaultId(self.array("vault.id"))).unwrap();
        for (number, (_, name, _)) in (1_u32..).zip(SLOTS) {
            let row = self.bytes(&format!("slot.{name}.row"));
            rows.put(Table::Slots, &number.to_be_bytes(), &row).unwrap();
        }
        let row_key = self.bytes("row.key");
        rows.put(Table::Epochs, &[0, 0, 0, 1], &self.bytes("epoch.token")).unwrap();
        rows.put(Table::Settings, settings::KEY, &self.bytes("settings.token")).unwrap();
        rows.put(Table::Records, &row_key, &self.bytes("record.token")).unwrap();
        rows.put(Table::Index, &row_key, &self.bytes("index.token")).unwrap();
        let history_key = self.bytes("row.history.key");
        rows.put(Table::History, &history_key, &self.bytes("history.token")).unwrap();
        rows.put(Table::Manifest, Manifest::KEY, &self.bytes("manifest.token")).unwrap();
        rows
    }
}

/// Rows in memory.
#[derive(Default)]
struct Rows(BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl ReadRows for Rows {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(&(table, key.to_vec())).cloned())
    }

    fn check_way(&self, _: Table, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn rows_while(&self, table: Table, prefix: &[u8], visit: VisitWhile<'_>) -> Result<()> {
        for ((own, key), value) in &self.0 {
            if *own == table && key.starts_with(prefix) && visit(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl WriteRows for Rows {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.insert((table, key.to_vec()), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<()> {
        self.0.remove(&(table, key.to_vec()));
        Ok(())
    }
}

fn id() -> CredentialId {
    CredentialId::new(ID).unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn credential() -> Credential {
    let mut credential = Edit::new()
        .username("root")
        .password(&b"P@ss\xff"[..])
        .url(Patch::Set("mysql://db".to_owned()))
        .tags(["prod", "db"])
        .expires_at(Patch::Set(time("2026-01-01T00:00:00Z")))
        .field("port", "3306")
        .apply(&id(), None, 2, time("2025-01-02T03:04:05.000006Z"))
        .unwrap();
    let since = time("2025-01-02T03:04:05.000006Z");
    credential.pending = Some(Pending { password: "next".into(), since });
    credential
}

fn live() -> RecordRow {
    let state = RecordState::Live(Box::new(credential()));
    RecordRow { id: id(), uid: [0x71; 16], version: 3, state }
}

fn removed() -> RecordRow {
    let state = RecordState::Removed { at: time("2025-02-03T04:05:06.000007Z") };
    RecordRow { state, ..live() }
}

fn index() -> IndexRow {
    IndexRow { uid: [0x71; 16], metadata: credential().metadata }
}

/// Version 2, which differs in the password alone, was replaced by version 3.
fn earlier() -> HistoryRow {
    let at = credential().metadata.updated_at;
    let mut credential = credential();
    credential.password = "before".into();
    credential.metadata.version = 2;
    HistoryRow { uid: [0x71; 16], credential, replacement: Replacement::Updated, at }
}

/// The same, removed or moved from another id.
fn replaced_otherwise(replacement: Replacement) -> HistoryRow {
    HistoryRow { replacement, ..earlier() }
}

fn renamed() -> HistoryRow {
    replaced_otherwise(Replacement::Renamed { from: CredentialId::new("old").unwrap() })
}

/// The frame around a body, written a second time from the document.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    let mut frame = [&length.to_be_bytes(), body].concat();
    assert!(frame.len() <= 256, "the vectors are small");
    frame.resize(256, 0);
    frame
}

fn unframed(frame: &[u8]) -> &[u8] {
    let (length, rest) = frame.split_first_chunk::<4>().unwrap();
    &rest[..u32::from_be_bytes(*length) as usize]
}

fn hkdf(secret: &[u8], salt: &[u8], info: &str) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info.as_bytes(), &mut key).unwrap();
    key
}

/// Whether the code's sealer has this key.
#[track_caller]
fn assert_key(sealer: &Sealer, key: [u8; 32]) {
    let token = Sealer::new(&key).seal(b"plaintext");
    assert!(sealer.open(&token).is_some(), "the sealer has another key");
}

#[test]
fn the_keys_derived_from_a_vault_key_are_those_of_the_document() {
    let vectors = Vectors::of_document();
    let key = vectors.vault_key();
    assert_key(&key.epochs(), vectors.array("key.epochs"));
    assert_key(&key.settings(), vectors.array("key.settings"));
    assert_key(&key.manifest(), vectors.array("key.manifest"));
    assert_eq!(*key.fixed_rows(), vectors.array("key.fixed_rows"));
    assert_eq!(*key.state(), vectors.array("key.state"));
    let details = Sealer::new(&vectors.array("key.slot_details"));
    let row = vectors.bytes("slot.machine.row");
    assert!(details.open(&row[DETAILS]).is_some(), "the details have another key");
}

#[test]
fn the_keys_and_macs_of_an_epoch_are_those_of_the_document() {
    let vectors = Vectors::of_document();
    let epoch = vectors.epoch();
    assert_key(&epoch.records, vectors.array("key.records"));
    assert_key(&epoch.index, vectors.array("key.index"));
    assert_key(&epoch.history, vectors.array("key.history"));
    assert_eq!(epoch.history_key(&id(), 2).to_vec(), vectors.bytes("row.history.key"));
    assert_eq!(epoch.row_key(&id()).to_vec(), vectors.bytes("row.key"));
    let (key, token) = (vectors.bytes("row.key"), vectors.bytes("record.token"));
    assert_eq!(epoch.row_mac("records", &key, &token), vectors.array("row.mac"));
    let opened = vectors.vault_key().epochs().open(&vectors.bytes("epoch.token")).unwrap();
    assert_eq!(opened.to_vec(), framed(&vectors.bytes("epoch.body")));
}

#[test]
fn the_rows_of_a_credential_are_those_of_the_document() {
    let vectors = Vectors::of_document();
    let vault = vectors.array("vault.id");
    assert_eq!(live().encode(&vault).to_vec(), framed(&vectors.bytes("record.live.body")));
    assert_eq!(removed().encode(&vault).to_vec(), framed(&vectors.bytes("record.removed.body")));
    assert_eq!(index().encode(&vault).to_vec(), framed(&vectors.bytes("index.body")));
    assert_eq!(vectors.record(), live());
    let opened = vectors.epoch().index.open(&vectors.bytes("index.token")).unwrap();
    assert_eq!(IndexRow::decode(&vault, &opened), Ok(index()));
}

#[test]
fn the_rows_of_earlier_versions_are_those_of_the_document() {
    let vectors = Vectors::of_document();
    let vault = vectors.array("vault.id");
    let removed = replaced_otherwise(Replacement::Removed);
    for (row, name) in [(earlier(), "updated"), (removed, "removed"), (renamed(), "renamed")] {
        let body = vectors.bytes(&format!("history.{name}.body"));
        assert_eq!(row.encode(&vault).to_vec(), framed(&body), "{name}");
    }
    let (key, token) = (vectors.bytes("row.history.key"), vectors.bytes("history.token"));
    assert_eq!(history::open(&vault, &vectors.epoch(), &key, &token), Ok(earlier()));
}

#[test]
fn the_padded_sizes_are_those_of_the_document() {
    let vectors = Vectors::of_document();
    let pairs: Vec<&str> = vectors.text("padded.sizes").split(' ').collect();
    assert!(pairs.len() > 5);
    for pair in pairs {
        let (length, padded) = pair.split_once(':').unwrap();
        let (length, padded): (usize, usize) = (length.parse().unwrap(), padded.parse().unwrap());
        // Around a byte string: frame, format byte, vault id, table tag and its own length.
        let text = "x".repeat(length - 4 - 1 - 16 - 1 - 8);
        let plaintext = crate::codec::encode(&[0; 16], crate::codec::Binding::Records, &text);
        assert_eq!(plaintext.len(), padded, "{length}");
    }
}

#[test]
fn the_manifest_and_the_state_token_are_those_of_the_document() {
    let vectors = Vectors::of_document();
    let (key, rows, epoch) = (vectors.vault_key(), vectors.rows(), vectors.epoch());
    let opened = key.settings().open(&vectors.bytes("settings.token")).unwrap();
    assert_eq!(opened.to_vec(), framed(&vectors.bytes("settings.body")));
    let opened = key.manifest().open(&vectors.bytes("manifest.token")).unwrap();
    assert_eq!(opened.to_vec(), framed(&vectors.bytes("manifest.body")));

    let manifest = Manifest::read(&rows, &key).unwrap();
    assert_eq!(manifest.generation(), 1);
    assert!(manifest.fixed_agrees(&rows, &key).unwrap());
    let mut expected = Manifest::new();
    for (table, key, token) in [
        (Table::Records, "row.key", "record.token"),
        (Table::Index, "row.key", "index.token"),
        (Table::History, "row.history.key", "history.token"),
    ] {
        let (key, token) = (vectors.bytes(key), vectors.bytes(token));
        expected.replace(&epoch, table, &key, (None, Some(&token))).unwrap();
        assert_eq!(manifest.total(1, table), expected.total(1, table), "{table:?}");
        assert_eq!(manifest.rows(table), 1);
    }
    let settings = Settings::read(&rows, &key).unwrap();
    let token = StateToken::of(&key, &settings, &manifest);
    assert_eq!(token.to_string(), vectors.text("state.token"));
}

#[test]
fn the_header_is_that_of_the_document() {
    let vectors = Vectors::of_document();
    let rows = vectors.rows();
    for name in ["format", "features", "vault"] {
        let row = rows.row(Table::Header, name.as_bytes()).unwrap();
        assert_eq!(row, Some(vectors.bytes(&format!("header.{name}"))), "{name}");
    }
}
