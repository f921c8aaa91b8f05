//! The global options resolved: flags, then the environment, then defaults.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{Color, GlobalArgs};
use super::output::{Chatter, Form};
use super::report::Failure;

/// The longest wait for other processes that can be asked for, in seconds.
pub(crate) const LONGEST_WAIT: f64 = 86_400.0;

/// What holds for every command.
pub(crate) struct Globals {
    /// The vault asked for.
    pub(crate) vault: Option<Chosen>,
    /// The one key to try, if only one is to be tried.
    pub(crate) key: Option<OnlyKey>,
    /// The host name to use instead of this host's.
    pub(crate) hostname: Option<String>,
    /// The longest wait for other processes in all.
    pub(crate) wait: Duration,
    /// The form of the result.
    pub(crate) form: Form,
    /// How much goes to stderr.
    pub(crate) chatter: Chatter,
    /// Whether asking is forbidden.
    pub(crate) no_input: bool,
    /// When to use colours.
    pub(crate) color: Option<Color>,
    /// Whether a vault may be on a network file system.
    pub(crate) network: bool,
}

/// A vault's name or path, and where it was said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The name or path.
    pub(crate) value: OsString,
    /// Where it was said.
    pub(crate) origin: Origin,
}

/// Where a value was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On the command line.
    Flag,
    /// In the environment.
    Environment,
}

/// A key that is to be tried alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnlyKey {
    /// A key file.
    File(PathBuf),
    /// A file with a recovery code.
    Recovery(PathBuf),
    /// A file with a passphrase, and where it was said.
    Passphrase(PathBuf, Origin),
}

impl OnlyKey {
    /// The file that it is in.
    pub(crate) fn path(&self) -> &Path {
        let (Self::File(path) | Self::Recovery(path) | Self::Passphrase(path, _)) = self;
        path
    }
}

impl Globals {
    /// Resolves the options with the environment of this process.
    pub(crate) fn resolve(args: GlobalArgs) -> Result<Self, Failure> {
        Self::resolve_with(args, |name| env::var_os(name))
    }

    fn resolve_with(
        args: GlobalArgs,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let environment = &|name: &str| environment(name).filter(|value| !value.is_empty());
        let key = only_key(&args)?.or_else(|| only_key_of(environment));
        Ok(Self {
            vault: vault(args.vault, environment("CREDB_VAULT"))?,
            key,
            hostname: hostname(args.hostname, environment("CREDB_HOSTNAME"))?,
            wait: wait(args.wait, environment("CREDB_WAIT"))?,
            form: if args.json { Form::Json } else { Form::Text },
            chatter: if args.quiet { Chatter::Quiet } else { Chatter::Normal },
            no_input: args.no_input || args.json || environment("CREDB_NO_INPUT").is_some(),
            color: args.color,
            network: environment("CREDB_ALLOW_NETWORK_FS").is_some_and(|value| value == "1"),
        })
    }
}

fn vault(flag: Option<OsString>, variable: Option<OsString>) -> Result<Option<Chosen>, Failure> {
    let chosen = match (flag, variable) {
        (Some(value), _) => Some(Chosen { value, origin: Origin::Flag }),
        (None, Some(value)) => Some(Chosen { value, origin: Origin::Environment }),
        (None, None) => None,
    };
    if chosen.as_ref().is_some_and(|chosen| chosen.value.is_empty()) {
        return Err(Failure::usage("--vault needs a name or a path"));
    }
    Ok(chosen)
}

/// The key named on the command line.
fn only_key(args: &GlobalArgs) -> Result<Option<OnlyKey>, Failure> {
    let file = args.key_file.clone().map(|path| ("--key-file", OnlyKey::File(path)));
    let recovery = args.recovery_file.clone();
    let recovery = recovery.map(|path| ("--recovery-file", OnlyKey::Recovery(path)));
    let passphrase = |path| OnlyKey::Passphrase(path, Origin::Flag);
    let given = args.passphrase_file.clone().map(|path| ("--passphrase-file", passphrase(path)));
    let descriptor = args.passphrase_fd.map(descriptor);
    let descriptor = descriptor.map(|path| ("--passphrase-fd", passphrase(path)));
    let mut keys = [file, recovery, given, descriptor].into_iter().flatten();
    let Some((name, key)) = keys.next() else { return Ok(None) };
    if let Some((other, _)) = keys.next() {
        return Err(Failure::usage(format!("{name} cannot be used with {other}")));
    }
    if key.path().as_os_str().is_empty() {
        return Err(Failure::usage(format!("{name} needs a path")));
    }
    Ok(Some(key))
}

