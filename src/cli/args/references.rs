//! Arguments of the commands that resolve references.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::OutArgs;

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
    #[command(flatten)]
    pub(crate) out: OutArgs,
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
Right behind a word, as in -p{{ credb://mysql-prod }}, braces are needed.
In a template that is JSON they stand in strings, not in names of members, and secrets are escaped
as those want it.

Examples:
  credb inject -i app.conf.in -o app.conf   mode 0600, whole or not at all
  credb inject -i app.conf.in -o app.conf --file-mode 0640
  credb inject -i app.conf.in               to stdout")]
pub(crate) struct InjectArgs {
    /// The template, - for stdin [default: stdin]
    #[arg(short, long, value_name = "TEMPLATE")]
    pub(crate) in_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) out: OutArgs,
}
