//! The guide's recipes that are no `console` blocks: scripts, a Python program, a unit's command.
//! Each is taken out of the guide as it stands there, with other places for its files, and run
//! beside stand-ins for the programs that it calls.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::repository;
use crate::support::{Call, Sandbox, mode_of};

/// The texts of a document's blocks of this language, which steps of a list have too.
pub(super) fn recipes(document: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join(document)).expect("read the document");
    let (mut blocks, mut open) = (Vec::new(), None);
    for line in text.lines() {
        let plain = line.trim_start();
        open = match open.take() {
            None if plain.strip_prefix("```") == Some(language) => {
                Some((line.len() - plain.len(), String::new()))
            }
            Some((_, block)) if plain == "```" => {
                blocks.push(block);
                None
            }
            Some((indentation, mut block)) => {
                block.push_str(line.get(indentation..).unwrap_or_default());
                block.push('\n');
                Some((indentation, block))
            }
            None => None,
        };
    }
    blocks
}

/// The only block of this language in the guide that has these words in it.
fn recipe(language: &str, words: &str) -> String {
    let mut found = recipes("docs/guide.md", language);
    found.retain(|block| block.contains(words));
    assert_eq!(found.len(), 1, "blocks of {language} with {words:?}");
    found.remove(0)
}

/// A place to run recipes in, with programs of its own.
pub(super) struct Kitchen {
    pub(super) sandbox: Sandbox,
}

impl Kitchen {
    pub(super) fn new() -> Self {
        Self::of(Sandbox::with_vault())
    }

    pub(super) fn without_vault() -> Self {
        Self::of(Sandbox::new())
    }

    fn of(sandbox: Sandbox) -> Self {
        fs::create_dir(sandbox.path("bin")).expect("a directory");
        Self { sandbox }
    }

    /// A program that a recipe calls.
    pub(super) fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = PathBuf::from(self.sandbox.file(name, format!("#!/bin/sh\n{script}\n")));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("make it a program");
        path
    }

    /// The recipe as a script, with the first of each pair of places replaced. The shell is the one
    /// that it names.
    pub(super) fn call(&self, recipe: &str, places: &[(&str, &str)]) -> Call {
        let script = places.iter().fold(recipe.to_owned(), |script, (theirs, ours)| {
            assert!(script.contains(theirs), "{theirs} is not in the recipe");
            script.replace(theirs, &self.sandbox.path_text(ours))
        });
        let shell = match script.lines().next().and_then(|line| line.strip_prefix("#!")) {
            Some(shell) => shell.to_owned(),
            None => "/bin/sh".to_owned(),
        };
        self.sandbox.file("recipe", script);
        self.sandbox.shell(&format!("PATH=$PWD/bin:$PATH exec {shell} recipe"))
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.sandbox.path(name)).unwrap_or_default()
    }
}

#[test]
fn the_nightly_dump_gets_the_password_or_fails_loudly() {
    let kitchen = Kitchen::new();
    let seen = "for word; do case $word in --defaults-extra-file=*) cat \"${word#*=}\" >> seen; \
                stat -c %a \"${word#*=}\" >> seen;; esac; done; echo dump";
    kitchen.program("bin/mysqldump", seen);
    let script = recipe("sh", "mysqldump");
    let run = || kitchen.call(&script, &[("/var/backups", "")]).run();
    run().fails(3).stderr_has("no credential \"mysql-1\"");
    assert_eq!(kitchen.read("seen"), "", "mysqldump was started without a password");
    kitchen.sandbox.put("mysql-1", "s3cret");
    kitchen.sandbox.credb(["set", "mysql-1", "-u", "backup"]).run().ok();
    run().ok().stdout("").silent();
    let seen = kitchen.read("seen");
    assert_eq!(seen, "[client]\nuser=backup\npassword=\"s3cret\"\n600\n");
    let kept = || kitchen.sandbox.shell("gzip -dc all.sql.gz").run().ok().stdout("dump\n");
    kept();
    // Half a dump is none, and the next night finds no remains.
    let files = || kitchen.sandbox.files().into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    let before = files();
    kitchen.program("bin/mysqldump", "echo half; echo lost the connection >&2; exit 2");
    run().code(2).stderr_has("lost the connection");
    kept();
    kitchen.sandbox.credb(["remove", "mysql-1", "--force"]).run().ok();
    run().fails(3);
    kept();
    assert_eq!(files(), before);
}

