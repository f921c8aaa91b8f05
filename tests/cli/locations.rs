//! Where vaults and the machine secret are, for root and for others, whatever the environment
//! says. Nothing outside the sandbox is touched: the paths are read from what is missing there.

use std::fs;
use std::path::Path;

use crate::support::{Call, Identity, Sandbox, mode_of};

/// A name that no machine has a vault of.
const NAME: &str = "a-vault-of-the-tests-of-credb";

/// The full path that a call without a vault says it looked for.
#[track_caller]
fn looked_for(call: Call) -> String {
    let outcome = call.args(["--json", "--vault", NAME, "list"]).run().fails_json(3, "not_found");
    let message = outcome.error_json()["message"].as_str().unwrap_or_default().to_owned();
    let path = message.split(' ').find(|word| word.starts_with('/'));
    outcome.check(path.is_some(), "the message should name a path");
    let path = path.unwrap_or_default().to_owned();
    outcome.check(path.ends_with(&format!("/{NAME}.redb")), "the path should end in the name");
    path.trim_end_matches(&format!("/{NAME}.redb")).to_owned()
}

/// A call without the directories that the sandbox sets, as this user.
fn plain_call(sandbox: &Sandbox, identity: &Identity) -> Call {
    let empty: [&str; 0] = [];
    sandbox
        .credb(empty)
        .identity(identity)
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CONFIG_HOME")
}

#[test]
fn an_absolute_data_home_holds_the_vaults_of_everybody() {
    let sandbox = Sandbox::new();
    let home = sandbox.path_text("elsewhere");
    for identity in [Identity::root(), Identity::known_user()].into_iter().flatten() {
        let call = plain_call(&sandbox, &identity).env("XDG_DATA_HOME", &home);
        identity.owns(&sandbox);
        assert_eq!(looked_for(call), format!("{home}/credb"));
    }
}

#[test]
fn a_relative_or_empty_data_home_counts_as_none() {
    let sandbox = Sandbox::new();
    let home = sandbox.path_text("home");
    for value in ["relative", "./relative", ""] {
        if let Some(root) = Identity::root() {
            identity_looks_in(&sandbox, &root, value, "/var/lib/credb");
        }
        if let Some(user) = Identity::known_user() {
            identity_looks_in(&sandbox, &user, value, &format!("{home}/.local/share/credb"));
        }
    }
}

#[track_caller]
fn identity_looks_in(sandbox: &Sandbox, identity: &Identity, data_home: &str, expected: &str) {
    identity.owns(sandbox);
    let call = plain_call(sandbox, identity).env("XDG_DATA_HOME", data_home);
    assert_eq!(looked_for(call), expected);
}

#[test]
fn root_has_its_vaults_in_var_lib_with_and_without_a_home() {
    let sandbox = Sandbox::new();
    let Some(root) = Identity::root() else { return };
    assert_eq!(looked_for(plain_call(&sandbox, &root)), "/var/lib/credb");
    let homeless = plain_call(&sandbox, &root).env_remove("HOME");
    assert_eq!(looked_for(homeless), "/var/lib/credb");
}

#[test]
fn others_have_their_vaults_in_their_home() {
    let sandbox = Sandbox::new();
    let Some(user) = Identity::known_user() else { return };
    user.owns(&sandbox);
    let expected = sandbox.path_text("home/.local/share/credb");
    assert_eq!(looked_for(plain_call(&sandbox, &user)), expected);
}

#[test]
fn without_a_home_variable_the_password_database_says_where_home_is() {
    let sandbox = Sandbox::new();
    let Some(user) = Identity::known_user() else { return };
    let Some(home) = user.home() else { return };
    user.owns(&sandbox);
    let expected = home.join(".local/share/credb").display().to_string();
    let call = plain_call(&sandbox, &user);
    assert_eq!(looked_for(call.clone().env_remove("HOME")), expected);
    assert_eq!(looked_for(call.env("HOME", "")), expected);
}

#[test]
fn a_user_without_any_home_is_told_what_to_name() {
    let sandbox = Sandbox::new();
    let Some(user) = Identity::unknown_user() else { return };
    user.owns(&sandbox);
    let call = plain_call(&sandbox, &user).env_remove("HOME");
    let outcome = call.clone().args(["list"]).run().fails(2);
    outcome.stderr_has("--vault").stderr_has("--key-file");
    call.args(["list", "--json"]).run().fails_json(2, "usage");
}

#[test]
fn a_user_without_any_home_can_name_vault_and_key_file() {
    let sandbox = Sandbox::new();
    let Some(user) = Identity::unknown_user() else { return };
    user.owns(&sandbox);
    let vault = sandbox.path_text("v.redb");
    let key = sandbox.path_text("v.key");
    let call = || {
        let call = plain_call(&sandbox, &user).env_remove("HOME");
        call.args(["--vault", &vault, "--key-file", &key])
    };
    call().args(["init"]).run().ok();
    call().args(["set", "a", "--password-stdin"]).stdin("pw").run().ok();
    call().args(["get", "a", "--field", "password"]).run().ok().stdout("pw\n");
}

