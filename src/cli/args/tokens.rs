//! Arguments of the commands that keep tokens fresh and watch what changes.

use std::ffi::OsString;

use clap::Args;

use super::PolicyArgs;

/// Arguments of `ensure`.
#[derive(Args)]
#[command(after_help = "\
A fresh password is printed at once. Otherwise one of all callers runs COMMAND, stores what it
prints (without one final newline) and the others get the same. If COMMAND fails, all of them fail
with its exit code and the old password stays. 124 means that it took longer than --timeout, 126 and
127 that it cannot be run; other failures have credb's codes, and the message tells whose it is.
With --output-json COMMAND prints {\"password\":...} and, if it likes, username, fields and
expires_at. SPAN is 30s, 50m, 12h, 90d or 2w.

Examples:
  credb ensure api/token --max-age 50m -- ./fetch-token
  credb ensure aws --max-age 12h --before-expiry 5m --output-json -- ./assume-role")]
pub(crate) struct EnsureArgs {
    /// The credential, which need not exist
    #[arg(value_name = "ID")]
    pub(crate) id: Option<OsString>,
    /// The credential, for ids that start with a dash: --id=-x
    #[arg(long = "id", value_name = "ID", conflicts_with = "id")]
    pub(crate) id_option: Option<OsString>,
    /// How old a fresh password may be
    #[arg(long, value_name = "SPAN")]
    pub(crate) max_age: OsString,
    /// Renew a password that expires within this time too
    #[arg(long, value_name = "SPAN")]
    pub(crate) before_expiry: Option<OsString>,
    /// Seconds until COMMAND is ended, and to wait for that of another caller [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<OsString>,
    /// COMMAND prints JSON
    #[arg(long)]
    pub(crate) output_json: bool,
    /// When a new password expires [default: never, or what the JSON says]
    #[arg(long, value_name = "WHEN", conflicts_with = "output_json")]
    pub(crate) expires: Option<OsString>,
    /// Let COMMAND read the input of this process instead of nothing
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Print the password without a newline
    #[arg(long)]
    pub(crate) raw: bool,
    /// What prints a new password, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// Arguments of `watch`.
#[derive(Args)]
#[command(after_help = "\
A line of JSON for each change: id, version, what (added, updated, renamed with from, removed) and
updated_at. Several changes of one credential in short order may be one line; the last state of
each is always told. Goes on until Ctrl-C, or until nobody reads any more.

Examples:
  credb watch
  credb watch api/token 'db/*' --initial
  credb watch api/token --timeout 60 | head -1   the next change, within a minute")]
pub(crate) struct WatchArgs {
    /// Ids, or with *, ? or [ globs for whole ids [default: all]
    #[arg(value_name = "ID|PATTERN")]
    pub(crate) patterns: Vec<OsString>,
    /// A credential, for ids that start with a dash or look like a glob: --id=-x
    #[arg(long = "id", value_name = "ID")]
    pub(crate) id_options: Vec<OsString>,
    /// Begin with a line for each credential that is there
    #[arg(long)]
    pub(crate) initial: bool,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<OsString>,
}

/// Arguments of `rotate`.
#[derive(Args)]
#[command(after_help = "\
The new password is stored as pending before COMMAND starts, and takes the place of the old one if
COMMAND succeeds. COMMAND finds the old one in the file that $CREDB_OLD names and the new one in
$CREDB_NEW, without a newline, and the id in $CREDB_ID. If it fails, its exit code is passed on and
the new password stays pending, since the service may have it already: --resume runs a command with
the same two passwords, --accept takes the new one, --abandon forgets it.

Examples:
  credb rotate db/mysql --expires 90d -- ./change-password
  credb rotate db/mysql --resume -- ./change-password
  credb rotate db/mysql --accept")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct RotateArgs {
    /// The credential
    #[arg(value_name = "ID")]
    pub(crate) id: Option<OsString>,
    /// The credential, for ids that start with a dash: --id=-x
    #[arg(long = "id", value_name = "ID", conflicts_with = "id")]
    pub(crate) id_option: Option<OsString>,
    /// Make a random password, which is the default, of so many characters
    #[arg(
        long, value_name = "LENGTH", num_args = 0..=1, require_equals = true,
        value_parser = clap::value_parser!(u16).range(8..=1024),
    )]
    #[expect(clippy::option_option, reason = "the option, and its value")]
    pub(crate) generate: Option<Option<u16>>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// When the new password expires [default: never]
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<OsString>,
    /// Seconds until COMMAND is ended [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<OsString>,
    /// Let COMMAND read the input of this process instead of nothing
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Run COMMAND for the password that is pending
    #[arg(long, group = "step")]
    pub(crate) resume: bool,
    /// Put the pending password in the place of the old one
    #[arg(long, group = "step")]
    pub(crate) accept: bool,
    /// Forget the pending password
    #[arg(long, group = "step")]
    pub(crate) abandon: bool,
    /// What makes the new password known, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
