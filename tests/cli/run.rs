//! `run`: becomes another program, with all references resolved or not at all.

use std::fs;

use rustix::process::Signal;

use crate::support::{Call, Sandbox, Terminal, is_ignored};

/// Prints a variable without a newline.
fn show(name: &str) -> [String; 4] {
    let script = format!("printf %s \"${name}\"");
    ["--", "sh", "-c", &script].map(str::to_owned)
}

fn prepared() -> Sandbox {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    sandbox.credb(["set", "a", "-u", "root"]).run().ok();
    sandbox
}

#[test]
fn references_of_options_files_and_environment_are_resolved() {
    let sandbox = prepared();
    sandbox.file("env", "# remark\nexport B='credb://b'\nC=\"{{ credb://a#username }}:x\"\nD=y\n");
    let all = "printf '%s|' \"$A\" \"$B\" \"$C\" \"$D\" \"$E\" \"$F\"";
    sandbox
        .credb(["run", "--env", "A=credb://a", "--env-file", "env", "--", "sh", "-c", all])
        .env("E", "credb://a#username")
        .env("F", "see credb://a")
        .run()
        .ok()
        .silent()
        .stdout("secret of a|secret of b|root:x|y|root|see credb://a|");
}

#[test]
fn what_is_said_later_or_closer_counts() {
    let sandbox = prepared();
    sandbox.file("one", "A=one\nB=one\n");
    sandbox.file("two", "A=two\nB=two\nB=three\n");
    let files = ["--env-file", "one", "--env-file", "two"];
    let run = |options: &[&str], name: &str| {
        let call = sandbox.credb(["run"]).args(options).args(show(name));
        // Would fail, but is overridden.
        call.env("A", "credb://none").env("B", "credb://malformed?").run().ok().text()
    };
    assert_eq!(run(&files, "A"), "two");
    assert_eq!(run(&files, "B"), "three");
    let option = [&files[..], &["--env", "A=credb://b", "--env", "A=credb://a"]].concat();
    assert_eq!(run(&option, "A"), "secret of a");
}

#[test]
fn only_listed_leaves_the_environment_alone() {
    let sandbox = prepared();
    let run = sandbox.credb(["run", "--only-listed", "--env", "A=credb://a"]);
    let run = run.env("X", "credb://b").env("Y", "credb://none");
    run.clone().args(show("X")).run().ok().stdout("credb://b");
    run.args(show("A")).run().ok().stdout("secret of a");
}

#[test]
fn without_references_no_vault_is_needed() {
    let sandbox = Sandbox::new();
    sandbox.credb(["run", "--", "printf", "%s", "x"]).run().ok().stdout("x");
}

#[test]
fn arguments_of_the_command_are_its_own() {
    let sandbox = prepared();
    let run = ["run", "--env", "A=credb://a", "--", "printf", "%s|"];
    let own = ["--json", "--vault", "credb://a", "--", ""];
    sandbox.credb(run).args(own).run().ok().stdout("--json|--vault|credb://a|--||");
}

#[test]
fn nothing_starts_when_a_reference_fails() {
    let sandbox = prepared();
    sandbox.file("missing", "A=credb://none\n");
    sandbox.file("malformed", "\nA={{ credb://s3cret?x }}\n");
    sandbox.file("no-line", "s3cret\n");
    sandbox.credb(["set", "nul", "--password-stdin", "--exact"]).stdin("a\0b").run().ok();
    let options: [&[&str]; 11] = [
        &["--env", "A=credb://none"],
        &["--env", "A=credb://a#none"],
        &["--env", "A=credb://a?"],
        &["--env", "A=s3cret"],
        &["--env", "s3cret"],
        &["--env", "=credb://a"],
        &["--env", "A=credb://nul"],
        &["--env-file", "missing"],
        &["--env-file", "malformed"],
        &["--env-file", "no-line"],
        &["--env-file", "absent"],
    ];
    let touch = ["--env", "B=credb://b", "--", "touch", "started"];
    for option in options {
        let call = sandbox.credb(["run"]).args(option).args(touch);
        call.run().fails(125).hides("s3cret");
    }
    let inherited = sandbox.credb(["run", "--", "touch", "started"]);
    inherited.clone().env("X", "credb://none").run().fails(125).stderr_has("none");
    inherited.env("X", "credb://a#").run().fails(125).stderr_has("X");
    assert!(!sandbox.path("started").exists());
}

#[test]
fn a_variable_with_a_reference_right_behind_a_word_is_refused() {
    let sandbox = prepared();
    sandbox.file("env", "A=x\nOPTS=-pcredb://a\n");
    let call = sandbox.credb(["run", "--env-file", "env", "--", "touch", "started"]);
    call.run().fails(125).stderr_has("env, line 2").stderr_has("`-p{{ credb://a }}`");
    assert!(!sandbox.path("started").exists());
    sandbox.file("env", "OPTS=-p{{ credb://a }}\n");
    let call = sandbox.credb(["run", "--env-file", "env"]).args(show("OPTS"));
    call.run().ok().stdout("-psecret of a");
}

