//! At a terminal: prompts, questions, Ctrl-C, and text that must not drive it.

use std::fs;

use rustix::process::Signal;

use crate::support::{Sandbox, Terminal, is_gone};

/// Text that would clear the screen, set the title and turn around what follows.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil";

#[test]
fn a_new_password_is_asked_for_twice_without_echo() {
    let sandbox = Sandbox::with_vault();
    let mut terminal = Terminal::start(&sandbox.credb(["set", "a"]));
    terminal.expect("assword").expect(": ").type_text("hunter2\r");
    terminal.expect(": ").type_text("hunter2\r");
    let screen = terminal.ends(0);
    assert!(!screen.contains("hunter2"), "{screen}");
    assert!(screen.contains("added"), "{screen}");
    assert_eq!(sandbox.password("a"), "hunter2");
}

#[test]
fn two_different_passwords_store_nothing() {
    let sandbox = Sandbox::with_vault();
    let mut terminal = Terminal::start(&sandbox.credb(["set", "a"]));
    terminal.expect("assword").expect(": ").type_text("hunter2\r");
    terminal.expect(": ").type_text("hunter3\r");
    // It may ask again; giving up is what ends it.
    terminal.interrupt();
    let (code, screen) = terminal.wait();
    assert_ne!(code, 0, "{screen}");
    sandbox.credb(["get", "a"]).run().fails(3);
}

/// The terminal drops what was typed, and not read, when Ctrl-C comes: also a line that the program
/// was told of already. It must not wait for that line.
#[test]
fn ctrl_c_right_after_return_is_not_lost() {
    let sandbox = Sandbox::with_vault();
    for _ in 0..200 {
        let mut terminal = Terminal::start(&sandbox.credb(["set", "a"]));
        terminal.expect("assword").expect(": ").type_text("hunter2\r");
        terminal.expect(": ").type_text("hunter3\r").interrupt();
        terminal.ends(130);
    }
}

/// A shell that is given the terminal turns its echo on, and bash leaves it so.
#[test]
fn a_prompt_that_was_stopped_asks_again_without_echo() {
    let sandbox = Sandbox::with_vault();
    let mut terminal = Terminal::start(&sandbox.shell("exec bash --norc --noprofile -i"));
    terminal.type_text("credb set a\r").expect("credential \"a\": ");
    terminal.type_text("half\u{1a}").expect("Stopped");
    terminal.type_text("fg\r").expect("credb set a").expect("credential \"a\": ");
    terminal.type_text("hunter2\r").expect("Once more: ").type_text("hunter2\r").expect("added");
    terminal.type_text("exit\r");
    let screen = terminal.ends(0);
    assert!(!screen.contains("hunter") && !screen.contains("half"), "{screen}");
    assert_eq!(sandbox.password("a"), "hunter2");
}

#[test]
fn replacing_a_password_says_which_version_it_replaces() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.put("a", "second");
    let mut terminal = Terminal::start(&sandbox.credb(["set", "a"]));
    terminal.expect("2").expect(": ").type_text("third\r");
    terminal.expect(": ").type_text("third\r");
    terminal.ends(0);
    assert_eq!(sandbox.password("a"), "third");
}

#[test]
fn password_stdin_at_a_terminal_is_the_prompt() {
    let sandbox = Sandbox::with_vault();
    let mut terminal = Terminal::start(&sandbox.credb(["set", "a", "--password-stdin"]));
    terminal.expect(": ").type_text("hunter2\r");
    terminal.expect(": ").type_text("hunter2\r");
    let screen = terminal.ends(0);
    assert!(!screen.contains("hunter2"), "{screen}");
    assert_eq!(sandbox.password("a"), "hunter2");
}

#[test]
fn no_input_and_json_never_ask() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for call in [
        sandbox.credb(["set", "new", "--no-input"]),
        sandbox.credb(["set", "new", "--json"]),
        sandbox.credb(["set", "new"]).env("CREDB_NO_INPUT", "1"),
        sandbox.credb(["remove", "a", "--no-input"]),
        sandbox.credb(["remove", "a", "--json"]),
    ] {
        Terminal::start(&call).ends(2);
    }
    assert_eq!(sandbox.password("a"), "secret of a");
}

#[test]
fn nobody_is_asked_when_errors_go_elsewhere() {
    let sandbox = Sandbox::with_ids(&["a"]);
    Terminal::start(&sandbox.shell("credb remove a 2>errors")).ends(2);
    Terminal::start(&sandbox.shell("credb set new </dev/null")).ends(2);
}

