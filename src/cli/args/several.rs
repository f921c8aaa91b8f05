//! Arguments of the commands that move credentials, tag them, or do many things at once.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What the help of `rename` says besides.
pub(super) const RENAME_HELP: &str = "\
The credential stays the same one: its version goes on, the time of its password is kept.

Examples:
  credb rename mysql-1 db/mysql
  credb rename --force mysql-1 db/mysql   in the place of another one
  credb rename mysql-1 db/mysql --if-version 3";

/// What the help of `copy` says besides.
pub(super) const COPY_HELP: &str = "\
The copy is a credential of its own; the time of the password is kept. Another vault is opened with
the key that is asked for, if one is, and with those at hand; --to-key-file and --to-passphrase-file
name the one key to try there.

Examples:
  credb copy mysql-1 db/mysql
  credb copy --force mysql-1 db/mysql   in the place of another one
  credb copy mysql-1 --to work          into another vault, under the same id
  credb copy mysql-1 db/mysql --to ./other.redb --to-key-file ./other.key";

/// Arguments of `rename`.
#[derive(Args)]
pub(crate) struct RenameArgs {
    #[command(flatten)]
    pub(crate) ids: MoveArgs,
    /// Only if OLD is at this version
    #[arg(long, value_name = "N")]
    pub(crate) if_version: Option<u64>,
}

/// Arguments of `copy`.
#[derive(Args)]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    pub(crate) ids: MoveArgs,
    /// Copy into this vault, named as for --vault; without NEW under the same id
    #[arg(long, value_name = "VAULT")]
    pub(crate) to: Option<OsString>,
    /// Unlock that vault with this key file and try no other key
    #[arg(long, value_name = "PATH", requires = "to", conflicts_with = "to_passphrase_file")]
    pub(crate) to_key_file: Option<PathBuf>,
    /// Unlock that vault with the passphrase in this file and try no other key
    #[arg(long, value_name = "PATH", requires = "to")]
    pub(crate) to_passphrase_file: Option<PathBuf>,
}

/// What `rename` and `copy` are about.
#[derive(Args)]
pub(crate) struct MoveArgs {
    /// The credential, and the id for it
    #[arg(value_names = ["OLD", "NEW"], num_args = 0..=2)]
    pub(crate) ids: Vec<OsString>,
    /// One of the two, for ids that start with a dash: --id=-x
    #[arg(long = "id", value_name = "ID")]
    pub(crate) id_options: Vec<OsString>,
    /// Take the place of another credential
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// What `tag` does.
#[derive(Subcommand)]
pub(crate) enum TagCommand {
    /// Add tags to those that are there
    #[command(after_help = "\
Examples:
  credb tag add db/mysql prod nightly")]
    Add(TagArgs),
    /// Remove tags, if they are there
    #[command(
        visible_alias = "rm",
        after_help = "\
Examples:
  credb tag remove db/mysql nightly"
    )]
    Remove(TagArgs),
}

/// Arguments of `tag add` and `tag remove`.
#[derive(Args)]
pub(crate) struct TagArgs {
    /// The credential and its tags; with --id, tags alone
    #[arg(value_names = ["ID", "TAG"], num_args = 0..)]
    pub(crate) words: Vec<OsString>,
    /// The credential, for ids that start with a dash: --id=-x
    #[arg(long = "id", value_name = "ID")]
    pub(crate) id_option: Option<OsString>,
}

/// Arguments of `batch`.
#[derive(Args)]
#[command(after_help = "\
Each line is answered by one line, in order. A line is one of
  {\"op\":\"set\",\"id\":ID,\"password\":...,\"if_version\":N}   as set --from-file, or if_absent
  {\"op\":\"get\",\"id\":ID}                                 answered with the secrets
  {\"op\":\"remove\",\"id\":ID,\"if_version\":N}
  {\"op\":\"rename\",\"id\":ID,\"to\":ID,\"if_version\":N,\"force\":true}
  {\"op\":\"list\",\"pattern\":...,\"search\":...,\"tag\":...}

Examples:
  credb batch lines.jsonl           all of them or none
  credb batch --each                each line durable when it is answered
  credb batch --chunk 10000 lines.jsonl")]
pub(crate) struct BatchArgs {
    /// The lines, - or nothing for stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Each line on its own, answered at once: for a script that keeps one process open
    #[arg(long)]
    pub(crate) each: bool,
    /// Transactions of this many lines, up to the first that fails
    #[arg(
        long, value_name = "LINES", conflicts_with = "each",
        value_parser = clap::value_parser!(u64).range(1..),
    )]
    pub(crate) chunk: Option<u64>,
}
