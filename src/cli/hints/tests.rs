use std::io;
use std::time::Duration;

use clap::Parser;
use credb::{CredentialId, Error};

use super::{Hints, quote, quote_path, vault_as_path};
use crate::cli::args::Cli;

/// One of every error that can be made from outside the library.
fn errors() -> Vec<Error> {
    let path = || "/a b/it's.json".into();
    let id = || CredentialId::new("-a b").unwrap();
    let source = || io::Error::from(io::ErrorKind::Other);
    let text = || "x".to_owned();
    vec![
        Error::VaultNotFound { path: path() },
        Error::VaultExists { path: path() },
        Error::NotFound { ids: vec![id()] },
        Error::FieldNotFound { id: id(), field: text() },
        Error::VersionNotFound { id: id(), version: 1 },
        Error::NoEarlierVersion { id: id() },
        Error::SlotNotFound { slot: 1 },
        Error::LastSlot { slot: 1 },
        Error::AlreadyExists { id: id(), version: 1 },
        Error::VersionMismatch { id: id(), expected: 1, actual: 2 },
        Error::Duplicate { id: id(), first: text(), second: text() },
        Error::Locked { path: path(), attempts: Vec::new() },
        Error::KeyUnusable { source_name: text(), reason: text(), remedy: None },
        Error::ForeignLocked { path: path(), hostname: text() },
        Error::Corrupt { what: text(), reason: text() },
        Error::NotAVault { path: path(), reason: text() },
        Error::NewerFormat { path: path(), reason: text() },
        Error::Busy { path: path(), waited: Duration::ZERO },
        Error::Io { action: "open", path: path(), source: source() },
        Error::OutcomeUnknown { path: path(), source: source() },
        Error::UnsupportedFileSystem { path: path(), kind: "nfs" },
        Error::Invalid { what: text(), reason: text() },
        Error::Forked,
        Error::Poisoned,
    ]
}

/// Splits words as a shell does, as far as hints go.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let word = words.last_mut().unwrap();
        match character {
            '\'' => quoted = !quoted,
            '\\' if !quoted => word.extend(characters.next()),
            ' ' if !quoted => words.push(String::new()),
            other => word.push(other),
        }
    }
    assert!(!quoted, "{line}");
    words
}

/// Parses every command that a hint names.
fn check(hint: &str) -> usize {
    let commands: Vec<_> = hint.split('`').skip(1).step_by(2).collect();
    for command in &commands {
        let words = words(command);
        let start = words.iter().position(|word| word == "credb").unwrap();
        let parsed = Cli::try_parse_from(&words[start..]);
        assert!(parsed.is_ok(), "{hint}: {}", parsed.err().unwrap());
    }
    commands.len()
}

#[test]
fn every_command_in_a_hint_parses() {
    let repeated = ["get", "--wait", "1", "--", "-a b"].map(str::to_owned).to_vec();
    let mut commands = 0;
    for vault in [None, Some("/a b/it's".to_owned())] {
        for environment_vault in [None, Some("work".to_owned())] {
            for root_may_have_it in [false, true] {
                for repeatable in [None, Some(repeated.clone())] {
                    let (vault, environment_vault) = (vault.clone(), environment_vault.clone());
                    let hints = Hints {
                        verb: Some("vault-add".to_owned()),
                        vault,
                        environment_vault,
                        root_may_have_it,
                        repeatable,
                        key_options: None,
                    };
                    let errors = errors();
                    let hints = errors.iter().filter_map(|error| hints.for_error(error));
                    commands += hints.map(|hint| check(&hint)).sum::<usize>();
                }
            }
        }
    }
    assert!(commands > 16 * 12, "{commands}");
}

#[test]
fn a_longer_wait_takes_the_place_of_the_one_that_was_given() {
    let busy = |words: &[&str]| {
        let repeatable = Some(words.iter().map(|word| (*word).to_owned()).collect());
        let error = Error::Busy { path: "/v".into(), waited: Duration::ZERO };
        Hints { repeatable, ..Hints::default() }.for_error(&error).unwrap()
    };
    for (given, longer) in [
        (&["get", "a"][..], "get a --wait 300"),
        (&["--wait", "1", "get", "a"], "get a --wait 300"),
        (&["get", "--wait=1", "a", "--", "x"], "get a --wait 300 -- x"),
        (&["get", "--", "--wait", "x"], "get --wait 300 -- --wait x"),
    ] {
        let hint = busy(given);
        assert_eq!(hint, format!("wait longer with `credb {longer}`"));
        assert_eq!(check(&hint), 1);
    }
}

#[test]
fn a_hint_repeats_the_vault_that_was_asked_for() {
    let hints = Hints { vault: Some("a b".to_owned()), ..Hints::default() };
    assert_eq!(hints.command("init"), "credb init --vault 'a b'");
    assert_eq!(hints.about("get", "x", "--field f"), "credb get x --field f --vault 'a b'");
    assert_eq!(hints.about("get", "-x", "--field f"), "credb get --field f --vault 'a b' -- -x");
}

#[test]
fn hints_about_a_file_name_it_as_one() {
    let hints = Hints { vault: Some("work".to_owned()), ..Hints::default() };
    let about = hints.of_file("copy.redb".as_ref());
    assert_eq!(about.command("verify"), "credb verify --vault ./copy.redb");
    let verify = Hints { verb: Some("verify".to_owned()), ..Hints::default() };
    let damaged = Error::Corrupt { what: String::new(), reason: String::new() };
    assert_eq!(check(&verify.for_error(&damaged).unwrap()), 2);
    assert_eq!(check(&hints.for_error(&damaged).unwrap()), 1);
}

#[test]
fn what_looks_like_a_file_is_named_as_one() {
    for (value, path) in [("x.redb", "./x.redb"), ("~", "./~"), ("~/x", "./~/x")] {
        let hint = vault_as_path(value.as_ref()).unwrap();
        assert!(hint.contains(&format!("credb --vault {path} list")), "{hint}");
        assert_eq!(check(&hint), 1);
    }
    assert_eq!(vault_as_path("/x".as_ref()), None);
}

#[test]
fn words_are_quoted_for_a_shell() {
    for (word, quoted) in [
        ("db/x-1.y", "db/x-1.y"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", "'it'\\''s'"),
        ("~x", "'~x'"),
        ("$x", "'$x'"),
        ("*", "'*'"),
    ] {
        assert_eq!(quote(word), quoted);
        assert_eq!(words(quoted), [word]);
    }
    assert_eq!(quote_path("-x".as_ref()), "./-x");
}
