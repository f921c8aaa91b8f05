//! The command line as data.
//!
//! Says what can be written and how it is explained; resolves, opens and prints nothing. Values
//! of `set` are taken as they come and checked later, so that no message of the parser holds one.

mod several;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::several::{BatchArgs, MoveArgs, TagArgs, TagCommand};

/// What the long help says besides.
const REFERENCE: &str = "\
Environment:
  CREDB_VAULT, CREDB_KEY_FILE, CREDB_RECOVERY_FILE, CREDB_HOSTNAME, CREDB_WAIT and
  CREDB_NO_INPUT stand for the options of the same names; an empty one counts as unset.

Exit codes:
  0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 locked, 6 damaged, 7 busy, 8 file
  system, 9 invalid input, 130 interrupted; `run` has 125 for all of these

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
    /// List credentials, without secrets
    #[command(visible_aliases = ["ls", "find"], alias = "vault-list")]
    List(ListArgs),
    /// Remove credentials
    #[command(visible_alias = "rm", alias = "vault-remove")]
    Remove(RemoveArgs),
    /// Give a credential another id
    #[command(visible_alias = "mv", after_help = several::RENAME_HELP)]
    Rename(MoveArgs),
    /// Copy a credential to another id
    #[command(visible_alias = "cp", after_help = several::COPY_HELP)]
    Copy(MoveArgs),
    /// Add or remove tags of a credential
    #[command(subcommand)]
    Tag(TagCommand),
    /// Do many things, one JSON object a line
    Batch(BatchArgs),
    /// Show what the vault is, what opens it and what is weak about it
    #[command(alias = "vault-info", after_help = "The old name vault-info works too.")]
    Info,
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

/// Arguments of `init`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  credb init                            a secret of this machine opens it
  credb init --key file:/media/usb/key  a key file opens it, made if absent
  credb --vault work init               a second vault, named work")]
pub(crate) struct InitArgs {
    /// What opens the vault: machine, hostname or file: and a path
    #[arg(long, value_name = "KIND")]
    pub(crate) key: Option<OsString>,
}

/// Arguments of `set`.
#[derive(Args)]
#[command(after_help = "\
An option left out keeps what is stored. WHEN is 30s, 15m, 12h, 90d or 2w from now, a date such
as 2027-01-31 (00:00 UTC), a time such as 2027-01-31T08:00:00Z, or never.

Examples:
  credb set mysql-prod -u root              asks for the password
  pass-tool | credb set api --password-stdin
  credb set mysql-prod --generate --expires 90d
  credb set api --generate --if-absent --print   the one that is there, or a new one
  credb set -f many.json                    all of them or none

The old name vault-add works too.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct SetArgs {
    /// The credential
    #[arg(value_name = "ID")]
    pub(crate) id: Option<OsString>,
    /// The credential, for ids that start with a dash: --id=-x
    #[arg(long = "id", value_name = "ID", conflicts_with = "id")]
    pub(crate) id_option: Option<OsString>,
    /// The user name; an empty one unsets it
    #[arg(short, long, value_name = "NAME")]
    pub(crate) username: Option<OsString>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Keep every byte of what is read, also a final newline
    #[arg(long)]
    pub(crate) exact: bool,
    /// Let the password be empty
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Print the generated password, with --if-absent the one that is there already
    #[arg(long)]
    pub(crate) print: bool,
    /// What it is for
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) description: Option<OsString>,
    /// Where it is used
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<OsString>,
    /// A tag; those given replace all that are stored
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<OsString>,
    /// An extra secret, read from a file
    #[arg(long = "field-file", value_name = "NAME=PATH")]
    pub(crate) field_files: Vec<OsString>,
    /// An extra secret, visible to other users while this runs
    #[arg(long = "field", value_name = "NAME=VALUE")]
    pub(crate) fields: Vec<OsString>,
    /// When it expires
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<OsString>,
    /// Unset url, description, tags, expires or field:NAME
    #[arg(long, value_name = "WHAT")]
    pub(crate) unset: Vec<OsString>,
    /// Only if there is no such credential
    #[arg(long, conflicts_with = "if_version")]
    pub(crate) if_absent: bool,
    /// Only if it is at this version; 0 means that it must not exist
    #[arg(long, value_name = "N")]
    pub(crate) if_version: Option<u64>,
    /// Set many from a JSON array of credentials, - for stdin
    #[arg(short, long, value_name = "FILE", conflicts_with_all = [
        "id", "id_option", "username", "password_stdin", "password_file", "generate", "password",
        "exact", "allow_empty", "description", "url", "tags", "field_files", "fields", "expires",
        "unset", "if_absent", "if_version", "length", "kind",
    ])]
    pub(crate) from_file: Option<PathBuf>,
    /// With --from-file: keep the good entries although others are refused
    #[arg(long)]
    pub(crate) keep_going: bool,
}

