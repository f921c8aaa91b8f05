//! Any `vya_backupbd.json` is refused or read; what is read has different ids and can be stored.
#![no_main]

use std::collections::HashSet;
use std::path::Path;

use credb::exchange::migrate;
use credb::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(import) = migrate::read(Path::new("vya_backupbd.json"), text, "old-host") else {
        return;
    };
    let mut ids = HashSet::new();
    for entry in &import.entries {
        assert!(ids.insert(&entry.id), "two entries with one id");
        let stored = fuzzing::stored(&entry.id, &entry.edit).expect("an entry that can be stored");
        let changes = fuzzing::changes(&entry.edit, &stored);
        assert_eq!(changes, Some(false), "taking it over again changes something");
    }
    let complete = import.refuse_incomplete(Path::new("vya_backupbd.json"));
    assert_eq!(complete.is_ok(), import.refused.is_empty());
});
