//! Any plaintext of a row is refused or decoded; what is decoded has no second plaintext.
//!
//! The first byte chooses the row, and whether the rest is a whole plaintext or the value that a
//! right one has in it.
#![no_main]

use credb::fuzzing::{self, Row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    let row = Row::ALL[usize::from(choice / 2) % Row::ALL.len()];
    if choice % 2 == 0 {
        fuzzing::decode(row, &fuzzing::plaintext(row, bytes));
    } else {
        fuzzing::decode(row, bytes);
        fuzzing::token(bytes);
    }
});
