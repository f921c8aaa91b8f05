//! What to do about an error: a command line that mends it or shows more.
//!
//! Every command named here stands in backticks and parses with this program; values of `set` are
//! never repeated.

use std::ffi::OsStr;
use std::path::Path;

use credb::{Attempt, CredentialId, Error};

/// Root's data directory, where `sudo` finds vaults.
pub(crate) const ROOT_DATA: &str = "/var/lib/credb";

/// What a hint depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    /// The command that was given.
    pub(crate) verb: Option<String>,
    /// The value of `--vault`, to be repeated in every hint.
    pub(crate) vault: Option<String>,
    /// The vault's name where it came from the environment, which `sudo` drops.
    pub(crate) environment_vault: Option<String>,
    /// Whether root may have a vault that this user looked for in vain.
    pub(crate) root_may_have_it: bool,
    /// The arguments as they were, if they may be repeated.
    pub(crate) repeatable: Option<Vec<String>>,
    /// The options that name a key, where they are not those of every command.
    pub(crate) key_options: Option<&'static str>,
}

impl Hints {
    /// The same hints for the vault in another file.
    pub(crate) fn of_file(&self, path: &Path) -> Self {
        let text = path.to_string_lossy();
        let vault = if text.contains('/') { text.into_owned() } else { format!("./{text}") };
        let vault = Some(vault);
        Self { vault, environment_vault: None, root_may_have_it: false, ..self.clone() }
    }

    /// A command line of this program for the vault in use.
    pub(crate) fn command(&self, rest: &str) -> String {
        match &self.vault {
            Some(vault) => format!("credb {rest} --vault {}", quote(vault)),
            None => format!("credb {rest}"),
        }
    }

    /// A command line about one credential.
    pub(crate) fn about(&self, verb: &str, id: &str, options: &str) -> String {
        let quoted = quote(id);
        let words = |words: [&str; 3]| {
            words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        };
        if id.starts_with('-') {
            return format!("{} -- {quoted}", self.command(&words([verb, options, ""])));
        }
        self.command(&words([verb, &quoted, options]))
    }

    /// What to do about a wrong command line.
    pub(crate) fn for_usage(&self) -> Option<String> {
        self.verb.as_ref().map(|verb| format!("`credb help {verb}`"))
    }

    /// What to do about an error of the library.
    pub(crate) fn for_error(&self, error: &Error) -> Option<String> {
        match error {
            Error::VaultNotFound { .. } => Some(self.no_vault()),
            Error::VaultExists { .. } => Some(self.see("what it is", "info")),
            Error::NotFound { .. } | Error::OutcomeUnknown { .. } => {
                Some(self.see("what is there", "list"))
            }
            Error::VersionNotFound { id, .. } | Error::NoEarlierVersion { id } => {
                let command = self.about("history", id.as_str(), "");
                Some(format!("see what is kept with `{command}`"))
            }
            Error::SlotNotFound { .. } => Some(self.see("the slots", "key list")),
            Error::LastSlot { .. } => {
                Some(format!("add another key first: `{}`", self.command("key add recovery")))
            }
            Error::VersionMismatch { actual: 0, .. } => Some(self.see("what is there", "list")),
            Error::FieldNotFound { id, .. }
            | Error::NotPending { id }
            | Error::AlreadyExists { id, .. }
            | Error::VersionMismatch { id, .. } => Some(self.see_credential(id)),
            Error::Pending { id, .. } => Some(self.pending(id, "")),
            Error::Locked { attempts, .. } => Some(self.locked(attempts)),
            Error::KeyUnusable { remedy, .. } => {
                remedy.as_ref().map(|remedy| format!("`{remedy}`"))
            }
            Error::ForeignLocked { path, .. } => Some(format!(
                "name the host that it comes from: `{}`",
                self.command(&format!("migrate {} --source-hostname NAME", quote_path(path)))
            )),
            Error::Corrupt { .. } => self.damaged(),
            Error::NotAVault { path, .. } => not_a_vault(path),
            Error::OtherVault { .. } => Some(format!(
                "if you know why it is another: `{}`; if not, somebody may have put it there",
                self.command("key trust")
            )),
            Error::KnownVaultsDamaged { path, .. } => Some(format!(
                "`rm {}` forgets them all; each is known again when it is opened",
                quote_path(path)
            )),
            Error::Busy { .. } => Some(self.busy()),
            Error::UnsupportedFileSystem { .. } => Some(format!(
                "if nobody else uses it at the same time: `CREDB_ALLOW_NETWORK_FS=1 {}`",
                self.command("info")
            )),
            _ => None,
        }
    }

    fn see(&self, what: &str, command: &str) -> String {
        format!("see {what} with `{}`", self.command(command))
    }

