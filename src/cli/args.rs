//! The command line as data.
//!
//! Says what can be written and how it is explained; resolves, opens and prints nothing. Values
//! of `set` are taken as they come and checked later, so that no message of the parser holds one.

mod copies;
mod direct;
mod earlier;
mod keys;
mod references;
mod set;
mod several;
mod tokens;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::copies::{BackupArgs, RestoreArgs, SalvageArgs, VerifyArgs};
pub(crate) use self::earlier::{ConfigArgs, DueArgs, HistoryArgs, OneId, PurgeArgs, UndoArgs};
pub(crate) use self::keys::{
    InitArgs, KeyAddArgs, KeyCommand, KeyRebindArgs, KeyRemoveArgs, KeyRotateArgs, KeyTrustArgs,
    NewKeyArgs, UnlockArgs,
};
pub(crate) use self::references::{InjectArgs, ReadArgs, RunArgs};
pub(crate) use self::set::{GenerateArgs, PolicyArgs, SetArgs, SourceArgs};
pub(crate) use self::several::{BatchArgs, CopyArgs, MoveArgs, RenameArgs, TagArgs, TagCommand};
pub(crate) use self::tokens::{EnsureArgs, RotateArgs, WatchArgs};
use super::raw::RawArguments;

/// What the long help says besides.
const REFERENCE: &str = "\
Environment:
  CREDB_VAULT, CREDB_KEY_FILE, CREDB_RECOVERY_FILE, CREDB_PASSPHRASE_FILE, CREDB_HOSTNAME,
  CREDB_WAIT and CREDB_NO_INPUT stand for the options of the same names; an empty one counts as unset.

Exit codes:
  0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 locked, 6 damaged, 7 busy, 8 file
  system, 9 invalid input, 10 `due --exit-code` found something, 130 interrupted; `run` has
  125 for all of these; `ensure` and `rotate` pass the exit code of their command on

Examples:
  credb init
  credb set mysql-prod --username root --generate
  credb get mysql-prod --field password
  credb list 'mysql-*'";

/// What the short help says besides.
const EXAMPLES: &str = "\
Examples:
  credb init
  credb set mysql-prod --username root --generate
  credb get mysql-prod --field password";

/// What the help of `doctor` says besides.
const DOCTOR_HELP: &str = "\
Exits with 1 if it finds something. Each finding has the command that mends it; nothing is changed.

Examples:
  credb doctor
  credb doctor --vault work --json";

/// What the help of `compact` says besides.
const COMPACT_HELP: &str = "\
Readers go on meanwhile, writers wait. Owner, group and permissions of the file are kept.

Examples:
  credb compact
  credb compact --vault work --wait 300";

/// Keeps credentials of one machine in one crash-safe file, for any number of processes at once.
#[derive(Parser)]
#[command(
    name = "credb",
    version,
    after_help = EXAMPLES,
    after_long_help = REFERENCE,
    arg_required_else_help = true,
    subcommand_required = true,
    args_override_self = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// What this command line says.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or the help that was asked for.
    pub(crate) fn of(raw: &RawArguments) -> Result<Self, clap::Error> {
        direct::parse(raw).map_or_else(|| Self::try_parse_from(raw.all()), Ok)
    }
}

