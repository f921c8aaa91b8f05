//! Turns what the parser refuses into failures of our own wording.
//!
//! For `set` the words come from the kind of the error and from names that the command itself
//! has, since any other word on that command line may be a secret.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Cli;
use super::raw::RawArguments;
use super::report::{Failure, HelpReason};

/// The failure that a parser's error means.
pub(crate) fn failure(error: &clap::Error, raw: &RawArguments) -> Failure {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Failure::Help { text: error.render(), reason: HelpReason::Asked }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !raw.json() => {
            Failure::Help { text: error.render(), reason: HelpReason::Empty }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Failure::usage("a command is needed").with_hint(help_hint(raw))
        }
        _ => {
            let words = if raw.about_set() { own_words(error) } else { parsers_words(error) };
            Failure::usage(words).with_hint(hint(error, raw))
        }
    }
}

/// The parser's own message as one line.
fn parsers_words(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    message.trim_end_matches('.').to_owned()
}

/// A message that holds no word of the command line but names of options.
fn own_words(error: &clap::Error) -> String {
    let names = names(error, ContextKind::InvalidArg);
    let name = names.first().map_or("an option", String::as_str);
    match error.kind() {
        ErrorKind::InvalidSubcommand => "unknown command".to_owned(),
        ErrorKind::ArgumentConflict => match names_of_others(error) {
            others if others.is_empty() => {
                format!("{name} cannot be used with other options given")
            }
            others => format!("{name} cannot be used with {}", others.join(", ")),
        },
        ErrorKind::InvalidValue if has_no_value(error) => format!("{name} needs a value"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("the value of {name} is not valid")
        }
        ErrorKind::MissingRequiredArgument if !names.is_empty() => {
            format!("missing: {}", names.join(", "))
        }
        ErrorKind::NoEquals => format!("the value of {name} needs an equals sign before it"),
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{name} has the wrong number of values")
        }
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        ErrorKind::UnknownArgument => {
            "an argument is unknown or too many (not shown: it may be a secret)".to_owned()
        }
        _ => "the command line is wrong".to_owned(),
    }
}

fn hint(error: &clap::Error, raw: &RawArguments) -> String {
    let suggested = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand]
        .into_iter()
        .flat_map(|kind| words(error, kind))
        .next();
    match suggested {
        _ if is_about_length(error, raw) => format!(
            "a length, 8 to 1024, is written with an equals sign, --generate=LENGTH: see {}",
            help_hint(raw)
        ),
        // A suggestion is a name of ours.
        Some(name) => format!("did you mean {name}? See {}", help_hint(raw)),
        None if raw.verb() == Some("run") && error.kind() == ErrorKind::UnknownArgument => {
            "the command stands behind two dashes: `credb run -- COMMAND`".to_owned()
        }
        None => help_hint(raw),
    }
}

/// Whether it may be the length of a generated password that is wrong, or taken for another word.
fn is_about_length(error: &clap::Error, raw: &RawArguments) -> bool {
    let wrong = names(error, ContextKind::InvalidArg).iter().any(|name| name == "--generate");
    wrong || error.kind() == ErrorKind::UnknownArgument && raw.has_option("--generate")
}

fn help_hint(raw: &RawArguments) -> String {
    let known = raw.verb().filter(|verb| Cli::command().find_subcommand(verb).is_some());
    match known {
        Some(verb) => format!("`credb help {verb}`"),
        None => "`credb help`".to_owned(),
    }
}

fn names_of_others(error: &clap::Error) -> Vec<String> {
    names(error, ContextKind::PriorArg)
}

/// The words of this context that name an argument of some command.
fn names(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    let known = known_names();
    let name = |word: &String| {
        word.split([' ', '=', '['])
            .next()
            .filter(|name| known.iter().any(|own| own == name))
            .map(str::to_owned)
    };
    words(error, kind).iter().filter_map(name).collect()
}

fn known_names() -> Vec<String> {
    let mut command = Cli::command();
    command.build();
    let commands = std::iter::once(&command).chain(command.get_subcommands());
    let mut names = Vec::new();
    for argument in commands.flat_map(clap::Command::get_arguments) {
        names.extend(argument.get_long().map(|name| format!("--{name}")));
        names.extend(argument.get_short().map(|name| format!("-{name}")));
        if argument.is_positional() {
            names.push(format!("<{}>", argument.get_id().as_str().to_uppercase()));
        }
    }
    names
}

fn words(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(word)) => vec![word.clone()],
        Some(ContextValue::Strings(words)) => words.clone(),
        _ => Vec::new(),
    }
}

fn has_no_value(error: &clap::Error) -> bool {
    words(error, ContextKind::InvalidValue).iter().all(String::is_empty)
}
