//! `batch`: all or nothing, in parts, and line by line beside a script.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Coprocess, Outcome, Sandbox, alter_row};

fn set(id: &str, password: &str) -> String {
    json!({"op": "set", "id": id, "password": password}).to_string()
}

fn get(id: &str) -> String {
    json!({"op": "get", "id": id}).to_string()
}

fn text(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

#[track_caller]
fn answers(outcome: &Outcome) -> Vec<Value> {
    let parsed = outcome.lines().into_iter().map(|line| serde_json::from_str(&line).expect("JSON"));
    parsed.collect()
}

#[track_caller]
fn refused(answer: &Value, code: &str) {
    assert_eq!(
        (&answer["ok"], &answer["error"]["code"]),
        (&json!(false), &json!(code)),
        "{answer}"
    );
    assert!(answer["error"]["message"].is_string() && answer["error"].get("hint").is_some());
}

#[test]
fn a_batch_sees_its_own_changes_and_is_answered_in_order() {
    let sandbox = Sandbox::with_ids(&["db/old"]);
    let lines = [
        r#"{"op":"set","id":"db/a","username":"u","password":"p","if_absent":true}"#.to_owned(),
        get("db/a"),
        r#"{"op":"set","id":"db/a","password":"q","if_version":1}"#.to_owned(),
        r#"{"op":"set","id":"db/a","password":"q"}"#.to_owned(),
        r#"{"op":"rename","id":"db/a","to":"db/b"}"#.to_owned(),
        r#"{"op":"remove","id":"db/old","if_version":1}"#.to_owned(),
        r#"{"op":"list","pattern":"db/*"}"#.to_owned(),
    ];
    let answers = answers(&sandbox.credb(["batch"]).stdin(text(&lines)).run().ok().silent());
    assert_eq!(answers.len(), lines.len());
    assert!(answers.iter().all(|answer| answer["ok"] == true), "{answers:?}");
    assert_eq!((&answers[0]["id"], &answers[0]["created"]), (&json!("db/a"), &json!(true)));
    assert_eq!(
        (&answers[1]["version"], &answers[1]["credential"]["password"]),
        (&json!(1), &json!("p"))
    );
    assert_eq!((&answers[2]["version"], &answers[2]["changed"]), (&json!(2), &json!(true)));
    assert_eq!((&answers[3]["version"], &answers[3]["changed"]), (&json!(2), &json!(false)));
    assert_eq!((&answers[4]["from"], &answers[4]["version"]), (&json!("db/a"), &json!(3)));
    assert_eq!(answers[5], json!({"ok": true, "id": "db/old", "version": 1}));
    let listed = answers[6]["credentials"].as_array().expect("a list");
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &json!("db/b")));
    assert!(listed[0].get("password").is_none());
    assert_eq!(sandbox.password("db/b"), "q");
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn one_refused_line_rolls_all_back_and_gives_the_exit_code() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let before = sandbox.state_token();
    for (line, code, name) in [
        (r#"{"op":"set","id":"a","password":"x","if_absent":true}"#, 4, "conflict"),
        (r#"{"op":"set","id":"a","password":"x","if_version":7}"#, 4, "conflict"),
        (r#"{"op":"rename","id":"new","to":"a"}"#, 4, "conflict"),
        (r#"{"op":"get","id":"none"}"#, 3, "not_found"),
        (r#"{"op":"remove","id":"none"}"#, 3, "not_found"),
        (r#"{"op":"set","id":"none"}"#, 9, "invalid"),
        (r#"{"op":"fly"}"#, 9, "invalid"),
        ("not json", 9, "invalid"),
        ("", 9, "invalid"),
    ] {
        let file = sandbox.file("lines", text(&[set("new", "n"), line.to_owned(), set("b", "x")]));
        let outcome = sandbox.credb(["batch", &file]).run().code(code);
        let answers = answers(&outcome);
        outcome.check(answers.len() == 3, "three lines, three answers");
        refused(&answers[0], "cancelled");
        refused(&answers[1], name);
        refused(&answers[2], "cancelled");
        outcome.stderr_has("error: line 2: ");
        let json = sandbox.credb(["batch", &file, "--json"]).run().code(code);
        assert_eq!(json.error_json()["code"], name);
        assert_eq!(sandbox.state_token(), before, "{line} changed something");
    }
}

#[test]
fn the_first_failure_counts_and_all_are_told() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let lines = [get("x"), set("a", "new"), r#"{"op":"set","id":"b"}"#.to_owned()];
    let outcome = sandbox.credb(["batch", "-"]).stdin(text(&lines)).run().code(3);
    let answers = answers(&outcome);
    refused(&answers[0], "not_found");
    refused(&answers[1], "cancelled");
    refused(&answers[2], "invalid");
    assert_eq!(sandbox.password("a"), "secret of a");
}

#[test]
fn parts_are_stored_up_to_the_first_that_fails() {
    let sandbox = Sandbox::with_vault();
    let mut lines: Vec<String> = (0..10).map(|n| set(&format!("id{n}"), "p")).collect();
    lines[7] = get("none");
    let call = sandbox.credb(["batch", "--chunk", "3"]).stdin(text(&lines));
    let outcome = call.run().code(3).stderr_has("line 8: ");
    let outcome = outcome.stderr_has("; the lines up to line 6 are stored");
    assert_eq!(answers(&outcome).len(), 9);
    assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 6);
    lines[7] = set("id7", "p");
    let call = sandbox.credb(["batch", "--chunk", "3"]).stdin(text(&lines));
    assert_eq!(answers(&call.run().ok().silent()).len(), 10);
    assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 10);
    sandbox.credb(["batch", "--chunk", "0"]).run().fails(2);
    sandbox.credb(["batch", "--chunk", "3", "--each"]).run().fails(2);
}

#[test]
fn the_first_failure_counts_also_before_a_line_that_cannot_be_read() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let lines = text(&[get("none"), "not json".to_owned(), set("b", "x")]);
    let outcome = sandbox.credb(["batch"]).stdin(lines).run().code(3).stderr_has("line 1: ");
    let answers = answers(&outcome);
    refused(&answers[0], "not_found");
    refused(&answers[1], "invalid");
    refused(&answers[2], "cancelled");
}

/// Fails if a load that is wrong throughout is kept in memory as so many errors.
#[test]
fn what_comes_after_a_thousand_refusals_is_not_tried() {
    let sandbox = Sandbox::with_vault();
    let lines = text(&[vec![get("none"); 1_000], vec![get("none"); 10]].concat());
    let outcome = sandbox.credb(["batch"]).stdin(lines.clone()).run().code(3);
    let codes: Vec<Value> =
        answers(&outcome).iter().map(|answer| answer["error"]["code"].clone()).collect();
    assert_eq!(codes[..1_000], vec![json!("not_found"); 1_000]);
    assert_eq!(codes[1_000..], vec![json!("cancelled"); 10]);
    let outcome = sandbox.credb(["batch", "--each"]).stdin(lines).run().code(1);
    outcome.stderr_has("error: 1010 lines were refused");
}

#[test]
fn what_is_too_much_for_one_transaction_is_told_with_parts_that_are_not() {
    let sandbox = Sandbox::with_vault();
    let line = |n: usize| format!("{}{}\n", set(&format!("id{n}"), "p"), " ".repeat(1 << 20));
    let lines: String = (0..80).map(line).collect();
    let file = sandbox.file("many.jsonl", lines);
    let outcome = sandbox.credb(["batch", &file]).run().fails(9);
    outcome.stderr_has("more than 67108864 bytes").stderr_has("`credb batch --chunk 32 ");
    let outcome = sandbox.credb(["batch", "--chunk", "70", &file]).run().fails(9);
    outcome.stderr_has("`credb batch --chunk 32 ");
    sandbox.credb(["batch", "--chunk", "32", &file]).run().ok();
    assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 80);
    let small: String = (80..85).map(|n| set(&format!("id{n}"), "p") + "\n").collect();
    let file = sandbox.file("rest.jsonl", small + &(85..160).map(line).collect::<String>());
    let outcome = sandbox.credb(["batch", "--chunk", "5", &file]).run().ok();
    assert_eq!(answers(&outcome).len(), 80);
}

/// Fails if a write to a closed pipe counts for more than what became of the lines, or ends it.
#[test]
fn a_reader_that_has_gone_changes_nothing() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let many: Vec<String> = (0..3_000).map(|n| set(&format!("id{n}"), "p")).collect();
    let all = sandbox.file("all", text(&many));
    let refused = sandbox.file("refused", text(&[set("b", "x"), get("none")]));
    for (command, code, ids) in [
        (format!("batch {refused}"), 3, 1),
        (format!("batch --each {refused}"), 1, 2),
        (format!("batch --chunk 500 {all}"), 0, 3_002),
        (format!("batch --each {all}"), 0, 3_002),
    ] {
        let script = format!("{{ sleep 0.5; credb {command} 2>/dev/null; echo $? >&2; }} | true");
        let outcome = sandbox.shell(&script).run();
        assert_eq!(outcome.stderr(), format!("{code}\n"), "{command}");
        assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), ids, "{command}");
    }
}

