//! Any `vya_backupbd.json` is refused or read; what is read has different ids and can be stored. With
//! references in the place of its passwords it differs in nothing else, and no entry is left.
#![no_main]

use std::collections::HashSet;
use std::path::Path;

use credb::exchange::migrate::{self, Import};
use credb::exchange::reference::{Reference, Template};
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
    if migrate::is_configuration(text) {
        check_rewritten(text, &import);
    }
});

fn check_rewritten(text: &[u8], import: &Import) {
    let path = Path::new("vya_backupbd.json");
    let rewritten = migrate::rewrite(path, text, import, |_| true).expect("a configuration");
    assert!(rewritten.left.is_empty());
    assert_eq!(rewritten.replaced.len(), import.entries.len());
    let again = migrate::read(path, &rewritten.text, "old-host").expect("what was read before");
    assert!(again.entries.is_empty(), "a reference is taken for a password");
    assert_eq!(again.skipped.len(), import.skipped.len() + import.entries.len());
    assert_eq!(again.refused, import.refused);
    assert_eq!(again.clear_secrets, import.clear_secrets - import.entries.len());
    let before = Template::parse(text).map(|template| template.references().count());
    if before.is_ok_and(|references| references == 0) {
        let template = Template::parse(&rewritten.text).expect("references of our own");
        assert!(template.references().map(Reference::id).eq(&rewritten.replaced));
    }
}