/// The key named in the environment.
fn only_key_of(environment: impl Fn(&str) -> Option<OsString>) -> Option<OnlyKey> {
    let path = |name| environment(name).map(PathBuf::from);
    let passphrase = |path| OnlyKey::Passphrase(path, Origin::Environment);
    path("CREDB_KEY_FILE")
        .map(OnlyKey::File)
        .or_else(|| path("CREDB_RECOVERY_FILE").map(OnlyKey::Recovery))
        .or_else(|| path("CREDB_PASSPHRASE_FILE").map(passphrase))
}

/// The file that an open file descriptor is.
pub(crate) fn descriptor(number: u32) -> PathBuf {
    PathBuf::from(format!("/dev/fd/{number}"))
}

fn hostname(flag: Option<String>, variable: Option<OsString>) -> Result<Option<String>, Failure> {
    let name = match flag {
        Some(name) => Some(name),
        None => variable
            .map(OsString::into_string)
            .transpose()
            .map_err(|_| Failure::usage("CREDB_HOSTNAME is not UTF-8"))?,
    };
    if name.as_ref().is_some_and(String::is_empty) {
        return Err(Failure::usage("--hostname needs a name"));
    }
    Ok(name)
}

fn wait(flag: Option<OsString>, variable: Option<OsString>) -> Result<Duration, Failure> {
    let (name, value) = match (flag, variable) {
        (Some(value), _) => ("--wait", value),
        (None, Some(value)) => ("CREDB_WAIT", value),
        (None, None) => return Ok(Duration::from_secs(30)),
    };
    seconds(&value).ok_or_else(|| {
        Failure::usage(format!(
            "the value of {name} must be a number of seconds from 0 to {LONGEST_WAIT}"
        ))
    })
}

/// A number of seconds in plain decimals: no sign, exponent or name of a number.
pub(crate) fn seconds(text: &OsStr) -> Option<Duration> {
    let text = text.to_str()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = if plain { text.parse().ok()? } else { return None };
    (0.0..=LONGEST_WAIT).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_plain_decimals_within_a_day() {
        for (text, milliseconds) in [("0", 0), ("30", 30_000), ("0.25", 250), ("86400", 86_400_000)]
        {
            let wait = seconds(OsStr::new(text));
            assert_eq!(wait, Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "-1", "+1", "1e3", "inf", "NaN", "86400.1", "1s", ".", "1.2.3"] {
            assert_eq!(seconds(OsStr::new(text)), None, "{text}");
        }
    }

    #[test]
    fn flags_come_before_the_environment_and_empty_variables_are_unset() {
        let environment = |name: &str| match name {
            "CREDB_VAULT" => Some("work".into()),
            "CREDB_KEY_FILE" => Some("/k".into()),
            "CREDB_WAIT" | "CREDB_NO_INPUT" => Some(OsString::new()),
            _ => None,
        };
        let resolve = |args| Globals::resolve_with(args, environment).ok().unwrap();
        let globals = resolve(GlobalArgs::default());
        let work = Chosen { value: "work".into(), origin: Origin::Environment };
        assert_eq!(globals.vault, Some(work));
        assert_eq!(globals.key, Some(OnlyKey::File("/k".into())));
        assert_eq!(globals.wait, Duration::from_secs(30));
        assert!(!globals.no_input);

        let args = GlobalArgs {
            vault: Some("./x".into()),
            recovery_file: Some("/r".into()),
            json: true,
            ..GlobalArgs::default()
        };
        let globals = resolve(args);
        assert_eq!(globals.vault, Some(Chosen { value: "./x".into(), origin: Origin::Flag }));
        assert_eq!(globals.key, Some(OnlyKey::Recovery("/r".into())));
        assert!(globals.no_input);
    }
}