#[test]
fn somebody_is_asked_when_only_the_output_goes_elsewhere() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let mut terminal = Terminal::start(&sandbox.shell("credb remove a >out"));
    terminal.expect("a").expect("?").type_text("y\r");
    terminal.ends(0);
    sandbox.credb(["get", "a"]).run().fails(3);
}

#[test]
fn ctrl_c_at_a_prompt_restores_the_terminal_and_exits_130() {
    let sandbox = Sandbox::with_vault();
    let script = "credb set a; code=$?; stty -a | tr ' ;' '\\n\\n' | grep -x -e echo -e -echo; \
                  echo code $code; read line; echo got $line";
    let mut terminal = Terminal::start(&sandbox.shell(&format!("trap : INT; {script}")));
    let before = terminal.modes_before();
    terminal.expect("assword").expect(": ");
    assert_ne!(terminal.modes(), before, "the prompt should switch the echo off");
    terminal.type_text("hun").interrupt();
    terminal.expect("code 130");
    assert_eq!(terminal.modes(), before);
    terminal.type_text("x\r").expect("got x");
    let screen = terminal.ends(0);
    assert!(!screen.contains("hun"), "{screen}");
    sandbox.credb(["get", "a"]).run().fails(3);
}

#[test]
fn a_signal_to_end_at_a_prompt_restores_the_terminal_too() {
    let sandbox = Sandbox::with_vault();
    for signal in [Signal::INT, Signal::TERM] {
        let mut terminal = Terminal::start(&sandbox.credb(["set", "a"]));
        let before = terminal.modes_before();
        terminal.expect("assword").expect(": ");
        terminal.send_signal(signal);
        assert_ne!(terminal.exit_code(), Some(0), "{signal:?}");
        assert_eq!(terminal.modes(), before, "{signal:?}");
    }
}

/// Would break: handlers of a prompt that still act when its question is answered.
#[test]
fn a_signal_after_a_passphrase_was_typed_ends_the_command_that_was_started() {
    let sandbox = Sandbox::new();
    let phrase = sandbox.file("phrase", "not a real phrase");
    let key = ["--passphrase-file", &phrase];
    let init = ["init", "--key", "passphrase", "--kdf-cost", "8,1"];
    sandbox.credb(init).args(key).run().ok();
    sandbox.credb(["set", "a", "--generate"]).args(key).run().ok();
    let script = "echo $$ > pid; echo rea''dy >&2; sleep 600";
    for arguments in [&["rotate", "a"][..], &["ensure", "b", "--max-age", "1h"]] {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let call = sandbox.credb(arguments).args(["--", "sh", "-c", script]);
            let mut terminal = Terminal::start(&call);
            terminal.expect("Passphrase of").expect(": ").type_text("not a real phrase\r");
            terminal.expect("ready");
            if signal == Signal::INT {
                terminal.interrupt();
            } else {
                terminal.send_signal(signal);
            }
            let screen = terminal.ends(code);
            let pid = fs::read_to_string(sandbox.path("pid")).unwrap();
            assert!(is_gone(pid.trim()), "the command still runs: {screen}");
            if arguments[0] == "rotate" {
                sandbox.credb(["rotate", "a", "--abandon"]).args(key).run().ok();
            }
        }
    }
}

#[test]
fn the_end_of_input_at_a_prompt_stores_nothing() {
    let sandbox = Sandbox::with_vault();
    let mut terminal = Terminal::start(&sandbox.credb(["set", "a"]));
    terminal.expect("assword").expect(": ").type_text("\u{4}");
    let (code, screen) = terminal.wait();
    assert_ne!(code, 0, "{screen}");
    sandbox.credb(["get", "a"]).run().fails(3);
}

#[test]
fn removing_asks_and_takes_no_for_an_answer() {
    let sandbox = Sandbox::with_ids(&["a"]);
    for answer in ["n\r", "\r", "x\r", "\u{4}"] {
        let mut terminal = Terminal::start(&sandbox.credb(["remove", "a"]));
        terminal.expect("a").expect("?").type_text(answer);
        if answer == "x\r" {
            // An answer that is none may be asked for again.
            terminal.type_text("n\r");
        }
        let screen = terminal.ends(1);
        assert!(screen.contains("error: "), "{screen}");
    }
    assert_eq!(sandbox.password("a"), "secret of a");
}

#[test]
fn removing_asks_and_takes_yes_for_an_answer() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    for (id, answer) in [("a", "y\r"), ("b", "yes\r")] {
        let mut terminal = Terminal::start(&sandbox.credb(["remove", id]));
        terminal.expect(id).expect("?").type_text(answer);
        terminal.ends(0);
    }
    sandbox.credb(["list", "--ids"]).run().ok().stdout("");
}