#[test]
fn a_reference_that_stands_for_nothing_is_named_with_where_it_was_given() {
    let sandbox = prepared();
    sandbox.file("env", "A=b\nPASSWORD={{ credb://none }}\n");
    let run = |options: &[&str]| {
        let call = sandbox.credb(["run"]).args(options).args(["--", "true"]);
        call.env("X", "credb://a#none").run().fails(125)
    };
    let missing = "no credential \"none\" (--env B; env, line 2)";
    run(&["--env-file", "env", "--env", "B=credb://none"]).stderr_has(missing);
    run(&[]).stderr_has("credential \"a\" has no none (the inherited X)");
}

#[test]
fn an_env_file_may_begin_with_a_byte_order_mark() {
    let sandbox = prepared();
    sandbox.file("env", "\u{feff}A=credb://a\n");
    let call = sandbox.credb(["run", "--env-file", "env"]).args(show("A"));
    call.run().ok().stdout("secret of a");
}

#[test]
fn variables_have_the_same_names_wherever_they_are_given() {
    let sandbox = prepared();
    for (name, is_name) in [("A", true), ("_a9", true), ("A B", false), ("9A", false), ("", false)]
    {
        sandbox.file("env", format!("{name}=credb://a\n"));
        let listed = format!("{name}=credb://a");
        for options in [["--env", &listed], ["--env-file", "env"]] {
            let call = sandbox.credb(["run"]).args(options).args(["--", "touch", "started"]);
            let outcome = call.run();
            assert_eq!(outcome.exit_code(), Some(if is_name { 0 } else { 125 }), "{outcome}");
            assert_eq!(sandbox.path("started").exists(), is_name, "{outcome}");
            fs::remove_file(sandbox.path("started")).ok();
        }
    }
    let json = sandbox.credb(["run", "--json", "--env", "A B=credb://a", "--", "true"]);
    json.run().fails_json(125, "usage").stderr_has("letters, digits and _");
}

#[test]
fn all_failures_of_credb_exit_with_125() {
    let sandbox = prepared();
    let true_with_secret = ["--env", "A=credb://a", "--", "true"];
    sandbox.credb(["run"]).run().fails(125);
    sandbox.credb(["run", "true"]).run().fails(125).hints("`credb run -- COMMAND`");
    sandbox.credb(["run", "--bogus", "--", "true"]).run().fails(125);
    sandbox.credb(["--vault", "x.redb", "run"]).args(true_with_secret).run().fails(125);
    let none = sandbox.credb(["run", "--vault", "none"]).args(true_with_secret);
    none.run().fails(125);
    let json = ["--json", "run", "--env", "A=credb://none", "--", "true"];
    sandbox.credb(json).run().fails_json(125, "not_found");
    fs::write(sandbox.vault(), "no vault").unwrap();
    sandbox.credb(["run"]).args(true_with_secret).run().fails(125);
    sandbox.credb(["run", "--help"]).run().ok();
}

#[test]
fn the_exit_code_is_the_commands() {
    let sandbox = prepared();
    for code in [0, 1, 3, 125, 130, 255] {
        let script = format!("exit {code}");
        let run = ["run", "--env", "A=credb://a", "--", "sh", "-c", &script];
        sandbox.credb(run).run().code(code).silent();
    }
}

#[test]
fn a_missing_command_is_127_and_one_that_cannot_run_126() {
    let sandbox = prepared();
    sandbox.file("plain", "#!/bin/sh\n");
    for (command, code) in
        [("no-such-command", 127), ("./none", 127), ("./plain", 126), ("./home", 126)]
    {
        let call = sandbox.credb(["run", "--env", "A=credb://a", "--", command]);
        call.run().fails(code).stderr_has(command).hides("secret of a");
    }
}

#[test]
fn the_command_takes_the_place_of_credb() {
    let sandbox = prepared();
    let script = "sleep 0.1; credb run --env A=credb://a -- sh -c 'echo $$' & echo $!; wait";
    let lines = sandbox.shell(script).run().ok().lines();
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn signals_are_the_commands() {
    let sandbox = prepared();
    let call = |script: &str| -> Call {
        sandbox.credb(["run", "--env", "A=credb://a", "--", "sh", "-c", script])
    };
    let started = || {
        (0..2_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            sandbox.path("started").exists()
        })
    };
    for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
        if is_ignored(signal) {
            continue;
        }
        let running = call("touch started; exec sleep 60").spawn();
        assert!(started());
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!(outcome.signal(), Some(number), "{outcome}");
        fs::remove_file(sandbox.path("started")).unwrap();

        let name = if number == 2 { "INT" } else { "TERM" };
        let trap = format!("trap 'exit 7' {name}; touch started; while :; do sleep 0.01; done");
        let running = call(&trap).spawn();
        assert!(started());
        running.signal(signal);
        running.wait().code(7).silent();
        fs::remove_file(sandbox.path("started")).unwrap();
    }
}