/// Fails if answers are lost or doubled where a group is answered in several steps.
#[test]
fn long_answers_are_given_in_steps() {
    let sandbox = Sandbox::with_vault();
    let long = "x".repeat(60_000);
    sandbox.credb(["batch"]).stdin(set("long", &long) + "\n").run().ok();
    let lines: Vec<String> = (0..300)
        .flat_map(|n| [get("long"), set(&format!("n{n}"), "p"), get(&format!("none{n}"))])
        .collect();
    let outcome = sandbox.credb(["batch", "--each"]).stdin(text(&lines)).run().code(1);
    let answers = answers(&outcome);
    assert_eq!(answers.len(), 900);
    for (n, three) in answers.chunks(3).enumerate() {
        assert_eq!(three[0]["credential"]["password"], long);
        assert_eq!(three[1]["id"], format!("n{n}"));
        refused(&three[2], "not_found");
    }
    outcome.stderr_has("error: 300 lines were refused");
}

#[test]
fn each_line_stands_alone() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let lines = [
        set("b", "x"),
        r#"{"op":"set","id":"a","password":"x","if_absent":true}"#.to_owned(),
        "not json".to_owned(),
        r#"{"op":"remove","id":"a","if_version":9}"#.to_owned(),
        r#"{"op":"rename","id":"b","to":"a"}"#.to_owned(),
        r#"{"op":"set","id":"new"}"#.to_owned(),
        format!(r#"{{"op":"set","id":"long","password":"{}"}}"#, "x".repeat(3 << 20)),
        set("c", "y"),
        get("c"),
    ];
    let outcome = sandbox.credb(["batch", "--each"]).stdin(text(&lines)).run().code(1);
    let answers = answers(&outcome);
    let oks: Vec<bool> = answers.iter().map(|answer| answer["ok"] == true).collect();
    assert_eq!(oks, [true, false, false, false, false, false, false, true, true]);
    let codes = ["conflict", "invalid", "conflict", "conflict", "invalid", "invalid"];
    for (answer, code) in answers[1..7].iter().zip(codes) {
        refused(answer, code);
    }
    assert!(answers[6]["error"]["message"].as_str().expect("a message").contains("2097152"));
    assert_eq!(answers[8]["credential"]["password"], "y");
    outcome.stderr_has("error: 6 lines were refused");
    sandbox.credb(["list", "--ids"]).run().ok().stdout("a\nb\nc\n");
    sandbox.credb(["verify"]).run().ok();
}

