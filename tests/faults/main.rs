//! What a fault leaves behind: after each, the vault is as before the command or as after it,
//! never between, the command says which code of the table it was, and the next one works.
#![cfg(feature = "cli")]

mod full;
mod gone;
mod interrupted;
mod limited;
#[cfg(feature = "simulate")]
mod nth_operation;
mod read_only;
mod small_disk;

#[path = "../support/mod.rs"]
mod support;
