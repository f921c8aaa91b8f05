//! `generate` and `set --generate`: what passwords are made of, and one secret for all who ask.

use std::collections::BTreeSet;

use crate::support::{Running, Sandbox, Terminal};

/// Options, the length, and what the characters are.
type Kind = (&'static [&'static str], usize, fn(char) -> bool);

const SYMBOLS: &str = "!#%&()*+,-./:;<=>?@[]^_";
const KINDS: [Kind; 7] = [
    (&[], 32, |letter| letter.is_ascii_alphanumeric()),
    (&["--length", "8"], 8, |letter| letter.is_ascii_alphanumeric()),
    (&["--length", "1024", "--alphanumeric"], 1_024, |letter| letter.is_ascii_alphanumeric()),
    (&["--symbols"], 32, |letter| letter.is_ascii_alphanumeric() || SYMBOLS.contains(letter)),
    (&["--hex", "--length", "64"], 64, |letter| matches!(letter, '0'..='9' | 'a'..='f')),
    (&["--base64", "--length=44"], 44, |letter| {
        letter.is_ascii_alphanumeric() || letter == '+' || letter == '/'
    }),
    (&["--length", "33", "--base64"], 33, |letter| {
        letter.is_ascii_alphanumeric() || letter == '+' || letter == '/'
    }),
];

#[test]
fn passwords_have_the_length_and_characters_asked_for() {
    let sandbox = Sandbox::with_vault();
    for (options, length, is_allowed) in KINDS {
        let line = sandbox.credb(["generate"]).args(options).run().ok().silent().text();
        let generated = line.strip_suffix('\n').unwrap();
        let set = sandbox.credb(["set", "a", "--generate", "--print"]).args(options);
        let printed = set.run().ok().silent().text();
        let stored = sandbox.password("a");
        assert_eq!(printed, format!("{stored}\n"));
        for password in [generated, &stored] {
            assert_eq!(password.len(), length, "{options:?}: {password}");
            assert!(password.chars().all(is_allowed), "{options:?}: {password}");
        }
        assert_ne!(generated, stored);
    }
}

#[test]
fn symbols_come_with_letters_of_both_cases_and_digits() {
    let sandbox = Sandbox::new();
    for _ in 0..10 {
        let generate = ["generate", "--symbols", "--length", "8"];
        let password = sandbox.credb(generate).run().ok().lines().remove(0);
        for is_kind in [
            |letter: char| letter.is_ascii_uppercase(),
            |letter: char| letter.is_ascii_lowercase(),
            |letter: char| letter.is_ascii_digit(),
            |letter: char| SYMBOLS.contains(letter),
        ] {
            assert!(password.contains(is_kind), "{password}");
        }
    }
}

#[test]
fn words_are_lower_case_with_dashes() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "a", "--generate", "--words", "6"]).run().ok();
    let generated = sandbox.credb(["generate", "--words", "6"]).run().ok().lines().remove(0);
    for phrase in [generated, sandbox.password("a")] {
        assert!(phrase.split('-').count() >= 6, "{phrase}");
        assert!(phrase.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{phrase}");
    }
}

#[test]
fn generate_needs_no_vault_and_makes_none() {
    let sandbox = Sandbox::new();
    let before = sandbox.files();
    let json = sandbox.credb(["generate", "--json", "--hex"]).run().ok().json();
    assert_eq!(json["password"].as_str().unwrap().len(), 32);
    assert_eq!(sandbox.files(), before);
}

#[test]
fn wrong_policies_are_usage_errors() {
    let sandbox = Sandbox::with_vault();
    for options in [
        &["--length", "7"][..],
        &["--length", "1025"],
        &["--words", "2"],
        &["--words", "65"],
        &["--words", "6", "--length", "20"],
        &["--hex", "--symbols"],
        &["--words", "6", "--base64"],
    ] {
        sandbox.credb(["generate"]).args(options).run().fails(2);
        sandbox.credb(["set", "a", "--generate"]).args(options).run().fails(2);
    }
    for options in [
        &["--generate=20", "--length", "20"][..],
        &["--generate=20", "--words", "6"],
        &["--hex", "--password-stdin"],
        &["--length", "20"],
        &["--from-file", "many.json", "--hex"],
    ] {
        let id: &[&str] = if options[0] == "--from-file" { &[] } else { &["a"] };
        sandbox.credb(["set"]).args(id).args(options).run().fails(2);
    }
    sandbox.credb(["list", "--ids"]).run().ok().stdout("");
}

#[test]
fn eight_processes_that_get_or_create_all_print_one_secret() {
    let sandbox = Sandbox::with_vault();
    for round in 0..5 {
        let id = format!("shared-{round}");
        let set = ["set", &id, "--generate", "--if-absent", "--print"];
        let running: Vec<Running> = (0..8).map(|_| sandbox.credb(set).spawn()).collect();
        let printed: BTreeSet<String> =
            running.into_iter().map(|process| process.wait().ok().silent().text()).collect();
        assert_eq!(printed, BTreeSet::from([format!("{}\n", sandbox.password(&id))]));
        assert_eq!(sandbox.version(&id), 1);
    }
}

#[test]
fn what_is_there_is_printed_and_left_alone() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let set = ["set", "a", "-u", "other", "--generate", "--if-absent"];
    sandbox.credb(set).run().fails(4);
    sandbox.credb(set).args(["--print"]).run().ok().stdout("secret of a\n");
    let json = sandbox.credb(set).args(["--print", "--json"]).run().ok().json();
    assert_eq!((&json["created"], &json["changed"]), (&false.into(), &false.into()));
    assert_eq!(json["password"], "secret of a");
    sandbox.credb(["get", "a", "--field", "username"]).run().fails(3);
    assert_eq!(sandbox.version("a"), 1);
    // Without `--if-absent` there is a new one.
    sandbox.credb(["set", "a", "--generate", "--print"]).run().ok();
    assert_eq!(sandbox.version("a"), 2);
}

#[test]
fn what_is_there_cannot_drive_the_terminal() {
    let sandbox = Sandbox::with_vault();
    sandbox.put("a", "\u{1b}[2Jx");
    let set = ["set", "a", "--generate", "--if-absent", "--print"];
    let screen = Terminal::start(&sandbox.credb(set)).ends(0);
    assert!(screen.contains('x') && !screen.contains("\u{1b}[2J"), "{screen:?}");
}

#[test]
fn a_length_that_is_not_taken_is_explained() {
    let sandbox = Sandbox::with_vault();
    for words in [&["--generate", "16"][..], &["--generate=7"], &["--generate=1025"]] {
        let outcome = sandbox.credb(["set", "a"]).args(words).run().fails(2);
        outcome.hints("--generate=LENGTH").hints("8 to 1024").hints("`credb help set`");
    }
    // Another mistake is not about a length.
    let other = sandbox.credb(["set", "a", "--generate", "--if-version", "x"]).run().fails(2);
    assert!(!other.stderr().contains("LENGTH"), "{other}");
    sandbox.credb(["set", "a", "--generate=16"]).run().ok();
    assert_eq!(sandbox.password("a").len(), 16);
}
