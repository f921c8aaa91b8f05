//! Ids and patterns of any text are refused or taken; neither panics, and an id is kept as it is.
#![no_main]

use credb::{CredentialId, Query};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(id) = CredentialId::new(text) {
        assert_eq!(id.as_str(), text);
        assert!((1..=255).contains(&text.len()));
    }
    // Both outcomes are fine here: the call must only come back.
    drop(Query::all().pattern(text));
});
