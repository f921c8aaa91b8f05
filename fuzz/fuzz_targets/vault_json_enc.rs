//! Any `vault.json.enc` is refused or read; what is read has different ids and can be stored.
//!
//! A text in braces is what the outer token holds, and is sealed first; the tokens in the seeds
//! open with the same key. Anything else is the file as it is.
#![no_main]

use std::collections::HashSet;
use std::path::Path;

use credb::exchange::migrate;
use credb::{Error, fuzzing};
use libfuzzer_sys::fuzz_target;

const HOST: &str = "old-host";

fuzz_target!(|input: &[u8]| {
    let path = Path::new("vault.json.enc");
    let sealed = input.starts_with(b"{").then(|| fuzzing::seal_foreign(HOST, input));
    let file = sealed.as_ref().map_or(input, |token| token.as_bytes());
    let import = match migrate::read(path, file, HOST) {
        Ok(import) => import,
        Err(Error::ForeignLocked { .. }) if sealed.is_some() => panic!("our own token is refused"),
        Err(_) => return,
    };
    let mut ids = HashSet::new();
    for entry in &import.entries {
        assert!(ids.insert(&entry.id), "two entries with one id");
        let stored = fuzzing::stored(&entry.id, &entry.edit).expect("an entry that can be stored");
        let changes = fuzzing::changes(&entry.edit, &stored);
        assert_eq!(changes, Some(false), "taking it over again changes something");
    }
});
