//! The program as its users and their scripts call it: arguments, streams, exit codes, files.
#![cfg(feature = "cli")]

mod backup;
mod compact;
mod exit_codes;
mod get;
mod hints;
mod hostile;
mod init_info;
mod keys;
mod list;
mod locations;
mod never_empty;
mod output;
mod remove;
mod restore;
mod salvage;
mod seed_commands;
mod set;
mod set_many;
mod terminal;
mod verify;

#[path = "../support/mod.rs"]
mod support;
