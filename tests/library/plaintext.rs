//! Nothing a user stores can be read from the file: not while it is stored, not after it was
//! changed, not after it was removed.

use std::fs;

use credb::{Edit, NewKey, Patch};

use crate::{Fixture, id};

/// Every text that is stored, each recognisable on its own.
const TEXTS: [&str; 11] = [
    "marker-of-the-id",
    "marker-of-the-username",
    "marker-of-the-password",
    "marker-of-the-description",
    "marker-of-the-url",
    "marker-of-the-tag",
    "marker-of-the-field-name",
    "marker-of-the-field-value",
    "marker-of-the-second-password",
    "marker-of-the-label",
    "host-a",
];

#[track_caller]
fn nothing_is_readable(fixture: &Fixture, when: &str) {
    let bytes = fs::read(&fixture.path).expect("read the vault");
    for text in TEXTS {
        let wide: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0]).collect();
        let base64 = data_encoding::BASE64.encode(text.as_bytes());
        // All but the ends of the base64, which depend on what stands around it.
        let inside = &base64.as_bytes()[..base64.len() / 4 * 4 - 4];
        for needle in [text.as_bytes(), &wide, inside] {
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{text} is in the file {when}");
        }
    }
}

#[test]
fn nothing_that_was_ever_stored_can_be_read_from_the_file() {
    let fixture = Fixture::new();
    let edit = Edit::new()
        .username(TEXTS[1])
        .password(TEXTS[2])
        .description(Patch::Set(TEXTS[3].to_owned()))
        .url(Patch::Set(TEXTS[4].to_owned()))
        .tags([TEXTS[5]])
        .field(TEXTS[6], TEXTS[7]);
    fixture.vault.set(&id(TEXTS[0]), &edit).unwrap();
    nothing_is_readable(&fixture, "after a set");

    fixture.vault.set(&id(TEXTS[0]), &Edit::new().password(TEXTS[8])).unwrap();
    nothing_is_readable(&fixture, "after an update");

    fixture.vault.add_slot(&NewKey::Hostname("host-b".to_owned()), Some(TEXTS[9])).unwrap();
    nothing_is_readable(&fixture, "after a slot was added");

    fixture.vault.remove(&id(TEXTS[0])).unwrap();
    nothing_is_readable(&fixture, "after the removal");

    let path = fixture.path.clone();
    let Fixture { vault, path: _, _dir: dir } = fixture;
    drop(vault);
    let fixture = Fixture { vault: crate::open(&path).unwrap(), path, _dir: dir };
    nothing_is_readable(&fixture, "after closing and opening");
}
