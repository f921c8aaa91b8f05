//! What can be said about a command line before it is parsed, or when it cannot be: whether
//! errors are to be JSON, which command was meant, and whether its values may be repeated.

use std::ffi::{OsStr, OsString};

use super::args::Color;

/// `set` under all its names: its values may be secrets.
const SET: [&str; 3] = ["set", "add", "vault-add"];

/// The commands behind whose `--` stands the command line of another program, with secrets of its
/// own. Elsewhere ids and paths may stand there.
const WITH_COMMAND: [&str; 3] = ["run", "ensure", "rotate"];

/// Global options that take no value.
const FLAGS: [&str; 3] = ["--json", "--quiet", "--no-input"];

/// Global options that take a value.
const VALUED: [&str; 8] = [
    "--vault",
    "--key-file",
    "--recovery-file",
    "--passphrase-file",
    "--passphrase-fd",
    "--hostname",
    "--wait",
    "--color",
];

/// The arguments as they were given, the program's name first.
pub(crate) struct RawArguments(Vec<OsString>);

impl RawArguments {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        Self(std::env::args_os().collect())
    }

    /// All of them, for the parser.
    pub(crate) fn all(&self) -> &[OsString] {
        &self.0
    }

    /// Whether this stands among the options, without a value.
    pub(crate) fn has_option(&self, name: &str) -> bool {
        self.options().any(|argument| argument == name)
    }

    /// Whether `--json` stands among the options.
    pub(crate) fn json(&self) -> bool {
        self.has_option("--json")
    }

    /// Whether `--quiet` stands among the options.
    pub(crate) fn quiet(&self) -> bool {
        self.has_option("--quiet")
    }

    /// The value of `--color`.
    pub(crate) fn color(&self) -> Option<Color> {
        let mut options = self.options();
        let mut last = None;
        while let Some(argument) = options.next() {
            let value = match argument.to_str() {
                Some("--color") => options.next(),
                Some(text) => text.strip_prefix("--color=").map(OsStr::new),
                None => None,
            };
            last = match value.and_then(OsStr::to_str) {
                Some("always") => Some(Color::Always),
                Some("never") => Some(Color::Never),
                Some("auto") => Some(Color::Auto),
                _ => last,
            };
        }
        last
    }

    /// Whether a value here may be one of `set`. Errs on the side of yes.
    pub(crate) fn about_set(&self) -> bool {
        self.0.iter().skip(1).any(|argument| SET.iter().any(|name| argument == name))
    }

    /// The command, as it was written.
    pub(crate) fn verb(&self) -> Option<&str> {
        let mut options = self.options();
        while let Some(argument) = options.next() {
            let text = argument.to_str()?;
            if VALUED.contains(&text) {
                options.next();
            } else if !text.starts_with('-') {
                return Some(text);
            }
        }
        None
    }

    /// The global options, the command and the words after it. `None` if anything stands before
    /// the command but global options written out in full.
    pub(crate) fn parts(&self) -> Option<(&[OsString], &str, &[OsString])> {
        let words = self.0.get(1..)?;
        let mut position = 0;
        loop {
            let word = words.get(position)?.to_str()?;
            let (name, has_value) =
                word.split_once('=').map_or((word, false), |(name, _)| (name, true));
            position += match () {
                () if FLAGS.contains(&word) || has_value && VALUED.contains(&name) => 1,
                () if VALUED.contains(&word) => 2,
                () if word.starts_with('-') => return None,
                () => return Some((&words[..position], word, &words[position + 1..])),
            };
        }
    }

    /// The words after the program's name, if they may be repeated: without those of another
    /// program's command line, in whose place `COMMAND` stands.
    pub(crate) fn repeatable(&self) -> Option<Vec<String>> {
        if self.about_set() {
            return None;
        }
        let text = |word: &OsString| word.to_str().map(str::to_owned);
        let end = self.0.iter().position(|word| word == "--");
        match end {
            Some(end) if self.verb().is_none_or(|verb| WITH_COMMAND.contains(&verb)) => {
                let own = self.0[..=end].iter().skip(1).map(text);
                own.chain([Some("COMMAND".to_owned())]).collect()
            }
            _ => self.0.iter().skip(1).map(text).collect(),
        }
    }

    fn options(&self) -> impl Iterator<Item = &OsStr> {
        self.0.iter().skip(1).map(OsString::as_os_str).take_while(|argument| *argument != "--")
    }
}

#[cfg(test)]
impl RawArguments {
    /// Those of a command line.
    pub(crate) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    fn raw(words: &[&str]) -> RawArguments {
        RawArguments::of(std::iter::once("credb").chain(words.iter().copied()))
    }

    #[test]
    fn the_command_stands_behind_global_options_only() {
        let line = raw(&["--vault", "get", "--wait=1", "--json", "set", "x", "--json"]);
        let (globals, verb, rest) = line.parts().unwrap();
        assert_eq!((globals.len(), verb, rest.len()), (4, "set", 2));
        for other in [&["-h", "get"][..], &["--", "get"], &["--unknown", "get"], &["--vault"]] {
            assert!(raw(other).parts().is_none(), "{other:?}");
        }
    }

    #[test]
    fn options_behind_two_dashes_do_not_count() {
        assert!(raw(&["list", "--json"]).json());
        assert!(!raw(&["list", "--", "--json"]).json());
        assert_eq!(raw(&["--vault", "set", "get", "x"]).verb(), Some("get"));
        assert_eq!(raw(&["--json"]).verb(), None);
    }

    #[test]
    fn values_of_set_are_not_repeated() {
        for name in SET {
            assert_eq!(raw(&["--wait", "1", name, "x", "-p", "hunter2"]).repeatable(), None);
        }
        assert_eq!(raw(&["get", "a b"]).repeatable().unwrap(), ["get", "a b"]);
    }

    #[test]
    fn the_command_lines_of_other_programs_are_not_repeated() {
        let mut command = Cli::command();
        command.build();
        let takes_one =
            |command: &&clap::Command| command.get_arguments().any(clap::Arg::is_last_set);
        let own = command.get_subcommands().filter(takes_one).map(clap::Command::get_name);
        let own: BTreeSet<_> = own.collect();
        assert_eq!(own, WITH_COMMAND.into_iter().collect());
        for name in WITH_COMMAND {
            let words = raw(&["--quiet", name, "x", "--", "curl", "-H", "s3cret", "--", "x"]);
            assert_eq!(words.repeatable().unwrap(), ["--quiet", name, "x", "--", "COMMAND"]);
        }
        assert_eq!(raw(&["get", "--", "-x"]).repeatable().unwrap(), ["get", "--", "-x"]);
        assert_eq!(raw(&["-v", "--", "s3cret"]).repeatable().unwrap(), ["-v", "--", "COMMAND"]);
    }
}