#[test]
fn the_machine_secret_is_in_the_configuration_home() {
    let sandbox = Sandbox::with_ids(&["a"]);
    assert_eq!(mode_of(&sandbox.machine_key()), 0o600);
    let other = sandbox.path_text("other");
    let call = sandbox.credb(["get", "a"]).env("XDG_CONFIG_HOME", &other);
    call.run().fails(5).stderr_has(&format!("{other}/credb/machine.key"));
}

#[test]
fn without_a_configuration_home_the_machine_secret_is_in_etc_for_root() {
    let sandbox = Sandbox::with_ids(&["a"]);
    let Some(root) = Identity::root() else { return };
    for value in [None, Some(""), Some("relative")] {
        let call = plain_call(&sandbox, &root).args(["get", "a"]);
        let call = call.env("XDG_DATA_HOME", sandbox.path("data"));
        let call = match value {
            Some(value) => call.env("XDG_CONFIG_HOME", value),
            None => call,
        };
        call.run().fails(5).stderr_has("/etc/credb/machine.key");
    }
}

#[test]
fn without_a_configuration_home_the_machine_secret_is_in_the_home_of_others() {
    let sandbox = Sandbox::new();
    let Some(user) = Identity::known_user() else { return };
    user.owns(&sandbox);
    plain_call(&sandbox, &user).args(["init"]).run().ok();
    assert!(sandbox.path("home/.local/share/credb/default.redb").is_file());
    assert_eq!(mode_of(&sandbox.path("home/.config/credb/machine.key")), 0o600);
}

#[test]
fn a_vault_and_its_directories_are_closed_to_others() {
    let sandbox = Sandbox::with_vault();
    assert_eq!(mode_of(&sandbox.vault()), 0o600);
    assert_eq!(mode_of(&sandbox.path("data/credb")), 0o700);
    assert_eq!(mode_of(&sandbox.path("config/credb")), 0o700);
}

#[test]
fn a_missing_vault_hints_at_roots_vault_or_at_init() {
    let sandbox = Sandbox::new();
    let Some(user) = Identity::known_user() else { return };
    user.owns(&sandbox);
    let outcome = plain_call(&sandbox, &user).args(["list"]).run().fails(3);
    if Path::new("/var/lib/credb").exists() {
        outcome.hints("sudo credb");
    } else {
        outcome.hints("credb init");
    }
    let Some(root) = Identity::root() else { return };
    let call = plain_call(&sandbox, &root).env("XDG_DATA_HOME", sandbox.path("data"));
    call.args(["list"]).run().fails(3).hints("credb init");
}

#[test]
fn a_name_is_a_vault_of_the_data_directory() {
    let sandbox = Sandbox::new();
    for name in ["prod", "a.b", "A_1-x", "9"] {
        sandbox.credb(["--vault", name, "init"]).run().ok();
        assert!(sandbox.path(format!("data/credb/{name}.redb")).is_file(), "{name}");
    }
    sandbox.credb(["init"]).env("CREDB_VAULT", "from-env").run().ok();
    assert!(sandbox.path("data/credb/from-env.redb").is_file());
    sandbox.credb(["init", "--vault", "given"]).env("CREDB_VAULT", "not-this").run().ok();
    assert!(sandbox.path("data/credb/given.redb").is_file());
    sandbox.credb(["init"]).env("CREDB_VAULT", "").run().ok();
    assert!(sandbox.vault().is_file());
    assert!(!sandbox.path("data/credb/not-this.redb").exists());
}

#[test]
fn anything_with_a_slash_is_a_file() {
    let sandbox = Sandbox::new();
    sandbox.credb(["--vault", "./x.redb", "init"]).run().ok();
    assert!(sandbox.path("x.redb").is_file());
    sandbox.credb(["--vault", &sandbox.path_text("deep/er/y"), "init"]).run().ok();
    assert!(sandbox.path("deep/er/y").is_file());
    assert_eq!(mode_of(&sandbox.path("deep/er")), 0o700);
}

#[test]
fn a_name_that_looks_like_a_file_is_refused_with_the_path_meant() {
    let sandbox = Sandbox::new();
    sandbox.credb(["--vault", "x.redb", "init"]).run().fails(2).hints("./x.redb");
    for name in ["~/x.redb", "~", ".hidden", "a b", "", "-x"] {
        if name.is_empty() {
            continue;
        }
        sandbox.credb([&format!("--vault={name}"), "init"]).run().fails(2);
    }
    let before = fs::read_dir(sandbox.path("data")).unwrap().count();
    assert_eq!(before, 0, "nothing may have been made");
}
