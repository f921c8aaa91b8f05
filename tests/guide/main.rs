//! The guide and the front page as a reader would follow them: every `console` block is typed
//! into a terminal, in order, and has to show what is written there.
#![cfg(feature = "cli")]

mod block;
mod claims;
mod compare;
mod loud;
mod recipe;

#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use self::block::{Block, blocks};
use self::compare::{Difference, compare};
use self::support::{Call, Sandbox, Terminal};

/// What separates the outputs of a block's commands: an ASCII record separator on either side
/// of the exit code.
const MARK: char = '\u{1e}';

/// What is typed where a password is asked for, which does not show.
const TYPED_PASSWORD: &str = "correct horse";

/// The home directory of the documents' reader, which the sandbox's stands for: in commands too,
/// so that none of them leaves the sandbox.
const HOME: &str = "/home/ada";

#[test]
fn the_guide_works_as_written() {
    follow("docs/guide.md");
}

#[test]
fn the_page_on_rotation_works_as_written() {
    follow("docs/rotation.md");
}

#[test]
fn the_tour_of_the_readme_works_as_written() {
    follow("README.md");
}

#[test]
fn the_demonstration_runs_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let script = repository().join("docs/demo.sh");
    let script = script.to_str().expect("a path in UTF-8");
    let outcome = sandbox
        .shell("TMPDIR=$PWD sh \"$0\"")
        .args([script])
        .env("CREDB", env!("CARGO_BIN_EXE_credb"))
        .run()
        .ok();
    outcome
        .stdout_has("added\tsmtp-smtp.example.com")
        .stdout_has("postgresql-3\tpostgres")
        .stdout_has("not-a-real-password-1");
    assert_eq!(sandbox.files(), []);
}

/// Runs all blocks of a document in one sandbox.
fn follow(document: &str) {
    let text = std::fs::read_to_string(repository().join(document)).expect("read the document");
    let blocks = blocks(&text);
    assert!(blocks.len() > 3, "{document} should have examples");
    let reader = Reader::new();
    for block in &blocks {
        reader.run(document, block);
    }
}

/// Somebody who follows a document, with a home directory of their own.
struct Reader {
    sandbox: Sandbox,
    home: String,
}

impl Reader {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let home = sandbox.path_text("home");
        for name in ["vya_backupbd.json", "vault.json.enc"] {
            let sample = repository().join("tests/data").join(name);
            std::fs::create_dir_all(sandbox.path("home/tests/data")).expect("a directory");
            for place in ["home", "home/tests/data"] {
                std::fs::copy(&sample, sandbox.path(place).join(name)).expect("copy a sample");
            }
        }
        Self { sandbox, home }
    }

    fn run(&self, document: &str, block: &Block) {
        let mut terminal = Terminal::start(&self.call(block));
        for (question, answer) in block.questions() {
            let question = question.replace(HOME, &self.home);
            terminal.expect(&question).type_text(&answer).type_text("\r");
        }
        let screen = terminal.ends(0).replace('\r', "").replace(&self.home, HOME);
        let place = format!("{document}, line {}", block.line);
        let mut parts = screen.split(MARK);
        for (position, command) in block.commands.iter().enumerate() {
            let (Some(output), Some(code)) = (parts.next(), parts.next()) else {
                panic!("{place}: the block ended early:\n{screen}");
            };
            if let Err(Difference { documented, actual }) = compare(&command.output, output) {
                panic!("{place}: $ {}\ndocumented:\n{documented}\nactual:\n{actual}", command.text);
            }
            let shows_code = block.commands.get(position + 1).is_some_and(|c| c.text == "echo $?");
            let shows_error = command.output.iter().any(|line| line.starts_with("error: "));
            assert_eq!(
                code != "0",
                shows_error || (shows_code && code != "0"),
                "{place}: $ {}\nexit code {code}",
                command.text
            );
        }
    }

    /// The block as a script, in the environment of a user whose home this is.
    fn call(&self, block: &Block) -> Call {
        let mut script = String::from("stty cols 100\n");
        for command in &block.commands {
            script.push_str(&command.text.replace(HOME, &self.home));
            script.push_str("\ncode=$?; printf '\\036%s\\036' $code; (exit $code)\n");
        }
        script.push_str("exit 0\n");
        self.sandbox
            .shell(&script)
            .directory(&self.home)
            .env("HOME", &self.home)
            .env("XDG_DATA_HOME", format!("{}/.local/share", self.home))
            .env("XDG_CONFIG_HOME", format!("{}/.config", self.home))
            .env("NO_COLOR", "1")
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
