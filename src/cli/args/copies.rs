//! Arguments of the commands that check, copy and mend whole vaults.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

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
