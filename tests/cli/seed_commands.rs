//! The command lines of the predecessor's users, word for word but for the program's name.

use crate::support::Sandbox;

#[test]
fn vault_add_get_list_remove_and_info_work_as_they_are_written() {
    let sandbox = Sandbox::with_vault();
    let script = r#"
        set -e
        credb vault-add --id mysql-prod --username root --password "P@ss word" --description "Production MySQL"
        credb vault-add --id smtp-mail.example.com -u mailer -p s3cret
        credb vault-list >/dev/null
        credb vault-get --id mysql-prod >/dev/null
        credb vault-get --id mysql-prod --show-password >shown
        credb vault-remove --id smtp-mail.example.com --force
        credb vault-info >/dev/null
    "#;
    sandbox.shell(script).run().ok();
    let shown = std::fs::read_to_string(sandbox.path("shown")).unwrap();
    assert!(shown.contains("P@ss word") && shown.contains("root"), "{shown}");
    sandbox.credb(["list", "--ids"]).run().ok().stdout("mysql-prod\n");
    let description = ["get", "mysql-prod", "--field", "description"];
    sandbox.credb(description).run().ok().stdout("Production MySQL\n");
}

#[test]
fn vault_add_on_an_existing_id_updates_it() {
    let sandbox = Sandbox::with_vault();
    let add = ["vault-add", "--id", "mysql-1", "--username", "root", "--password"];
    sandbox.credb(add).args(["first"]).run().ok();
    sandbox.credb(add).args(["second"]).run().ok();
    assert_eq!(sandbox.password("mysql-1"), "second");
    assert_eq!(sandbox.version("mysql-1"), 2);
}

#[test]
fn vault_get_masks_without_show_password() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let masked = sandbox.credb(["vault-get", "--id", "a"]).run().ok();
    masked.stdout_has("************").hides("secret of a");
}

#[test]
fn the_old_verbs_are_hidden_but_explained() {
    let sandbox = Sandbox::new();
    sandbox.credb(["--help"]).run().ok().hides("vault-add");
    for verb in ["vault-add", "vault-get", "vault-list", "vault-remove", "vault-info"] {
        sandbox.credb([verb, "--help"]).run().ok().stdout_has(verb);
    }
}

#[test]
fn the_other_names_of_commands_mean_the_same() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["add", "a", "--password-stdin"]).stdin("pw").run().ok();
    let shown = sandbox.credb(["get", "a"]).run().ok().text();
    sandbox.credb(["show", "a"]).run().ok().stdout(shown);
    let listed = sandbox.credb(["list"]).run().ok().text();
    sandbox.credb(["ls"]).run().ok().stdout(&listed);
    sandbox.credb(["find"]).run().ok().stdout(&listed);
    sandbox.credb(["rm", "a", "--force"]).run().ok();
    sandbox.credb(["ls"]).run().ok().stdout("");
}

#[test]
fn an_id_is_given_once_as_argument_or_as_option() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["get", "--id", "a"]).run().ok();
    sandbox.credb(["set", "a", "--id", "b", "--generate"]).run().code(2);
    sandbox.credb(["remove", "--id", "a", "--force"]).run().ok();
}
