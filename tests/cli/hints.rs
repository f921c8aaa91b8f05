//! Every command that a hint or a help text names exists, with the options it is named with.

use std::fs;

use crate::support::{Outcome, Sandbox, SlowSync, alter_row};

/// The commands of a line: what stands from `credb` to the end of the quotation or line.
fn commands(line: &str) -> Vec<Vec<String>> {
    let starts = line.match_indices("credb ").filter(|(position, _)| {
        let before = line[..*position].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '/' || letter == '.')
    });
    starts
        .map(|(position, _)| {
            let tail = &line[position + "credb ".len()..];
            let end = tail.find(['`', '(', ',', ';', '|', '#']).unwrap_or(tail.len());
            let end = tail.find("  ").map_or(end, |gap| gap.min(end));
            tail[..end].split_whitespace().map(str::to_owned).collect()
        })
        .filter(|words: &Vec<String>| !words.is_empty())
        .collect()
}

/// The named command has help, and the help knows the named long options.
#[track_caller]
fn exists(sandbox: &Sandbox, words: &[String]) {
    let mut path: Vec<&str> = Vec::new();
    let mut skip_value = false;
    for word in words {
        if std::mem::take(&mut skip_value) {
            continue;
        }
        let is_name = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        match word.as_str() {
            "--vault" | "--key-file" | "--recovery-file" | "--passphrase-file" | "--hostname"
            | "--wait" => {
                skip_value = true;
            }
            option if option.starts_with('-') => {}
            name if is_name && (path.is_empty() || path == ["key"] || path == ["tag"]) => {
                path.push(name);
            }
            _ => break,
        }
    }
    assert!(!path.is_empty(), "a command without a verb: {words:?}");
    let help = sandbox.credb(&path).args(["--help"]).run().ok().text();
    for option in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
        let name = option.split('=').next().unwrap_or(option);
        assert!(help.contains(name), "{name} of {words:?} is not in the help:\n{help}");
    }
}

#[track_caller]
fn hints_exist(sandbox: &Sandbox, outcome: &Outcome) -> usize {
    let named: Vec<_> = outcome.hint_lines().iter().flat_map(|line| commands(line)).collect();
    for words in &named {
        exists(sandbox, words);
    }
    named.len()
}

#[test]
fn commands_are_found_in_a_line() {
    let found = commands("run `credb key add recovery` or: credb get a --field password (now)");
    assert_eq!(found, [vec!["key", "add", "recovery"], vec!["get", "a", "--field", "password"]]);
    assert!(commands("see /etc/credb and credb").is_empty());
}

#[test]
fn every_hint_names_a_command_that_exists() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let mut named = 0;
    for arguments in [
        vec!["--vault", "none", "list"],
        vec!["--vault", "x.redb", "list"],
        vec!["init"],
        vec!["get", "a"],
        vec!["get", "none"],
        vec!["get", "a", "--field", "none"],
        vec!["read", "credb://none"],
        vec!["read", "credb://a#none"],
        vec!["read", "a"],
        vec!["run", "--env", "A=credb://none", "--", "true"],
        vec!["run", "true"],
        vec!["set", "new"],
        vec!["set", "a"],
        vec!["set", "a", "--if-absent", "--generate"],
        vec!["set", "a", "--if-version", "9", "--generate"],
        vec!["set", "a", "-p", "hunter2"],
        vec!["set", "b", "--password-stdin"],
        vec!["rotate", "a", "--", "false"],
        vec!["rotate", "a", "--", "false"],
        vec!["rotate", "a", "--abandon"],
        vec!["rotate", "a", "--abandon"],
        vec!["copy", "a", "--to", "none"],
        vec!["copy", "a", "--to", "default"],
        vec!["copy", "a", "--to", "x.redb"],
        vec!["remove", "a"],
        vec!["remove", "none", "--force"],
        vec!["key", "remove", "9", "--force"],
        vec!["key", "remove", "0", "--force"],
        vec!["key", "remove", "1", "--force"],
        vec!["migrate", "none"],
        vec!["info"],
        vec!["doctor"],
        vec!["verify", "--expect", "x"],
        vec!["verify", "--vault", "none"],
        vec!["backup", "copy.redb"],
        vec!["backup", "copy.redb"],
        vec!["backup", "."],
        vec!["restore", "copy.redb"],
        vec!["restore", "none", "--force"],
        vec!["compact", "--vault", "none"],
        vec!["salvage", "copy.redb", "copy.redb"],
        vec!["salvage", "copy.redb", "new.redb"],
        vec!["salvage", "none", "newer.redb"],
    ] {
        named += hints_exist(&sandbox, &sandbox.credb(&arguments).run());
    }
    alter_row(&sandbox.vault(), "records");
    for arguments in [vec!["verify"], vec!["get", "a"], vec!["compact"], vec!["backup", "x.redb"]] {
        named += hints_exist(&sandbox, &sandbox.credb(&arguments).run());
    }
    let other = Sandbox::new();
    named += hints_exist(&other, &other.credb(["init"]).run());
    other.set_mode("config/credb/machine.key", 0o644);
    named += hints_exist(&other, &other.credb(["list"]).run());
    fs::remove_file(other.machine_key()).unwrap();
    named += hints_exist(&other, &other.credb(["list"]).run());
    fs::write(other.vault(), b"").unwrap();
    named += hints_exist(&other, &other.credb(["list"]).run());
    fs::write(other.vault(), b"no vault").unwrap();
    named += hints_exist(&other, &other.credb(["list"]).run());
    named += hints_exist(&other, &other.credb(["verify"]).run());
    let vault = other.path_text("data/credb/default.redb");
    for arguments in [vec!["restore", &vault, "--vault", "x"], vec!["salvage", &vault, "new.redb"]]
    {
        named += hints_exist(&other, &other.credb(&arguments).run());
    }
    assert!(named >= 16, "hints should name commands: {named}");
}

#[test]
fn a_hint_does_not_repeat_what_another_program_is_given() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let shim = SlowSync::build();
    let mut holder = shim.stop_at(sandbox.credb(["set", "b", "--generate"]), 2).spawn();
    assert!(holder.stops(), "a write should sync at least twice");
    let command = ["--", "printf", "%s", "Bearer S3CRET"];
    for words in [&["ensure", "new", "--max-age", "1h"][..], &["rotate", "a", "--expires", "1d"]] {
        let busy = sandbox.credb(words).args(["--wait", "0.2"]).args(command).run().fails(7);
        let hint = format!("`credb {} --wait 300 -- COMMAND`", words.join(" "));
        busy.hides("S3CRET").hints(&hint);
    }
}

#[test]
fn every_example_in_the_help_names_a_command_that_exists() {
    let sandbox = Sandbox::new();
    let pages: [&[&str]; 22] = [
        &[],
        &["init"],
        &["set"],
        &["generate"],
        &["get"],
        &["read"],
        &["run"],
        &["inject"],
        &["list"],
        &["remove"],
        &["rename"],
        &["copy"],
        &["info"],
        &["doctor"],
        &["key"],
        &["key", "add"],
        &["migrate"],
        &["verify"],
        &["backup"],
        &["restore"],
        &["compact"],
        &["salvage"],
    ];
    let mut named = 0;
    for page in pages {
        let help = sandbox.credb(page).args(["--help"]).run().ok().text();
        let examples = help.lines().filter(|line| line.starts_with("  credb "));
        for words in examples.flat_map(commands) {
            exists(&sandbox, &words);
            named += 1;
        }
    }
    assert!(named >= 20, "the help should have examples: {named}");
}
