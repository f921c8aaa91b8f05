//! `inject`: templates filled whole or not at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Sandbox, SlowSync, Terminal, is_ignored, mode_of};

const TEMPLATE: &str = "user = \"{{ credb://db/a#username }}\"\npassword = \"credb://db/a\"\n\
                        url = mysql://{{credb://db/a#username}}:{{ credb://db/a }}@localhost\n\
                        {{ other }}\n";
const FILLED: &str = "user = \"root\"\npassword = \"secret of db/a\"\n\
                      url = mysql://root:secret of db/a@localhost\n{{ other }}\n";

fn prepared() -> Sandbox {
    let sandbox = Sandbox::with_ids(&["db/a"]);
    sandbox.credb(["set", "db/a", "-u", "root"]).run().ok();
    sandbox.file("in", TEMPLATE);
    sandbox
}

#[test]
fn a_template_is_filled_into_a_private_file() {
    let sandbox = prepared();
    fs::write(sandbox.path("out"), "old").unwrap();
    sandbox.set_mode("out", 0o644);
    let old = fs::metadata(sandbox.path("out")).unwrap().ino();
    for options in [&["-i", "in", "-o", "out"][..], &["--in-file", "in", "--out-file", "new"]] {
        sandbox.credb(["inject"]).args(options).run().ok().stdout("").silent();
        let path = sandbox.path(options[3]);
        assert_eq!(fs::read_to_string(&path).unwrap(), FILLED);
        assert_eq!(mode_of(&path), 0o600);
    }
    // Replaced, not written over: who had it open keeps what was there.
    assert_ne!(fs::metadata(sandbox.path("out")).unwrap().ino(), old);
}

#[test]
fn a_template_comes_and_goes_through_pipes() {
    let sandbox = prepared();
    sandbox.credb(["inject", "-i", "in"]).run().ok().stdout(FILLED);
    sandbox.credb(["inject"]).stdin(TEMPLATE).run().ok().stdout(FILLED);
    sandbox.credb(["inject", "-i", "-"]).stdin(TEMPLATE).run().ok().stdout(FILLED);
}

#[test]
fn bytes_that_are_no_text_stay_and_come() {
    let sandbox = Sandbox::with_vault();
    let secret = b"\xff\0\n";
    sandbox.credb(["set", "a", "--password-stdin", "--exact"]).stdin(*secret).run().ok();
    let filled = sandbox.credb(["inject"]).stdin(*b"\xfe credb://a \r\n").run().ok();
    filled.stdout(b"\xfe \xff\0\n \r\n");
}

#[test]
fn nothing_is_written_when_a_reference_fails() {
    let sandbox = prepared();
    fs::write(sandbox.path("out"), "old").unwrap();
    let before = sandbox.file_names();
    for (reference, code) in [
        ("credb://none", 3),
        ("credb://db/a#none", 3),
        ("credb://db/a?x", 9),
        ("{{ credb://db/a", 9),
        ("{{ credb://db a }}", 9),
    ] {
        sandbox.file("in", format!("credb://db/a\n{reference}\n"));
        for output in ["out", "new"] {
            let outcome = sandbox.credb(["inject", "-i", "in", "-o", output]).run().fails(code);
            if code == 9 {
                outcome.stderr_has("line 2");
            }
        }
        sandbox.credb(["inject", "-i", "in"]).run().fails(code);
    }
    assert_eq!(fs::read_to_string(sandbox.path("out")).unwrap(), "old");
    assert_eq!(sandbox.file_names(), before);
}

#[test]
fn all_that_is_missing_is_named() {
    let sandbox = prepared();
    let template = "credb://x credb://db/a credb://y";
    let outcome = sandbox.credb(["inject"]).stdin(template).run().fails(3);
    outcome.stderr_has("no credential \"x\" (line 1), \"y\" (line 1)");
}

#[test]
fn a_link_is_followed_and_a_directory_is_left_alone() {
    let sandbox = prepared();
    fs::write(sandbox.path("target"), "old").unwrap();
    symlink("target", sandbox.path("link")).unwrap();
    sandbox.credb(["inject", "-i", "in", "-o", "link"]).run().ok();
    assert!(sandbox.path("link").is_symlink());
    assert_eq!(fs::read_to_string(sandbox.path("target")).unwrap(), FILLED);
    sandbox.credb(["inject", "-i", "in", "-o", "home"]).run().fails(9);
    sandbox.credb(["inject", "-i", "none", "-o", "new"]).run().fails(8);
    assert!(!sandbox.path("new").exists());
}