    fn locked(&self, attempts: &[Attempt]) -> String {
        if let Some(remedy) = attempts.iter().find_map(|attempt| attempt.remedy.as_ref()) {
            return format!("`{remedy}`");
        }
        let is_hostname = |attempt: &&Attempt| attempt.key.starts_with("host name ");
        if attempts.iter().any(|attempt| is_hostname(&attempt) && attempt.reason == "wrong key") {
            let command = self.command("key rebind --hostname OLD_NAME");
            return format!("if this host had another name: `{command}`");
        }
        let command = self.command("info");
        let options =
            self.key_options.unwrap_or("--key-file, --recovery-file or --passphrase-file");
        format!("`{command}` shows which keys open it; name one with {options}")
    }

    fn damaged(&self) -> Option<String> {
        match self.verb.as_deref() {
            // It may be the predecessor's file that is damaged.
            Some("migrate") => None,
            Some("verify") => Some(
                "put a backup in its place with `credb restore FILE`, or bring what is left into \
                 a new vault with `credb salvage DAMAGED NEW`"
                    .to_owned(),
            ),
            _ => Some(self.see("all that is damaged", "verify")),
        }
    }

    /// How a rotation that is half done is brought to an end; `options` are those that it was
    /// begun with, each after a space.
    pub(crate) fn pending(&self, id: &CredentialId, options: &str) -> String {
        format!(
            "`{} -- COMMAND` tries once more; if the service has it `{}`, else `{}`",
            self.rotate(id, &format!("--resume{options}")),
            self.rotate(id, &format!("--accept{options}")),
            self.rotate(id, "--abandon")
        )
    }

    /// How a rotation is brought to an end whose command succeeded.
    pub(crate) fn accept(&self, id: &CredentialId, options: &str) -> String {
        let command = self.rotate(id, &format!("--accept{options}"));
        format!("the service has it: `{command}` makes it the present one")
    }

    /// Where a credential may be that is not there any more.
    pub(crate) fn gone(&self, id: &CredentialId) -> String {
        format!(
            "if it was removed, `{}` brings it back with both passwords; if not, see its new id \
             with `{}`",
            self.about("undo", id.as_str(), ""),
            self.command("list")
        )
    }

    fn rotate(&self, id: &CredentialId, option: &str) -> String {
        let id = id.as_str();
        let quoted = if id.starts_with('-') { format!("--id={}", quote(id)) } else { quote(id) };
        self.command(&format!("rotate {quoted} {option}"))
    }

    fn see_credential(&self, id: &CredentialId) -> String {
        format!("see it with `{}`", self.about("get", id.as_str(), ""))
    }

    fn no_vault(&self) -> String {
        if !self.root_may_have_it {
            return format!("make one with `{}`", self.command("init"));
        }
        let command = self.repeatable.as_ref().map(|words| match &self.environment_vault {
            Some(vault) => command_line(&with_option(words, "--vault", vault)),
            None => command_line(words),
        });
        let command = command.unwrap_or_else(|| match &self.environment_vault {
            Some(vault) => format!("credb list --vault {}", quote(vault)),
            None => self.command("list"),
        });
        format!("root has vaults here: `sudo {command}`")
    }

    /// The command line once more, with this value of an option.
    pub(crate) fn repeat_with(&self, option: &str, value: &str) -> Option<String> {
        let words = self.repeatable.as_ref()?;
        Some(command_line(&with_option(words, option, value)))
    }

    fn busy(&self) -> String {
        match self.repeat_with("--wait", "300") {
            Some(command) => format!("wait longer with `{command}`"),
            None => "wait longer with --wait SECONDS".to_owned(),
        }
    }
}

/// The words with this value of an option, in the place of another one.
fn with_option(words: &[String], option: &str, value: &str) -> Vec<String> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (before, after) = words.split_at(end);
    let mut changed = Vec::with_capacity(words.len() + 2);
    let mut before = before.iter();
    while let Some(word) = before.next() {
        if word == option {
            before.next();
        } else if word.strip_prefix(option).is_none_or(|rest| !rest.starts_with('=')) {
            changed.push(word.clone());
        }
    }
    changed.extend([option.to_owned(), value.to_owned()]);
    changed.extend(after.iter().cloned());
    changed
}

/// The command line of this program with these words.
fn command_line(words: &[String]) -> String {
    std::iter::once("credb".to_owned())
        .chain(words.iter().map(|word| quote(word)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn not_a_vault(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    if !["enc", "json"].iter().any(|ending| name.ends_with(ending)) {
        return None;
    }
    Some(format!("to take over the predecessor's file: `credb migrate {}`", quote_path(path)))
}

/// A word as a shell takes it.
pub(crate) fn quote(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "_@%+=:,./-~".contains(character);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A path as a shell takes it, never to be taken for an option.
pub(crate) fn quote_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_option = path.as_os_str().to_string_lossy().starts_with('-');
    if is_option { quote(&format!("./{text}")) } else { quote(&text) }
}

/// What to write instead of a `--vault` value that is neither a name nor a path.
pub(crate) fn vault_as_path(value: &OsStr) -> Option<String> {
    let text = value.to_str()?;
    if text.starts_with('~') || !text.contains('/') {
        let command = format!("credb --vault {} list", quote(&format!("./{text}")));
        return Some(format!("to name a file of the working directory: `{command}`"));
    }
    None
}

#[cfg(test)]
mod tests;
