use clap::{CommandFactory, Parser};

use super::{Cli, Command, KeyCommand};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn parsed(line: &str) -> Cli {
    parse(line).map_err(|error| error.to_string()).unwrap()
}

#[test]
fn the_command_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_stand_before_or_after_the_command() {
    for line in [
        "credb --vault work --json --wait 1 list prod",
        "credb list prod --vault work --json --wait 1",
        "credb --json list --vault work prod --wait 1",
        "credb --vault other --wait 9 list --vault work --wait 1 --json prod",
    ] {
        let cli = parsed(line);
        assert_eq!(cli.globals.vault.as_deref(), Some("work".as_ref()), "{line}");
        assert_eq!(cli.globals.wait.as_deref(), Some("1".as_ref()), "{line}");
        assert!(cli.globals.json, "{line}");
        let Command::List(args) = cli.command else { panic!("{line}") };
        assert_eq!(args.pattern.as_deref(), Some("prod".as_ref()), "{line}");
    }
}

#[test]
fn nothing_is_an_option_behind_two_dashes() {
    let cli = parsed("credb get -- --json -x");
    assert!(!cli.globals.json);
    let Command::Get(args) = cli.command else { panic!("no get") };
    assert_eq!(args.ids, ["--json", "-x"]);
}

#[test]
fn global_options_reach_nested_commands() {
    let cli = parsed("credb key list --key-file /k --quiet");
    assert_eq!(cli.globals.key_file.as_deref(), Some("/k".as_ref()));
    assert!(cli.globals.quiet);
    assert!(matches!(cli.command, Command::Key(KeyCommand::List)));
}

#[test]
fn old_and_other_names_mean_the_same_commands() {
    for (names, arguments) in [
        (["set", "add", "vault-add", "set"].as_slice(), "--id x --username u -p s --description d"),
        (&["get", "show", "vault-get"], "--id x --show-password"),
        (&["list", "ls", "find", "vault-list"], ""),
        (&["remove", "rm", "vault-remove"], "--id x --force"),
        (&["info", "vault-info"], ""),
    ] {
        let kind = |name: &str| {
            let cli = parsed(&format!("credb {name} {arguments}"));
            std::mem::discriminant(&cli.command)
        };
        for name in names {
            assert_eq!(kind(name), kind(names[0]), "{name}");
        }
    }
}

#[test]
fn a_password_has_one_source() {
    let sources = ["--password-stdin", "--password-file f", "--generate", "--password x"];
    for first in sources {
        assert!(parse(&format!("credb set x {first}")).is_ok(), "{first}");
        for second in sources.iter().filter(|second| **second != first) {
            assert!(parse(&format!("credb set x {first} {second}")).is_err(), "{first} {second}");
        }
    }
}

#[test]
fn a_generated_password_has_8_to_1024_letters() {
    for (option, length) in
        [("--generate", None), ("--generate=8", Some(8)), ("--generate=1024", Some(1_024))]
    {
        let Command::Set(args) = parsed(&format!("credb set x {option}")).command else {
            panic!("no set")
        };
        assert_eq!(args.source.generate, Some(length));
    }
    for option in ["--generate=7", "--generate=1025", "--generate=x", "--generate="] {
        assert!(parse(&format!("credb set x {option}")).is_err(), "{option}");
    }
}

#[test]
fn many_from_a_file_take_nothing_else() {
    assert!(parse("credb set -f many.json --keep-going").is_ok());
    assert!(parse("credb set -f - --json").is_ok());
    for other in ["x", "--id x", "-u u", "--generate", "--tag t", "--if-absent"] {
        assert!(parse(&format!("credb set -f many.json {other}")).is_err(), "{other}");
    }
}

#[test]
fn files_are_named_without_a_slash_too() {
    let Command::Backup(args) = parsed("credb backup x --overwrite").command else { panic!("x") };
    assert!(args.overwrite && args.destination.as_os_str() == "x");
    let Command::Restore(args) = parsed("credb restore x.redb -f").command else { panic!("x") };
    assert!(args.force && args.file.as_os_str() == "x.redb");
    let Command::Salvage(args) = parsed("credb salvage a b --keys-from c").command else {
        panic!("x")
    };
    assert_eq!(args.keys_from.as_deref(), Some("c".as_ref()));
    for line in ["credb backup", "credb restore", "credb salvage a", "credb compact x"] {
        assert!(parse(line).is_err(), "{line}");
    }
}