#[test]
fn a_link_to_nothing_is_neither_replaced_nor_followed() {
    let sandbox = prepared();
    symlink("nothing", sandbox.path("link")).unwrap();
    sandbox.credb(["inject", "-i", "in", "-o", "link"]).run().fails(9).stderr_has("link");
    assert!(sandbox.path("link").is_symlink() && !sandbox.path("nothing").exists());
}

#[test]
fn a_dash_is_stdout() {
    let sandbox = prepared();
    let before = sandbox.file_names();
    sandbox.credb(["inject", "-i", "in", "-o", "-"]).run().ok().stdout(FILLED);
    let get = ["get", "db/a", "--field", "password", "--out-file", "-"];
    sandbox.credb(get).run().ok().stdout("secret of db/a\n");
    sandbox.credb(get).args(["--json"]).run().ok().stdout_has("\"value\":\"secret of db/a\"");
    assert_eq!(sandbox.file_names(), before);
    sandbox.credb(["inject", "-i", "in", "-o", "./-"]).run().ok().stdout("");
    assert_eq!(fs::read_to_string(sandbox.path("-")).unwrap(), FILLED);
}

/// The drafts in the sandbox, which hold secrets in clear.
fn drafts(sandbox: &Sandbox) -> usize {
    let names = sandbox.file_names();
    let has_secret = |name: &&std::path::PathBuf| {
        let text = fs::read(name).unwrap_or_default();
        text.windows(9).any(|window| window == b"secret of") && !name.ends_with("out")
    };
    names.iter().filter(has_secret).count()
}

/// Would break: a file with secrets in clear that a signal leaves behind.
#[test]
fn a_signal_while_a_file_is_written_waits_until_it_is_in_its_place() {
    let shim = SlowSync::build();
    let get = ["get", "db/a", "--field", "password", "-o", "out"];
    let inject = ["inject", "-i", "in", "-o", "out"];
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        if is_ignored(signal) {
            continue;
        }
        for call in [&get[..], &inject] {
            let sandbox = prepared();
            let mut writing = shim.stop_at(sandbox.credb(call), 1).spawn();
            assert!(writing.stops());
            writing.signal(signal);
            writing.signal(Signal::CONT);
            let outcome = writing.wait();
            assert_eq!(outcome.signal(), Some(signal.as_raw()), "{outcome}");
            assert_eq!(drafts(&sandbox), 0);
            let written = fs::read_to_string(sandbox.path("out")).unwrap();
            assert!(written == FILLED || written == "secret of db/a\n", "{written}");
        }
    }
}

#[test]
fn what_a_killed_process_left_is_removed_by_the_next_that_writes_the_same_file() {
    let shim = SlowSync::build();
    let sandbox = prepared();
    let inject = sandbox.credb(["inject", "-i", "in", "-o", "out"]);
    let start = || {
        let mut writing = shim.stop_at(inject.clone(), 1).spawn();
        assert!(writing.stops());
        writing
    };
    let (killed, stopped) = (start(), start());
    killed.signal(Signal::KILL);
    killed.wait();
    assert_eq!(drafts(&sandbox), 2);
    sandbox.credb(["inject", "-i", "in", "-o", "other"]).run().ok();
    fs::remove_file(sandbox.path("other")).unwrap();
    assert_eq!(drafts(&sandbox), 2, "of another file");
    inject.run().ok();
    assert_eq!(drafts(&sandbox), 1, "the one that is written still");
    stopped.signal(Signal::CONT);
    stopped.wait().ok();
    assert_eq!(drafts(&sandbox), 0);
}

/// Would break: a report that nothing was written where the new file is in its place.
#[test]
fn a_directory_that_cannot_be_synced_is_no_failure_to_write() {
    let shim = SlowSync::build();
    let sandbox = prepared();
    sandbox.file("out", "before");
    let inject = sandbox.credb(["inject", "-i", "in", "-o", "out"]);
    shim.fail_directories(inject).run().ok().stdout("");
    assert_eq!(fs::read_to_string(sandbox.path("out")).unwrap(), FILLED);
}

#[test]
fn a_template_without_references_needs_no_vault() {
    let sandbox = Sandbox::new();
    sandbox.credb(["inject"]).stdin("plain {{ x }}\n").run().ok().stdout("plain {{ x }}\n");
}

#[test]
fn a_stored_secret_cannot_drive_the_terminal() {
    let sandbox = Sandbox::with_vault();
    sandbox.put("a", "\u{1b}[2Jx");
    sandbox.file("in", "one\ntwo credb://a\n");
    let screen = Terminal::start(&sandbox.credb(["inject", "-i", "in"])).ends(0);
    assert!(screen.contains("one\r\ntwo ") && !screen.contains("\u{1b}[2J"), "{screen:?}");
}

