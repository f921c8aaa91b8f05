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
second undo takes the first one back.

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