#[test]
fn a_stopped_command_goes_on() {
    let sandbox = prepared();
    let script = "kill -TSTP $$; echo went on";
    let call = sandbox.credb(["run", "--env", "A=credb://a", "--", "sh", "-c", script]);
    let mut running = call.spawn();
    assert!(running.stops());
    running.signal(Signal::CONT);
    running.wait().ok().stdout("went on\n");
}

#[test]
fn limits_of_core_dumps_and_pipes_are_as_they_were() {
    let sandbox = prepared();
    let script = "ulimit -S -c 64 2>/dev/null; ulimit -c; \
                  credb run --env A=credb://a -- sh -c 'ulimit -c'";
    let lines = sandbox.shell(script).run().ok().lines();
    assert_eq!(lines[0], lines[1]);
    // A program that ignored the closed pipe would write on for ever.
    let script = "credb run --env A=credb://a -- yes | head -1";
    sandbox.shell(script).run().ok().stdout("y\n");
}

#[test]
fn files_of_credb_are_closed_to_the_command() {
    let sandbox = prepared();
    let script = "ls -l /proc/self/fd";
    let run = sandbox.credb(["run", "--env", "A=credb://a", "--", "sh", "-c", script]);
    run.run().ok().hides("default.redb");
}

/// Would break: a file that is open in the command, and is read once more by its number.
#[test]
fn descriptors_that_credb_was_told_to_read_are_closed_to_the_command() {
    let sandbox = prepared();
    let phrase = sandbox.file("phrase", "not a real phrase");
    let add = ["key", "add", "passphrase", "--kdf-cost", "8,1", "--new-passphrase-file", &phrase];
    sandbox.credb(add).run().ok();
    sandbox.file("more", "B=y");
    let show = "test ! -e /dev/fd/$0 && echo $A";
    let secret = "-- sh -c \"$SHOW\" 7 7<phrase";
    for (options, run) in [
        ("--passphrase-fd 7", "run --env A=credb://a"),
        ("--passphrase-file /proc/self/fd/7", "run --env A=credb://a"),
        ("--passphrase-file /dev/fd/7", "run --env A=credb://a"),
        ("--passphrase-fd 7", "ensure new --max-age 1h"),
        ("--passphrase-fd 7", "rotate a"),
    ] {
        let script = format!("credb {options} {run} {secret}");
        sandbox.shell(&script).env("SHOW", show).env("A", "x").run().code(0).hides("real phrase");
    }
    let variable = "CREDB_PASSPHRASE_FILE=/dev/fd/7 credb run --env A=credb://a";
    sandbox.shell(&format!("{variable} {secret}")).env("SHOW", show).run().ok();
    let listed = "credb run --env-file /dev/fd/7 -- sh -c \"$SHOW\" 7 7<more";
    sandbox.shell(listed).env("SHOW", show).run().ok();
    // Any other one is the command's.
    sandbox.shell("credb run -- cat /dev/fd/7 7<more").run().ok().stdout("B=y");
}

/// The bit of SIGPIPE is not known to credb, and is left out.
#[test]
fn signals_that_the_caller_ignores_stay_ignored() {
    let sandbox = prepared();
    let print = "grep SigIgn /proc/self/status";
    for trap in ["trap '' XFSZ HUP;", ""] {
        let bare = sandbox.shell(&format!("{trap} sh -c '{print}'")).run().ok().text();
        let run = format!("{trap} credb run --env A=credb://a -- sh -c '{print}'");
        assert_eq!(sandbox.shell(&run).run().ok().text(), bare, "{trap}");
    }
}

#[test]
fn a_script_without_an_interpreter_is_the_shells() {
    let sandbox = prepared();
    sandbox.file("script", "echo \"$0 $1 $A\"\n");
    sandbox.set_mode("script", 0o700);
    let run = ["run", "--env", "A=credb://a", "--", "./script", "x"];
    sandbox.credb(run).run().ok().stdout("./script x secret of a\n");
}

#[test]
fn the_command_has_the_terminal() {
    let sandbox = prepared();
    let script = "test -t 0 && test -t 1 && test -t 2 && echo \"tty $A\"; stty size; \
                  read line; echo \"got $line\"; trap 'exit 9' INT; echo ready; \
                  while :; do sleep 0.01; done";
    let call = sandbox.credb(["run", "--env", "A=credb://a", "--", "sh", "-c", script]);
    let mut terminal = Terminal::start(&call);
    terminal.expect("tty secret of a").expect("50 200").type_text("hello\r");
    terminal.expect("got hello").expect("ready").interrupt();
    terminal.ends(9);
}
