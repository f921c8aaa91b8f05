//! The short way to parse the commands that scripts call all day: builds the arguments of the one
//! command that is meant, and not those of all others, which would cost more than the vault does.
//!
//! Takes a command line only if it is right. What is wrong, asks for help or is out of the
//! ordinary goes the long way, which has the messages.

use std::ffi::OsString;

use clap::{ArgMatches, Args, FromArgMatches};

use super::{
    Cli, Command, EnsureArgs, GetArgs, GlobalArgs, ListArgs, ReadArgs, RemoveArgs, RunArgs, SetArgs,
};
use crate::cli::raw::RawArguments;

/// What the command line says, if it is one of these commands and nothing is wrong with it.
pub(crate) fn parse(raw: &RawArguments) -> Option<Cli> {
    let (globals, verb, rest) = raw.parts()?;
    let words = || globals.iter().chain(rest);
    match verb {
        "get" | "show" | "vault-get" => parse_as::<GetArgs>(words(), Command::Get),
        "set" | "add" | "vault-add" => {
            parse_as::<SetArgs>(words(), |args| Command::Set(Box::new(args)))
        }
        "list" | "ls" | "find" | "vault-list" => parse_as::<ListArgs>(words(), Command::List),
        "remove" | "rm" | "vault-remove" => parse_as::<RemoveArgs>(words(), Command::Remove),
        "read" => parse_as::<ReadArgs>(words(), Command::Read),
        "run" => parse_as::<RunArgs>(words(), Command::Run),
        "ensure" => parse_as::<EnsureArgs>(words(), Command::Ensure),
        _ => None,
    }
}

fn parse_as<'a, A: Args>(
    words: impl Iterator<Item = &'a OsString>,
    command: impl FnOnce(A) -> Command,
) -> Option<Cli> {
    let mut matches = matches::<A>(words)?;
    let globals = GlobalArgs::from_arg_matches_mut(&mut matches).ok()?;
    let arguments = A::from_arg_matches_mut(&mut matches).ok()?;
    Some(Cli { globals, command: command(arguments) })
}

fn matches<'a, A: Args>(words: impl Iterator<Item = &'a OsString>) -> Option<ArgMatches> {
    let parser = clap::Command::new("credb")
        .no_binary_name(true)
        .args_override_self(true)
        .disable_help_flag(true);
    let mut parser = A::augment_args(GlobalArgs::augment_args(parser));
    let matches = parser.try_get_matches_from_mut(words);
    // Taking it apart would cost as much as building it, and the process does not live long.
    std::mem::forget(parser);
    matches.ok()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Both ways to the arguments of one command line.
    fn both<A: Args>(line: &str) -> (Option<ArgMatches>, Option<ArgMatches>) {
        let raw = RawArguments::of(line.split(' '));
        let long = Cli::command().try_get_matches_from(raw.all()).ok();
        let long = long.and_then(|matches| matches.subcommand().map(|(_, own)| own.clone()));
        let (globals, _, rest) = raw.parts().expect("a command");
        (matches::<A>(globals.iter().chain(rest)), long)
    }

    fn same<A: Args>(lines: &[&str]) {
        for line in lines {
            let (direct, long) = both::<A>(line);
            let (direct, long) = (direct.expect(line), long.expect(line));
            let ids = long.ids().chain(direct.ids());
            for id in ids.filter(|id| id.as_str() != "GlobalArgs") {
                // Groups have no words of their own.
                let of = |matches: &ArgMatches| {
                    let words = matches.try_get_raw(id.as_str()).ok().flatten()?;
                    let words: Vec<OsString> = words.map(OsString::from).collect();
                    Some((words, matches.value_source(id.as_str())))
                };
                assert_eq!(of(&direct), of(&long), "{id} in {line}");
            }
        }
    }

    #[test]
    fn both_ways_give_the_same_arguments() {
        same::<GetArgs>(&[
            "credb get x",
            "credb --wait 9 get --wait 1 --json x --id=-y z --show-password",
            "credb --vault=a --no-input show x --field password --raw -o f --file-mode 0640",
            "credb get -- --json -x",
        ]);
        same::<SetArgs>(&[
            "credb set x -u u -p=secret",
            "credb add --id x --generate --if-absent --print --tag a --tag b",
            "credb set x --field a=b --field-file c=d --unset url --expires 90d --if-version 3",
            "credb --quiet set -f - --keep-going --quiet",
        ]);
        same::<ListArgs>(&["credb list", "credb ls db/* --tag t --ids --json --color never"]);
        same::<RemoveArgs>(&["credb rm x y -f", "credb remove x --if-version 2"]);
        same::<ReadArgs>(&["credb read credb://x#y"]);
        same::<EnsureArgs>(&["credb ensure x --max-age 1h --raw --json -- sh -c --json"]);
        same::<RunArgs>(&["credb run --env A=credb://x -- sh -c --json", "credb run -- get x"]);
    }

    #[test]
    fn what_one_way_refuses_the_other_refuses() {
        for line in ["credb get x --unknown", "credb get x --raw", "credb get -h", "credb get -V"] {
            let (direct, long) = both::<GetArgs>(line);
            assert!(direct.is_none() && long.is_none(), "{line}");
        }
        for line in ["credb set x --generate -p y", "credb set --from-file f x", "credb set x --id"]
        {
            let (direct, long) = both::<SetArgs>(line);
            assert!(direct.is_none() && long.is_none(), "{line}");
        }
    }

    #[test]
    fn names_mean_the_same_commands() {
        let names = Cli::command()
            .get_subcommands()
            .flat_map(|command| {
                std::iter::once(command.get_name())
                    .chain(command.get_all_aliases())
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect::<Vec<_>>();
        let mut direct_ones = 0;
        for name in names {
            for rest in ["", " x", " -- x", " credb://x"] {
                let raw = RawArguments::of(format!("credb {name}{rest}").split(' '));
                let Some(direct) = parse(&raw) else { continue };
                let long = <Cli as clap::Parser>::try_parse_from(raw.all()).expect(&name);
                let kind = std::mem::discriminant::<Command>;
                assert_eq!(kind(&direct.command), kind(&long.command), "{name}");
                direct_ones += 1;
                break;
            }
        }
        assert_eq!(direct_ones, 15, "names that the table above has and clap does not");
    }
}