/// Options that stand before or after the command.
#[derive(Args, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// A vault of the data directory by its name, or a file by a path with a `/`
    #[arg(long, global = true, value_name = "NAME|PATH")]
    pub(crate) vault: Option<OsString>,
    /// Unlock with this key file and try no other key
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) key_file: Option<PathBuf>,
    /// Unlock with the recovery code in this file and try no other key
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) recovery_file: Option<PathBuf>,
    /// Unlock with the passphrase in this file and try no other key
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Unlock with the passphrase read from this file descriptor and try no other key
    #[arg(long, global = true, value_name = "N")]
    pub(crate) passphrase_fd: Option<u32>,
    /// The host name to try a hostname slot with, instead of this host's
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// The longest wait for other processes in all, 0 for one try [default: 30]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) wait: Option<OsString>,
    /// Print one JSON document and shape errors as JSON; never ask
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print nothing on stderr but errors
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// Never ask: what would ask fails with exit code 2
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN")]
    pub(crate) color: Option<Color>,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On terminals, as `NO_COLOR` and `CLICOLOR_FORCE` say
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a vault
    Init(InitArgs),
    /// Add or update credentials
    #[command(visible_alias = "add", alias = "vault-add")]
    Set(Box<SetArgs>),
    /// Print a random password and store nothing
    Generate(GenerateArgs),
    /// Show credentials
    #[command(visible_alias = "show", alias = "vault-get")]
    Get(GetArgs),
    /// Print what a reference stands for
    Read(ReadArgs),
    /// Run a program with secrets in its environment
    Run(RunArgs),
    /// Fill a template with secrets
    Inject(InjectArgs),
    /// Print a password that is fresh, renewed by a command if need be
    Ensure(EnsureArgs),
    /// Change a password here and, by a command, where it is checked
    Rotate(Box<RotateArgs>),
    /// Print a line of JSON for each change, as it happens
    Watch(WatchArgs),
    /// List credentials, without secrets
    #[command(visible_aliases = ["ls", "find"], alias = "vault-list")]
    List(ListArgs),
    /// Remove credentials
    #[command(visible_alias = "rm", alias = "vault-remove")]
    Remove(RemoveArgs),
    /// Give a credential another id
    #[command(visible_alias = "mv", after_help = several::RENAME_HELP)]
    Rename(RenameArgs),
    /// Copy a credential to another id, or into another vault
    #[command(visible_alias = "cp", after_help = several::COPY_HELP)]
    Copy(CopyArgs),
    /// Show what a credential was before
    History(HistoryArgs),
    /// Go back to an earlier version, also of a removed credential
    Undo(UndoArgs),
    /// Forget a credential or its earlier versions for good
    Purge(PurgeArgs),
    /// Add or remove tags of a credential
    #[command(subcommand)]
    Tag(TagCommand),
    /// Do many things, one JSON object a line
    Batch(BatchArgs),
    /// List what expires and which passwords are too old
    Due(DueArgs),
    /// Show or change settings of the vault
    Config(ConfigArgs),
    /// Ask for the passphrase once, and keep the vault unlocked for a while
    #[command(after_help = "\
The kernel's keyring holds the key, for this user in all sessions, and nothing is written to disk.
Where there is none, as in many containers, and for cron, use a key file.

Examples:
  credb unlock             15 minutes
  credb unlock --for 8h    until the evening")]
    Unlock(UnlockArgs),
    /// End what unlock began
    Lock,
    /// Show what the vault is, what opens it and what is weak about it
    #[command(alias = "vault-info", after_help = "The old name vault-info works too.")]
    Info,
    /// Look for what is weak about the vault and where it lies
    #[command(after_help = DOCTOR_HELP)]
    Doctor,
    /// List the vaults of the data directory
    Vaults,
    /// Manage what opens the vault
    #[command(subcommand)]
    Key(KeyCommand),
    /// Take over the credentials of the predecessor's files
    Migrate(MigrateArgs),
    /// Check every page and row, and whether the vault was rolled back
    Verify(VerifyArgs),
    /// Write a sealed copy while others go on
    Backup(BackupArgs),
    /// Put a backup in the place of the vault, which is kept
    Restore(RestoreArgs),
    /// Give free space of the file back
    #[command(after_help = COMPACT_HELP)]
    Compact,
    /// Bring what is left of a damaged vault into a new one
    Salvage(SalvageArgs),
}

/// Arguments of `get`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  credb get mysql-prod                    the password masked
  credb get mysql-prod --field password   nothing but the password
  credb get tls --field key --raw -o key.pem
  credb get mysql-prod --at 3             as it was at version 3

The old name vault-get works too.")]
pub(crate) struct GetArgs {
    /// The credentials
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<OsString>,
    /// A credential, for ids that start with a dash: --id=-x
    #[arg(long = "id", value_name = "ID")]
    pub(crate) id_options: Vec<OsString>,
    /// Show the password and the extra fields
    #[arg(long)]
    pub(crate) show_password: bool,
    /// As it was at this version, as `credb history` shows it
    #[arg(long, value_name = "VERSION")]
    pub(crate) at: Option<u64>,
    /// Print only this field and a newline
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,
    /// Print the field without the newline
    #[arg(long, requires = "field")]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) out: OutArgs,
}

