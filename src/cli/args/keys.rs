//! Arguments of the commands that make keys.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `init`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  credb init                            a secret of this machine opens it
  credb init --key file:/media/usb/key  a key file opens it, made if absent
  credb init --key passphrase           a passphrase opens it, asked for twice
  credb --vault work init               a second vault, named work")]
pub(crate) struct InitArgs {
    /// What opens the vault: machine, hostname, passphrase, or file: and a path
    #[arg(long, value_name = "KIND")]
    pub(crate) key: Option<OsString>,
    #[command(flatten)]
    pub(crate) new: NewKeyArgs,
}

/// What a new passphrase is and costs.
#[derive(Args, Default)]
pub(crate) struct NewKeyArgs {
    /// Take the new passphrase from this file
    #[arg(long, value_name = "PATH")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
    /// Take the new passphrase from this file descriptor
    #[arg(long, value_name = "N", conflicts_with = "new_passphrase_file")]
    pub(crate) new_passphrase_fd: Option<u32>,
    /// The memory in MiB and the passes over it that each guess at it costs [default: 64,3]
    #[arg(long, value_name = "MIB,PASSES")]
    pub(crate) kdf_cost: Option<String>,
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
  credb key add file:/media/usb/key   a key file, made if absent
  credb key add passphrase            a passphrase, asked for twice

A passphrase comes from --new-passphrase-file or --new-passphrase-fd, else from --passphrase-file or
--passphrase-fd on the command line (other keys then open the vault), else from the terminal.")]
    Add(KeyAddArgs),
    /// Make a hostname slot one of this host's present name
    #[command(after_help = "\
Opens with any key; with the former name: --hostname OLD.

Examples:
  credb key rebind --hostname old-name
  credb key rebind 2")]
    Rebind(KeyRebindArgs),
    /// Know the vault that is at its path now, in the place of the one before
    #[command(after_help = "\
Which vault is at which path is kept beside the machine secret. A vault that was made, restored or
salvaged is known; after one was moved or copied there by hand, say so with this.")]
    Trust(KeyTrustArgs),
    /// Remove something that opens the vault
    #[command(visible_alias = "rm")]
    Remove(KeyRemoveArgs),
    /// Seal everything again under new keys, while the vault is in use
    #[command(after_help = "\
Others read and write meanwhile. It can be stopped at any time: running it again goes on, here or
by anybody else who opens the vault. With --vault-key, a key slot that was removed opens no copy
that is made from then on.")]
    Rotate(KeyRotateArgs),
}

/// Arguments of `key rotate`.
#[derive(Args)]
pub(crate) struct KeyRotateArgs {
    /// Make a new vault key too, and wrap it for all slots
    #[arg(long)]
    pub(crate) vault_key: bool,
    /// Remove this slot instead of wrapping the new vault key for it
    #[arg(long, value_name = "SLOT", requires = "vault_key")]
    pub(crate) drop_slot: Vec<u32>,
}

/// Arguments of `key add`.
#[derive(Args)]
pub(crate) struct KeyAddArgs {
    /// machine, hostname, recovery, passphrase, or file: and a path
    #[arg(value_name = "KIND")]
    pub(crate) kind: OsString,
    /// Words to know it by
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    #[command(flatten)]
    pub(crate) new: NewKeyArgs,
}

/// Arguments of `key rebind`.
#[derive(Args)]
pub(crate) struct KeyRebindArgs {
    /// The slot's number, where there are several hostname slots
    #[arg(value_name = "SLOT")]
    pub(crate) slot: Option<u32>,
}

/// Arguments of `key trust`.
#[derive(Args)]
pub(crate) struct KeyTrustArgs {
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
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

/// Arguments of `unlock`.
#[derive(Args)]
pub(crate) struct UnlockArgs {
    /// For how long, such as 30s, 15m, 8h or 7d, at most 30d [default: 15m]
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) time: Option<String>,
}
