//! One file a command.

mod backup;
mod batch;
mod compact;
mod config;
mod copy;
mod doctor;
mod due;
mod ensure;
mod generate;
mod get;
mod history;
mod info;
mod init;
mod inject;
mod key;
mod list;
mod migrate;
mod purge;
mod read;
mod remove;
mod rename;
mod replace;
mod resolve;
mod restore;
mod run;
mod salvage;
mod set;
mod sink;
mod started;
mod tag;
mod undo;
mod unlock;
mod vaults;
mod verify;
mod watch;

use std::path::Path;

use chrono::{DateTime, Utc};
use credb::exchange::json;
use credb::{CredentialId, Slot};
use serde_json::{Value, json};

use super::args::Command;
use super::context::Context;
use super::report::Failure;

/// Runs one command.
pub(crate) fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let changes = changes(&command);
    let done = start(context, command);
    if changes { done.map_err(Failure::after_change) } else { done }
}

/// Whether the command prints only after it has changed what it is to change.
fn changes(command: &Command) -> bool {
    match command {
        Command::Migrate(args) => !args.dry_run,
        Command::Set(_)
        | Command::Rotate(_)
        | Command::Remove(_)
        | Command::Rename(_)
        | Command::Copy(_)
        | Command::Undo(_)
        | Command::Purge(_)
        | Command::Tag(_) => true,
        _ => false,
    }
}

fn start(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Init(args) => init::run(context, &args),
        Command::Set(args) => set::run(context, *args),
        Command::Generate(args) => generate::run(context, &args),
        Command::Get(args) => get::run(context, args),
        Command::Read(args) => read::run(context, args),
        Command::Run(args) => run::run(context, args),
        Command::Inject(args) => inject::run(context, args),
        Command::Ensure(args) => ensure::run(context, args),
        Command::Rotate(args) => replace::run(context, *args),
        Command::Watch(args) => watch::run(context, args),
        Command::List(args) => list::run(context, args),
        Command::Remove(args) => remove::run(context, args),
        Command::Rename(args) => rename::run(context, args),
        Command::Copy(args) => copy::run(context, args),
        Command::History(args) => history::run(context, args),
        Command::Undo(args) => undo::run(context, args),
        Command::Purge(args) => purge::run(context, args),
        Command::Tag(command) => tag::run(context, command),
        Command::Batch(args) => batch::run(context, &args),
        Command::Due(args) => due::run(context, &args),
        Command::Config(args) => config::run(context, args),
        Command::Unlock(args) => unlock::unlock(context, &args),
        Command::Lock => unlock::lock(context),
        Command::Doctor => doctor::run(context),
        Command::Info => info::run(context),
        Command::Vaults => vaults::run(context),
        Command::Key(command) => key::run(context, command),
        Command::Migrate(args) => migrate::run(context, &args),
        Command::Verify(args) => verify::run(context, args),
        Command::Backup(args) => backup::run(context, &args),
        Command::Restore(args) => restore::run(context, &args),
        Command::Compact => compact::run(context),
        Command::Salvage(args) => salvage::run(context, &args),
    }
}

/// A key slot in JSON.
fn slot_json(slot: &Slot) -> Value {
    json!({
        "slot": slot.number,
        "kind": slot.kind.as_str(),
        "label": slot.label,
        "created_at": optional_time(slot.created_at),
        "strength": slot.strength(),
    })
}

/// Key slots in JSON.
fn slots_json(slots: &[Slot]) -> Value {
    slots.iter().map(slot_json).collect()
}

fn optional_time(time: Option<DateTime<Utc>>) -> Option<String> {
    time.map(json::time)
}

fn id_texts(ids: &[CredentialId]) -> Vec<&str> {
    ids.iter().map(CredentialId::as_str).collect()
}

/// A number of things, in words.
fn count(number: impl TryInto<u64>, one: &str, many: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A path in JSON. One that is not UTF-8 loses the bytes that are not.
fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