/// Where the password comes from.
#[derive(Args, Default)]
#[group(multiple = false)]
pub(crate) struct SourceArgs {
    /// Read the password from stdin, without its final newline
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Read the password from a file, without its final newline
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Make a random password, of letters and digits if nothing else is said
    #[arg(
        long, value_name = "LENGTH", num_args = 0..=1, require_equals = true,
        value_parser = clap::value_parser!(u16).range(8..=1024),
    )]
    #[expect(clippy::option_option, reason = "the option, and its value")]
    pub(crate) generate: Option<Option<u16>>,
    /// The password itself, visible to other users while this runs
    #[arg(short, long, value_name = "VALUE")]
    pub(crate) password: Option<OsString>,
}

/// The heading of what a random password is made of.
const RANDOM: &str = "Random passwords";

/// What a random password is made of.
#[derive(Args, Default, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct PolicyArgs {
    /// How many characters, 8 to 1024 [default: 32]
    #[arg(
        long, value_name = "N", help_heading = RANDOM,
        value_parser = clap::value_parser!(u16).range(8..=1024),
    )]
    pub(crate) length: Option<u16>,
    /// Letters, digits and symbols, at least one of each kind
    #[arg(long, group = "kind", help_heading = RANDOM)]
    pub(crate) symbols: bool,
    /// Letters and digits, which is the default
    #[arg(long, group = "kind", help_heading = RANDOM)]
    pub(crate) alphanumeric: bool,
    /// Hexadecimal digits
    #[arg(long, group = "kind", help_heading = RANDOM)]
    pub(crate) hex: bool,
    /// Characters of base64
    #[arg(long, group = "kind", help_heading = RANDOM)]
    pub(crate) base64: bool,
    /// Words of the EFF's long list with dashes between them, 3 to 64
    #[arg(
        long, value_name = "N", group = "kind", conflicts_with = "length", help_heading = RANDOM,
        value_parser = clap::value_parser!(u16).range(3..=64),
    )]
    pub(crate) words: Option<u16>,
}

impl PolicyArgs {
    /// Whether any of it was said.
    pub(crate) fn is_given(&self) -> bool {
        self.length.is_some()
            || self.words.is_some()
            || [self.symbols, self.alphanumeric, self.hex, self.base64].contains(&true)
    }
}

/// Arguments of `generate`.
#[derive(Args)]
#[command(after_help = "\
The randomness is the system's. No vault is opened and nothing is stored.

Examples:
  credb generate                        32 letters and digits, 190 bits
  credb generate --length 20 --symbols
  credb generate --words 6              77 bits that can be typed
  credb set api --generate --hex --length 64")]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

/// Arguments of `get`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  credb get mysql-prod                    the password masked
  credb get mysql-prod --field password   nothing but the password
  credb get tls --field key --raw -o key.pem

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
    /// Print only this field and a newline
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,
    /// Print the field without the newline
    #[arg(long, requires = "field")]
    pub(crate) raw: bool,
    /// Write to this file instead, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out_file: Option<PathBuf>,
    /// The permissions of that file [default: 0600]
    #[arg(long, value_name = "MODE", requires = "out_file")]
    pub(crate) file_mode: Option<OsString>,
}

/// Arguments of `read`.
#[derive(Args)]
#[command(after_help = "\
A reference is credb://ID or credb://ID#FIELD; no field means the password. In an id # ? % and
white space are percent-encoded.

Examples:
  credb read credb://mysql-prod
  credb read 'credb://mysql-prod#username'
  credb read 'credb://tls#key' --raw -o key.pem")]
pub(crate) struct ReadArgs {
    /// What to print
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: OsString,
    /// Print it without a newline
    #[arg(long)]
    pub(crate) raw: bool,
    /// Write to this file instead, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out_file: Option<PathBuf>,
    /// The permissions of that file [default: 0600]
    #[arg(long, value_name = "MODE", requires = "out_file")]
    pub(crate) file_mode: Option<OsString>,
}

