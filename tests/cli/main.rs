//! The program as its users and their scripts call it: arguments, streams, exit codes, files.
#![cfg(feature = "cli")]

mod backup;
mod batch;
mod compact;
mod config;
mod copy_to;
mod doctor;
mod due;
mod ensure;
mod exit_codes;
mod generate;
mod get;
mod hints;
mod history;
mod hostile;
mod hygiene;
mod init_info;
mod inject;
mod keys;
mod known_vaults;
mod list;
mod locations;
mod never_empty;
mod output;
mod passphrase;
mod read;
mod remove;
mod rename;
mod restore;
mod rewrite;
mod rotate;
mod rotate_password;
mod run;
mod salvage;
mod seed_commands;
mod set;
mod set_many;
mod tag;
mod terminal;
mod unlock;
mod verify;
mod watch;

#[path = "../support/mod.rs"]
mod support;
