//! Any bytes of a key slot, their digest made right, are refused or read; a slot that is read has no
//! second form, and no wrong secret opens it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| credb::fuzzing::slot(body));
