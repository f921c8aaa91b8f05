//! The file format as others see it: vaults of every format version, and a reader of another make.
#![cfg(feature = "cli")]

mod fixture;
mod python;

#[path = "../support/mod.rs"]
mod support;
