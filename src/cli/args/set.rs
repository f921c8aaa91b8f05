//! Arguments of the commands that make and store secrets.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

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