#[test]
fn purging_says_how_much_it_would_forget() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.put("a", "second");
    let mut terminal = Terminal::start(&sandbox.credb(["purge", "a"]));
    terminal.expect("and all its earlier versions for good?").type_text("n\r");
    terminal.ends(1);
    assert_eq!(sandbox.version("a"), 2);
    let mut terminal = Terminal::start(&sandbox.credb(["purge", "a", "--history"]));
    terminal.expect("Forget all earlier versions of").expect("?").type_text("y\r");
    let screen = terminal.ends(0);
    assert!(screen.contains("credb compact"), "{screen}");
    sandbox.credb(["history", "a"]).run().ok().stdout("");
    sandbox.credb(["remove", "a", "--force"]).run().ok();
    let mut terminal = Terminal::start(&sandbox.credb(["purge", "a"]));
    terminal.expect("the removed").expect("?").type_text("y\r");
    terminal.ends(0);
    sandbox.credb(["history", "a"]).run().fails(3);
}

#[test]
fn a_history_at_a_terminal_is_a_table_that_stored_text_does_not_drive() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "a", "--password-stdin", "-u", HOSTILE]).stdin("hunter2").run().ok();
    sandbox.put("a", "hunter3");
    let screen = Terminal::start(&sandbox.credb(["history", "a"])).ends(0);
    assert!(screen.contains("VERSION") && screen.contains("updated"), "{screen}");
    assert!(!screen.contains("hunter") && !screen.contains(HOSTILE), "{screen}");
    let screen = Terminal::start(&sandbox.credb(["history", "a", "--show-password"])).ends(0);
    assert!(screen.contains("hunter2") && !screen.contains(HOSTILE), "{screen}");
}

#[test]
fn force_does_not_ask() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let screen = Terminal::start(&sandbox.credb(["remove", "a", "--force"])).ends(0);
    assert!(screen.contains("removed"), "{screen}");
}

#[test]
fn init_offers_a_recovery_code() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox.credb(["init"]));
    terminal.expect("recovery").expect("?").type_text("n\r");
    terminal.ends(0);
    sandbox.put("a", "pw");
}

#[test]
fn stored_text_cannot_drive_the_terminal() {
    let sandbox = Sandbox::with_vault();
    let set = ["set", "a", "-u", HOSTILE, "-d", HOSTILE, "--tag", HOSTILE, "--password-stdin"];
    sandbox.credb(set).args(["--url", HOSTILE]).stdin(HOSTILE).run().ok();
    sandbox.credb(["set", "\u{202e}b", "--generate"]).run().ok();
    for arguments in [
        vec!["get", "a"],
        vec!["get", "a", "--show-password"],
        vec!["get", "a", "--field", "username"],
        vec!["get", "a", "--field", "password"],
        vec!["list"],
        vec!["list", "--long"],
        vec!["list", "--ids"],
        vec!["get", "a", "--json"],
        vec!["get", "\u{202e}c"],
        vec!["info"],
    ] {
        let (code, screen) = Terminal::start(&sandbox.credb(&arguments)).wait();
        assert!(code == 0 || code == 3, "{arguments:?}: {screen}");
        for mark in ["\u{1b}[2J", "\u{1b}]", "\u{7}", "\u{202e}"] {
            assert!(!screen.contains(mark), "{arguments:?}: {screen:?}");
        }
    }
    let screen = Terminal::start(&sandbox.credb(["get", "a"])).ends(0);
    assert!(screen.contains("evil") && screen.contains("note"), "{screen}");
}

#[test]
fn raw_refuses_control_characters_on_a_terminal() {
    let sandbox = Sandbox::with_vault();
    sandbox.put("a", HOSTILE);
    sandbox.put("b", "plain");
    let get = |id| sandbox.credb(["get", id, "--field", "password", "--raw"]);
    let screen = Terminal::start(&get("a")).ends(9);
    assert!(!screen.contains("\u{1b}[2J"), "{screen:?}");
    let screen = Terminal::start(&get("b")).ends(0);
    assert!(screen.contains("plain"), "{screen}");
}

#[test]
fn a_list_on_a_terminal_has_a_header() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let screen = Terminal::start(&sandbox.credb(["list"])).ends(0);
    assert!(screen.to_lowercase().contains("id"), "{screen}");
    assert!(screen.to_lowercase().contains("username"), "{screen}");
}

#[test]
fn a_mask_on_a_terminal_has_twelve_stars_too() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let screen = Terminal::start(&sandbox.credb(["get", "a"])).ends(0);
    assert_eq!(screen.matches('*').count(), 12, "{screen}");
    assert!(!screen.contains("secret of a"), "{screen}");
}