#[test]
fn a_terminal_is_read_if_it_is_asked_for() {
    let sandbox = Sandbox::with_ids(&["a"]);
    Terminal::start(&sandbox.credb(["inject"])).ends(2);
    let mut terminal = Terminal::start(&sandbox.credb(["inject", "-i", "-"]));
    terminal.type_text("it is credb://a\r\u{4}");
    let screen = terminal.ends(0);
    assert!(screen.contains("it is secret of a"), "{screen:?}");
}

#[test]
fn a_reference_that_stands_for_nothing_is_named_with_its_lines() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let fails = |template: &str, message: &str| {
        sandbox.credb(["inject"]).stdin(template).run().fails(3).stderr_has(message);
    };
    fails("\n\ncredb://none credb://none", "no credential \"none\" (line 3)");
    fails("credb://a\ncredb://a#pin", "credential \"a\" has no pin (line 2)");
    let six = "credb://none\n".repeat(6);
    fails(&six, "\"none\" (line 1; line 2; line 3; and 3 more)");
    fails("{\n\"db_config\": [],\n\"x\":\"credb://none\"}", "no credential \"none\" (line 3)");
    let json = sandbox.credb(["inject", "--json"]).stdin("credb://none").run();
    let error = json.fails_json(3, "not_found").error_json();
    assert_eq!(error["message"], "no credential \"none\" (line 1)");
}

#[test]
fn json_is_one_document_in_either_case() {
    let sandbox = prepared();
    let inject = ["inject", "--json"];
    let text = sandbox.credb(inject).stdin("x credb://db/a \n").run().ok().silent().json();
    assert_eq!(text, json!({"text": "x secret of db/a \n"}));
    let bytes = sandbox.credb(inject).stdin(*b"\xff").run().ok().json();
    assert_eq!(bytes, json!({"text_base64": "/w=="}));

    let call = sandbox.credb(inject).args(["-i", "in", "-o", "out"]);
    let report = call.run().ok().silent().json();
    assert_eq!(report, json!({"path": "out", "references": 4, "warnings": []}));
    assert_eq!(fs::read_to_string(sandbox.path("out")).unwrap(), FILLED);
    let entry = r#"{"dbms":"mysql","user":"u","secret":"s3cret"}"#;
    let call = sandbox.credb(inject).args(["-o", "out"]);
    let report = call.stdin(format!("{{\"db_config\":[{entry}]}}")).run().ok().hides("s3cret");
    let warning = "db_config[0]: has no id_dbms: the secret in clear is used";
    assert_eq!(report.json()["warnings"], json!([warning]));
}

#[test]
fn the_file_gets_the_mode_that_was_asked_for() {
    let sandbox = prepared();
    let call = sandbox.credb(["inject", "-i", "in", "-o", "out", "--file-mode", "640"]);
    call.run().ok();
    assert_eq!(mode_of(&sandbox.path("out")), 0o640);
    sandbox.credb(["inject", "-i", "in", "--file-mode", "640"]).run().fails(2);
}

#[test]
fn references_in_json_are_found_as_other_programs_write_them() {
    let sandbox = Sandbox::with_ids(&["caf", "caf\u{e9}", "db/a"]);
    for (template, filled) in [
        (r#"{"p":"credb:\/\/db\/a"}"#, r#"{"p":"secret of db/a"}"#),
        ("{\"p\": \"credb://caf\\u00e9\"}", "{\"p\": \"secret of caf\u{e9}\"}"),
        (r#"{"\u00e9":"\/ credb:\/\/caf \u00e9" }"#, r#"{"\u00e9":"\/ secret of caf \u00e9" }"#),
        (r#"{"credb://none":1}"#, r#"{"credb://none":1}"#),
    ] {
        sandbox.credb(["inject"]).stdin(template).run().ok().stdout(filled);
    }
}

#[test]
fn a_bare_reference_right_behind_a_word_is_never_passed_over_in_silence() {
    let sandbox = prepared();
    let call = sandbox.credb(["inject"]).stdin("x\nmysql -pcredb://db/a\n");
    call.run().fails(9).stderr_has("line 2").stderr_has("write it as `-p{{ credb://db/a }}`");
    let clear = sandbox.credb(["inject"]).stdin("-p{{ credb://db/a }} xcredb://db/a");
    clear.run().ok().stdout("-psecret of db/a xcredb://db/a");
}