#[test]
fn a_damaged_credential_is_an_error_of_its_line_only() {
    let sandbox = Sandbox::with_ids(&["a"]);
    alter_row(&sandbox.vault(), "records");
    let lines = [set("b", "x"), get("a"), set("a", "y"), get("b")];
    let outcome = sandbox.credb(["batch", "--each"]).stdin(text(&lines)).run().code(1);
    let answers = answers(&outcome);
    assert_eq!(answers[0]["created"], true);
    refused(&answers[1], "corrupt");
    refused(&answers[2], "corrupt");
    assert_eq!(answers[3]["credential"]["password"], "x");
    sandbox.credb(["batch"]).stdin(text(&lines)).run().fails(6);
}

#[test]
fn a_missing_vault_or_file_is_told_and_no_line_is_no_failure() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["--vault", "none", "batch", "--each"]).stdin(get("a")).run().fails(3);
    sandbox.credb(["--vault", "none", "batch"]).run().fails(3);
    sandbox.credb(["batch", "missing.jsonl"]).run().fails(8);
    sandbox.credb(["batch"]).run().ok().stdout("");
    sandbox.credb(["batch", "--each"]).run().ok().stdout("");
}

#[test]
fn a_coprocess_answers_each_line_before_it_gets_the_next() {
    let sandbox = Sandbox::with_vault();
    let mut coprocess = Coprocess::start(&sandbox.credb(["batch", "--each"]));
    for round in 1..=20_u64 {
        let answer = coprocess.ask(&set("counter", &round.to_string()));
        assert_eq!(answer["version"], round);
        // Another process sees it at once.
        if round % 5 == 0 {
            assert_eq!(sandbox.password("counter"), round.to_string());
        }
    }
    sandbox.put("counter", "of somebody else");
    let answer = coprocess.ask(&get("counter"));
    assert_eq!(answer["credential"]["password"], "of somebody else");
    // Two lines, and half of a third one: the two are answered.
    coprocess.send(&format!("{}\n{}\n{{\"op\":", get("counter"), set("a", "b")));
    assert_eq!(coprocess.answer()["version"], 21);
    assert_eq!(coprocess.answer()["created"], true);
    coprocess.send("\"get\",\"id\":\"a\"}\n");
    assert_eq!(coprocess.answer()["credential"]["password"], "b");
    coprocess.ends(0);
}

