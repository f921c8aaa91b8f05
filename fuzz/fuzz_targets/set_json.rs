//! Any JSON for `set --from-file` is refused or read, entry by entry; what it makes comes out as
//! JSON that makes the same.
#![no_main]

use std::collections::HashSet;

use credb::exchange::json::{self, Secrets};
use credb::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(parsed) = json::read_credentials(text) else { return };
    let mut ids = HashSet::new();
    for (index, parsed) in parsed.into_iter().enumerate() {
        assert_eq!(parsed.index, index);
        let Ok((id, edit)) = parsed.entry else { continue };
        assert_eq!(parsed.id.as_deref(), Some(id.as_str()));
        assert!(ids.insert(id.clone()), "two entries with one id");
        let Some(stored) = fuzzing::stored(&id, &edit) else { continue };

        let printed = json::credential(&stored, Secrets::Shown).to_string();
        let again = json::read_credentials(printed.as_bytes()).expect("JSON of our own");
        let again = again.into_iter().next().expect("one entry").entry.expect("a whole entry");
        assert_eq!(again.0, id);
        assert_eq!(fuzzing::changes(&again.1, &stored), Some(false), "it came back otherwise");
    }
});
