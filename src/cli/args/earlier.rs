//! Arguments of the commands about earlier versions, the vault's settings and what is due.

use std::ffi::OsString;

use clap::Args;

/// One credential.
#[derive(Args)]
pub(crate) struct OneId {
    /// The credential
    #[arg(value_name = "ID")]
    pub(crate) id: Option<OsString>,
    /// The credential, for an id that starts with a dash: --id=-x
    #[arg(long = "id", value_name = "ID", conflicts_with = "id")]
    pub(crate) id_option: Option<OsString>,
}

/// Arguments of `history`.
#[derive(Args)]
#[command(after_help = "\
Ten earlier versions of each credential are kept, or as many as `credb config history.keep` says;
those of a removed one too.

Examples:
  credb history mysql-prod
  credb get mysql-prod --at 3 --field password
  credb undo mysql-prod --to 3")]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) id: OneId,
    /// Show the passwords and the extra fields
    #[arg(long)]
    pub(crate) show_password: bool,
}

/// Arguments of `undo`.
#[derive(Args)]
#[command(after_help = "\
It makes a new version with the content of the one before, also of a credential that was removed. A
second undo takes the first one back. A version of another credential that had this id before is
taken only if --to names it.

Examples:
  credb undo mysql-prod
  credb undo mysql-prod --to 3")]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    pub(crate) id: OneId,
    /// Go back to this version, as `credb history` shows it
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<u64>,
    /// Only if it is at this version; 0 if it is removed
    #[arg(long, value_name = "N")]
    pub(crate) if_version: Option<u64>,
}

/// Arguments of `purge`.
#[derive(Args)]
#[command(after_help = "\
Nothing brings it back but a backup. Sealed remains are in free space of the file until `credb
compact`, and in backups. If the id is added again, its versions begin again at 1.

Examples:
  credb purge mysql-old
  credb purge mysql-prod --history    keeps the credential as it is")]
pub(crate) struct PurgeArgs {
    #[command(flatten)]
    pub(crate) id: OneId,
    /// Forget its earlier versions alone
    #[arg(long)]
    pub(crate) history: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Arguments of `config`.
#[derive(Args)]
#[command(after_help = "\
Settings hold for everybody who uses the vault:
  history.keep      earlier versions kept of each credential, 0 to 1000 [default: 10]
  password.max_age  the age from which on a password is due, or never [default: never]
  rotation.max_age  the age from which on the vault's keys are due, or never [default: 365d]

Examples:
  credb config
  credb config password.max_age 90d
  credb config --unset history.keep")]
pub(crate) struct ConfigArgs {
    /// The setting to show or change
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Its value
    #[arg(value_name = "VALUE")]
    pub(crate) value: Option<OsString>,
    /// Go back to the default of this setting
    #[arg(long, value_name = "KEY", conflicts_with = "key")]
    pub(crate) unset: Option<String>,
}

/// Arguments of `due`.
#[derive(Args)]
#[command(after_help = "\
It lists what has expired or will, and with `credb config password.max_age` the passwords that are
too old or will be, the oldest first.

Examples:
  credb due
  credb due --within 0d --exit-code --quiet   exit code 10 if anything is due now")]
pub(crate) struct DueArgs {
    /// How far to look ahead, such as 30d [default: 14d]
    #[arg(long, value_name = "DURATION")]
    pub(crate) within: Option<String>,
    /// Exit with 10 if anything is due
    #[arg(long)]
    pub(crate) exit_code: bool,
}
