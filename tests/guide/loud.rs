//! The scripts of the documents fail loudly: without the credential no program that they call is
//! started with an empty one, the exit code says so, and what was there before stays.

use std::fs;

use crate::block::blocks;
use crate::recipe::{Kitchen, recipes};
use crate::repository;

const DOCUMENTS: [&str; 2] = ["docs/guide.md", "docs/rotation.md"];

/// The programs that the scripts hand secrets to, and so may not start.
const PROGRAMS: [&str; 5] = ["mysql", "mysqldump", "psql", "curl", "systemctl"];

/// The scripts that use a vault.
fn scripts() -> Vec<String> {
    let all = DOCUMENTS.iter().flat_map(|document| recipes(document, "sh"));
    all.filter(|script| script.contains("credb ")).collect()
}

/// The only command of the `console` blocks that has these words in it.
fn command(document: &str, words: &str) -> String {
    let text = fs::read_to_string(repository().join(document)).expect("read the document");
    let mut found: Vec<String> = blocks(&text)
        .into_iter()
        .flat_map(|block| block.commands)
        .map(|command| command.text)
        .filter(|text| text.contains(words))
        .collect();
    assert_eq!(found.len(), 1, "commands with {words:?} in {document}: {found:?}");
    found.remove(0)
}

fn without_its_credential(kitchen: &Kitchen, script: &str) {
    for program in PROGRAMS {
        kitchen.program(&format!("bin/{program}"), "echo \"$0\" >> started");
    }
    let places = [("/var/backups", ""), ("/srv/ci/", "")];
    let places: Vec<_> = places.into_iter().filter(|(place, _)| script.contains(place)).collect();
    let outcome = kitchen.call(script, &places).env("VAULT_KEY", "none").run();
    let code = outcome.exit_code();
    assert!(code.is_some_and(|code| code != 0), "exit code {code:?} of:\n{script}");
    outcome.stderr_has("error: ");
    assert_eq!(kitchen.read("started"), "", "started without a secret by:\n{script}");
}

#[test]
fn no_script_goes_on_without_its_credential() {
    let scripts = scripts();
    assert!(scripts.len() >= 10, "{scripts:?}");
    for script in &scripts {
        without_its_credential(&Kitchen::without_vault(), script);
        // A watch waits for a credential that is not there yet.
        if !script.contains("credb watch") {
            without_its_credential(&Kitchen::new(), script);
        }
    }
}

#[test]
fn services_get_the_new_password_whole() {
    for (id, program, expected) in [
        ("mysql-1.next", "mysql", "ALTER USER 'backup'@'%' IDENTIFIED BY 'a%s\\n b' RETAIN "),
        ("postgresql-1.next", "psql", "ALTER ROLE app_b PASSWORD 'a%s\\n b';\n"),
        ("smtp-1.next", "curl", "user = \"ada@example.com:a%s\\n b\"\n"),
    ] {
        let get = format!("credb get {id} ");
        let scripts: Vec<_> =
            scripts().into_iter().filter(|script| script.contains(&get)).collect();
        assert!(!scripts.is_empty(), "{id}");
        for script in scripts {
            let kitchen = Kitchen::new();
            kitchen.sandbox.put(id, "a%s\\n b");
            kitchen.program(&format!("bin/{program}"), "cat > received");
            kitchen.call(&script, &[]).run().ok().stdout("").silent();
            let received = kitchen.read("received");
            assert!(received.contains(expected), "{received}");
        }
    }
}

#[test]
fn a_password_that_is_not_there_is_not_taken_over() {
    for document in DOCUMENTS {
        let kitchen = Kitchen::new();
        kitchen.sandbox.put("mysql-1", "one");
        let take_over = command(document, "credb get mysql-1.next --field password --raw |");
        let version = take_over.split("--if-version ").nth(1).expect("a condition");
        let version: u64 = version.split(' ').next().unwrap_or_default().parse().expect("one");
        for _ in 1..version {
            kitchen.sandbox.credb(["tag", "add", "mysql-1", "t"]).run().ok();
        }
        kitchen.call(&take_over, &[]).run().code(9).stderr_has("no credential \"mysql-1.next\"");
        assert_eq!(kitchen.sandbox.password("mysql-1"), "one");
    }
}

#[test]
fn the_last_state_token_stays_when_there_is_no_new_one() {
    let kitchen = Kitchen::without_vault();
    kitchen.sandbox.file("token", "the last one\n");
    let script = command("docs/guide.md", "credb verify --quiet");
    kitchen.call(&script, &[]).run().fails(3);
    assert_eq!(kitchen.read("token"), "the last one\n");
}

#[test]
fn the_coprocess_in_bash_stops_at_the_first_failure() {
    let script = command("docs/guide.md", "cat > rotate.bash");
    let script = format!("{script}\nexec bash rotate.bash");
    let missing = Kitchen::without_vault();
    let outcome = missing.call(&script, &[]).run();
    assert_ne!(outcome.exit_code(), Some(0));
    outcome.stdout("").stderr_has("no vault at");
    let refused = Kitchen::new();
    let script = script.replace("web/token", "no id ");
    let outcome = refused.call(&script, &[]).run().code(1).stdout("");
    outcome.stderr_has("\"ok\":false");
}