#[test]
fn a_coprocess_goes_on_after_the_vault_was_replaced() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let mut coprocess = Coprocess::start(&sandbox.credb(["batch", "--each"]));
    assert_eq!(coprocess.ask(&set("b", "1"))["ok"], true);
    sandbox.credb(["compact"]).run().ok();
    assert_eq!(coprocess.ask(&set("b", "2"))["version"], 2);
    assert_eq!(sandbox.password("b"), "2");
    coprocess.ends(0);
}

#[test]
fn eight_coprocesses_lose_nothing() {
    let sandbox = Sandbox::with_ids(&["counter"]);
    sandbox.put("counter", "0");
    thread::scope(|scope| {
        for process in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let call = sandbox.credb(["--wait", "280", "batch", "--each"]);
                let mut coprocess = Coprocess::start(&call);
                for round in 0..10 {
                    let own = coprocess.ask(&set(&format!("{process}-{round}"), "p"));
                    assert_eq!(own["created"], true, "{own}");
                    count(&mut coprocess);
                }
                coprocess.ends(1);
            });
        }
    });
    assert_eq!(sandbox.password("counter"), "80");
    assert_eq!(sandbox.credb(["list", "--ids"]).run().ok().lines().len(), 81);
    sandbox.credb(["verify"]).run().ok();
}

/// Adds one, whatever others do meanwhile; one refusal at least makes the exit code the same.
fn count(coprocess: &mut Coprocess) {
    refused(&coprocess.ask(&get("none")), "not_found");
    loop {
        let found = coprocess.ask(&get("counter"));
        let value: u32 =
            found["credential"]["password"].as_str().expect("text").parse().expect("a count");
        let line = json!({
            "op": "set", "id": "counter", "password": (value + 1).to_string(),
            "if_version": found["version"],
        });
        let answer = coprocess.ask(&line.to_string());
        if answer["ok"] == true {
            return;
        }
        refused(&answer, "conflict");
    }
}

#[test]
fn what_a_killed_coprocess_answered_is_there() {
    let sandbox = Sandbox::with_vault();
    for round in 0..6_u64 {
        let mut coprocess = Coprocess::start(&sandbox.credb(["batch", "--each"]));
        let ids: Vec<String> = (0..40).map(|number| format!("{round}-{number:02}")).collect();
        let killer = coprocess.handle();
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(60 + round * 25));
            killer.signal(Signal::KILL);
        });
        let mut answered = Vec::new();
        for id in &ids {
            match coprocess.try_ask(&set(id, id)) {
                Some(answer) => {
                    assert_eq!(answer["ok"], true, "{answer}");
                    answered.push(id);
                }
                None => break,
            }
        }
        killer.join().expect("the one who kills");
        let listed = sandbox.credb(["list", "--ids"]).run().ok().lines();
        for id in answered {
            assert!(listed.contains(id), "{id} was answered and is gone");
        }
        for id in listed.iter().filter(|id| id.starts_with(&format!("{round}-"))) {
            assert_eq!(sandbox.password(id), *id);
        }
    }
    sandbox.credb(["verify"]).run().ok();
}