/// Where a secret goes instead of stdout.
#[derive(Args)]
pub(crate) struct OutArgs {
    /// Write to this file instead, whole or not at all; - is stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out_file: Option<PathBuf>,
    /// The permissions of that file [default: 0600]
    #[arg(long, value_name = "MODE", requires = "out_file")]
    pub(crate) file_mode: Option<OsString>,
}

/// Arguments of `list`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  credb list                      everything
  credb list 'db/*'               ids that match as a whole
  credb list prod --tag mysql     ids that contain prod, with a tag
  credb list --search ada         in ids, user names, descriptions and URLs
  credb list --expires-before 2w  what has expired or will within two weeks
  credb list --older-than 90d --sort age

The old name vault-list works too.")]
pub(crate) struct ListArgs {
    /// A part of the id, or with *, ? or [ a glob for the whole id
    #[arg(value_name = "PATTERN")]
    pub(crate) pattern: Option<OsString>,
    /// Only those with this text in id, user name, description or URL, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<OsString>,
    /// Only those with this tag
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Only those that have expired
    #[arg(long)]
    pub(crate) expired: bool,
    /// Only those that expire by then
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires_before: Option<String>,
    /// Only those whose password is older than this, such as 90d
    #[arg(long, value_name = "DURATION")]
    pub(crate) older_than: Option<String>,
    /// The order: id, updated (newest first), age (oldest password first), expires (soonest first)
    #[arg(long, value_name = "ORDER", default_value = "id", hide_possible_values = true)]
    pub(crate) sort: Order,
    /// Print nothing but the ids
    #[arg(long, conflicts_with = "long")]
    pub(crate) ids: bool,
    /// Show everything that is not secret
    #[arg(long)]
    pub(crate) long: bool,
}

/// The order of a list.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// By id, byte by byte
    Id,
    /// The last change first
    Updated,
    /// The oldest password first
    Age,
    /// What expires first, then what never does
    Expires,
}

/// Arguments of `remove`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  credb remove mysql-old             asks first
  credb remove --force a b           both or none, without asking

The old name vault-remove works too.")]
pub(crate) struct RemoveArgs {
    /// The credentials
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<OsString>,
    /// A credential, for ids that start with a dash: --id=-x
    #[arg(long = "id", value_name = "ID")]
    pub(crate) id_options: Vec<OsString>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Only if it is at this version
    #[arg(long, value_name = "N")]
    pub(crate) if_version: Option<u64>,
    /// Remove the others although some are missing
    #[arg(long)]
    pub(crate) ignore_missing: bool,
}

/// Arguments of `migrate`.
#[derive(Args)]
#[command(after_help = "\
Running it again changes nothing: what is there already is left as it is.

Examples:
  credb migrate --dry-run vya_backupbd.json
  credb migrate vya_backupbd.json --rewrite
  credb migrate vault.json.enc --source-hostname old-host

With --rewrite `credb inject -i vya_backupbd.json` gives the full configuration.")]
pub(crate) struct MigrateArgs {
    /// The predecessor's configuration or vault, under any name
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Show what would happen and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The host whose name opens vault.json.enc [default: this host]
    #[arg(long, value_name = "NAME")]
    pub(crate) source_hostname: Option<String>,
    /// What to do where another credential has the same id
    #[arg(long, value_name = "HOW", default_value = "fail")]
    pub(crate) on_conflict: Conflict,
    /// Take the good entries although others are refused
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Then put references in the place of the configuration's passwords, and keep it beside as it
    /// was
    #[arg(long)]
    pub(crate) rewrite: bool,
}

/// What to do where another credential has the same id.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Conflict {
    /// Change nothing at all
    Fail,
    /// Leave that one as it is
    Skip,
    /// Replace it
    Overwrite,
}

#[cfg(test)]
mod tests;
