//! A vault in a work tree of git: one `git add .` away from being published.
//!
//! Looks upwards for `.git`, and only where there is one asks git whether it tracks or ignores the
//! vault. Where git is not there or does not answer, nothing else is read.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Finding;
use crate::cli::child::{self, Bounds, End};
use crate::cli::hints::{quote, quote_path};

/// How long git may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that it may print.
const MOST: usize = 65_536;

/// The finding, if the vault is in a work tree and not ignored there.
pub(super) fn find(vault: &Path) -> Option<Finding> {
    let directory = vault.parent()?;
    let name = vault.file_name()?;
    directory.ancestors().find(|directory| directory.join(".git").exists())?;
    let path = quote_path(directory);
    let text = name.to_string_lossy();
    match answer(directory, &["check-ignore", "--quiet", "--"], name) {
        Some(0) => return None,
        Some(1) if is_tracked(directory, name) => {
            let command = format!("git -C {path} rm --cached -- {}", quote(&text));
            let message = "git tracks the vault: what was committed stays in the history";
            return Some(Finding::new("in_git", message, command));
        }
        _ => {}
    }
    let message = "the vault lies in a work tree of git that is not known to ignore it";
    let pattern = quote(&format!("/{text}*"));
    let command = format!("echo {pattern} >> {}", quote_path(&directory.join(".gitignore")));
    Some(Finding::new("in_git", message, command))
}

fn is_tracked(directory: &Path, name: &OsStr) -> bool {
    // A name may look like a pattern.
    let words = ["--literal-pathspecs", "ls-files", "--error-unmatch", "--"];
    answer(directory, &words, name) == Some(0)
}

/// The exit code of git, if it gave one.
fn answer(directory: &Path, words: &[&str], name: &OsStr) -> Option<u8> {
    let mut command = Command::new("git");
    // A work tree can name a program that git starts by itself to learn what changed.
    command.args(["-c", "core.fsmonitor=false", "-C"]).arg(directory).args(words).arg(name);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"] {
        command.env_remove(name);
    }
    command.stderr(Stdio::null());
    let bounds = Bounds { time: PATIENCE, output: Some(MOST), stdin: false };
    match child::run(command, &bounds).ok()? {
        End::Done(_) => Some(0),
        End::Failed(code) => Some(code),
        _ => None,
    }
}
