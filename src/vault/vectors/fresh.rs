//! Prints vectors for docs/format.md, if the format changes before its release:
//! `cargo test --all-features --lib print_fresh_vectors -- --ignored --nocapture`.

use super::*;

/// Fresh vectors, in the form of the document.
#[derive(Default)]
pub(super) struct Fresh(Vec<(String, String)>);

impl Fresh {
    pub(super) fn text(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    pub(super) fn bytes(&mut self, name: impl Into<String>, value: &[u8]) {
        self.text(name, HEXLOWER.encode(value));
    }

    /// The same value, noted down.
    pub(super) fn noted(&mut self, name: &str, value: Vec<u8>) -> Vec<u8> {
        self.bytes(name, &value);
        value
    }
}

pub(super) fn numbers<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|position| first + u8::try_from(position).unwrap())
}

#[test]
#[ignore = "prints vectors for docs/format.md, and checks nothing"]
fn print_fresh_vectors() {
    let (vault, secret, root) = (numbers::<16>(0), numbers::<32>(0x20), numbers::<32>(0x40));
    let key = VaultKey::from_bytes(vault, secret.into());
    let mut fresh = Fresh::default();
    fresh.bytes("vault.id", &vault);
    fresh.bytes("vault.key", &secret);
    for name in ["epochs", "settings", "manifest", "slot details", "fixed rows", "state"] {
        let derived = hkdf(&secret, &vault, &format!("credb/1 {name}"));
        fresh.bytes(format!("key.{}", name.replace(' ', "_")), &derived);
    }
    for name in ["records", "index", "history", "blind", "sums"] {
        fresh.bytes(format!("key.{name}"), &hkdf(&root, &vault, &format!("credb/1 {name}")));
    }
    let mut rows = Rows::default();
    fresh_fixed_rows(&mut fresh, &mut rows, &key, root);
    fresh_credential(&mut fresh, &mut rows, &key);
    let sizes = [36, 256, 257, 272, 273, 1_000, 1_025, 4_000, 70_000, 1_200_000];
    let padded = |length: usize| {
        let text = "x".repeat(length - 30);
        crate::codec::encode(&vault, crate::codec::Binding::Records, &text).len()
    };
    let pairs = sizes.map(|length| format!("{length}:{}", padded(length)));
    fresh.text("padded.sizes", pairs.join(" "));
    slots::fresh_secrets(&mut fresh);
    for (name, value) in fresh.0 {
        let (head, rest) = value.split_at(value.len().min(96 - name.len()));
        println!("{name} = {head}");
        for line in rest.as_bytes().chunks(96) {
            println!("   {}", std::str::from_utf8(line).unwrap());
        }
    }
}

/// Header, slots, the epoch and the settings.
fn fresh_fixed_rows(fresh: &mut Fresh, rows: &mut Rows, key: &VaultKey, root: [u8; 32]) {
    header::write(rows, VaultId(*key.vault())).unwrap();
    for name in ["format", "features", "vault"] {
        let row = rows.row(Table::Header, name.as_bytes()).unwrap().unwrap();
        fresh.bytes(format!("header.{name}"), &row);
    }
    slots::fresh_slots(fresh, rows, key);
    let binding = crate::codec::Binding::Epochs;
    let body = crate::codec::encode(key.vault(), binding, &(1_u32, root));
    fresh.bytes("epoch.body", unframed(&body));
    let token = fresh.noted("epoch.token", key.epochs().seal(&body));
    rows.put(Table::Epochs, &[0, 0, 0, 1], &token).unwrap();
    let token = Settings::new(time("2025-01-02T03:04:05Z")).seal(key);
    fresh.bytes("settings.body", unframed(&key.settings().open(&token).unwrap()));
    let token = fresh.noted("settings.token", token);
    rows.put(Table::Settings, settings::KEY, &token).unwrap();
}

/// The rows of the credential, the manifest over all rows, and the state token.
fn fresh_credential(fresh: &mut Fresh, rows: &mut Rows, key: &VaultKey) {
    let vault = key.vault();
    let stored = rows.row(Table::Epochs, &[0, 0, 0, 1]).unwrap().unwrap();
    let epoch = EpochRow::open(key, &[0, 0, 0, 1], &stored).unwrap().keys(vault);
    let row_key = fresh.noted("row.key", epoch.row_key(&id()).to_vec());
    fresh.bytes("record.live.body", unframed(&live().encode(vault)));
    fresh.bytes("record.removed.body", unframed(&removed().encode(vault)));
    fresh.bytes("index.body", unframed(&index().encode(vault)));
    let record = fresh.noted("record.token", epoch.records.seal(&live().encode(vault)));
    let index = fresh.noted("index.token", epoch.index.seal(&index().encode(vault)));
    fresh.bytes("row.mac", &epoch.row_mac("records", &row_key, &record));
    let removed = replaced_otherwise(Replacement::Removed);
    for (row, name) in [(earlier(), "updated"), (removed, "removed"), (renamed(), "renamed")] {
        fresh.bytes(format!("history.{name}.body"), unframed(&row.encode(vault)));
    }
    let history_key = fresh.noted("row.history.key", epoch.history_key(&id(), 2).to_vec());
    let history = fresh.noted("history.token", epoch.history.seal(&earlier().encode(vault)));
    let mut manifest = Manifest::new();
    manifest.replace(&epoch, Table::Records, &row_key, (None, Some(&record))).unwrap();
    manifest.replace(&epoch, Table::Index, &row_key, (None, Some(&index))).unwrap();
    manifest.replace(&epoch, Table::History, &history_key, (None, Some(&history))).unwrap();
    manifest.renew_fixed(rows, key).unwrap();
    manifest.write(rows, key, time("2025-01-02T03:04:05.000006Z")).unwrap();
    let token = rows.row(Table::Manifest, Manifest::KEY).unwrap().unwrap();
    fresh.bytes("manifest.body", unframed(&key.manifest().open(&token).unwrap()));
    fresh.bytes("manifest.token", &token);
    let settings = Settings::read(rows, key).unwrap();
    fresh.text("state.token", StateToken::of(key, &settings, &manifest).to_string());
}