#[test]
fn the_program_in_python_changes_what_it_has_read() {
    let kitchen = Kitchen::new();
    kitchen.sandbox.put("web/token", "first");
    let program = recipe("python", "class Vault");
    let program = format!("def fetch(old):\n    return old + ' and next'\n\n{program}");
    kitchen.sandbox.file("rotate.py", program);
    kitchen.call("exec python3 rotate.py", &[]).run().ok().stdout("").silent();
    assert_eq!(kitchen.sandbox.password("web/token"), "first and next");
    kitchen.sandbox.credb(["remove", "web/token", "--force"]).run().ok();
    let missing = kitchen.call("exec python3 rotate.py", &[]).run();
    missing.code(1).stderr_has("no credential \"web/token\"");
}

#[test]
fn the_command_of_the_unit_writes_the_password_for_root_alone() {
    let kitchen = Kitchen::new();
    kitchen.sandbox.put("myapp-db", "s3cret");
    let unit = recipe("ini", "myapp-secret.service\n[Unit]");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/"));
    let command = command.expect("what the unit starts");
    fs::create_dir(kitchen.sandbox.path("myapp-secret")).expect("its runtime directory");
    kitchen.call(command, &[("/run/", "")]).run().ok().stdout("").silent();
    assert_eq!(kitchen.read("myapp-secret/db"), "s3cret");
    assert_eq!(mode_of(&kitchen.sandbox.path("myapp-secret/db")), 0o600);
    let app = recipe("ini", "ExecStart=/usr/local/bin/myapp");
    assert!(app.contains("LoadCredential=db:/run/myapp-secret/db"), "{app}");
}

#[test]
fn a_job_of_the_ci_system_reads_and_renews_with_a_key_from_its_environment() {
    let kitchen = Kitchen::new();
    let vault = kitchen.sandbox.path_text("ci.redb");
    let key = kitchen.sandbox.path_text("ci.key");
    let credb = |words: &[&str]| {
        kitchen.sandbox.credb(words).args(["--vault", &vault]).env("CREDB_KEY_FILE", &key)
    };
    kitchen.sandbox.credb(["init", "--vault", &vault, "--key", &format!("file:{key}")]).run().ok();
    let text = kitchen.read("ci.key");
    fs::rename(&key, kitchen.sandbox.path("away.key")).expect("take the key away");
    let job = |words: &str, places| {
        kitchen.call(&recipe("sh", words), places).env("VAULT_KEY", &text).run()
    };

    kitchen.program("issue-deploy-token", "echo issued >> issued; echo token-7");
    kitchen.program("bin/curl", "cat >> asked");
    for _ in 0..2 {
        job("issue-deploy-token", &[("/srv/ci/", "")]).ok().stdout("").silent();
    }
    assert_eq!(kitchen.read("issued"), "issued\n", "a fresh token is used again");
    assert_eq!(kitchen.read("asked"), "header = \"Authorization: Bearer token-7\"\n".repeat(2));
    job("get deploy", &[]).ok().stdout("token-7\n").silent();

    fs::rename(kitchen.sandbox.path("away.key"), &key).expect("the key again");
    credb(&["set", "deploy", "--generate"]).run().ok();
    kitchen.program("issue-deploy-token", "echo no >&2; exit 9");
    credb(&["remove", "deploy", "--force"]).run().ok();
    job("issue-deploy-token", &[("/srv/ci/", "")]).code(9);
    assert_eq!(kitchen.read("asked").lines().count(), 2, "it went on without a token");
}
