//! A small vault damaged in every way: each byte flipped, each length cut, pages zeroed and
//! swapped. Every command answers with the right value or says that the file is damaged: never a
//! wrong value, "not found", a shorter list, a hang, or a signal.
//!
//! The images are checked by worker processes, which are this test program again, with the panic
//! hook of the terminal program: some damage makes the storage engine panic, and unwinding through
//! it may abort. A sample is checked with the terminal program itself.
//!
//!   `CREDB_DAMAGE`        how many times the usual sample, or `full`: every image
//!   `CREDB_DAMAGE_SEED`   which sample
#![cfg(feature = "cli")]

mod check;
mod image;
mod program;
mod sweep;
mod vault;

#[path = "../support/mod.rs"]
mod support;

use credb::CredentialId;

fn id(text: &str) -> CredentialId {
    CredentialId::new(text).expect("an id")
}