/// Arguments of `run`.
#[derive(Args)]
#[command(after_help = "\
Every variable that was inherited and is a reference (credb://ID or credb://ID#FIELD), every --env
and every reference in an --env-file is resolved, out of one state of the vault. If one of them
fails, nothing starts. Otherwise the command takes the place of credb, so its signals, terminal and
exit code are its own. Failures of credb exit with 125; 127 means that there is no such command, 126
that it cannot be run.

Examples:
  credb run --env MYSQL_PWD=credb://mysql-prod -- mysqldump --all-databases
  credb run --env-file app.env -- ./app
  DB_PASSWORD=credb://mysql-prod credb run -- ./app")]
pub(crate) struct RunArgs {
    /// Set a variable to what a reference stands for; counts more than --env-file
    #[arg(long, value_name = "NAME=REFERENCE")]
    pub(crate) env: Vec<OsString>,
    /// Set the variables of a file with a NAME=VALUE a line; the last one counts
    #[arg(long = "env-file", value_name = "FILE")]
    pub(crate) env_files: Vec<PathBuf>,
    /// Resolve no references of the inherited environment
    #[arg(long)]
    pub(crate) only_listed: bool,
    /// What to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// Arguments of `inject`.
#[derive(Args)]
#[command(after_help = "\
References stand bare, credb://mysql-prod, or in braces, {{ credb://mysql-prod#username }}. Bare
ones end before the first character that is not a letter, a digit or one of -_./@:+=~%#?

Examples:
  credb inject -i app.conf.in -o app.conf   mode 0600, whole or not at all
  credb inject -i app.conf.in               to stdout")]
pub(crate) struct InjectArgs {
    /// The template, - for stdin [default: stdin]
    #[arg(short, long, value_name = "TEMPLATE")]
    pub(crate) in_file: Option<PathBuf>,
    /// The file to write, replaced as a whole [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out_file: Option<PathBuf>,
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
    /// Print nothing but the ids
    #[arg(long, conflicts_with = "long")]
    pub(crate) ids: bool,
    /// Show everything that is not secret
    #[arg(long)]
    pub(crate) long: bool,
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

/// What `key` does.
#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// List what opens the vault
    #[command(visible_alias = "ls")]
    List,
    /// Add something that opens the vault
    #[command(after_help = "\
Examples:
  credb key add recovery              prints a code once: write it down
  credb key add file:/media/usb/key   a key file, made if absent")]
    Add(KeyAddArgs),
    /// Remove something that opens the vault
    #[command(visible_alias = "rm")]
    Remove(KeyRemoveArgs),
}

/// Arguments of `key add`.
#[derive(Args)]
pub(crate) struct KeyAddArgs {
    /// machine, hostname, recovery, or file: and a path
    #[arg(value_name = "KIND")]
    pub(crate) kind: OsString,
    /// Words to know it by
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
}

/// Arguments of `key remove`.
#[derive(Args)]
pub(crate) struct KeyRemoveArgs {
    /// The slot's number, as `credb key list` shows it
    #[arg(value_name = "SLOT")]
    pub(crate) slot: u32,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Arguments of `migrate`.
#[derive(Args)]
#[command(after_help = "\
Running it again changes nothing: what is there already is left as it is.

Examples:
  credb migrate --dry-run vya_backupbd.json
  credb migrate vault.json.enc --source-hostname old-host")]
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

/// Arguments of `verify`.
#[derive(Args)]
#[command(after_help = "\
It prints what it checked and a state token. Kept elsewhere, the token of today finds out later
whether somebody put an older file, or another one, in the place of the vault. The pages of the
file are checked where it can be written; writers wait for that, readers do not.

Examples:
  credb verify
  credb verify --expect credb1-0123456789abcdef-42-0123456789abcdef0123456789abcdef
  credb verify --json --vault ./copy.redb")]
pub(crate) struct VerifyArgs {
    /// Fail if the vault is older than the state with this token, or another
    #[arg(long, value_name = "TOKEN")]
    pub(crate) expect: Option<OsString>,
}

/// Arguments of `backup`.
#[derive(Args)]
#[command(after_help = "\
The copy is one state of the vault, sealed as the vault is. It appears under its name when it is
whole, synced and verified. DEST is a file, also without a /.

Examples:
  credb backup /mnt/backup/credb.redb
  credb backup today.redb --overwrite")]
pub(crate) struct BackupArgs {
    /// The file to make
    #[arg(value_name = "DEST")]
    pub(crate) destination: PathBuf,
    /// Take the place of the file that is there
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// Arguments of `restore`.
#[derive(Args)]
#[command(after_help = "\
FILE is opened with the keys at hand and verified before anything changes. Afterwards the secret of
this machine opens the vault too. The vault that is replaced is kept beside it, under the name that
is printed; processes that have it open go on with the new one. FILE is a file, also without a /.

Examples:
  credb restore /mnt/backup/credb.redb
  credb restore credb.redb --recovery-file code.txt   on another machine
  credb restore --force --vault work credb.redb       without asking")]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Do not ask before a vault is replaced
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Arguments of `salvage`.
#[derive(Args)]
#[command(after_help = "\
DAMAGED is only read. What is lost, or older than it was, is listed, and the exit code is then 1.
The keys of the damaged vault are not taken over: the secret of this machine opens the new one.
All three are files, also without a /.

Examples:
  credb salvage damaged.redb new.redb
  credb salvage damaged.redb new.redb --keys-from last-backup.redb
  credb salvage damaged.redb new.redb --recovery-file code.txt")]
pub(crate) struct SalvageArgs {
    /// The damaged vault
    #[arg(value_name = "DAMAGED")]
    pub(crate) damaged: PathBuf,
    /// The vault to make, where nothing is yet
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// An older copy of the same vault, where the keys of the damaged one are lost
    #[arg(long, value_name = "BACKUP")]
    pub(crate) keys_from: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
